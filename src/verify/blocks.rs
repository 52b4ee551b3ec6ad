//! The rung on which blocks learn apart: a block's step changes nothing outside it, and a network that was cut down to
//! the block and what it stands on learns the same.

use super::Found;
use super::bench::{Bench, STEPS, Taught};
use super::bits::{Bits, learned};
use super::cut::cut;
use crate::error::Result;
use crate::locality::Slot;
use crate::network::{Block, Network, UnitId};
use crate::simulation::{Learning, Simulation, Staging};

/// Block by block from the input upwards.
pub(super) fn climb(bench: &Bench<'_>) -> Result<Found> {
    let spec = bench.experiment.spec();
    if spec.blocks.is_empty() {
        return Ok(Err("the network has no blocks".to_string()));
    }
    let greedy = Learning { staging: Staging::Greedy, heads: None, ..bench.experiment.learning().clone() };
    let whole = match bench.taught(spec, greedy) {
        Ok(whole) => whole,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut taught = bench.simulation(&whole);
    let (mut bits, mut any) = (Bits::default(), false);
    for (stage, block) in whole.network.blocks().iter().enumerate() {
        let part = match alone(bench, &whole, block) {
            Ok(part) => part,
            Err(reason) => return Ok(Err(reason)),
        };
        let mut together = successor(bench, &whole, &taught)?;
        let mut alone = successor(bench, &part, &taught)?;
        together.enter(stage);
        let before = together.clone();
        for step in 0..STEPS {
            let one = bench.subject.step(&mut together, bench.batch(step)).loss;
            let other = bench.subject.step(&mut alone, bench.batch(step)).loss;
            bits.losses(&[one.to_bits()], &[other.to_bits()]);
        }
        beside(&mut bits, block, &before, &together);
        any |= learned(&before, &together);
        bits.vectors(&alone, &together);
        taught = together;
    }
    let blocks = whole.network.blocks().len();
    Ok(bits.found(format!("{STEPS} steps of each of {blocks} blocks, in the network and alone"), any))
}

/// A simulation that has stepped never and knows what `learned` has learned: both that learn from here on draw the same
/// noise.
fn successor(bench: &Bench<'_>, taught: &Taught, learned: &Simulation) -> Result<Simulation> {
    let mut simulation = bench.simulation(taught);
    for tensor in simulation.tensors() {
        simulation.set(&tensor.name, learned.get(&tensor.name).unwrap_or_default())?;
    }
    Ok(simulation)
}

/// Compares what does not belong to `block` before and after it learned.
fn beside(bits: &mut Bits, block: &Block, before: &Simulation, after: &Simulation) {
    for tensor in before.tensors() {
        if !belongs(before.network(), block, tensor.slot) {
            let (was, is) = (before.state().values(tensor.slot), after.state().values(tensor.slot));
            bits.slices(&format!("{}, which is not of the block", tensor.name), was, is);
        }
    }
}

/// Whether a lasting vector is part of a block: a projection belongs where it ends, feedback where it begins.
fn belongs(network: &Network, block: &Block, slot: Slot) -> bool {
    inside(
        block,
        match slot {
            Slot::Weight(id) | Slot::Bias(id) | Slot::Moment(id, _) => network.projection(id).to,
            Slot::Feedback(id) | Slot::FeedbackBias(id) | Slot::FeedbackMoment(id, _) => network.answer(id).from,
        },
    )
}

fn inside(block: &Block, unit: UnitId) -> bool {
    block.head == unit || block.units.contains(&unit)
}

/// The circuit cut down to what a block's head depends on, in which the block alone learns.
fn alone(bench: &Bench<'_>, whole: &Taught, block: &Block) -> std::result::Result<Taught, String> {
    let spec = cut(bench.experiment.spec(), &whole.network, block.head, |unit| inside(block, unit));
    let heads = Some(vec![whole.network.unit(block.head).name.clone()]);
    bench.taught(&spec, Learning { staging: Staging::EndToEnd, heads, ..whole.learning.clone() })
}
