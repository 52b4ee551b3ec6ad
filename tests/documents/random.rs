//! Texts drawn at random: none makes a document panic, and all are judged as `ron` judges them.

use proptest::prelude::*;
use synlocal::document::Document;
use synlocal::fault::Fault;

use crate::{Experiment, at};

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
    let _ = document.error(faults.into_iter().chain([located])).to_string();
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
