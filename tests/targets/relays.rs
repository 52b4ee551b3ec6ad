//! Targets across units that are joined one to one.

use super::*;
use synlocal::network::LinearMap;

/// A relay into a pool between the head and what it reads, and a head that is a relay itself. MAP stands for both.
const RELAYS: &str = r#"Network(
    units: {
        "eye": Input(channels: 3, height: 8, width: 8),
        "v1": Unit(transfer: Tanh), "p1": Unit(pool: Mean(2), transfer: Tanh),
        "v2": Unit(transfer: Tanh), "head": Unit(transfer: Tanh),
    },
    feedforward: [
        (from: "eye", to: "v1", map: Conv(channels: 6, kernel: 3, pad: 1, bias: true)),
        (from: "v1", to: "p1", map: MAP),
        (from: "p1", to: "v2", map: Dense(units: 6)),
        (from: "v2", to: "head", map: MAP),
    ],
    feedback: [INVERSE],
)"#;

const UNDO: &str =
    r#"(from: "p1", to: "v1", wiring: Inverse, map: TransposedConv(channels: 6, kernel: 2, stride: 2, bias: true))"#;

fn taught(map: &str, inverse: &str, top: Wiring) -> Simulation {
    let targets = Targets { top, step: 0.3, ..Targets::default() };
    let text = RELAYS.replace("MAP", map).replace("INVERSE", inverse);
    simulation(&text, learning(hinge(Negatives::Stored(2)), Optimizer::adam(1e-2), targets))
}

#[test]
fn targets_across_relays_are_those_across_a_convolution_that_stays_the_identity() {
    let identity: Vec<f32> = (0..36).map(|synapse| if synapse % 7 == 0 { 1.0 } else { 0.0 }).collect();
    for top in [Wiring::Transported, Wiring::Fixed, Wiring::Learned, Wiring::Sign] {
        let mut relayed = taught("OneToOne", UNDO, top);
        let mut convolved = taught("Conv(channels: 6, kernel: 1), plastic: false", UNDO, Wiring::Transported);
        for relay in ["v1->p1.weight", "v2->head.weight"] {
            convolved.set(relay, &identity).unwrap();
        }
        for simulation in [&mut relayed, &mut convolved] {
            run(simulation, IMAGE, 0..3);
        }
        let start = bits(&taught("OneToOne", UNDO, top));
        for ((name, before), (_, values)) in start.iter().zip(bits(&relayed)) {
            let other: Vec<u32> = convolved.get(name).unwrap().iter().map(|value| value.to_bits()).collect();
            assert_eq!(values, other, "{top:?}: {name}");
            assert_ne!(values, *before, "{top:?}: {name} did not learn");
        }
    }
}

#[test]
fn the_inverse_of_a_relay_follows_from_its_pool() {
    let simulation = taught("OneToOne", "", Wiring::Fixed);
    let network = simulation.network();
    let inverse = network.feedback().iter().find(|feedback| feedback.name == "p1->v1").unwrap();
    let spread = LinearMap::Conv { channels: 6, kernel: 2, stride: 2, pad: 0, bias: true };
    assert_eq!((inverse.wiring, inverse.map), (Wiring::Inverse, spread));
    assert_eq!(simulation.get("p1->v1.inverse").unwrap().len(), 6 * 6 * 2 * 2);

    let text = RELAYS.replace("MAP", "OneToOne").replace("INVERSE", r#"(from: "p1", to: "v1", init: Symmetric)"#);
    let spec: NetworkSpec = Document::new("test", text).parse().unwrap();
    let dtp = learning(hinge(Negatives::All), PLAIN, Targets::default());
    let faults = Network::build(&spec, dtp.teaching()).unwrap_err();
    let problem = "inverse p1->v1 cannot start as a copy of v1->p1, which has no weights";
    assert_eq!(
        faults.iter().map(|fault| (fault.place.as_str(), fault.problem.as_str())).collect::<Vec<_>>(),
        [("feedback[0].init", problem)]
    );
}
