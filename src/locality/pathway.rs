//! From geometry to kernels: the one place that knows which kernels drive, carry and learn for each linear map, and
//! what they ask of the layouts at its two ends.

use crate::kernels::Layout;
use crate::kernels::correlation::Correlation;
use crate::kernels::product::Product;
use crate::network::LinearMap;

/// The kernel that turns values laid out like `from` into a drive laid out like `to`.
pub(super) fn drive(map: LinearMap, from: Layout, to: Layout) -> Product {
    match map {
        LinearMap::Dense { .. } => Product::dense(from, to),
        LinearMap::Conv { kernel, stride, pad, .. } => Product::conv(from, to, kernel, stride, pad),
    }
}

/// The way back of [`drive`]: from an error at its drive to an error at the values that it read, by the same weights.
pub(super) fn carry(map: LinearMap, from: Layout, to: Layout) -> Product {
    match map {
        LinearMap::Dense { .. } => Product::dense_carry(from, to),
        LinearMap::Conv { kernel, stride, pad, .. } => Product::conv_carry(from, to, kernel, stride, pad),
    }
}

/// The kernel that correlates activity with the error at the drive.
pub(super) fn learn(map: LinearMap, activity: Layout, error: Layout) -> Correlation {
    match map {
        LinearMap::Dense { .. } => Correlation::dense(activity, error),
        LinearMap::Conv { kernel, stride, pad, .. } => Correlation::conv(activity, error, kernel, stride, pad),
    }
}

/// The halo that [`drive`] and [`learn`] read around the activity.
pub(super) fn activity_halo(map: LinearMap) -> usize {
    match map {
        LinearMap::Dense { .. } => 0,
        LinearMap::Conv { pad, .. } => pad,
    }
}

/// The halo that [`carry`] reads around the error.
pub(super) fn carry_halo(map: LinearMap) -> usize {
    match map {
        LinearMap::Dense { .. } => 0,
        LinearMap::Conv { kernel, stride, pad, .. } => Product::carry_halo(kernel, stride, pad),
    }
}
