//! Experiment files with many mistakes: each is named once, at its place, with nothing that only follows from it.

mod slips;
mod together;

use std::fs;
use std::path::Path;

use synlocal::simulation::Experiment;
use tempfile::TempDir;

const NETWORK: &str = r#"Network(
    units: {
        "retina": Input(channels: 3, height: 8, width: 8),
        "v1": Unit(pool: Max(2), transfer: HardTanh),
        "v2": Unit(pool: Mean(2)),
        "v3": Unit(transfer: Tanh),
        "head": Unit(),
    },
    feedforward: [
        (from: "retina", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
        (from: "v1", to: "v2", map: Conv(channels: 5, kernel: 3, pad: 1, bias: true), init: Normal(deviation: 0.1)),
        (from: "v1", to: "v3", map: Conv(channels: 6, kernel: 2, stride: 2), name: "shortcut"),
        (from: "v2", to: "v3", map: Conv(channels: 6, kernel: 1), plastic: true),
        (from: "v3", to: "head", map: Dense(units: 10)),
    ],
    feedback: [
        (from: "head", to: "v3", wiring: Fixed, map: Dense(units: 10)),
        (from: "v3", to: "v2", wiring: Learned, init: Uniform(bound: 0.1)),
        (from: "v3", to: "v1", partner: "shortcut", wiring: Sign),
        (from: "v2", to: "v1", wiring: Transported),
    ],
)"#;

const EXPERIMENT: &str = r#"Experiment(
    network: NETWORK,
    learning: (rule: Wired, optimizer: Adam(rate: 1e-3), loss: ContrastiveHinge(margins: (0.5, 2.0)), heads: ["head"]),
    data: Objects(images: 64, test_images: 32),
    views: Deform(affine: 0.5, flip: 0.5),
    training: (pairs: 8, epochs: 3),
    readout: (unit: "v2", epochs: 2, rate: 1e-3),
    audit: (preset: Strict, memory: 4, levels: {"labels": Deny, "weight-sharing": Allow}),
)"#;

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Bench {
        Bench { folder: tempfile::tempdir().expect("a folder for the test") }
    }

    /// What is said about an experiment, and about the network in a file of its own if one is given.
    fn said(&self, experiment: &str, network: Option<&str>) -> String {
        let write = |name: &str, text: &str| fs::write(self.path(name), text).expect("a file for the test");
        network.iter().for_each(|network| write("circuit.ron", network));
        write("experiment.ron", experiment);
        match Experiment::load(Path::new(&self.path("experiment.ron")), &[]) {
            Ok(_) => String::new(),
            Err(error) => error.to_string().replace(&format!("{}/", self.folder.path().display()), ""),
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Each fault of an experiment as `line:column problem`, where the column is that of the first caret.
    fn faults(&self, experiment: &str, network: Option<&str>) -> Vec<String> {
        let said = self.said(experiment, network);
        assert!(said.is_empty() || said.contains("\n\n"), "no report: {said}");
        let blocks = said.split("error: ").skip(1);
        let faults = blocks.map(|block| {
            let mut lines = block.lines();
            let problem = lines.next().unwrap_or_default();
            let place = lines.next().and_then(|line| line.trim().strip_prefix("--> ")).unwrap_or_default();
            assert!(block.contains("^") && block.contains("= help: "), "{block}");
            format!("{place} {problem}")
        });
        faults.collect()
    }
}

fn inline(network: &str) -> String {
    EXPERIMENT.replace("NETWORK", network)
}

fn shared() -> String {
    inline("\"circuit.ron\"")
}

#[test]
fn the_experiment_is_sound() {
    let bench = Bench::new();
    assert_eq!(bench.said(&inline(NETWORK), None), "");
    assert_eq!(bench.said(&shared(), Some(NETWORK)), "");
}
