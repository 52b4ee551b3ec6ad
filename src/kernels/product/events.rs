//! What a 3x3 convolution carries back, event by event.
//!
//! ```text
//! error below[y + row][x + column] += sum over events (y, x, o, value) of  value * weight[o][row][column]
//! ```
//!
//! The other side of what a correlation does with events: there an output channel's events go by, here those of one
//! place. Nine sums x 32 channels stay in registers and slide along a row; an event adds a channel's nine weight
//! vectors times its value, and where the sums leave a column they are added to the error below:
//!
//! ```text
//!   events, a bit for each of 32 channels:   x = 0   ..1....1...   x = 1   1.......1.1   ...
//!   sums[2 blocks][3 rows][3 columns]  +=  value x weight[channel][tap]
//!       slide: column 0 is complete and goes to memory, 1 and 2 move up
//! ```
//!
//! Weights are those that the plain product packs: sixteen channels' nine vectors lie together, and of 32 of them they
//! fill 36 KB of the L1 cache while the places of a tile go by. Each event costs a load for each multiply-add, so this is
//! the way for sparse packets. On one core of an AMD Zen 5, with 250 errors of shapes 32->32 at 32x32 (B), 64->64 at 16x16
//! (D) and 64->512 at 8x8 (E), the plain product takes 22.3, 21.4, 42.5 ms:
//! * With an error in every window, a density of 1/4, events take 8.6, 8.5, 17.3 ms; in every fourth, 4.7, 4.3, 9.0.
//!   Three quarters of that are the multiply-adds, 11 cycles an event of 18 loads.
//! * Which channels have an event is found for a whole tile first, and kept as bits. Found place by place, the end of each
//!   place would be known too late for the processor to go on meanwhile (D 8.5 -> 11.4). As lists of values and weights,
//!   they take longer to make, and addresses that were just loaded hold up the loads that need them: D 10.2.
//! * The error below is written by the first row that reaches it, rather than cleared before (B 10.1 -> 8.8).
//! * Fetching the next weights as well: no faster.

// In a register block the indices are the formula.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use super::super::events::{Ahead, Tile, Tiling};
use super::super::flow::{Flow, Input, Outcome, Sum};
use super::super::isa::Isa;
use super::super::layout::{LANES, Layout};
use super::super::packet::{PacketLayout, Packets};
use super::super::simd::{Kernel, Vector};
use super::super::tasks::{self, Batch};
use super::PANEL;

/// Side of the kernel, and its taps.
const SIDE: usize = 3;
const TAPS: usize = SIDE * SIDE;

/// Floats from tap to tap of full blocks of channels.
const TAP: usize = LANES * PANEL;

/// Blocks of channels above whose weights are at hand together.
const BLOCKS: usize = 2;

/// Places of a tile: enough to outweigh the reading of weights.
const TILE: usize = 512;

/// The way back of a 3x3 convolution with a stride of 1 for sparse packets. It reads the weights that
/// [`Product::conv_carry`](super::Product::conv_carry) packs.
#[derive(Debug, Clone)]
pub struct EventCarry {
    error: PacketLayout,
    output: Layout,
    pad: usize,
    tiling: Tiling,
    /// Whether windows cover the drive, so that every error below is written.
    covered: bool,
}

impl EventCarry {
    /// The density from which on the plain product is the faster way, and that from which on tiles are.
    pub const DENSEST: f64 = 0.8;
    /// See [`EventCarry::DENSEST`].
    pub const DENSEST_BESIDE_TILES: f64 = 0.14;

    /// Whether there is one for this kernel.
    pub fn suits(kernel: usize, stride: usize) -> bool {
        kernel == SIDE && stride == 1
    }

    /// From packets at the drive of a convolution with this padding to an error at its input.
    pub fn new(error: PacketLayout, output: Layout, pad: usize) -> EventCarry {
        let drive = error.drive.shape;
        let tiling = Tiling::new(error, TILE / (drive.width * error.window), TILE / (drive.height * drive.width));
        let covered = drive.height.is_multiple_of(error.window) && drive.width.is_multiple_of(error.window);
        EventCarry { error, output, pad, tiling, covered }
    }

    /// Places of a tile.
    fn places(&self) -> usize {
        self.tiling.samples * self.tiling.rows * self.error.window * self.error.drive.shape.width
    }

    /// Carries a batch. `packed` are the plain product's weights.
    pub fn run(&self, isa: Isa, packed: &[f32], packets: Packets<'_>, sum: Sum, sums: &mut [f32]) {
        let flow = Flow::new(Input::Packets(packets), self.error, Outcome::Sums(sum, sums), self.output);
        let task = tasks::share(flow.samples(), self.tiling.samples, usize::MAX);
        tasks::for_each(flow, task, &|flow| {
            tasks::with_bench(self.places(), |bench| isa.compute(Places { carry: self, packed, flow, bench }));
        });
    }
}

/// One task: some samples.
struct Places<'a> {
    carry: &'a EventCarry,
    packed: &'a [f32],
    flow: Flow<'a>,
    /// For each place of a tile a bit for each channel at hand that has an event there.
    bench: &'a mut [f32],
}

/// Weights of some blocks of channels above with some below.
struct Weights {
    start: *const f32,
    /// Floats from tap to tap, and from channel to channel.
    tap: usize,
    width: usize,
}

impl Kernel for Places<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(mut self) {
        let carry = self.carry;
        let Input::Packets(packets) = self.flow.input else { return };
        let samples = self.flow.samples();
        let (mut after, mut begun) = ((0, 0), 0);
        while let Some(tile) = carry.tiling.next(&packets, after, samples) {
            after = tile.after;
            self.begin(packets, begun..tile.samples.end);
            begun = tile.samples.end;
            let mut blocks = self.at_hand(0);
            while !blocks.is_empty() {
                let next = self.at_hand(blocks.end);
                let soon = if next.is_empty() {
                    carry.tiling.ahead(&packets, tile.after, self.at_hand(0), carry.places())
                } else {
                    carry.tiling.ahead(&packets, (tile.samples.start, tile.rows.start), next.clone(), carry.places())
                };
                // SAFETY: the caller vouches for the instruction set.
                unsafe {
                    self.find::<X>(packets, &tile, &blocks);
                    self.panels::<X>(packets, &tile, blocks, soon);
                }
                blocks = next;
            }
        }
        self.begin(packets, begun..samples);
    }
}

impl Places<'_> {
    /// Clears those sums of some samples that nothing is written to before it is added to.
    fn begin(&mut self, packets: Packets<'_>, samples: Range<usize>) {
        let layout = self.carry.output;
        if let Outcome::Sums(Sum::Replace, sums) = &mut self.flow.outcome {
            for sample in samples.filter(|&sample| !self.carry.covered || packets.is_quiet(sample)) {
                let sums = &mut sums[sample * layout.sample()..][..layout.sample()];
                layout.rows().for_each(|row| sums[row].fill(0.0));
            }
        }
    }

    /// Blocks of the error from `block` on whose weights are at hand together. Of a last one that is not full, taps lie
    /// closer together: it goes alone.
    fn at_hand(&self, block: usize) -> Range<usize> {
        let (full, all) = (self.carry.error.drive.shape.channels / LANES, self.carry.error.drive.blocks());
        block..if block + BLOCKS <= full { block + BLOCKS } else { all.min(block + 1) }
    }

    /// Channels of a block of the error.
    fn channels(&self, block: usize) -> usize {
        LANES.min(self.carry.error.drive.shape.channels - block * LANES)
    }

    /// The events of a tile.
    fn events(&mut self) -> *mut u32 {
        self.bench.as_mut_ptr().cast()
    }

    /// Finds the events of a tile.
    #[inline(always)]
    unsafe fn find<X: Vector>(&mut self, packets: Packets<'_>, tile: &Tile, blocks: &Range<usize>) {
        let (layout, side) = (self.carry.error.values(), self.carry.error.window);
        let mut places = self.events();
        for sample in tile.samples.clone() {
            if packets.is_quiet(sample) {
                continue;
            }
            for row in tile.rows.clone() {
                let at = sample * layout.sample() + blocks.start * layout.plane() + layout.offset(0, row, 0);
                let (values, winners) =
                    (packets.values.as_ptr().wrapping_add(at), packets.winners.as_ptr().wrapping_add(at));
                for window in 0..layout.shape.width {
                    // SAFETY: the caller vouches for the instruction set; values and winners are those of the packets,
                    // and the bench has room for a tile.
                    unsafe {
                        let (mut events, mut winner) = ([0; BLOCKS], [X::splat(0.0); BLOCKS]);
                        for block in 0..blocks.len() {
                            let at = block * layout.plane() + window * LANES;
                            events[block] = X::load(values.add(at)).nonzeros();
                            if side > 1 {
                                winner[block] = X::load_bytes(winners.add(at));
                            }
                        }
                        for y in 0..side {
                            for x in 0..side {
                                let (here, mut channels) = (X::splat((y * side + x) as f32), 0);
                                for block in 0..BLOCKS {
                                    channels |= (events[block] & X::bits(winner[block].equal(here))) << (block * LANES);
                                }
                                places.add((y * layout.shape.width + window) * side + x).write(channels);
                            }
                        }
                    }
                }
                places = places.wrapping_add(side * side * layout.shape.width);
            }
        }
    }

    /// Carries what a tile's events of some blocks say to all channels below, while the packets are fetched that come
    /// next.
    #[inline(always)]
    unsafe fn panels<X: Vector>(&mut self, packets: Packets<'_>, tile: &Tile, blocks: Range<usize>, mut soon: Ahead) {
        let (channels, output) = (self.carry.error.drive.shape.channels, self.carry.output);
        let mut below = 0;
        while below < output.blocks() {
            let panel = below * LANES / PANEL;
            let width = PANEL.min(output.blocks() * LANES - panel * PANEL);
            let start = panel * PANEL * TAPS * channels + blocks.start * LANES * TAPS * width + below * LANES % PANEL;
            let start = self.packed.as_ptr().wrapping_add(start);
            let weights = Weights { start, tap: self.channels(blocks.start) * width, width };
            // SAFETY: the caller's; the panel holds these weights.
            unsafe {
                match (X::BLOCKS == 2, width == PANEL, weights.tap == TAP) {
                    (true, true, true) => {
                        self.rows::<X, TAP, 2, 3>(packets, tile, &blocks, (below, 0), &weights, &mut soon)
                    }
                    (true, true, false) => {
                        self.rows::<X, 0, 2, 3>(packets, tile, &blocks, (below, 0), &weights, &mut soon)
                    }
                    (true, false, _) => {
                        self.rows::<X, 0, 1, 3>(packets, tile, &blocks, (below, 0), &weights, &mut soon)
                    }
                    // The last row of taps first, because it reaches an error below before the others.
                    (false, true, true) => {
                        self.rows::<X, TAP, 1, 1>(packets, tile, &blocks, (below, 2), &weights, &mut soon);
                        self.rows::<X, TAP, 1, 2>(packets, tile, &blocks, (below, 0), &weights, &mut soon);
                    }
                    (false, ..) => {
                        self.rows::<X, 0, 1, 1>(packets, tile, &blocks, (below, 2), &weights, &mut soon);
                        self.rows::<X, 0, 1, 2>(packets, tile, &blocks, (below, 0), &weights, &mut soon);
                    }
                }
            }
            below += if X::BLOCKS == 2 && width == PANEL { 2 } else { 1 };
        }
    }

    /// The same to `V` blocks of channels below, by `R` rows of taps, for which there are registers. `STEP` is the distance
    /// of taps where it is known when this is compiled, else 0.
    #[inline(always)]
    unsafe fn rows<X: Vector, const STEP: usize, const V: usize, const R: usize>(
        &mut self,
        packets: Packets<'_>,
        tile: &Tile,
        blocks: &Range<usize>,
        (below, first): (usize, usize),
        weights: &Weights,
        soon: &mut Ahead,
    ) {
        let (layout, side) = (self.carry.error.values(), self.carry.error.window);
        let plane = layout.plane();
        let mut places = self.events();
        let (tap_step, width) = if STEP > 0 { (STEP, PANEL) } else { (weights.tap, weights.width) };
        for sample in tile.samples.clone() {
            if packets.is_quiet(sample) {
                continue;
            }
            for row in tile.rows.start * side..tile.rows.end * side {
                let at = sample * layout.sample() + blocks.start * plane + layout.offset(0, row / side, 0);
                // SAFETY: the caller vouches for the instruction set and the weights; values and winners are those of
                // the packets.
                unsafe {
                    let values = packets.values.as_ptr().add(at);
                    let target = self.target::<R>(sample, (below, first), row, blocks.start == 0);
                    let mut sums = [[[X::splat(0.0); SIDE]; R]; V];
                    let mut column = 0;
                    for window in 0..layout.shape.width {
                        let at = window * LANES;
                        for _ in 0..side {
                            let mut events = *places;
                            places = places.add(1);
                            soon.fetch::<X>();
                            while events != 0 {
                                let channel = events.trailing_zeros() as usize;
                                events &= events - 1;
                                let (block, lane) = (channel / LANES, channel % LANES);
                                let value = X::splat(*values.add(at + block * plane + lane));
                                let weight = weights.start.add(block * TAPS * LANES * width + lane * width);
                                for v in 0..V {
                                    for y in 0..R {
                                        for x in 0..SIDE {
                                            // Taps are packed in descending order.
                                            let tap = TAPS - 1 - ((first + y) * SIDE + x);
                                            let weight = X::load(weight.add(tap * tap_step + v * LANES));
                                            sums[v][y][x] = sums[v][y][x].fma(value, weight);
                                        }
                                    }
                                }
                            }
                            target.settle(column, &sums);
                            column += 1;
                            for v in 0..V {
                                for y in 0..R {
                                    sums[v][y] = [sums[v][y][1], sums[v][y][2], X::splat(0.0)];
                                }
                            }
                        }
                    }
                    for column in column..column + SIDE - 1 {
                        target.settle(column, &sums);
                        for v in 0..V {
                            for y in 0..R {
                                sums[v][y][0] = sums[v][y][1];
                            }
                        }
                    }
                }
            }
        }
    }

    /// Where a row of the drive adds to a block of the error below by `R` rows of taps from `first` on, for events of the
    /// channels that come before all others or not.
    #[inline(always)]
    fn target<const R: usize>(
        &mut self,
        sample: usize,
        (below, first): (usize, usize),
        row: usize,
        foremost: bool,
    ) -> Target<R> {
        let (layout, pad) = (self.carry.output, self.carry.pad);
        let (mut rows, mut fresh) = ([std::ptr::null_mut(); R], [false; R]);
        if let Outcome::Sums(sum, values) = &mut self.flow.outcome {
            for y in 0..R {
                let (tap, at) = (first + y, (row + first + y).wrapping_sub(pad));
                // The last row of taps comes to an error first, where there is a row of the drive above it.
                fresh[y] = foremost && (row == 0 || tap == SIDE - 1) && *sum == Sum::Replace && self.carry.covered;
                if at < layout.shape.height {
                    let at = sample * layout.sample() + below * layout.plane() + layout.offset(0, at, 0);
                    rows[y] = values[at..].as_mut_ptr();
                }
            }
        }
        Target { rows, fresh, pad, width: layout.shape.width, plane: layout.plane() }
    }
}

/// Where a row of the drive adds to the error below.
struct Target<const R: usize> {
    /// Where its rows begin; null where there is none.
    rows: [*mut f32; R],
    /// Whether nothing was added to them before.
    fresh: [bool; R],
    pad: usize,
    width: usize,
    /// Floats from one block of channels to the next.
    plane: usize,
}

impl<const R: usize> Target<R> {
    /// Adds the first column of the sums of a place to the error below, where it has such a column.
    #[inline(always)]
    unsafe fn settle<X: Vector, const V: usize>(&self, column: usize, sums: &[[[X; SIDE]; R]; V]) {
        let column = column.wrapping_sub(self.pad);
        if column >= self.width {
            return;
        }
        for y in 0..R {
            if self.rows[y].is_null() {
                continue;
            }
            for v in 0..V {
                // SAFETY: the caller vouches for the instruction set; the place is one of the error's.
                unsafe {
                    let to = self.rows[y].add(v * self.plane + column * LANES);
                    let sum = sums[v][y][0];
                    if self.fresh[y] { sum } else { X::load(to).add(sum) }.store(to);
                }
            }
        }
    }
}
