//! What is audited: an engine that plans and takes steps. [`Engine`] is this crate's; a test of the auditor hands in one
//! that breaks the law, and only here, on an audit's own copy of a state, can anything reach into it.

use crate::locality::Place;
use crate::loss::{Comparison, Criterion, Loss};
use crate::network::Network;
use crate::schedule::{Access, Step};
use crate::simulation::{Batch, Simulation};

/// What an audit holds a circuit's engine to.
pub trait Subject: Sync {
    /// The plan that runs, where the engine's own is as given.
    fn plan(&self, _network: &Network, own: &[Step]) -> Vec<Step> {
        own.to_vec()
    }

    /// The loss that runs, where the circuit's own is as given.
    fn loss<'a>(&'a self, own: &'a Loss) -> &'a dyn Criterion {
        own.criterion()
    }

    /// What a step says that it reads and writes.
    fn access(&self, step: &Step, network: &Network) -> Access {
        step.access(network)
    }

    /// Takes a step.
    fn take(&self, hand: &mut Hand<'_>, step: Step) {
        hand.take(step);
    }
}

/// The engine of this crate.
#[derive(Debug, Clone, Copy)]
pub struct Engine;

impl Subject for Engine {}

/// A simulation in the hands of who takes its steps.
pub struct Hand<'a> {
    pub(super) simulation: &'a mut Simulation,
    pub(super) batch: Batch<'a>,
    loss: &'a dyn Criterion,
    pub(super) found: Comparison,
}

impl<'a> Hand<'a> {
    pub(super) fn new(simulation: &'a mut Simulation, batch: Batch<'a>, loss: &'a dyn Criterion) -> Hand<'a> {
        Hand { simulation, batch, loss, found: Comparison::default() }
    }

    /// Takes a step as the engine does.
    pub fn take(&mut self, step: Step) {
        let found = self.simulation.take(step, self.batch, self.loss);
        self.found.add(found);
    }

    /// The network.
    pub fn network(&self) -> &Network {
        self.simulation.network()
    }

    /// The classes of the images.
    pub fn labels(&self) -> &[u8] {
        self.batch.labels
    }

    /// The values at a place: `[sample][channel][row][column]` over the batch, or weights and then biases.
    pub fn look(&mut self, place: Place) -> Vec<f32> {
        self.simulation.state_mut().look(place)
    }

    /// Puts values to a place, in the same order.
    pub fn put(&mut self, place: Place, values: &[f32]) {
        self.simulation.state_mut().put(place, values);
    }
}
