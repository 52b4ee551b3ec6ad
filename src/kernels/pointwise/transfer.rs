//! Transfer functions and their gains, sixteen values at a time.

use super::super::simd::Vector;
use super::Transfer;

/// The transfer function of sixteen drives. A drive that is not a number stays one.
#[inline(always)]
pub(super) unsafe fn fire<X: Vector>(transfer: Transfer, drive: X) -> X {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        match transfer {
            Transfer::Linear => drive,
            Transfer::HardTanh => X::splat(1.0).min(X::splat(-1.0).max(drive)),
            Transfer::Tanh => tanh(drive),
            Transfer::Relu => X::splat(0.0).max(drive),
        }
    }
}

/// Sixteen errors x gains, the gain from the activity.
#[inline(always)]
pub(super) unsafe fn gate<X: Vector>(transfer: Transfer, activity: X, error: X) -> X {
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let zero = X::splat(0.0);
        match transfer {
            Transfer::Linear => error,
            Transfer::HardTanh => {
                let above = error.select(activity.greater(X::splat(-1.0)), zero);
                above.select(X::splat(1.0).greater(activity), zero)
            }
            Transfer::Tanh => error.mul(X::splat(1.0).fma(activity.mul(X::splat(-1.0)), activity)),
            Transfer::Relu => error.select(activity.greater(zero), zero),
        }
    }
}

/// tanh as a ratio of an odd and an even polynomial (the minimax fit that Eigen uses, within 3 units of the last
/// place), where libm's would take sixteen calls. Beyond +-7.9 it is 1 to the last place or the one before.
#[inline(always)]
unsafe fn tanh<X: Vector>(drive: X) -> X {
    const ODD: [f32; 7] =
        [-2.760_768_5e-16, 2.000_188e-13, -8.604_672e-11, 5.122_297e-8, 1.485_722_4e-5, 6.372_619_3e-4, 4.893_524_6e-3];
    const EVEN: [f32; 4] = [1.198_258_4e-6, 1.185_347_1e-4, 2.268_434_6e-3, 4.893_525e-3];
    // SAFETY: the caller vouches for the instruction set.
    unsafe {
        let x = X::splat(7.905_311).min(X::splat(-7.905_311).max(drive));
        let square = x.mul(x);
        let mut odd = X::splat(ODD[0]);
        for coefficient in &ODD[1..] {
            odd = X::splat(*coefficient).fma(odd, square);
        }
        let mut even = X::splat(EVEN[0]);
        for coefficient in &EVEN[1..] {
            even = X::splat(*coefficient).fma(even, square);
        }
        x.mul(odd).div(even)
    }
}
