//! Exact equalities: things that must give the same bits, and the derivative that finite differences give.

#[path = "equalities/maps.rs"]
mod maps;
#[path = "equalities/relays.rs"]
mod relays;
#[path = "equalities/sparse.rs"]
mod sparse;
#[path = "equalities/ways.rs"]
mod ways;

use synlocal::document::Document;
use synlocal::kernels::Isa;
use synlocal::learning::Rule;
use synlocal::loss::{ContrastiveHinge, Loss, Negatives};
use synlocal::network::{Network, NetworkSpec, Teaching, Wiring};
use synlocal::optimizer::Optimizer;
use synlocal::rng::Stream;
use synlocal::simulation::{Batch, Learning, Simulation};

const PAIRS: usize = 6;

/// A circuit with a skip, a unit that drives two others, bias, pools and two heads.
const SKIP_AND_TWO_HEADS: &str = r#"Network(
    units: {
        "retina": Input(channels: 3, height: 9, width: 9),
        "v1": Unit(transfer: HardTanh),
        "v2": Unit(transfer: Tanh),
        "v3": Unit(pool: Max(2), transfer: Tanh),
        "v4": Unit(pool: Mean(2)),
        "head": Unit(transfer: Tanh),
        "side": Unit(),
    },
    feedforward: [
        (from: "retina", to: "v1", map: Conv(channels: 5, kernel: 3, pad: 1, bias: true)),
        (from: "v1", to: "v2", map: Conv(channels: 18, kernel: 3, pad: 1)),
        (from: "v2", to: "v3", map: Conv(channels: 7, kernel: 3, pad: 1)),
        (from: "v1", to: "v3", map: Conv(channels: 7, kernel: 1)),
        (from: "v3", to: "v4", map: Conv(channels: 20, kernel: 2, stride: 1, pad: 1)),
        (from: "v4", to: "head", map: Dense(units: 9, bias: true)),
        (from: "v2", to: "side", map: Dense(units: 11)),
    ],
    feedback: [FEEDBACK],
)"#;

fn network(wiring: Option<Wiring>, feedback: &str) -> Network {
    let text = SKIP_AND_TWO_HEADS.replace("FEEDBACK", feedback);
    let spec: NetworkSpec = Document::new("test", text).parse().expect("the circuit is legal RON");
    Network::build(&spec, Teaching { wiring, ..Teaching::default() }).expect("the circuit is legal")
}

/// Without skips, because an inverse undoes one projection: pools of both kinds, a stride, a bias.
const CHAIN: &str = r#"Network(
    units: {
        "retina": Input(channels: 3, height: 9, width: 9),
        "v1": Unit(transfer: HardTanh),
        "v2": Unit(pool: Max(2), transfer: Tanh),
        "v3": Unit(pool: Mean(2)),
        "v4": Unit(transfer: Tanh),
        "head": Unit(transfer: Tanh),
    },
    feedforward: [
        (from: "retina", to: "v1", map: Conv(channels: 5, kernel: 3, pad: 1, bias: true)),
        (from: "v1", to: "v2", map: Conv(channels: 18, kernel: 3, pad: 1)),
        (from: "v2", to: "v3", map: Conv(channels: 7, kernel: 3, pad: 1)),
        (from: "v3", to: "v4", map: Dense(units: 12)),
        (from: "v4", to: "head", map: Dense(units: 9, bias: true)),
    ],
)"#;

/// A circuit that `rule` can teach.
fn network_for(rule: Rule) -> Network {
    let learning = learning(rule, SGD);
    if !learning.propagates_targets() {
        return network(learning.teaching().wiring, "");
    }
    let spec: NetworkSpec = Document::new("test", CHAIN).parse().expect("the circuit is legal RON");
    Network::build(&spec, learning.teaching()).expect("the circuit is legal")
}

/// Feedback of every projection that carries, wired as given in turn; what has weights of its own starts as a copy of
/// its partner's.
fn symmetric(wirings: [&str; 6]) -> String {
    let ends = [("head", "v4"), ("v4", "v3"), ("v3", "v2"), ("v3", "v1"), ("side", "v2"), ("v2", "v1")];
    let edges = ends.iter().zip(wirings);
    edges
        .map(|((from, to), wiring)| {
            let init = if wiring == "Transported" { "" } else { ", init: Symmetric" };
            format!("(from: \"{from}\", to: \"{to}\", wiring: {wiring}{init}),")
        })
        .collect()
}

fn learning(rule: Rule, optimizer: Optimizer) -> Learning {
    let loss = Loss::ContrastiveHinge(ContrastiveHinge {
        negatives: Negatives::Stored(2),
        margins: (0.1, 2.5),
        ..ContrastiveHinge::default()
    });
    Learning { rule, loss, optimizer, ..Learning::default() }
}

fn views(step: u64, len: usize) -> (Vec<f32>, Vec<f32>) {
    let mut rng = Stream::new(5).at(step).rng();
    let draw = |rng: &mut synlocal::rng::Rng| (0..len).map(|_| rng.uniform()).collect();
    (draw(&mut rng), draw(&mut rng))
}

const IMAGE: usize = 3 * 9 * 9;

/// Every lasting vector after `steps` steps, as bits.
fn bits(simulation: &Simulation) -> Vec<(String, Vec<u32>)> {
    let state = simulation.state();
    let tensors = simulation.tensors();
    let bits = |slot| state.values(slot).iter().map(|value| value.to_bits()).collect();
    tensors.into_iter().map(|tensor| (tensor.name, bits(tensor.slot))).collect()
}

fn run(simulation: &mut Simulation, steps: u64) -> Vec<u64> {
    let mut losses = Vec::new();
    for step in 0..steps {
        let (stored, current) = views(step, PAIRS * IMAGE);
        losses.push(simulation.step(Batch::views(&stored, &current)).loss.to_bits());
    }
    losses
}

/// Forward weights and biases alone.
fn forward_bits(simulation: &Simulation) -> Vec<(String, Vec<u32>)> {
    let mut all = bits(simulation);
    all.retain(|(name, _)| name.ends_with(".weight") || name.ends_with(".bias"));
    all
}

const SGD: Optimizer = Optimizer::Sgd { rate: 0.01, momentum: 0.9 };

#[test]
fn fixed_feedback_equal_to_the_forward_weights_is_back_propagation_to_the_bit() {
    for negatives in [Negatives::All, Negatives::Stored(3)] {
        let mut learning = learning(Rule::Bp, SGD);
        learning.loss =
            Loss::ContrastiveHinge(ContrastiveHinge { negatives, margins: (0.1, 2.5), ..ContrastiveHinge::default() });
        let mut bp = Simulation::new(network(Some(Wiring::Transported), ""), learning.clone(), PAIRS, 3).unwrap();
        let mut rf = Simulation::new(network(None, &symmetric(["Fixed"; 6])), learning, PAIRS, 3).unwrap();
        let start = forward_bits(&bp);
        assert_eq!(start, forward_bits(&rf));
        assert_eq!(run(&mut bp, 1), run(&mut rf, 1));
        assert_eq!(forward_bits(&bp), forward_bits(&rf));
        for ((name, before), (_, after)) in start.iter().zip(forward_bits(&bp)) {
            assert_ne!(*before, after, "{name} did not learn");
        }
        // From the second step on they part, for fixed feedback stays behind.
        run(&mut bp, 2);
        run(&mut rf, 2);
        assert_ne!(forward_bits(&bp), forward_bits(&rf));
    }
}

#[test]
fn learned_feedback_that_starts_as_a_copy_stays_back_propagation_for_twenty_steps() {
    for optimizer in [SGD, Optimizer::Sgd { rate: 0.02, momentum: 0.0 }, Optimizer::adam(1e-3)] {
        let learning = learning(Rule::Wired, optimizer);
        let bp = Simulation::new(network(Some(Wiring::Transported), ""), learning.clone(), PAIRS, 4).unwrap();
        let mixed = ["Learned", "Transported", "Learned", "Learned", "Transported", "Learned"];
        for wirings in [["Learned"; 6], mixed] {
            let mut urf = Simulation::new(network(None, &symmetric(wirings)), learning.clone(), PAIRS, 4).unwrap();
            let mut bp = bp.clone();
            assert_eq!(run(&mut bp, 20), run(&mut urf, 20));
            assert_eq!(forward_bits(&bp), forward_bits(&urf));
            assert_eq!(urf.get("v2->v1.feedback"), urf.get("v1->v2.weight"));
        }
    }
}

#[test]
fn mixed_wirings_differ_from_each_pure_one() {
    let after = |wirings: [&str; 6]| {
        let mut simulation =
            Simulation::new(network(None, &symmetric(wirings)), learning(Rule::Wired, SGD), PAIRS, 4).unwrap();
        run(&mut simulation, 3);
        forward_bits(&simulation)
    };
    let results =
        [["Fixed"; 6], ["Learned"; 6], ["Sign"; 6], ["Fixed", "Learned", "Sign", "Fixed", "Learned", "Fixed"]]
            .map(after);
    for (index, result) in results.iter().enumerate() {
        assert!(results[index + 1..].iter().all(|other| other != result), "{index}");
    }
}

#[test]
fn the_plan_and_the_live_walk_give_the_same_bits() {
    for &rule in Rule::ALL.iter().filter(|rule| **rule != Rule::Wired) {
        for negatives in [Negatives::All, Negatives::Stored(4)] {
            let mut learning = learning(rule, Optimizer::adam(1e-3));
            learning.loss = Loss::ContrastiveHinge(ContrastiveHinge { negatives, ..ContrastiveHinge::default() });
            let mut planned = Simulation::new(network_for(rule), learning, PAIRS, 9).unwrap();
            let mut walked = planned.clone();
            for step in 0..3 {
                let (stored, current) = views(step, PAIRS * IMAGE);
                assert_eq!(
                    planned.step(Batch::views(&stored, &current)),
                    walked.walk(Batch::views(&stored, &current)),
                    "{rule:?}"
                );
            }
            assert_eq!(bits(&planned), bits(&walked), "{rule:?}");
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    const MANY: usize = 45;
    for &rule in Rule::ALL.iter().filter(|rule| **rule != Rule::Wired) {
        for negatives in [Negatives::All, Negatives::Stored(4)] {
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let mut learning = learning(rule, Optimizer::adam(1e-3));
                    let hinge = ContrastiveHinge { negatives, margins: (0.1, 2.5), ..ContrastiveHinge::default() };
                    learning.loss = Loss::ContrastiveHinge(hinge);
                    let network = network_for(rule);
                    let mut simulation = Simulation::new(network, learning, MANY, 1).unwrap().sharing();
                    let losses: Vec<u64> = (0..3)
                        .map(|step| {
                            let (stored, current) = views(step, MANY * IMAGE);
                            simulation.step(Batch::views(&stored, &current)).loss.to_bits()
                        })
                        .collect();
                    (losses, bits(&simulation))
                })
            };
            let one = on(1);
            assert_eq!(one, on(2), "{rule:?}");
            assert_eq!(one, on(4), "{rule:?}");
        }
    }
}

#[test]
fn every_step_changes_only_what_it_says_it_writes() {
    use synlocal::locality::{Place, View};
    let learning = learning(Rule::Sign, Optimizer::adam(1e-3));
    let mut simulation = Simulation::new(network(Some(Wiring::Sign), ""), learning, PAIRS, 1).unwrap();
    let network = simulation.network().clone();
    let (stored, current) = views(0, PAIRS * IMAGE);
    // What an observer can see of each place; inner activities of the stored view share their place with the current.
    let places: Vec<Place> = network
        .unit_ids()
        .flat_map(|unit| [Place::Activity(unit, View::Current), Place::Error(unit, View::Current)])
        .chain(network.projection_ids().flat_map(|id| [Place::Weights(id), Place::Change(id)]))
        .chain(network.feedback_ids().map(Place::FeedbackWeights))
        .collect();
    let look = |place: &Place, state: &synlocal::locality::State| -> Vec<u32> {
        let values = match *place {
            Place::Activity(unit, view) => state.activity(unit, view),
            Place::Error(unit, view) => state.error(unit, view),
            Place::Weights(id) => state.values(synlocal::locality::Slot::Weight(id)).to_vec(),
            Place::Change(id) => state.change(id).to_vec(),
            Place::FeedbackWeights(id) => state.values(synlocal::locality::Slot::Feedback(id)).to_vec(),
            other => panic!("{other:?} cannot be seen"),
        };
        values.iter().map(|value| value.to_bits()).collect()
    };
    let mut before: Vec<Vec<u32>> = places.iter().map(|place| look(place, simulation.state())).collect();
    let mut changed = 0;
    simulation.step_observed(Batch::views(&stored, &current), &mut |step, state| {
        let access = step.access(&network);
        for (place, before) in places.iter().zip(&mut before) {
            let after = look(place, state);
            if after != *before {
                let said = access.writes.iter().any(|write| match (write, place) {
                    (Place::Activity(one, _), Place::Activity(other, _)) => one == other,
                    _ => write == place,
                });
                assert!(said, "{step:?} changed {place:?}, but says that it writes {:?}", access.writes);
                changed += 1;
                *before = after;
            }
        }
    });
    assert!(changed > places.len(), "{changed} changes were seen");
}

#[test]
fn feedback_into_a_unit_that_has_no_use_for_it_rests() {
    // v2 does not learn, and nothing leads an error on from it to v1, which has feedback of its own.
    let text = r#"Network(
        units: {
            "retina": Input(channels: 1, height: 6, width: 6),
            "v1": Unit(transfer: Tanh), "v2": Unit(), "head": Unit(),
        },
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 3, kernel: 3, pad: 1)),
            (from: "v1", to: "v2", map: Conv(channels: 4, kernel: 3, pad: 1), plastic: false),
            (from: "v2", to: "head", map: Dense(units: 5)),
            (from: "v1", to: "head", map: Dense(units: 5)),
        ],
        feedback: [(from: "head", to: "v2", wiring: Fixed), (from: "head", to: "v1", wiring: Fixed)],
    )"#;
    let spec: NetworkSpec = Document::new("test", text).parse().unwrap();
    let network = match Network::build(&spec, Teaching::default()) {
        Ok(network) => network,
        // To refuse it would be as good, but then for that feedback.
        Err(faults) => return assert!(faults.iter().all(|fault| fault.place.starts_with("feedback[0]")), "{faults:?}"),
    };
    let mut simulation = Simulation::new(network, learning(Rule::Wired, SGD), PAIRS, 1).unwrap();
    let (stored, current) = views(0, PAIRS * 36);
    let start = simulation.get("retina->v1.weight").unwrap().to_vec();
    let frozen = simulation.get("v1->v2.weight").unwrap().to_vec();
    simulation.step(Batch::views(&stored, &current));
    assert_ne!(simulation.get("retina->v1.weight").unwrap(), start);
    assert_eq!(simulation.get("v1->v2.weight").unwrap(), frozen);
}

#[test]
fn instruction_sets_agree_to_rounding() {
    let on = |isa: Isa| {
        let learning = learning(Rule::Bp, SGD);
        let mut simulation = Simulation::on(isa, network(Some(Wiring::Transported), ""), learning, PAIRS, 1);
        run(&mut simulation, 2);
        simulation
    };
    let plain = on(Isa::SCALAR);
    for isa in Isa::available() {
        let other = on(isa);
        for (name, _) in forward_bits(&plain) {
            for (a, b) in plain.get(&name).unwrap().iter().zip(other.get(&name).unwrap()) {
                assert!((a - b).abs() < 2e-5, "{isa}, {name}: {a} and {b}");
            }
        }
    }
}

#[test]
fn back_propagation_is_the_derivative_that_finite_differences_give() {
    for negatives in [Negatives::All, Negatives::Stored(2)] {
        let simulation = Simulation::new(network(Some(Wiring::Transported), ""), differentiable(negatives), PAIRS, 2);
        assert_steps_are_slopes(&simulation.unwrap(), IMAGE);
    }
}

/// Learning whose every step is the slope of its loss.
fn differentiable(negatives: Negatives) -> Learning {
    let mut learning = learning(Rule::Bp, Optimizer::Sgd { rate: 1.0, momentum: 0.0 });
    // A stored view that is a constant has no finite difference: here it learns in both settings.
    learning.loss = Loss::ContrastiveHinge(ContrastiveHinge {
        negatives,
        margins: (0.1, 2.5),
        weight: Some(0.5),
        gradient_block: Some(false),
    });
    learning
}

/// Demands that a step on images of `image` values changes each vector of forward weights by the slope that finite
/// differences of the loss give.
fn assert_steps_are_slopes(simulation: &Simulation, image: usize) {
    let (stored, current) = views(0, PAIRS * image);
    let mut stepped = simulation.clone();
    stepped.step(Batch::views(&stored, &current));
    let mut rng = Stream::new(77).rng();
    for (name, _) in forward_bits(simulation) {
        let start = simulation.get(&name).unwrap().to_vec();
        let change: Vec<f64> =
            start.iter().zip(stepped.get(&name).unwrap()).map(|(old, new)| f64::from(old - new)).collect();
        // A typical slope along a random direction of length 1.
        let size = change.iter().map(|c| c * c).sum::<f64>().sqrt() / (change.len() as f64).sqrt();
        let mut errors: Vec<f64> = (0..7)
            .map(|_| {
                // Along a random direction of the synapses that exist, so that rounding of the f32 loss does not drown a single weight's share.
                let mut direction: Vec<f32> =
                    start.iter().map(|w| if *w == 0.0 { 0.0 } else { rng.normal() }).collect();
                let length = direction.iter().map(|d| d * d).sum::<f32>().sqrt();
                direction.iter_mut().for_each(|d| *d /= length);
                let loss_at = |distance: f32| {
                    let mut moved = simulation.clone();
                    let values: Vec<f32> = start.iter().zip(&direction).map(|(w, d)| w + distance * d).collect();
                    moved.set(&name, &values).unwrap();
                    moved.step(Batch::views(&stored, &current)).loss
                };
                let slope: f64 = change.iter().zip(&direction).map(|(c, &d)| c * f64::from(d)).sum();
                // Far off, hinges, maxima and hardtanh have corners; near, f32 rounds. One distance is between.
                [1e-2f32, 3e-3, 1e-3, 3e-4]
                    .map(|far| (loss_at(far) - loss_at(-far)) / f64::from(2.0 * far))
                    .into_iter()
                    .map(|difference| (difference - slope).abs() / size)
                    .fold(f64::INFINITY, f64::min)
            })
            .collect();
        errors.sort_by(f64::total_cmp);
        assert!(errors[3] < 1e-2 && errors[6] < 5e-2, "{name}: relative errors {errors:.4?}");
    }
}

#[test]
fn an_update_has_the_same_bits_on_every_instruction_set() {
    let mut rng = Stream::new(11).rng();
    let changes: Vec<Vec<f32>> = (0..3).map(|_| (0..1003).map(|_| rng.between(-2.0, 2.0)).collect()).collect();
    for optimizer in [SGD, Optimizer::Sgd { rate: 0.02, momentum: 0.9 }, Optimizer::adam(1e-3)] {
        let updates = |isa| {
            let mut moments = optimizer.moments(1003);
            let mut bits = Vec::new();
            for (step, change) in changes.iter().enumerate() {
                let mut update = change.clone();
                optimizer.update(isa, step as u64 + 1, &mut moments, &mut update);
                bits.extend(update.iter().map(|value| value.to_bits()));
            }
            bits
        };
        let plain = updates(Isa::SCALAR);
        for isa in Isa::available() {
            assert!(updates(isa) == plain, "{optimizer:?} on {isa}");
        }
    }
}
