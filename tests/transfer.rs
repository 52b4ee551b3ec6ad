//! Transfer: read-outs on a second data set, and the supervised encoder of the same circuit that they stand beside.

#[path = "bench/mod.rs"]
mod bench;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use bench::Bench;
use serde_json::Value;
use synlocal::loss::Loss;
use synlocal::network::Wiring;
use synlocal::session::{Options, complete};
use synlocal::simulation::{Experiment, Staging};
use synlocal::table::supervised;

/// Two blocks, feedback that is written out, a head with a transfer function: all that a supervised encoder sheds.
const CIRCUIT: &str = r#"Experiment(
    network: Network(
        units: {
            "retina": Input(channels: 3, height: 32, width: 32),
            "v1": Unit(pool: Max(4), transfer: HardTanh),
            "v2": Unit(pool: Max(2)),
            "v1.head": Unit(),
            "head": Unit(transfer: HardTanh),
        },
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 8, kernel: 3, pad: 1)),
            (from: "v1", to: "v1.head", map: Dense(units: 6)),
            (from: "v1", to: "v2", map: Conv(channels: 16, kernel: 3, pad: 1)),
            (from: "v2", to: "head", map: Dense(units: 32)),
        ],
        feedback: [(from: "head", to: "v2", wiring: Fixed)],
        blocks: [(units: ["v1"], head: "v1.head"), (units: ["v2"], head: "head")],
    ),
    learning: (rule: Rf, staging: Greedy, optimizer: Adam(rate: 1e-3)),
    data: Objects(images: 200, test_images: 50),
    training: (pairs: 20, epochs: 5, seed: 5),
    readout: (epochs: 2, batch: 20),
    published: (accuracy: 50.0),
)
"#;

fn own_bench() -> Bench {
    let bench = Bench::empty();
    bench.write("circuit.ron", CIRCUIT);
    bench
}

#[test]
fn a_supervised_encoder_is_the_same_circuit_taught_classes_through_and_through() {
    let bench = own_bench();
    let strict = "audit=(preset: Strict)".to_string();
    let experiment = Experiment::load(&bench.path("circuit.ron"), &[strict]).unwrap();
    let taught = supervised(&experiment, 10, None).unwrap();
    // It is meant to be what the experiment denies.
    assert_eq!(taught.policy(), None);
    let (own, network) = (experiment.network(), taught.network());
    for name in ["retina", "v1", "v2"] {
        let unit = |of: &synlocal::network::Network| of.unit(of.find(name).unwrap()).clone();
        assert_eq!(unit(own), unit(network), "{name}");
    }
    let heads: Vec<(&str, usize)> = network
        .heads()
        .iter()
        .map(|&head| (network.unit(head).name.as_str(), network.unit(head).shape.len()))
        .collect();
    assert_eq!(heads, [("head", 10)]);
    assert!(network.feedback().iter().all(|feedback| feedback.wiring == Wiring::Transported));
    assert_eq!((taught.learning().staging, taught.published()), (Staging::EndToEnd, None));
    assert!(matches!(taught.learning().loss, Loss::CrossEntropy(_)));
    assert_eq!(taught.learning().optimizer, experiment.learning().optimizer);
    assert_eq!(taught.training().epochs, 10, "5 of each of two blocks");
    assert_eq!(network.unit(taught.readout_unit()).name, own.unit(experiment.readout_unit()).name);

    let undeformed = "views=Deform(affine: 0.0, saturation: 1.0, hue: 0.0, flip: 0.0)";
    let experiment = Experiment::load(&bench.path("circuit.ron"), &[undeformed.to_string()]).unwrap();
    let taught = supervised(&experiment, 10, Some("Adam(rate: 1e-2)")).unwrap();
    let run = bench.path("run");
    complete(taught, "taught", &run, &Options::default(), &mut |_| ControlFlow::Continue(())).unwrap();
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let losses: Vec<f64> =
        metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].as_f64().unwrap()).collect();
    assert!(losses[0] < 2.6, "ten classes by chance cost ln 10 = 2.30: {losses:?}");
    assert!(losses[9] < 1.7, "it learns the labels: {losses:?}");
}

#[test]
fn the_front_pages_circuits_have_supervised_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks");
    for name in ["quickstart", "conv6-e2e-urf", "fashion-urf"] {
        let experiment = Experiment::load(&folder.join(format!("{name}.ron")), &[]).unwrap();
        let taught = supervised(&experiment, 7, Some("Adam(rate: 2e-4)")).unwrap();
        let network = taught.network();
        assert_eq!(network.unit(network.heads()[0]).shape.len(), 7, "{name}");
    }
    let convolved = "network.feedforward[3].map=Conv(channels: 4, kernel: 4)";
    let experiment = Experiment::load(&folder.join("quickstart.ron"), &[convolved.to_string()]).unwrap();
    let refused = supervised(&experiment, 10, None).unwrap_err().to_string();
    assert!(refused.contains("v3->head") && refused.contains("Dense(units: ...)"), "{refused}");
}

#[test]
fn a_table_reads_out_on_a_second_data_set_beside_supervised_encoders() {
    let bench = own_bench();
    bench.write(
        "other.ron",
        &CIRCUIT.replace("rule: Rf, staging: Greedy", "rule: Rf, staging: Random()").replace("epochs: 5", "epochs: 10"),
    );
    let second = "Objects(images: 60, test_images: 40, seed: 9)";
    let args = ["table", "circuit.ron", "other.ron", "--seeds", "2", "--to", second, "--out", "out"];
    let [shown, _] = bench.ends(0, &args);
    let table = bench.json("out/table.json");
    let rows = table["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["circuit", "other", "circuit-supervised"], "one supervised encoder for both");
    assert!(shown.contains("over supervised, to Objects"), "{shown}");
    let mut found = Vec::new();
    for name in ["circuit", "circuit-supervised"] {
        let trained = ["1", "2"].map(|seed| {
            let run = format!("out/{name}/seed-{seed}");
            let [evaluation, _] = bench.ends(0, &["evaluate", &run, "--source", second, "--json"]);
            let evaluation: Value = serde_json::from_str(&evaluation).unwrap();
            let kept = bench.json(&format!("{run}.transfer.json"));
            for what in ["readout", "untrained"] {
                assert_eq!(kept[what], evaluation[what], "{run}: {what}");
            }
            evaluation["readout"]["test_accuracy"].as_f64().unwrap()
        });
        found.push(trained);
    }
    let over = ((found[0][0] - found[1][0]) + (found[0][1] - found[1][1])) / 2.0;
    let said = rows[0]["over_supervised"]["mean"].as_f64().unwrap();
    assert!((said - over).abs() < 1e-9, "{said} is not {over}");
    assert_eq!(rows[2]["over_supervised"], Value::Null);
    // Nothing is read out again.
    let before = fs::metadata(bench.path("out/circuit/seed-1.transfer.json")).unwrap().modified().unwrap();
    assert_eq!(bench.ends(0, &args)[0], shown);
    assert_eq!(fs::metadata(bench.path("out/circuit/seed-1.transfer.json")).unwrap().modified().unwrap(), before);
}

#[test]
fn a_second_data_set_that_cannot_be_read_stops_all_before_it_begins() {
    let bench = own_bench();
    let to = |to: &str| bench.ends(1, &["table", "circuit.ron", "--to", to, "--out", "out"])[1].clone();
    assert!(to("Objects(image: 60)").contains("did you mean `images`?"));
    assert!(to("Cifar10(path: \"nowhere\")").contains("nowhere"));
    assert!(to(".").contains("no data set that is known by its files"));
    assert!(!bench.path("out").exists());
}

/// What cannot name classes, or learns nothing, has no supervised counterpart; the rest of the table goes on.
#[test]
fn a_row_without_a_supervised_encoder_holds_nothing_up() {
    let bench = own_bench();
    bench.write("untrained.ron", &CIRCUIT.replace("epochs: 5", "epochs: 0"));
    bench.write("map.ron", &CIRCUIT.replace("map: Dense(units: 32)", "map: Conv(channels: 4, kernel: 1)"));
    let second = "Objects(images: 60, test_images: 40, seed: 9)";
    let files = ["table", "circuit.ron", "untrained.ron", "map.ron"];
    bench.ends(0, &[&files[..], &["--seeds", "1", "--to", second, "--out", "out"]].concat());
    let table = bench.json("out/table.json");
    let rows = table["rows"].as_array().unwrap();
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["circuit", "untrained", "map", "circuit-supervised"]);
    let over: Vec<bool> = rows.iter().map(|row| row["over_supervised"].is_null()).collect();
    assert_eq!(over, [false, true, true, true]);
}
