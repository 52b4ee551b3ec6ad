//! Sparse projections: synapses that do not exist, and what follows from that.

use super::maps::{LOCAL, SMALL, SPARSE, TRANSPOSED, after_steps, build};
use super::*;

/// Which weights of a vector are exactly 0.
fn absent(simulation: &Simulation, name: &str) -> Vec<bool> {
    simulation.get(name).unwrap().iter().map(|value| value.to_bits() == 0).collect()
}

const EDGES: [(&str, f64); 4] = [("eye->v1", 0.4), ("v1->v2", 0.2), ("v2->v3", 0.7), ("v3->head", 0.1)];

#[test]
fn absent_synapses_never_come_to_exist() {
    for rule in [Rule::Bp, Rule::Rf, Rule::Urf, Rule::Sign] {
        for optimizer in [SGD, Optimizer::adam(1e-2)] {
            let network = build(SPARSE, rule.credit().wiring());
            let mut simulation = Simulation::new(network, learning(rule, optimizer), PAIRS, 8).unwrap();
            let start: Vec<Vec<bool>> =
                EDGES.iter().map(|(name, _)| absent(&simulation, &format!("{name}.weight"))).collect();
            let first = forward_bits(&simulation);
            for step in 0..5 {
                let (stored, current) = views(step, PAIRS * SMALL);
                simulation.step(Batch::views(&stored, &current));
            }
            for ((name, density), absent_at_first) in EDGES.iter().zip(&start) {
                let share =
                    absent_at_first.iter().filter(|absent| !**absent).count() as f64 / absent_at_first.len() as f64;
                assert!((share - density).abs() < 0.1, "{name}: {share} of the synapses exist, not {density}");
                assert_eq!(absent(&simulation, &format!("{name}.weight")), *absent_at_first, "{rule:?}, {name}");
                let (lower, upper) = name.split_once("->").unwrap();
                if simulation.get(&format!("{upper}->{lower}.feedback")).is_some() {
                    assert_eq!(
                        absent(&simulation, &format!("{upper}->{lower}.feedback")),
                        *absent_at_first,
                        "{rule:?}"
                    );
                }
                for moment in optimizer.moment_names() {
                    let moments = absent(&simulation, &format!("{name}.{moment}"));
                    let rest = moments.iter().zip(absent_at_first).all(|(resting, absent)| *resting || !absent);
                    assert!(rest, "{rule:?}, {name}: a {moment} of an absent synapse moves");
                }
            }
            for ((name, before), (_, after)) in first.iter().zip(forward_bits(&simulation)) {
                assert_ne!(*before, after, "{rule:?}: {name} did not learn");
            }
        }
    }
}

#[test]
fn a_density_of_one_is_none() {
    let after = |text: &str| bits(&after_steps(text, Rule::Urf, Isa::best(), 2));
    for text in [TRANSPOSED, LOCAL] {
        assert_eq!(after(text), after(&text.replace("map: ", "density: 1.0, map: ")));
    }
}

#[test]
fn which_synapses_exist_follows_from_the_seed_and_the_projection() {
    let of = |text: &str, seed| {
        let simulation = Simulation::new(build(text, None), learning(Rule::Wired, SGD), 1, seed).unwrap();
        ["a", "b"].map(|name| absent(&simulation, &format!("{name}.weight")))
    };
    let text = r#"Network(
        units: {"eye": Input(channels: 1, height: 8, width: 8), "v1": Unit()},
        feedforward: [
            (from: "eye", to: "v1", map: Dense(units: 9), density: 0.5, name: "a"),
            (from: "eye", to: "v1", map: Dense(units: 9), density: 0.5, name: "b"),
        ],
    )"#;
    let (one, other) = (of(text, 1), of(text, 2));
    assert_eq!(one, of(&text.replace("density: 0.5", "density: 0.5, init: Normal(deviation: 2.0)"), 1));
    assert_ne!(one, other);
    assert_ne!(one[0], one[1]);
}

#[test]
fn a_sparse_unit_starts_with_weights_for_the_fan_in_that_it_has() {
    let text = SPARSE.replace("density: 0.1", "density: 0.25");
    let simulation = Simulation::new(build(&text, Some(Wiring::Fixed)), learning(Rule::Rf, SGD), 1, 1).unwrap();
    let largest = simulation.get("v3->head.weight").unwrap().iter().fold(0.0f32, |largest, w| largest.max(w.abs()));
    let bound = (0.25f32 * 5.0 * 7.0 * 7.0).sqrt().recip();
    assert!(largest <= bound && largest > 0.98 * bound, "{largest}, expected {bound}");
}

#[test]
fn an_absent_synapse_takes_no_value_but_zero() {
    let mut simulation =
        Simulation::new(build(SPARSE, Some(Wiring::Learned)), learning(Rule::Urf, SGD), PAIRS, 8).unwrap();
    for name in ["v1->v2.weight", "v2->v1.feedback", "v1->v2.momentum"] {
        let lacking = absent(&simulation, "v1->v2.weight").iter().position(|absent| *absent).unwrap();
        let mut values = simulation.get(name).unwrap().to_vec();
        simulation.set(name, &values).unwrap();
        values[lacking] = 0.5;
        let message = simulation.set(name, &values).expect_err("a synapse that does not exist").to_string();
        let said = format!("synapse {lacking} of v1->v2 was given 0.5, but it does not exist: the density is 0.2");
        assert!(message.contains(&said), "{message}");
        assert_eq!(simulation.get(name).unwrap()[lacking], 0.0);
    }
}

#[test]
fn only_synapses_that_exist_are_counted_as_work() {
    let mut simulation =
        Simulation::new(build(SPARSE, Some(Wiring::Transported)), learning(Rule::Bp, SGD), PAIRS, 8).unwrap();
    let existing: Vec<u64> = EDGES
        .iter()
        .map(|(name, _)| {
            absent(&simulation, &format!("{name}.weight")).iter().filter(|absent| !**absent).count() as u64
        })
        .collect();
    let (stored, current) = views(0, PAIRS * SMALL);
    simulation.step(Batch::views(&stored, &current));
    let work = simulation.state().work();
    // A convolution uses each weight at 7x7 positions, the transposed one at the 4x4 positions below it.
    let used = [49, 1, 16, 1];
    let both = |work: &synlocal::locality::Work| work.done + work.skipped;
    for (edge, (existing, used)) in existing.iter().zip(used).enumerate() {
        assert_eq!(both(&work.drive[edge]), 2 * PAIRS as u64 * existing * used, "{}", EDGES[edge].0);
        assert_eq!(both(&work.learn[edge]), PAIRS as u64 * existing * used, "{}", EDGES[edge].0);
    }
    for (edge, carried) in work.carry.iter().enumerate() {
        assert_eq!(both(carried), PAIRS as u64 * existing[edge + 1] * used[edge + 1], "{}", EDGES[edge + 1].0);
    }
    let plan = simulation.stages()[0].plan.lines(simulation.network());
    let drive = plan.iter().find(|line| line.verb == "drive" && line.subject == "v1->v2").unwrap();
    assert_eq!(drive.detail, "20x7x7 -> 9x4x4 by 4x4x3x3x20x9 (density 0.2)");
    assert_eq!(drive.multiply_adds, 4 * 4 * 3 * 3 * 20 * 9 / 5);
}
