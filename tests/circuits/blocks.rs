//! Faults of blocks.

use synlocal::network::{Network, Teaching, Wiring};
use synlocal::simulation::Experiment;

use crate::{assert_says, read};

const CIRCUIT: &str = r#"Network(
    units: {
        "eye": Input(channels: 3, height: 8, width: 8),
        "v1": Unit(), "v2": Unit(), "h1": Unit(), "h2": Unit(),
    },
    feedforward: [
        (from: "eye", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
        (from: "v1", to: "v2", map: Conv(channels: 4, kernel: 3, pad: 1)),
        (from: "v1", to: "h1", map: Dense(units: 10)),
        (from: "v2", to: "h2", map: Dense(units: 10)),
    ],
    feedback: [FEEDBACK],
    blocks: [BLOCKS],
)"#;

/// The faults of the circuit with these blocks, which learn apart, and their number.
fn faults(blocks: &str, feedback: &str) -> (String, usize) {
    let text = CIRCUIT.replace("FEEDBACK", feedback).replace("BLOCKS", blocks);
    let (document, spec) = read(&text);
    let teaching = Teaching { wiring: Some(Wiring::Fixed), blockwise: true, ..Teaching::default() };
    let faults = Network::build(&spec, teaching).expect_err(&text);
    (document.error(faults.iter().map(|fault| document.locate(fault))).to_string(), faults.len())
}

#[test]
fn every_fault_of_blocks_is_told_with_its_place_and_a_remedy() {
    let sound = r#"(units: ["v1"], head: "h1"), (units: ["v2"], head: "h2")"#;
    for (blocks, feedback, problem, marked, remedy) in [
        (
            r#"(units: ["v11"], head: "h1"), (units: ["v2"], head: "h2")"#,
            "",
            "block 1: there is no unit `v11`",
            "\"v11\"",
            "did you mean `v1`?",
        ),
        (
            r#"(units: ["v1"], head: "h1"), (units: ["v2"], head: "hh2")"#,
            "",
            "block 2: there is no unit `hh2`",
            "\"hh2\"",
            "did you mean `h2`?",
        ),
        (
            r#"(units: ["v1"], head: "h1"), (units: ["v2", "v1"], head: "h2")"#,
            "",
            "block 2: v1 belongs to block 1 already",
            "\"v1\"",
            "name each unit once",
        ),
        (
            r#"(units: ["v1"], head: "h1"), (units: ["v2"], head: "v2")"#,
            "",
            "block 2: v2 belongs to block 2 already",
            "\"v2\"",
            "name each unit once",
        ),
        (
            r#"(units: ["v1"], head: "h1")"#,
            "",
            "unit v2 belongs to no block, though the network has blocks",
            "\"v2\"",
            "add it to the units of one of them",
        ),
        (
            r#"(units: ["eye", "v1"], head: "h1"), (units: ["v2"], head: "h2")"#,
            "",
            "block 1: eye is an input, where nothing learns",
            "\"eye\"",
            "leave it out: inputs belong to no block",
        ),
        (
            r#"(units: ["v2"], head: "h2"), (units: ["v1"], head: "h1")"#,
            "",
            "projection v1->v2 leads from block 2 down to block 1",
            r#"(from: "v1", to: "v2", map: Conv(channels: 4, kernel: 3, pad: 1))"#,
            "list the blocks in the order in which activity passes through them",
        ),
        (
            sound,
            r#"(from: "v2", to: "v1")"#,
            "feedback v2->v1 leads from block 2 into block 1, but blocks learn apart",
            r#"(from: "v2", to: "v1")"#,
            "remove it, or learn with staging: EndToEnd",
        ),
    ] {
        assert_says(&faults(blocks, feedback).0, problem, marked, remedy);
    }
    let (message, count) = faults(sound, r#"(from: "v2", to: "v1")"#);
    assert_eq!(count, 1, "{message}");
    let empty = faults(r#"(units: [], head: "h1"), (units: ["v1", "v2"], head: "h2")"#, "").0;
    assert_says(&empty, "block 1 has no units", "[]", "name at least one, from the input upwards");
}

#[test]
fn faults_of_all_blocks_are_shown_in_one_go() {
    let blocks = r#"(units: [], head: "eye"), (units: ["v1", "w2"], head: "h1"), (units: ["v2", "v1"], head: "h3")"#;
    let (message, _) = faults(blocks, r#"(from: "v2", to: "v1")"#);
    for problem in [
        "block 1 has no units",
        "block 1: eye is an input",
        "block 2: there is no unit `w2`",
        "block 3: v1 belongs to block 2 already",
        "block 3: there is no unit `h3`",
        "feedback v2->v1 leads from block 3 into block 2",
    ] {
        assert!(message.contains(&format!("error: {problem}")), "{problem}: {message}");
    }
}

/// What is wrong with an experiment on the circuit.
fn experiment(blocks: &str, learning: &str) -> String {
    let network = CIRCUIT.replace("FEEDBACK", "").replace("BLOCKS", blocks);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blocks.ron");
    let text = format!("Experiment(network: {network}, learning: ({learning}), data: Objects(images: 10))");
    std::fs::write(&file, text).unwrap();
    Experiment::load(&file, &[]).expect_err(learning).to_string()
}

#[test]
fn a_staging_by_blocks_needs_blocks_and_no_other_heads() {
    let message = experiment("", "rule: Bp, staging: Greedy");
    assert_says(
        &message,
        "the network has no blocks that could learn apart",
        "Greedy",
        "add blocks: [(units: [\"v1\"], head: \"h1\"), ...] to the network, or learn EndToEnd",
    );
    let sound = r#"(units: ["v1"], head: "h1"), (units: ["v2"], head: "h2")"#;
    let message = experiment(sound, r#"rule: Bp, staging: Random(), heads: ["h1", "h2"]"#);
    let remedy = "remove heads, or learn EndToEnd";
    assert_says(&message, "blocks that learn apart each have a head of their own", r#"["h1", "h2"]"#, remedy);
    // Together with each other, and with what else is wrong.
    let both = experiment("", r#"rule: Bp, staging: Greedy, heads: ["h1", "h2"], optimizer: Sgd(rate: -1.0)"#);
    for problem in ["no blocks that could learn apart", "a head of their own", "-1 is not a positive number"] {
        assert!(both.contains(problem), "{problem}: {both}");
    }
}
