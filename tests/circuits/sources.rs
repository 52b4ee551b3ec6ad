//! Networks within experiments, or in files that experiments name.

use serde::Deserialize;
use synlocal::document::{Document, Doubts};
use synlocal::network::{Network, NetworkSource, NetworkSpec, Opened, Teaching, Wiring};

use crate::{CHAIN, UNITS, assert_says, network};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Experiment {
    network: NetworkSource,
}

fn inline(network: &str) -> (Document, Result<Experiment, String>) {
    let document = Document::new("experiment.ron", format!("Experiment(\n    network: {network},\n)"));
    let parsed = document.parse().map_err(|faults| document.error(faults).to_string());
    (document, parsed)
}

fn open(document: &Document, experiment: Result<Experiment, String>) -> Opened {
    let experiment = experiment.unwrap_or_else(|error| panic!("{error}"));
    experiment.network.open(document, "network", &Doubts::default()).unwrap_or_else(|fault| panic!("{fault:?}"))
}

fn spec(opened: &Opened) -> &NetworkSpec {
    opened.survey.description.as_ref().expect("a description")
}

#[test]
fn an_experiment_holds_its_network_or_names_its_file() {
    let (document, experiment) = inline(&network(UNITS, CHAIN, ""));
    let opened = open(&document, experiment);
    assert_eq!((spec(&opened).units.len(), opened.document.is_none()), (4, true));
    assert_eq!(document.span("network.feedforward[1].map.kernel").map(|span| &document.text()[span]), Some("3"));

    let folder = tempfile::tempdir().expect("a folder for the test");
    std::fs::create_dir(folder.path().join("networks")).expect("a folder for the test");
    let path = folder.path().join("experiment.ron");
    std::fs::write(&path, "Experiment(network: \"networks/small.ron\")").expect("a file for the test");
    let open = || {
        let document = Document::read(&path).unwrap_or_else(|error| panic!("{error}"));
        let experiment: Experiment = document.parse().unwrap_or_else(|faults| panic!("{faults:?}"));
        experiment.network.open(&document, "network", &Doubts::default())
    };
    let file = folder.path().join("networks/small.ron");
    let missing = open().expect_err("no network file yet");
    assert_eq!(
        (missing.place, missing.problem),
        ("network".into(), format!("there is no network file {}", file.display()))
    );
    std::fs::write(&file, network(UNITS, CHAIN, "")).expect("a file for the test");
    let opened = open().unwrap_or_else(|fault| panic!("{fault:?}"));
    assert_eq!(spec(&opened).feedforward.len(), 3);
    assert_eq!(opened.document.expect("the network's own document").name(), file.display().to_string());
    std::fs::write(&file, "Network(units: {}, feedforwards: [])").expect("a file for the test");
    let opened = open().unwrap_or_else(|fault| panic!("{fault:?}"));
    let problems: Vec<_> = opened.survey.faults.iter().map(|fault| fault.problem.as_str()).collect();
    assert_eq!(problems, ["Network has no field `feedforwards`"]);
    std::fs::write(&file, b"Network(\xff)").expect("a file for the test");
    let fault = open().expect_err("not UTF-8");
    assert!(fault.place == "network" && fault.problem.contains("byte 8 is not UTF-8 text"), "{fault:?}");
}

#[test]
fn faults_of_an_inline_network_are_shown_where_the_experiment_holds_it() {
    let (document, experiment) = inline(&network(UNITS, &CHAIN.replace("to: \"head\"", "to: \"hea\""), ""));
    let opened = open(&document, experiment);
    let faults = Network::build(spec(&opened), Teaching::wired(Wiring::Fixed)).expect_err("there is no hea");
    let located = faults.into_iter().map(|fault| document.locate(&fault.within("network")));
    let message = document.error(located).to_string();
    assert_says(&message, "projection v2->hea: there is no unit `hea`", "\"hea\"", "did you mean `head`?");
    assert!(message.contains("experiment.ron:7:26"), "{message}");
}

#[test]
fn what_is_no_network_says_so() {
    for (text, problem, line) in [
        ("Network(units: {}, feedforward: [], feedbak: [])", "Network has no field `feedbak`", "2:50"),
        ("Network(feedforward: [])", "Network lacks the field `units`", "2:14"),
        ("3", "expected `Network(...)` or the path of a file that holds one, in quotes", "2:14"),
        ("Network(units: {\"v1\": Unt()}, feedforward: [])", "there is no unit `Unt`", "2:36"),
    ] {
        let message = inline(text).1.expect_err(text);
        assert!(message.contains(problem) && message.contains(&format!("experiment.ron:{line}")), "{text}: {message}");
        assert!(message.ends_with("1 fault in experiment.ron"), "{message}");
    }
    let message = inline("Network()").1.expect_err("nothing in it");
    for field in ["units", "feedforward"] {
        assert_says(
            &message,
            &format!("Network lacks the field `{field}`"),
            "Network()",
            &format!("add `{field}: ...`"),
        );
    }
    assert!(message.ends_with("2 faults in experiment.ron"), "{message}");
    let (document, experiment) = inline("Netwrok(units: {}, feedforward: [])");
    let message = document.error(open(&document, experiment).survey.faults).to_string();
    assert_says(
        &message,
        "expected `Network(...)`, found `Netwrok(...)`",
        "Netwrok(units: {}, feedforward: [])",
        "write `Network`",
    );
}
