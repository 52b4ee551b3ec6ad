//! The program as its users meet it: runs, results, interruptions, mistakes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A circuit that trains in a moment.
const TINY: &str = r#"Experiment(
    network: Network(
        units: {
            "retina": Input(channels: 3, height: 32, width: 32),
            "v1": Unit(pool: Max(4), transfer: HardTanh),
            "v2": Unit(pool: Max(2)),
            "head": Unit(),
        },
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
            (from: "v1", to: "v2", map: Conv(channels: 8, kernel: 3, pad: 1, bias: true)),
            (from: "v2", to: "head", map: Dense(units: 8)),
        ],
    ),
    learning: (rule: Urf, loss: ContrastiveHinge(margins: (0.1, 1.0)), optimizer: Adam(rate: 1e-3)),
    data: Objects(images: 64, test_images: 32),
    training: (pairs: 8, epochs: 3, seed: 5),
    readout: (epochs: 2, batch: 16),
)
"#;

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Bench {
        let bench = Bench { folder: tempfile::tempdir().unwrap() };
        bench.write("tiny.ron", TINY);
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synlocal"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs and expects success; what was printed.
    fn succeed(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs and expects an exit code, and no panic; what was said.
    fn fail(&self, code: i32, args: &[&str]) -> String {
        let output = self.run(args);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
        said
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.path(name)).unwrap()).unwrap()
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }
}

fn quiet(path: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_run_leaves_experiment_metrics_checkpoint_and_summary() {
    let bench = Bench::new();
    let table = bench.succeed(&["train", "tiny.ron", "--out", "run", "--threads", "2"]);
    assert!(table.contains("v2 untrained") && table.contains("pixels"), "{table}");
    assert_eq!(
        quiet(&bench.path("run")),
        [
            "checkpoint.safetensors",
            "experiment.ron",
            "metrics.jsonl",
            "result.svg",
            "run.json",
            "run.lock",
            "summary.json"
        ]
    );
    assert_eq!(fs::read_to_string(bench.path("run/experiment.ron")).unwrap(), TINY, "the experiment verbatim");
    let summary = bench.json("run/summary.json");
    for what in ["readout", "untrained", "pixels"] {
        let accuracy = summary[what]["test_accuracy"].as_f64().unwrap();
        assert!((0.0..=100.0).contains(&accuracy), "{what}: {accuracy}");
    }
    assert_eq!(summary["seed"], 5);
    assert_eq!(summary["threads"], 2);
    assert_eq!(summary["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(summary["experiment"].as_str().unwrap().len(), 16);
    assert_eq!(summary["data"]["name"], "Objects");
    assert_eq!((&summary["data"]["train"], &summary["data"]["test"]), (&64.into(), &32.into()));
    assert_eq!(summary["updates"], 24);
    assert!(summary["pairs_per_s"].as_f64().unwrap() > 0.0);
    let metrics = fs::read_to_string(bench.path("run/metrics.jsonl")).unwrap();
    let epochs: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(epochs.iter().map(|epoch| epoch["epoch"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(epochs.iter().all(|epoch| epoch["loss"].as_f64().unwrap() > 0.0));
    let picture = fs::read_to_string(bench.path("run/result.svg")).unwrap();
    assert_eq!(picture.matches("<circle").count(), 3, "a point for each epoch");
    let accuracy = summary["readout"]["test_accuracy"].as_f64().unwrap();
    assert!(picture.contains(&format!(">{accuracy:.1}</text>")), "{picture}");
    let checkpoint = bench.bytes("run/checkpoint.safetensors");
    let tensors = safetensors::SafeTensors::deserialize(&checkpoint).unwrap();
    let mut names = tensors.names().into_iter().map(ToString::to_string).collect::<Vec<_>>();
    names.sort();
    for name in ["retina->v1.weight", "v1->v2.bias", "v1->v2.mean", "v2->v1.feedback", "head->v2.feedback"] {
        assert!(names.iter().any(|known| known == name), "{name} among {names:?}");
    }
    assert_eq!(tensors.tensor("v2->v1.feedback").unwrap().shape(), [8, 4, 3, 3]);
}

#[test]
fn threads_do_not_change_the_checkpoint() {
    let bench = Bench::new();
    for threads in ["1", "2", "4"] {
        bench.succeed(&["train", "tiny.ron", "--out", threads, "--threads", threads]);
    }
    assert_eq!(bench.bytes("1/checkpoint.safetensors"), bench.bytes("2/checkpoint.safetensors"));
    assert_eq!(bench.bytes("1/checkpoint.safetensors"), bench.bytes("4/checkpoint.safetensors"));
    let accuracy = |run: &str| bench.json(&format!("{run}/summary.json"))["readout"].clone();
    assert_eq!(accuracy("1"), accuracy("4"));
}

#[test]
fn a_run_that_is_interrupted_and_resumed_equals_a_straight_one() {
    let bench = Bench::new();
    // Long enough to be caught in the middle, whatever the machine.
    let set = ["--set", "training.epochs=40", "--set", "data.images=400"];
    let straight = [&["train", "tiny.ron", "--out", "straight"][..], &set].concat();
    bench.succeed(&straight);
    let broken = [&["train", "tiny.ron", "--out", "broken"][..], &set].concat();
    let mut child = bench.command(&broken).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !bench.path("broken/metrics.jsonl").exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let status = child.wait().unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut said).unwrap();
    assert_eq!(status.code(), Some(130), "{said}");
    assert!(said.contains("synlocal train --resume broken"), "{said}");
    assert!(!bench.path("broken/summary.json").exists());

    let refused = bench.fail(1, &broken);
    assert!(refused.contains("unfinished run") && refused.contains("--resume broken"), "{refused}");
    bench.succeed(&["train", "--resume", "broken"]);
    assert_eq!(bench.bytes("straight/checkpoint.safetensors"), bench.bytes("broken/checkpoint.safetensors"));
    let losses = |run: &str| -> Vec<Value> {
        let text = fs::read_to_string(bench.path(run).join("metrics.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].clone()).collect()
    };
    assert_eq!(losses("straight"), losses("broken"));
    let (one, other) = (bench.json("straight/summary.json"), bench.json("broken/summary.json"));
    assert_eq!(one["readout"], other["readout"]);
    assert!(bench.fail(1, &["train", "--resume", "broken"]).contains("complete run"));
}

#[test]
fn a_complete_run_is_replaced_only_by_force() {
    let bench = Bench::new();
    bench.succeed(&["train", "tiny.ron", "--out", "run"]);
    let before = bench.bytes("run/summary.json");
    let said = bench.fail(1, &["train", "tiny.ron", "--out", "run", "--seed", "6"]);
    assert!(said.contains("complete run") && said.contains("--force"), "{said}");
    assert_eq!(before, bench.bytes("run/summary.json"));
    bench.succeed(&["train", "tiny.ron", "--out", "run", "--seed", "6", "--force"]);
    assert_eq!(bench.json("run/summary.json")["seed"], 6);
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let bench = Bench::new();
    fs::create_dir(bench.path("thesis")).unwrap();
    bench.write("thesis/chapter.tex", "years of work");
    let said = bench.fail(1, &["train", "tiny.ron", "--out", "thesis", "--force"]);
    assert!(said.contains("not a run's"), "{said}");
    assert_eq!(bench.bytes("thesis/chapter.tex"), b"years of work");
    assert_eq!(quiet(&bench.path("thesis")), ["chapter.tex"], "nothing is added");
}

#[test]
fn a_run_in_use_is_refused() {
    let bench = Bench::new();
    let long = ["train", "tiny.ron", "--out", "run", "--set", "training.epochs=100000"];
    let mut child = bench.command(&long).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    while !bench.path("run/run.json").exists() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    for args in [
        &["train", "tiny.ron", "--out", "run"][..],
        &["train", "tiny.ron", "--out", "run", "--force"],
        &["train", "--resume", "run"],
    ] {
        let said = bench.fail(1, args);
        assert!(said.contains("in use"), "{said}");
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_named_and_not_used() {
    let bench = Bench::new();
    bench.succeed(&["train", "tiny.ron", "--out", "run"]);
    bench.succeed(&["train", "tiny.ron", "--out", "other", "--set", "learning.rule=Rf"]);
    let good = bench.bytes("run/checkpoint.safetensors");
    fs::write(bench.path("run/checkpoint.safetensors"), &good[..good.len() / 2]).unwrap();
    let said = bench.fail(1, &["evaluate", "run"]);
    assert!(said.contains("checkpoint.safetensors") && said.contains("not a whole checkpoint"), "{said}");
    fs::copy(bench.path("other/checkpoint.safetensors"), bench.path("run/checkpoint.safetensors")).unwrap();
    let said = bench.fail(1, &["evaluate", "run"]);
    assert!(said.contains("belongs to experiment"), "{said}");
    let text = fs::read_to_string(bench.path("other/experiment.ron")).unwrap();
    fs::write(bench.path("other/experiment.ron"), text.replace("seed: 5", "seed: 6")).unwrap();
    let said = bench.fail(1, &["evaluate", "other"]);
    assert!(said.contains("was changed since its run began"), "{said}");
}

#[test]
fn evaluate_reads_any_unit_out() {
    let bench = Bench::new();
    bench.succeed(&["train", "tiny.ron", "--out", "run"]);
    let again: Value = serde_json::from_str(&bench.succeed(&["evaluate", "run", "--json"])).unwrap();
    assert_eq!(again["readout"], bench.json("run/summary.json")["readout"], "the same read-out gives the same result");
    let v1: Value =
        serde_json::from_str(&bench.succeed(&["evaluate", "run", "--unit", "v1", "--epochs", "1", "--json"])).unwrap();
    assert_eq!(v1["readout"]["features"], 4 * 8 * 8);
    let elsewhere = ["evaluate", "run", "--source", "Objects(images: 20, test_images: 10, seed: 9)", "--json"];
    let transfer: Value = serde_json::from_str(&bench.succeed(&elsewhere)).unwrap();
    assert_eq!((&transfer["data"]["train"], &transfer["data"]["test"]), (&20.into(), &10.into()));
    let said = bench.fail(1, &["evaluate", "run", "--source", "Objects(image: 20)"]);
    assert!(said.contains("image") && said.contains("images"), "{said}");
    let said = bench.fail(1, &["evaluate", "run", "--data", "."]);
    assert!(said.contains("no data set that is known by its files"), "{said}");
    let said = bench.fail(2, &["evaluate", "run", "--unit", "v7"]);
    assert!(said.contains("v7") && said.contains("choose from `retina`, `v1`, `v2` and `head`"), "{said}");
    let said = bench.fail(1, &["evaluate", "nowhere"]);
    assert!(said.contains("not a run directory"), "{said}");
    let said = bench.fail(2, &["evaluate", "run", "--epochs", "0"]);
    assert!(said.contains("never learns") && said.contains("use at least 1"), "{said}");
}

#[test]
fn a_run_that_stands_for_its_experiment_is_told_where_that_is() {
    let bench = Bench::new();
    bench.succeed(&["train", "tiny.ron", "--out", "run"]);
    for command in ["plan", "speed", "verify"] {
        let said = bench.fail(1, &[command, "run"]);
        assert!(said.contains("is a folder") && said.contains("name the run's own, run/experiment.ron"), "{said}");
        let said = bench.fail(1, &[command, "."]);
        assert!(said.contains("name a file *.ron"), "{said}");
    }
    assert_eq!(bench.succeed(&["plan", "run/experiment.ron"]), bench.succeed(&["plan", "tiny.ron"]));
}

#[test]
fn the_plan_lists_every_step_with_its_cost() {
    let bench = Bench::new();
    let lines: Value = serde_json::from_str(&bench.succeed(&["plan", "tiny.ron", "--json"])).unwrap();
    let verbs: Vec<&str> = lines.as_array().unwrap().iter().map(|line| line["verb"].as_str().unwrap()).collect();
    let forward = ["present", "drive", "fire", "drive", "fire", "drive", "fire"];
    let expected = [
        &forward[..],
        &["store"],
        &forward,
        &["compare", "gate", "learn", "carry", "gate", "learn", "carry", "gate", "learn"],
        &["apply", "apply", "apply"],
    ]
    .concat();
    assert_eq!(verbs, expected);
    // 4 maps of 32x32, each value from 3 channels of 3x3.
    assert_eq!(lines[1]["multiply_adds"], 4 * 32 * 32 * 27);
    assert_eq!(lines[1]["subject"], "retina->v1");
    let table = bench.succeed(&["plan", "tiny.ron"]);
    assert!(table.contains("3x32x32 -> 4x32x32 by 4x3x3x3"), "{table}");
}

#[test]
fn speed_counts_work_and_needs_no_data() {
    let bench = Bench::new();
    let report = bench.succeed(&["speed", "tiny.ron", "--pairs", "4", "--threads", "1", "--json"]);
    let speed: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&speed["pairs"], &speed["threads"]), (&4.into(), &1.into()));
    assert!(speed["median_s"].as_f64().unwrap() >= speed["min_s"].as_f64().unwrap());
    let edges = speed["edges"].as_array().unwrap();
    let drive = edges.iter().find(|edge| edge["edge"] == "retina->v1" && edge["verb"] == "drive").unwrap();
    assert_eq!(drive["done"], 2 * 4 * 4 * 32 * 32 * 27, "two views of four images");
    let learn = edges.iter().find(|edge| edge["edge"] == "retina->v1" && edge["verb"] == "learn").unwrap();
    let both = learn["done"].as_u64().unwrap() + learn["skipped"].as_u64().unwrap();
    assert_eq!(both, 4 * 4 * 32 * 32 * 27, "one view learns");
    assert!(!edges.iter().any(|edge| edge["edge"] == "v1->retina"), "no error goes to the input");
}

#[test]
fn mistakes_end_with_one_clear_message_and_no_run() {
    let bench = Bench::new();
    let said = bench.fail(1, &["train", "nowhere.ron"]);
    assert!(said.contains("nowhere.ron"), "{said}");
    let said = bench.fail(1, &["train", "tiny.ron", "--set", "learning.optimizer=Adam(rate: -1.0)"]);
    assert!(said.contains("-1 is not a positive number"), "{said}");
    let said = bench.fail(1, &["train", "tiny.ron", "--set", "training.pairs=1"]);
    assert!(said.contains("a batch of 1 has no negative pairs"), "{said}");
    let said = bench.fail(2, &["train", "tiny.ron", "--set", "training.pairs=100"]);
    assert!(said.contains("100 pairs") && said.contains("64 training images"), "{said}");
    let said = bench.fail(1, &["train", "tiny.ron", "--set", "data=Cifar10(path: \"missing\")"]);
    assert!(said.contains("missing") && said.contains("cifar-10-binary.tar.gz"), "{said}");
    let said = bench.fail(2, &["train", "tiny.ron", "--threads", "0"]);
    assert!(said.contains("--threads 1"), "{said}");
    let said = bench.fail(2, &["train", "tiny.ron", "--isa", "sse9"]);
    assert!(said.contains("sse9") && said.contains("scalar"), "{said}");
    let said = bench.fail(2, &["speed", "tiny.ron", "--pairs", "1"]);
    assert!(said.contains("no negative pairs"), "{said}");
    let said = bench.fail(2, &["train", "tiny.ron", "--threads", "100000"]);
    assert!(said.contains("100000 threads"), "{said}");
    for pairs in ["18446744073709551615", "100000000"] {
        bench.fail(2, &["speed", "tiny.ron", "--pairs", pairs]);
    }
    let said = bench.fail(2, &["speed", "tiny.ron", "--pairs", "1000000"]);
    assert!(said.contains("MB of memory"), "{said}");
    // All faults at once: an unknown field, a number, a unit, a kernel.
    let many =
        ["training.epoch=3", "training.pairs=1", "readout.unit=\"heed\"", "network.feedforward[0].map.kernel=99"];
    let sets: Vec<&str> = many.iter().flat_map(|assignment| ["--set", assignment]).collect();
    let said = bench.fail(1, &[&["plan", "tiny.ron"][..], &sets].concat());
    for part in ["epoch", "negative pairs", "did you mean `head`?", "kernel", "4 faults in tiny.ron"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!bench.path("runs").exists(), "nothing was started");
}

#[test]
fn a_diverging_run_stops_and_says_so() {
    let bench = Bench::new();
    let set = ["--set", "learning.optimizer=Sgd(rate: 1e30)", "--set", "training.epochs=50"];
    let said = bench.fail(1, &[&["train", "tiny.ron", "--out", "run"][..], &set].concat());
    assert!(said.contains("lower the learning rate"), "{said}");
}

#[test]
fn numbers_that_are_lost_are_not_taken_for_success() {
    let bench = Bench::new();
    // Weights become infinite in the first step, activities no numbers in the second.
    let set = ["--set", "learning.optimizer.rate=1e30", "--set", "training.epochs=2"];
    let said = bench.fail(1, &[&["train", "tiny.ron", "--out", "run"][..], &set].concat());
    assert!(said.contains("lower the learning rate"), "{said}");
    assert!(!bench.path("run/summary.json").exists());
    let said = bench.fail(1, &["train", "tiny.ron", "--out", "other", "--set", "readout.rate=1e38"]);
    assert!(said.contains("readout.rate"), "{said}");
}

#[test]
fn a_read_out_takes_batches_of_any_size() {
    let bench = Bench::new();
    // The last batch is smaller than the others and is cut into more chunks.
    let set = ["--set", "data.images=1700", "--set", "readout.batch=1000", "--set", "training.epochs=0"];
    bench.succeed(&[&["train", "tiny.ron", "--out", "run"][..], &set].concat());
    bench.succeed(&["evaluate", "run"]);
}

#[test]
fn what_a_killed_process_left_does_not_stand_in_the_way() {
    let bench = Bench::new();
    fs::create_dir(bench.path("run")).unwrap();
    for leftover in ["run.lock", ".synlocal-x8Zq", "experiment.ron"] {
        bench.write(&format!("run/{leftover}"), "");
    }
    bench.succeed(&["train", "tiny.ron", "--out", "run"]);
    assert!(!bench.path("run/.synlocal-x8Zq").exists());
    // A line that was torn off is no line.
    bench.succeed(&["train", "tiny.ron", "--out", "torn"]);
    fs::remove_file(bench.path("torn/summary.json")).unwrap();
    let metrics = bench.bytes("torn/metrics.jsonl");
    fs::write(bench.path("torn/metrics.jsonl"), &metrics[..metrics.len() - 20]).unwrap();
    bench.succeed(&["train", "--resume", "torn"]);
    assert_eq!(bench.json("torn/summary.json")["readout"], bench.json("run/summary.json")["readout"]);
}

#[test]
fn a_run_does_not_go_on_with_other_images() {
    let bench = Bench::new();
    bench.succeed(&["train", "tiny.ron", "--out", "run"]);
    fs::remove_file(bench.path("run/summary.json")).unwrap();
    let manifest = fs::read_to_string(bench.path("run/run.json")).unwrap();
    let digest = bench.json("run/run.json")["dataset"].as_str().unwrap().to_string();
    bench.write("run/run.json", &manifest.replace(&digest, "0123456789abcdef"));
    let said = bench.fail(1, &["train", "--resume", "run"]);
    assert!(said.contains("other images"), "{said}");
}

#[test]
fn a_network_in_a_file_of_its_own_is_kept_with_the_run() {
    let bench = Bench::new();
    let start = TINY.find("Network(").unwrap();
    let end = TINY.find("    learning:").unwrap();
    let inline = TINY[start..end].trim_end().trim_end_matches(',');
    bench.write("circuit.ron", inline);
    bench.write("shared.ron", &TINY.replace(inline, "\"circuit.ron\""));
    bench.succeed(&["train", "shared.ron", "--out", "run", "--set", "training.epochs=1"]);
    bench.succeed(&["train", "tiny.ron", "--out", "inline", "--set", "training.epochs=1"]);
    fs::remove_file(bench.path("circuit.ron")).unwrap();
    let accuracy: Value = serde_json::from_str(&bench.succeed(&["evaluate", "run", "--json"])).unwrap();
    assert_eq!(accuracy["readout"], bench.json("inline/summary.json")["readout"]);
}
