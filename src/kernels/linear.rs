//! A linear map of many values to few units that answers and learns in one pass over its samples.
//!
//! ```text
//! output[s][u]  =  sum over values of  weight[u][v] * row[s][v]
//! change[u][v]  =  sum over samples of  error[s][u] * row[s][v]
//! ```
//!
//! With few units each value of a row is used but a few times, so memory sets the pace. The error of a sample follows
//! from its own outputs. So a few rows at a time are answered and learnt from while they are in the cache, where
//! they lie and in any order; and meanwhile the next few are fetched. Weights and rows lie as they are read: nothing
//! is packed or copied.

mod tile;

use rayon::prelude::*;

use self::tile::{BLOCK, Pass};
use super::isa::Isa;
use super::layout::LANES;
use super::simd::{Kernel, Vector};
use super::tasks;

/// Parts of a batch, each of which has a change of its own: enough for the few cores that keep memory busy, and few, for
/// they have to be added up. Their number does not depend on threads, because sums are rounded where a batch is cut.
const PARTS: usize = 4;

/// Values of a change that one task adds up.
const STRETCH: usize = 8 * 1024;

/// A linear map without biases: a value that is always 1 stands in for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    width: usize,
    units: usize,
}

impl Linear {
    /// From rows of at least `values` to `units`.
    pub fn new(values: usize, units: usize) -> Linear {
        Linear { width: Linear::width(values), units }
    }

    /// Floats from one row to the next, of samples as of weights; those behind the `values` are zeros. An odd number of
    /// cache lines, so that one place of many rows does not fall into one set of a cache.
    pub fn width(values: usize) -> usize {
        (values.div_ceil(LANES) | 1) * LANES
    }

    /// Floats of the weights, a row for each unit.
    pub fn weights(self) -> usize {
        self.units * self.width
    }

    /// Floats that [`Linear::learn`] needs for changes.
    pub fn changes(self) -> usize {
        PARTS * self.weights()
    }

    /// Calls `tell` with each of the `samples`, by which `rows` are looked up, and its outputs.
    pub fn respond(
        self,
        isa: Isa,
        weights: &[f32],
        rows: &[f32],
        samples: &[usize],
        tell: &(impl Fn(usize, &mut [f32]) + Sync),
    ) {
        self.check(weights, rows, samples);
        samples.par_chunks(self.part(samples.len())).for_each(|samples| {
            self.pass(isa, Pass { map: self, weights, rows, samples, tell, change: &mut [], bench: &mut [] });
        });
    }

    /// The same, where `err` turns the outputs of a sample into its errors; their correlation with the rows stands in the
    /// first of `changes` afterwards, in the order of the weights.
    pub fn learn(
        self,
        isa: Isa,
        weights: &[f32],
        rows: &[f32],
        samples: &[usize],
        err: &(impl Fn(usize, &mut [f32]) + Sync),
        changes: &mut [f32],
    ) {
        self.check(weights, rows, samples);
        assert_eq!(changes.len(), self.changes(), "changes of a linear map");
        if samples.is_empty() {
            return changes[..self.weights()].fill(0.0);
        }
        let parts = samples.par_chunks(self.part(samples.len()));
        let used = parts.len();
        changes.par_chunks_mut(self.weights()).zip(parts).for_each(|(change, samples)| {
            self.pass(isa, Pass { map: self, weights, rows, samples, tell: err, change, bench: &mut [] });
        });
        let (total, others) = changes.split_at_mut(self.weights());
        total.par_chunks_mut(STRETCH).enumerate().for_each(|(index, total)| {
            for other in others.chunks_exact(self.weights()).take(used - 1) {
                let other = &other[index * STRETCH..][..total.len()];
                isa.compute(Add { total, other });
            }
        });
    }

    fn part(self, samples: usize) -> usize {
        samples.div_ceil(PARTS).next_multiple_of(BLOCK).max(BLOCK)
    }

    fn pass<F: Fn(usize, &mut [f32])>(self, isa: Isa, pass: Pass<F>) {
        tasks::with_bench(Pass::<F>::bench(self.units), |bench| isa.compute(Pass { bench, ..pass }));
    }

    /// Refuses slices that do not belong together.
    fn check(self, weights: &[f32], rows: &[f32], samples: &[usize]) {
        assert_eq!(weights.len(), self.weights(), "weights of a linear map");
        let count = rows.len() / self.width;
        assert!(samples.iter().all(|&sample| sample < count), "samples of {count} rows");
    }
}

/// Adds one change to another.
struct Add<'a> {
    total: &'a mut [f32],
    other: &'a [f32],
}

impl Kernel for Add<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(self) {
        self.total.iter_mut().zip(self.other).for_each(|(total, other)| *total += other);
    }
}
