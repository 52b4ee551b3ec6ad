//! What the machine can do at most: the two roofs that kernels are measured by. Multiply-adds that never leave the
//! registers, on all threads at once, say how fast arithmetic could be; a stream through a buffer that no cache holds
//! says how fast memory is. Both are the best of several short runs, because whatever else the machine does can only
//! make them slower.

use std::hint::black_box;
use std::time::Instant;

use super::layout::LANES;
use super::simd::{Kernel, Vector};
use super::{Buffer, Isa};

/// Runs of which the best counts.
const RUNS: usize = 24;
/// Multiply-adds in each chain of a run, which takes milliseconds: a longer one would more likely be disturbed.
const LENGTH: usize = 1 << 19;
/// Floats of the stream: 128 MiB, several times the L3 that a few cores share.
const STREAM: usize = 1 << 25;

/// What the machine can do at most, on all threads of the pool at hand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Peak {
    /// Multiply-adds of single floats a second.
    pub multiply_adds: f64,
    /// Bytes read or written a second.
    pub bytes: f64,
}

impl Peak {
    /// Measures both.
    pub fn measure(isa: Isa) -> Peak {
        let chained = |isa: Isa| {
            let counts = rayon::broadcast(|_| {
                let mut done = 0;
                isa.compute(Chains { done: &mut done });
                done
            });
            counts.into_iter().sum::<usize>() as f64
        };
        let mut values = Buffer::zeros(STREAM);
        let share = STREAM.div_ceil(rayon::current_num_threads());
        let mut streamed = |isa: Isa| {
            rayon::scope(|scope| {
                for values in values.chunks_mut(share) {
                    scope.spawn(move |_| isa.compute(Stream { values }));
                }
            });
            // Every value is read and written.
            2.0 * (STREAM * size_of::<f32>()) as f64
        };
        Peak { multiply_adds: best(|| chained(isa)), bytes: best(|| streamed(isa)) }
    }

    /// The higher of both figures: what was measured lower was disturbed.
    pub fn or(self, other: Peak) -> Peak {
        Peak { multiply_adds: self.multiply_adds.max(other.multiply_adds), bytes: self.bytes.max(other.bytes) }
    }
}

/// The highest rate of some work, which says how much it was.
fn best(mut work: impl FnMut() -> f64) -> f64 {
    let rates = (0..RUNS).map(|_| {
        let start = Instant::now();
        let done = work();
        done / start.elapsed().as_secs_f64()
    });
    rates.fold(0.0, f64::max)
}

/// Independent chains of multiply-adds, enough of them that each has ended by the time its turn comes again, and no more
/// than there are registers for.
struct Chains<'a> {
    /// How many multiply-adds were done.
    done: &'a mut usize,
}

impl Kernel for Chains<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(self) {
        // As many registers as the accumulators of a product are given; the branch is settled when this is compiled.
        // SAFETY: the caller vouches for the instruction set.
        *self.done = unsafe {
            match X::POSITIONS * X::BLOCKS {
                16.. => chains::<X, 16>(),
                6.. => chains::<X, 6>(),
                _ => chains::<X, 2>(),
            }
        };
    }
}

/// # Safety
/// The processor has the instruction set of `X`.
#[inline(always)]
unsafe fn chains<X: Vector, const CHAINS: usize>() -> usize {
    // SAFETY: the caller vouches for the instruction set; the array has sixteen values.
    unsafe {
        // Each chain halves its way to 1, so that no number gets too large or too small to be fast. What starts it is
        // hidden from the compiler, which would else add things up beforehand.
        let half = X::splat(black_box(0.5));
        let mut sums = [X::splat(black_box(0.0)); CHAINS];
        for _ in 0..LENGTH {
            for sum in &mut sums {
                *sum = half.fma(*sum, half);
            }
        }
        let mut all = sums[0];
        for sum in &sums[1..] {
            all = all.add(*sum);
        }
        let mut lanes = [0.0; LANES];
        all.store(lanes.as_mut_ptr());
        black_box(lanes);
    }
    CHAINS * LANES * LENGTH
}

/// Reads and writes every value once.
struct Stream<'a> {
    values: &'a mut [f32],
}

impl Kernel for Stream<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(self) {
        for vector in self.values.chunks_exact_mut(LANES) {
            // SAFETY: the caller vouches for the instruction set; the chunk has sixteen values.
            unsafe { X::load(vector.as_ptr()).add(X::splat(1.0)).store(vector.as_mut_ptr()) };
        }
    }
}
