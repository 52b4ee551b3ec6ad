//! The synapses of one projection: weights, the kernels that use them, and what they need to learn.

use super::connectome::Connectome;
use super::pathway::Pairing;
use super::population::Population;
use super::{Breach, Errorway, Feedback, Feedforward, Weights, pathway};
use crate::kernels::Buffer;
use crate::kernels::product::Product;
use crate::network::{FeedbackId, Init, Network, ProjectionId, Wiring};
use crate::optimizer::{Moments, Optimizer};
use crate::rng::Stream;

/// A feedforward projection's part of the state.
#[derive(Debug, Clone)]
pub(super) struct ForwardSynapses {
    pub weights: Weights<Feedforward>,
    pub product: Product,
    pub packed: Buffer,
    pub plasticity: Option<Plasticity>,
    /// Multiply-adds of one sample, of synapses that exist: as many to drive, to carry and to learn.
    pub multiply_adds: u64,
    pub drive_work: Work,
    pub learn_work: Work,
}

/// What only a projection that learns has.
#[derive(Debug, Clone)]
pub(super) struct Plasticity {
    pub pairing: Pairing,
    pub change: Vec<f32>,
    pub moments: Moments,
}

/// A feedback projection's part of the state.
#[derive(Debug, Clone)]
pub(super) struct FeedbackSynapses {
    pub wiring: Wiring,
    pub partner: ProjectionId,
    /// Weights of its own; none when the partner's are transported.
    pub weights: Option<Weights<Feedback>>,
    /// Signs of the weights, where errors travel through those.
    pub signs: Vec<f32>,
    pub product: Product,
    pub packed: Buffer,
    pub multiply_adds: u64,
    pub work: Work,
}

/// Multiply-adds of one projection in one verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Work {
    /// Computed.
    pub done: u64,
    /// Not computed, because no event asked for them.
    pub skipped: u64,
}

impl Work {
    /// Counts `each` multiply-adds for every sample: done where it has events, else skipped.
    pub(super) fn add(&mut self, events: &[u32], each: u64) {
        let active = events.iter().filter(|&&count| count > 0).count() as u64;
        self.done += active * each;
        self.skipped += (events.len() as u64 - active) * each;
    }
}

impl ForwardSynapses {
    pub(super) fn new(
        network: &Network,
        id: ProjectionId,
        units: &[Population],
        optimizer: &Optimizer,
        stream: Stream,
    ) -> Self {
        let projection = network.projection(id);
        let pre = network.unit(projection.from).shape;
        let (from, to) = (&units[projection.from.0], &units[projection.to.0]);
        let mut rng = stream.named("weights").named(&projection.name).rng();
        let map = projection.map;
        let synapses = map.weight_dims(pre).iter().product();
        let connectome = Connectome::draw(projection, synapses, stream);
        let weights = Weights::draw(projection, pre, map.biases(pre), projection.init, connectome, &mut rng);
        let product = pathway::drive(map, from.layout, to.drive_layout);
        let plasticity = network.learns(id).then(|| Plasticity {
            pairing: pathway::learn(map, from.layout, to.packet_layout),
            change: vec![0.0; weights.values.len()],
            moments: optimizer.moments(weights.values.len()),
        });
        ForwardSynapses {
            multiply_adds: weights.connectome.share(product.multiply_adds()),
            weights,
            packed: Buffer::zeros(product.packed_len()),
            product,
            plasticity,
            drive_work: Work::default(),
            learn_work: Work::default(),
        }
    }

    /// Brings the weights into the order in which the kernel reads them.
    pub(super) fn pack(&mut self) {
        self.product.pack(self.weights.synapses(), &mut self.packed);
    }
}

impl FeedbackSynapses {
    pub(super) fn new(
        network: &Network,
        id: FeedbackId,
        units: &[Population],
        forward: &[ForwardSynapses],
        stream: Stream,
    ) -> Self {
        let feedback = network.answer(id);
        let projection = network.projection(feedback.partner);
        let pre = network.unit(projection.from).shape;
        let (upper, lower) = (&units[feedback.from.0], &units[feedback.to.0]);
        let product = pathway::carry(projection.map, upper.packet_layout, lower.error_layout);
        let weights = (feedback.wiring != Wiring::Transported).then(|| {
            let mut rng = stream.named("feedback").named(&feedback.name).rng();
            let connectome = forward[feedback.partner.0].weights.connectome.clone();
            let mut weights = Weights::draw(projection, pre, 0, feedback.init, connectome, &mut rng);
            if feedback.init == Init::Symmetric {
                weights.synapses_mut().copy_from_slice(forward[feedback.partner.0].weights.synapses());
            }
            weights
        });
        let signs = match (&weights, feedback.wiring) {
            (Some(weights), Wiring::Sign) => vec![0.0; weights.synapses().len()],
            _ => Vec::new(),
        };
        FeedbackSynapses {
            wiring: feedback.wiring,
            partner: feedback.partner,
            weights,
            signs,
            packed: Buffer::zeros(product.packed_len()),
            product,
            multiply_adds: forward[feedback.partner.0].multiply_adds,
            work: Work::default(),
        }
    }

    /// Brings the weights that errors travel through into the order in which the kernel reads them.
    pub(super) fn pack(&mut self, forward: &Weights<Feedforward>) {
        let Errorway(way) = match &self.weights {
            Some(own) => own.errorway(),
            None => Breach::WEIGHT_TRANSPORT.errorway(forward),
        };
        if self.wiring == Wiring::Sign {
            for (sign, &weight) in self.signs.iter_mut().zip(way) {
                *sign = if weight == 0.0 { 0.0 } else { weight.signum() };
            }
            self.product.pack(&self.signs, &mut self.packed);
        } else {
            self.product.pack(way, &mut self.packed);
        }
    }
}
