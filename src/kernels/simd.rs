//! Sixteen f32s at a time, on three instruction sets, for kernels that are written once.
//!
//! A kernel is a struct of its operands that implements [`Kernel`]: one body, generic over [`Vector`]. [`Isa::compute`]
//! picks the vector type and calls the body inside a function that is compiled for that instruction set. Intrinsics
//! are inlined only into such a function, so **everything between it and them is `#[inline(always)]`**: one helper
//! left out of line runs some fifteen times slower. For the same reason the bodies hold no closures over vectors.
//!
//! | vector | registers | `fma` |
//! |---|---|---|
//! | `x86::Wide` | one of 32 zmm | fused |
//! | `x86::Pair` | two of 16 ymm | fused |
//! | `Plain` | whatever the compiler finds | product rounded, then sum: `f32::mul_add` would call libm |
//!
//! Results are therefore the same bits for any number of threads, but not across instruction sets.

// Lanes are what the loops are about.
#![allow(clippy::needless_range_loop)]

#[cfg(target_arch = "x86_64")]
mod x86;

use super::isa::{Isa, Kind};
use super::layout::LANES;

/// Sixteen f32s. Comparisons with NaN are false; `min` and `max` give `other` when either operand is NaN.
///
/// # Safety
/// Every function asks that the processor has the implementor's instruction set; pointers must be valid for sixteen
/// values, at any alignment.
pub(crate) trait Vector: Copy {
    /// One truth value a lane.
    type Mask: Copy;
    /// Positions of the register block of a [product](super::product).
    const POSITIONS: usize;
    /// Blocks of sixteen channels of the register blocks of product and [correlation](super::correlation).
    const BLOCKS: usize;
    /// Tiles of the register block of a [Winograd product](super::winograd).
    const TILES: usize;
    /// Presynaptic values of the register block of a correlation.
    const SOURCES: usize;
    /// Units of the register blocks of a [linear map](super::linear).
    const UNITS: usize;

    unsafe fn splat(value: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// `self + a * b`.
    unsafe fn fma(self, a: Self, b: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    unsafe fn min(self, other: Self) -> Self;
    unsafe fn max(self, other: Self) -> Self;
    unsafe fn greater(self, other: Self) -> Self::Mask;
    unsafe fn equal(self, other: Self) -> Self::Mask;
    /// `self` where the mask is true, else `other`.
    unsafe fn select(self, mask: Self::Mask, other: Self) -> Self;
    /// A bit for each lane, the first lane's lowest.
    unsafe fn bits(mask: Self::Mask) -> u32;
    /// A bit for each lane that is not zero; NaN is not.
    unsafe fn nonzeros(self) -> u32;
    /// Stores the lanes that are not zero (NaN is not) one after the other, the same lanes of `beside` as whole numbers,
    /// and says how many there are. Up to sixteen values behind the last one are overwritten.
    unsafe fn append(self, beside: Self, to: *mut f32, to_beside: *mut u32) -> usize;
    /// Turns sixteen rows into sixteen columns.
    unsafe fn transpose(rows: &mut [Self; LANES]);
    /// Sixteen bytes as numbers.
    unsafe fn load_bytes(from: *const u8) -> Self;
    /// Sixteen whole numbers from 0 to 255 as bytes.
    unsafe fn store_bytes(self, to: *mut u8);
    /// Asks for a cache line that will be read soon, at any address, even a wrong one.
    unsafe fn prefetch(from: *const f32);
    /// Asks for a cache line that will be written soon.
    unsafe fn prefetch_write(to: *const f32);
}

/// A computation that is written once and compiled for every instruction set.
pub(crate) trait Kernel {
    /// Does it. Implementations are `#[inline(always)]`.
    ///
    /// # Safety
    /// The processor has the instruction set of `X`.
    unsafe fn compute<X: Vector>(self);
}

impl Isa {
    /// Runs a kernel on this instruction set.
    pub(crate) fn compute(self, kernel: impl Kernel) {
        match self.kind() {
            // SAFETY: plain Rust asks nothing of the processor.
            Kind::Scalar => unsafe { kernel.compute::<Plain>() },
            // SAFETY: an `Isa` of this kind exists only where AVX2 and FMA were detected.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { x86::avx2(kernel) },
            // SAFETY: an `Isa` of this kind exists only where all of these features were detected.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { x86::avx512(kernel) },
        }
    }
}

/// Sixteen f32s in plain Rust.
#[derive(Clone, Copy)]
pub(crate) struct Plain([f32; LANES]);

impl Plain {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let mut out = self;
        for lane in 0..LANES {
            out.0[lane] = f(self.0[lane], other.0[lane]);
        }
        out
    }

    #[inline(always)]
    fn compare(self, other: Self, f: impl Fn(f32, f32) -> bool) -> [bool; LANES] {
        let mut out = [false; LANES];
        for lane in 0..LANES {
            out[lane] = f(self.0[lane], other.0[lane]);
        }
        out
    }
}

impl Vector for Plain {
    type Mask = [bool; LANES];
    const POSITIONS: usize = 2;
    const BLOCKS: usize = 1;
    const TILES: usize = 2;
    const SOURCES: usize = 2;
    const UNITS: usize = 2;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Plain([value; LANES])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: valid for sixteen values by the trait's contract; an array of f32 is aligned like f32.
        Plain(unsafe { from.cast::<[f32; LANES]>().read() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as in `load`.
        unsafe { to.cast::<[f32; LANES]>().write(self.0) }
    }
    #[inline(always)]
    unsafe fn fma(self, a: Self, b: Self) -> Self {
        let mut out = self;
        for lane in 0..LANES {
            out.0[lane] += a.0[lane] * b.0[lane];
        }
        out
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn greater(self, other: Self) -> Self::Mask {
        self.compare(other, |a, b| a > b)
    }
    #[inline(always)]
    unsafe fn equal(self, other: Self) -> Self::Mask {
        self.compare(other, |a, b| a == b)
    }
    #[inline(always)]
    unsafe fn select(self, mask: Self::Mask, other: Self) -> Self {
        let mut out = other;
        for lane in 0..LANES {
            if mask[lane] {
                out.0[lane] = self.0[lane];
            }
        }
        out
    }
    #[inline(always)]
    unsafe fn bits(mask: Self::Mask) -> u32 {
        (0..LANES).map(|lane| u32::from(mask[lane]) << lane).sum()
    }
    #[inline(always)]
    unsafe fn nonzeros(self) -> u32 {
        (0..LANES).map(|lane| u32::from(self.0[lane] != 0.0) << lane).sum()
    }
    #[inline(always)]
    unsafe fn append(self, beside: Self, to: *mut f32, to_beside: *mut u32) -> usize {
        // SAFETY: as in `store`.
        unsafe { append_lanes(self.0, beside.0, to, to_beside) }
    }
    #[inline(always)]
    unsafe fn transpose(rows: &mut [Self; LANES]) {
        let from = *rows;
        for row in 0..LANES {
            for lane in 0..LANES {
                rows[row].0[lane] = from[lane].0[row];
            }
        }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: valid for sixteen bytes by the trait's contract.
        Plain(unsafe { from.cast::<[u8; LANES]>().read() }.map(f32::from))
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: as in `load_bytes`.
        unsafe { to.cast::<[u8; LANES]>().write(self.0.map(|value| value as u8)) }
    }
    #[inline(always)]
    unsafe fn prefetch(_: *const f32) {}
    #[inline(always)]
    unsafe fn prefetch_write(_: *const f32) {}
}

/// [`Vector::append`] lane by lane, without a branch.
///
/// # Safety
/// Both places are valid for as many values as there are lanes.
#[inline(always)]
unsafe fn append_lanes(values: [f32; LANES], beside: [f32; LANES], to: *mut f32, to_beside: *mut u32) -> usize {
    let mut count = 0;
    for lane in 0..LANES {
        // SAFETY: no more lanes were counted than have gone by.
        unsafe {
            to.add(count).write(values[lane]);
            to_beside.add(count).write(beside[lane] as u32);
        }
        count += usize::from(values[lane] != 0.0);
    }
    count
}
