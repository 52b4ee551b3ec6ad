//! What goes into a linear map over a batch and what becomes of its sums, whichever kernel computes them.

use super::layout::Layout;
use super::packet::{PacketLayout, Packets};
use super::pointwise::{Fate, Firing, Gating};
use super::tasks::Batch;

/// What a map does with what stands where its sums go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    /// Forgets it.
    Replace,
    /// Adds to it.
    Add,
}

/// What a map reads.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// Activities.
    Values(&'a [f32]),
    /// Errors. A sample without events is not read.
    Packets(Packets<'a>),
}

impl Input<'_> {
    /// Whether there is nothing to be read in a sample.
    pub(super) fn is_quiet(&self, sample: usize) -> bool {
        matches!(self, Input::Packets(packets) if packets.is_quiet(sample))
    }
}

/// What becomes of a map's sums.
pub enum Outcome<'a> {
    /// They are a drive or an error, or are added to one. Its halo is left alone, its spare lanes become 0.
    Sums(Sum, &'a mut [f32]),
    /// They are a drive that a population turns into activity; it is not kept.
    Fired(Firing<'a>),
    /// They are an error that a population gates; it is not kept.
    Gated(Gating<'a>),
}

/// A batch's way through a map.
pub(super) struct Flow<'a> {
    pub(super) input: Input<'a>,
    pub(super) outcome: Outcome<'a>,
    samples: usize,
    /// Floats of a sample of the values, and of the sums.
    input_sample: usize,
    output_sample: usize,
}

impl<'a> Flow<'a> {
    /// From an input laid out like `from` to sums laid out like `to`; refuses what does not fit.
    pub(super) fn new(input: Input<'a>, from: PacketLayout, outcome: Outcome<'a>, to: Layout) -> Flow<'a> {
        let samples = match &input {
            Input::Values(values) => {
                let packets = Packets::of_values(from.drive, values);
                packets.check(from);
                packets.samples()
            }
            Input::Packets(packets) => {
                packets.check(from);
                packets.samples()
            }
        };
        match &outcome {
            Outcome::Sums(_, sums) => assert_eq!(sums.len(), samples * to.sample(), "sums of {samples} samples"),
            Outcome::Fired(firing) => firing.check(to, samples),
            Outcome::Gated(gating) => gating.check(to, samples),
        }
        Flow { input, outcome, samples, input_sample: from.values().sample(), output_sample: to.sample() }
    }
}

impl Batch for Flow<'_> {
    fn samples(&self) -> usize {
        self.samples
    }

    fn split_at(self, samples: usize) -> (Self, Self) {
        let (input, other_input) = match self.input {
            Input::Values(values) => {
                let (first, others) = values.split_at(samples * self.input_sample);
                (Input::Values(first), Input::Values(others))
            }
            Input::Packets(packets) => {
                let (first, others) = packets.split_at(samples);
                (Input::Packets(first), Input::Packets(others))
            }
        };
        let (outcome, other_outcome) = match self.outcome {
            Outcome::Sums(sum, sums) => {
                let (first, others) = sums.split_at_mut(samples * self.output_sample);
                (Outcome::Sums(sum, first), Outcome::Sums(sum, others))
            }
            Outcome::Fired(firing) => {
                let (first, others) = firing.split_at(samples);
                (Outcome::Fired(first), Outcome::Fired(others))
            }
            Outcome::Gated(gating) => {
                let (first, others) = gating.split_at(samples);
                (Outcome::Gated(first), Outcome::Gated(others))
            }
        };
        let Flow { input_sample, output_sample, .. } = self;
        let first = Flow { input, outcome, samples, input_sample, output_sample };
        let samples = self.samples - samples;
        (first, Flow { input: other_input, outcome: other_outcome, samples, input_sample, output_sample })
    }
}
