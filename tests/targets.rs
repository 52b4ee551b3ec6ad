//! Difference target propagation: what targets are, what inverses learn, and that both are the same wherever and
//! however they are computed.

#[path = "targets/faults.rs"]
mod faults;
#[path = "targets/relays.rs"]
mod relays;
#[path = "targets/slopes.rs"]
mod slopes;

use safetensors::SafeTensors;
use serde_json::Value;
use synlocal::document::Document;
use synlocal::kernels::Isa;
use synlocal::learning::Rule;
use synlocal::locality::View;
use synlocal::loss::{Clapp, ContrastiveHinge, CrossEntropy, Loss, Negatives};
use synlocal::network::{Network, NetworkSpec, Wiring};
use synlocal::optimizer::Optimizer;
use synlocal::rng::Stream;
use synlocal::schedule::Step;
use synlocal::simulation::{Batch, Learning, Position, Simulation, Staging, Targets};

const PAIRS: usize = 6;
const STILL: Optimizer = Optimizer::Sgd { rate: 1e-30, momentum: 0.0 };
const PLAIN: Optimizer = Optimizer::Sgd { rate: 1.0, momentum: 0.0 };

/// Two inverses: of a block with a max pool, and of a dense map.
const SMALL: &str = r#"Network(
    units: {
        "eye": Input(channels: 3, height: 8, width: 8),
        "v1": Unit(pool: Max(2), transfer: Tanh),
        "v2": Unit(pool: Max(2), transfer: Tanh),
        "v3": Unit(transfer: Tanh),
        "head": Unit(),
    },
    feedforward: [
        (from: "eye", to: "v1", map: Conv(channels: 6, kernel: 3, pad: 1, bias: true), init: Uniform(bound: 0.4)),
        (from: "v1", to: "v2", map: Conv(channels: 20, kernel: 3, pad: 1, bias: true), init: Uniform(bound: 0.4)),
        (from: "v2", to: "v3", map: Dense(units: 12, bias: true)),
        (from: "v3", to: "head", map: Dense(units: 7)),
    ],
)"#;

fn simulation_on(isa: Isa, text: &str, learning: Learning, pairs: usize) -> Simulation {
    let spec: NetworkSpec = Document::new("test", text).parse().expect("the circuit is legal RON");
    let network = Network::build(&spec, learning.teaching()).unwrap_or_else(|faults| panic!("{faults:?}"));
    Simulation::on(isa, network, learning, pairs, 3)
}

fn simulation(text: &str, learning: Learning) -> Simulation {
    simulation_on(Isa::best(), text, learning, PAIRS)
}

fn hinge(negatives: Negatives) -> Loss {
    Loss::ContrastiveHinge(ContrastiveHinge { negatives, margins: (0.1, 2.5), ..ContrastiveHinge::default() })
}

fn learning(loss: Loss, optimizer: Optimizer, targets: Targets) -> Learning {
    Learning { rule: Rule::Dtp, loss, optimizer, targets: Some(targets), ..Learning::default() }
}

fn views(step: u64, len: usize) -> (Vec<f32>, Vec<f32>) {
    let mut rng = Stream::new(5).at(step).rng();
    let mut draw = || (0..len).map(|_| rng.uniform()).collect();
    (draw(), draw())
}

/// Steps on images of `image` values, each time others.
fn run(simulation: &mut Simulation, image: usize, steps: std::ops::Range<u64>) {
    for step in steps {
        let (stored, current) = views(step, PAIRS * image);
        simulation.step(Batch::views(&stored, &current));
    }
}

fn bits(simulation: &Simulation) -> Vec<(String, Vec<u32>)> {
    let bits = |slot| simulation.state().values(slot).iter().map(|value| value.to_bits()).collect();
    simulation.tensors().into_iter().map(|tensor| (tensor.name, bits(tensor.slot))).collect()
}

const IMAGE: usize = 3 * 8 * 8;

#[test]
fn with_no_error_above_there_is_none_below() {
    // Margins within which no pair makes an error.
    let quiet = |negatives| {
        let margins = (1e6, 1e-6);
        Loss::ContrastiveHinge(ContrastiveHinge { negatives, margins, ..ContrastiveHinge::default() })
    };
    for negatives in [Negatives::All, Negatives::Stored(2)] {
        let targets = Targets { inverse_optimizer: PLAIN, ..Targets::default() };
        let mut simulation = simulation(SMALL, learning(quiet(negatives), PLAIN, targets)).keeping();
        let before = bits(&simulation);
        run(&mut simulation, IMAGE, 0..1);
        for unit in ["v1", "v2", "v3", "head"].map(|name| simulation.network().find(name).unwrap()) {
            assert!(simulation.state().error(unit, View::Current).iter().all(|&error| error == 0.0));
        }
        for ((name, before), (_, after)) in before.iter().zip(bits(&simulation)) {
            let inverse = name.starts_with("v3->v2.") || name.starts_with("v2->v1.");
            assert_eq!(*before != after, inverse, "{name}");
        }
    }
}

/// A linear circuit whose middle can be inverted exactly.
const LINEAR: &str = r#"Network(
    units: {"eye": Input(channels: 1, height: 4, width: 4), "v1": Unit(), "v2": Unit(), "head": Unit()},
    feedforward: [
        (from: "eye", to: "v1", map: Dense(units: 16)),
        (from: "v1", to: "v2", map: Dense(units: 16)),
        (from: "v2", to: "head", map: Dense(units: 5)),
    ],
    feedback: [FEEDBACK],
)"#;

#[test]
fn with_an_exact_inverse_targets_lie_against_the_gradient() {
    // Rows of Hadamard's matrix are orthogonal, so that its transpose undoes it.
    let quarter = |place: usize| 0.25 - 0.5 * (((place / 16) & (place % 16)).count_ones() % 2) as f32;
    let orthonormal: Vec<f32> = (0..256).map(quarter).collect();
    for step in [0.5, 1e-3] {
        let targets = Targets { step, inverse_optimizer: STILL, ..Targets::default() };
        let inverse = r#"(from: "v2", to: "v1", map: Dense(units: 16), transfer: Linear)"#;
        let of_targets = learning(hinge(Negatives::All), PLAIN, targets);
        let mut dtp = simulation(&LINEAR.replace("FEEDBACK", inverse), of_targets.clone()).keeping();
        let plain = Learning { rule: Rule::Bp, targets: None, ..of_targets };
        let mut bp = simulation(&LINEAR.replace("FEEDBACK", ""), plain).keeping();
        dtp.set("v2->v1.inverse", &orthonormal).unwrap();
        for simulation in [&mut dtp, &mut bp] {
            simulation.set("v1->v2.weight", &orthonormal).unwrap();
            run(simulation, 16, 0..1);
        }
        for unit in ["v1", "v2"].map(|name| dtp.network().find(name).unwrap()) {
            for view in View::BOTH {
                let (way, gradient) = (dtp.state().error(unit, view), bp.state().error(unit, view));
                let largest = gradient.iter().fold(0.0f32, |most, value| most.max(value.abs()));
                assert!(largest > 0.1, "a gradient to follow");
                for (way, gradient) in way.iter().zip(&gradient) {
                    // What an inverse brings down is the difference of two activities, each rounded.
                    let allowed = 1e-5 * step * largest + 4e-7;
                    assert!((way - step * gradient).abs() < allowed, "{way} is not {step} x {gradient}");
                }
            }
        }
        for projection in dtp.network().projection_ids().take(2) {
            let (own, theirs) = (dtp.state().change(projection), bp.state().change(projection));
            let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            let cosine = product(own, theirs) / (product(own, own) * product(theirs, theirs)).sqrt();
            assert!(cosine > 0.999, "{cosine}");
            // The derivative of a mean over both views of 6 images of 16 units.
            let length = product(own, theirs) / product(theirs, theirs);
            let expected = f64::from(step) * 2.0 / (2.0 * 6.0 * 16.0);
            assert!((length / expected - 1.0).abs() < 1e-3, "{length} is not {expected}");
        }
    }
}

#[test]
fn a_predicted_view_learns_from_a_target_at_the_same_step() {
    let text = SMALL.replace(r#""v3", to: "head", map: Dense(units: 7)"#, r#""v3", to: "head", map: Dense(units: 12)"#);
    let errors = |step: f32| {
        let clapp = Clapp { negatives: Negatives::All, gradient_block: Some(false), ..Clapp::default() };
        let targets = Targets { step, ..Targets::default() };
        let mut simulation = simulation(&text, learning(Loss::Clapp(clapp), PLAIN, targets)).keeping();
        run(&mut simulation, IMAGE, 0..1);
        let unit = simulation.network().find("v3").unwrap();
        View::BOTH.map(|view| simulation.state().error(unit, view))
    };
    for (once, twice) in errors(0.25).into_iter().flatten().zip(errors(0.5).into_iter().flatten()) {
        assert!((twice - 2.0 * once).abs() <= 1e-6 * once.abs(), "{once} and {twice}");
    }
}

#[test]
fn inverses_learn_to_bring_back_what_was_below() {
    let targets = Targets { noise: 0.1, inverse_optimizer: Optimizer::adam(1e-2), ..Targets::default() };
    let mut simulation = simulation(SMALL, learning(hinge(Negatives::Stored(2)), STILL, targets));
    let (stored, current) = views(0, PAIRS * IMAGE);
    let inverses: Vec<_> = simulation.network().feedback_ids().collect();
    let mut course: Vec<Vec<f64>> = Vec::new();
    for _ in 0..200 {
        simulation.step(Batch::views(&stored, &current));
        course.push(inverses.iter().filter_map(|&id| simulation.state().reconstruction(id)).collect());
    }
    assert_eq!(course[0].len(), 2);
    for inverse in 0..2 {
        let mean = |part: &[Vec<f64>]| part.iter().map(|losses| losses[inverse]).sum::<f64>() / part.len() as f64;
        let (first, last) = (mean(&course[..5]), mean(&course[195..]));
        assert!(last < 0.5 * first, "inverse {inverse}: from {first} to {last}");
        assert!(last > 0.0, "noise cannot be brought back whole");
    }
}

#[test]
fn a_checkpoint_holds_all_of_every_inverse() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let targets = Targets { inverse_steps: 3, ..Targets::default() };
    let learning = learning(hinge(Negatives::Stored(2)), Optimizer::adam(1e-3), targets);
    let mut whole = simulation(SMALL, learning.clone());
    run(&mut whole, IMAGE, 0..2);
    whole.save(&path, "this", &Position::default()).unwrap();
    let mut resumed = simulation(SMALL, learning);
    resumed.load(&path, "this").unwrap();
    run(&mut whole, IMAGE, 2..5);
    run(&mut resumed, IMAGE, 2..5);
    assert_eq!(bits(&whole), bits(&resumed));

    let file = std::fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&file).unwrap();
    for name in ["v3->v2", "v2->v1"] {
        for kind in ["inverse", "bias", "mean", "square"] {
            assert!(tensors.tensor(&format!("{name}.{kind}")).is_ok(), "{name}.{kind}");
        }
    }
    // Two batches: two updates of each projection, three times as many of each inverse.
    let (_, header) = SafeTensors::read_metadata(&file).unwrap();
    let metadata: Value = serde_json::from_str(&header.metadata().as_ref().unwrap()["synlocal"]).unwrap();
    let counts: Vec<u64> = serde_json::from_value(metadata["updates_of_each"].clone()).unwrap();
    let of = |inverts: bool| {
        let network = whole.network();
        let feedback = network.feedback().iter().map(|feedback| feedback.wiring == Wiring::Inverse);
        let inverse = network.feedforward().iter().map(|_| false).chain(feedback);
        counts.iter().zip(inverse).filter(|(_, is)| *is == inverts).map(|(count, _)| *count).collect::<Vec<_>>()
    };
    assert_eq!(of(true), [6, 6]);
    assert_eq!(of(false), [2, 2, 2, 2, 0]);
}

#[test]
fn every_disturbance_is_drawn_anew() {
    let targets = Targets { inverse_steps: 2, noise: 0.3, ..Targets::default() };
    let mut simulation = simulation(SMALL, learning(hinge(Negatives::Stored(2)), STILL, targets));
    let (stored, current) = views(0, PAIRS * IMAGE);
    let mut drawn: Vec<Vec<f64>> = Vec::new();
    for _ in 0..2 {
        simulation.step_observed(Batch::views(&stored, &current), &mut |step, state| {
            if let Step::Perturb(unit, view, _) = step {
                let pairs = state.activity(unit, View::Probe).into_iter().zip(state.activity(unit, view));
                let noise: Vec<f64> = pairs.map(|(probe, activity)| f64::from((probe - activity) / 0.3)).collect();
                drawn.extend(noise.chunks(noise.len() / PAIRS).map(<[f64]>::to_vec));
            }
        });
    }
    // Two batches, rounds, units and views of six images.
    assert_eq!(drawn.len(), 2 * 2 * 2 * 2 * PAIRS);
    for (place, one) in drawn.iter().enumerate() {
        for other in drawn[place + 1..].iter().filter(|other| other.len() == one.len()) {
            let product = one.iter().zip(other).map(|(a, b)| a * b).sum::<f64>() / one.len() as f64;
            assert!(product.abs() < 6.0 / (one.len() as f64).sqrt(), "two disturbances are alike: {product}");
        }
    }
    let all = drawn.concat();
    let variance = all.iter().map(|value| value * value).sum::<f64>() / all.len() as f64;
    assert!((variance - 1.0).abs() < 0.05, "variance {variance}");
}

#[test]
fn instruction_sets_agree_to_rounding() {
    let on = |isa: Isa| {
        let targets = Targets { inverse_optimizer: PLAIN, ..Targets::default() };
        let learning = learning(hinge(Negatives::All), Optimizer::Sgd { rate: 0.01, momentum: 0.9 }, targets);
        let mut simulation = simulation_on(isa, SMALL, learning, PAIRS);
        run(&mut simulation, IMAGE, 0..2);
        simulation
    };
    let plain = on(Isa::SCALAR);
    for isa in Isa::available() {
        let other = on(isa);
        for tensor in plain.tensors() {
            let values = [&plain, &other].map(|simulation| simulation.get(&tensor.name).unwrap());
            for (a, b) in values[0].iter().zip(values[1]) {
                assert!((a - b).abs() < 2e-5, "{isa}, {}: {a} and {b}", tensor.name);
            }
        }
    }
}

#[test]
fn weights_are_transported_from_the_head_alone_or_not_at_all() {
    for (top, breaches) in [(Wiring::Transported, 1), (Wiring::Fixed, 0), (Wiring::Learned, 0), (Wiring::Sign, 0)] {
        let targets = Targets { top, ..Targets::default() };
        let simulation = simulation(SMALL, learning(hinge(Negatives::Stored(2)), PLAIN, targets));
        let lines = simulation.stages()[0].plan.lines(simulation.network());
        let found: Vec<_> = lines.iter().filter(|line| line.detail.contains("breach")).collect();
        assert_eq!(found.len(), breaches, "{top:?}: {found:?}");
        assert!(found.iter().all(|line| line.subject == "head->v3"), "{found:?}");
    }
}

#[test]
fn a_block_at_rest_keeps_its_inverses() {
    let text = SMALL.replace(r#""head": Unit(),"#, r#""head": Unit(), "side": Unit(),"#).replace(
        r#"(from: "v3", to: "head", map: Dense(units: 7)),
    ],"#,
        r#"(from: "v3", to: "head", map: Dense(units: 7)),
        (from: "v2", to: "side", map: Dense(units: 10)),
    ],
    blocks: [(units: ["v1", "v2"], head: "side"), (units: ["v3"], head: "head")],"#,
    );
    // From two views, and from the labels of one.
    for loss in [hinge(Negatives::Stored(2)), Loss::CrossEntropy(CrossEntropy {})] {
        let learning =
            Learning { staging: Staging::Greedy, ..learning(loss.clone(), Optimizer::adam(1e-3), Targets::default()) };
        let mut simulation = simulation(&text, learning);
        for (stage, learned) in
            [["eye->v1", "v1->v2", "v2->side", "v2->v1"].as_slice(), &["v2->v3", "v3->head"]].into_iter().enumerate()
        {
            let before = bits(&simulation);
            simulation.enter(stage);
            let (stored, current) = views(0, PAIRS * IMAGE);
            simulation.step(Batch { labels: &[0, 1, 2, 3, 4, 5], ..Batch::views(&stored, &current) });
            for ((name, before), (_, after)) in before.iter().zip(bits(&simulation)) {
                let owner = name.rsplit_once('.').unwrap().0;
                assert_eq!(*before != after, learned.contains(&owner), "{name} in stage {stage} of {}", loss.name());
            }
        }
    }
}
