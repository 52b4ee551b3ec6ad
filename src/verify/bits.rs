//! Counting bits that differ, where none may and something was learned.

use super::{Found, Measured};
use crate::locality::Slot;
use crate::simulation::Simulation;

/// What is counted.
pub(super) const UNIT: &str = "values differ";

/// How many values were compared, and how many of them had not the same bits.
#[derive(Default)]
pub(super) struct Bits {
    values: usize,
    differ: usize,
    place: Option<String>,
    lost: bool,
}

impl Bits {
    /// Compares every lasting vector of `one` with the vector of that name of `other`, which may have more.
    pub(super) fn vectors(&mut self, one: &Simulation, other: &Simulation) {
        for tensor in one.tensors() {
            let (ours, theirs) = (one.state().values(tensor.slot), other.get(&tensor.name).unwrap_or_default());
            self.slices(&tensor.name, ours, theirs);
        }
    }

    /// Compares two vectors.
    pub(super) fn slices(&mut self, name: &str, one: &[f32], other: &[f32]) {
        let alike = one.iter().zip(other).filter(|(one, other)| one.to_bits() == other.to_bits()).count();
        self.count(name, one.len().max(other.len()), alike);
        self.lost |= one.iter().any(|value| !value.is_finite());
    }

    /// Compares two series of losses, given as bits.
    pub(super) fn losses(&mut self, one: &[u64], other: &[u64]) {
        let alike = one.iter().zip(other).filter(|(one, other)| one == other).count();
        self.count("the loss", one.len().max(other.len()), alike);
    }

    /// Takes note of `values` that were compared, of which so many were `alike`.
    pub(super) fn count(&mut self, name: &str, values: usize, alike: usize) {
        self.values += values;
        self.differ += values - alike;
        if alike < values && self.place.is_none() {
            self.place = Some(name.to_string());
        }
    }

    /// What was found, after `what` was done. Where nothing was `learned`, agreement says nothing.
    pub(super) fn found(self, what: String, learned: bool) -> Found {
        let Bits { values, differ, place, lost } = self;
        if differ == 0 && lost {
            return Err(format!("{what}, and numbers were no longer finite"));
        }
        if differ == 0 && !learned {
            return Err(format!("{what}, and nothing was learned"));
        }
        Ok(Measured { compared: format!("{what}: {values} values"), figure: differ as f64, place })
    }
}

/// Whether anything that lasts is not what it was.
pub(super) fn learned(before: &Simulation, after: &Simulation) -> bool {
    before.tensors().iter().any(|tensor| changed(before, after, tensor.slot))
}

/// Whether this lasting vector is not what it was.
pub(super) fn changed(before: &Simulation, after: &Simulation, slot: Slot) -> bool {
    let bits = |simulation: &Simulation| simulation.state().values(slot).iter().map(|value| value.to_bits()).collect();
    let (was, is): (Vec<u32>, Vec<u32>) = (bits(before), bits(after));
    was != is
}
