//! Measures of vectors and of activity. Sums are made of parts whose size is fixed, in a fixed order, so that they are
//! the same on any number of threads.

use rayon::prelude::*;

use crate::kernels::Layout;

/// Values of one part of a sum.
const PART: usize = 16 * 1024;

/// From here on a unit of a bounded transfer function counts as saturated, either way.
const SATURATED: f32 = 0.99;

/// The Euclidean length of a vector.
pub fn norm(vector: &[f32]) -> f64 {
    let part = |part: &[f32]| part.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>();
    vector.par_chunks(PART).map(part).collect::<Vec<f64>>().iter().sum::<f64>().sqrt()
}

/// The angle between two vectors of one length, in degrees: 0 along each other, 90 at random in many dimensions, 180
/// against each other. None if one of them has no direction.
///
/// Kahan's way, from the sum and the difference of the unit vectors: what an arc cosine leaves of small angles would be
/// rounding alone.
///
/// # Panics
/// If the vectors differ in length.
pub fn angle(one: &[f32], other: &[f32]) -> Option<f64> {
    assert_eq!(one.len(), other.len(), "two vectors of one space");
    let (scale, other_scale) = (norm(one).recip(), norm(other).recip());
    if !(scale.is_finite() && other_scale.is_finite()) {
        return None;
    }
    let part = |(one, other): (&[f32], &[f32])| {
        let (mut apart, mut along) = (0.0, 0.0);
        for (&one, &other) in one.iter().zip(other) {
            let (one, other) = (f64::from(one) * scale, f64::from(other) * other_scale);
            apart += (one - other) * (one - other);
            along += (one + other) * (one + other);
        }
        (apart, along)
    };
    let parts: Vec<(f64, f64)> = one.par_chunks(PART).zip(other.par_chunks(PART)).map(part).collect();
    let apart: f64 = parts.iter().map(|(apart, _)| apart).sum();
    let along: f64 = parts.iter().map(|(_, along)| along).sum();
    Some((2.0 * apart.sqrt().atan2(along.sqrt())).to_degrees())
}

/// The share of laid-out activity that is saturated.
pub(super) fn saturated(activity: &[f32], layout: Layout) -> f64 {
    let of_sample = |sample: &[f32]| sample.iter().filter(|value| value.abs() >= SATURATED).count();
    // Spare lanes and halo are 0, which is not.
    let count: usize = activity.par_chunks(layout.sample()).map(of_sample).sum();
    count as f64 / (activity.len() / layout.sample() * layout.shape.len()) as f64
}

/// The share of channels that are the same in every sample of laid-out activity.
pub(super) fn constant(activity: &[f32], layout: Layout) -> f64 {
    let (first, others) = activity.split_at(layout.sample());
    let (channels, height, width) = (layout.shape.channels, layout.shape.height, layout.shape.width);
    let is_constant = |&channel: &usize| {
        // A channel that lives tells the first few samples apart.
        others.chunks(layout.sample()).all(|sample| {
            (0..height).all(|row| {
                let start = layout.offset(channel, row, 0);
                (0..width).map(|column| start + column * layout.lanes).all(|place| sample[place] == first[place])
            })
        })
    };
    (0..channels).into_par_iter().filter(is_constant).count() as f64 / channels as f64
}
