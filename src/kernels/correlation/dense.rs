//! What a dense map learns from: one matrix product of errors and activity over the samples of a batch.
//!
//! ```text
//!               one sample of the strip:       x[0..16]       x[16..32]           V vectors of activity
//!                                                  |              |
//!   error of unit 0 -> e, on all lanes ->       sums[0][0]     sums[0][1]
//!   error of unit 1 -> e               ->       sums[1][0]     sums[1][1]          P units
//!        ...                                       ...            ...
//!   error of unit 7 -> e               ->       sums[7][0]     sums[7][1]
//! ```
//!
//! The sum runs over samples, and samples lie pages apart: a register block that reads them where they are touches as
//! many pages as it takes steps, all in one set of the L1 cache. So the errors are gathered once,
//! `[strip][tile of units][sample][unit]`, and the first tile of units leaves the activity that it reads side by side for
//! the others. A task is some vectors of a sample and some units over the whole batch: activity comes from memory once,
//! and no partial changes are kept and added. What a strip or task will need next is fetched, line by line, while this
//! one is computed.
//!
//! Lanes are the channels of a pixel, and among plain weights the pixels of a channel are neighbours; so sixteen pixels
//! are turned round in registers before they are added.
//!
//! What was tried, in percent of the multiply-add peak on one core of an AMD Zen 5 that others used, too; batch 250, to 64
//! units from 512 maps of 4x4 (H5), 64 of 8x8 (H4), 64 of 16x16 (H3), 32 of 32x32 (H1):
//! * Units in lanes and samples where they are, partial changes added afterwards: H5 51, H3 46.
//! * This way, while only the next pair of vectors is fetched: H5 67, H3 57; with the change fetched, too: H5 80, H4 86,
//!   H3 70, H1 60; with all vectors of the next strip: H5 84, H4 88, H3 78, H1 66; with huge pages: H5 87, H3 86, H1 74.
//!   The main loop runs at the peak; what is left is the first tile's way to the L2 cache and the plain change, which
//!   for H1 is 8 MB to be read and written, a fifth of the time.
//! * Four vectors x 4 units instead of two x 8: 1 to 3 less.

// In a register block the indices are the formula.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use rayon::prelude::*;

use super::super::isa::Isa;
use super::super::layout::{LANES, Layout};
use super::super::packet::Packets;
use super::super::simd::{Kernel, Vector};
use super::super::tasks;
use super::TASKS;
use crate::threads::least;

/// Samples of a strip: two vectors of each fill 16 KB, a third of the L1 cache, while all units go over them.
const STRIP: usize = 128;

/// Units of a tile: those of the widest register block.
const UNITS: usize = 8;

/// Tiles of units of a task at most: their sums fill 256 KB, a quarter of the L2 cache.
const MOST: usize = 32;

/// Vectors of the widest register block.
const VECTORS: usize = 2;

/// Vectors of a task: as many as can be turned round.
const GROUP: usize = LANES;

/// A dense map's correlation as a product over samples.
#[derive(Debug, Clone)]
pub(super) struct Outer {
    input: Layout,
    error: Layout,
}

impl Outer {
    /// For an input of whole vectors and the flat error of the units.
    pub(super) fn new(input: Layout, error: Layout) -> Outer {
        Outer { input, error }
    }

    /// Vectors of activity of a sample.
    fn vectors(&self) -> usize {
        self.input.blocks() * self.pixels()
    }

    fn pixels(&self) -> usize {
        self.input.shape.height * self.input.shape.width
    }

    fn tiles(&self) -> usize {
        self.error.shape.channels.div_ceil(UNITS)
    }

    /// Floats of gathered errors of `samples` samples.
    pub(super) fn scratch_len(&self, samples: usize) -> usize {
        samples * self.tiles() * UNITS
    }

    /// Adds the correlation over a batch to `change`.
    pub(super) fn run(&self, isa: Isa, input: &[f32], packets: Packets<'_>, scratch: &mut [f32], change: &mut [f32]) {
        let scratch = &mut scratch[..self.scratch_len(packets.samples())];
        let strips = scratch.par_chunks_mut(self.scratch_len(STRIP)).with_min_len(least());
        strips.enumerate().for_each(|(strip, errors)| {
            self.gather(packets, strip * STRIP, errors);
        });
        let groups = self.vectors().div_ceil(GROUP);
        // Where groups are few, tasks share their units.
        let units = self.tiles().div_ceil(TASKS.div_ceil(groups)).min(MOST);
        let parts = self.tiles().div_ceil(units);
        let (errors, change) = (&*scratch, Change(change.as_mut_ptr()));
        (0..groups * parts).into_par_iter().with_min_len(least()).for_each(|task| {
            let (group, part) = (task / parts * GROUP, task % parts * units);
            let vectors = group..self.vectors().min(group + GROUP);
            let tiles = part..self.tiles().min(part + units);
            let desk = LANES * (GROUP * tiles.len() * UNITS + VECTORS * STRIP);
            tasks::with_bench(desk, |bench| {
                let (sums, values) = bench.split_at_mut(GROUP * LANES * tiles.len() * UNITS);
                let (sums, values) = (sums.as_mut_ptr(), values.as_mut_ptr());
                isa.compute(Task {
                    outer: self,
                    input,
                    packets,
                    errors,
                    vectors,
                    tiles,
                    sums,
                    values,
                    change: &change,
                });
            });
        });
    }

    /// Lays the errors of the strip that begins at sample `first` side by side, tile by tile of units; samples without
    /// events are left out.
    fn gather(&self, packets: Packets<'_>, first: usize, errors: &mut [f32]) {
        let strip = first..packets.samples().min(first + STRIP);
        let heard = packets.heard(strip.clone());
        let active = strip.filter(|&sample| !packets.is_quiet(sample));
        for (place, sample) in active.enumerate() {
            let sample = &packets.values[sample * self.error.sample() + self.error.offset(0, 0, 0)..];
            for tile in 0..self.tiles() {
                let (block, lane) = (tile * UNITS / LANES, tile * UNITS % LANES);
                let from = &sample[block * self.error.plane() + lane..][..UNITS];
                errors[(tile * heard + place) * UNITS..][..UNITS].copy_from_slice(from);
            }
        }
    }

    /// Where a vector of activity stands within a sample.
    fn place(&self, vector: usize) -> usize {
        let (block, pixel) = (vector / self.pixels(), vector % self.pixels());
        let (row, column) = (pixel / self.input.shape.width, pixel % self.input.shape.width);
        self.input.offset(block * LANES, row, column)
    }
}

/// The plain change, to which tasks add in places of their own.
struct Change(*mut f32);

// SAFETY: a task reads and writes the weights between its own vectors and units only.
unsafe impl Sync for Change {}

/// Some vectors of activity and some tiles of units over the whole batch.
struct Task<'a> {
    outer: &'a Outer,
    input: &'a [f32],
    packets: Packets<'a>,
    /// Gathered, of all units.
    errors: &'a [f32],
    vectors: Range<usize>,
    tiles: Range<usize>,
    /// Room for sums, `[unit][vector][16]`, and for the activity of a strip that one tile leaves for the others,
    /// `[sample][vectors of a register block][16]`.
    sums: *mut f32,
    values: *mut f32,
    change: &'a Change,
}

/// Some samples of the batch, those without events left out.
struct Strip {
    samples: Range<usize>,
    heard: usize,
    /// Gathered, of the units of the task.
    errors: *const f32,
    /// Whether it is the first that counts.
    fresh: bool,
    /// Steps of the register block from one line that is fetched to the next.
    pace: usize,
}

/// Cache lines that will be needed soon: at some places, then at those a step further.
struct Lines {
    places: [*const f32; GROUP],
    len: usize,
    step: usize,
    index: usize,
    left: usize,
}

impl Lines {
    #[inline(always)]
    fn new(step: usize, len: usize) -> Lines {
        Lines { places: [std::ptr::null(); GROUP], len, step, index: 0, left: len }
    }

    /// Fetches the next one.
    #[inline(always)]
    unsafe fn fetch<X: Vector>(&mut self) {
        if self.left == 0 {
            return;
        }
        let place = &mut self.places[self.index];
        // SAFETY: the caller vouches for the instruction set; a prefetch asks nothing of its address.
        unsafe { X::prefetch(*place) };
        *place = place.wrapping_add(self.step);
        self.index = if self.index + 1 < self.len { self.index + 1 } else { 0 };
        self.left -= 1;
    }
}

impl Kernel for Task<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(self) {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            match X::POSITIONS {
                10 => self.strips::<X, UNITS, VECTORS>(),
                6 => self.strips::<X, 4, 1>(),
                _ => self.strips::<X, 2, 1>(),
            }
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    unsafe fn strips<X: Vector, const P: usize, const V: usize>(self) {
        let samples = self.packets.samples();
        let mut fresh = true;
        for first in (0..samples).step_by(STRIP) {
            let samples = first..samples.min(first + STRIP);
            let heard = self.packets.heard(samples.clone());
            if heard == 0 {
                continue;
            }
            let errors = self.outer.scratch_len(first) + self.tiles.start * heard * UNITS;
            let mut ahead = self.ahead(samples.end);
            let steps = self.vectors.len().div_ceil(V) * (self.tiles.len() * UNITS / P - 1) * heard;
            let pace = (steps / ahead.iter().map(|lines| lines.left).sum::<usize>().max(1)).clamp(1, 16);
            let strip = Strip { samples, heard, errors: self.errors[errors..].as_ptr(), fresh, pace };
            let mut vector = self.vectors.start;
            while vector < self.vectors.end {
                // SAFETY: the caller vouches for the instruction set, and there are as many vectors.
                unsafe {
                    if vector + V <= self.vectors.end {
                        self.vectors::<X, P, V>(vector, &strip, &mut ahead);
                        vector += V;
                    } else {
                        self.vectors::<X, P, 1>(vector, &strip, &mut ahead);
                        vector += 1;
                    }
                }
            }
            fresh = false;
        }
        if !fresh {
            // SAFETY: the caller vouches for the instruction set.
            unsafe { self.add::<X>() };
        }
    }

    /// What will be used after a strip that ends at this sample: the same vectors of the next strip, or the change and
    /// the vectors of the next task.
    #[inline(always)]
    fn ahead(&self, sample: usize) -> [Lines; 2] {
        let (outer, pixels) = (self.outer, self.outer.pixels());
        let (samples, vectors) = (self.packets.samples(), outer.vectors());
        let (next, first) = if sample < samples { (sample, self.vectors.start) } else { (0, self.vectors.end) };
        let mut values = Lines::new(outer.input.sample(), vectors.min(first + self.vectors.len()) - first);
        for index in 0..values.len {
            values.places[index] = self.input.as_ptr().wrapping_add(next * values.step + outer.place(first + index));
        }
        values.left *= STRIP.min(samples - next);
        let mut change = Lines::new(outer.input.shape.len(), LANES);
        if sample == samples {
            let (block, pixel) = (self.vectors.start / pixels, self.vectors.start % pixels);
            let weight = self.tiles.start * UNITS * change.step + block * LANES * pixels + pixel;
            for channel in 0..LANES {
                change.places[channel] = self.change.0.wrapping_add(weight + channel * pixels);
            }
            change.left *= self.tiles.len() * UNITS;
        } else {
            change.left = 0;
        }
        [values, change]
    }

    /// `V` vectors of a strip with all units of the task.
    #[inline(always)]
    unsafe fn vectors<X: Vector, const P: usize, const V: usize>(
        &self,
        vector: usize,
        strip: &Strip,
        ahead: &mut [Lines; 2],
    ) {
        let sample = self.outer.input.sample();
        let mut from = [self.input.as_ptr(); V];
        for v in 0..V {
            from[v] = from[v].wrapping_add(self.outer.place(vector + v));
        }
        // SAFETY: the caller's; the bench has room for the sums of the task and for a strip of its vectors.
        unsafe {
            let sums = self.sums.add((vector - self.vectors.start) * LANES);
            let values = self.values;
            for unit in (0..self.tiles.len() * UNITS).step_by(P) {
                let errors = strip.errors.add(unit / UNITS * strip.heard * UNITS + unit % UNITS);
                let mut block = [[X::splat(0.0); V]; P];
                let mut place = 0;
                if unit == 0 {
                    for index in strip.samples.clone() {
                        if self.packets.is_quiet(index) {
                            continue;
                        }
                        let mut x = [X::splat(0.0); V];
                        for v in 0..V {
                            x[v] = X::load(from[v].add(index * sample));
                            x[v].store(values.add((place * V + v) * LANES));
                        }
                        step(&mut block, x, errors.add(place * UNITS));
                        place += 1;
                    }
                }
                while place < strip.heard {
                    ahead[usize::from(ahead[0].left == 0)].fetch::<X>();
                    for place in place..strip.heard.min(place + strip.pace) {
                        let mut x = [X::splat(0.0); V];
                        for v in 0..V {
                            x[v] = X::load(values.add((place * V + v) * LANES));
                        }
                        step(&mut block, x, errors.add(place * UNITS));
                    }
                    place += strip.pace;
                }
                for p in 0..P {
                    for v in 0..V {
                        let to = sums.add((unit + p) * GROUP * LANES + v * LANES);
                        let before = if strip.fresh { X::splat(0.0) } else { X::load(to) };
                        before.add(block[p][v]).store(to);
                    }
                }
            }
        }
    }

    /// Adds the sums to the plain change, the vectors of one block of channels after the other.
    #[inline(always)]
    unsafe fn add<X: Vector>(&self) {
        let (outer, pixels) = (self.outer, self.outer.pixels());
        let fan = outer.input.shape.len();
        let units = outer.error.shape.channels;
        let first = self.tiles.start * UNITS;
        for unit in first..units.min(self.tiles.end * UNITS) {
            let sums = self.sums.wrapping_add((unit - first) * GROUP * LANES);
            let mut vector = self.vectors.start;
            while vector < self.vectors.end {
                let (block, pixel) = (vector / pixels, vector % pixels);
                let run = (pixels - pixel).min(self.vectors.end - vector);
                let channels = LANES.min(outer.input.shape.channels - block * LANES);
                let sums = sums.wrapping_add((vector - self.vectors.start) * LANES);
                // SAFETY: the caller's; these weights belong to this task alone.
                unsafe {
                    let to = self.change.0.add(unit * fan + block * LANES * pixels + pixel);
                    if run == GROUP {
                        let mut rows = [X::splat(0.0); LANES];
                        for row in 0..LANES {
                            rows[row] = X::load(sums.add(row * LANES));
                        }
                        X::transpose(&mut rows);
                        for channel in 0..channels {
                            let to = to.add(channel * pixels);
                            X::load(to).add(rows[channel]).store(to);
                        }
                    } else {
                        for channel in 0..channels {
                            for pixel in 0..run {
                                *to.add(channel * pixels + pixel) += *sums.add(pixel * LANES + channel);
                            }
                        }
                    }
                }
                vector += run;
            }
        }
    }
}

/// One sample.
#[inline(always)]
unsafe fn step<X: Vector, const P: usize, const V: usize>(sums: &mut [[X; V]; P], x: [X; V], errors: *const f32) {
    for p in 0..P {
        // SAFETY: the caller vouches for the instruction set and the errors.
        unsafe {
            let e = X::splat(*errors.add(p));
            for v in 0..V {
                sums[p][v] = sums[p][v].fma(e, x[v]);
            }
        }
    }
}
