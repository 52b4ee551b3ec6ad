//! The audit: what it finds, by which evidence, and that its kinds of evidence agree.

use std::collections::BTreeSet;
use std::fs;

use synlocal::audit::{Audit, Engine, Kind, Options, Subject, audit};
use synlocal::kernels::Isa;
use synlocal::lint::{Lint, Policy};
use synlocal::network::Wiring;
use synlocal::simulation::Experiment;

#[path = "audit/random.rs"]
mod random;

fn examine(experiment: &Experiment, policy: Policy, subject: &dyn Subject) -> Audit {
    let options = Options { policy, run: true, pairs: 6, isa: Isa::best() };
    audit(experiment, &options, subject).unwrap_or_else(|error| panic!("{error}"))
}

/// Names of the parts of a kind about which something is found.
fn found(audit: &Audit, lint: Lint, kind: Kind) -> BTreeSet<String> {
    let findings = audit.findings.iter().filter(|finding| finding.lint == lint && finding.part.kind == kind);
    findings.map(|finding| finding.part.name.clone()).collect()
}

#[test]
fn data_flow_and_runs_agree_on_random_circuits_and_weight_transport_is_found_where_it_is() {
    const CIRCUITS: usize = 500;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("circuit.ron");
    let (mut legal, mut compared, mut transported) = (0, 0, 0);
    for number in 0.. {
        assert!(number < 4 * CIRCUITS as u64, "only {legal} of {number} circuits are legal");
        let text = random::circuit(number);
        fs::write(&file, &text).unwrap();
        let Ok(experiment) = Experiment::load(&file, &[]) else { continue };
        let audit = examine(&experiment, Policy::default(), &Engine);
        assert_eq!(audit.disagreements, [""; 0], "circuit {number}: {text}");
        assert_eq!(found(&audit, Lint::UndeclaredAccess, Kind::Feedback), BTreeSet::new(), "{text}");
        for lint in [Lint::UndeclaredAccess, Lint::NonLocalRead, Lint::ForeignWeights, Lint::OtherItems] {
            let wrong: Vec<_> = audit.findings.iter().filter(|finding| finding.lint == lint).collect();
            assert!(wrong.is_empty(), "circuit {number}: {text}\n{wrong:#?}");
        }
        let network = experiment.network();
        let useful = network.feedback().iter().filter(|ends| network.needs_error(ends.to) && ends.map.has_weights());
        let lent = useful.filter(|ends| ends.wiring == Wiring::Transported).map(|ends| ends.name.clone());
        let lent: BTreeSet<String> = lent.collect();
        assert_eq!(found(&audit, Lint::WeightTransport, Kind::Feedback), lent, "circuit {number}: {text}");
        legal += 1;
        compared += audit.checks.compared;
        transported += lent.len();
        if legal == CIRCUITS {
            break;
        }
    }
    assert!(compared > 20 * CIRCUITS && transported > CIRCUITS / 4, "{compared} pairs, {transported} transported");
}
