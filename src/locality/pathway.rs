//! From geometry to kernels: the one place that knows which kernels drive, carry and learn for each linear map, and
//! what they ask of the layouts at its two ends. A transposed convolution turns every one of a convolution's kernels
//! round: it drives as that carries, carries as that drives, and learns with the two ends swapped.

use crate::kernels::pointwise::relay;
use crate::kernels::{Correlation, Isa, Layout, LocalCorrelation, Product, Sum, sum_over_positions, sum_over_samples};
use crate::network::LinearMap;

/// How values travel from one population to another.
#[derive(Debug, Clone)]
pub(super) enum Pathway {
    /// Each that arrives is a weighted sum.
    Weighted(Product),
    /// Each arrives at one place, as it was but for a common factor.
    Relayed { from: Layout, to: Layout, scale: f32 },
}

impl Pathway {
    /// The same, with a factor where no weights could hold it.
    pub(super) fn scaled(mut self, factor: f32) -> Pathway {
        if let Pathway::Relayed { scale, .. } = &mut self {
            *scale = factor;
        }
        self
    }

    /// Floats of the packed weights.
    pub(super) fn packed_len(&self) -> usize {
        match self {
            Pathway::Weighted(product) => product.packed_len(),
            Pathway::Relayed { .. } => 0,
        }
    }

    /// Brings plain weights into the order in which [`Pathway::run`] reads them.
    pub(super) fn pack(&self, weights: &[f32], packed: &mut [f32]) {
        if let Pathway::Weighted(product) = self {
            product.pack(weights, packed);
        }
    }

    /// Multiply-adds of one sample.
    pub(super) fn multiply_adds(&self) -> u64 {
        match self {
            Pathway::Weighted(product) => product.multiply_adds(),
            Pathway::Relayed { .. } => 0,
        }
    }

    /// Sends a batch on its way; see [`Product::run`].
    #[allow(clippy::too_many_arguments)]
    pub(super) fn run(
        &self,
        isa: Isa,
        packed: &[f32],
        input: &[f32],
        events: Option<&[u32]>,
        bias: Option<&[f32]>,
        sum: Sum,
        output: &mut [f32],
    ) {
        match *self {
            Pathway::Weighted(ref product) => product.run(isa, packed, input, events, bias, sum, output),
            Pathway::Relayed { from, to, scale } => relay(isa, scale, (input, from), (output, to), sum),
        }
    }
}

/// The kernel that turns values laid out like `from` into a drive laid out like `to`.
pub(super) fn drive(map: LinearMap, from: Layout, to: Layout) -> Pathway {
    Pathway::Weighted(match map {
        LinearMap::Dense { .. } => Product::dense(from, to),
        LinearMap::Conv { kernel, stride, pad, .. } => Product::conv(from, to, kernel, stride, pad),
        LinearMap::Local { kernel, stride, pad, .. } => Product::local(from, to, kernel, stride, pad),
        LinearMap::TransposedConv { kernel, stride, pad, .. } => Product::conv_carry(from, to, kernel, stride, pad),
        LinearMap::OneToOne => return Pathway::Relayed { from, to, scale: 1.0 },
    })
}

/// The way back of [`drive`]: from an error at its drive to an error at the values that it read, by the same weights.
pub(super) fn carry(map: LinearMap, from: Layout, to: Layout) -> Pathway {
    Pathway::Weighted(match map {
        LinearMap::Dense { .. } => Product::dense_carry(from, to),
        LinearMap::Conv { kernel, stride, pad, .. } => Product::conv_carry(from, to, kernel, stride, pad),
        LinearMap::Local { kernel, stride, pad, .. } => Product::local_carry(from, to, kernel, stride, pad),
        LinearMap::TransposedConv { kernel, stride, pad, .. } => Product::conv(from, to, kernel, stride, pad),
        LinearMap::OneToOne => return Pathway::Relayed { from, to, scale: 1.0 },
    })
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
        LinearMap::OneToOne => unreachable!("without weights nothing learns"),
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
        LinearMap::Dense { .. } | LinearMap::OneToOne => 0,
        LinearMap::Conv { pad, .. } | LinearMap::Local { pad, .. } => pad,
        LinearMap::TransposedConv { kernel, stride, pad, .. } => Product::carry_halo(kernel, stride, pad),
    }
}

/// Whether [`drive`] or [`learn`] reads the activity in whole vectors, which an input's layout may be too narrow for.
pub(super) fn reads_whole_vectors(map: LinearMap) -> bool {
    matches!(map, LinearMap::TransposedConv { .. } | LinearMap::OneToOne)
}

/// The halo that [`carry`] reads around the error.
pub(super) fn carry_halo(map: LinearMap) -> usize {
    match map {
        LinearMap::Dense { .. } | LinearMap::Local { .. } | LinearMap::OneToOne => 0,
        LinearMap::Conv { kernel, stride, pad, .. } => Product::carry_halo(kernel, stride, pad),
        LinearMap::TransposedConv { pad, .. } => pad,
    }
}

/// The halo that [`learn`] reads around the error.
pub(super) fn learn_halo(map: LinearMap) -> usize {
    match map {
        LinearMap::Dense { .. } | LinearMap::Conv { .. } | LinearMap::Local { .. } | LinearMap::OneToOne => 0,
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
