//! Learned inverses, and the doors through which difference target propagation goes (Tang 2021; Lee et al. 2015).
//!
//! An inverse g carries activity, not errors, from a unit h' = f(h) down to h. It learns to undo f where activity
//! really is: h is perturbed, f turns that into what the upper unit would say, and g has to bring the perturbed h back,
//!
//! ```text
//! reconstruction loss = mean over batch and units of (g(f(h + noise)) - (h + noise))^2
//! ```
//!
//! A target t' = h' - e' of the upper unit then becomes one of the lower unit by difference, t = h - g(h') + g(t'), so
//! that the error of an imperfect inverse cancels. A unit keeps its target as the way there, e = h - t: an error that
//! its own synapses learn from, and no derivative of anything above.

use rayon::prelude::*;

use super::pathway::{self, Pairing, Pathway};
use super::population::Population;
use super::{Change, Feedback, Signal, State, Synapse, View, Weights};
use crate::kernels::layout::LANES;
use crate::kernels::{
    Buffer, Firing, Gating, Input, Layout, Outcome, PacketLayout, Packets, Pool, Sum, Transfer, pointwise,
};
use crate::network::{self, FeedbackId, Network, UnitId};
use crate::optimizer::{Moments, Optimizer, subtract};
use crate::rng::Rng;
use crate::threads::least;

/// What a feedback projection has that is a learned inverse.
#[derive(Debug, Clone)]
pub(super) struct Inverse {
    transfer: Transfer,
    pairing: Pairing,
    pub(super) change: Buffer,
    pub(super) moments: Moments,
    pub(super) updates: u64,
    /// Layout of what the inverse says, and of an error at it.
    layout: Layout,
    drive: Buffer,
    /// What it says of the activity and of the target of the upper unit.
    image: Buffer,
    aim: Buffer,
    error: Buffer,
    /// The gated error that its own synapses see.
    packet_layout: Layout,
    packet: Buffer,
    events: Vec<u32>,
    /// Of each sample, and of the last whole batch of perturbed activities.
    losses: Vec<f64>,
    reconstruction: f64,
}

impl Inverse {
    pub(super) fn new(
        feedback: &network::Feedback,
        upper: &Population,
        lower: &Population,
        weights: usize,
        optimizer: &Optimizer,
        samples: usize,
    ) -> Inverse {
        let layout = lower.error_layout;
        let packet_layout = Layout::new(layout.shape, pathway::activity_halo(feedback.map));
        let room = || Buffer::zeros(samples * layout.sample());
        Inverse {
            transfer: feedback.transfer,
            pairing: pathway::learn_back(feedback.map, upper.layout, packet_layout),
            change: Buffer::zeros(weights),
            moments: optimizer.moments(weights),
            updates: 0,
            layout,
            drive: room(),
            image: room(),
            aim: room(),
            error: room(),
            packet_layout,
            packet: Buffer::zeros(samples * packet_layout.sample()),
            events: vec![0; samples],
            losses: vec![0.0; samples],
            reconstruction: 0.0,
        }
    }

    /// Floats of scratch that learning needs.
    pub(super) fn scratch_len(&self, samples: usize) -> usize {
        self.pairing.scratch_len(samples)
    }
}

impl Inverse {
    /// The gated error that its own synapses see, with its events.
    pub(super) fn reconstruction_mut(&mut self) -> (&mut [f32], &mut [u32]) {
        (&mut self.packet, &mut self.events)
    }

    /// The layout of that error.
    pub(super) fn packet_layout(&self) -> Layout {
        self.packet_layout
    }

    /// Fills with what is no number whatever lasts no longer than a step.
    pub(super) fn blind_workspaces(&mut self) {
        for buffer in [&mut self.drive, &mut self.image, &mut self.aim, &mut self.error] {
            buffer.fill(f32::NAN);
        }
    }
}

/// The kernel and weights of an inverse at work.
struct Undo<'a> {
    isa: crate::kernels::Isa,
    pathway: &'a Pathway,
    packed: &'a [f32],
    weights: &'a Weights<Feedback>,
    transfer: Transfer,
    layout: Layout,
}

impl Undo<'_> {
    /// g(activity).
    fn run(&self, activity: &[f32], drive: &mut [f32], out: &mut [f32]) {
        let (input, sums) = (Input::Values(activity), Outcome::Sums(Sum::Replace, drive));
        self.pathway.run(self.isa, self.packed, input, self.weights.bias(), sums);
        let firing =
            Firing { pool: Pool::None, transfer: self.transfer, activity: out, layout: self.layout, winners: &mut [] };
        pointwise::fire(self.isa, drive, self.layout, firing);
    }
}

impl State {
    /// A unit's activity, disturbed by normal noise of deviation `noise`, or by what is `given`: for both views,
    /// `[view][sample][channel][row][column]` of deviation 1. `round` tells disturbances of one batch apart.
    pub(crate) fn perturb(
        &mut self,
        network: &Network,
        unit: UnitId,
        view: View,
        round: u32,
        noise: f32,
        given: Option<&[f32]>,
    ) {
        let samples = self.samples;
        let described = network.unit(unit);
        let stream = self.noise.named(&described.name).at(self.updates).at(u64::from(round)).at(view as u64);
        let population = &mut self.units[unit.0];
        let (layout, values) = (population.layout, described.shape.len());
        let (kept, probe) = population.with_probe(view);
        let of_view = given.map(|given| &given[view as usize * samples * values..][..samples * values]);
        let pairs = probe.activity.par_chunks_mut(layout.sample()).zip(kept.activity.par_chunks(layout.sample()));
        pairs.take(samples).with_min_len(least()).enumerate().for_each(|(sample, (probe, kept))| {
            match of_view {
                Some(given) => layout.import(&given[sample * values..][..values], probe),
                None => draw(&mut stream.at(sample as u64).rng(), layout, probe),
            }
            probe.iter_mut().zip(kept).for_each(|(probe, kept)| *probe = kept + noise * *probe);
        });
    }

    /// An inverse says what it makes of the upper unit's answer to a perturbed lower unit; how far that is from the
    /// perturbed activity becomes the error that its synapses see. `views` is how many views a batch has.
    pub(crate) fn reconstruct(&mut self, network: &Network, feedback: FeedbackId, view: View, views: usize) {
        let ends = network.answer(feedback);
        let (isa, samples) = (self.isa, self.samples);
        let synapses = &mut self.feedback[feedback.0];
        let (upper, lower) = (&self.units[ends.from.0], &self.units[ends.to.0]);
        let (Some(inverse), Some(weights)) = (&mut synapses.inverse, &synapses.weights) else { return };
        let Inverse { transfer, layout, drive, image, error, packet_layout, packet, events, losses, .. } = inverse;
        let (transfer, layout, packet_layout) = (*transfer, *layout, *packet_layout);
        let room = samples * layout.sample();
        let undo = Undo { isa, pathway: &synapses.pathway, packed: &synapses.packed, weights, transfer, layout };
        let answer = &upper.trace(View::Probe).activity[..samples * upper.layout.sample()];
        undo.run(answer, &mut drive[..room], &mut image[..room]);
        let perturbed = &lower.trace(View::Probe).activity[..samples * lower.layout.sample()];
        let (image, error) = (&image[..room], &mut error[..room]);
        pointwise::difference(isa, (image, layout), (perturbed, lower.layout), (error, layout), Sum::Replace);
        let values = (views * samples * layout.shape.len()) as f32;
        // Spare lanes and halo are 0 on both sides.
        let found = error.par_chunks(layout.sample()).zip(losses.par_iter_mut());
        found.with_min_len(least()).for_each(|(error, loss)| *loss = square(error));
        let loss = losses[..samples].iter().sum::<f64>() / f64::from(values);
        inverse.reconstruction = if view == View::Stored || views == 1 { loss } else { inverse.reconstruction + loss };
        let gating = Gating {
            pool: Pool::None,
            transfer,
            activity: image,
            layout,
            winners: &[],
            scale: 2.0 / values,
            packet_layout: PacketLayout::whole(packet_layout),
            packets: &mut packet[..samples * packet_layout.sample()],
            packet_winners: &mut [],
            events: &mut events[..samples],
        };
        pointwise::gate(isa, error, layout, gating);
        synapses.work.done += samples as u64 * synapses.pathway.multiply_adds();
    }

    /// The synapses of an inverse turn the upper unit's answer and their own error into a change.
    pub(crate) fn learn_inverse(
        &mut self,
        network: &Network,
        feedback: FeedbackId,
        sum: Sum,
        rule: impl FnOnce(&Synapse<'_>, &mut Change<'_>),
    ) {
        let ends = network.answer(feedback);
        let samples = self.samples;
        let synapses = &mut self.feedback[feedback.0];
        let upper = &self.units[ends.from.0];
        let (Some(inverse), Some(weights)) = (&mut synapses.inverse, &synapses.weights) else { return };
        let (layout, events) = (inverse.packet_layout, &inverse.events[..samples]);
        let pre = &upper.trace(View::Probe).activity[..samples * upper.layout.sample()];
        let missed = Packets::of_values(layout, &inverse.packet[..samples * layout.sample()]);
        let missed = Packets { events, ..missed };
        synapses.work.add(missed, synapses.multiply_adds, false);
        let synapse = Synapse { pre: Signal::new(Packets::of_values(upper.layout, pre)), error: Signal::new(missed) };
        if sum == Sum::Replace {
            inverse.change.fill(0.0);
        }
        let (change, bias) = inverse.change.split_at_mut(weights.synapses().len());
        let mut change =
            Change { isa: self.isa, pairing: &inverse.pairing, scratch: &mut self.scratch, synapses: change, bias };
        rule(&synapse, &mut change);
    }

    /// The optimiser folds a change into an inverse.
    pub(crate) fn apply_inverse(&mut self, feedback: FeedbackId, optimizer: &Optimizer) {
        let synapses = &mut self.feedback[feedback.0];
        let (Some(inverse), Some(weights)) = (&mut synapses.inverse, &mut synapses.weights) else { return };
        inverse.updates += 1;
        optimizer.update(self.isa, inverse.updates, &mut inverse.moments, &mut inverse.change);
        subtract(&mut weights.values, &inverse.change);
        synapses.pathway.pack(self.isa, weights.synapses(), &mut synapses.packed);
    }

    /// An inverse brings the upper unit's target down: the way from the lower unit's activity to its own target is
    /// g(h') - g(h' - e').
    pub(crate) fn invert(&mut self, network: &Network, feedback: FeedbackId, view: View, sum: Sum) {
        let ends = network.answer(feedback);
        let (isa, samples) = (self.isa, self.samples);
        let synapses = &mut self.feedback[feedback.0];
        let upper = &mut self.units[ends.from.0];
        let (Some(inverse), Some(weights)) = (&mut synapses.inverse, &synapses.weights) else { return };
        let Inverse { transfer, layout, drive, image, aim, .. } = inverse;
        let (transfer, layout) = (*transfer, *layout);
        let room = samples * layout.sample();
        let undo = Undo { isa, pathway: &synapses.pathway, packed: &synapses.packed, weights, transfer, layout };
        let (upper_layout, error_layout) = (upper.layout, upper.error_layout);
        let (kept, probe) = upper.with_probe(view);
        let activity = &kept.activity[..samples * upper_layout.sample()];
        let target = &mut probe.activity[..samples * upper_layout.sample()];
        let error = &kept.error[..samples * error_layout.sample()];
        let to = (&mut *target, upper_layout);
        pointwise::difference(isa, (activity, upper_layout), (error, error_layout), to, Sum::Replace);
        undo.run(activity, &mut drive[..room], &mut image[..room]);
        undo.run(target, &mut drive[..room], &mut aim[..room]);
        synapses.work.done += 2 * samples as u64 * synapses.pathway.multiply_adds();
        let error = &mut self.units[ends.to.0].trace_mut(view).error[..room];
        pointwise::difference(isa, (&image[..room], layout), (&aim[..room], layout), (error, layout), sum);
    }

    /// The mean square by which an inverse missed the perturbed activity in the last batch, both views together; `None`
    /// for feedback that is no inverse.
    pub fn reconstruction(&self, feedback: FeedbackId) -> Option<f64> {
        self.feedback[feedback.0].inverse.as_ref().map(|inverse| inverse.reconstruction)
    }
}

/// Standard normal values for one sample; spare lanes stay 0, and the halo is left alone.
fn draw(rng: &mut Rng, layout: Layout, sample: &mut [f32]) {
    let spare = layout.blocks() * layout.lanes - layout.shape.channels;
    let full = layout.offset((layout.blocks() - 1) * layout.lanes, 0, 0);
    for row in layout.rows() {
        let last = row.start >= full;
        let row = &mut sample[row];
        rng.normals(row);
        if last && spare > 0 {
            row.chunks_exact_mut(layout.lanes).for_each(|pixel| pixel[layout.lanes - spare..].fill(0.0));
        }
    }
}

/// The sum of squares, in as many sums as there are lanes, so that none waits for the one before.
fn square(values: &[f32]) -> f64 {
    let mut sums = [0.0; LANES];
    for values in values.chunks_exact(LANES) {
        sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += f64::from(*value) * f64::from(*value));
    }
    sums.iter().sum()
}
