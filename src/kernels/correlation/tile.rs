//! The micro-kernel of a correlation, and the walk that feeds it.
//!
//! ```text
//!               one position of the strip:     e[0..16]       e[16..32]           V vectors of errors
//!                                                  |              |
//!   corner + offset[0] -> x, on all lanes ->   sums[0][0]     sums[0][1]
//!   corner + offset[1] -> x               ->   sums[1][0]     sums[1][1]          Q afferents
//!        ...                                       ...            ...
//!   corner + offset[8] -> x               ->   sums[8][0]     sums[8][1]
//! ```
//!
//! The product's tile turned by a quarter: positions pass by, afferents stay. With AVX-512, `Q` = 9 and `V` = 2 are 18
//! sums; a position is 18 multiply-adds, 9 cycles, and 11 loads. The afferents of a range are cut evenly into tiles, so
//! 27 = 3 taps x 3 taps x 3 channels are three tiles of nine and 288 are 32 of them. Sums start at zero for each strip
//! of some 128 positions and are added to the partial change once at its end, which also keeps rounding small: a sum
//! over a batch is a sum of sums.
//!
//! What was tried, in percent of the multiply-add peak on one core of an AMD Zen 5 with shapes 3->32 at 32x32 (A),
//! 32->32 at 32x32 (B), 64->64 at 16x16 (D), 8192 units -> 64 (H):
//! * While a strip is correlated, the next one is fetched into the L2 cache, one line a position, by each tile a
//!   different stretch ([`Strips::ahead`]). Strips change faster than the hardware finds their streams: A 56 -> 76,
//!   B 81 -> 91, D 75 -> 87.
//! * Where samples are positions, a whole run of samples is one inner loop, and each sample's row of inputs is
//!   fetched 128 bytes ahead: H 31 -> 58, with the way into plain order.

// In a register block the indices are the formula.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use super::super::layout::LANES;
use super::super::packet::Packets;
use super::super::simd::{Kernel, Vector};
use super::{Correlation, PANEL};

/// One task: a chunk of samples, one panel of output channels, a range of afferents.
pub(super) struct Strips<'a> {
    pub(super) correlation: &'a Correlation,
    pub(super) input: &'a [f32],
    pub(super) packets: Packets<'a>,
    pub(super) samples: Range<usize>,
    pub(super) panel: usize,
    pub(super) range: Range<usize>,
    /// `[afferent of the range][channel of the panel]`.
    pub(super) partial: &'a mut [f32],
    /// Room for a strip of pooled packets.
    pub(super) bench: &'a mut [f32],
}

/// The positions of one strip.
struct Strip {
    samples: Range<usize>,
    rows: Range<usize>,
    /// Its first error of the panel, and floats from sample to sample, block to block and row to row.
    errors: *const f32,
    error_sample: usize,
    error_plane: usize,
    error_row: usize,
    /// Sample and row at which the next strip begins.
    after: (usize, usize),
    /// Whether it is the first to be added to the partial change.
    fresh: bool,
}

/// Memory that will be read soon, to be fetched line by line while the positions of a strip go by.
struct Ahead {
    start: *const f32,
    sample: usize,
    row: usize,
}

impl Kernel for Strips<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(mut self) {
        let shape = self.correlation;
        let first = self.panel * PANEL / LANES;
        let last = shape.error.blocks().min(first + PANEL / LANES);
        let partial = self.partial.as_mut_ptr();
        let mut fresh = true;
        let mut sample = self.samples.start;
        while sample < self.samples.end {
            let next = self.samples.end.min(sample + shape.strip_samples);
            let quiet = (sample..next).all(|sample| self.packets.is_quiet(sample));
            let mut row = if quiet { shape.rows } else { 0 };
            while row < shape.rows {
                let end = shape.rows.min(row + shape.strip_rows);
                let after = if end < shape.rows { (sample, end) } else { (next, 0) };
                // SAFETY: the caller vouches for the instruction set; blocks from `first` to `last` exist, and the
                // partial change has a row of a panel for each.
                unsafe {
                    let strip = self.strip::<X>(sample..next, row..end, after, first..last, fresh);
                    if X::BLOCKS == 2 && last - first == 2 {
                        self.afferents::<X, 2>(&strip, first, partial);
                    } else {
                        for block in first..last {
                            self.afferents::<X, 1>(&strip, block, partial.add((block - first) * LANES));
                        }
                    }
                }
                fresh = false;
                row = end;
            }
            sample = next;
        }
        if fresh {
            self.partial.fill(0.0);
        }
    }
}

impl Strips<'_> {
    /// Some rows of some samples, spread out if they lie pooled.
    #[inline(always)]
    unsafe fn strip<X: Vector>(
        &mut self,
        samples: Range<usize>,
        rows: Range<usize>,
        after: (usize, usize),
        blocks: Range<usize>,
        fresh: bool,
    ) -> Strip {
        let layout = self.correlation.error;
        let first = samples.start * layout.sample() + blocks.start * layout.plane() + layout.offset(0, rows.start, 0);
        let mut strip = Strip {
            errors: self.packets.values.as_ptr().wrapping_add(first),
            error_sample: layout.sample(),
            error_plane: layout.plane(),
            error_row: layout.row(),
            samples,
            rows,
            after,
            fresh,
        };
        if self.correlation.window > 1 {
            let columns = self.correlation.columns;
            strip.error_row = columns * LANES;
            strip.error_plane = strip.rows.len() * strip.error_row;
            strip.error_sample = blocks.len() * strip.error_plane;
            strip.errors = self.bench.as_ptr();
            for sample in strip.samples.clone() {
                let spread = self.packets.sample(sample);
                for block in blocks.clone() {
                    for row in strip.rows.clone() {
                        let to = (sample - strip.samples.start) * strip.error_sample
                            + (block - blocks.start) * strip.error_plane
                            + (row - strip.rows.start) * strip.error_row;
                        // SAFETY: the caller vouches for the instruction set; the bench has room for the strip.
                        unsafe { spread.row::<X>(block, row as isize, 0, columns, self.bench.as_mut_ptr().add(to)) };
                    }
                }
            }
        }
        strip
    }

    /// Correlates one strip with the whole range of afferents, cut evenly into register blocks.
    #[inline(always)]
    unsafe fn afferents<X: Vector, const V: usize>(&self, strip: &Strip, block: usize, partial: *mut f32) {
        let count = self.range.len();
        let tiles = count.div_ceil(X::SOURCES);
        let mut first = 0;
        for index in 0..tiles {
            let last = count * (index + 1) / tiles;
            let offsets = &self.correlation.afferents.offsets[self.range.start + first..self.range.start + last];
            let ahead = self.ahead::<V>(strip, block, index, offsets[0] as usize);
            // SAFETY: the caller's, and `offsets` has as many entries as the tile is told.
            unsafe {
                let partial = partial.add(first * PANEL);
                match offsets.len() {
                    1 => self.tile::<X, 1, V>(strip, block, offsets, partial, &ahead),
                    2 => self.tile::<X, 2, V>(strip, block, offsets, partial, &ahead),
                    3 if X::SOURCES >= 3 => self.tile::<X, 3, V>(strip, block, offsets, partial, &ahead),
                    4 if X::SOURCES >= 4 => self.tile::<X, 4, V>(strip, block, offsets, partial, &ahead),
                    5 if X::SOURCES >= 5 => self.tile::<X, 5, V>(strip, block, offsets, partial, &ahead),
                    6 if X::SOURCES >= 6 => self.tile::<X, 6, V>(strip, block, offsets, partial, &ahead),
                    7 if X::SOURCES >= 7 => self.tile::<X, 7, V>(strip, block, offsets, partial, &ahead),
                    8 if X::SOURCES >= 8 => self.tile::<X, 8, V>(strip, block, offsets, partial, &ahead),
                    9 if X::SOURCES >= 9 => self.tile::<X, 9, V>(strip, block, offsets, partial, &ahead),
                    _ => {}
                }
            }
            first = last;
        }
    }

    /// What the register block `index` of a strip should fetch. The errors and inputs of the next strip come from far
    /// away and are many; so the first register blocks fetch the errors, each other one the inputs that it
    /// would read there itself. Where a position is a sample, the strip's inputs are far apart and fetched a few
    /// register blocks ahead.
    #[inline(always)]
    fn ahead<const V: usize>(&self, strip: &Strip, block: usize, index: usize, offset: usize) -> Ahead {
        let (input, error) = (self.correlation.input, self.correlation.error);
        let (sample, row) = strip.after;
        let (memory, start, layout) = if self.correlation.is_flat() {
            (self.input, strip.samples.start * input.sample() + offset + 2 * LANES, input)
        } else if index < V && self.correlation.window == 1 {
            let start = sample * error.sample() + (block + index) * error.plane() + error.offset(0, row, 0);
            (self.packets.values, start, error)
        } else {
            let start = self.correlation.from + row * self.correlation.from_row + offset;
            (self.input, sample * input.sample() + start, input)
        };
        Ahead { start: memory.as_ptr().wrapping_add(start), sample: layout.sample(), row: layout.row() }
    }

    /// `Q` afferents x `V` blocks of channels: their sums stay in registers over all positions of the strip.
    #[inline(always)]
    unsafe fn tile<X: Vector, const Q: usize, const V: usize>(
        &self,
        strip: &Strip,
        block: usize,
        offsets: &[u32],
        partial: *mut f32,
        ahead: &Ahead,
    ) {
        let shape = self.correlation;
        let plane = strip.error_plane;
        let first = self.panel * PANEL / LANES;
        // SAFETY: the geometry keeps every corner plus offset within the input's sample and every position within the
        // error's; the caller vouches for `Q` offsets and rows of the partial change.
        unsafe {
            let mut sources = [self.input.as_ptr(); Q];
            for q in 0..Q {
                sources[q] = sources[q].add(shape.from + offsets[q] as usize);
            }
            let mut sums = [[X::splat(0.0); V]; Q];
            let mut sample = strip.samples.start;
            while sample < strip.samples.end {
                if self.packets.is_quiet(sample) {
                    sample += 1;
                    continue;
                }
                let (input, error) = (shape.input.sample(), strip.error_sample);
                let from = strip.errors.add((sample - strip.samples.start) * error + (block - first) * plane);
                let soon = ahead.start.wrapping_add((sample - strip.samples.start) * ahead.sample);
                if shape.is_flat() {
                    // Samples are positions: all up to the next silent one are a stretch.
                    let first = sample;
                    while sample < strip.samples.end && !self.packets.is_quiet(sample) {
                        sample += 1;
                    }
                    let stretch = Stretch {
                        positions: sample - first,
                        corner: first * input,
                        corner_step: input,
                        error: from,
                        error_step: error,
                        soon,
                        soon_step: input,
                    };
                    stretch.correlate(&sources, plane, &mut sums);
                } else {
                    for row in strip.rows.clone() {
                        let stretch = Stretch {
                            positions: shape.columns,
                            corner: sample * input + row * shape.from_row,
                            corner_step: shape.from_column,
                            error: from.add((row - strip.rows.start) * strip.error_row),
                            error_step: LANES,
                            soon: soon.wrapping_add((row - strip.rows.start) * ahead.row),
                            soon_step: LANES,
                        };
                        stretch.correlate(&sources, plane, &mut sums);
                    }
                    sample += 1;
                }
            }
            for q in 0..Q {
                for v in 0..V {
                    let to = partial.add(q * PANEL + v * LANES);
                    let before = if strip.fresh { X::splat(0.0) } else { X::load(to) };
                    before.add(sums[q][v]).store(to);
                }
            }
        }
    }
}

/// Positions at equal distances.
struct Stretch {
    positions: usize,
    corner: usize,
    corner_step: usize,
    error: *const f32,
    error_step: usize,
    soon: *const f32,
    soon_step: usize,
}

impl Stretch {
    #[inline(always)]
    unsafe fn correlate<X: Vector, const Q: usize, const V: usize>(
        self,
        sources: &[*const f32; Q],
        plane: usize,
        sums: &mut [[X; V]; Q],
    ) {
        let Stretch { mut corner, mut error, mut soon, .. } = self;
        for _ in 0..self.positions {
            // SAFETY: the caller vouches for the instruction set and the positions; a prefetch asks nothing.
            unsafe {
                X::prefetch(soon);
                let mut e = [X::splat(0.0); V];
                for v in 0..V {
                    e[v] = X::load(error.add(v * plane));
                }
                for q in 0..Q {
                    let x = X::splat(*sources[q].add(corner));
                    for v in 0..V {
                        sums[q][v] = sums[q][v].fma(x, e[v]);
                    }
                }
            }
            corner += self.corner_step;
            error = error.wrapping_add(self.error_step);
            soon = soon.wrapping_add(self.soon_step);
        }
    }
}
