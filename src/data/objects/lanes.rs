//! Sixteen numbers at a time, one for each of sixteen rays, in whatever registers the processor has.
//!
//! Every operation is done lane by lane and rounded as that of one f32 is, so an image is the same on every instruction
//! set. What sixteen rays have in common is decided once for all of them; where they part, all go on and a [`Mask`]
//! tells whose results count.

use fearless_simd::prelude::*;
use fearless_simd::{f32x16, mask32x16};

/// Rays that are cast together.
pub(super) const LANES: usize = 16;

/// One number for each ray.
pub(super) type Lanes<S> = f32x16<S>;

/// One truth value for each ray.
pub(super) type Mask<S> = mask32x16<S>;

/// The larger of two numbers, the second where one is no number: instruction sets disagree on that.
#[inline(always)]
pub(super) fn larger<S: Simd>(one: Lanes<S>, other: Lanes<S>) -> Lanes<S> {
    one.simd_gt(other).select(one, other)
}

/// The smaller of two numbers, the second where one is no number.
#[inline(always)]
pub(super) fn smaller<S: Simd>(one: Lanes<S>, other: Lanes<S>) -> Lanes<S> {
    one.simd_lt(other).select(one, other)
}
