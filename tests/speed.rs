//! What `synlocal speed` tells of each step of a plan, beside a plainer path, and under the machine's roofs.

use std::fs;
use std::process::Command;

use roxmltree::Document;
use serde_json::Value;
use synlocal::kernels::{Isa, Peak};
use tempfile::TempDir;

/// Two blocks, of which the first has a max pool.
const BLOCKS: &str = r#"Experiment(
    network: Network(
        units: {
            "retina": Input(channels: 3, height: 32, width: 32),
            "v1": Unit(pool: Max(4), transfer: HardTanh), "h1": Unit(),
            "v2": Unit(transfer: HardTanh), "h2": Unit(),
        },
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
            (from: "v1", to: "h1", map: Dense(units: 8)),
            (from: "v1", to: "v2", map: Conv(channels: 8, kernel: 3, pad: 1)),
            (from: "v2", to: "h2", map: Dense(units: 8)),
        ],
        blocks: [(units: ["v1"], head: "h1"), (units: ["v2"], head: "h2")],
    ),
    learning: (rule: Urf, staging: STAGING, loss: ContrastiveHinge(margins: (0.1, 1.0)), optimizer: Adam(rate: 1e-3)),
    data: Objects(images: 16, test_images: 16),
    training: (pairs: 8, epochs: 1),
)"#;

/// A folder with the circuit, learning end to end and block by block.
fn bench() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, staging) in [("whole.ron", "EndToEnd"), ("blocks.ron", "Greedy")] {
        fs::write(folder.path().join(name), BLOCKS.replace("STAGING", staging)).unwrap();
    }
    folder
}

/// Runs the program and expects an exit code; what was printed and what was said.
fn ends(bench: &TempDir, code: i32, args: &[&str]) -> [String; 2] {
    let output = Command::new(env!("CARGO_BIN_EXE_synlocal")).args(args).current_dir(bench.path()).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert_eq!(output.status.code(), Some(code), "{args:?}: {err}");
    [out, err]
}

fn json(bench: &TempDir, args: &[&str]) -> Value {
    let [out, _] = ends(bench, 0, &[args, &["--json"]].concat());
    serde_json::from_str(&out).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

#[test]
fn a_brief_step_is_said_to_stay_on_one_thread() {
    let bench = bench();
    let [one, two] = ["1", "2"].map(|threads| ["speed", "whole.ron", "--pairs", "2", "--threads", threads]);
    let wide = ["--set", "network.feedforward[0].map=Conv(channels: 999, kernel: 3, pad: 1)"];
    assert_eq!(json(&bench, &two)["brief"], true);
    assert_eq!(json(&bench, &[&two[..], &wide].concat())["brief"], false);
    let said = |args: &[&str]| ends(&bench, 0, args)[0].contains("2 threads (a step so brief stays on one)");
    assert!(said(&two) && !said(&one));
}

/// The beat of the view at hand that begins with a verb.
fn find<'a>(beats: &'a [Value], verb: &str, subject: &str) -> &'a Value {
    let begins = |beat: &&Value| {
        let first = &beat["steps"][0];
        first["verb"] == verb && first["subject"] == subject && first["view"] == "current"
    };
    beats.iter().find(begins).unwrap_or_else(|| panic!("no {verb} {subject}"))
}

#[test]
fn each_step_of_the_plan_is_timed_and_all_work_is_some_steps_work() {
    let bench = bench();
    let speed = json(&bench, &["speed", "whole.ron", "--pairs", "4"]);
    let beats = list(&speed["beats"]);
    let told: Vec<Value> = beats.iter().flat_map(|beat| list(&beat["steps"]).to_vec()).collect();
    let mut planned = json(&bench, &["plan", "whole.ron"]);
    for line in planned.as_array_mut().unwrap() {
        line.as_object_mut().unwrap().remove("stage");
    }
    assert_eq!(told, list(&planned), "the steps of the plan, in its order");
    assert!(beats.len() < told.len(), "some are taken in one go");

    let sum = |key: &str| beats.iter().map(|beat| beat[key].as_u64().unwrap()).sum::<u64>();
    let whole = speed["done"].as_u64().unwrap() + speed["skipped"].as_u64().unwrap();
    assert_eq!(sum("done") + sum("skipped"), whole);
    let shares: f64 = beats.iter().map(|beat| beat["share"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    let density = |verb, subject| find(beats, verb, subject)["event_density"].as_f64().unwrap();
    assert!((0.0..=1.0 / 16.0).contains(&density("learn", "retina->v1")), "one of 16 wins");
    assert_eq!(density("gate", "h2"), density("carry", "h2->v2"));
    assert!(find(beats, "drive", "v1->v2")["event_density"].is_null(), "activity is no packet");
    assert!(find(beats, "gate", "h2")["effective_gflop_per_s"].is_null(), "a gate multiplies nothing");
}

#[test]
fn operations_are_set_beside_the_bytes_of_their_operands() {
    let bench = bench();
    let speed = json(&bench, &["speed", "whole.ron", "--pairs", "4"]);
    let beats = list(&speed["beats"]);
    let intensity = |verb, subject| find(beats, verb, subject)["flop_per_byte"].as_f64().unwrap();
    let (image, drive, pooled, weights) = (3 * 32 * 32, 4 * 32 * 32, 4 * 8 * 8, 4 * 27);
    let operations = 2.0 * 4.0 * f64::from(drive * 27);
    // A drive that is pooled at once goes nowhere.
    let moved = 4.0 * f64::from(4 * (image + pooled) + weights);
    assert!((intensity("drive", "retina->v1") - operations / moved).abs() < 1e-9 * operations / moved);
    let peak = &speed["peak"];
    for (figure, roof) in ["before", "after"].into_iter().flat_map(|when| {
        ["gflop_per_s", "gb_per_s"].map(|figure| (peak[when][figure].as_f64().unwrap(), &peak["best"][figure]))
    }) {
        assert!(figure > 0.0 && figure <= roof.as_f64().unwrap(), "{peak}");
    }
}

#[test]
fn the_plain_path_is_timed_beside_each_step() {
    let bench = bench();
    let speed = json(&bench, &["speed", "blocks.ron", "--pairs", "4", "--block", "v2", "--compare", "--direct"]);
    assert_eq!(
        (&speed["arithmetic"]["convolution"], &speed["arithmetic"]["errors"]),
        (&"Direct".into(), &"Events".into())
    );
    for timed in list(&speed["beats"]).iter().chain([&speed]) {
        let [own, plain, ratio] = ["median_s", "plain_median_s", "plain_ratio"].map(|key| timed[key].as_f64().unwrap());
        assert!((ratio * own - plain).abs() <= 1e-9 * plain, "{timed}");
    }
    assert_eq!(speed["beats"], speed["blocks"][0]["beats"]);
    let alone = json(&bench, &["speed", "blocks.ron", "--pairs", "4"]);
    assert!(alone["beats"].is_null() && alone["plain_median_s"].is_null(), "several blocks, and nothing beside them");
    assert!(list(&alone["blocks"]).iter().all(|block| !list(&block["beats"]).is_empty()));
}

#[test]
fn a_terminal_has_room_for_the_table() {
    let bench = bench();
    let [out, _] = ends(&bench, 0, &["speed", "whole.ron", "--pairs", "4", "--compare"]);
    assert!(out.lines().any(|line| line.contains("drive+fire retina->v1") && line.contains("stored")), "{out}");
    let widest = out.lines().map(str::len).max();
    assert!(widest.is_some_and(|width| width <= 120), "{out}");
}

#[test]
fn a_roofline_has_a_named_dot_for_each_step_that_multiplies() {
    let bench = bench();
    let args = ["speed", "blocks.ron", "--pairs", "4", "--block", "v1", "--roofline", "roof.svg"];
    let speed = json(&bench, &args);
    let text = fs::read_to_string(bench.path().join("roof.svg")).unwrap();
    let picture = Document::parse(&text).unwrap();
    let tags = |name: &'static str| picture.descendants().filter(move |node| node.has_tag_name(name));
    let multiplies = |beat: &&Value| beat["done"].as_u64().unwrap() > 0;
    let beats: Vec<&Value> = list(&speed["beats"]).iter().filter(multiplies).collect();
    assert_eq!(tags("circle").count(), beats.len());
    for beat in beats {
        let [subject, view] = ["subject", "view"].map(|key| beat["steps"][0][key].as_str().unwrap());
        let words = format!("{subject} {view}");
        assert!(tags("text").any(|text| text.text().is_some_and(|text| text.contains(&words))), "{words}");
    }
    let size: Vec<f64> =
        picture.root_element().attribute("viewBox").unwrap().split(' ').map(|side| side.parse().unwrap()).collect();
    for dot in tags("circle") {
        let at = |name| dot.attribute(name).unwrap().parse::<f64>().unwrap();
        assert!((0.0..size[2]).contains(&at("cx")) && (0.0..size[3]).contains(&at("cy")), "{dot:?}");
    }
    let [_, said] = ends(&bench, 2, &["speed", "blocks.ron", "--pairs", "4", "--roofline", "all.svg"]);
    assert!(said.contains("there are 2") && said.contains("--block"), "{said}");
    for (place, words) in [("no/such/roof.svg", "no/such: no such folder"), (".", ".: is a folder")] {
        let [_, said] = ends(&bench, 1, &["speed", "whole.ron", "--pairs", "4", "--roofline", place]);
        assert!(said.contains(words), "{said}");
    }
}

#[test]
fn every_instruction_set_has_a_peak() {
    for isa in Isa::available() {
        let peak = Peak::measure(isa);
        assert!(peak.multiply_adds.is_normal() && peak.bytes.is_normal(), "{isa}: {peak:?}");
        let other = Peak { multiply_adds: 2.0 * peak.multiply_adds, bytes: 0.0 };
        assert_eq!(peak.or(other), Peak { multiply_adds: other.multiply_adds, bytes: peak.bytes });
    }
}
