//! The program's commands on blocks that learn apart.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use synlocal::learning::Rule;
use tempfile::TempDir;

use crate::{cut, experiment, whole};

/// A folder with the circuit in blocks, which learn one after the other, and with the same end to end.
fn bench() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write("blocks.ron", experiment(&whole(), "Greedy", Rule::Urf, 2).text());
    write("plain.ron", experiment(&cut(0, 2), "EndToEnd", Rule::Urf, 2).text());
    folder
}

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_synlocal")).args(args).current_dir(folder).output().unwrap()
}

/// What a command prints, and what it says beside.
fn succeed(folder: &Path, args: &[&str]) -> (String, String) {
    let Output { status, stdout, stderr } = run(folder, args);
    let said = String::from_utf8(stderr).unwrap();
    assert!(status.success(), "{args:?}: {said}");
    (String::from_utf8(stdout).unwrap(), said)
}

fn json(folder: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&succeed(folder, &[args, &["--json"]].concat()).0).unwrap()
}

#[test]
fn a_plan_has_all_stages() {
    let bench = bench();
    let table = succeed(bench.path(), &["plan", "blocks.ron"]).0;
    for heading in ["stage 1 of 3: the block of v1", "stage 2 of 3: the block of v3", "stage 3 of 3: the block of v4"] {
        assert!(table.contains(heading), "{table}");
    }
    let lines = json(bench.path(), &["plan", "blocks.ron"]);
    let learned = |stage: &str| -> Vec<&str> {
        let lines = lines.as_array().unwrap().iter();
        let applied = lines.filter(|line| line["stage"] == stage && line["verb"] == "apply");
        applied.map(|line| line["subject"].as_str().unwrap()).collect()
    };
    assert_eq!(learned("v1"), ["retina->v1", "v1->h1"]);
    assert_eq!(learned("v3"), ["v1->v2", "v2->v3", "v3->h2"]);
    assert_eq!(learned("v4"), ["v3->v4", "v1->v4", "v4->h3"]);
}

#[test]
fn speed_is_that_of_each_block_and_their_mean_or_of_one() {
    let bench = bench();
    let speed = |more: &[&str]| json(bench.path(), &[&["speed", "blocks.ron", "--pairs", "4"], more].concat());
    let driven = |speed: &Value, edge: &str| -> u64 {
        let mut edges = speed["edges"].as_array().unwrap().iter();
        let found = edges.find(|work| work["edge"] == edge && work["verb"] == "drive");
        found.map_or(0, |work| work["done"].as_u64().unwrap())
    };
    let all = speed(&[]);
    let parts = all["blocks"].as_array().unwrap();
    assert_eq!(parts.iter().map(|part| &part["block"]).collect::<Vec<_>>(), ["v1", "v3", "v4"]);
    // Two views of four images; v2 is driven in two of three stages.
    let (v1, v2) = (2 * 4 * 4 * 32 * 32 * 27, 2 * 4 * 6 * 8 * 8 * 36);
    assert_eq!((driven(&all, "retina->v1"), driven(&all, "v1->v2")), (v1, v2 * 2 / 3));
    assert_eq!(parts.iter().map(|part| driven(part, "v1->v2")).collect::<Vec<_>>(), [0, v2, v2]);
    let medians: f64 = parts.iter().map(|part| part["median_s"].as_f64().unwrap()).sum();
    assert!((3.0 * all["median_s"].as_f64().unwrap() - medians).abs() < 1e-12, "{all}");
    let one = speed(&["--block", "v3"]);
    assert_eq!((driven(&one, "retina->v1"), driven(&one, "v1->v2"), driven(&one, "v3->v4")), (v1, v2, 0));
    assert_eq!(one["median_s"], one["blocks"][0]["median_s"]);

    let unknown = run(bench.path(), &["speed", "blocks.ron", "--block", "v2"]);
    let said = String::from_utf8_lossy(&unknown.stderr).into_owned();
    assert!(said.contains("there is no block \"v2\""), "{said}");
    let none = run(bench.path(), &["speed", "plain.ron", "--block", "v4"]);
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(none.status.code() == Some(2) && said.contains("learns end to end"), "{said}");
}

#[test]
fn a_greedy_run_says_when_a_block_has_learned() {
    let bench = bench();
    let said = succeed(bench.path(), &["train", "blocks.ron", "--out", "run"]).1;
    let metrics = fs::read_to_string(bench.path().join("run/metrics.jsonl")).unwrap();
    let loss = |line: &str| serde_json::from_str::<Value>(line).unwrap()["loss"].as_f64().unwrap();
    let losses: Vec<f64> = metrics.lines().map(loss).collect();
    let expected = [("1 of 3, v1", losses[1]), ("2 of 3, v3", losses[3]), ("3 of 3, v4", losses[5])]
        .map(|(block, loss)| format!("block {block}, has learned: loss {loss:.1} in its last epoch"));
    // What comes first is the audit's verdict.
    assert_eq!(said.lines().skip(1).collect::<Vec<_>>(), expected);
    // Read out again, a block gives the same.
    let again = json(bench.path(), &["evaluate", "run", "--unit", "v3"]);
    let summary = fs::read(bench.path().join("run/summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(again["readout"], summary["blocks"][1]["readout"]);
}
