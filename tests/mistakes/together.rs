//! Mistakes of all kinds in one experiment, its network inline or in a file of its own.

use crate::{Bench, EXPERIMENT, NETWORK, inline, shared};

/// A text in which each of these is written instead.
fn changed(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_string(), |text, (right, wrong)| {
        assert_eq!(text.matches(right).count(), 1, "{right}");
        text.replace(right, wrong)
    })
}

#[track_caller]
fn expect(experiment: &str, network: Option<&str>, expected: &[&str]) {
    assert_eq!(Bench::new().faults(experiment, network), expected);
}

/// Demands the same faults of a network in a file of its own and of one within an experiment, a line further down.
#[track_caller]
fn expect_of_network(changes: &[(&str, &str)], expected: &[(usize, &str)]) {
    let network = changed(NETWORK, changes);
    let shown = |name: &str, offset: usize| -> Vec<String> {
        expected.iter().map(|(line, fault)| format!("{name}:{}:{fault}", line + offset)).collect()
    };
    assert_eq!(Bench::new().faults(&shared(), Some(&network)), shown("circuit.ron", 0));
    assert_eq!(Bench::new().faults(&inline(&network), None), shown("experiment.ron", 1));
}

#[test]
fn what_is_misspelt_hides_nothing_that_is_wrong() {
    expect_of_network(
        &[
            ("channels: 4, kernel: 3", "chanels: 4, kernel: 3"),
            ("Unit(pool: Mean(2))", "Unit(poool: Mean(99))"),
            ("\"head\": Unit()", "\"head\": Unit(),\n        \"v3\": Unit()"),
            ("Unit(transfer: Tanh)", "Unit(transfer: Tan)"),
            ("(from: \"v1\", to: \"v3\", map: Conv(channels: 6", "(from: \"v4\", to: \"v33\", maap: Conv(channels: 0"),
            ("plastic: true", "plastic: 1"),
            (
                "map: Dense(units: 10)),\n    ],",
                "map: Dense(units: 10)),\n        (from: \"v2\", to: \"v1\", map: Dense(units: 3), init: Symetric),\n    ],",
            ),
        ],
        &[
            (5, "20 Unit has no field `poool`"),
            (5, "27 unit v2 pools over windows of 99x99"),
            (6, "30 there is no transfer `Tan`"),
            (8, "9 the entry `v3` is given twice"),
            (11, "46 Conv has no field `chanels`"),
            (13, "16 projection shortcut: there is no unit `v4`"),
            (13, "26 projection shortcut: there is no unit `v33`"),
            (13, "33 an entry of feedforward has no field `maap`"),
            (13, "54 projection shortcut: channels is 0"),
            (14, "76 expected true or false, found `1`"),
            (16, "9 feedforward projections form a cycle: v1 -> v2 -> v1"),
            (16, "60 there is no init `Symetric`"),
            (16, "60 projection v2->v1 cannot start as a copy of itself: Symmetric copies the forward weights"),
        ],
    );
}

#[test]
fn every_missing_field_is_named() {
    expect(
        "Experiment()",
        None,
        &[
            "experiment.ron:1:1 Experiment lacks the field `network`",
            "experiment.ron:1:1 Experiment lacks the field `data`",
        ],
    );
    expect_of_network(
        &[
            ("Input(channels: 3, height: 8, width: 8)", "Input(width: 8)"),
            ("(from: \"v1\", to: \"v3\", map: Conv(channels: 6, kernel: 2, stride: 2), name: \"shortcut\")", "()"),
            ("Conv(channels: 6, kernel: 1)", "Conv(stride: 0)"),
            ("Normal(deviation: 0.1)", "Normal()"),
        ],
        &[
            (3, "19 Input lacks the field `channels`"),
            (3, "19 Input lacks the field `height`"),
            (11, "93 Normal lacks the field `deviation`"),
            (12, "9 an entry of feedforward lacks the field `from`"),
            (12, "9 an entry of feedforward lacks the field `to`"),
            (12, "9 an entry of feedforward lacks the field `map`"),
            (13, "37 Conv lacks the field `channels`"),
            (13, "37 Conv lacks the field `kernel`"),
            (13, "50 projection v2->v3: stride is 0"),
        ],
    );
}

#[test]
fn lists_that_cannot_be_read_leave_the_numbers_of_the_others() {
    for (wrong, missing) in [("", "lacks the field `units`"), ("units: 3, ", "expected a map, found `3`")] {
        let network = format!("Network({wrong}feedforward: [(from: \"a\", to: \"b\", map: Dense(units: 0))])");
        let faults = Bench::new().faults(&shared(), Some(&network));
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains(missing) && faults[1].contains("projection a->b: units is 0"), "{faults:?}");
    }
    let network = "Network(units: {\"a\": Input(channels: 0, height: 8, width: 8), \"head\": Unit(pool: Max(0))})";
    let expected = [
        "circuit.ron:1:1 Network lacks the field `feedforward`",
        "circuit.ron:1:38 input a: channels is 0",
        "circuit.ron:1:82 unit head pools over windows of 0x0",
    ];
    let experiment = changed(&shared(), &[("unit: \"v2\", ", "")]);
    expect(&experiment, Some(network), &expected);
}

#[test]
fn a_field_that_is_none_leaves_only_what_it_may_have_been_in_doubt() {
    // The pool of v1 may be another, so that nothing is known of shapes above it; the cycle is one all the same.
    expect_of_network(
        &[
            ("Unit(pool: Max(2), transfer: HardTanh)", "Unit(shrink: 2)"),
            ("kernel: 2, stride: 2", "kernel: 3"),
            (
                "map: Dense(units: 10)),\n    ],",
                "map: Dense(units: 10)),\n        (from: \"v3\", to: \"v2\", map: Dense(units: 3)),\n    ],",
            ),
        ],
        &[(4, "20 Unit has no field `shrink`"), (15, "9 feedforward projections form a cycle: v2 -> v3 -> v2")],
    );
    // All fields of the network are given: the comment is none of them, and all is as certain as before.
    expect_of_network(
        &[
            ("feedback: [", "blocks: [],\n    remark: 3,\n    feedback: ["),
            ("to: \"v3\", wiring: Fixed", "to: \"v1\", wiring: Fixed"),
        ],
        &[
            (12, "9 projection shortcut learns, but no feedback reaches v3"),
            (13, "9 projection v2->v3 learns, but no feedback reaches v3"),
            (17, "5 Network has no field `remark`"),
            (19, "9 feedback head->v1 has no partner: no feedforward projection leads from v1 to head"),
        ],
    );
}

#[test]
fn faults_of_experiment_and_network_file_are_shown_together() {
    let experiment = changed(
        &shared(),
        &[
            ("Adam(rate: 1e-3)", "Adm(rat: -1)"),
            ("heads: [\"head\"]", "heads: [\"haed\"]"),
            ("Objects(images: 64", "Objects(image: 0"),
            ("affine: 0.5, ", "affine: -1, afine: 2, "),
            ("pairs: 8", "pair: 1"),
            ("unit: \"v2\"", "unit: \"v9\""),
        ],
    );
    let of_experiment = [
        "experiment.ron:3:40 there is no optimizer `Adm`",
        "experiment.ron:3:44 Adam has no field `rat`",
        "experiment.ron:3:49 -1 is not a positive number",
        "experiment.ron:3:106 the loss: there is no unit `haed`",
        "experiment.ron:4:19 Objects has no field `image`",
        "experiment.ron:4:26 0 images are no data set",
        "experiment.ron:5:27 -1 is no strength",
        "experiment.ron:5:31 Deform has no field `afine`",
        "experiment.ron:6:16 training has no field `pair`",
        "experiment.ron:6:22 a batch of 1 has no negative pairs",
        "experiment.ron:7:21 there is no unit \"v9\"",
    ];
    let network = changed(NETWORK, &[("Mean(2)", "Meen(2)"), ("kernel: 1)", "kernel: 0)")]);
    let of_network = ["circuit.ron:5:26 there is no pool `Meen`", "circuit.ron:13:63 projection v2->v3: kernel is 0"];
    expect(&experiment, Some(&network), &[&of_experiment[..], &of_network].concat());
    // What a file that is no RON says about units is unknown.
    let without_units: Vec<&str> =
        of_experiment.into_iter().filter(|fault| !fault.contains("there is no unit")).collect();
    let broken = ["circuit.ron:2:12 this `{` is never closed"];
    expect(&experiment, Some("Network(\n    units: {\n"), &[&without_units[..], &broken].concat());
    let mut expected = without_units;
    let folder = Bench::new();
    let faults = folder.faults(&experiment, None);
    expected.insert(0, "experiment.ron:2:14 there is no network file circuit.ron");
    assert_eq!(faults, expected);
}

#[test]
fn a_rule_in_doubt_asks_for_no_feedback() {
    let start = NETWORK.find("    feedback: [").expect("feedback");
    let network = format!("{})", &NETWORK[..start]);
    for (wrong, fault) in [
        ("rule: Urg", "3:22 there is no rule `Urg`"),
        ("rule: Magic", "3:22 there is no rule `Magic`"),
        ("method: Urf", "3:16 learning has no field `method`"),
        ("rule: Urf, rule: Bp", "3:27 the field `rule` is given twice"),
    ] {
        let experiment = changed(&shared(), &[("rule: Wired", wrong)]);
        expect(&experiment, Some(&network), &[&format!("experiment.ron:{fault}")]);
    }
    let experiment = changed(&shared(), &[("learning: (", "method: (")]);
    expect(&experiment, Some(&network), &["experiment.ron:3:5 Experiment has no field `method`"]);
}

#[test]
fn an_unknown_unit_on_the_way_of_errors_is_one_fault() {
    let start = NETWORK.find("    feedback: [").expect("feedback");
    let network = format!("{})", &NETWORK[..start]).replace("to: \"head\"", "to: \"top\"");
    let experiment = changed(&shared(), &[("rule: Wired", "rule: Urf")]);
    expect(&experiment, Some(&network), &["circuit.ron:14:26 projection v3->top: there is no unit `top`"]);
}

#[test]
fn control_characters_are_shown_escaped() {
    let bench = Bench::new();
    let network = changed(NETWORK, &[("to: \"head\"", "to: \"\u{1b}[2J\u{202e}\"")]);
    for (experiment, network) in [(inline(&network), None), (shared(), Some(network.as_str()))] {
        let said = bench.said(&experiment, network);
        assert!(said.contains(r"there is no unit `\u{1b}[2J\u{202e}`"), "{said}");
        assert!(!said.chars().any(|c| c.is_control() && c != '\n' || c == '\u{202e}'), "{said:?}");
    }
    let said = bench.said(&EXPERIMENT.replace("NETWORK", "\"\\u{1b}]0;\\u{7}.ron\""), None);
    assert!(said.contains(r"there is no network file \u{1b}]0;\u{7}.ron"), "{said}");
    let error = synlocal::document::Document::read(std::path::Path::new("no\u{1b}such.ron")).expect_err("no such file");
    assert!(error.to_string().starts_with(r"no\u{1b}such.ron: "), "{error}");
}

#[test]
fn names_of_lints_and_presets_are_checked() {
    let experiment = changed(
        &inline(NETWORK),
        &[("preset: Strict, memory: 4", "preset: Strikt, memory: 0"), ("\"labels\": Deny", "\"label\": Deni")],
    );
    let line = experiment.lines().count() - 1;
    let expected = [
        format!("experiment.ron:{line}:21 there is no preset `Strikt`"),
        format!(
            "experiment.ron:{line}:37 a top layer that may remember nothing has nothing to compare an embedding with"
        ),
        format!("experiment.ron:{line}:49 there is no lint `label`"),
        format!("experiment.ron:{line}:58 there is no level `Deni`"),
    ];
    expect(&experiment, None, &expected.each_ref().map(String::as_str));
}
