//! What is said about texts that are wrong.

use std::path::Path;

use synlocal::Error;
use synlocal::document::{Document, Report};
use synlocal::fault::Fault;

use crate::{EXPERIMENT, Experiment, Optimizer, faults};

#[test]
fn everything_unknown_or_mistyped_is_found_in_one_go() {
    let message = faults(
        "Experiment(
    trainings: 3,
    training: (epoch: 3, seed: \"1\"),
    optimizer: Adm(rate: 0.1),
    margins: (1.0, x),
    sizes: [1, -2, 2.5, 4],
)",
    );
    for expected in [
        "Experiment has no field `trainings`",
        "2 |     trainings: 3,\n  |     ^^^^^^^^^\n  |\n  = help: did you mean `training`?",
        "training has no field `epoch`",
        "3 |     training: (epoch: 3, seed: \"1\"),\n  |                ^^^^^\n",
        "expected a whole number, found `\"1\"`",
        "3 |     training: (epoch: 3, seed: \"1\"),\n  |                                ^^^\n",
        "there is no optimizer `Adm`",
        "4 |     optimizer: Adm(rate: 0.1),\n  |                ^^^\n  |\n  = help: did you mean `Adam`?",
        "expected a number, found `x`",
        "5 |     margins: (1.0, x),\n  |                    ^\n",
        "expected a number that is not negative, found `-2`",
        "help: write it without the minus sign",
        "expected a whole number, found `2.5`",
        "6 |     sizes: [1, -2, 2.5, 4],\n  |                    ^^^\n",
    ] {
        assert!(message.contains(expected), "{expected}\nis not in\n{message}");
    }
    assert!(message.ends_with("\n7 faults in x.ron"), "{message}");
}

#[test]
fn unknown_fields_of_a_variant_are_faults_too() {
    let message = faults("(optimizer: Adam(rate: 0.1, momentum: 0.9))");
    assert!(message.contains("Adam has no field `momentum`"), "{message}");
    assert!(message.contains("x.ron:1:29") && message.contains("the only choice is `rate`"), "{message}");
}

#[test]
fn a_misspelt_required_field_is_one_fault() {
    let message = faults("(optimizer: Adam(rat: 0.1))");
    assert!(message.contains("did you mean `rate`?") && message.ends_with("1 fault in x.ron"), "{message}");
    let message = faults("(optimizer: Adam())");
    assert!(message.contains("Adam lacks the field `rate`") && message.contains("add `rate: ...`"), "{message}");
}

#[test]
fn what_is_said_twice_is_a_fault() {
    let message = faults("(sizes: [1], training: (epochs: 1, epochs: 2), sizes: [2])");
    assert!(message.contains("the field `epochs` is given twice"), "{message}");
    assert!(message.contains("x.ron:1:48") && message.ends_with("2 faults in x.ron"), "{message}");
    let document = Document::new("x.ron", r##"{"a": 1, r#"a"#: 2}"##);
    let faults = document.parse::<std::collections::BTreeMap<String, usize>>().expect_err("twice the same key");
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].span.clone(), faults[0].problem.as_str()), (9..15, "the entry `a` is given twice"));
}

#[test]
fn too_many_and_too_few_entries_are_told_apart() {
    let message = faults("(margins: (1.0, 2.0, 3.0))");
    assert!(
        message.contains("`3.0` is one entry too many; remove it") || message.contains("help: remove it"),
        "{message}"
    );
    assert!(message.contains("x.ron:1:22"), "{message}");
    let message = faults("(margins: (1.0))");
    assert!(message.contains("expected a tuple of size 2, found 1") && message.contains("x.ron:1:11"), "{message}");
}

#[test]
fn optional_values_need_no_some() {
    let text = "(training: (seed: 3), margins: (1, 2), optimizer: Adam(rate: 1))";
    let experiment: Experiment = Document::new("x.ron", text).parse().unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(experiment.training.seed, Some(3));
    assert_eq!((experiment.margins, experiment.optimizer), (Some((1.0, 2.0)), Some(Optimizer::Adam { rate: 1.0 })));
}

#[test]
fn a_text_that_is_no_ron_says_where_and_why() {
    for (text, problem, line) in [
        ("(\n  training: (epochs: 3,\n", "this `(` is never closed", "x.ron:2:13"),
        ("(\n  sizes: [1, 2\n)", "expected `,` or `]`, found `)`", "x.ron:3:1"),
        ("(sizes: [1 2])", "expected `,` or `]`, found `2`", "x.ron:1:12"),
        ("(sizes: [], margins (1, 2))", "expected `:` between a name and its value", "x.ron:1:21"),
        ("(sizes: \"1)", "this text is never closed", "x.ron:1:9"),
        ("(sizes: 1, /* [1])", "this comment is never closed", "x.ron:1:12"),
        ("(sizes: 1_x)", "`1_x` is not RON", "x.ron:1:9"),
        ("()\n()", "`(` after the end of the value", "x.ron:2:1"),
        ("// nothing\n", "there is no value here", "x.ron:1:12"),
        ("#![enable(no_such)] ()", "no RON extension named `no_such`", "x.ron:1:1"),
        ("(sizes: ,)", "`,` begins no value", "x.ron:1:9"),
    ] {
        let message = faults(text);
        assert!(message.contains(problem) && message.contains(line), "{text:?}: {message}");
        assert!(message.ends_with("1 fault in x.ron"), "{message}");
    }
    let deep = "[".repeat(5000);
    assert!(faults(&deep).contains("use at most 128 brackets within brackets"));
}

#[test]
fn a_fault_is_shown_at_the_deepest_value_on_the_way_to_its_place() {
    let document = Document::new("experiment.ron", EXPERIMENT);
    for (place, marked) in [
        ("learning.optimizer.rate", "1e-4"),
        ("learning.optimizer.momentum", "Adam(rate: 1e-4)"),
        ("units[\"v2\"]", "\"v2\""),
        ("units[\"v2\"].pool", "\"v2\""),
        ("learning", "("),
        ("learning.nothing", "("),
        ("", "Experiment"),
        ("nothing", "Experiment"),
        ("[[", "Experiment"),
    ] {
        let located = document.locate(&Fault::new(place, "p", "r"));
        assert_eq!(&document.text()[located.span], marked, "{place}");
    }
}

#[test]
fn faults_of_two_documents_go_into_one_report_in_order_of_place() {
    let experiment = Document::new("a.ron", "(x: 1,\n y: 2)");
    let network = Document::new("b.ron", "(z: 3)");
    let mut report = Report::default();
    report.add(
        &experiment,
        ["y", "x"].map(|place| experiment.locate(&Fault::new(place, format!("{place}!"), "mend it"))),
    );
    report.add(&network, [network.locate(&Fault::new("z", "z!", "mend it"))]);
    report.add(&network, []);
    let message = report.finish().expect_err("three faults").to_string();
    let order = ["error: x!", "a.ron:1:5", "error: y!", "a.ron:2:5", "error: z!", "b.ron:1:5"];
    let places: Vec<_> = order.iter().map(|part| message.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{message}");
    assert!(message.ends_with("2 faults in a.ron and 1 fault in b.ron"), "{message}");
    assert!(Report::default().finish().is_ok());
}

#[test]
fn colours_are_for_terminals_only() {
    let document = Document::new("x.ron", "(x: 1)");
    let fault = || [document.locate(&Fault::new("x", "wrong", "mend it"))];
    let error = document.error(fault());
    let Error::Circuit { plain, coloured } = &error else { panic!("{error}") };
    assert_eq!(&error.to_string(), plain);
    assert!(!plain.contains('\u{1b}') && coloured.contains("\u{1b}["), "{coloured}");
    let written = |text: &str| text.contains("wrong") && text.contains("mend it") && text.contains("1 fault in x.ron");
    assert!(written(plain) && written(coloured), "{coloured}");
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let missing = Document::read(Path::new("no/such.ron")).expect_err("no such file");
    assert!(matches!(missing, Error::Io { .. }) && missing.to_string().starts_with("no/such.ron: "));
    let folder = tempfile::tempdir().expect("a folder for the test");
    let path = folder.path().join("x.ron");
    std::fs::write(&path, b"(a: \xff)").expect("a file for the test");
    let message = Document::read(&path).expect_err("not UTF-8").to_string();
    assert!(message.contains("byte 4 is not UTF-8 text; save the file as UTF-8"), "{message}");
}
