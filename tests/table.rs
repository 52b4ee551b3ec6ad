//! The table: statistics as printed tables have them, rows as runs left them, failures and stops that cost nothing.

#[path = "bench/mod.rs"]
mod bench;

use std::collections::HashMap;
use std::fs;
use std::ops::ControlFlow;

use bench::Bench;
use serde_json::Value;
use synlocal::session::{Stage, Subject};
use synlocal::statistics::{Estimate, student_t};
use synlocal::table::{CSV_COLUMNS, Changes, Event, Series, Table, entries};

/// A circuit of two blocks that trains in a moment.
const TINY: &str = r#"Experiment(
    network: Network(
        units: {
            "retina": Input(channels: 3, height: 32, width: 32),
            "v1": Unit(pool: Max(8)),
            "v2": Unit(pool: Max(2)),
            "v1.head": Unit(),
            "head": Unit(),
        },
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
            (from: "v1", to: "v1.head", map: Dense(units: 6)),
            (from: "v1", to: "v2", map: Conv(channels: 8, kernel: 3, pad: 1)),
            (from: "v2", to: "head", map: Dense(units: 8)),
        ],
        blocks: [(units: ["v1"], head: "v1.head"), (units: ["v2"], head: "head")],
    ),
    learning: (rule: Urf, loss: ContrastiveHinge(margins: (0.1, 1.0)), optimizer: Adam(rate: 1e-3)),
    data: Objects(images: 64, test_images: 32),
    training: (pairs: 8, epochs: 3, seed: 5),
    readout: (epochs: 2, batch: 16),
)
"#;

fn own_bench() -> Bench {
    let bench = Bench::empty();
    bench.write("files/tiny.ron", TINY);
    bench
}

/// Percent of test images right in a run of the folder `out`, trained and untrained.
fn accuracies(bench: &Bench, run: &str) -> [f64; 2] {
    let summary = bench.json(&format!("out/{run}/summary.json"));
    ["readout", "untrained"].map(|what| summary[what]["test_accuracy"].as_f64().unwrap())
}

fn series(bench: &Bench, out: &str) -> Series {
    let entries = entries(&[bench.path("files")], &Changes::default()).unwrap_or_else(|errors| panic!("{errors:?}"));
    Series { entries, seeds: 2, out: bench.path(out), data: Vec::new(), isa: None, second: None }
}

/// Splits what RFC 4180 joins: a list of the fields of each line, by column.
fn parse_csv(text: &str) -> Vec<HashMap<String, String>> {
    let (mut records, mut record, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => field.extend(letters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut field)),
            '\n' if !quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            other => field.push(other),
        }
    }
    assert!(!quoted && record.is_empty() && field.is_empty(), "whole lines");
    let header = records.remove(0);
    assert!(records.iter().all(|record| record.len() == header.len()), "{text}");
    records.into_iter().map(|record| header.iter().cloned().zip(record).collect()).collect()
}

fn close(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within, "{found} is not {expected}");
}

#[test]
fn quantiles_are_those_of_printed_tables() {
    let printed = [
        (1, 12.706),
        (2, 4.303),
        (3, 3.182),
        (4, 2.776),
        (5, 2.571),
        (6, 2.447),
        (9, 2.262),
        (10, 2.228),
        (29, 2.045),
        (30, 2.042),
        (120, 1.980),
    ];
    for (freedom, quantile) in printed {
        close(student_t(freedom), quantile, 0.0005);
    }
}

#[test]
fn intervals_are_those_of_hand_computed_examples() {
    // Deviations -2 to 2: variance 10 / 4, standard error sqrt(2.5 / 5), times 2.776.
    let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
    assert_eq!((estimate.mean, estimate.values), (3.0, 5));
    close(estimate.interval.unwrap(), 1.963, 0.001);
    assert_eq!(estimate.differs_from_zero(), Some(true));
    // Two values 2 apart: standard error 1, times 12.706.
    let estimate = Estimate::of(&[12.0, 14.0]).unwrap();
    close(estimate.interval.unwrap(), 12.706, 0.001);
    assert_eq!(estimate.differs_from_zero(), Some(true));
    assert_eq!(Estimate::of(&[-12.0, -10.0]).unwrap().differs_from_zero(), Some(false));
    assert_eq!(Estimate::of(&[0.0, 0.0]).unwrap().differs_from_zero(), Some(false));
    let single = Estimate::of(&[7.0]).unwrap();
    assert_eq!((single.mean, single.interval, single.differs_from_zero()), (7.0, None, None));
    assert_eq!(Estimate::of(&[]), None);
}

#[test]
fn a_row_tells_what_its_runs_found_and_a_failure_stays_in_its_row() {
    let bench = own_bench();
    let cited =
        "readout: (epochs: 2, batch: 16),\n    published: (accuracy: 71.44, source: \"Tang, 2022, \\\"table 1\\\"\"),";
    bench.write("files/tiny.ron", &TINY.replace("readout: (epochs: 2, batch: 16),", cited));
    bench.write("files/a-wild.ron", &TINY.replace("1e-3", "1e30"));
    let start = TINY.find("Network(").unwrap();
    bench.write("files/circuit.ron", TINY[start..TINY.find("    learning:").unwrap()].trim_end().trim_end_matches(','));
    let args = ["table", "files", "--seeds", "2", "--epochs", "2", "--images", "48", "--out", "out"];
    let [shown, said] = bench.ends(1, &args);
    assert!(said.contains("2 runs failed") && said.contains("run 4 of 4, tiny with seed 2"), "{said}");
    assert_eq!(shown.trim_end(), fs::read_to_string(bench.path("out/table.md")).unwrap().trim_end());
    for part in [
        "Images: 48 (reduced). Epochs: 2 (reduced). Read-out epochs: 2.",
        "over seeds 1 to 2",
        "reduced: 48 of 64 images, 2 of 3 epochs",
        "seeds 1, 2 failed: the loss became",
        "| 71.44 ",
        "tiny: published by Tang, 2022, \"table 1\".",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }

    let table = bench.json("out/table.json");
    let names: Vec<&str> = table["rows"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a-wild", "tiny"], "files by name, without the network");
    let [wild, tiny] = [&table["rows"][0], &table["rows"][1]];
    assert!(wild["runs"][1]["outcome"]["failed"].as_str().unwrap().contains("lower the learning rate"), "{wild}");
    assert_eq!(wild["own"]["trained"], Value::Null);
    let [one, two] = [accuracies(&bench, "tiny/seed-1"), accuracies(&bench, "tiny/seed-2")];
    let mean = |what: &str| tiny["own"][what]["mean"].as_f64().unwrap();
    close(mean("trained"), (one[0] + two[0]) / 2.0, 1e-9);
    close(mean("untrained"), (one[1] + two[1]) / 2.0, 1e-9);
    // Of two values, the standard error is half of what lies between them.
    let [first, second] = [one[0] - one[1], two[0] - two[1]];
    close(tiny["own"]["difference"]["interval"].as_f64().unwrap(), 12.7062 * (first - second).abs() / 2.0, 1e-3);
    let apart = (first + second).abs() / 2.0 > 12.7062 * (first - second).abs() / 2.0;
    assert_eq!(tiny["own"]["told_apart"], apart);
    assert_eq!(shown.contains("not told apart"), !apart, "{shown}");

    let csv = parse_csv(&fs::read_to_string(bench.path("out/table.csv")).unwrap());
    assert!(CSV_COLUMNS.iter().all(|column| csv[0].contains_key(*column)), "{csv:?}");
    let number = |row: usize, column: &str| csv[row][column].parse::<f64>().unwrap();
    assert_eq!((csv[0]["experiment"].as_str(), number(0, "failed"), csv[0]["trained"].as_str()), ("a-wild", 2.0, ""));
    assert_eq!((number(1, "images"), csv[1]["reduced"].as_str(), number(1, "runs")), (48.0, "true", 2.0));
    assert_eq!(number(1, "trained"), mean("trained"));
    assert_eq!(csv[1]["published_source"], "Tang, 2022, \"table 1\"");
    assert!(number(1, "training_s") > 0.0 && number(1, "pairs_per_s") > 0.0);
}

#[test]
fn work_is_all_of_the_plan_where_every_pair_makes_an_error() {
    let bench = own_bench();
    let set = "learning.loss=ContrastiveHinge(margins: (1e-9, 1e9))";
    // Single events would be less: packets of pooled units are sparse.
    let dense = "learning.arithmetic.errors=Dense";
    bench.ends(0, &["table", "files", "--seeds", "1", "--set", set, "--set", dense, "--out", "out"]);
    let [plan, _] = bench.ends(0, &["plan", "files/tiny.ron", "--set", set, "--json"]);
    let steps: Vec<Value> = serde_json::from_str(&plan).unwrap();
    let demanded: u64 = steps.iter().map(|step| step["multiply_adds"].as_u64().unwrap()).sum();
    assert_eq!(bench.json("out/table.json")["rows"][0]["multiply_adds"].as_f64().unwrap(), demanded as f64);
}

#[test]
fn all_faults_of_all_files_are_shown_and_nothing_is_run() {
    let bench = own_bench();
    bench.write(
        "files/odd.ron",
        &TINY
            .replace("epochs: 3", "epoch: 3")
            .replace("kernel: 3, pad: 1)),\n            (from: \"v2\"", "kernel: 99)),\n            (from: \"v2\""),
    );
    bench.write("files/worse.ron", &TINY.replace("seed: 5),", "seed: 5),\n    published: (accuracy: 171.44),"));
    let [_, said] = bench.ends(1, &["table", "files", "--out", "out"]);
    for part in [
        "odd.ron",
        "epoch",
        "worse.ron",
        "171.44 is no share of images",
        "use a value from 0 to 100",
        "nothing was run",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!bench.path("out").exists());
    let twice = ["table", "files/tiny.ron", "files/tiny.ron", "--out", "out"];
    assert!(bench.ends(1, &twice)[1].contains("name each file once"));
    assert!(bench.ends(1, &["table", ".", "--out", "out"])[1].contains("holds no experiment"));
    assert!(bench.ends(2, &["table", "files", "--seeds", "0"])[1].contains("--seeds 1 to"));
}

#[test]
fn runs_of_changed_experiments_are_found_before_anything_is_run() {
    let bench = own_bench();
    bench.write("files/a-new.ron", &TINY.replace("Urf", "Rf"));
    bench.ends(0, &["table", "files/tiny.ron", "--seeds", "1", "--out", "out"]);
    let [_, said] = bench.ends(1, &["table", "files", "--seeds", "1", "--epochs", "2", "--out", "out"]);
    assert!(said.contains("tiny/seed-1") && said.contains("choose another --out"), "{said}");
    assert!(!bench.path("out/a-new").exists());
}

#[test]
fn data_that_cannot_be_had_are_found_before_anything_is_run() {
    let bench = own_bench();
    bench.write("files/rf.ron", &TINY.replace("Urf", "Rf"));
    let data = |name: &str, data: &str| bench.write(name, &TINY.replace("Objects(images: 64, test_images: 32)", data));
    data("files/a-lost.ron", "Cifar10(path: \"nowhere\")");
    data("files/b-lost.ron", "Cifar10(path: \"nowhere\", images: 64)");
    bench.write("files/vast.ron", &TINY.replace("pairs: 8", "pairs: 65"));
    // The last part of a message says whom it concerns.
    let concerned = |said: &str, reason: &str| -> Vec<String> {
        let lines: Vec<&str> = said.lines().filter(|line| line.contains(reason)).collect();
        assert_eq!(lines.len(), 1, "{reason}: {said}");
        lines[0].rsplit(": ").next().unwrap().split(", ").map(String::from).collect()
    };
    let [_, said] = bench.ends(1, &["table", "files", "--seeds", "2", "--out", "out"]);
    assert_eq!(concerned(&said, "nowhere"), ["a-lost", "b-lost"]);
    assert_eq!(concerned(&said, "a batch has 65 pairs, but Objects has 64 training images"), ["vast"]);
    assert!(said.ends_with("nothing was run\n"), "{said}");
    let second = ["--set", "readout.data=Idx(path: \"elsewhere\")"];
    let some = ["table", "files/tiny.ron", "files/rf.ron", "files/vast.ron", "--images", "7", "--out", "out"];
    let [_, said] = bench.ends(1, &[&some[..], &second].concat());
    assert_eq!(concerned(&said, "elsewhere"), ["tiny", "rf", "vast"]);
    assert_eq!(concerned(&said, "a batch has 8 pairs, but Objects has 7 training images"), ["tiny", "rf"]);
    assert!(!bench.path("out").exists());
}

/// The table without what a clock measured.
fn timeless(table: &Table) -> Value {
    let mut table = serde_json::to_value(table).unwrap();
    for row in table["rows"].as_array_mut().unwrap() {
        for clock in ["training_s", "pairs_per_s"] {
            row[clock].take();
            for run in row["runs"].as_array_mut().unwrap() {
                if let Some(figures) = run["outcome"].get_mut("finished") {
                    figures[clock].take();
                }
            }
        }
    }
    table
}

#[test]
fn a_series_that_is_stopped_goes_on_to_the_same_table() {
    let bench = own_bench();
    bench.write("files/rf.ron", &TINY.replace("Urf", "Rf"));
    let straight = series(&bench, "straight").run(&mut |_| ControlFlow::Continue(())).unwrap();
    assert!(straight.1);
    // Somewhere in training, at the first word of the second run, in a read-out; then to the end.
    let mut told = Vec::new();
    for stop_after in [Some(11), Some(30), Some(20), None] {
        let mut events = 0;
        let (table, ended) = series(&bench, "broken")
            .run(&mut |_| {
                events += 1;
                if stop_after == Some(events) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
            .unwrap();
        assert_eq!(ended, stop_after.is_none());
        assert_eq!(
            serde_json::to_value(&table).unwrap(),
            serde_json::from_str::<Value>(&fs::read_to_string(bench.path("broken/table.json")).unwrap()).unwrap()
        );
        told.push(timeless(&table));
    }
    assert_ne!(told[0], told[3]);
    assert_eq!(told[3], timeless(&straight.0));
}

#[test]
fn floors_are_found_once_for_all_rules() {
    let bench = own_bench();
    bench.write("files/rf.ron", &TINY.replace("Urf", "Rf"));
    bench.write("files/wider.ron", &TINY.replace("channels: 8", "channels: 9"));
    let mut floors = Vec::new();
    let mut run = String::new();
    let mut series = series(&bench, "out");
    series
        .run(&mut |event| {
            match event {
                Event::Run { name, seed, .. } => run = format!("{name}/seed-{seed}"),
                Event::Stage(Stage::ReadOut { of: Subject::Untrained, epoch: 0, .. }) => floors.push(run.clone()),
                Event::Stage(_) => (),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(floors, ["rf/seed-1", "rf/seed-2", "wider/seed-1", "wider/seed-2"], "tiny has the circuit of rf");
    let alone = ["train", "files/tiny.ron", "--set", "training.seed=2", "--out", "alone"];
    bench.ends(0, &alone);
    let [alone, among] = ["alone", "out/tiny/seed-2"].map(|run| bench.json(&format!("{run}/summary.json")));
    for what in ["readout", "untrained", "pixels"] {
        assert_eq!(alone[what], among[what], "{what}");
    }
}

#[test]
fn epochs_are_those_of_a_block() {
    let bench = own_bench();
    let staged = |staging: &str| TINY.replace("rule: Urf", &format!("rule: Urf, staging: {staging}"));
    bench.write("files/gll.ron", &staged("Greedy"));
    bench.write("files/rll.ron", &staged("Random()"));
    let changes = Changes { epochs: Some(2), ..Changes::default() };
    let entries = entries(&[bench.path("files")], &changes).unwrap_or_else(|errors| panic!("{errors:?}"));
    let epochs: Vec<(&str, u64)> =
        entries.iter().map(|entry| (entry.name.as_str(), entry.experiment.training().epochs)).collect();
    assert_eq!(epochs, [("gll", 2), ("rll", 4), ("tiny", 2)], "2 of each of two blocks, one after the other or drawn");
    assert!(entries[0].epochs.is_reduced() && !entries[1].epochs.is_reduced(), "3 are asked for");
}
