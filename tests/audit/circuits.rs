//! What the audit says of known circuits: the paper's rows, each loss, optimiser and wiring.

use std::path::Path;

use synlocal::audit::{Audit, Engine, Kind, read};
use synlocal::lint::{Constraint, Level, Lint, Policy, Preset};
use synlocal::simulation::Experiment;

use crate::{examine, experiment, found};

/// A small network with a head for each of its two blocks.
const BLOCKS: &str = r#"Experiment(
    network: Network(
        units: {
            "retina": Input(channels: 2, height: 8, width: 8),
            "v1": Unit(pool: Max(2), transfer: HardTanh), "h1": Unit(),
            "v2": Unit(pool: Max(2), transfer: HardTanh), "head": Unit(),
        },
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 3, kernel: 3, pad: 1)),
            (from: "v1", to: "h1", map: Dense(units: 6)),
            (from: "v1", to: "v2", map: Conv(channels: 4, kernel: 3, pad: 1)),
            (from: "v2", to: "head", map: Dense(units: 6)),
        ],
        blocks: [(units: ["v1"], head: "h1"), (units: ["v2"], head: "head")],
    ),
    learning: (rule: Urf, loss: ContrastiveHinge(negatives: Stored(4)), optimizer: Sgd(rate: 1e-3)),
    data: Objects(images: 8, test_images: 1),
    training: (pairs: 500, epochs: 1),
)"#;

/// The same without the head of the lower block.
fn undivided() -> String {
    let alone =
        BLOCKS.replace(", \"h1\": Unit(),", ",").replace("(from: \"v1\", to: \"h1\", map: Dense(units: 6)),", "");
    alone.replace("blocks: [(units: [\"v1\"], head: \"h1\"), (units: [\"v2\"], head: \"head\")],", "")
}

fn audited(set: &[&str]) -> Audit {
    let audit = examine(&experiment(BLOCKS, set), Policy::default(), &Engine);
    assert_eq!(audit.disagreements, [""; 0], "{set:?}");
    audit
}

/// The constraints that are broken.
fn broken(audit: &Audit) -> Vec<&'static str> {
    let denied = |constraint: &Constraint| {
        audit.findings.iter().any(|finding| finding.constraint == *constraint && finding.level == Level::Deny)
    };
    Constraint::ALL.into_iter().filter(denied).map(Constraint::number).collect()
}

#[test]
fn bp_breaks_asymmetry_end_to_end_and_at_the_heads_of_blocks_and_other_feedback_does_not() {
    assert_eq!(broken(&audited(&["learning.rule=Bp"])), ["(iii)"]);
    for rule in ["Rf", "Urf", "Sign"] {
        for staging in ["EndToEnd", "Greedy", "Random()"] {
            let audit = audited(&[&format!("learning.rule={rule}"), &format!("learning.staging={staging}")]);
            assert_eq!(broken(&audit), [""; 0], "{rule} {staging}: {:#?}", audit.findings);
            assert!(audit.clean);
        }
    }
    for staging in ["Greedy", "Random()"] {
        let audit = audited(&["learning.rule=Bp", &format!("learning.staging={staging}")]);
        let heads = found(&audit, Lint::WeightTransport, Kind::Feedback);
        assert_eq!(heads.into_iter().collect::<Vec<_>>(), ["h1->v1", "head->v2"]);
        let transport = audit.findings.iter().find(|finding| finding.part.name == "h1->v1").unwrap();
        assert_eq!(transport.reaches, ["retina->v1"], "only what stands below the head hears of it");
    }
}

#[test]
fn feedback_that_comes_near_the_forward_weights_by_learning_is_no_copy() {
    let audit = audited(&["learning.optimizer=Sgd(rate: 1.0)"]);
    assert!(audit.angles.iter().any(|angle| angle.degrees[1] < 20.0), "{:?}", audit.angles);
    assert!(found(&audit, Lint::SymmetricFeedback, Kind::Feedback).is_empty());
}

#[test]
fn the_smallest_heads_are_audited_too() {
    for loss in ["NtXent()", "BarlowTwins()", "MulticlassHinge()", "CrossEntropy()", "ContrastiveHinge()"] {
        audited(&[&format!("learning.loss={loss}"), "network.feedforward[3].map=Dense(units: 1)"]);
    }
}

#[test]
fn blocks_that_learn_apart_wait_for_nobody_and_all_at_once_do() {
    for staging in ["Greedy", "Random()"] {
        let audit = audited(&[&format!("learning.staging={staging}")]);
        assert!(found(&audit, Lint::UpdateLocking, Kind::Feedforward).is_empty(), "{:#?}", audit.findings);
    }
    let waiting = found(&audited(&[]), Lint::UpdateLocking, Kind::Feedforward);
    assert_eq!(waiting.into_iter().collect::<Vec<_>>(), ["retina->v1"]);
}

#[test]
fn four_stored_negatives_pass_memory_and_all_of_a_batch_do_not() {
    let audit = audited(&[]);
    assert_eq!((audit.memories[0].items, audit.memories[0].back, audit.memories[0].ahead), (5, 4, 0));
    assert!(found(&audit, Lint::Memory, Kind::Loss).is_empty());
    let audit = audited(&["learning.loss=ContrastiveHinge(negatives: All)"]);
    assert_eq!((audit.memories[0].items, audit.memories[0].back, audit.memories[0].ahead), (500, 499, 499));
    for lint in [Lint::Memory, Lint::FutureRead, Lint::BothViews] {
        assert!(!found(&audit, lint, Kind::Loss).is_empty(), "{lint}");
    }
    assert_eq!(broken(&audit), ["(i)"]);
    // More than can be traced item by item is measured.
    let audit = audited(&["learning.loss=ContrastiveHinge(negatives: Stored(40))"]);
    assert_eq!((audit.memories[0].items, audit.memories[0].back, audit.memories[0].ahead), (41, 40, 0));
    let audit = audited(&["learning.loss=ContrastiveHinge(negatives: Stored(400))"]);
    assert_eq!((audit.memories[0].items, audit.memories[0].back, audit.memories[0].ahead), (401, 400, 0));
    let audit = audited(&["learning.loss=ContrastiveHinge(negatives: Stored(8))"]);
    assert_eq!(broken(&audit), ["(i)"], "nine items are more than eight");
}

#[test]
fn each_loss_breaks_the_constraints_that_its_arithmetic_breaks() {
    for (loss, constraints) in [
        ("ContrastiveHinge()", &[][..]),
        ("L1Positive()", &[]),
        ("L1Margin()", &["(i)"]),
        ("ContrastiveHingeMean()", &["(i)", "(ii)"]),
        ("NtXent()", &["(i)", "(ii)"]),
        ("BarlowTwins()", &["(i)", "(ii)"]),
        ("CrossEntropy()", &["(ii)", "(iv)"]),
        ("MulticlassHinge()", &["(iv)"]),
    ] {
        let audit = audited(&[&format!("learning.loss={loss}")]);
        assert_eq!(broken(&audit), constraints, "{loss}: {:#?}", audit.findings);
    }
    let head = "network.feedforward[2].map=Conv(channels: 4, kernel: 1)";
    let clapp = experiment(&undivided(), &["learning.loss=Clapp()", head]);
    let audit = examine(&clapp, Policy::default(), &Engine);
    assert_eq!(broken(&audit), ["(ii)"], "{:#?}", audit.findings);
    assert_eq!(found(&audit, Lint::InnerProduct, Kind::Loss).len(), 1);
}

#[test]
fn adam_divides_and_sgd_does_not() {
    for (optimizer, constraints) in
        [("Adam()", &["(ii)"][..]), ("Sgd(rate: 1e-3)", &[]), ("Sgd(rate: 1e-3, momentum: 0.9)", &[])]
    {
        let audit = audited(&[&format!("learning.optimizer={optimizer}")]);
        assert_eq!(broken(&audit), constraints, "{optimizer}: {:#?}", audit.findings);
        let divides = audit.findings.iter().find(|finding| finding.lint == Lint::Division);
        assert_eq!(divides.map(|finding| finding.evidence.len() >= 2), constraints.first().map(|_| true), "both kinds");
    }
}

#[test]
fn the_transported_top_of_target_propagation_is_found_there_and_nowhere_else() {
    let with = |top: &str| {
        let targets = format!("learning.targets=(top: {top}, inverse_optimizer: Sgd(rate: 1e-3))");
        let audit = examine(&experiment(&undivided(), &["learning.rule=Dtp", &targets]), Policy::default(), &Engine);
        assert_eq!(audit.disagreements, [""; 0], "{top}");
        audit
    };
    let audit = with("Transported");
    let places: Vec<&str> = audit
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Deny)
        .map(|finding| finding.part.name.as_str())
        .collect();
    assert_eq!(places, ["head->v2"], "{:#?}", audit.findings);
    assert_eq!(found(&audit, Lint::TopGradient, Kind::Feedback).into_iter().collect::<Vec<_>>(), ["head->v2"]);
    for top in ["Fixed", "Learned"] {
        let audit = with(top);
        assert!(audit.clean, "{top}: {:#?}", audit.findings);
    }
}

#[test]
fn local_circuits_pass_strictly() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks/local");
    let mut unshared = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let experiment = Experiment::load(&file, &[]).unwrap_or_else(|error| panic!("{error}"));
        let policy = Policy { preset: Preset::Strict, ..Policy::default() };
        assert_eq!(experiment.policy(), Some(&policy), "{}", file.display());
        let audit = examine(&experiment, policy.clone(), &Engine);
        assert!(audit.clean, "{}: {:#?}", file.display(), audit.findings);
        assert!(audit.findings.iter().all(|finding| finding.level < Level::Deny));
        assert!(read(&experiment, &policy).unwrap().clean);
        unshared += usize::from(found(&audit, Lint::WeightSharing, Kind::Feedforward).is_empty());
    }
    assert!(unshared > 0);
}

#[test]
fn a_plan_that_is_only_read_tells_what_needs_no_run() {
    let audit =
        read(&experiment(BLOCKS, &["learning.rule=Bp", "learning.optimizer=Adam()"]), &Policy::default()).unwrap();
    assert_eq!(broken(&audit), ["(ii)", "(iii)"]);
    assert!(!audit.run && audit.checks.blinded == 0);
}

#[test]
fn what_is_denied_and_no_plan_tells_is_judged_by_a_run() {
    for lint in [Lint::SignedError, Lint::MixedSigns] {
        let levels = [(lint.name().to_string(), Level::Deny)].into();
        let audit = read(&experiment(BLOCKS, &[]), &Policy { levels, ..Policy::default() }).unwrap();
        assert!(audit.run && !audit.clean, "{lint}");
        assert!(audit.findings.iter().all(|finding| finding.lint == lint || finding.level < Level::Deny));
    }
}
