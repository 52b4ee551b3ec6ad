//! The micro-kernel of a product, and the walk that feeds it.
//!
//! ```text
//!               one afferent k of the panel:   w[k][0..16]    w[k][16..32]        V vectors
//!                                                   |              |
//!   corner[0] + offset[k] -> x, on all lanes ->  sums[0][0]     sums[0][1]
//!   corner[1] + offset[k] -> x               ->  sums[1][0]     sums[1][1]        P positions
//!        ...                                         ...            ...
//!   corner[9] + offset[k] -> x               ->  sums[9][0]     sums[9][1]
//! ```
//!
//! With AVX-512, `P` = 10 and `V` = 2 are 20 sums, 2 weights and 1 input in 32 registers. A step on k is 20
//! multiply-adds, 10 cycles for two such units, and 13 loads, 7 cycles for two load ports; 20 independent chains cover
//! a latency of 4 cycles twice. Weights are one sequential stream; a sum is one chain over k in one fixed order,
//! however positions are cut into tiles, so batches, threads and skipped samples do not change its bits.
//!
//! What was tried, in percent of the multiply-add peak on one core of an AMD Zen 5 with shapes 32->32 at 32x32 (B),
//! 64->512 at 8x8 (E), 3->32 at 32x32 (A), 8192 units -> 64 backwards (H), each pair measured in turn in one run:
//! * Positions run on over rows and samples, each with a pointer of its own, so a map of any width fills whole tiles
//!   and only the last tile of a task is small. Ten pointers, offset, weights and counters fill the general
//!   registers: P = 8, 10, 12 give B 86, 90, 57 (12 spills).
//! * Offsets come from a list, one load a step, so a window of 9 taps x 3 channels is one loop of 27 steps.
//! * Output lines are fetched into the L1 cache before the loop that they are stored after: A 73 -> 78, H 44 -> 60; one
//!   register block earlier: A 3 more.
//! * Where nothing but limits is between sums and activity, these are written where it lies, and not fired from a drive
//!   in the L2 cache: A with a hard tanh 43 -> 74. Written past the caches it reached 82, which the next layer lost again.
//! * All panels take their turn in one pass over a task's samples before the next pass begins, so that these samples'
//!   stretch of input comes into the L2 cache once: carry of E 82 -> 85.
//! * Passes that differ in weights and target alone, those of a dense carry, take turns over ten samples: lines that are
//!   written one after the other are neighbours, and their errors stay in the L1 cache. Each pass fetches the next one's
//!   output lines. H 68 -> 92, backwards to 64 maps of 16x16 42 -> 90; turns of 8, 16 or 32 passes of 64 units
//!   the same for H, and 32 some 5 better for the larger. Larger tasks: nothing.
//! * The list is cut where a panel's weights outgrow 160 KB; half that made no difference. Fetching input rows
//!   ahead gained 1 to 2 on B and lost 12 on A: the hardware follows rows by itself.

// In a register block the indices are the formula.
#![allow(clippy::needless_range_loop)]

use super::super::flow::Sum;
use super::super::layout::{LANES, Layout};
use super::super::simd::{Kernel, Vector};
use super::{PANEL, Pass, Product, TILE};

/// Floats of weights that passes beside each other may have to take turns over the samples of a register block: 256 KB,
/// a quarter of the L2 cache.
const GROUP: usize = 64 * 1024;

/// One task: a few samples of a batch, all output channels.
pub(super) struct Strips<'a> {
    pub(super) product: &'a Product,
    pub(super) packed: &'a [f32],
    pub(super) input: &'a [f32],
    /// Events of each sample; empty where nobody counted.
    pub(super) events: &'a [u32],
    pub(super) bias: Option<&'a [f32]>,
    pub(super) sum: Sum,
    pub(super) output: &'a mut [f32],
    /// How the output lies, in its halo; and between which limits sums are kept.
    pub(super) layout: Layout,
    pub(super) limits: Option<[f32; 2]>,
}

/// What one register block of channels needs to know in one pass.
struct Block<X, const V: usize> {
    /// Offsets of the afferents.
    offsets: *const u32,
    afferents: usize,
    /// Their weights, `step` floats apart.
    weights: *const f32,
    step: usize,
    /// Floats from one block of output channels to the next.
    plane: usize,
    /// What the sums start from, and whether what stands in the output is added.
    start: [X; V],
    read: bool,
    limits: Option<[f32; 2]>,
}

impl Kernel for Strips<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(self) {
        let blocks = self.product.output.blocks();
        let output = self.output.as_mut_ptr();
        for passes in self.product.passes.chunk_by(Pass::is_beside) {
            let mut block = 0;
            while block < blocks {
                let weights = (passes[0].last - passes[0].first) * PANEL;
                for passes in passes.chunks((GROUP / weights.max(1)).max(1)) {
                    // SAFETY: the caller vouches for the instruction set; `block + V` is at most `blocks`.
                    unsafe {
                        if X::BLOCKS == 2 && block + 2 <= blocks {
                            self.channels::<X, 2>(passes, block, output);
                        } else {
                            self.channels::<X, 1>(passes, block, output);
                        }
                    }
                }
                block += if X::BLOCKS == 2 && block + 2 <= blocks { 2 } else { 1 };
            }
        }
    }
}

impl Strips<'_> {
    /// Passes that are beside each other for the `V` blocks of output channels from `block` on.
    #[inline(always)]
    unsafe fn channels<X: Vector, const V: usize>(&self, passes: &[Pass], block: usize, output: *mut f32) {
        let pass = &passes[0];
        // SAFETY: the block's channels lie within every sample of the output.
        let output = unsafe { output.add(block * self.layout.plane()) };
        let product = self.product;
        let panel = block * LANES / PANEL;
        let step = PANEL.min(product.output.blocks() * LANES - panel * PANEL);
        let mut bias = [[0.0; LANES]; V];
        if let Some(values) = self.bias {
            let values = &values[pass.bias..pass.bias + product.output.shape.channels][block * LANES..];
            for (lane, &value) in bias.as_flattened_mut().iter_mut().zip(values) {
                *lane = value;
            }
        }
        // SAFETY: the panel begins after `panel` whole ones; the pass's rows lie within it by construction, as do
        // its afferents in the list.
        unsafe {
            let weights = self.packed.as_ptr().add(panel * PANEL * product.rows + block * LANES % PANEL);
            let mut start = [X::splat(0.0); V];
            if !pass.continues {
                for v in 0..V {
                    start[v] = X::load(bias[v].as_ptr());
                }
            }
            let task = Block {
                offsets: product.afferents.offsets.as_ptr().add(pass.first),
                afferents: pass.last - pass.first,
                weights: weights.add(pass.panel_row * step),
                step,
                plane: self.layout.plane(),
                start,
                read: pass.continues || self.sum == Sum::Add,
                limits: self.limits,
            };
            self.walk(passes, &task, output, true);
            let stays = self.sum == Sum::Add && self.bias.is_none();
            if !(self.events.is_empty() || pass.continues || stays) {
                self.walk(passes, &Block { afferents: 0, ..task }, output, false);
            }
        }
    }

    /// Collects the positions of the samples that have events (or of those that have none), across rows and samples,
    /// and computes them register block by register block.
    #[inline(always)]
    unsafe fn walk<X: Vector, const V: usize>(
        &self,
        passes: &[Pass],
        task: &Block<X, V>,
        output: *mut f32,
        active: bool,
    ) {
        let pass = &passes[0];
        let input = self.product.input.sample();
        let (to_first, to_row) = self.product.moved(pass, self.layout);
        let mut from = [std::ptr::null(); TILE];
        let mut to = [std::ptr::null_mut(); TILE];
        let mut count = 0;
        for sample in 0..self.input.len() / input {
            if self.events.get(sample).is_some_and(|&events| (events > 0) != active) {
                continue;
            }
            for row in 0..pass.rows {
                // SAFETY: the geometry keeps every corner plus offset within the input's sample and every position
                // within the output's; the tile is told how many positions there are.
                unsafe {
                    let mut source = self.input.as_ptr().add(sample * input + pass.from + row * pass.from_row);
                    let mut target = output.add(sample * self.layout.sample() + to_first + row * to_row);
                    for _ in 0..pass.columns {
                        from[count] = source;
                        to[count] = target;
                        count += 1;
                        if count == X::POSITIONS {
                            count = 0;
                            match X::POSITIONS {
                                10 => tiles::<X, 10, V>(passes, task, &from, &to),
                                6 => tiles::<X, 6, V>(passes, task, &from, &to),
                                _ => tiles::<X, 2, V>(passes, task, &from, &to),
                            }
                        }
                        source = source.wrapping_add(pass.from_column);
                        target = target.wrapping_add(pass.to_column);
                    }
                }
            }
        }
        // SAFETY: as above.
        unsafe {
            match count {
                1 => tiles::<X, 1, V>(passes, task, &from, &to),
                2 if X::POSITIONS > 2 => tiles::<X, 2, V>(passes, task, &from, &to),
                3 if X::POSITIONS > 3 => tiles::<X, 3, V>(passes, task, &from, &to),
                4 if X::POSITIONS > 4 => tiles::<X, 4, V>(passes, task, &from, &to),
                5 if X::POSITIONS > 5 => tiles::<X, 5, V>(passes, task, &from, &to),
                6 if X::POSITIONS > 6 => tiles::<X, 6, V>(passes, task, &from, &to),
                7 if X::POSITIONS > 7 => tiles::<X, 7, V>(passes, task, &from, &to),
                8 if X::POSITIONS > 8 => tiles::<X, 8, V>(passes, task, &from, &to),
                9 if X::POSITIONS > 9 => tiles::<X, 9, V>(passes, task, &from, &to),
                _ => {}
            }
        }
    }
}

/// The same positions in one pass after the other. The next pass's lines are fetched, or those of the next positions.
#[inline(always)]
unsafe fn tiles<X: Vector, const P: usize, const V: usize>(
    passes: &[Pass],
    task: &Block<X, V>,
    from: &[*const f32; TILE],
    to: &[*mut f32; TILE],
) {
    for (index, pass) in passes.iter().enumerate() {
        let shift = pass.to - passes[0].to;
        let ahead = passes.get(index + 1).map_or(shift + P * pass.to_column, |next| next.to - passes[0].to);
        let row = (pass.panel_row - passes[0].panel_row) * task.step;
        // SAFETY: the caller's, in each of the passes.
        unsafe { tile::<X, P, V>(task, task.weights.add(row), from, to, shift, ahead) };
    }
}

/// `P` positions x `V` blocks of channels: their sums stay in registers from the first afferent to the last. They are
/// written `shift` floats after the places in `to`, and lines `ahead` floats after these are fetched to be written next.
#[inline(always)]
unsafe fn tile<X: Vector, const P: usize, const V: usize>(
    task: &Block<X, V>,
    mut weights: *const f32,
    from: &[*const f32; TILE],
    to: &[*mut f32; TILE],
    shift: usize,
    ahead: usize,
) {
    // SAFETY: the caller vouches for `P` positions, the list of offsets and the weights.
    unsafe {
        let mut sums = [task.start; P];
        for p in 0..P {
            for v in 0..V {
                let to = to[p].add(v * task.plane);
                if task.read {
                    sums[p][v] = sums[p][v].add(X::load(to.add(shift)));
                }
                X::prefetch_write(to.wrapping_add(ahead));
            }
        }
        let mut corner = [std::ptr::null(); P];
        corner.copy_from_slice(&from[..P]);
        // Two blocks fill a panel, so their step is known when this is compiled.
        let step = if V * LANES == PANEL { PANEL } else { task.step };
        for k in 0..task.afferents {
            let offset = *task.offsets.add(k) as usize;
            let mut w = [X::splat(0.0); V];
            for v in 0..V {
                w[v] = X::load(weights.add(v * LANES));
            }
            for p in 0..P {
                let x = X::splat(*corner[p].add(offset));
                for v in 0..V {
                    sums[p][v] = sums[p][v].fma(x, w[v]);
                }
            }
            weights = weights.add(step);
        }
        if let Some([low, high]) = task.limits {
            let (low, high) = (X::splat(low), X::splat(high));
            for p in 0..P {
                for v in 0..V {
                    sums[p][v] = high.min(low.max(sums[p][v]));
                }
            }
        }
        for p in 0..P {
            for v in 0..V {
                sums[p][v].store(to[p].add(shift + v * task.plane));
            }
        }
    }
}
