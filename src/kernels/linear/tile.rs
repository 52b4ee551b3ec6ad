//! The pass of a [`Linear`] map over its samples, and its two register blocks.
//!
//! ```text
//! respond    weight[u][v..v+16] * row[s][v..v+16]   ->  sums[s][u]     2 samples x U units, added up over lanes at last
//! learn      error[s][u] * row[s][v..v+16]          ->  sums[u][v]     U units x 2 vectors of values, over all samples
//! ```
//!
//! Both are 20 multiply-adds a step with AVX-512 and ten units, and 12 loads. A step of either fetches one cache line of the
//! rows that come next, the first half of these while the map responds and the others while it learns: without that the
//! pass takes twice as long.

// In a register block the indices are the formula.
#![allow(clippy::needless_range_loop)]

use super::super::layout::LANES;
use super::super::simd::{Kernel, Vector};
use super::Linear;

/// Samples that are in the cache together, and as many again on their way: with 8192 values they fill half of an L2 cache of
/// 1 MB each.
pub(super) const BLOCK: usize = 16;

/// Values of a piece: with ten units its weights take 20 KB of the L1 cache, while one sample after the other meets them.
const PIECE: usize = 512;

/// Most units of a register block, of any instruction set.
const UNITS: usize = 10;

/// Sums over lanes that are not yet added up, `[sample][unit of the register block][lane]`.
const SUMS: usize = BLOCK * UNITS * LANES;

/// Some samples of a batch.
pub(super) struct Pass<'a, F> {
    pub(super) map: Linear,
    pub(super) weights: &'a [f32],
    pub(super) rows: &'a [f32],
    pub(super) samples: &'a [usize],
    /// Called with a sample and its outputs, which it turns into errors if the map learns.
    pub(super) tell: &'a F,
    /// What the samples ask of the weights; empty where nothing learns.
    pub(super) change: &'a mut [f32],
    /// Room for sums and outputs.
    pub(super) bench: &'a mut [f32],
}

/// Rows of samples, and what to fetch while they are worked on: a row each two samples, then two lines of a row each two.
struct Block {
    samples: usize,
    rows: [*const f32; BLOCK],
    early: [*const f32; BLOCK],
    late: [*const f32; BLOCK],
}

impl<F> Pass<'_, F> {
    /// Floats that a pass needs for sums and outputs.
    pub(super) fn bench(units: usize) -> usize {
        SUMS + BLOCK * units
    }

    fn row(&self, sample: usize) -> *const f32 {
        self.rows[sample * self.map.width..][..self.map.width].as_ptr()
    }

    /// Where there is nothing ahead, lines are fetched that are at hand.
    fn block(&self, samples: &[usize], ahead: &[usize]) -> Block {
        let mut rows = [self.row(samples[0]); BLOCK];
        for (row, &sample) in rows.iter_mut().zip(samples) {
            *row = self.row(sample);
        }
        let mut soon = rows;
        for (row, &sample) in soon.iter_mut().zip(ahead) {
            *row = self.row(sample);
        }
        let (mut early, mut late) = (soon, soon);
        for s in 0..BLOCK {
            early[s] = soon[s / 2];
            late[s] = soon[(samples.len() / 2 + s / 2) % BLOCK].wrapping_add(s % 2 * LANES);
        }
        Block { samples: samples.len(), rows, early, late }
    }
}

impl<F: Fn(usize, &mut [f32])> Kernel for Pass<'_, F> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(mut self) {
        let (units, width) = (self.map.units, self.map.width);
        let bench = std::mem::take(&mut self.bench);
        let (sums, outputs) = bench.split_at_mut(SUMS);
        let mut blocks = self.samples.chunks(BLOCK).peekable();
        for &sample in blocks.peek().copied().unwrap_or_default() {
            for line in (0..width).step_by(LANES) {
                // SAFETY: the caller vouches for the instruction set; a prefetch asks nothing.
                unsafe { X::prefetch(self.row(sample).wrapping_add(line)) };
            }
        }
        let mut fresh = true;
        while let Some(samples) = blocks.next() {
            let block = self.block(samples, blocks.peek().copied().unwrap_or_default());
            let outputs = &mut outputs[..samples.len() * units];
            // SAFETY: the caller vouches for the instruction set; sums and outputs have room for a block.
            unsafe { self.respond::<X>(&block, sums, outputs) };
            for (&sample, outputs) in samples.iter().zip(outputs.chunks_exact_mut(units)) {
                (self.tell)(sample, outputs);
            }
            if !self.change.is_empty() {
                // SAFETY: the same; the change is as large as the weights.
                unsafe { self.learn::<X>(&block, outputs, fresh) };
            }
            fresh = false;
        }
    }
}

impl<F> Pass<'_, F> {
    /// The outputs of a block. Units are cut evenly into register blocks.
    #[inline(always)]
    unsafe fn respond<X: Vector>(&self, block: &Block, sums: &mut [f32], outputs: &mut [f32]) {
        let (units, width) = (self.map.units, self.map.width);
        let tiles = units.div_ceil(X::UNITS);
        for tile in 0..tiles {
            let (first, last) = (units * tile / tiles, units * (tile + 1) / tiles);
            // Other register blocks find nothing left to fetch.
            let soon = if tile == 0 { &block.early } else { &block.rows };
            for piece in (0..width).step_by(PIECE) {
                let values = PIECE.min(width - piece);
                let mut s = 0;
                while s < block.samples {
                    let pair = s + 1 < block.samples;
                    // SAFETY: the caller's; each row has `values` from `piece` on, the weights have rows up to `last`.
                    unsafe {
                        let weights = self.weights.as_ptr().add(first * width + piece);
                        let (row, soon) = (block.rows[s].add(piece), soon[s].wrapping_add(piece));
                        let next = block.rows[if pair { s + 1 } else { s }].add(piece);
                        let sums = sums[s * UNITS * LANES..].as_mut_ptr();
                        let products = Products { weights, width, values, soon, sums, fresh: piece == 0 };
                        if pair {
                            products.tiled::<X, 2>(last - first, [row, next]);
                        } else {
                            products.tiled::<X, 1>(last - first, [row]);
                        }
                    }
                    s += 2;
                }
            }
            for (s, outputs) in outputs.chunks_exact_mut(units).enumerate() {
                let sums = sums[s * UNITS * LANES..].chunks_exact(LANES);
                for (output, lanes) in outputs[first..last].iter_mut().zip(sums) {
                    *output = across(lanes);
                }
            }
        }
    }

    /// Adds the correlation of a block with its errors to the change, or makes it the change if it is the first.
    #[inline(always)]
    unsafe fn learn<X: Vector>(&mut self, block: &Block, errors: &[f32], fresh: bool) {
        let (units, width) = (self.map.units, self.map.width);
        let tiles = units.div_ceil(X::UNITS);
        let mut value = 0;
        while value < width {
            let pair = value + LANES < width;
            for tile in 0..tiles {
                let (first, last) = (units * tile / tiles, units * (tile + 1) / tiles);
                let soon = if tile == 0 { &block.late } else { &block.rows };
                // SAFETY: the caller's; one or two vectors of each row are left, of the change as of the samples.
                unsafe {
                    let (errors, change) = (errors.as_ptr().add(first), self.change.as_mut_ptr());
                    let change = change.add(first * width + value);
                    let products = Changes { block, soon, errors, units, value, width, change, fresh };
                    if pair {
                        products.tiled::<X, 2>(last - first);
                    } else {
                        products.tiled::<X, 1>(last - first);
                    }
                }
            }
            value += if pair { 2 * LANES } else { LANES };
        }
    }
}

/// The sum of sixteen lanes, halves upon halves.
#[inline(always)]
fn across(lanes: &[f32]) -> f32 {
    let (low, high) = lanes.split_at(LANES / 2);
    let mut sums = [0.0; LANES / 2];
    for i in 0..LANES / 2 {
        sums[i] = low[i] + high[i];
    }
    (sums[0] + sums[4]) + (sums[2] + sums[6]) + ((sums[1] + sums[5]) + (sums[3] + sums[7]))
}

/// A register block of [`Pass::respond`]: a piece of some rows meets that of some units' weights.
struct Products {
    weights: *const f32,
    width: usize,
    values: usize,
    /// What to fetch meanwhile.
    soon: *const f32,
    /// `[sample][unit][lane]`, of which the first piece makes nothing of what was there.
    sums: *mut f32,
    fresh: bool,
}

impl Products {
    #[inline(always)]
    unsafe fn tiled<X: Vector, const S: usize>(self, units: usize, rows: [*const f32; S]) {
        // SAFETY: the caller's.
        unsafe {
            match units {
                1 => self.add::<X, S, 1>(rows),
                2 => self.add::<X, S, 2>(rows),
                3 if X::UNITS >= 3 => self.add::<X, S, 3>(rows),
                4 if X::UNITS >= 4 => self.add::<X, S, 4>(rows),
                5 if X::UNITS >= 5 => self.add::<X, S, 5>(rows),
                6 if X::UNITS >= 6 => self.add::<X, S, 6>(rows),
                7 if X::UNITS >= 7 => self.add::<X, S, 7>(rows),
                8 if X::UNITS >= 8 => self.add::<X, S, 8>(rows),
                9 if X::UNITS >= 9 => self.add::<X, S, 9>(rows),
                10 if X::UNITS >= 10 => self.add::<X, S, 10>(rows),
                _ => {}
            }
        }
    }

    #[inline(always)]
    unsafe fn add<X: Vector, const S: usize, const U: usize>(self, rows: [*const f32; S]) {
        // SAFETY: the caller vouches for the instruction set, `U` rows of weights, `values` of each row, and sums of `S`
        // samples.
        unsafe {
            let mut sums = [[X::splat(0.0); U]; S];
            if !self.fresh {
                for s in 0..S {
                    for u in 0..U {
                        sums[s][u] = X::load(self.sums.add((s * UNITS + u) * LANES));
                    }
                }
            }
            let mut value = 0;
            while value < self.values {
                X::prefetch(self.soon.wrapping_add(value));
                let mut x = [X::splat(0.0); S];
                for s in 0..S {
                    x[s] = X::load(rows[s].add(value));
                }
                for u in 0..U {
                    let weight = X::load(self.weights.add(u * self.width + value));
                    for s in 0..S {
                        sums[s][u] = sums[s][u].fma(x[s], weight);
                    }
                }
                value += LANES;
            }
            for s in 0..S {
                for u in 0..U {
                    sums[s][u].store(self.sums.add((s * UNITS + u) * LANES));
                }
            }
        }
    }
}

/// A register block of [`Pass::learn`]: some values of all rows of a block meet the errors of some units.
struct Changes<'a> {
    block: &'a Block,
    /// What to fetch meanwhile, a line a sample.
    soon: &'a [*const f32; BLOCK],
    /// The first sample's first error, and from sample to sample.
    errors: *const f32,
    units: usize,
    /// The first value, and from one row of the change to the next.
    value: usize,
    width: usize,
    change: *mut f32,
    fresh: bool,
}

impl Changes<'_> {
    #[inline(always)]
    unsafe fn tiled<X: Vector, const V: usize>(self, units: usize) {
        // SAFETY: the caller's.
        unsafe {
            match units {
                1 => self.add::<X, V, 1>(),
                2 => self.add::<X, V, 2>(),
                3 if X::UNITS >= 3 => self.add::<X, V, 3>(),
                4 if X::UNITS >= 4 => self.add::<X, V, 4>(),
                5 if X::UNITS >= 5 => self.add::<X, V, 5>(),
                6 if X::UNITS >= 6 => self.add::<X, V, 6>(),
                7 if X::UNITS >= 7 => self.add::<X, V, 7>(),
                8 if X::UNITS >= 8 => self.add::<X, V, 8>(),
                9 if X::UNITS >= 9 => self.add::<X, V, 9>(),
                10 if X::UNITS >= 10 => self.add::<X, V, 10>(),
                _ => {}
            }
        }
    }

    #[inline(always)]
    unsafe fn add<X: Vector, const V: usize, const U: usize>(self) {
        // SAFETY: the caller vouches for the instruction set, `V` vectors of each row, and `U` errors of each sample and
        // rows of the change.
        unsafe {
            let mut sums = [[X::splat(0.0); V]; U];
            if !self.fresh {
                for u in 0..U {
                    for v in 0..V {
                        sums[u][v] = X::load(self.change.add(u * self.width + v * LANES));
                    }
                }
            }
            for s in 0..self.block.samples.min(BLOCK) {
                X::prefetch(self.soon[s].wrapping_add(self.value));
                let mut x = [X::splat(0.0); V];
                for v in 0..V {
                    x[v] = X::load(self.block.rows[s].add(self.value + v * LANES));
                }
                for u in 0..U {
                    let error = X::splat(*self.errors.add(s * self.units + u));
                    for v in 0..V {
                        sums[u][v] = sums[u][v].fma(x[v], error);
                    }
                }
            }
            for u in 0..U {
                for v in 0..V {
                    sums[u][v].store(self.change.add(u * self.width + v * LANES));
                }
            }
        }
    }
}
