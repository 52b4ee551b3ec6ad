//! The state seen from outside: what an observer may read, and what a checkpoint keeps.

use super::{State, View};
use crate::error::{Error, Result};
use crate::kernels::Layout;
use crate::network::{FeedbackId, Network, ProjectionId, UnitId};
use crate::optimizer::Optimizer;

/// One lasting vector of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// Forward weights.
    Weight(ProjectionId),
    /// Biases.
    Bias(ProjectionId),
    /// Feedback weights of their own.
    Feedback(FeedbackId),
    /// Biases of a learned inverse.
    FeedbackBias(FeedbackId),
    /// One of the optimiser's running averages, weights then biases.
    Moment(ProjectionId, usize),
    /// The same of a learned inverse.
    FeedbackMoment(FeedbackId, usize),
}

/// A lasting vector's name and dimensions, such as `v1->v2.weight` and `[32, 32, 3, 3]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Which one.
    pub slot: Slot,
    /// Projection, a dot, and `weight`, `bias`, `feedback`, `inverse` or the running average's name.
    pub name: String,
    /// `[out, in]`, `[out, in, kernel, kernel]` or `[len]`.
    pub dims: Vec<usize>,
}

impl State {
    /// Every lasting vector, in declaration order: with the number of updates made, all that a run needs to go on.
    pub fn tensors(&self, network: &Network, optimizer: &Optimizer, inverse_optimizer: &Optimizer) -> Vec<Tensor> {
        let mut tensors = Vec::new();
        let mut add = |slot, name: &str, kind: &str, dims| {
            tensors.push(Tensor { slot, name: format!("{name}.{kind}"), dims });
        };
        for id in network.projection_ids() {
            let projection = network.projection(id);
            let synapses = &self.forward[id.0];
            let dims = projection.map.weight_dims(network.unit(projection.from).shape);
            if projection.map.has_weights() {
                add(Slot::Weight(id), &projection.name, "weight", dims);
            }
            if let Some(bias) = synapses.weights.bias() {
                add(Slot::Bias(id), &projection.name, "bias", vec![bias.len()]);
            }
            if let Some(plasticity) = &synapses.plasticity {
                for (index, kind) in optimizer.moment_names().iter().enumerate() {
                    add(Slot::Moment(id, index), &projection.name, kind, vec![plasticity.moments.0[index].len()]);
                }
            }
        }
        for id in network.feedback_ids() {
            let feedback = network.answer(id);
            let synapses = &self.feedback[id.0];
            let Some(weights) = &synapses.weights else { continue };
            let dims = feedback.map.weight_dims(network.unit(feedback.to).shape);
            let Some(inverse) = &synapses.inverse else {
                add(Slot::Feedback(id), &feedback.name, "feedback", dims);
                continue;
            };
            add(Slot::Feedback(id), &feedback.name, "inverse", dims);
            if let Some(bias) = weights.bias() {
                add(Slot::FeedbackBias(id), &feedback.name, "bias", vec![bias.len()]);
            }
            let kinds = inverse_optimizer.moment_names().iter().enumerate();
            for ((index, kind), moment) in kinds.zip(&inverse.moments.0) {
                add(Slot::FeedbackMoment(id, index), &feedback.name, kind, vec![moment.len()]);
            }
        }
        tensors
    }

    /// The values of a lasting vector; empty if the state has no such vector.
    pub fn values(&self, slot: Slot) -> &[f32] {
        match slot {
            Slot::Weight(id) => self.forward[id.0].weights.synapses(),
            Slot::Bias(id) => self.forward[id.0].weights.bias().unwrap_or_default(),
            Slot::Feedback(id) => self.feedback[id.0].weights.as_ref().map_or(&[], |weights| weights.synapses()),
            Slot::FeedbackBias(id) => {
                self.feedback[id.0].weights.as_ref().and_then(|weights| weights.bias()).unwrap_or_default()
            }
            Slot::FeedbackMoment(id, index) => {
                self.feedback[id.0].inverse.as_ref().map_or(&[], |inverse| &inverse.moments.0[index])
            }
            Slot::Moment(id, index) => {
                self.forward[id.0].plasticity.as_ref().map_or(&[], |plasticity| &plasticity.moments.0[index])
            }
        }
    }

    /// Overwrites lasting vectors.
    ///
    /// # Errors
    /// One is given other than as many values as it has, or something other than 0 for a synapse that does not exist;
    /// those before it are set.
    pub fn set<'a>(&mut self, vectors: impl IntoIterator<Item = (Slot, &'a [f32])>) -> Result<()> {
        let outcome = vectors.into_iter().try_for_each(|(slot, values)| self.overwrite(slot, values));
        self.repack();
        outcome
    }

    fn overwrite(&mut self, slot: Slot, values: &[f32]) -> Result<()> {
        let connectome = match slot {
            Slot::Weight(id) | Slot::Moment(id, _) => Some(self.forward[id.0].weights.connectome.clone()),
            Slot::Feedback(id) => self.feedback[id.0].weights.as_ref().map(|weights| weights.connectome.clone()),
            Slot::Bias(_) | Slot::FeedbackBias(_) | Slot::FeedbackMoment(..) => None,
        };
        let own: &mut [f32] = match slot {
            Slot::Weight(id) => self.forward[id.0].weights.synapses_mut(),
            Slot::Bias(id) => self.forward[id.0].weights.bias_mut().unwrap_or_default(),
            Slot::Feedback(id) => {
                self.feedback[id.0].weights.as_mut().map_or(&mut [], |weights| weights.synapses_mut())
            }
            Slot::FeedbackBias(id) => {
                self.feedback[id.0].weights.as_mut().and_then(|weights| weights.bias_mut()).unwrap_or_default()
            }
            Slot::FeedbackMoment(id, index) => {
                self.feedback[id.0].inverse.as_mut().map_or(&mut [], |inverse| &mut inverse.moments.0[index])
            }
            Slot::Moment(id, index) => {
                self.forward[id.0].plasticity.as_mut().map_or(&mut [], |plasticity| &mut plasticity.moments.0[index])
            }
        };
        if own.len() != values.len() {
            return Err(Error::usage(
                format!("{slot:?} has {} values, but {} were given", own.len(), values.len()),
                "give as many values as the vector has",
            ));
        }
        if let Some(connectome) = connectome {
            connectome.admit(values)?;
        }
        own.copy_from_slice(values);
        Ok(())
    }

    /// Learning steps made so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Updates that each projection took so far, feedforward ones first; 0 for one that does not learn.
    pub(crate) fn updates_of_each(&self) -> Vec<u64> {
        let forward = self.forward.iter().map(|synapses| synapses.plasticity.as_ref().map_or(0, |own| own.updates));
        let inverse = self.feedback.iter().map(|synapses| synapses.inverse.as_ref().map_or(0, |own| own.updates));
        forward.chain(inverse).collect()
    }

    /// Says how many learning steps were made and how many updates each projection took, for a state that is being
    /// restored.
    pub(crate) fn set_updates(&mut self, updates: u64, each: &[u64]) {
        self.updates = updates;
        let mut each = each.iter().copied();
        for (synapses, updates) in self.forward.iter_mut().zip(&mut each) {
            synapses.plasticity.iter_mut().for_each(|own| own.updates = updates);
        }
        for (synapses, updates) in self.feedback.iter_mut().zip(&mut each) {
            synapses.inverse.iter_mut().for_each(|own| own.updates = updates);
        }
    }

    /// Activity of a unit over the batch at hand, `[sample][channel][row][column]`.
    pub fn activity(&self, unit: UnitId, view: View) -> Vec<f32> {
        let population = &self.units[unit.0];
        self.plain(&population.trace(view).activity, population.layout)
    }

    /// Error at the activity of a unit over the batch at hand, `[sample][channel][row][column]`; empty for a unit that
    /// no error reaches. Steps of a simulation that is not [keeping](crate::simulation::Simulation::keeping) it may
    /// leave that of an earlier step.
    pub fn error(&self, unit: UnitId, view: View) -> Vec<f32> {
        let population = &self.units[unit.0];
        self.plain(&population.trace(view).error, population.error_layout)
    }

    /// Activity of a unit over the batch at hand as it lies in memory, sample after sample; spare lanes and halo are 0.
    pub fn laid_out_activity(&self, unit: UnitId, view: View) -> (&[f32], Layout) {
        let population = &self.units[unit.0];
        (&population.trace(view).activity[..self.samples * population.layout.sample()], population.layout)
    }

    /// The packet of a unit over the batch at hand, `[sample][channel][row][column]` of its drive: its error, gated, as
    /// its synapses see it; empty for a unit that needs none.
    pub fn packet(&self, unit: UnitId, view: View) -> Vec<f32> {
        let population = &self.units[unit.0];
        let (trace, layout) = (population.trace(view), population.packet_layout);
        if trace.packet.is_empty() {
            return Vec::new();
        }
        let values = layout.drive.shape.len();
        let mut plain = vec![0.0; self.samples * values];
        for (sample, plain) in plain.chunks_exact_mut(values).enumerate() {
            let own = sample * layout.values().sample()..(sample + 1) * layout.values().sample();
            let winners = sample * layout.winners()..(sample + 1) * layout.winners();
            layout.export(&trace.packet[own], &trace.packet_winners[winners], plain);
        }
        plain
    }

    /// Events of a unit, that is, values of its packet which are not 0, for each sample of the batch at hand; empty for
    /// a unit that needs no error.
    pub fn events(&self, unit: UnitId, view: View) -> &[u32] {
        let events = &self.units[unit.0].trace(view).events;
        &events[..self.samples.min(events.len())]
    }

    /// The embeddings that a unit keeps of the stored view, `[sample][unit]`; empty for a unit that keeps none.
    pub fn memory(&self, unit: UnitId) -> &[f32] {
        let population = &self.units[unit.0];
        let kept = self.samples * population.layout.shape.len();
        &population.memory[..kept.min(population.memory.len())]
    }

    /// The change at hand of a learned inverse, weights then biases; empty for other feedback.
    pub fn inverse_change(&self, feedback: FeedbackId) -> &[f32] {
        self.feedback[feedback.0].inverse.as_ref().map_or(&[], |inverse| &inverse.change)
    }

    /// The change at hand of a projection, weights then biases; empty for one that does not learn.
    pub fn change(&self, projection: ProjectionId) -> &[f32] {
        self.forward[projection.0].plasticity.as_ref().map_or(&[], |plasticity| &plasticity.change)
    }

    fn plain(&self, samples: &[f32], layout: Layout) -> Vec<f32> {
        if samples.is_empty() {
            return Vec::new();
        }
        let mut plain = vec![0.0; self.samples * layout.shape.len()];
        for (sample, plain) in samples.chunks(layout.sample()).zip(plain.chunks_mut(layout.shape.len())) {
            layout.export(sample, plain);
        }
        plain
    }
}
