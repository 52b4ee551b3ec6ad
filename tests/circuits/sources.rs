//! Networks within experiments, or in files that experiments name.

use serde::Deserialize;
use synlocal::Error;
use synlocal::document::Document;
use synlocal::network::{Network, NetworkSource, Teaching, Wiring};

use crate::{CHAIN, UNITS, assert_says, network};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Experiment {
    network: NetworkSource,
}

fn inline(network: &str) -> (Document, Result<Experiment, String>) {
    let document = Document::new("experiment.ron", format!("Experiment(\n    network: {network},\n)"));
    let parsed = document.parse().map_err(|faults| document.error(faults, false).to_string());
    (document, parsed)
}

#[test]
fn an_experiment_holds_its_network_or_names_its_file() {
    let (document, experiment) = inline(&network(UNITS, CHAIN, ""));
    let (spec, file) = experiment
        .unwrap_or_else(|e| panic!("{e}"))
        .network
        .open(&document, "network", false)
        .unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((spec.units.len(), file.is_none()), (4, true));
    assert_eq!(document.span("network.feedforward[1].map.kernel").map(|span| &document.text()[span]), Some("3"));

    let folder = tempfile::tempdir().expect("a folder for the test");
    std::fs::create_dir(folder.path().join("networks")).expect("a folder for the test");
    let path = folder.path().join("experiment.ron");
    std::fs::write(&path, "Experiment(network: \"networks/small.ron\")").expect("a file for the test");
    let open = || {
        let document = Document::read(&path).unwrap_or_else(|error| panic!("{error}"));
        let experiment: Experiment = document.parse().unwrap_or_else(|faults| panic!("{faults:?}"));
        experiment.network.open(&document, "network", false)
    };
    let missing = open().expect_err("no network file yet").to_string();
    assert!(missing.contains("networks/small.ron: there is no such network file; "), "{missing}");
    let file = folder.path().join("networks/small.ron");
    std::fs::write(&file, network(UNITS, CHAIN, "")).expect("a file for the test");
    let (spec, document) = open().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(spec.feedforward.len(), 3);
    assert_eq!(document.expect("the network's own document").name(), file.display().to_string());
    std::fs::write(&file, "Network(units: {}, feedforwards: [])").expect("a file for the test");
    let error = open().expect_err("a misspelt field");
    assert!(matches!(error, Error::Circuit(_)));
    let message = error.to_string();
    assert!(message.contains("Network has no field `feedforwards`") && message.contains("small.ron:1:20"), "{message}");
}

#[test]
fn faults_of_an_inline_network_are_shown_where_the_experiment_holds_it() {
    let (document, experiment) = inline(&network(UNITS, &CHAIN.replace("to: \"head\"", "to: \"hea\""), ""));
    let (spec, _) = experiment
        .unwrap_or_else(|e| panic!("{e}"))
        .network
        .open(&document, "network", false)
        .unwrap_or_else(|e| panic!("{e}"));
    let faults = Network::build(&spec, Teaching::wired(Wiring::Fixed)).expect_err("there is no hea");
    let located = faults.into_iter().map(|fault| document.locate(&fault.within("network")));
    let message = document.error(located, false).to_string();
    assert_says(&message, "projection v2->hea: there is no unit `hea`", "\"hea\"", "did you mean `head`?");
    assert!(message.contains("experiment.ron:7:26"), "{message}");
}

#[test]
fn what_is_no_network_says_so() {
    for (text, problem, line) in [
        ("Network(units: {}, feedforward: [], feedbak: [])", "Network has no field `feedbak`", "2:50"),
        ("Network(feedforward: [])", "Network lacks the field `units`", "2:14"),
        ("Network()", "lacks the field `units`", "2:14"),
        ("3", "expected `Network(...)` or the path of a file that holds one, in quotes", "2:14"),
        ("Network(units: {\"v1\": Unt()}, feedforward: [])", "there is no unit `Unt`", "2:36"),
    ] {
        let message = inline(text).1.expect_err(text);
        assert!(message.contains(problem) && message.contains(&format!("experiment.ron:{line}")), "{text}: {message}");
        assert!(message.ends_with("1 fault in experiment.ron"), "{message}");
    }
    let (document, experiment) = inline("Netwrok(units: {}, feedforward: [])");
    let error = experiment.unwrap_or_else(|e| panic!("{e}")).network.open(&document, "network", false);
    let message = error.expect_err("a misspelt name").to_string();
    assert_says(
        &message,
        "expected `Network(...)`, found `Netwrok(...)`",
        "Netwrok(units: {}, feedforward: [])",
        "write `Network`",
    );
}
