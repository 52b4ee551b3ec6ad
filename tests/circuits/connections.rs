//! Faults of names and connections: what joins what, and what nothing reaches.

use synlocal::document::Doubts;
use synlocal::network::{Network, Teaching, Wiring};

use crate::{CHAIN, UNITS, assert_says, fault, faults_of, network, read};

#[test]
fn an_unknown_unit_is_one_fault_with_a_suggestion() {
    let message = fault(UNITS, &CHAIN.replace("to: \"head\"", "to: \"haed\""), "", Some(Wiring::Fixed));
    assert_says(&message, "projection v2->haed: there is no unit `haed`", "\"haed\"", "did you mean `head`?");
    let message = fault(UNITS, &CHAIN.replace("from: \"eye\"", "from: \"retina\""), "", Some(Wiring::Fixed));
    assert_says(
        &message,
        "projection retina->v1: there is no unit `retina`",
        "\"retina\"",
        "choose from `eye`, `v1`, `v2` and `head`",
    );
}

#[test]
fn an_unknown_unit_raises_no_doubts_about_what_is_joined_to_it() {
    let feedback = r#"(from: "head", to: "v2", wiring: Fixed), (from: "v2", to: "v1", wiring: Fixed)"#;
    for (from, to) in
        [("to: \"v2\"", "to: \"layer\""), ("from: \"v2\"", "from: \"v22\""), ("to: \"head\"", "to: \"hat\"")]
    {
        let message = fault(UNITS, &CHAIN.replacen(from, to, 1), feedback, None);
        assert!(message.contains("there is no unit"), "{message}");
    }
    let feedback = r#"(from: "haed", to: "v2", wiring: Fixed), (from: "v2", to: "v1", wiring: Fixed)"#;
    let message = fault(UNITS, CHAIN, feedback, None);
    assert_says(&message, "feedback haed->v2: there is no unit `haed`", "\"haed\"", "did you mean `head`?");
}

#[test]
fn a_cycle_is_named_unit_by_unit() {
    let forward = format!("{CHAIN}\n        (from: \"v2\", to: \"v1\", map: Conv(channels: 4, kernel: 3, pad: 1)),");
    let message = fault(UNITS, &forward, "", Some(Wiring::Fixed));
    assert_says(
        &message,
        "feedforward projections form a cycle: v1 -> v2 -> v1",
        "(from: \"v2\", to: \"v1\", map: Conv(channels: 4, kernel: 3, pad: 1))",
        "remove v2->v1 or another of them; what runs downwards is feedback",
    );
    let forward = format!("{CHAIN}\n        (from: \"v1\", to: \"v1\", map: Dense(units: 1)),");
    let message = fault(UNITS, &forward, "", Some(Wiring::Fixed));
    assert_says(
        &message,
        "projection v1->v1 leads from v1 to itself",
        "(from: \"v1\", to: \"v1\", map: Dense(units: 1))",
        "join two different units, or remove it",
    );
    let forward = format!("{CHAIN}\n        (from: \"v1\", to: \"eye\", map: Dense(units: 1)),");
    let message = fault(UNITS, &forward, "", Some(Wiring::Fixed));
    assert_says(
        &message,
        "projection v1->eye ends in eye, an input, which has no drive",
        "\"eye\"",
        "end it in another unit, or remove it",
    );
}

#[test]
fn a_cycle_is_named_unless_a_doubtful_projection_may_be_a_part_of_it() {
    let forward = format!("{CHAIN}\n        (from: \"v2\", to: \"v1\", map: Conv(channels: 4, kernel: 3, pad: 1)),");
    let (_, spec) = read(&network(UNITS, &forward, ""));
    for (doubtful, named) in [
        ("feedforward[1].map", true),
        ("units[\"v1\"].pool", true),
        // Wherever it begins, it ends in the head, from which no way leads back.
        ("feedforward[2].from", true),
        ("feedforward[0].from", false),
        ("feedforward[2].to", false),
        ("feedforward[2]", false),
    ] {
        let mut doubts = Doubts::default();
        doubts.add(doubtful);
        let faults = Network::examine(&spec, &doubts, Teaching::wired(Wiring::Fixed)).expect_err(doubtful);
        let places: Vec<_> =
            faults.iter().filter(|fault| fault.problem.contains("cycle")).map(|fault| fault.place.as_str()).collect();
        assert_eq!(places, if named { vec!["feedforward[3]"] } else { vec![] }, "{doubtful}");
    }
}

#[test]
fn units_that_no_input_reaches_are_faults() {
    let units = format!("{UNITS}, \"idle\": Unit(), \"after\": Unit()");
    let forward = format!("{CHAIN}\n        (from: \"idle\", to: \"after\", map: Dense(units: 1)),");
    assert_says(
        &fault(&units, &forward, "", Some(Wiring::Fixed)),
        "nothing drives unit idle, so no input reaches after either",
        "\"idle\"",
        "add a projection (..., to: \"idle\", ...), or remove the unit",
    );
    let units = UNITS.replace("\"eye\": Input(channels: 3, height: 8, width: 8)", "\"eye\": Unit()");
    let message = fault(&units, CHAIN, "", Some(Wiring::Fixed));
    assert!(message.contains("error: the network has no input\n"), "{message}");
    assert!(
        message.contains("help: describe one as an input: \"eye\": Input(channels: 3, height: 32, width: 32)\n"),
        "{message}"
    );
    let message = fault("", "", "", None);
    assert_says(&message, "the network has no units", "{}", "add an Input and a Unit");
    let message = fault(&UNITS.replace("\"v2\"", "\"\""), &CHAIN.replace("\"v2\"", "\"\""), "", Some(Wiring::Sign));
    assert_says(&message, "a unit has no name", "\"\"", "put its name between the quotes");
}

#[test]
fn inputs_show_one_shape_and_drive_something() {
    let units = format!("{UNITS}, \"ear\": Input(channels: 1, height: 8, width: 8)");
    let forward = format!("{CHAIN}\n        (from: \"ear\", to: \"v1\", map: Conv(channels: 4, kernel: 1)),");
    assert_says(
        &fault(&units, &forward, "", Some(Wiring::Fixed)),
        "input ear is 1x8x8, but input eye is 3x8x8",
        "\"ear\"",
        "make both 3x8x8: they are shown the same views",
    );
    let message = fault(&units.replace("channels: 1", "channels: 3"), CHAIN, "", Some(Wiring::Fixed));
    assert_says(&message, "input ear drives nothing", "\"ear\"", "add a projection (from: \"ear\", ...), or remove it");
    let message = fault("\"ear\": Input(channels: 1, height: 8, width: 8)", "", "", None);
    assert!(message.contains("error: the network has no head: all its units are inputs\n"), "{message}");
}

#[test]
fn heads_that_are_named_must_be_all_that_project_nowhere() {
    let units = format!("{UNITS}, \"side\": Unit()");
    let forward = format!("{CHAIN}\n        (from: \"v2\", to: \"side\", map: Dense(units: 1)),");
    let text = network(&units, &forward, "");
    let (message, count) = faults_of(&text, Some(Wiring::Fixed), Some(&["head"]));
    assert_eq!(count, 1, "{message}");
    assert_says(
        &message,
        "unit side projects nowhere, so it is a head that gets no loss",
        "\"side\"",
        "name it among the heads, or remove it",
    );
    for (heads, problem, remedy) in [
        (&["head", "sied"][..], "the loss: there is no unit `sied`", "did you mean `side`?"),
        (&["head", "side", "head"][..], "the head `head` is named twice", "name it once"),
        (
            &["head", "side", "eye"][..],
            "the head `eye` is an input, whose activity nothing can change",
            "name another unit",
        ),
    ] {
        let (message, count) = faults_of(&text, Some(Wiring::Fixed), Some(heads));
        assert_eq!(count, 1, "{message}");
        assert!(
            message.contains(&format!("error: {problem}\n")) && message.contains(&format!("help: {remedy}\n")),
            "{message}"
        );
    }
    let (message, _) = faults_of(&network(UNITS, CHAIN, ""), Some(Wiring::Fixed), Some(&[]));
    assert!(message.contains("the network has no head: the loss acts on no unit"), "{message}");
}

#[test]
fn names_tell_projections_apart() {
    let twice = "(from: \"v2\", to: \"head\", map: Dense(units: 10))";
    let forward = format!("{CHAIN}\n        {twice}");
    let message = fault(UNITS, &forward, "", Some(Wiring::Fixed));
    let remedy = "give this one a name of its own: name: \"...\"";
    assert_says(&message, "two projections are called `v2->head`", twice, remedy);
    let named = CHAIN.replace("units: 10)", "units: 10), name: \"eye->v1\"");
    let message = fault(UNITS, &named, "", Some(Wiring::Fixed));
    assert!(message.contains("two projections are called `eye->v1`") && message.contains("net.ron:6:9"), "{message}");
    // A name that the rule would give to its feedback.
    let named = CHAIN.replace("units: 10)", "units: 10), name: \"v2->v1\"");
    let message = fault(UNITS, &named, "", Some(Wiring::Fixed));
    assert!(message.contains("two projections are called `v2->v1`") && message.contains("net.ron:6:9"), "{message}");
    let feedback = "(from: \"v2\", to: \"v1\", name: \"head->v2\")";
    let message = fault(UNITS, CHAIN, feedback, Some(Wiring::Fixed));
    assert!(message.contains("two projections are called `head->v2`") && message.contains("net.ron:7:16"), "{message}");
}
