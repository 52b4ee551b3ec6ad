//! Blocks that learn apart: what may cross their borders, which of them learns when, and what a run of them leaves.

mod borders;
mod commands;
mod relays;
mod runs;
mod turns;

use std::collections::BTreeMap;

use synlocal::kernels::Isa;
use synlocal::learning::Rule;
use synlocal::rng::Stream;
use synlocal::simulation::{Batch, Experiment, Simulation};

/// Three blocks, the second of two units, and a skip from the first into the third.
const UNITS: [(&str, &str, usize); 4] = [
    ("v1", "Unit(pool: Max(4), transfer: HardTanh)", 0),
    ("v2", "Unit(transfer: HardTanh)", 1),
    ("v3", "Unit(pool: Max(2))", 1),
    ("v4", "Unit(transfer: Tanh)", 2),
];
const PROJECTIONS: [(&str, &str, &str, usize); 5] = [
    ("retina", "v1", "Conv(channels: 4, kernel: 3, pad: 1)", 0),
    ("v1", "v2", "Conv(channels: 6, kernel: 3, pad: 1, bias: true)", 1),
    ("v2", "v3", "Conv(channels: 8, kernel: 3, pad: 1)", 1),
    ("v3", "v4", "Conv(channels: 8, kernel: 3, pad: 1)", 2),
    ("v1", "v4", "Conv(channels: 8, kernel: 2, stride: 2)", 2),
];
const HEADS: [(&str, &str); 3] = [("h1", "v1"), ("h2", "v3"), ("h3", "v4")];

/// The names of all weights that a block learns by itself, in the order in which errors reach them.
const OWN: [&[&str]; 3] = [&["v1->h1", "retina->v1"], &["v3->h2", "v2->v3", "v1->v2"], &["v4->h3", "v3->v4", "v1->v4"]];
/// The names of the feedback through which its error travels.
const OWN_FEEDBACK: [&[&str]; 3] = [&["h1->v1"], &["h2->v3", "v3->v2"], &["h3->v4"]];

/// The circuit without blocks, cut off above block `last` and with that block's head alone; blocks below `plastic` do
/// not learn.
fn cut(plastic: usize, last: usize) -> String {
    circuit(|block| block == last, plastic, last, "")
}

/// The whole circuit with its blocks and their heads.
fn whole() -> String {
    circuit(
        |_| true,
        0,
        2,
        r#"(units: ["v1"], head: "h1"), (units: ["v2", "v3"], head: "h2"), (units: ["v4"], head: "h3")"#,
    )
}

fn circuit(has_head: impl Fn(usize) -> bool, plastic: usize, last: usize, blocks: &str) -> String {
    let mut units = r#""retina": Input(channels: 3, height: 32, width: 32),"#.to_string();
    let mut projections = String::new();
    for (name, unit, _) in UNITS.iter().filter(|(.., block)| *block <= last) {
        units += &format!("\"{name}\": {unit},");
    }
    for (from, to, map, block) in PROJECTIONS.iter().filter(|(.., block)| *block <= last) {
        projections += &format!("(from: \"{from}\", to: \"{to}\", map: {map}, plastic: {}),", *block >= plastic);
    }
    for (_, (head, below)) in HEADS.iter().enumerate().filter(|(block, _)| has_head(*block)) {
        units += &format!("\"{head}\": Unit(),");
        projections += &format!("(from: \"{below}\", to: \"{head}\", map: Dense(units: 8)),");
    }
    format!("Network(units: {{{units}}}, feedforward: [{projections}], blocks: [{blocks}])")
}

/// An experiment on a circuit: 48 images make 6 batches an epoch.
fn experiment(circuit: &str, staging: &str, rule: Rule, epochs: u64) -> Experiment {
    let text = format!(
        "Experiment(
            network: {circuit},
            learning: (
                rule: {}, staging: {staging}, loss: ContrastiveHinge(margins: (0.1, 1.0)), optimizer: Adam(rate: 1e-3),
            ),
            data: Objects(images: 48, test_images: 16),
            training: (pairs: 8, epochs: {epochs}, seed: 5),
            readout: (epochs: 2, batch: 16),
        )",
        rule.name()
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blocks.ron");
    std::fs::write(&file, text).unwrap();
    Experiment::load(&file, &[]).unwrap_or_else(|error| panic!("{error}"))
}

fn simulation(experiment: &Experiment) -> Simulation {
    experiment.simulation(Isa::best())
}

/// The rules that wire feedback by themselves.
fn rules() -> impl Iterator<Item = Rule> {
    // Inverses undo one projection each; some units of these circuits are driven by two.
    Rule::ALL.iter().copied().filter(|rule| rule.credit().wiring().is_some() && !rule.credit().propagates_targets())
}

/// Every lasting vector, as bits.
fn bits(simulation: &Simulation) -> BTreeMap<String, Vec<u32>> {
    let state = simulation.state();
    let tensors = simulation.tensors();
    let bits = |slot| state.values(slot).iter().map(|value| value.to_bits()).collect();
    tensors.into_iter().map(|tensor| (tensor.name, bits(tensor.slot))).collect()
}

/// The projection of a lasting vector.
fn projection(tensor: &str) -> &str {
    tensor.rsplit_once('.').unwrap().0
}

/// Demands that all that `alone` holds is in `all` bit for bit.
#[track_caller]
fn assert_within(alone: &BTreeMap<String, Vec<u32>>, all: &BTreeMap<String, Vec<u32>>, what: &str) {
    for (name, values) in alone {
        assert_eq!(Some(values), all.get(name), "{what}: {name}");
    }
}

/// Gives `to` the weights of `from` by which activity comes to block `block`.
fn lend_lower_weights(from: &Simulation, to: &mut Simulation, block: usize) {
    for (pre, post, ..) in PROJECTIONS.iter().filter(|(.., of)| *of < block) {
        for kind in ["weight", "bias"] {
            let name = format!("{pre}->{post}.{kind}");
            if let Some(values) = from.get(&name) {
                to.set(&name, values).unwrap();
            }
        }
    }
}

/// Two views of 8 images.
fn views(step: u64) -> (Vec<f32>, Vec<f32>) {
    let mut rng = Stream::new(11).at(step).rng();
    let mut draw = || (0..8 * 3 * 32 * 32).map(|_| rng.uniform()).collect::<Vec<f32>>();
    (draw(), draw())
}

/// A step of a stage on the views of a number; its loss, as bits.
fn step(simulation: &mut Simulation, stage: usize, number: u64) -> u64 {
    let (stored, current) = views(number);
    simulation.enter(stage);
    simulation.step(Batch::views(&stored, &current)).loss.to_bits()
}
