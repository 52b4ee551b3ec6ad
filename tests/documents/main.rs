//! RON documents: where values stand, how they are set from outside, and what is said about texts that are wrong.

mod assignments;
mod faults;
mod random;

use serde::Deserialize;
use synlocal::document::Document;

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
    document.error(faults).to_string()
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
