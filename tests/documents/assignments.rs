//! Values that are set from outside.

use synlocal::Error;
use synlocal::document::Document;

use crate::{EXPERIMENT, Experiment, Optimizer, Training};

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
        document.error(faults).to_string(),
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
    let message = document.error(faults).to_string();
    assert!(message.contains("did you mean `training`?") && !message.contains("--set"), "{message}");
}
