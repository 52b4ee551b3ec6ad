//! Networks from RON: what a sound description becomes, and what is said about each thing that can be wrong with one.

mod blocks;
mod connections;
mod feedback;
mod numbers;
mod sound;
mod sources;
mod together;

use synlocal::document::Document;
use synlocal::network::{Network, NetworkSpec, Teaching, Wiring};

fn read(text: &str) -> (Document, NetworkSpec) {
    let document = Document::new("net.ron", text);
    let spec = document.parse();
    let spec = spec.unwrap_or_else(|faults| panic!("{}", document.error(faults)));
    (document, spec)
}

fn build(text: &str, wiring: Option<Wiring>) -> Network {
    let (document, spec) = read(text);
    Network::build(&spec, Teaching { wiring, ..Teaching::default() })
        .unwrap_or_else(|faults| panic!("{}", document.error(faults.iter().map(|fault| document.locate(fault)))))
}

/// All faults of a network file, as they are shown; with the number of them.
fn faults_of(text: &str, wiring: Option<Wiring>, heads: Option<&[&str]>) -> (String, usize) {
    let (document, spec) = read(text);
    let heads: Option<Vec<String>> = heads.map(|heads| heads.iter().map(|head| head.to_string()).collect());
    let teaching = Teaching { wiring, heads: heads.as_deref(), ..Teaching::default() };
    let faults = Network::build(&spec, teaching).expect_err(text);
    (document.error(faults.iter().map(|fault| document.locate(fault))).to_string(), faults.len())
}

/// The only fault of a network with these units, feedforward and feedback projections.
fn fault(units: &str, feedforward: &str, feedback: &str, wiring: Option<Wiring>) -> String {
    let text = network(units, feedforward, feedback);
    let (message, count) = faults_of(&text, wiring, None);
    assert_eq!(count, 1, "{message}");
    assert!(message.ends_with("\n1 fault in net.ron"), "{message}");
    message
}

fn network(units: &str, feedforward: &str, feedback: &str) -> String {
    format!("Network(\n    units: {{{units}}},\n    feedforward: [{feedforward}],\n    feedback: [{feedback}],\n)")
}

/// Demands that a message says `problem` and `remedy`, with carets under just `marked`.
#[track_caller]
fn assert_says(message: &str, problem: &str, marked: &str, remedy: &str) {
    assert!(message.contains(&format!("error: {problem}\n")), "{problem}\nis not the problem of\n{message}");
    assert!(message.contains(&format!("= help: {remedy}\n")), "{remedy}\nis not the remedy of\n{message}");
    let block = message.split("error: ").find(|block| block.starts_with(problem)).unwrap_or_default();
    let lines: Vec<&str> = block.lines().collect();
    let carets = lines.iter().position(|line| line.contains('^')).unwrap_or_else(|| panic!("no caret in {message}"));
    let columns: Vec<usize> = lines[carets].char_indices().filter(|(_, c)| *c == '^').map(|(at, _)| at).collect();
    assert_eq!(&lines[carets - 1][columns[0]..columns[0] + columns.len()], marked, "{message}");
}

const UNITS: &str = r#""eye": Input(channels: 3, height: 8, width: 8), "v1": Unit(), "v2": Unit(), "head": Unit()"#;
const CHAIN: &str = r#"
        (from: "eye", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
        (from: "v1", to: "v2", map: Conv(channels: 4, kernel: 3, pad: 1)),
        (from: "v2", to: "head", map: Dense(units: 10)),"#;
