//! The state of a simulation and its doors, one for each verb of the engine.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::population::Population;
use super::synapses::{FeedbackSynapses, ForwardSynapses, Work};
use super::{Change, Place, Signal, Synapse, View};
use crate::kernels::pointwise;
use crate::kernels::{Arithmetic, Buffer, Input, Isa, Layout, Outcome, Packets, Sum};
use crate::loss::{Comparison, Criterion, Embeddings, Errors, StoredView, Workspace};
use crate::network::{FeedbackId, Network, ProjectionId, UnitId, Wiring};
use crate::optimizer::{Optimizer, subtract};
use crate::rng::Stream;
use crate::threads::least;

/// Weights of one task.
const TASK: usize = 16 * 1024;

/// Everything that changes while a network runs and learns, for batches of up to a fixed number of samples.
#[derive(Debug, Clone)]
pub struct State {
    pub(super) isa: Isa,
    /// Samples of the batch at hand, and the most that fit.
    pub(super) samples: usize,
    pub(super) capacity: usize,
    /// Whether drives and errors are kept that the next step could do without.
    pub(super) keeps: bool,
    pub(super) units: Vec<Population>,
    pub(super) forward: Vec<ForwardSynapses>,
    pub(super) feedback: Vec<FeedbackSynapses>,
    /// Workspaces, shared by all projections and heads.
    pub(super) scratch: Buffer,
    pub(super) rows: Rows,
    pub(super) workspace: Workspace,
    /// Where disturbances are drawn from.
    pub(super) noise: Stream,
    /// Learning steps made so far.
    pub(super) updates: u64,
}

/// Plain `[sample][unit]` rows for a comparison.
#[derive(Debug, Clone, Default)]
pub(super) struct Rows {
    current: Vec<f32>,
    current_error: Vec<f32>,
    stored_error: Vec<f32>,
}

impl Rows {
    /// Fills them with what is no number.
    pub(super) fn blind(&mut self) {
        for rows in [&mut self.current, &mut self.current_error, &mut self.stored_error] {
            rows.fill(f32::NAN);
        }
    }
}

/// What a state is made for.
#[derive(Debug, Clone, Copy)]
pub struct Provision<'a> {
    /// Optimiser of forward weights.
    pub optimizer: &'a Optimizer,
    /// Optimiser of learned inverses.
    pub inverse_optimizer: &'a Optimizer,
    /// Instruction set of the kernels.
    pub isa: Isa,
    /// Which ways to the same result they take.
    pub arithmetic: Arithmetic,
    /// Samples of a batch, at most.
    pub samples: usize,
    /// Everything that the steps to come read or write: errors, memories and probes are kept for these alone.
    pub places: &'a BTreeSet<Place>,
    /// Whether inner activities of the stored view are kept once the current view is shown.
    pub keep_stored: bool,
    /// Seed of first weights and of noise.
    pub seed: u64,
    /// Length of the step from an activity to its target, where a head tells one.
    pub target_step: f32,
}

/// The multiply-adds since the last [`State::clear_work`], for each projection in declaration order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Feedforward projections driving.
    pub drive: Vec<Work>,
    /// Feedback projections carrying; inverses inverting, and learning to.
    pub carry: Vec<Work>,
    /// Feedforward projections learning.
    pub learn: Vec<Work>,
}

impl Tally {
    /// Multiply-adds of all projections in all verbs.
    pub fn sum(&self) -> Work {
        [&self.drive, &self.carry, &self.learn]
            .into_iter()
            .flatten()
            .fold(Work::default(), |sum, work| Work { done: sum.done + work.done, skipped: sum.skipped + work.skipped })
    }
}

impl State {
    /// The state of `network` before it has seen anything, with first weights drawn from the seed.
    pub fn new(network: &Network, provision: &Provision<'_>) -> State {
        let Provision { isa, samples, keep_stored, seed, .. } = *provision;
        let traces = if keep_stored { 2 } else { 1 };
        let units: Vec<Population> =
            network.unit_ids().map(|id| Population::new(network, id, traces, provision)).collect();
        let forward: Vec<ForwardSynapses> =
            network.projection_ids().map(|id| ForwardSynapses::new(network, id, &units, provision)).collect();
        let feedback: Vec<FeedbackSynapses> =
            network.feedback_ids().map(|id| FeedbackSynapses::new(network, id, &units, &forward, provision)).collect();
        let scratch = forward
            .iter()
            .filter_map(|synapses| synapses.plasticity.as_ref())
            .map(|plasticity| plasticity.pairing.scratch_len(samples))
            .chain(feedback.iter().filter_map(|synapses| Some(synapses.inverse.as_ref()?.scratch_len(samples))))
            .max();
        let mut state = State {
            isa,
            samples,
            capacity: samples,
            keeps: false,
            units,
            forward,
            feedback,
            scratch: Buffer::zeros(scratch.unwrap_or(0)),
            rows: Rows::default(),
            workspace: Workspace::default(),
            noise: Stream::new(seed).named("noise"),
            updates: 0,
        };
        state.repack();
        state
    }

    /// Bytes that a state for batches of up to `samples` takes, about: halos and workspaces are not counted.
    pub fn estimate(network: &Network, samples: usize, keep_stored: bool) -> u128 {
        let traces = if keep_stored { 2 } else { 1 };
        let activities = network.units().iter().map(|unit| {
            // Each trace has activity and error at the unit's resolution, a packet at the drive's.
            let (drive, own) = (unit.drive.len() as u128, unit.shape.len() as u128);
            samples as u128 * (drive + traces * (2 * own + drive))
        });
        let weights = network.feedforward().iter().map(|projection| {
            let weights = projection.map.weights(network.unit(projection.from).shape);
            // Plain and packed, forward and back, with change and moments; a byte for each synapse that may be absent.
            7 * weights + if projection.density < 1.0 { weights / 4 } else { 0 }
        });
        let inverses = network.feedback().iter().filter(|feedback| feedback.wiring == Wiring::Inverse).map(|inverse| {
            // The probes of both ends; drive, two images, error and packet below.
            let (upper, lower) = (network.unit(inverse.from).shape.len(), network.unit(inverse.to).shape.len());
            samples as u128 * (upper + 6 * lower) as u128
        });
        4 * (activities.sum::<u128>() + weights.sum::<u128>() + inverses.sum::<u128>())
    }

    /// The most samples that a batch can have.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The instruction set that the kernels use.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Keeps drives and errors from now on, for those who look at them.
    pub(crate) fn keep(&mut self) {
        self.keeps = true;
    }

    /// Says how many samples the next batch has, at most [`State::capacity`].
    pub(crate) fn begin(&mut self, samples: usize) {
        assert!(samples <= self.capacity, "a batch of {samples} in a state for {}", self.capacity);
        self.samples = samples;
    }

    /// An input unit takes a view: `images` is `[sample][channel][row][column]`.
    pub(crate) fn present(&mut self, unit: UnitId, view: View, images: &[f32]) {
        let population = &mut self.units[unit.0];
        let layout = population.layout;
        let activity = &mut population.trace_mut(view).activity[..self.samples * layout.sample()];
        let images = &images[..self.samples * layout.shape.len()];
        activity
            .par_chunks_mut(layout.sample())
            .zip(images.par_chunks(layout.shape.len()))
            .with_min_len(least())
            .for_each(|(sample, image)| layout.import(image, sample));
    }

    /// A feedforward projection adds weights x pre-activity into its post unit's drive, or starts it.
    pub(crate) fn drive(&mut self, network: &Network, projection: ProjectionId, view: View, sum: Sum) {
        let ends = network.projection(projection);
        let synapses = &mut self.forward[projection.0];
        let (pre, post) = two(&mut self.units, ends.from.0, ends.to.0);
        let activity = &pre.trace(view).activity[..self.samples * pre.layout.sample()];
        let drive = &mut post.drive[..self.samples * post.drive_layout.sample()];
        let (input, sums) = (Input::Values(activity), Outcome::Sums(sum, drive));
        synapses.pathway.run(self.isa, &synapses.packed, input, synapses.weights.bias(), sums);
        synapses.drive_work.done += self.samples as u64 * synapses.multiply_adds;
    }

    /// A unit whose afferents have all arrived turns drive into activity.
    pub(crate) fn fire(&mut self, network: &Network, unit: UnitId, view: View) {
        let (drive, firing) = self.units[unit.0].firing(network.unit(unit), view, self.samples);
        let (drive, layout) = drive;
        pointwise::fire(self.isa, drive, layout, firing);
    }

    /// A projection that alone drives a unit does so, and the unit fires while its drive is at hand: the drive is not
    /// kept where the kernels can do without.
    pub(crate) fn drive_and_fire(&mut self, network: &Network, projection: ProjectionId, unit: UnitId, view: View) {
        if self.keeps || !self.forward[projection.0].pathway.fires(network.unit(unit).pool) {
            self.drive(network, projection, view, Sum::Replace);
            return self.fire(network, unit, view);
        }
        let samples = self.samples;
        let synapses = &mut self.forward[projection.0];
        let (pre, post) = two(&mut self.units, network.projection(projection).from.0, unit.0);
        let activity = &pre.trace(view).activity[..samples * pre.layout.sample()];
        let (_, firing) = post.firing(network.unit(unit), view, samples);
        let (input, fired) = (Input::Values(activity), Outcome::Fired(firing));
        synapses.pathway.run(self.isa, &synapses.packed, input, synapses.weights.bias(), fired);
        synapses.drive_work.done += samples as u64 * synapses.multiply_adds;
    }

    /// A unit keeps its activity of the stored view in short-term memory.
    pub(crate) fn store(&mut self, unit: UnitId) {
        let population = &mut self.units[unit.0];
        let slot = population.slot(View::Stored);
        export(population.layout, &population.traces[slot].activity, &mut population.memory, self.samples);
    }

    /// The error-computing layer sets the current activity of `unit` against the stored one of `memory`, or against
    /// `labels`. Where `memory` has a target, `stored_step` is the length of the step there against its error.
    pub(crate) fn compare(
        &mut self,
        unit: UnitId,
        memory: UnitId,
        loss: &dyn Criterion,
        stored_step: f32,
        labels: &[u8],
    ) -> Comparison {
        let shape = self.units[unit.0].layout.shape;
        let (values, samples) = (self.samples * shape.len(), self.samples);
        let learns = loss.stored_view() == StoredView::Learns;
        let Rows { current, current_error, stored_error } = &mut self.rows;
        current.resize(values, 0.0);
        current_error.resize(values, 0.0);
        stored_error.resize(if learns { values } else { 0 }, 0.0);
        let head = &self.units[unit.0];
        export(head.layout, &head.trace(View::Current).activity, current, samples);
        let kept = &self.units[memory.0].memory;
        let stored = if loss.stored_view() == StoredView::Absent { &[] } else { &kept[..values] };
        let found = loss.compare(
            Embeddings { shape, stored, current, labels: labels.into() },
            Errors { stored: learns.then_some(stored_error.as_mut_slice()), current: current_error },
            &mut self.workspace,
        );
        let mut tell = |unit: UnitId, view, rows: &[f32]| {
            let population = &mut self.units[unit.0];
            let layout = population.error_layout;
            import(layout, rows, &mut population.trace_mut(view).error, samples);
        };
        tell(unit, View::Current, current_error);
        if learns {
            stored_error.iter_mut().for_each(|error| *error *= stored_step);
            tell(memory, View::Stored, stored_error);
        }
        found
    }

    /// A unit's error passes the gain of its activity and becomes a packet of events. In a unit that has a target, the
    /// error is the way from there, and the packet is the derivative of its mean square over the `views` of a batch.
    pub(crate) fn gate(&mut self, network: &Network, unit: UnitId, view: View, views: usize) {
        let scale = self.gate_scale(network, unit, views);
        let population = &mut self.units[unit.0];
        let layout = population.error_layout;
        let (error, gating) = population.gating(network.unit(unit), view, self.samples, scale);
        pointwise::gate(self.isa, error, layout, gating);
    }

    /// What multiplies the error of a unit on its way through the gain.
    fn gate_scale(&self, network: &Network, unit: UnitId, views: usize) -> f32 {
        let values = (views * self.samples * network.unit(unit).shape.len()) as f32;
        if network.is_aimed(unit) { 2.0 / values } else { 1.0 }
    }

    /// A feedback projection delivers error events downwards through its own weights.
    pub(crate) fn carry(&mut self, network: &Network, feedback: FeedbackId, view: View, sum: Sum) {
        let ends = network.answer(feedback);
        let synapses = &mut self.feedback[feedback.0];
        let (upper, lower) = two(&mut self.units, ends.from.0, ends.to.0);
        let packets = upper.trace(view).packets(upper.packet_layout, self.samples);
        let error_layout = lower.error_layout;
        let error = &mut lower.trace_mut(view).error[..self.samples * error_layout.sample()];
        let sums = Outcome::Sums(sum, error);
        synapses.pathway.run(self.isa, &synapses.packed, Input::Packets(packets), None, sums);
        synapses.work.add(packets, synapses.multiply_adds, synapses.pathway.goes_by_events(packets));
    }

    /// A feedback projection that alone tells a unit its error does so, and the unit gates the error while it is at hand:
    /// it is not kept where the kernels can do without.
    pub(crate) fn carry_and_gate(
        &mut self,
        network: &Network,
        feedback: FeedbackId,
        unit: UnitId,
        view: View,
        views: usize,
    ) {
        let scale = self.gate_scale(network, unit, views);
        let synapses = &mut self.feedback[feedback.0];
        let (upper, lower) = two(&mut self.units, network.answer(feedback).from.0, unit.0);
        let packets = upper.trace(view).packets(upper.packet_layout, self.samples);
        if self.keeps || !synapses.pathway.gates(packets) {
            self.carry(network, feedback, view, Sum::Replace);
            return self.gate(network, unit, view, views);
        }
        let (_, gating) = lower.gating(network.unit(unit), view, self.samples, scale);
        let (input, gated) = (Input::Packets(packets), Outcome::Gated(gating));
        synapses.pathway.run(self.isa, &synapses.packed, input, None, gated);
        synapses.work.add(packets, synapses.multiply_adds, false);
    }

    /// A synapse population turns what its two ends show into a change, or adds to the one at hand.
    pub(crate) fn learn(
        &mut self,
        network: &Network,
        projection: ProjectionId,
        view: View,
        sum: Sum,
        rule: impl FnOnce(&Synapse<'_>, &mut Change<'_>),
    ) {
        let ends = network.projection(projection);
        let synapses = &mut self.forward[projection.0];
        let Some(plasticity) = &mut synapses.plasticity else { return };
        let (pre, post) = (&self.units[ends.from.0], &self.units[ends.to.0]);
        let activity = &pre.trace(view).activity[..self.samples * pre.layout.sample()];
        let packets = post.trace(view).packets(post.packet_layout, self.samples);
        let synapse =
            Synapse { pre: Signal::new(Packets::of_values(pre.layout, activity)), error: Signal::new(packets) };
        if sum == Sum::Replace {
            plasticity.change.par_chunks_mut(TASK).with_min_len(least()).for_each(|change| change.fill(0.0));
        }
        let (change, bias) = plasticity.change.split_at_mut(synapses.weights.synapses().len());
        let mut change =
            Change { isa: self.isa, pairing: &plasticity.pairing, scratch: &mut self.scratch, synapses: change, bias };
        rule(&synapse, &mut change);
        synapses.weights.connectome.silence(&mut plasticity.change);
        let by_events = plasticity.pairing.goes_by_events(packets);
        synapses.learn_work.add(packets, synapses.multiply_adds, by_events);
    }

    /// The optimiser folds a change into forward weights; learned feedback takes the very same update.
    pub(crate) fn apply(&mut self, network: &Network, projection: ProjectionId, optimizer: &Optimizer) {
        let synapses = &mut self.forward[projection.0];
        let Some(plasticity) = &mut synapses.plasticity else { return };
        plasticity.updates += 1;
        optimizer.update(self.isa, plasticity.updates, &mut plasticity.moments, &mut plasticity.change);
        let update = &plasticity.change;
        subtract(&mut synapses.weights.values, update);
        synapses.pathway.pack(self.isa, synapses.weights.synapses(), &mut synapses.packed);
        if let Some(id) = network.feedback_of(projection) {
            let feedback = &mut self.feedback[id.0];
            if let (Wiring::Learned | Wiring::Sign, Some(weights)) = (feedback.wiring, &mut feedback.weights) {
                subtract(weights.synapses_mut(), update);
            }
            if !matches!(feedback.wiring, Wiring::Fixed | Wiring::Inverse) {
                feedback.pack(self.isa, &synapses.weights);
            }
        }
    }

    /// Counts a learning step.
    pub(crate) fn tick(&mut self) {
        self.updates += 1;
    }

    /// Multiply-adds since the last [`State::clear_work`].
    pub fn work(&self) -> Tally {
        Tally {
            drive: self.forward.iter().map(|synapses| synapses.drive_work).collect(),
            carry: self.feedback.iter().map(|synapses| synapses.work).collect(),
            learn: self.forward.iter().map(|synapses| synapses.learn_work).collect(),
        }
    }

    /// Starts counting multiply-adds anew.
    pub fn clear_work(&mut self) {
        self.forward.iter_mut().for_each(|synapses| {
            synapses.drive_work = Work::default();
            synapses.learn_work = Work::default();
        });
        self.feedback.iter_mut().for_each(|synapses| synapses.work = Work::default());
    }
}

impl State {
    /// Packs all weights anew, after they were set from outside.
    pub(super) fn repack(&mut self) {
        let isa = self.isa;
        self.forward.iter_mut().for_each(|synapses| synapses.pack(isa));
        for feedback in &mut self.feedback {
            feedback.pack(isa, &self.forward[feedback.partner.0].weights);
        }
    }
}

/// Two different populations of one slice, the second to write.
fn two(units: &mut [Population], read: usize, write: usize) -> (&Population, &mut Population) {
    assert_ne!(read, write, "a projection joins two units");
    if read < write {
        let (low, high) = units.split_at_mut(write);
        (&low[read], &mut high[0])
    } else {
        let (low, high) = units.split_at_mut(read);
        (&high[0], &mut low[write])
    }
}

fn export(layout: Layout, samples: &[f32], plain: &mut [f32], count: usize) {
    samples
        .par_chunks(layout.sample())
        .zip(plain.par_chunks_mut(layout.shape.len()))
        .take(count)
        .with_min_len(least())
        .for_each(|(sample, plain)| layout.export(sample, plain));
}

fn import(layout: Layout, plain: &[f32], samples: &mut [f32], count: usize) {
    samples
        .par_chunks_mut(layout.sample())
        .zip(plain.par_chunks(layout.shape.len()))
        .take(count)
        .with_min_len(least())
        .for_each(|(sample, plain)| layout.import(plain, sample));
}
