//! What a 3x3 convolution learns, by the tiles that drive it.
//!
//! A drive is linear in the transformed weights, so a change is carried back to them by the transposes of what makes a
//! drive: errors go the way of outputs backwards, from 4x4 to 6x6, and changes that of weights, from 36 to nine.
//!
//! ```text
//!   6x6 activities of a tile -- transform -->  V[36][tile][channel in]
//!   4x4 errors of a tile     -- transform -->  E[36][tile][channel out]
//!                               dU[36][channel in][channel out] += V^T E       (36 small products)
//!   change[channel out][channel in][3][3]   <- transform --  dU                (once a task)
//! ```
//!
//! A task sums up to 64 x 64 pairs of channels over some samples. Its dU stays in the L2 cache, V and E of a group of
//! tiles go through it. dU grows tile by tile in one order, whatever the group, so samples without events do not change
//! bits, and neither do threads: which samples a task has depends on shapes and batch alone.
//!
//! What was tried, in ms on one core of an AMD Zen 5 with 250 samples, 32->32 at 32x32 (B), 32->64 at 16x16 (C), 64->64
//! at 16x16 (D), 64->512 at 8x8 (E); the plain correlation takes 22.7, 11.1, 22.2, 46.0, and products at the peak would
//! take 5.1, 2.6, 5.1, 10.3:
//! * Activity and errors come from memory, and transforms wait for them: B 14.3, C 7.1, D 10.7, E 23.1. Where the next
//!   group's are fetched between products B 10.4, C 5.1, D 9.9, E 18.2; a line a step within them B 9.6, E 17.9.
//! * V and E of 320 KB instead of 512 KB, which leaves room for what is fetched: B 9.1, C 4.6, D 8.2, E 17.7; of 190 KB:
//!   B 10.7, D 9.8. Channels out 32 at a time: D 10.5, E 19.6.
//! * Lines of V and E asked for before they are written: B 16.5, D 12.3 where they were 14.3 and 10.7.

// In a register block the indices are the formula.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use rayon::prelude::*;

use super::super::correlation::{TASKS, check_run};
use super::super::isa::Isa;
use super::super::layout::{LANES, Layout};
use super::super::packet::{PacketLayout, Packets};
use super::super::product::check_conv;
use super::super::simd::{Kernel, Vector};
use super::super::tasks;
use super::ahead::{Ahead, Group, Rows, Soon};
use super::gemm::Place;
use super::{PANEL, PLACES, ROWS, Row, SIDE, SKEW, SLICE, TILE, transform};
use crate::threads::least;

/// Taps of a kernel.
const TAPS: usize = 9;

/// Panels of channels out whose changes one task sums.
const PANELS: usize = 2;

/// Floats of V and E of one group of tiles: 320 KB, which leaves room in a L2 cache for the changes and the next group's
/// activity and errors.
const GROUP: usize = 80 * 1024;

/// Channels in of a register block.
const BLOCK: usize = 8;

/// The correlation of a population's activity with the errors of one that it drives by a 3x3 convolution with a stride
/// of 1.
#[derive(Debug, Clone)]
pub struct WinogradCorrelation {
    input: Layout,
    error: PacketLayout,
    /// Zeros before the first row and column of the first window.
    pad: isize,
    /// Rows of tiles and tiles of a row.
    rows: usize,
    columns: usize,
    /// Rows of tiles in a group.
    group: usize,
    /// Blocks of channels in and panels of channels out of a task.
    slice: usize,
    panels: usize,
}

impl WinogradCorrelation {
    /// For the weights `[channel out][channel in][3][3]`, from the activity of its input and packets at its drive.
    /// `input.halo` must be at least `pad`.
    pub fn new(input: Layout, error: PacketLayout, pad: usize) -> WinogradCorrelation {
        check_conv(input, error.drive, 3, 1, pad);
        assert!(input.lanes == LANES && error.drive.lanes == LANES, "tiles have whole vectors");
        let shape = error.drive.shape;
        let (rows, columns) = (shape.height.div_ceil(TILE), shape.width.div_ceil(TILE));
        let slice = (SLICE / LANES).min(input.blocks());
        let panels = PANELS.min(shape.channels.div_ceil(PANEL));
        let tiles = GROUP / (PLACES * (slice * LANES + panels * PANEL));
        let group = (tiles / columns).clamp(1, ROWS);
        WinogradCorrelation { input, error, pad: pad as isize, rows, columns, group, slice, panels }
    }

    fn channels(&self) -> usize {
        self.error.drive.shape.channels
    }

    /// Slices of channels in.
    fn slices(&self) -> usize {
        self.input.blocks().div_ceil(self.slice)
    }

    /// Parts of the change of which each is summed by tasks of its own.
    fn cells(&self) -> usize {
        self.channels().div_ceil(self.panels * PANEL) * self.slices()
    }

    /// Samples whose change is summed by one task, which depends on shapes and batch alone.
    fn chunk(&self, samples: usize) -> usize {
        let together = (self.group / self.rows).max(1);
        samples.div_ceil(TASKS.div_ceil(self.cells())).next_multiple_of(together)
    }

    /// Floats of one output channel's change in a task.
    fn fan(&self) -> usize {
        self.slice * LANES * TAPS
    }

    /// Floats of partial change of one task.
    fn partial(&self) -> usize {
        self.panels * PANEL * self.fan()
    }

    /// Floats from one place to the next of transformed activity, errors and changes.
    fn places(&self) -> [usize; 3] {
        let (tiles, channels) = (self.group * self.columns, self.slice * LANES);
        [tiles * channels + SKEW, tiles * PANEL + SKEW, channels * PANEL + SKEW]
    }

    /// Floats of transformed activity, errors and changes, and of a strip of rows.
    fn bench_len(&self) -> usize {
        let [values, errors, changes] = self.places();
        PLACES * (values + self.panels * (errors + changes)) + SIDE * (TILE * self.columns + 2) * LANES
    }

    /// Floats of scratch that [`WinogradCorrelation::run`] needs for batches of up to `samples`.
    pub fn scratch_len(&self, samples: usize) -> usize {
        let chunks = (1..=samples).map(|samples| samples.div_ceil(self.chunk(samples))).max().unwrap_or(0);
        chunks * self.cells() * self.partial()
    }

    /// Adds the correlation over a batch to `change`, in the plain order of the weights. `scratch` needs no content and
    /// holds none of use afterwards.
    pub fn run(&self, isa: Isa, input: &[f32], packets: Packets<'_>, scratch: &mut [f32], change: &mut [f32]) {
        let weights = self.channels() * self.input.shape.channels * TAPS;
        let samples = check_run((input, self.input), (packets, self.error), (change, weights));
        if samples == 0 {
            return;
        }
        let (chunk, partial, fan) = (self.chunk(samples), self.partial(), self.fan());
        let (chunks, slices) = (samples.div_ceil(chunk), self.slices());
        // Partial changes lie [panels][slice][chunk].
        let scratch = &mut scratch[..self.cells() * chunks * partial];
        let activity = Packets::of_values(self.input, input);
        scratch.par_chunks_mut(partial).with_min_len(least()).enumerate().for_each(|(index, partial)| {
            let (cell, part) = (index / chunks, index % chunks);
            let first = (cell % slices * self.slice, cell / slices * self.panels);
            let samples = part * chunk..samples.min((part + 1) * chunk);
            tasks::with_bench(self.bench_len(), |bench| {
                isa.compute(Task { correlation: self, activity, packets, samples, first, partial, bench });
            });
        });
        let rows = change.par_chunks_mut(self.input.shape.channels * TAPS).with_min_len(least());
        rows.enumerate().for_each(|(out, change)| {
            for (slice, change) in change.chunks_mut(fan).enumerate() {
                let cell = out / (self.panels * PANEL) * slices + slice;
                for part in scratch[cell * chunks * partial..][..chunks * partial].chunks_exact(partial) {
                    let part = &part[out % (self.panels * PANEL) * fan..][..fan];
                    change.iter_mut().zip(part).for_each(|(change, part)| *change += part);
                }
            }
        });
    }
}

/// One task: a chunk of samples, some channels in and out.
struct Task<'a> {
    correlation: &'a WinogradCorrelation,
    activity: Packets<'a>,
    packets: Packets<'a>,
    samples: Range<usize>,
    /// First block of channels in, and first panel of channels out.
    first: (usize, usize),
    /// `[channel out][channel in][tap]`.
    partial: &'a mut [f32],
    bench: &'a mut [f32],
}

impl Kernel for Task<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(mut self) {
        let (mut after, mut continues) = ((self.samples.start, 0), false);
        let mut group = self.gather(&mut after);
        while !group.rows().is_empty() {
            let next = self.gather(&mut after);
            // SAFETY: the caller vouches for the instruction set.
            unsafe { self.group::<X>(group.rows(), next.rows(), continues) };
            (group, continues) = (next, true);
        }
        if continues {
            // SAFETY: as above.
            unsafe { self.finish::<X>() };
        } else {
            self.partial.fill(0.0);
        }
    }
}

impl Task<'_> {
    /// Blocks of channels in and out.
    fn blocks(&self) -> (usize, usize) {
        let shape = self.correlation;
        let (slice, panel) = self.first;
        let outs = shape.error.drive.blocks() - panel * PANEL / LANES;
        (shape.slice.min(shape.input.blocks() - slice), outs.min(shape.panels * PANEL / LANES))
    }

    fn gather(&self, after: &mut Row) -> Group {
        let shape = self.correlation;
        Group::gather(shape.group, after, (self.samples.end, shape.rows), |sample| self.packets.is_quiet(sample))
    }

    /// What rows of tiles read, to be fetched in `times` parts.
    fn input_of<'b>(&self, tiles: &'b [Row], times: usize) -> Soon<'b, 3> {
        let shape = self.correlation;
        let ((ins, outs), out) = (self.blocks(), self.first.1 * PANEL / LANES);
        let rows = Rows::overlapping(shape.pad);
        let activity = (self.activity.values, shape.input);
        let activity = Ahead::new(activity, tiles, self.first.0..self.first.0 + ins, rows, times);
        let [errors, winners] = Ahead::packets(&self.packets, tiles, out..out + outs, Rows::apart(TILE), times);
        Soon::new([activity, errors, winners])
    }

    /// Adds what a group of rows of tiles teaches to the transformed changes.
    #[inline(always)]
    unsafe fn group<X: Vector>(&mut self, group: &[Row], next: &[Row], continues: bool) {
        let shape = self.correlation;
        let [v_place, e_place, u_place] = shape.places();
        let (ins, outs) = self.blocks();
        let (tiles, v_step) = (group.len() * shape.columns, ins * LANES);
        // SAFETY: the bench has room for all, in this order.
        unsafe {
            let values = self.bench.as_mut_ptr();
            let errors = values.add(PLACES * v_place);
            let changes = errors.add(PLACES * shape.panels * e_place);
            let strip = changes.add(PLACES * shape.panels * u_place);
            for (index, &(sample, row)) in group.iter().enumerate() {
                let top = (row * TILE) as isize;
                let spread = self.activity.sample(sample);
                for block in 0..ins {
                    let size = (SIDE, TILE * shape.columns + 2);
                    let corner = (top - shape.pad, -shape.pad);
                    let (from, line) = spread.rows::<X>(self.first.0 + block, corner, size, strip);
                    let to = values.add(index * shape.columns * v_step + block * LANES);
                    for column in 0..shape.columns {
                        transform::input::<X>(from.add(column * TILE * LANES), line, to.add(column * v_step), v_place);
                    }
                }
                let spread = self.packets.sample(sample);
                for block in 0..outs {
                    let size = (TILE, TILE * shape.columns);
                    let (panel, half) = (block * LANES / PANEL, block * LANES % PANEL);
                    let out = self.first.1 * PANEL / LANES + block;
                    let (from, line) = spread.rows::<X>(out, (top, 0), size, strip);
                    let to = errors.add(PLACES * panel * e_place + index * shape.columns * PANEL + half);
                    for column in 0..shape.columns {
                        transform::error::<X>(from.add(column * TILE * LANES), line, to.add(column * PANEL), e_place);
                    }
                }
            }
            let panels = outs.div_ceil(PANEL / LANES);
            let times = panels * PLACES * v_step / BLOCK;
            let mut soon = self.input_of(next, times);
            for panel in 0..panels {
                let errors = errors.add(PLACES * panel * e_place);
                let changes = changes.add(PLACES * panel * u_place);
                for place in 0..PLACES {
                    let product = Place {
                        values: values.add(place * v_place),
                        values_step: 1,
                        term_step: v_step,
                        weights: errors.add(place * e_place),
                        weights_step: PANEL,
                        next_weights: None,
                        terms: tiles,
                        sums: changes.add(place * u_place),
                        sums_step: PANEL,
                        continues,
                    };
                    let wide = outs * LANES - panel * PANEL > LANES;
                    for channel in (0..v_step).step_by(BLOCK) {
                        if X::BLOCKS == 2 && wide {
                            product.multiply_eight::<X, 2>(channel, &mut soon);
                        } else {
                            product.multiply_eight::<X, 1>(channel, &mut soon);
                            if wide {
                                product.beside().multiply_eight::<X, 1>(channel, &mut soon);
                            }
                        }
                    }
                }
            }
        }
    }

    /// Brings the transformed changes back to those of the weights.
    #[inline(always)]
    unsafe fn finish<X: Vector>(&mut self) {
        let shape = self.correlation;
        let [v_place, e_place, u_place] = shape.places();
        let (ins, outs) = self.blocks();
        for out in 0..outs {
            for block in 0..ins {
                let (panel, half) = (out * LANES / PANEL, out * LANES % PANEL);
                // SAFETY: the bench as above; the partial change has rows of whole blocks.
                unsafe {
                    let changes = self.bench.as_ptr().add(PLACES * (v_place + shape.panels * e_place));
                    let from = changes.add(PLACES * panel * u_place + block * LANES * PANEL + half);
                    let mut taps = [X::splat(0.0); LANES * TAPS];
                    for channel in 0..LANES {
                        let change = transform::change::<X>(from.add(channel * PANEL), u_place);
                        taps[channel * TAPS..(channel + 1) * TAPS].copy_from_slice(&change);
                    }
                    let to = self.partial.as_mut_ptr().add(out * LANES * shape.fan() + block * LANES * TAPS);
                    for part in 0..TAPS {
                        let mut rows = [X::splat(0.0); LANES];
                        rows.copy_from_slice(&taps[part * LANES..(part + 1) * LANES]);
                        X::transpose(&mut rows);
                        for lane in 0..LANES {
                            rows[lane].store(to.add(lane * shape.fan() + part * LANES));
                        }
                    }
                }
            }
        }
    }
}
