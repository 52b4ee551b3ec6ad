//! Units joined one to one: the same bits as through a fixed convolution of identity weights, and no weights to see.

use std::path::Path;

use super::maps::{SMALL, build};
use super::*;

/// Relays from an input into a max pool, from a unit into mean pools under every transfer function, and beside a
/// convolution as a skip, before or after it.
pub(super) const RELAYS: &str = r#"Network(
    units: {
        "eye": Input(channels: 2, height: 7, width: 7),
        "e1": Unit(pool: Max(2)),
        "v1": Unit(transfer: Tanh),
        "p1": Unit(pool: Mean(2), transfer: HardTanh),
        "p2": Unit(pool: Mean(3), transfer: Relu),
        "v2": Unit(pool: Mean(2), transfer: Tanh),
        "v3": Unit(transfer: HardTanh),
        "p3": Unit(pool: Mean(2)),
        "head": Unit(),
    },
    feedforward: [
        (from: "eye", to: "v1", map: Conv(channels: 17, kernel: 3, pad: 1, bias: true)),
        (from: "eye", to: "e1", map: OneToOne),
        (from: "v1", to: "p1", map: OneToOne),
        (from: "v1", to: "p2", map: OneToOne),
        (from: "v1", to: "v2", map: Conv(channels: 17, kernel: 3, pad: 1)),
        (from: "v1", to: "v2", map: OneToOne, name: "skip"),
        (from: "p1", to: "v3", map: OneToOne),
        (from: "v2", to: "v3", map: Conv(channels: 17, kernel: 3, pad: 1)),
        (from: "v3", to: "p3", map: OneToOne),
        (from: "p3", to: "head", map: Dense(units: 8)),
        (from: "p2", to: "head", map: Dense(units: 8)),
        (from: "e1", to: "head", map: Dense(units: 8)),
    ],
)"#;

/// Names and channels of the relays.
const JOINED: [(&str, &str, usize); 6] =
    [("eye", "e1", 2), ("v1", "p1", 17), ("v1", "p2", 17), ("v1", "skip", 17), ("p1", "v3", 17), ("v3", "p3", 17)];

fn identity(channels: usize) -> Vec<f32> {
    (0..channels * channels).map(|synapse| if synapse % (channels + 1) == 0 { 1.0 } else { 0.0 }).collect()
}

/// The circuit with a convolution of identity weights in the place of each relay.
fn convolved(rule: Rule, learning: Learning) -> Simulation {
    let conv = |channels: usize| format!("map: Conv(channels: {channels}, kernel: 1), plastic: false");
    let text = RELAYS.replacen(r#""e1", map: OneToOne"#, &format!(r#""e1", {}"#, conv(2)), 1);
    let text = text.replace("map: OneToOne", &conv(17));
    let mut simulation = Simulation::new(build(&text, rule.credit().wiring()), learning, PAIRS, 7).unwrap();
    for (from, to, channels) in JOINED {
        let (forward, back) = match to {
            "skip" => ("skip".to_string(), "v2->v1:skip".to_string()),
            _ => (format!("{from}->{to}"), format!("{to}->{from}")),
        };
        simulation.set(&format!("{forward}.weight"), &identity(channels)).unwrap();
        if simulation.get(&format!("{back}.feedback")).is_some() {
            simulation.set(&format!("{back}.feedback"), &identity(channels)).unwrap();
        }
    }
    simulation
}

fn steps(simulation: &mut Simulation) -> Vec<u64> {
    let step = |number| {
        let (stored, current) = views(number, PAIRS * SMALL);
        simulation.step(Batch::views(&stored, &current)).loss.to_bits()
    };
    (0..4).map(step).collect()
}

#[test]
fn a_relay_is_a_convolution_that_stays_the_identity() {
    for rule in [Rule::Bp, Rule::Rf, Rule::Urf, Rule::Sign] {
        let learning = learning(rule, Optimizer::adam(1e-2));
        let mut relayed = Simulation::new(build(RELAYS, rule.credit().wiring()), learning.clone(), PAIRS, 7).unwrap();
        let mut convolved = convolved(rule, learning);
        assert_eq!(steps(&mut relayed), steps(&mut convolved), "{rule:?}");
        for (name, values) in bits(&relayed) {
            let others: Vec<u32> = convolved.get(&name).unwrap().iter().map(|value| value.to_bits()).collect();
            assert_eq!(values, others, "{rule:?}: {name}");
        }
    }
}

#[test]
fn every_wiring_of_a_relays_feedback_means_the_same() {
    let after = |wiring: &str| {
        let relays = ["p3", "p2", "p1"].map(|unit| {
            let lower = if unit == "p3" { "v3" } else { "v1" };
            format!("(from: \"{unit}\", to: \"{lower}\", wiring: {wiring}),")
        });
        let skip = format!("(from: \"v2\", to: \"v1\", partner: \"skip\", wiring: {wiring})");
        let text = RELAYS.trim_end_matches(')').to_string() + &format!("feedback: [{}{skip}])", relays.concat());
        let network = build(&text, Some(Wiring::Learned));
        let mut simulation = Simulation::new(network, learning(Rule::Urf, SGD), PAIRS, 7).unwrap();
        (steps(&mut simulation), bits(&simulation))
    };
    let fixed = after("Fixed");
    for wiring in ["Learned", "Sign", "Transported"] {
        assert_eq!(fixed, after(wiring), "{wiring}");
    }
}

#[test]
fn a_relay_has_no_weights_to_keep_to_learn_or_to_transport() {
    use synlocal::locality::Place;
    use synlocal::schedule::Step;
    let new = |seed| {
        let network = build(RELAYS, Some(Wiring::Transported));
        Simulation::new(network, learning(Rule::Bp, Optimizer::adam(1e-2)), PAIRS, seed).unwrap()
    };
    let mut simulation = new(7);
    let network = simulation.network().clone();
    let relays: Vec<usize> = network
        .projection_ids()
        .filter(|id| {
            JOINED.iter().any(|(from, to, _)| [*to, &format!("{from}->{to}")].contains(&&*network.projection(*id).name))
        })
        .map(|id| id.index())
        .collect();
    assert_eq!(relays.len(), JOINED.len());
    for step in simulation.stages()[0].plan.steps() {
        let access = step.access(&network);
        let weights = |place: &Place| match *place {
            Place::Weights(id) | Place::Change(id) | Place::Moments(id) => Some(id.index()),
            _ => None,
        };
        let touched = access.reads.iter().chain(&access.writes).filter_map(weights);
        assert!(touched.filter(|id| relays.contains(id)).count() == 0, "{step:?} meets weights of a relay");
        if let Step::Learn(id, ..) | Step::Apply(id) = step {
            assert!(!relays.contains(&id.index()), "{step:?}");
        }
    }
    let lines = simulation.stages()[0].plan.lines(&network);
    let line = |verb: &str, subject: &str| {
        let line = lines.iter().find(|line| line.verb == verb && line.subject == subject).unwrap();
        (line.detail.as_str(), line.multiply_adds)
    };
    assert_eq!(line("drive", "v1->p1"), ("17x7x7 -> 17x7x7 one to one", 0));
    assert_eq!(line("drive", "skip"), ("17x7x7 -> 17x7x7 one to one, adds", 0));
    assert_eq!(line("fire", "p1"), ("17x7x7 -> 17x3x3 Mean(2) HardTanh", 0));
    assert!(line("carry", "p1->v1").0.starts_with("17x7x7 -> 17x7x7 one to one"), "{lines:?}");

    steps(&mut simulation);
    let names: Vec<String> = simulation.tensors().into_iter().map(|tensor| tensor.name).collect();
    for (from, to, _) in JOINED {
        let of_relay =
            |name: &&String| name.starts_with(&format!("{from}->{to}.")) || name.starts_with(&format!("{to}."));
        assert_eq!(names.iter().find(of_relay), None);
    }
    // What a checkpoint keeps is enough to go on to the same bits.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoint.safetensors");
    simulation.save(Path::new(&file), "relays", &Default::default()).unwrap();
    let mut restored = new(8);
    assert_ne!(bits(&restored), bits(&simulation));
    restored.load(&file, "relays").unwrap();
    assert_eq!(steps(&mut restored), steps(&mut simulation));
    assert_eq!(bits(&restored), bits(&simulation));
}
