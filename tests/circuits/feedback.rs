//! Faults of the ways that errors take.

use synlocal::network::Wiring;

use crate::{CHAIN, UNITS, assert_says, fault};

#[test]
fn feedback_answers_one_feedforward_projection() {
    let fixed = Some(Wiring::Fixed);
    for (feedback, problem, marked, remedy) in [
        (
            r#"(from: "v1", to: "v2")"#,
            "feedback v1->v2 has no partner: no feedforward projection leads from v2 to v1",
            r#"(from: "v1", to: "v2")"#,
            r#"swap its ends: from: "v2", to: "v1""#,
        ),
        (
            r#"(from: "head", to: "v1")"#,
            "feedback head->v1 has no partner: no feedforward projection leads from v1 to head",
            r#"(from: "head", to: "v1")"#,
            r#"add the projection (from: "v1", to: "head", ...), or remove the feedback"#,
        ),
        (
            r#"(from: "v2", to: "v1", partner: "v1->v22")"#,
            "feedback v2->v1: no projection `v1->v22` leads from v1 to v2",
            "\"v1->v22\"",
            "did you mean `v1->v2`?",
        ),
        (
            r#"(from: "v2", to: "v1", map: Conv(channels: 4, kernel: 5, pad: 1))"#,
            "feedback v2->v1 is a convolution to 4 channels, kernel 5, stride 1, padding 1, but v1->v2, which it answers, is \
             a convolution to 4 channels, kernel 3, stride 1, padding 1",
            "Conv(channels: 4, kernel: 5, pad: 1)",
            "remove map: feedback has its partner's geometry",
        ),
        (
            r#"(from: "v1", to: "eye")"#,
            "feedback v1->eye carries nothing useful: eye is an input, where nothing learns",
            r#"(from: "v1", to: "eye")"#,
            "remove it",
        ),
        (
            r#"(from: "v2", to: "v1", wiring: Transported, init: Kaiming)"#,
            "feedback v2->v1 is given first weights, but its wiring is Transported: it has no weights of its own",
            "Kaiming",
            "remove init, or use another wiring",
        ),
    ] {
        assert_says(&fault(UNITS, CHAIN, feedback, fixed), problem, marked, remedy);
    }
    let twice = r#"(from: "v2", to: "v1", name: "one"), (from: "v2", to: "v1", name: "two")"#;
    assert_says(
        &fault(UNITS, CHAIN, twice, fixed),
        "feedback two answers v1->v2, which feedback[0] answers already",
        r#"(from: "v2", to: "v1", name: "two")"#,
        "keep one of the two",
    );
    let forward = format!("{CHAIN}\n        (from: \"v2\", to: \"head\", map: Dense(units: 10), name: \"again\"),");
    assert_says(
        &fault(UNITS, &forward, r#"(from: "head", to: "v2")"#, fixed),
        "feedback head->v2: 2 projections lead from v2 to head",
        r#"(from: "head", to: "v2")"#,
        r#"add partner: "v2->head" or partner: "again""#,
    );
}

#[test]
fn feedback_that_nothing_learns_from_is_a_fault() {
    let rigid = CHAIN.replacen("pad: 1)),", "pad: 1), plastic: false),", 2);
    assert_says(
        &fault(UNITS, &rigid, r#"(from: "head", to: "v2")"#, Some(Wiring::Fixed)),
        "feedback head->v2 carries nothing useful: no projection learns in v2 or below it",
        r#"(from: "head", to: "v2")"#,
        "remove it",
    );
}

#[test]
fn without_a_rule_feedback_names_its_wiring() {
    let feedback = r#"(from: "head", to: "v2"), (from: "v2", to: "v1", wiring: Fixed)"#;
    assert_says(
        &fault(UNITS, CHAIN, feedback, None),
        "feedback head->v2 names no wiring, and the learning rule has none of its own",
        r#"(from: "head", to: "v2")"#,
        "add wiring: Fixed (or Learned, Sign, Transported)",
    );
}

#[test]
fn a_plastic_projection_that_no_error_reaches_is_a_fault() {
    let chain = CHAIN.replacen("pad: 1)),", "pad: 1), plastic: false),", 1);
    assert_says(
        &fault(UNITS, &chain, "", None),
        "projection v1->v2 learns, but no feedback reaches v2",
        r#"(from: "v1", to: "v2", map: Conv(channels: 4, kernel: 3, pad: 1))"#,
        r#"add (from: "head", to: "v2", wiring: Fixed) to feedback, set plastic: false, or let a rule wire it: learning: (rule: Urf)"#,
    );
    // The way down is told through units that learn nothing themselves.
    let chain = CHAIN.replace(
        "to: \"v2\", map: Conv(channels: 4, kernel: 3, pad: 1))",
        "to: \"v2\", plastic: false, map: Conv(channels: 4, kernel: 3, pad: 1))",
    );
    let message = fault(UNITS, &chain, "", None);
    assert!(message.contains("projection eye->v1 learns, but no feedback reaches v1"), "{message}");
    let ways = r#"add (from: "v2", to: "v1", wiring: Fixed), (from: "head", to: "v2", wiring: Fixed) to feedback"#;
    assert!(message.contains(ways), "{message}");
    // What is written of it is not asked for again.
    let message = fault(UNITS, &chain, r#"(from: "v2", to: "v1", wiring: Fixed)"#, None);
    assert_says(
        &message,
        "projection eye->v1 learns, but no feedback reaches v1",
        r#"(from: "eye", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1))"#,
        r#"add (from: "head", to: "v2", wiring: Fixed) to feedback, set plastic: false, or let a rule wire it: learning: (rule: Urf)"#,
    );
    // All three learn, and each missing link is asked for once.
    let message = fault(UNITS, CHAIN, r#"(from: "v2", to: "v1", wiring: Fixed)"#, None);
    assert!(message.contains("projection v1->v2 learns, but no feedback reaches v2"), "{message}");
}

#[test]
fn feedback_from_a_unit_that_no_error_reaches_is_a_fault() {
    let forward = r#"
        (from: "eye", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
        (from: "v1", to: "v2", map: Conv(channels: 4, kernel: 3, pad: 1), plastic: false),
        (from: "v1", to: "head", map: Dense(units: 10)),
        (from: "v2", to: "head", map: Dense(units: 10)),"#;
    let feedback = r#"(from: "head", to: "v1", wiring: Fixed), (from: "v2", to: "v1", wiring: Fixed)"#;
    assert_says(
        &fault(UNITS, forward, feedback, None),
        "feedback v2->v1 carries nothing useful: no error reaches v2",
        r#"(from: "v2", to: "v1", wiring: Fixed)"#,
        r#"remove it, or add (from: "head", to: "v2", wiring: Fixed) to feedback"#,
    );
}
