//! What is said about targets and inverses that cannot be.

use synlocal::simulation::Experiment;

const CIRCUIT: &str = r#"Experiment(
    network: Network(
        units: {
            "eye": Input(channels: 3, height: 16, width: 16),
            "v1": Unit(pool: Max(2)), "v2": Unit(pool: Max(2)), "head": Unit(),
        },
        feedforward: [
            (from: "eye", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
            (from: "v1", to: "v2", map: Conv(channels: 5, kernel: 3, pad: 1)),
            (from: "v2", to: "head", map: Dense(units: 10)),
        ],
        feedback: [],
    ),
    learning: (rule: Dtp),
    data: Objects(images: 20),
)"#;

/// Demands that the circuit, with one part replaced, has one fault: `problem`, with carets under `marked`.
#[track_caller]
fn assert_faulty(part: &str, replaced: &str, problem: &str, marked: &str, remedy: &str) {
    assert!(CIRCUIT.contains(part), "{part}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("circuit.ron");
    std::fs::write(&file, CIRCUIT.replacen(part, replaced, 1)).unwrap();
    let message = Experiment::load(&file, &[]).expect_err(problem).to_string();
    assert!(message.contains(&format!("error: {problem}\n")), "{problem}\nis not the problem of\n{message}");
    assert!(message.contains(&format!("= help: {remedy}\n")), "{remedy}\nis not the remedy of\n{message}");
    assert!(message.contains("\n1 fault in "), "{message}");
    let lines: Vec<&str> = message.lines().collect();
    let carets = lines.iter().position(|line| line.contains('^')).unwrap_or_else(|| panic!("no caret in {message}"));
    let columns: Vec<usize> = lines[carets].char_indices().filter(|(_, c)| *c == '^').map(|(at, _)| at).collect();
    assert_eq!(&lines[carets - 1][columns[0]..columns[0] + columns.len()], marked, "{message}");
}

#[track_caller]
fn assert_faulty_feedback(feedback: &str, problem: &str, marked: &str, remedy: &str) {
    assert_faulty("feedback: []", &format!("feedback: [{feedback}]"), problem, marked, remedy);
}

#[test]
fn inverses_stand_below_the_heads_of_a_rule_that_propagates_targets() {
    let without = CIRCUIT.split_once("feedback: []").unwrap().1;
    assert_faulty(
        &format!("feedback: []{without}"),
        &format!("feedback: [(from: \"v2\", to: \"v1\", wiring: Inverse)]{}", without.replace("rule: Dtp", "rule: Rf")),
        "feedback v2->v1 is an inverse, but the rule propagates no targets",
        "Inverse",
        "use rule: Dtp, or another wiring",
    );
    assert_faulty_feedback(
        r#"(from: "head", to: "v2", wiring: Inverse)"#,
        "feedback head->v2 is an inverse of a head, whose error tells the first target",
        "Inverse",
        "use wiring: Transported, Fixed or Learned",
    );
    assert_faulty_feedback(
        r#"(from: "v2", to: "v1", wiring: Fixed)"#,
        "feedback v2->v1 carries errors, but below the heads the rule propagates targets",
        "Fixed",
        "use wiring: Inverse, or another rule",
    );
    assert_faulty_feedback(
        r#"(from: "head", to: "v2", wiring: Fixed, transfer: Tanh)"#,
        "feedback head->v2 is given the transfer function Tanh, but only inverses have one",
        "Tanh",
        "remove transfer, or use wiring: Inverse",
    );
}

#[test]
fn an_inverse_undoes_one_projection() {
    let lower = r#"(from: "v1", to: "v2", map: Conv(channels: 5, kernel: 3, pad: 1))"#;
    let skip = r#"(from: "eye", to: "v2", map: Conv(channels: 5, kernel: 3, stride: 2, pad: 1))"#;
    assert_faulty(
        lower,
        &format!("{lower},\n            {skip}"),
        "inverse v2->v1 is to undo v1->v2, but 2 projections drive v2",
        lower,
        "let one projection drive it, or learn with another rule",
    );
}

#[test]
fn an_inverse_has_the_shape_of_what_it_brings_back() {
    let good = "TransposedConv(channels: 4, kernel: 3, stride: 2, pad: 1, output_pad: 1)";
    for (map, problem, marked, remedy) in [
        (
            "TransposedConv(channels: 4, kernel: 3, pad: 1)",
            "inverse v2->v1 turns 5x4x4 of v2 into 4x4x4, but v1 is 4x8x8",
            "TransposedConv(channels: 4, kernel: 3, pad: 1)",
            format!("use map: {good}"),
        ),
        (
            "TransposedConv(channels: 4, kernel: 3, stride: 1, output_pad: 2)",
            "feedback v2->v1: an output padding of 2 is not less than the stride, 1",
            "2",
            "leave output_pad out".to_string(),
        ),
        (
            "TransposedConv(channels: 4, kernel: 8, stride: 0)",
            "feedback v2->v1: stride is 0",
            "0",
            "use 1 or more".to_string(),
        ),
        (
            "Conv(channels: 4, kernel: 5, pad: 4)",
            "inverse v2->v1 leads from 5x4x4 to 4x8x8 by another map than an inverse can have",
            "Conv(channels: 4, kernel: 5, pad: 4)",
            "use a TransposedConv, or a Dense from a flat unit".to_string(),
        ),
    ] {
        assert_faulty_feedback(&format!(r#"(from: "v2", to: "v1", map: {map})"#), problem, marked, &remedy);
    }
    assert_faulty_feedback(
        r#"(from: "v2", to: "v1", map: TransposedConv(channels: 4, kernel: 2, stride: 2), init: Symmetric)"#,
        "inverse v2->v1 cannot start as a copy of v1->v2: its weights are [5, 4, 2, 2], those are [5, 4, 3, 3]",
        "Symmetric",
        "use Kaiming, or leave map out",
    );
}

#[test]
fn settings_of_targets_have_their_ranges() {
    let positive = "use a finite value above 0";
    for (setting, problem, marked, remedy) in [
        ("step: -0.5", "-0.5 is not a positive number", "-0.5", positive),
        ("noise: -1.5", "-1.5 is not a positive number", "-1.5", positive),
        ("inverse_steps: 0", "inverses cannot learn 0 times from a batch", "0", "use 1 to 1000"),
        ("inverse_steps: 1001", "inverses cannot learn 1001 times from a batch", "1001", "use 1 to 1000"),
        (
            "top: Inverse",
            "the top target comes from an error, which no inverse carries",
            "Inverse",
            "use Transported, Fixed, Learned or Sign",
        ),
        ("inverse_optimizer: Sgd(rate: -2.5)", "-2.5 is not a positive number", "-2.5", positive),
    ] {
        assert_faulty("rule: Dtp", &format!("rule: Dtp, targets: ({setting})"), problem, marked, remedy);
    }
    assert_faulty(
        "rule: Dtp",
        "rule: Rf, targets: (step: 0.5)",
        "the rule Rf propagates no targets",
        "(step: 0.5)",
        "remove targets, or use rule: Dtp",
    );
}
