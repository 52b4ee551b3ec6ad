//! RON documents: where values stand, how they are set from outside, and what is said about texts that are wrong.

use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;
use synlocal::Error;
use synlocal::document::{Document, Report};
use synlocal::fault::Fault;

const EXPERIMENT: &str = r##"#![enable(implicit_some)]
// An experiment with a bit of everything.
Experiment(
    network: "conv6.ron", /* a path, /* relative */ to this file */
    units: {
        "retina": Input(channels: 3),
        r#"v "1""#: Unit(pool: Max(2), note: "a ) in \" quotes"),
        "v2": Unit(),
    },
    margins: (1.0, 3.0), // a tuple: ( not [
    learning: (
        optimizer: Adam(rate: 1e-4),
        loss: Hinge,
        extra: Some((step: 0.5)),
    ),
    chars: ['(', '\'', '\u{41}'],
)
"##;

fn at(document: &Document, place: &str) -> String {
    document.span(place).map(|span| document.text()[span].to_string()).unwrap_or_else(|| "nothing".to_string())
}

fn set(text: &str, assignment: &str) -> String {
    let mut document = Document::new("x.ron", text);
    document.set(assignment).unwrap_or_else(|error| panic!("{assignment}: {error}"));
    document.text().to_string()
}

fn refusal(text: &str, assignment: &str) -> String {
    let mut document = Document::new("x.ron", text);
    let error = document.set(assignment).expect_err(assignment);
    assert!(matches!(error, Error::Usage { .. }), "{assignment}: {error}");
    assert_eq!(document.text(), text, "a refused assignment leaves the text alone");
    error.to_string()
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Experiment {
    #[serde(default)]
    training: Training,
    #[serde(default)]
    optimizer: Option<Optimizer>,
    #[serde(default)]
    margins: Option<(f32, f32)>,
    #[serde(default)]
    sizes: Vec<usize>,
}

#[derive(Debug, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Training {
    #[serde(default)]
    epochs: usize,
    #[serde(default)]
    seed: Option<u64>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
enum Optimizer {
    Sgd {
        #[serde(default)]
        rate: f32,
    },
    Adam {
        rate: f32,
    },
}

fn faults(text: &str) -> String {
    let document = Document::new("x.ron", text);
    let faults = document.parse::<Experiment>().expect_err(text);
    document.error(faults, false).to_string()
}

#[test]
fn places_lead_to_the_values_they_name() {
    let document = Document::new("experiment.ron", EXPERIMENT);
    for (place, value) in [
        ("network", "\"conv6.ron\""),
        ("units[\"retina\"].channels", "3"),
        ("units[retina]", "Input(channels: 3)"),
        ("units.retina.channels", "3"),
        (r#"units["v \"1\""].pool"#, "Max(2)"),
        (r#"units["v \"1\""].pool[0]"#, "2"),
        (r#"units["v \"1\""].note"#, r#""a ) in \" quotes""#),
        ("units[\"v2\"]", "Unit()"),
        ("margins[1]", "3.0"),
        ("learning.optimizer.rate", "1e-4"),
        ("learning.loss", "Hinge"),
        ("learning.extra.step", "0.5"),
        ("chars[1]", r"'\''"),
        ("chars[2]", r"'\u{41}'"),
        ("chars[3]", "nothing"),
        ("units[\"v3\"]", "nothing"),
        ("learning.optimizer.rate.more", "nothing"),
        ("learning..loss", "nothing"),
    ] {
        assert_eq!(at(&document, place), value, "{place}");
    }
    let key = document.key_span("learning.loss").map(|span| &document.text()[span]);
    assert_eq!(key, Some("loss"));
    assert_eq!(document.key_span("margins[0]"), None);
    assert_eq!(document.value_name("learning.optimizer"), Some("Adam"));
    assert_eq!(document.value_name(""), Some("Experiment"));
    assert_eq!(document.value_name("margins"), None);
}

#[test]
fn setting_a_value_replaces_its_text_and_no_other() {
    for (assignment, before, after) in [
        ("network=\"vgg6.ron\"", "\"conv6.ron\"", "\"vgg6.ron\""),
        ("units[\"retina\"].channels = 1", "Input(channels: 3)", "Input(channels: 1)"),
        ("units[retina].channels=1 // one colour", "Input(channels: 3)", "Input(channels: 1)"),
        ("learning.optimizer.rate=0.1", "rate: 1e-4", "rate: 0.1"),
        ("learning.extra.step=2", "step: 0.5", "step: 2"),
        ("margins[0]=2.5", "(1.0, 3.0)", "(2.5, 3.0)"),
        ("learning.loss=Supervised(\"a=b\")", "loss: Hinge", "loss: Supervised(\"a=b\")"),
        (r#"units["v \"1\""].pool=Mean(4)"#, "Max(2)", "Mean(4)"),
    ] {
        assert_eq!(set(EXPERIMENT, assignment), EXPERIMENT.replace(before, after), "{assignment}");
    }
}

#[test]
fn setting_what_is_missing_adds_it_where_its_parent_stands() {
    for (text, assignment, after) in [
        ("(a: 1)", "b=2", "(a: 1, b: 2)"),
        ("(a: 1,)", "b=2", "(a: 1, b: 2,)"),
        ("()", "b=2", "(b: 2)"),
        ("Experiment( /* empty */ )", "b=2", "Experiment( /* empty */ b: 2)"),
        ("(a: 1 // one\n)", "b=2", "(a: 1, b: 2 // one\n)"),
        ("(a: 1)", "training.epochs=3", "(a: 1, training: (epochs: 3))"),
        ("(a: 1)", "x.y.z=Some(3)", "(a: 1, x: (y: (z: Some(3))))"),
        ("(a: Unit())", "a.pool=Max(2)", "(a: Unit(pool: Max(2)))"),
        ("(a: Adam)", "a.rate=0.1", "(a: Adam(rate: 0.1))"),
        ("(a: None)", "a.b.rate=0.1", "(a: (b: (rate: 0.1)))"),
        ("(a: Some((b: 1)))", "a.c=2", "(a: Some((b: 1, c: 2)))"),
        ("(a: {\"x\": 1})", "a[\"y\"]=2", "(a: {\"x\": 1, \"y\": 2})"),
        ("(a: {})", "a.y=2", "(a: {\"y\": 2})"),
    ] {
        assert_eq!(set(text, assignment), after, "{assignment} in {text}");
    }
}

#[test]
fn assignments_build_upon_each_other() {
    let mut document = Document::new("x.ron", "()");
    for assignment in
        ["training.seed=1", "training.epochs=2", "training.seed=7", "optimizer=Sgd()", "optimizer.rate=0.5"]
    {
        document.set(assignment).unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(document.text(), "(training: (seed: 7, epochs: 2), optimizer: Sgd(rate: 0.5))");
    let experiment: Experiment = document.parse().unwrap_or_else(|faults| panic!("{faults:?}"));
    assert_eq!(experiment.training, Training { epochs: 2, seed: Some(7) });
    assert_eq!(experiment.optimizer, Some(Optimizer::Sgd { rate: 0.5 }));
}

#[test]
fn an_assignment_that_cannot_be_meant_is_refused_with_a_remedy() {
    let text = "(a: 1, list: [1, 2], map: {\"v1\": 1, \"head\": 2}, word: true)";
    for (assignment, expected) in [
        ("a", "--set a: there is no `=`; write path=value, as in --set training.epochs=3"),
        ("=3", "there is no path before the `=`"),
        ("a..b=3", "expected a name before `.b`"),
        ("a[=3", "--set a[=3: `[` has no closing bracket"),
        ("map[\"x]=3", "there is no `=`"),
        ("a[]=3", "`[]` names no entry"),
        ("a=conv6.ron", "quotes"),
        ("a=", "there is no value here; write the value in RON"),
        ("a=1 2", "after the end of the value"),
        ("a=(1", "this `(` is never closed"),
        ("a.b=3", "a is `1`, which has no `b`"),
        ("word.b=3", "word is `true`, which has no `b`"),
        ("list[2]=3", "list has 2 entries, so there is no [2]; count from 0"),
        ("list.first=3", "list is a list, which has no `first`; write a number, as in list[0]"),
        ("map[\"haed\"].pool=3", "map has no entry `haed`; did you mean `head`?"),
        ("[3]=3", "the document has fields, not `[3]`"),
        ("a-b=3", "expected `:`"),
    ] {
        let message = refusal(text, assignment);
        assert!(message.contains(expected), "{assignment}: {message}");
    }
}

#[test]
fn a_fault_in_a_set_value_is_shown_in_the_changed_text_with_the_assignment() {
    let mut document = Document::new("x.ron", "(\n    training: (epochs: 10),\n)");
    document.set("sizes=[1]").unwrap_or_else(|error| panic!("{error}"));
    document.set("training.epoch=3").unwrap_or_else(|error| panic!("{error}"));
    document.set("sizes[0]=2").unwrap_or_else(|error| panic!("{error}"));
    let faults = document.parse::<Experiment>().expect_err("epoch is no field");
    assert_eq!(
        document.error(faults, false).to_string(),
        "error: training has no field `epoch`
 --> x.ron:2:28
  |
2 |     training: (epochs: 10, epoch: 3), sizes: [2],
  |                            ^^^^^
  |
  = help: did you mean `epochs`?
  = note: written by --set training.epoch=3

1 fault in x.ron"
    );
}

#[test]
fn a_fault_that_was_not_set_is_not_blamed_on_an_assignment() {
    let mut document = Document::new("x.ron", "(trainin: 1)");
    document.set("sizes=[1]").unwrap_or_else(|error| panic!("{error}"));
    let faults = document.parse::<Experiment>().expect_err("trainin is no field");
    let message = document.error(faults, false).to_string();
    assert!(message.contains("did you mean `training`?") && !message.contains("--set"), "{message}");
}

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
    let mut report = Report::new(false);
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
    assert!(Report::new(false).finish().is_ok());
}

#[test]
fn colours_are_for_terminals_only() {
    let document = Document::new("x.ron", "(x: 1)");
    let fault = || [document.locate(&Fault::new("x", "wrong", "mend it"))];
    assert!(!document.error(fault(), false).to_string().contains('\u{1b}'));
    assert!(document.error(fault(), true).to_string().contains('\u{1b}'));
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

/// Pieces that RON texts are made of, right and wrong.
const PIECES: &[&str] = &[
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "a: ",
    "\"k\": ",
    "Name",
    "Name(",
    "r#raw",
    "true",
    "None",
    "inf",
    "-inf",
    "1",
    "-2.5e3",
    "0x1F",
    "1_000",
    "1..=2",
    "7u8",
    "'x'",
    "'\\''",
    "'\\u{41}'",
    "b'x'",
    "\"text\"",
    "\"\\\"\"",
    "\"\\q\"",
    "\"",
    "r\"\\\"",
    "r#\"\"\"#",
    "r##\"\"#\"##",
    "b\"x\"",
    "br#\"x\"#",
    "//c\n",
    "/* /* */ */",
    "/*",
    " ",
    "\n",
    "é",
    "é: ",
    "#![enable(implicit_some)]",
    "..",
    "+",
    "_",
    "\u{2028}",
];

fn soup() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..12).prop_map(|pieces| pieces.concat())
}

/// Texts that are RON by construction.
fn value() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(
        &[
            "1",
            "-2.5e3",
            "0x1F",
            "1_000",
            "'\\''",
            "\"a \\\" ) b\"",
            "r#\"a \" ( b\"#",
            "true",
            "HardTanh",
            "()",
            "b\"x\"",
        ][..],
    )
    .prop_map(str::to_string);
    leaf.prop_recursive(4, 24, 4, |inner| {
        let gap = prop::sample::select(&["", " ", " // ) c\n", "/* ( /* , */ */"][..]);
        let several = prop::collection::vec((inner, gap), 0..4);
        let comma = prop::sample::select(&["", ","][..]);
        (several, comma, 0..5).prop_map(|(several, comma, form)| {
            let entry = |(index, (value, gap)): (usize, &(String, &str))| match form {
                0 | 1 => format!("f{index}{gap}:{gap}{value}"),
                2 => format!("{gap}\"k{index}\"{gap}: {value}{gap}"),
                _ => format!("{gap}{value}{gap}"),
            };
            let inside = several.iter().enumerate().map(entry).collect::<Vec<_>>().join(",");
            let comma = if several.is_empty() { "" } else { comma };
            match form {
                0 => format!("({inside}{comma})"),
                1 => format!("Name ({inside}{comma})"),
                2 => format!("{{{inside}{comma}}}"),
                3 => format!("[{inside}{comma}]"),
                _ => format!("Name({inside}{comma})"),
            }
        })
    })
}

fn is_ron(text: &str) -> bool {
    ron::from_str::<ron::Value>(text).is_ok()
}

fn has_outline(text: &str) -> bool {
    Document::new("x.ron", text).span("").is_some()
}

/// Reads, sets and renders whatever it is given.
fn exercise(text: &str, place: &str, new: &str) {
    let mut document = Document::new("x.ron", text);
    let faults = document.parse::<Experiment>().err().unwrap_or_default();
    let located = document.locate(&Fault::new(place, "problem", "remedy"));
    assert!(document.text().get(located.span.clone()).is_some());
    let _ = document.error(faults.into_iter().chain([located]), false).to_string();
    if document.set(&format!("{place}={new}")).is_ok() {
        assert!(document.span("").is_some(), "a set document is RON: {}", document.text());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_document_panic(text in any::<String>(), place in any::<String>(), new in any::<String>()) {
        exercise(&text, &place, &new);
    }

    #[test]
    fn no_soup_of_tokens_makes_a_document_panic(text in soup(), new in soup()) {
        for place in ["", "a", "a.b", "[0]", "k[0].x"] {
            exercise(&text, place, &new);
        }
    }

    #[test]
    fn the_outline_agrees_with_ron_on_any_soup_of_tokens(text in soup()) {
        prop_assert_eq!(has_outline(&text), is_ron(&text), "{:?}", text);
    }

    #[test]
    fn the_outline_agrees_with_ron_on_texts_cut_anywhere(text in value(), cut in any::<prop::sample::Index>()) {
        prop_assert!(is_ron(&text) && has_outline(&text), "{:?}", text);
        let (end, _) = text.char_indices().nth(cut.index(text.chars().count())).unwrap_or((0, ' '));
        let text = &text[..end];
        prop_assert_eq!(has_outline(text), is_ron(text), "{:?}", text);
    }

    #[test]
    fn what_is_set_is_what_is_found(text in value(), new in value()) {
        let mut document = Document::new("x.ron", format!("(before: 0, a: {text}, after: 1)"));
        document.set(&format!("a={new}")).unwrap_or_else(|error| panic!("{error}"));
        let found = at(&document, "a");
        prop_assert_eq!(&found, new.trim());
        prop_assert_eq!((at(&document, "before"), at(&document, "after")), ("0".to_string(), "1".to_string()));
        if document.set("a.new.field=3").is_ok() {
            prop_assert_eq!(at(&document, "a.new.field"), "3");
        }
    }
}
