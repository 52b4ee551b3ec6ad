//! Read-outs on other data than an encoder learned from: `readout: (data: ...)`, and the folders that such experiments
//! are given.

#[path = "bench/mod.rs"]
mod bench;

use std::fs;
use std::path::Path;

use bench::Bench;
use serde_json::Value;

const CIRCUIT: &str = r#"Experiment(
    network: Network(
        units: {"retina": Input(channels: 3, height: 32, width: 32), "v1": Unit(pool: Max(4)), "head": Unit()},
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 8, kernel: 3, pad: 1)),
            (from: "v1", to: "head", map: Dense(units: 6)),
        ],
    ),
    learning: (rule: Urf, optimizer: Adam(rate: 1e-3)),
    data: LEARNED,
    training: (pairs: 20, epochs: 2, seed: 3),
    readout: (epochs: 2, batch: 20, data: READ),
)
"#;

const LEARNED: &str = "Objects(images: 100, test_images: 30)";
const READ: &str = "Objects(images: 60, test_images: 40, seed: 9)";

fn write(bench: &Bench, name: &str, learned: &str, read: &str) {
    bench.write(name, &CIRCUIT.replace("LEARNED", learned).replace("READ", read));
}

/// CIFAR-10's files with `each` images in a batch, and CIFAR-100's with as many in each file.
fn cifar(bench: &Bench, each: u8) {
    let image = |labels: &[u8], seed: u8| {
        let pixels = (0..3072u32).map(|place| (place.wrapping_mul(u32::from(seed) * 2 + 7) >> 3) as u8);
        labels.iter().copied().chain(pixels).collect::<Vec<u8>>()
    };
    let write = |folder: &str, file: &str, labels: &[u8]| {
        fs::create_dir_all(bench.path(folder)).unwrap();
        let records: Vec<u8> = (0..each).flat_map(|nth| image(labels, nth)).collect();
        fs::write(bench.path(folder).join(file), records).unwrap();
    };
    for batch in 1..=5 {
        write("ten", &format!("data_batch_{batch}.bin"), &[batch]);
    }
    write("ten", "test_batch.bin", &[1]);
    ["train.bin", "test.bin"].into_iter().for_each(|file| write("hundred", file, &[1, 2]));
}

/// Learned from one data set, read out on another: the same encoder as without the second, and the same accuracies as
/// when it is read out there afterwards.
#[test]
fn an_encoder_is_read_out_on_the_data_that_its_experiment_names() {
    let bench = Bench::empty();
    write(&bench, "other.ron", LEARNED, READ);
    write(&bench, "own.ron", LEARNED, "None");
    let [shown, _] = bench.ends(0, &["train", "other.ron", "--out", "other"]);
    assert!(
        shown.contains(
            "other of 100 training and 30 test images of Objects, read out on 60 training and 40 test images of Objects"
        ),
        "{shown}"
    );
    bench.ends(0, &["train", "own.ron", "--out", "own"]);
    let losses = |run: &str| -> Vec<f64> {
        let metrics = fs::read_to_string(bench.path(run).join("metrics.jsonl")).unwrap();
        metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].as_f64().unwrap()).collect()
    };
    assert_eq!(losses("other"), losses("own"));
    let (other, own) = (bench.json("other/summary.json"), bench.json("own/summary.json"));
    assert_eq!((&other["data"], &own["readout_data"]), (&own["data"], &Value::Null));
    assert_eq!((&other["readout_data"]["train"], &other["readout_data"]["test"]), (&Value::from(60), &Value::from(40)));
    let evaluation = |args: &[&str]| -> Value { serde_json::from_str(&bench.ends(0, args)[0]).unwrap() };
    let afterwards = evaluation(&["evaluate", "own", "--source", READ, "--json"]);
    let again = evaluation(&["evaluate", "other", "--json"]);
    for what in ["readout", "untrained"] {
        assert_eq!(other[what], afterwards[what], "{what}");
        assert_eq!(other[what], again[what], "{what}");
    }
    assert_ne!(other["readout"], own["readout"]);
}

#[test]
fn a_run_takes_a_folder_for_each_data_set_and_keeps_them() {
    let bench = Bench::empty();
    cifar(&bench, 8);
    write(&bench, "cifar.ron", "Cifar100(images: 8)", "Cifar10(images: 30)");
    let small = ["--set", "training.pairs=4"];
    for (out, folders) in
        [("one", ["--data", "ten", "--data", "hundred"]), ("two", ["--data", "hundred", "--data", "ten"])]
    {
        bench.ends(0, &[&["train", "cifar.ron", "--out", out][..], &folders, &small].concat());
        let summary = bench.json(&format!("{out}/summary.json"));
        assert_eq!((&summary["data"]["name"], &summary["data"]["train"]), (&"CIFAR-100".into(), &8.into()));
        assert_eq!(
            (&summary["readout_data"]["name"], &summary["readout_data"]["test"]),
            (&"CIFAR-10".into(), &8.into())
        );
    }
    let picture = fs::read_to_string(bench.path("one/result.svg")).unwrap();
    assert!(picture.contains("(10 classes)") && picture.contains("read out on CIFAR-10"), "{picture}");
    bench.ends(0, &["evaluate", "one"]);
    let table =
        ["table", "cifar.ron", "--seeds", "1", "--images", "6", "--data", "hundred", "--data", "ten", "--out", "t"];
    bench.ends(0, &[&table[..], &small].concat());
    let summary = bench.json("t/cifar/seed-1/summary.json");
    assert_eq!((&summary["data"]["train"], &summary["readout_data"]["train"]), (&6.into(), &6.into()));
    let row = &bench.json("t/table.json")["rows"][0];
    assert_eq!((&row["data"], &row["asked_data"]), (&"CIFAR-100 -> CIFAR-10".into(), &Value::Null));
    assert_eq!(row["readout_images"], serde_json::json!({"used": 6, "asked": 30}));
    // The distances of views are those of the data that it learned from: no others are needed.
    fs::rename(bench.path("ten"), bench.path("moved")).unwrap();
    bench.ends(0, &["distances", "one"]);
    let gone = bench.ends(1, &["evaluate", "one"])[1].clone();
    assert!(gone.contains("ten"), "{gone}");
    // Nor does a table of complete runs need any; runs that are due do.
    let again = ["table", "cifar.ron", "--images", "6", "--out", "t", "--seeds"];
    bench.ends(0, &[&again[..], &["1"], &small].concat());
    let missing = bench.ends(1, &[&again[..], &["2"], &small].concat())[1].clone();
    assert!(missing.contains("CIFAR-100") && missing.contains("nothing was run"), "{missing}");
}

/// A run goes on with the folders that it began with, but for those that are given anew.
#[test]
fn a_resumed_run_may_be_told_where_one_data_set_lies_now() {
    let bench = Bench::empty();
    cifar(&bench, 8);
    write(&bench, "cifar.ron", "Cifar100()", "Cifar10()");
    let args = ["train", "cifar.ron", "--set", "training.pairs=4", "--data", "ten", "--data", "hundred", "--out"];
    bench.ends(0, &[&args[..], &["straight"]].concat());
    bench.ends(0, &[&args[..], &["moved"]].concat());
    let straight = fs::read(bench.path("straight/summary.json")).unwrap();
    // As if it had been stopped before its read-out.
    fs::remove_file(bench.path("moved/summary.json")).unwrap();
    fs::rename(bench.path("hundred"), bench.path("elsewhere")).unwrap();
    let lost = bench.ends(1, &["train", "--resume", "moved"])[1].clone();
    assert!(lost.contains("hundred"), "{lost}");
    bench.ends(0, &["train", "--resume", "moved", "--data", "elsewhere"]);
    let resumed = bench.json("moved/summary.json");
    let straight: Value = serde_json::from_slice(&straight).unwrap();
    assert_eq!((&resumed["readout"], &resumed["data"]), (&straight["readout"], &straight["data"]));
}

#[test]
fn the_same_data_named_twice_are_one_data_set() {
    let bench = Bench::empty();
    cifar(&bench, 8);
    write(&bench, "cifar.ron", "Cifar10()", "Cifar10()");
    bench.ends(0, &["train", "cifar.ron", "--out", "run", "--data", "ten", "--set", "training.pairs=4"]);
    assert_eq!(bench.json("run/summary.json")["readout_data"], Value::Null);
    write(&bench, "exchanged.ron", "Cifar100()", "Cifar10()");
    let change =
        ["--set", "data=Cifar10()", "--set", "training.pairs=4", "--seeds", "1", "--images", "8", "--data", "ten"];
    let [table, _] = bench.ends(0, &[&["table", "exchanged.ron", "--out", "t"], &change[..]].concat());
    assert!(table.contains("other data: the file asks for CIFAR-100 -> CIFAR-10"), "{table}");
    assert_eq!(bench.json("t/table.json")["rows"][0]["data"], "CIFAR-10");
}

#[test]
fn folders_that_fit_nothing_are_refused() {
    let bench = Bench::empty();
    cifar(&bench, 8);
    write(&bench, "cifar.ron", "Cifar100()", "Cifar10()");
    write(&bench, "objects.ron", LEARNED, "Cifar10()");
    fs::create_dir(bench.path("copy")).unwrap();
    for file in fs::read_dir(bench.path("ten")).unwrap().flatten() {
        fs::copy(file.path(), bench.path("copy").join(Path::new(&file.file_name()))).unwrap();
    }
    let refusal = |code, args: &[&str]| {
        let said = bench.ends(code, &[&["train"][..], args, &["--out", "run"]].concat())[1].clone();
        assert!(!bench.path("run").exists(), "{said}");
        said
    };
    let missing = refusal(2, &["cifar.ron", "--data", "hundred", "--set", "training.pairs=4"]);
    assert!(missing.contains("CIFAR-10") && missing.contains("--data"), "{missing}");
    let twice = refusal(1, &["cifar.ron", "--data", "ten", "--data", "copy"]);
    assert!(twice.contains("copy: holds CIFAR-10, and so does ten"), "{twice}");
    let foreign = refusal(1, &["objects.ron", "--data", "hundred"]);
    assert!(foreign.contains("holds CIFAR-100, but the experiment's data are Objects and CIFAR-10"), "{foreign}");
    // One folder cannot stand for two that the experiment names.
    write(&bench, "paths.ron", "Cifar10(path: \"ten\")", "Cifar10(path: \"copy\", images: 4)");
    let ambiguous = refusal(1, &["paths.ron", "--data", "ten"]);
    assert!(
        ambiguous.contains("ten: holds CIFAR-10, but the experiment has two data sets of that kind"),
        "{ambiguous}"
    );
    let unlabelled = refusal(1, &["objects.ron", "--set", "readout.data=Stl10(unlabelled: true)"]);
    assert!(unlabelled.contains("a read-out learns from labels"), "{unlabelled}");
    let faults = refusal(1, &["objects.ron", "--set", "readout.data.images=0"]);
    assert!(faults.contains("0 images are no data set"), "{faults}");
}
