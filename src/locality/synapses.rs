//! The synapses of one projection: weights, the kernels that use them, and what they need to learn.

use serde::{Deserialize, Serialize};

use super::connectome::Connectome;
use super::inverse::Inverse;
use super::pathway::{Pairing, Pathway};
use super::population::Population;
use super::{Breach, Errorway, Feedback, Feedforward, Provision, Weights, pathway};
use crate::kernels::{Buffer, Isa, PacketLayout, Packets};
use crate::network::{FeedbackId, Init, Network, ProjectionId, Wiring};
use crate::optimizer::Moments;
use crate::rng::Stream;

/// A feedforward projection's part of the state.
#[derive(Debug, Clone)]
pub(super) struct ForwardSynapses {
    pub weights: Weights<Feedforward>,
    pub pathway: Pathway,
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
    pub change: Buffer,
    pub moments: Moments,
    /// Updates made so far: projections of different blocks learn at different times.
    pub updates: u64,
}

/// A feedback projection's part of the state.
#[derive(Debug, Clone)]
pub(super) struct FeedbackSynapses {
    pub wiring: Wiring,
    pub partner: ProjectionId,
    /// Weights of its own; none when the partner's are transported, or when there are none to transport.
    pub weights: Option<Weights<Feedback>>,
    /// The weights as errors meet them, where those are their signs or multiples.
    pub sent: Vec<f32>,
    /// What multiplies the weights: where a head tells a unit its target, the length of the step there.
    scale: f32,
    /// What only a learned inverse has.
    pub inverse: Option<Inverse>,
    pub pathway: Pathway,
    pub packed: Buffer,
    pub multiply_adds: u64,
    pub work: Work,
}

/// Multiply-adds of one projection in one verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Work {
    /// Computed.
    pub done: u64,
    /// Not computed, because no event asked for them.
    pub skipped: u64,
}

impl Work {
    /// Counts `each` multiply-adds for every sample: those of its events as done, or all of a sample that has any; the
    /// others as skipped.
    pub(super) fn add(&mut self, packets: Packets<'_>, each: u64, by_events: bool) {
        let done = if by_events {
            let events: u128 = packets.events.iter().map(|&count| u128::from(count)).sum();
            (events * u128::from(each) / packets.layout.drive.shape.len() as u128) as u64
        } else {
            packets.events.iter().filter(|&&count| count > 0).count() as u64 * each
        };
        self.done += done;
        self.skipped += packets.events.len() as u64 * each - done;
    }

    /// What was counted since the count was `earlier`.
    pub fn since(self, earlier: Work) -> Work {
        Work { done: self.done - earlier.done, skipped: self.skipped - earlier.skipped }
    }
}

impl ForwardSynapses {
    pub(super) fn new(network: &Network, id: ProjectionId, units: &[Population], provision: &Provision<'_>) -> Self {
        let projection = network.projection(id);
        let pre = network.unit(projection.from).shape;
        let (from, to) = (&units[projection.from.0], &units[projection.to.0]);
        let stream = Stream::new(provision.seed);
        let mut rng = stream.named("weights").named(&projection.name).rng();
        let map = projection.map;
        let synapses = map.weight_dims(pre).iter().product();
        let connectome = Connectome::draw(projection, synapses, stream);
        let fan_in = projection.fan_in(pre);
        let weights = Weights::draw(synapses, map.biases(pre), fan_in, projection.init, connectome, &mut rng);
        let pathway = pathway::drive(map, from.layout, to.drive_layout, provision.arithmetic);
        let plasticity = network.learns(id).then(|| Plasticity {
            pairing: pathway::learn(map, from.layout, to.packet_layout, provision.arithmetic),
            change: Buffer::zeros(weights.values.len()),
            moments: provision.optimizer.moments(weights.values.len()),
            updates: 0,
        });
        ForwardSynapses {
            multiply_adds: weights.connectome.share(pathway.multiply_adds()),
            weights,
            packed: Buffer::zeros(pathway.packed_len()),
            pathway,
            plasticity,
            drive_work: Work::default(),
            learn_work: Work::default(),
        }
    }

    /// Brings the weights into the order in which the kernel reads them.
    pub(super) fn pack(&mut self, isa: Isa) {
        self.pathway.pack(isa, self.weights.synapses(), &mut self.packed);
    }
}

impl FeedbackSynapses {
    pub(super) fn new(
        network: &Network,
        id: FeedbackId,
        units: &[Population],
        forward: &[ForwardSynapses],
        provision: &Provision<'_>,
    ) -> Self {
        let feedback = network.answer(id);
        let pre = network.unit(feedback.to).shape;
        let (upper, lower) = (&units[feedback.from.0], &units[feedback.to.0]);
        let inverts = feedback.wiring == Wiring::Inverse;
        let heard = if inverts { PacketLayout::whole(upper.layout) } else { upper.packet_layout };
        let scale = if network.is_aimed(feedback.to) && !inverts { provision.target_step } else { 1.0 };
        let pathway = pathway::carry(feedback.map, heard, lower.error_layout, provision.arithmetic).scaled(scale);
        let owns_weights = feedback.wiring != Wiring::Transported && feedback.map.has_weights();
        let weights = owns_weights.then(|| {
            let mut rng = Stream::new(provision.seed).named("feedback").named(&feedback.name).rng();
            let synapses = feedback.map.weight_dims(pre).iter().product();
            let mut weights = if inverts {
                let biases = if feedback.map.bias() { pre.channels } else { 0 };
                let fan_in = feedback.map.fan_in(pre) as f32;
                Weights::draw(synapses, biases, fan_in, feedback.init, Connectome::WHOLE, &mut rng)
            } else {
                let partner = network.projection(feedback.partner);
                let connectome = forward[feedback.partner.0].weights.connectome.clone();
                Weights::draw(synapses, 0, partner.fan_in(pre), feedback.init, connectome, &mut rng)
            };
            if feedback.init == Init::Symmetric {
                weights.synapses_mut().copy_from_slice(forward[feedback.partner.0].weights.synapses());
            }
            weights
        });
        let as_sent = feedback.wiring == Wiring::Sign || scale != 1.0;
        let sent = vec![0.0; if as_sent { forward[feedback.partner.0].weights.synapses().len() } else { 0 }];
        let inverse = weights.as_ref().filter(|_| inverts).map(|weights| {
            let len = weights.values.len();
            Inverse::new(feedback, upper, lower, len, provision.inverse_optimizer, provision.samples)
        });
        FeedbackSynapses {
            wiring: feedback.wiring,
            partner: feedback.partner,
            weights,
            sent,
            scale,
            inverse,
            packed: Buffer::zeros(pathway.packed_len()),
            multiply_adds: if inverts { pathway.multiply_adds() } else { forward[feedback.partner.0].multiply_adds },
            pathway,
            work: Work::default(),
        }
    }

    /// Brings the weights that errors travel through into the order in which the kernel reads them.
    pub(super) fn pack(&mut self, isa: Isa, forward: &Weights<Feedforward>) {
        if let Pathway::Relayed { .. } = self.pathway {
            return;
        }
        let Errorway(way) = match &self.weights {
            Some(own) => own.errorway(),
            None => Breach::WEIGHT_TRANSPORT.errorway(forward),
        };
        if self.sent.is_empty() {
            return self.pathway.pack(isa, way, &mut self.packed);
        }
        let signed = self.wiring == Wiring::Sign;
        for (sent, &weight) in self.sent.iter_mut().zip(way) {
            let signal = if signed && weight != 0.0 { weight.signum() } else { weight };
            *sent = self.scale * signal;
        }
        self.pathway.pack(isa, &self.sent, &mut self.packed);
    }
}
