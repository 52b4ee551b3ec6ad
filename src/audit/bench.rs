//! The bench: one circuit, its stages' plans, and a batch of images that mean nothing. What a synapse can see does not
//! depend on what is shown.

use super::subject::{Hand, Subject};
use crate::error::{Error, Result};
use crate::kernels::Isa;
use crate::loss::{Comparison, Criterion};
use crate::network::Network;
use crate::number::Traced;
use crate::rng::Stream;
use crate::schedule::Step;
use crate::simulation::{Batch, Experiment, Learning, Simulation};

/// States that are kept at once: at the start, three that are blinded, one that is disturbed and its copy.
const COPIES: u128 = 6;

/// What every part of an audit stands on.
pub(super) struct Bench<'a> {
    pub experiment: &'a Experiment,
    pub subject: &'a dyn Subject,
    pub isa: Isa,
    pub pairs: usize,
    stored: Vec<f32>,
    current: Vec<f32>,
    labels: Vec<u8>,
}

impl<'a> Bench<'a> {
    pub(super) fn new(experiment: &'a Experiment, subject: &'a dyn Subject, isa: Isa, pairs: usize) -> Result<Self> {
        if !(2..=Traced::ITEMS).contains(&pairs) {
            let problem = format!("{pairs} pairs cannot be followed item by item");
            return Err(Error::usage(
                problem,
                format!("use --pairs 2 to {}: what is local is so for any", Traced::ITEMS),
            ));
        }
        experiment.check_memory_of(COPIES, pairs, "use fewer --pairs, or only read the plan (--plan-only)")?;
        let image = experiment.input_shape().len();
        let mut rng = Stream::new(experiment.training().seed).named("audit").rng();
        let mut images = || (0..pairs * image).map(|_| rng.uniform()).collect::<Vec<f32>>();
        let (stored, other) = (images(), images());
        // Two views of one thing have more in common than two things.
        let current = stored.iter().zip(other).map(|(stored, other)| 0.6 * stored + 0.4 * other).collect();
        let network = experiment.network();
        let classes = network.heads().iter().map(|&head| network.unit(head).shape.len()).min().unwrap_or(1).min(256);
        let labels = (0..pairs).map(|item| (item % classes) as u8).collect();
        Ok(Bench { experiment, subject, isa, pairs, stored, current, labels })
    }

    pub(super) fn network(&self) -> &'a Network {
        self.experiment.network()
    }

    pub(super) fn learning(&self) -> &'a Learning {
        self.experiment.learning()
    }

    /// The batch. Labels lie beside it whether or not a loss has a use for them.
    pub(super) fn batch(&self) -> Batch<'_> {
        Batch { labels: &self.labels, ..Batch::views(&self.stored, &self.current) }
    }

    /// The classes of its images.
    pub(super) fn labels(&self) -> &[u8] {
        &self.labels
    }

    /// The loss that runs.
    pub(super) fn loss(&self) -> &dyn Criterion {
        self.subject.loss(&self.learning().loss)
    }

    /// The same with each image called something else.
    pub(super) fn relabelled(&self) -> Vec<u8> {
        let mut labels = self.labels.clone();
        labels.rotate_left(1);
        labels
    }

    /// The circuit at its start. Its kernels take plain sums: where tiles are transformed, what cannot reach a neuron
    /// moves it by rounding.
    pub(super) fn simulation(&self) -> Simulation {
        self.experiment.plain_simulation(self.isa, self.pairs)
    }

    /// Takes one step.
    pub(super) fn take(&self, simulation: &mut Simulation, batch: Batch<'_>, step: Step) -> Comparison {
        let loss = self.subject.loss(&self.learning().loss);
        let mut hand = Hand::new(simulation, batch, loss);
        self.subject.take(&mut hand, step);
        hand.found
    }
}
