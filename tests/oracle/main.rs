//! Reference answers: every case is one step (or a few) of a circuit that plain PyTorch computed in float64.
//!
//! `SYNLOCAL_ORACLE_CASES=DIR cargo test --release oracle` runs the cases in `DIR` instead of those in the repository.

mod case;
mod steps;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use case::{Case, Supported, Tensors};
use steps::{deformation, learning_step, target_propagation, trajectory};

/// Prints past the test runner, which shows what a passing test prints only when asked to.
macro_rules! say {
    ($($text:tt)*) => { writeln!(std::io::stderr(), $($text)*).unwrap() };
}

fn answer(case: &Case) -> Supported<Tensors> {
    match case.text("process") {
        "e2e" | "layerwise" => learning_step(case),
        "dtp" => target_propagation(case),
        "trajectory" => trajectory(case),
        "deformation" => deformation(case),
        other => Err(format!("process {other}")),
    }
}

/// Every tensor within 1e-4 of the largest reference value; the worst share of that allowance.
fn compare(name: &str, case: &Case, answers: &Tensors) -> (usize, f64) {
    let mut worst: f64 = 0.0;
    let expected: Vec<_> = case.tensors.iter().filter(|(key, _)| key.starts_with("out/")).collect();
    for (key, (_, reference)) in &expected {
        let Some((_, values)) = answers.get(*key) else { panic!("{name}: {key} was not computed") };
        assert_eq!(values.len(), reference.len(), "{name}: {key}");
        let largest = reference.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let difference = reference.iter().zip(values).fold(0.0f64, |most, (r, v)| {
            let difference = (f64::from(*r) - f64::from(*v)).abs();
            if difference.is_nan() { f64::INFINITY } else { most.max(difference) }
        });
        let allowed = 1e-4 * f64::from(largest) + 1e-7;
        assert!(difference <= allowed, "{name}: {key} differs by {difference:e}, allowed are {allowed:e}");
        worst = worst.max(difference / allowed);
    }
    (expected.len(), worst)
}

#[test]
fn the_oracle_cases_give_the_reference_answers() {
    let folder = std::env::var_os("SYNLOCAL_ORACLE_CASES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/cases"), PathBuf::from);
    let mut folders: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("case.json").exists())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "{} holds no cases", folder.display());
    let (mut cases, mut tensors, mut unsupported) = (0, 0, Vec::new());
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let case = Case::read(&folder);
        match answer(&case) {
            Ok(answers) => {
                let (count, worst) = compare(&name, &case, &answers);
                say!("{name}: {count} tensors, at worst {:.1} % of the allowed difference", 100.0 * worst);
                cases += 1;
                tensors += count;
            }
            Err(why) => unsupported.push(format!("{name} ({why})")),
        }
    }
    say!("{cases} cases with {tensors} tensors agree");
    assert!(unsupported.is_empty(), "cannot be run: {}", unsupported.join(", "));
}
