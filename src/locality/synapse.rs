//! A synapse population as its credit rule sees it: two ends and a change. Nothing here names a unit.

use std::marker::PhantomData;

use super::pathway::Pairing;
use crate::kernels::{Isa, Packets};

/// Marks a presynaptic signal.
#[derive(Debug, Clone, Copy)]
pub struct Pre;

/// Marks a postsynaptic signal.
#[derive(Debug, Clone, Copy)]
pub struct Post;

/// What one side of a synapse population shows over a batch. Only the state can make one.
#[derive(Debug, Clone, Copy)]
pub struct Signal<'a, Side> {
    packets: Packets<'a>,
    side: PhantomData<Side>,
}

impl<'a, Side> Signal<'a, Side> {
    pub(super) fn new(packets: Packets<'a>) -> Self {
        Signal { packets, side: PhantomData }
    }
}

/// The two ends of one projection, for one presentation of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Synapse<'a> {
    pub(super) pre: Signal<'a, Pre>,
    pub(super) error: Signal<'a, Post>,
}

impl<'a> Synapse<'a> {
    /// Activity of the presynaptic unit.
    pub fn pre(&self) -> Signal<'a, Pre> {
        self.pre
    }

    /// Error of the postsynaptic unit, gated by the gain of its own activity (and sent to the winners of its pooling
    /// windows): the derivative of the loss with respect to its drive, as far as the feedback told it.
    pub fn error(&self) -> Signal<'a, Post> {
        self.error
    }
}

/// The change that a rule asks of one projection's weights; an optimiser subtracts what it makes of it.
#[derive(Debug)]
pub struct Change<'a> {
    pub(super) isa: Isa,
    pub(super) pairing: &'a Pairing,
    pub(super) scratch: &'a mut [f32],
    pub(super) synapses: &'a mut [f32],
    pub(super) bias: &'a mut [f32],
}

impl Change<'_> {
    /// Adds post x pre, summed over the batch and over the positions that share a weight. A bias is a synapse from a
    /// unit that is always 1.
    pub fn correlate(&mut self, pre: Signal<'_, Pre>, post: Signal<'_, Post>) {
        self.pairing.run(self.isa, pre.packets, post.packets, self.scratch, self.synapses);
        if !self.bias.is_empty() {
            self.pairing.run_biases(self.isa, post.packets, self.bias);
        }
    }
}
