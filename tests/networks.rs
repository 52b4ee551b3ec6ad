//! The circuits that come with the program: each loads, plans and learns, and the tables' files cite what the paper
//! published.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use synlocal::kernels::Isa;
use synlocal::locality::Slot;
use synlocal::rng::Stream;
use synlocal::schedule::Step;
use synlocal::simulation::{Batch, Experiment};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("networks")
}

/// Every experiment in a folder and below it.
fn experiments(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            files.extend(experiments(&path));
        } else if fs::read_to_string(&path).unwrap().lines().any(|line| line.starts_with("Experiment(")) {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn load(file: &Path) -> Experiment {
    Experiment::load(file, &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// One step in each stage moves all weights that the stage's plan applies changes to, and no others. Batches are of 6:
/// enough for 4 stored negatives.
#[test]
fn every_experiment_loads_plans_and_makes_one_step() {
    let files = experiments(&folder());
    assert!(files.len() >= 48, "{} experiments", files.len());
    for file in files {
        let experiment = load(&file);
        let mut simulation = experiment.simulation_for(Isa::best(), 6);
        let mut rng = Stream::new(1).named("views").rng();
        let mut view = || -> Vec<f32> { (0..6 * experiment.input_shape().len()).map(|_| rng.uniform()).collect() };
        let (stored, current) = (view(), view());
        for stage in 0..simulation.stages().len() {
            simulation.enter(stage);
            let before: Vec<Vec<f32>> = simulation.forward_weights().map(|(_, values)| values.to_vec()).collect();
            let found = simulation.step(Batch { labels: &[0, 1, 2, 3, 4, 5], ..Batch::views(&stored, &current) });
            let place = format!("{}, stage {stage}", file.display());
            assert!(found.loss.is_finite() && found.loss > 0.0, "{place}: loss {}", found.loss);
            let steps = simulation.stages()[stage].plan.steps();
            for (before, (slot, after)) in before.iter().zip(simulation.forward_weights()) {
                let (Slot::Weight(id) | Slot::Bias(id)) = slot else { panic!("{slot:?} is no forward weight") };
                let learns = steps.contains(&Step::Apply(id)) && !after.is_empty();
                let name = &simulation.network().projection(id).name;
                assert_eq!(learns, before != after, "{place}: {name}");
            }
        }
    }
}

/// The paper's Table 1: learning, update, and percent right with all negatives and with a stored view and 4 of them.
const TABLE1: [(&str, &[&str], [f64; 2]); 7] = [
    ("e2e", &["bp"], [71.44, 70.35]),
    ("e2e", &["dtp"], [71.29, 67.74]),
    ("e2e", &["rf"], [61.70, 63.61]),
    ("gll", &["bp", "urf"], [72.76, 71.14]),
    ("gll", &["rf"], [67.83, 66.52]),
    ("rll", &["bp", "urf"], [71.35, 71.17]),
    ("rll", &["rf"], [65.94, 65.49]),
];

#[test]
fn the_tables_hold_every_published_row() {
    let cited = |table: &str| -> BTreeMap<String, Option<f64>> {
        let name = |file: &Path| file.file_stem().unwrap().to_string_lossy().into_owned();
        let files = experiments(&folder().join(table));
        files.iter().map(|file| (name(file), load(file).published().and_then(|cited| cited.accuracy))).collect()
    };
    let mut table1: BTreeMap<String, Option<f64>> = BTreeMap::new();
    for (learning, updates, accuracies) in TABLE1 {
        for update in updates {
            for (negatives, accuracy) in ["all", "stored"].into_iter().zip(accuracies) {
                table1.insert(format!("{learning}-{update}-{negatives}"), Some(accuracy));
            }
        }
    }
    let others = [("e2e-bp-simclr", 72.44), ("e2e-bp-clapp", 69.05), ("gll-bp-clapp", 68.93), ("untrained", 61.23)];
    table1.extend(others.map(|(name, accuracy)| (name.to_string(), Some(accuracy))));
    assert_eq!(cited("table1"), table1);
    let table2 = [
        ("e2e-bp", Some(70.13)),
        ("e2e-bp-clapp", Some(71.88)),
        ("e2e-rf", Some(55.01)),
        // The paper has no such row.
        ("e2e-urf", None),
        ("gll-bp", Some(68.26)),
        ("gll-bp-clapp", Some(68.74)),
        ("gll-rf", Some(60.00)),
        ("gll-urf", Some(68.26)),
        ("rll-bp", Some(64.61)),
        ("rll-rf", Some(55.14)),
        ("rll-urf", Some(64.61)),
        ("untrained", Some(46.78)),
    ];
    assert_eq!(cited("table2"), table2.map(|(name, accuracy)| (name.to_string(), accuracy)).into());
}
