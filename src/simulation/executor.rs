//! The executor: it replays a plan, each step opening one door of the state.

use super::Targets;
use crate::learning::CreditRule;
use crate::locality::State;
use crate::loss::{Comparison, Criterion, StoredView};
use crate::network::{Network, UnitId};
use crate::optimizer::Optimizer;
use crate::schedule::Step;

/// What is shown to a network in one learning step: two views of a batch of images, each
/// `[sample][channel][row][column]` in the input's shape.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// The view that is shown first.
    pub stored: &'a [f32],
    /// The view that is shown second.
    pub current: &'a [f32],
    /// The class of each image; empty where no loss is supervised.
    pub labels: &'a [u8],
    /// Disturbances that are not to be drawn, so that a step can be repeated elsewhere: for a unit, standard normal
    /// `[view][sample][channel][row][column]`.
    pub noise: &'a [(UnitId, &'a [f32])],
}

impl<'a> Batch<'a> {
    /// Two views without labels.
    pub fn views(stored: &'a [f32], current: &'a [f32]) -> Self {
        Batch { stored, current, labels: &[], noise: &[] }
    }
}

/// Everything a step needs but the state.
#[derive(Clone, Copy)]
pub(super) struct Executor<'a> {
    pub network: &'a Network,
    pub loss: &'a dyn Criterion,
    pub optimizer: &'a Optimizer,
    pub targets: Targets,
    pub rule: &'a dyn CreditRule,
    pub batch: Batch<'a>,
}

impl Executor<'_> {
    /// Views of each image in a batch.
    fn views(&self) -> usize {
        if self.loss.stored_view() == StoredView::Absent { 1 } else { 2 }
    }

    /// Takes what a plan lets be taken in one go; see [`Plan::beats`](crate::schedule::Plan::beats).
    pub(super) fn take_beat(&self, beat: &[Step], state: &mut State, found: &mut Comparison) {
        match *beat {
            [Step::Drive(projection, view, _), Step::Fire(unit, _)] => {
                state.drive_and_fire(self.network, projection, unit, view);
            }
            [Step::Carry(feedback, view, _), Step::Gate(unit, _)] => {
                state.carry_and_gate(self.network, feedback, unit, view, self.views());
            }
            _ => beat.iter().for_each(|&step| self.take(step, state, found)),
        }
    }

    /// Takes one step; what a comparison finds is added to `found`.
    pub(super) fn take(&self, step: Step, state: &mut State, found: &mut Comparison) {
        use crate::locality::View;
        match step {
            Step::Present(unit, View::Stored) => state.present(unit, View::Stored, self.batch.stored),
            Step::Present(unit, view) => state.present(unit, view, self.batch.current),
            Step::Drive(projection, view, sum) => state.drive(self.network, projection, view, sum),
            Step::Fire(unit, view) => state.fire(self.network, unit, view),
            Step::Store(unit) => state.store(unit),
            Step::Compare { unit, memory, .. } => {
                let stored_step = if self.network.is_aimed(memory) { self.targets.step } else { 1.0 };
                found.add(state.compare(unit, memory, self.loss, stored_step, self.batch.labels));
            }
            Step::Gate(unit, view) => state.gate(self.network, unit, view, self.views()),
            Step::Carry(feedback, view, sum) => state.carry(self.network, feedback, view, sum),
            Step::Learn(projection, view, sum) => {
                state.learn(self.network, projection, view, sum, |synapse, change| self.rule.learn(synapse, change));
            }
            Step::Apply(projection) => state.apply(self.network, projection, self.optimizer),
            Step::Perturb(unit, view, round) => {
                let given = self.batch.noise.iter().find(|(given, _)| *given == unit).map(|(_, noise)| *noise);
                state.perturb(self.network, unit, view, round, self.targets.noise, given);
            }
            Step::Reconstruct(feedback, view) => state.reconstruct(self.network, feedback, view, self.views()),
            Step::LearnInverse(feedback, sum) => {
                state.learn_inverse(self.network, feedback, sum, |synapse, change| self.rule.learn(synapse, change));
            }
            Step::ApplyInverse(feedback) => state.apply_inverse(feedback, &self.targets.inverse_optimizer),
            Step::Invert(feedback, view, sum) => state.invert(self.network, feedback, view, sum),
        }
    }
}
