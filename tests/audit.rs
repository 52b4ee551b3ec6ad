//! The audit: what it finds, by which evidence, and that its kinds of evidence agree.

use std::collections::BTreeSet;
use std::fs;

use rayon::prelude::*;
use synlocal::audit::{Audit, Engine, Kind, Options, Subject, audit};
use synlocal::kernels::Isa;
use synlocal::lint::{Lint, Policy};
use synlocal::network::Wiring;
use synlocal::simulation::Experiment;

#[path = "audit/circuits.rs"]
mod circuits;
#[path = "audit/planted.rs"]
mod planted;
#[path = "audit/random.rs"]
mod random;

/// Circuits that are drawn; some are not legal.
const CANDIDATES: u64 = 620;

fn examine(experiment: &Experiment, policy: Policy, subject: &dyn Subject) -> Audit {
    let options = Options { policy, run: true, pairs: 6, isa: Isa::best() };
    audit(experiment, &options, subject).unwrap_or_else(|error| panic!("{error}"))
}

fn experiment(text: &str, set: &[&str]) -> Experiment {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("circuit.ron");
    fs::write(&file, text).unwrap();
    let set: Vec<String> = set.iter().map(|set| set.to_string()).collect();
    Experiment::load(&file, &set).unwrap_or_else(|error| panic!("{error}"))
}

/// Names of the parts of a kind about which something is found.
fn found(audit: &Audit, lint: Lint, kind: Kind) -> BTreeSet<String> {
    let findings = audit.findings.iter().filter(|finding| finding.lint == lint && finding.part.kind == kind);
    findings.map(|finding| finding.part.name.clone()).collect()
}

/// What was checked of a random circuit.
struct Audited {
    /// Pairs of quantity and update.
    compared: usize,
    /// Those of them of which a run told nothing.
    untested: usize,
    /// Feedback projections through which weights are transported.
    transported: usize,
}

/// Audits one random circuit, if it is legal.
fn random_circuit(number: u64) -> Option<Audited> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("circuit.ron");
    let text = random::circuit(number);
    fs::write(&file, &text).unwrap();
    let experiment = Experiment::load(&file, &[]).ok()?;
    let audit = examine(&experiment, Policy::default(), &Engine);
    assert_eq!(audit.disagreements, [""; 0], "circuit {number}: {text}");
    for lint in [Lint::UndeclaredAccess, Lint::NonLocalRead, Lint::ForeignWeights, Lint::OtherItems] {
        let wrong: Vec<_> = audit.findings.iter().filter(|finding| finding.lint == lint).collect();
        assert!(wrong.is_empty(), "circuit {number}: {text}\n{wrong:#?}");
    }
    let network = experiment.network();
    let useful = network.feedback().iter().filter(|ends| network.needs_error(ends.to) && ends.map.has_weights());
    let lent = useful.filter(|ends| ends.wiring == Wiring::Transported).map(|ends| ends.name.clone());
    let lent: BTreeSet<String> = lent.collect();
    assert_eq!(found(&audit, Lint::WeightTransport, Kind::Feedback), lent, "circuit {number}: {text}");
    Some(Audited { compared: audit.checks.compared, untested: audit.checks.untested, transported: lent.len() })
}

#[test]
fn data_flow_and_runs_agree_on_500_random_circuits_and_weight_transport_is_found_where_it_is() {
    let legal: Vec<Audited> = (0..CANDIDATES).into_par_iter().filter_map(random_circuit).collect();
    assert!(legal.len() >= 500, "only {} of {CANDIDATES} circuits are legal", legal.len());
    let sum = |count: fn(&Audited) -> usize| legal.iter().map(count).sum::<usize>();
    let (compared, untested) = (sum(|audited| audited.compared), sum(|audited| audited.untested));
    let transported = legal.iter().filter(|audited| audited.transported > 0).count();
    assert!(10 * untested < compared, "{untested} of {compared} pairs are untested");
    assert!(compared > 20 * legal.len() && transported > legal.len() / 5, "{compared} pairs, {transported} circuits");
}
