//! Weights with a direction. Forward weights drive; feedback weights carry errors; neither does the other's work.

use std::marker::PhantomData;

use super::connectome::Connectome;
use crate::network::Init;
use crate::rng::Rng;

/// Marks weights of a feedforward projection.
#[derive(Debug, Clone, Copy)]
pub struct Feedforward;

/// Marks weights of a feedback projection.
#[derive(Debug, Clone, Copy)]
pub struct Feedback;

/// The direction in which a projection's weights are used.
pub trait Direction {}

impl Direction for Feedforward {}

impl Direction for Feedback {}

/// The weights of one projection in the order that its map says, then its biases if it has them.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights<D: Direction> {
    pub(super) values: Vec<f32>,
    synapses: usize,
    pub(super) connectome: Connectome,
    direction: PhantomData<D>,
}

impl<D: Direction> Weights<D> {
    /// Draws first weights by `init`, whose scale is the `fan_in`, for the synapses of `connectome`, and `biases`
    /// biases. `Init::Symmetric` starts at zero; the copy is made by whoever holds both.
    pub(super) fn draw(
        synapses: usize,
        biases: usize,
        fan_in: f32,
        init: Init,
        connectome: Connectome,
        rng: &mut Rng,
    ) -> Self {
        let len = synapses + biases;
        let mut values = match init {
            Init::Kaiming => uniform(len, fan_in.sqrt().recip(), rng),
            Init::Uniform { bound } => uniform(len, bound, rng),
            Init::Normal { deviation } => (0..len).map(|_| deviation * rng.normal()).collect(),
            Init::Symmetric => vec![0.0; len],
        };
        connectome.silence(&mut values);
        Weights { values, synapses, connectome, direction: PhantomData }
    }

    pub(super) fn synapses(&self) -> &[f32] {
        &self.values[..self.synapses]
    }

    pub(super) fn synapses_mut(&mut self) -> &mut [f32] {
        &mut self.values[..self.synapses]
    }

    pub(super) fn bias(&self) -> Option<&[f32]> {
        (self.values.len() > self.synapses).then(|| &self.values[self.synapses..])
    }

    pub(super) fn bias_mut(&mut self) -> Option<&mut [f32]> {
        (self.values.len() > self.synapses).then(|| &mut self.values[self.synapses..])
    }
}

fn uniform(len: usize, bound: f32, rng: &mut Rng) -> Vec<f32> {
    (0..len).map(|_| rng.between(-bound, bound)).collect()
}

impl Weights<Feedback> {
    /// The way that an error may take downwards.
    pub fn errorway(&self) -> Errorway<'_> {
        Errorway(self.synapses())
    }
}

/// Weights through which an error may travel. Feedback weights have one; forward weights only through a [`Breach`].
#[derive(Debug, Clone, Copy)]
pub struct Errorway<'a>(pub(super) &'a [f32]);

/// A hole in the fences, by name, so that it can be found, counted and reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breach {
    name: &'static str,
}

impl Breach {
    /// Errors travel backwards through forward weights, as no synapse could send them.
    pub const WEIGHT_TRANSPORT: Breach = Breach { name: "weight transport" };

    /// What is breached.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Opens forward weights to errors.
    pub fn errorway(self, weights: &Weights<Feedforward>) -> Errorway<'_> {
        Errorway(weights.synapses())
    }
}
