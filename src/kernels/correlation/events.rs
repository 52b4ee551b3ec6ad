//! What a 3x3 convolution learns, event by event.
//!
//! ```text
//! change[o][channel][tap] += sum over events (place, o, value) of  value * activity[corner(place) + tap][channel]
//! ```
//!
//! An event is a place and a value of one output channel. The sums of nine taps x 32 channels stay in registers while
//! the events of an output channel go by, so an event costs 18 multiply-adds with AVX-512, each with one load from the
//! L1 cache, and a place without an error costs nothing:
//!
//! ```text
//!   lists, one an output channel:      o = 0   (place, value) (place, value) ...
//!                                      o = 1   (place, value) ...
//!   for each (place, value) of o:      sums[2 blocks][3 rows][3 taps]  +=  value x activity[place + row + tap]
//! ```
//!
//! The activity of a tile, some rows of one map or the maps of a few samples, 32 channels at a time, stays in the L1
//! cache, which is why lists are made tile by tile.
//!
//! On one core of an AMD Zen 5, with 250 errors of pooled maps, 32->32 at 32x32 (B), 64->64 at 16x16 (D), 64->512 at 8x8
//! (E), the plain correlation takes 22.3, 22.0, 45.0 ms:
//! * Every window has an error, a density of 1/4: B 8.9, D 8.4, E 15.8; every fourth window has: B 4.6, D 4.3, E 7.3. Two
//!   thirds of that are the multiply-adds, 11 to 12 cycles an event of 18 loads.
//! * Where in the activity an event reads is loaded four events before (see `SOON`): D 9.3 -> 8.7, with an error at every
//!   place 31.5 -> 27.7. Lists are filled up to a multiple of four with events of no value.
//! * While lists go by, what comes next is fetched: activity, B 10.9 -> 9.9, and packets, B 9.3 -> 8.9.
//! * Lists made value by value in plain code took as long as turning vectors round with few samples, 15 % longer with
//!   many. Tiles of half the size: B 20 % longer, E 13 %.

// In a register block the indices are the formula.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use rayon::prelude::*;

use super::super::events::{Ahead, Tile, Tiling};
use super::super::isa::Isa;
use super::super::layout::{LANES, Layout};
use super::super::packet::{PacketLayout, Packets};
use super::super::product::check_conv;
use super::super::simd::{Kernel, Vector};
use super::super::tasks;
use super::{TASKS, check_run};
use crate::threads::least;

/// Side of the kernel, and its taps.
const SIDE: usize = 3;
const TAPS: usize = SIDE * SIDE;

/// Output channels whose changes one task sums.
const PANEL: usize = 64;

/// Blocks of channels whose activity is read together.
const BLOCKS: usize = 2;

/// Events ahead of which an address is loaded. Where it was loaded only just before, what is read there holds up all
/// other reading: on an AMD Zen 5 an event with 18 loads takes 12.8 cycles instead of 10.3. Such loads are volatile, or
/// the compiler would move them to where their value is used.
const SOON: usize = 4;

/// Floats of activity of a tile: 40 KB, most of a L1 cache.
const TILE: usize = 10 * 1024;

/// Whole numbers up to here are exact as f32s, as which distances within a tile travel to their lists.
const EXACT: usize = 1 << 24;

/// The correlation of a population's activity with sparse errors of one that it drives by a 3x3 convolution.
#[derive(Debug, Clone)]
pub struct EventCorrelation {
    input: Layout,
    error: PacketLayout,
    stride: usize,
    /// Floats into a block at which the first window stands.
    corner: usize,
    /// Floats from a pooling window's first place in the activity to each, row by row.
    members: Vec<f32>,
    tiling: Tiling,
}

impl EventCorrelation {
    /// The density from which on the plain correlation is the faster way.
    pub const DENSEST: f64 = 0.7;
    /// The density from which on tiles are: they do not look at events, and pooled packets list theirs sooner.
    pub const DENSEST_BESIDE_TILES: f64 = 0.14;
    /// The same for pooled packets.
    pub const DENSEST_POOLED_BESIDE_TILES: f64 = 0.24;

    /// The density from which on another way than this is the faster one for such packets.
    pub fn densest(error: PacketLayout, beside_tiles: bool) -> f64 {
        match (beside_tiles, error.window) {
            (false, _) => EventCorrelation::DENSEST,
            (true, 1) => EventCorrelation::DENSEST_BESIDE_TILES,
            (true, _) => EventCorrelation::DENSEST_POOLED_BESIDE_TILES,
        }
    }

    /// Whether there is one for such activities and this kernel.
    pub fn suits(input: Layout, kernel: usize) -> bool {
        input.lanes == LANES && kernel == SIDE
    }

    /// For the weights `[channel out][channel in][3][3]`, from the activity of its input and packets at its drive.
    /// `input.halo` must be at least `pad`.
    pub fn new(input: Layout, error: PacketLayout, stride: usize, pad: usize) -> EventCorrelation {
        check_conv(input, error.drive, SIDE, stride, pad);
        let values = error.values().shape;
        let blocks = BLOCKS.min(input.blocks());
        let floats = |rows: usize| ((rows * error.window - 1) * stride + SIDE) * input.row() * blocks;
        let rows = (1..=values.height).rev().find(|&rows| floats(rows) <= TILE).unwrap_or(1);
        let samples = (TILE / (input.plane() * blocks)).min(EXACT / input.sample());
        let tiling = Tiling::new(error, rows, samples);
        let corner = (input.halo - pad) * (input.row() + input.lanes);
        let member = |index: usize| index / error.window * input.row() + index % error.window * LANES;
        let members = (0..error.window * error.window).map(|index| (member(index) * stride) as f32).collect();
        EventCorrelation { input, error, stride, corner, members, tiling }
    }

    fn channels(&self) -> usize {
        self.error.drive.shape.channels
    }

    fn panels(&self) -> usize {
        self.channels().div_ceil(PANEL)
    }

    /// Samples whose change is summed by one task, which depends on shapes and batch alone.
    fn chunk(&self, samples: usize) -> usize {
        samples.div_ceil(TASKS.div_ceil(self.panels())).next_multiple_of(self.tiling.samples)
    }

    /// Floats of one output channel's change.
    fn fan(&self) -> usize {
        self.input.blocks() * TAPS * LANES
    }

    /// Floats of partial change of one task.
    fn partial(&self) -> usize {
        PANEL.min(self.channels().next_multiple_of(LANES)) * self.fan()
    }

    /// The activity of a tile, some blocks of it, that begins at `start`, to be fetched in `parts` parts.
    fn ahead(&self, start: *const f32, parts: usize) -> Ahead {
        let (input, blocks) = (self.input, BLOCKS.min(self.input.blocks()));
        if self.tiling.rows == self.error.values().shape.height {
            Ahead::new(start, blocks * input.plane(), self.tiling.samples, input.sample(), parts)
        } else {
            let rows = (self.tiling.rows * self.error.window - 1) * self.stride + SIDE;
            Ahead::new(start, rows * input.row(), blocks, input.plane(), parts)
        }
    }

    /// Room for the events of one output channel in one tile: for all that there may be, and for what is written
    /// behind the last one.
    fn room(&self) -> usize {
        self.tiling.samples * self.tiling.rows * self.error.values().shape.width + LANES
    }

    /// Floats of scratch that [`EventCorrelation::run`] needs for batches of up to `samples`.
    pub fn scratch_len(&self, samples: usize) -> usize {
        let chunks = (1..=samples).map(|samples| samples.div_ceil(self.chunk(samples))).max().unwrap_or(0);
        chunks * self.panels() * self.partial()
    }

    /// Adds the correlation over a batch to `change`, in the plain order of the weights. `scratch` needs no content and
    /// holds none of use afterwards.
    pub fn run(&self, isa: Isa, input: &[f32], packets: Packets<'_>, scratch: &mut [f32], change: &mut [f32]) {
        let weights = self.channels() * self.input.shape.channels * TAPS;
        let samples = check_run((input, self.input), (packets, self.error), (change, weights));
        if samples == 0 {
            return;
        }
        let (chunk, partial) = (self.chunk(samples), self.partial());
        let chunks = samples.div_ceil(chunk);
        let scratch = &mut scratch[..chunks * self.panels() * partial];
        let bench = 2 * PANEL * self.room();
        // Partial changes lie [panel][chunk].
        scratch.par_chunks_mut(partial).with_min_len(least()).enumerate().for_each(|(index, partial)| {
            let (panel, part) = (index / chunks, index % chunks);
            let samples = part * chunk..samples.min((part + 1) * chunk);
            tasks::with_bench(bench, |bench| {
                isa.compute(Lists { correlation: self, input, packets, samples, panel, partial, bench });
            });
        });
        let (channels, fan) = (self.input.shape.channels, self.fan());
        change.par_chunks_mut(channels * TAPS).with_min_len(least()).enumerate().for_each(|(out, change)| {
            let parts = scratch[out / PANEL * chunks * partial..][..chunks * partial].chunks_exact(partial);
            tasks::with_bench(fan, |total| {
                total.fill(0.0);
                for part in parts {
                    let part = &part[out % PANEL * fan..][..fan];
                    total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
                }
                for (channel, change) in change.chunks_exact_mut(TAPS).enumerate() {
                    let taps = total[channel / LANES * TAPS * LANES + channel % LANES..].iter().step_by(LANES);
                    change.iter_mut().zip(taps).for_each(|(change, total)| *change += total);
                }
            });
        });
    }
}

/// One task: a chunk of samples, one panel of output channels.
struct Lists<'a> {
    correlation: &'a EventCorrelation,
    input: &'a [f32],
    packets: Packets<'a>,
    samples: Range<usize>,
    panel: usize,
    /// `[channel of the panel][block of channels in][tap][16]`.
    partial: &'a mut [f32],
    /// The lists.
    bench: &'a mut [f32],
}

impl Kernel for Lists<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(mut self) {
        self.partial.fill(0.0);
        let mut after = (self.samples.start, 0);
        while let Some(tile) = self.correlation.tiling.next(&self.packets, after, self.samples.end) {
            // SAFETY: the caller vouches for the instruction set; the bench has room for the lists of a tile.
            unsafe {
                let counts = self.list::<X>(&tile);
                self.learn::<X>(&tile, &counts);
            }
            after = tile.after;
        }
    }
}

impl Lists<'_> {
    /// Where the values of an output channel's events are listed, and beside them the floats from the tile's first
    /// window to that of each.
    #[inline(always)]
    fn lists(&mut self, channel: usize) -> (*mut f32, *mut u32) {
        let room = self.correlation.room();
        let (values, windows) = self.bench.split_at_mut(PANEL * room);
        (values[channel * room..].as_mut_ptr(), windows[channel * room..].as_mut_ptr().cast())
    }

    /// Blocks of the panel's output channels.
    fn blocks(&self) -> Range<usize> {
        let first = self.panel * PANEL / LANES;
        first..self.correlation.error.drive.blocks().min(first + PANEL / LANES)
    }

    /// Makes the lists of a tile and says how many events are in each. Sixteen places of sixteen channels are turned
    /// round, so that a channel's are one vector, and what is not there is left out of it.
    #[inline(always)]
    unsafe fn list<X: Vector>(&mut self, tile: &Tile) -> [u32; PANEL] {
        let shape = self.correlation;
        let (layout, side) = (shape.error.values(), shape.error.window);
        let (step_row, step_column) = (shape.stride * shape.input.row(), shape.stride * LANES);
        let mut counts = [0; PANEL];
        let blocks = self.blocks();
        for block in blocks.clone() {
            let (mut places, mut windows, mut waiting) = ([0; LANES], [0.0; LANES], 0);
            for sample in tile.samples.clone() {
                if self.packets.is_quiet(sample) {
                    continue;
                }
                for row in tile.rows.clone() {
                    let place = sample * layout.sample() + block * layout.plane() + layout.offset(0, row, 0);
                    let mut window = (sample - tile.samples.start) * shape.input.sample();
                    window += (row - tile.rows.start) * side * step_row;
                    for column in 0..layout.shape.width {
                        places[waiting] = place + column * LANES;
                        windows[waiting] = (window + column * side * step_column) as f32;
                        waiting += 1;
                        if waiting == LANES {
                            // SAFETY: the caller vouches for the instruction set; places are those of the packets.
                            unsafe { self.append::<X>(&places, &windows, (block - blocks.start) * LANES, &mut counts) };
                            waiting = 0;
                        }
                    }
                }
            }
            if waiting > 0 {
                // SAFETY: as above.
                unsafe { self.append::<X>(&places[..waiting], &windows, (block - blocks.start) * LANES, &mut counts) };
            }
        }
        // Lists are read some events at once: those without value fill up what is missing.
        for channel in 0..PANEL {
            let (values, windows) = self.lists(channel);
            let count = counts[channel] as usize;
            // SAFETY: a list has room for a vector more than its events.
            unsafe {
                X::splat(0.0).store(values.add(count));
                X::splat(0.0).store(windows.cast::<f32>().add(count));
            }
        }
        counts
    }

    /// Appends the events at up to sixteen places to the lists of sixteen channels.
    #[inline(always)]
    unsafe fn append<X: Vector>(
        &mut self,
        places: &[usize],
        windows: &[f32; LANES],
        channel: usize,
        counts: &mut [u32; PANEL],
    ) {
        let members = &self.correlation.members;
        // SAFETY: the caller's; a list has room for all events of the tile and a vector more.
        unsafe {
            let zero = X::splat(0.0);
            let (mut values, mut steps) = ([zero; LANES], [zero; LANES]);
            for (index, &place) in places.iter().enumerate() {
                values[index] = X::load(self.packets.values.as_ptr().add(place));
                if members.len() > 1 {
                    let winner = X::load_bytes(self.packets.winners.as_ptr().add(place));
                    for (member, &step) in members.iter().enumerate().skip(1) {
                        steps[index] = X::splat(step).select(winner.equal(X::splat(member as f32)), steps[index]);
                    }
                }
            }
            X::transpose(&mut values);
            if members.len() > 1 {
                X::transpose(&mut steps);
            }
            let first = X::load(windows.as_ptr());
            for lane in 0..LANES {
                let (list, windows) = self.lists(channel + lane);
                let count = &mut counts[channel + lane];
                let listed = *count as usize;
                *count += values[lane].append(first.add(steps[lane]), list.add(listed), windows.add(listed)) as u32;
            }
        }
    }

    /// Where the activity of a tile begins that has a sample and a row of values as its first.
    fn start(&self, (sample, row): (usize, usize)) -> *const f32 {
        let shape = self.correlation;
        let row = row * shape.error.window * shape.stride * shape.input.row();
        self.input.as_ptr().wrapping_add(sample * shape.input.sample() + row + shape.corner)
    }

    /// Adds what the lists of a tile say to the partial change, while what is read after it is fetched: the activity of
    /// its next channels, or that of the next tile, and its packets.
    #[inline(always)]
    unsafe fn learn<X: Vector>(&mut self, tile: &Tile, counts: &[u32; PANEL]) {
        let shape = self.correlation;
        let layout = shape.input;
        let start = self.start((tile.samples.start, tile.rows.start));
        let lists = counts.iter().filter(|&&count| count > 0).count();
        let mut packets = shape.tiling.ahead(&self.packets, tile.after, self.blocks(), lists);
        let mut block = 0;
        while block < layout.blocks() {
            let blocks = BLOCKS.min(layout.blocks() - block);
            let after = block + blocks;
            let from = if after < layout.blocks() {
                start.wrapping_add(after * layout.plane())
            } else {
                self.start(tile.after)
            };
            let mut activity = shape.ahead(from, lists);
            for channel in 0..PANEL {
                if counts[channel] == 0 {
                    continue;
                }
                // SAFETY: a prefetch asks nothing.
                unsafe {
                    activity.fetch::<X>();
                    packets.fetch::<X>();
                }
                // SAFETY: the list has so many events; their windows lie within the samples of the tile.
                unsafe {
                    let (values, windows) = self.lists(channel);
                    let list = List { values, windows, count: counts[channel] as usize };
                    let activity = start.add(block * layout.plane());
                    let to = self.partial.as_mut_ptr().add(channel * shape.fan() + block * TAPS * LANES);
                    if X::BLOCKS == 2 && blocks == 2 {
                        sum::<X, 3, 2>(&list, activity, layout, to);
                    } else if X::BLOCKS == 2 {
                        sum::<X, 3, 1>(&list, activity, layout, to);
                    } else {
                        for block in 0..blocks {
                            for row in 0..SIDE {
                                let activity = activity.add(block * layout.plane() + row * layout.row());
                                sum::<X, 1, 1>(&list, activity, layout, to.add((block * TAPS + row * SIDE) * LANES));
                            }
                        }
                    }
                }
            }
            block += blocks;
        }
    }
}

/// The events of one output channel.
struct List {
    values: *const f32,
    /// Floats from the tile's first window to that of each.
    windows: *const u32,
    count: usize,
}

/// The sums of `R` rows of taps x `V` blocks of channels stay in registers over all events of a list.
#[inline(always)]
unsafe fn sum<X: Vector, const R: usize, const V: usize>(
    list: &List,
    activity: *const f32,
    layout: Layout,
    to: *mut f32,
) {
    // SAFETY: the caller vouches for the instruction set, the events' windows and the change.
    unsafe {
        let mut sums = [[[X::splat(0.0); SIDE]; R]; V];
        let window = |event: usize| list.windows.add(event).read_volatile() as usize;
        let mut soon: [usize; SOON] = std::array::from_fn(window);
        for event in (0..list.count).step_by(SOON) {
            for ahead in 0..SOON {
                let window = soon[ahead];
                soon[ahead] = list.windows.add(event + SOON + ahead).read_volatile() as usize;
                let value = X::splat(*list.values.add(event + ahead));
                for v in 0..V {
                    for row in 0..R {
                        for tap in 0..SIDE {
                            let from = window + v * layout.plane() + row * layout.row() + tap * LANES;
                            sums[v][row][tap] = sums[v][row][tap].fma(value, X::load(activity.add(from)));
                        }
                    }
                }
            }
        }
        for v in 0..V {
            for row in 0..R {
                for tap in 0..SIDE {
                    let to = to.add((v * TAPS + row * SIDE + tap) * LANES);
                    X::load(to).add(sums[v][row][tap]).store(to);
                }
            }
        }
    }
}
