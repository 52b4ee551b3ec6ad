//! From geometry to kernels: the one place that knows which kernels drive, carry and learn for each linear map, and
//! what they ask of the layouts at its two ends. A transposed convolution turns every one of a convolution's kernels
//! round: it drives as that carries, carries as that drives, and learns with the two ends swapped.

use crate::kernels::{Correlation, Isa, Layout, LocalCorrelation, Product, sum_over_positions, sum_over_samples};
use crate::network::LinearMap;

/// The kernel that turns values laid out like `from` into a drive laid out like `to`.
pub(super) fn drive(map: LinearMap, from: Layout, to: Layout) -> Product {
    match map {
        LinearMap::Dense { .. } => Product::dense(from, to),
        LinearMap::Conv { kernel, stride, pad, .. } => Product::conv(from, to, kernel, stride, pad),
        LinearMap::Local { kernel, stride, pad, .. } => Product::local(from, to, kernel, stride, pad),
        LinearMap::TransposedConv { kernel, stride, pad, .. } => Product::conv_carry(from, to, kernel, stride, pad),
    }
}

/// The way back of [`drive`]: from an error at its drive to an error at the values that it read, by the same weights.
pub(super) fn carry(map: LinearMap, from: Layout, to: Layout) -> Product {
    match map {
        LinearMap::Dense { .. } => Product::dense_carry(from, to),
        LinearMap::Conv { kernel, stride, pad, .. } => Product::conv_carry(from, to, kernel, stride, pad),
        LinearMap::Local { kernel, stride, pad, .. } => Product::local_carry(from, to, kernel, stride, pad),
        LinearMap::TransposedConv { kernel, stride, pad, .. } => Product::conv(from, to, kernel, stride, pad),
    }
}

/// The kernel that correlates activity with the error at the drive.
pub(super) fn learn(map: LinearMap, activity: Layout, error: Layout) -> Pairing {
    match map {
        LinearMap::Dense { .. } => Pairing::Straight(Correlation::dense(activity, error)),
        LinearMap::Conv { kernel, stride, pad, .. } => {
            Pairing::Straight(Correlation::conv(activity, error, kernel, stride, pad))
        }
        LinearMap::Local { kernel, stride, pad, .. } => {
            Pairing::Local(LocalCorrelation::new(activity, error, kernel, stride, pad))
        }
        LinearMap::TransposedConv { kernel, stride, pad, .. } => {
            Pairing::Swapped(Correlation::conv(error, activity, kernel, stride, pad))
        }
    }
}

/// The kernel by which an inverse learns whose way down is the [`carry`] of `map`: it correlates the upper unit's
/// activity with an error at what it says below.
pub(super) fn learn_back(map: LinearMap, activity: Layout, error: Layout) -> Pairing {
    match learn(map, error, activity) {
        Pairing::Straight(correlation) => Pairing::Swapped(correlation),
        Pairing::Swapped(correlation) => Pairing::Straight(correlation),
        Pairing::Local(_) => unreachable!("an inverse is the way back of a convolution or a dense map"),
    }
}

/// The halo that [`drive`] and [`learn`] read around the activity.
pub(super) fn activity_halo(map: LinearMap) -> usize {
    match map {
        LinearMap::Dense { .. } => 0,
        LinearMap::Conv { pad, .. } | LinearMap::Local { pad, .. } => pad,
        LinearMap::TransposedConv { kernel, stride, pad, .. } => Product::carry_halo(kernel, stride, pad),
    }
}

/// Whether [`learn`] reads the activity in whole vectors, which an input's layout may be too narrow for.
pub(super) fn reads_whole_vectors(map: LinearMap) -> bool {
    matches!(map, LinearMap::TransposedConv { .. })
}

/// The halo that [`carry`] reads around the error.
pub(super) fn carry_halo(map: LinearMap) -> usize {
    match map {
        LinearMap::Dense { .. } | LinearMap::Local { .. } => 0,
        LinearMap::Conv { kernel, stride, pad, .. } => Product::carry_halo(kernel, stride, pad),
        LinearMap::TransposedConv { pad, .. } => pad,
    }
}

/// The halo that [`learn`] reads around the error.
pub(super) fn learn_halo(map: LinearMap) -> usize {
    match map {
        LinearMap::Dense { .. } | LinearMap::Conv { .. } | LinearMap::Local { .. } => 0,
        LinearMap::TransposedConv { pad, .. } => pad,
    }
}

/// How presynaptic activity is paired with postsynaptic error.
#[derive(Debug, Clone)]
pub(super) enum Pairing {
    /// Windows of the activity with single errors.
    Straight(Correlation),
    /// Windows of the error with single activities.
    Swapped(Correlation),
    /// As straight, but each position by itself.
    Local(LocalCorrelation),
}

impl Pairing {
    /// Floats of scratch that batches of up to `samples` need.
    pub(super) fn scratch_len(&self, samples: usize) -> usize {
        match self {
            Pairing::Straight(correlation) | Pairing::Swapped(correlation) => correlation.scratch_len(samples),
            Pairing::Local(correlation) => correlation.scratch_len(),
        }
    }

    /// Adds error x activity, summed over the batch, to the change of the weights.
    pub(super) fn run(
        &self,
        isa: Isa,
        activity: &[f32],
        error: &[f32],
        events: Option<&[u32]>,
        scratch: &mut [f32],
        change: &mut [f32],
    ) {
        match self {
            Pairing::Straight(correlation) => correlation.run(isa, activity, error, events, scratch, change),
            Pairing::Swapped(correlation) => correlation.run(isa, error, activity, events, scratch, change),
            Pairing::Local(correlation) => correlation.run(isa, activity, error, events, scratch, change),
        }
    }

    /// Adds the error, summed over the batch and over the positions that share a bias, to the change of the biases.
    pub(super) fn run_biases(
        &self,
        isa: Isa,
        error: &[f32],
        layout: Layout,
        events: Option<&[u32]>,
        change: &mut [f32],
    ) {
        match self {
            Pairing::Straight(_) | Pairing::Swapped(_) => sum_over_positions(isa, error, layout, events, change),
            Pairing::Local(_) => sum_over_samples(isa, error, layout, events, change),
        }
    }
}
