//! The executor: it replays a plan, each step opening one door of the state.

use crate::learning::CreditRule;
use crate::locality::State;
use crate::loss::{Comparison, Loss};
use crate::network::Network;
use crate::optimizer::Optimizer;
use crate::schedule::Step;

/// What happens outside the network while a plan runs.
#[derive(Debug, Clone, Copy)]
pub(super) struct World<'a> {
    /// Images of the stored view, `[sample][channel][row][column]`.
    pub stored: &'a [f32],
    /// Images of the current view.
    pub current: &'a [f32],
}

/// Everything a step needs but the state.
#[derive(Clone, Copy)]
pub(super) struct Executor<'a> {
    pub network: &'a Network,
    pub loss: &'a Loss,
    pub optimizer: &'a Optimizer,
    pub rule: &'a dyn CreditRule,
    pub world: World<'a>,
}

impl Executor<'_> {
    /// Takes one step; what a comparison finds is added to `found`.
    pub(super) fn take(&self, step: Step, state: &mut State, found: &mut Comparison) {
        use crate::locality::View;
        match step {
            Step::Present(unit, View::Stored) => state.present(unit, View::Stored, self.world.stored),
            Step::Present(unit, View::Current) => state.present(unit, View::Current, self.world.current),
            Step::Drive(projection, view, sum) => state.drive(self.network, projection, view, sum),
            Step::Fire(unit, view) => state.fire(self.network, unit, view),
            Step::Store(unit) => state.store(unit),
            Step::Compare { unit, .. } => found.add(state.compare(unit, self.loss)),
            Step::Gate(unit, view) => state.gate(self.network, unit, view),
            Step::Carry(feedback, view, sum) => state.carry(self.network, feedback, view, sum),
            Step::Learn(projection, view, sum) => {
                state.learn(self.network, projection, view, sum, |synapse, change| self.rule.learn(synapse, change));
            }
            Step::Apply(projection) => state.apply(self.network, projection, self.optimizer),
        }
    }
}
