//! How much a step has to compute, and whether a passage is over too soon to be worth a second thread.

use super::Step;
use crate::network::{FeedbackId, Network, ProjectionId};

/// Multiply-adds that take as long as to apply one change to one weight: the moments are read and written, a root is
/// taken, and the weight is brought where kernels read it.
const UPDATE: u64 = 384;

/// Multiply-adds of a passage below which it is brief: about 0.3 ms on one core of an AMD Zen 5. From there on a second
/// core gains time; below, it gains or loses with what else the machine does.
const BRIEF: u64 = 70_000_000;

/// What a passage has to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Effort {
    /// Multiply-adds a sample.
    multiply_adds: u64,
    /// Weights that an optimiser goes over.
    updates: u64,
}

impl Effort {
    /// That of some steps.
    pub(super) fn of(steps: &[Step], network: &Network) -> Effort {
        let sum = |each: fn(&Step, &Network) -> u64| {
            steps.iter().map(|step| each(step, network)).fold(0, u64::saturating_add)
        };
        Effort { multiply_adds: sum(multiply_adds), updates: sum(updates) }
    }

    /// Whether a batch of `samples` takes no longer than a second thread would need to gain time for sure.
    pub(super) fn is_brief(self, samples: usize) -> bool {
        let sums = self.multiply_adds.saturating_mul(samples as u64);
        sums.saturating_add(self.updates.saturating_mul(UPDATE)) < BRIEF
    }
}

/// Multiply-adds of a step for one sample, as many as are expected where a density leaves it to chance.
pub(super) fn multiply_adds(step: &Step, network: &Network) -> u64 {
    let synapses = |id: ProjectionId| {
        let ends = network.projection(id);
        ends.multiply_adds(network.unit(ends.from).shape)
    };
    let inverse = |id: FeedbackId| {
        let ends = network.answer(id);
        ends.map.multiply_adds(network.unit(ends.to).shape)
    };
    match *step {
        Step::Drive(id, ..) | Step::Learn(id, ..) => synapses(id),
        Step::Carry(id, ..) => synapses(network.answer(id).partner),
        Step::Reconstruct(id, _) | Step::LearnInverse(id, _) => inverse(id),
        // Of an activity and of a target.
        Step::Invert(id, ..) => 2 * inverse(id),
        Step::Present(..)
        | Step::Fire(..)
        | Step::Store(_)
        | Step::Compare { .. }
        | Step::Gate(..)
        | Step::Apply(_)
        | Step::Perturb(..)
        | Step::ApplyInverse(_) => 0,
    }
}

/// Weights that an optimiser goes over in a step.
fn updates(step: &Step, network: &Network) -> u64 {
    let weights = match *step {
        Step::Apply(id) => {
            let ends = network.projection(id);
            ends.map.weights(network.unit(ends.from).shape)
        }
        Step::ApplyInverse(id) => {
            let ends = network.answer(id);
            ends.map.weights(network.unit(ends.to).shape)
        }
        _ => 0,
    };
    weights.try_into().unwrap_or(u64::MAX)
}
