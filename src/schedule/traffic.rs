//! How much a beat has to move at least: the bytes of what it reads and writes, each once.

use super::Step;
use crate::locality::Place;
use crate::network::{FeedbackId, Network, ProjectionId, UnitId};

/// Bytes that `beat` reads and writes for a batch of `samples`, if each of its operands passes once, in full. What a
/// step of the beat hands on to a later one stays where it is.
pub fn traffic(beat: &[Step], network: &Network, samples: usize) -> u64 {
    let accesses: Vec<_> = beat.iter().map(|step| step.access(network)).collect();
    let bytes = |place: &Place| bytes(place, network, samples as u64);
    let mut sum = 0;
    for (nth, access) in accesses.iter().enumerate() {
        let made = accesses[..nth].iter().flat_map(|earlier| &earlier.writes);
        let made: Vec<&Place> = made.collect();
        sum += access.reads.iter().filter(|place| !made.contains(place)).map(bytes).sum::<u64>();
        let used: Vec<&Place> = accesses[nth + 1..].iter().flat_map(|later| &later.reads).collect();
        sum += access.writes.iter().filter(|place| !used.contains(place)).map(bytes).sum::<u64>();
    }
    sum
}

/// Bytes of a place for a batch.
fn bytes(place: &Place, network: &Network, samples: u64) -> u64 {
    let own = |unit: UnitId| samples * network.unit(unit).shape.len() as u64;
    let drive = |unit: UnitId| samples * network.unit(unit).drive.len() as u64;
    let forward = |id: ProjectionId| {
        let ends = network.projection(id);
        let pre = network.unit(ends.from).shape;
        ends.map.weights(pre) as u64 + ends.map.biases(pre) as u64
    };
    let back = |id: FeedbackId| {
        let ends = network.answer(id);
        ends.map.weights(network.unit(ends.to).shape) as u64
    };
    let floats = match *place {
        Place::World(_) => own(network.inputs()[0]),
        Place::Labels => return samples,
        Place::Drive(unit, _) | Place::Packet(unit, _) => drive(unit),
        Place::Activity(unit, _) | Place::Memory(unit) | Place::Error(unit, _) => own(unit),
        Place::Weights(id) | Place::Change(id) | Place::Moments(id) => forward(id),
        Place::FeedbackWeights(id) | Place::FeedbackChange(id) | Place::FeedbackMoments(id) => back(id),
        Place::Reconstruction(id) => own(network.answer(id).to),
    };
    floats * size_of::<f32>() as u64
}
