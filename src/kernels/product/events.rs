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
//!   lists, one a place:   (channel, value) (channel, value) ...          x = 0
//!                         (channel, value) ...                          x = 1
//!   sums[2 blocks][3 rows][3 columns]  +=  value x weight[channel][tap]
//!       slide: column 0 is complete and goes to memory, 1 and 2 move up
//! ```
//!
//! Weights are those that the plain product packs: sixteen channels' nine vectors lie together, and of 32 of them they
//! fill 36 KB of the L1 cache while the places of a tile go by. Each event costs nine loads for nine multiply-adds,
//! and each place a branch that nobody can foretell, so this is the way for sparse packets: on one core of an AMD Zen 5,
//! with shapes 32->32 at 32x32 (B), 64->64 at 16x16 (D) and 64->512 at 8x8 (E), it is 1.9, 2.2, 2.1 times as fast as the
//! plain product at a density of 1/4, 2.6, 3.5, 3.2 times at 1/8, 3.4, 4.8, 4.2 times at 1/16; tiles are 2.1 to 3.1
//! times as fast at any.

// In a register block the indices are the formula.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

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

/// Blocks of channels above whose weights are at hand together.
const BLOCKS: usize = 2;

/// Places of a tile: enough to outweigh the reading of weights.
const TILE: usize = 256;

/// Room for the events of one place: for all channels at hand, and for what is written behind the last one.
const ROOM: usize = (BLOCKS + 1) * LANES;

/// The way back of a 3x3 convolution with a stride of 1 for sparse packets. It reads the weights that
/// [`Product::conv_carry`](super::Product::conv_carry) packs.
#[derive(Debug, Clone)]
pub struct EventCarry {
    error: PacketLayout,
    output: Layout,
    pad: usize,
    /// Samples of a tile, and its rows of values where one sample has more than a tile.
    samples: usize,
    rows: usize,
}

impl EventCarry {
    /// The density from which on the plain product is the faster way, and that from which on tiles are.
    pub const DENSEST: f64 = 0.42;
    /// See [`EventCarry::DENSEST`].
    pub const DENSEST_BESIDE_TILES: f64 = 0.12;

    /// Whether there is one for this kernel.
    pub fn suits(kernel: usize, stride: usize) -> bool {
        kernel == SIDE && stride == 1
    }

    /// From packets at the drive of a convolution with this padding to an error at its input.
    pub fn new(error: PacketLayout, output: Layout, pad: usize) -> EventCarry {
        let (values, drive) = (error.values().shape, error.drive.shape);
        let rows = (TILE / (drive.width * error.window)).clamp(1, values.height.max(1));
        let samples = if rows == values.height { (TILE / (drive.height * drive.width)).max(1) } else { 1 };
        EventCarry { error, output, pad, samples, rows }
    }

    /// Carries a batch. `packed` are the plain product's weights.
    pub fn run(&self, isa: Isa, packed: &[f32], packets: Packets<'_>, sum: Sum, sums: &mut [f32]) {
        let flow = Flow::new(Input::Packets(packets), self.error, Outcome::Sums(sum, sums), self.output);
        let places = self.samples * self.rows * self.error.window * self.error.drive.shape.width;
        let task = tasks::share(flow.samples(), self.samples, usize::MAX);
        tasks::for_each(flow, task, &|flow| {
            tasks::with_bench(places * (2 * ROOM + 1), |bench| {
                isa.compute(Places { carry: self, packed, flow, bench });
            });
        });
    }
}

/// One task: some samples.
struct Places<'a> {
    carry: &'a EventCarry,
    packed: &'a [f32],
    flow: Flow<'a>,
    /// Lists of values, of places of weights beside them, and their lengths.
    bench: &'a mut [f32],
}

/// Some rows of values of some samples.
struct Tile {
    samples: Range<usize>,
    rows: Range<usize>,
}

/// The events of one place.
struct List {
    values: *mut f32,
    /// Floats from the first weight at hand to that of each event's channel.
    weights: *mut u32,
    count: *mut u32,
}

/// Weights of some blocks of channels above with some below.
struct Weights {
    start: *const f32,
    /// Floats from tap to tap.
    tap: usize,
}

impl Kernel for Places<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(mut self) {
        let carry = self.carry;
        let (Input::Packets(packets), Outcome::Sums(sum, _)) = (self.flow.input, &self.flow.outcome) else { return };
        if *sum == Sum::Replace {
            self.clear();
        }
        let blocks = carry.error.drive.blocks();
        let height = carry.error.values().shape.height;
        let mut sample = 0;
        while sample < self.flow.samples() {
            let samples = sample..self.flow.samples().min(sample + carry.samples);
            sample = samples.end;
            if samples.clone().all(|sample| packets.is_quiet(sample)) {
                continue;
            }
            for row in (0..height).step_by(carry.rows) {
                let tile = Tile { samples: samples.clone(), rows: row..height.min(row + carry.rows) };
                let mut block = 0;
                while block < blocks {
                    // Of a last block that is not full, taps lie closer together: it goes alone.
                    let full = carry.error.drive.shape.channels / LANES;
                    let at_hand = if block + BLOCKS <= full { BLOCKS } else { 1 };
                    // SAFETY: the caller vouches for the instruction set; the bench has room for the lists of a tile.
                    unsafe {
                        self.list::<X>(packets, &tile, block..block + at_hand);
                        self.panels::<X>(&tile, block);
                    }
                    block += at_hand;
                }
            }
        }
    }
}

impl Places<'_> {
    /// Sums begin at nothing.
    fn clear(&mut self) {
        let layout = self.carry.output;
        if let Outcome::Sums(_, sums) = &mut self.flow.outcome {
            for sample in sums.chunks_exact_mut(layout.sample()) {
                layout.rows().for_each(|row| sample[row].fill(0.0));
            }
        }
    }

    /// Channels of a block of the error.
    fn channels(&self, block: usize) -> usize {
        LANES.min(self.carry.error.drive.shape.channels - block * LANES)
    }

    #[inline(always)]
    fn place(&mut self, place: usize) -> List {
        let places = self.bench.len() / (2 * ROOM + 1);
        let bench = self.bench.as_mut_ptr();
        List {
            values: bench.wrapping_add(place * ROOM),
            weights: bench.wrapping_add((places + place) * ROOM).cast(),
            count: bench.wrapping_add(2 * places * ROOM + place).cast(),
        }
    }

    /// Makes the lists of a tile for the blocks of channels at hand.
    #[inline(always)]
    unsafe fn list<X: Vector>(&mut self, packets: Packets<'_>, tile: &Tile, blocks: Range<usize>) {
        let (error, width) = (self.carry.error, self.carry.error.drive.shape.width);
        let (layout, side) = (error.values(), error.window);
        let rows = tile.samples.len() * tile.rows.len() * side;
        // SAFETY: the caller vouches for the instruction set; a place has room for all channels at hand and a vector
        // more; values and winners are those of the packets.
        unsafe {
            for place in 0..rows * width {
                self.place(place).count.write(0);
            }
            for block in blocks.clone() {
                let mut lanes = [0.0; LANES];
                for lane in 0..LANES {
                    lanes[lane] = ((block - blocks.start) * TAPS * LANES + lane) as f32;
                }
                let lanes = X::load(lanes.as_ptr());
                let mut first = 0;
                for sample in tile.samples.clone() {
                    let quiet = packets.is_quiet(sample);
                    for row in tile.rows.clone() {
                        let at = sample * layout.sample() + block * layout.plane() + layout.offset(0, row, 0);
                        for column in 0..if quiet { 0 } else { layout.shape.width } {
                            let value = X::load(packets.values.as_ptr().add(at + column * LANES));
                            if side == 1 {
                                self.append(first + column, value, lanes);
                                continue;
                            }
                            let winner = X::load_bytes(packets.winners.as_ptr().add(at + column * LANES));
                            for member in 0..side * side {
                                let here = winner.equal(X::splat(member as f32));
                                let place = first + member / side * width + column * side + member % side;
                                self.append(place, value.select(here, X::splat(0.0)), lanes);
                            }
                        }
                        first += side * width;
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn append<X: Vector>(&mut self, place: usize, values: X, lanes: X) {
        let list = self.place(place);
        // SAFETY: the caller's.
        unsafe {
            let count = *list.count as usize;
            let more = values.append(lanes, list.values.add(count), list.weights.add(count));
            list.count.write((count + more) as u32);
        }
    }

    /// Carries what the lists of a tile say to all channels below.
    #[inline(always)]
    unsafe fn panels<X: Vector>(&mut self, tile: &Tile, block: usize) {
        let (channels, output) = (self.carry.error.drive.shape.channels, self.carry.output);
        let mut below = 0;
        while below < output.blocks() {
            let panel = below * LANES / PANEL;
            let width = PANEL.min(output.blocks() * LANES - panel * PANEL);
            let start = panel * PANEL * TAPS * channels + block * LANES * TAPS * width + below * LANES % PANEL;
            let weights =
                Weights { start: self.packed.as_ptr().wrapping_add(start), tap: self.channels(block) * width };
            // SAFETY: the caller's; the panel holds these weights.
            unsafe {
                if X::BLOCKS == 2 && width == PANEL {
                    if weights.tap == LANES * PANEL {
                        self.rows::<X, { LANES * PANEL }, 2>(tile, below, &weights, width);
                    } else {
                        self.rows::<X, 0, 2>(tile, below, &weights, width);
                    }
                    below += 2;
                } else {
                    self.rows::<X, 0, 1>(tile, below, &weights, width);
                    below += 1;
                }
            }
        }
    }

    /// The same to `V` blocks of channels below. `TAP` is the distance of taps where it is known when this is compiled.
    #[inline(always)]
    unsafe fn rows<X: Vector, const TAP: usize, const V: usize>(
        &mut self,
        tile: &Tile,
        below: usize,
        weights: &Weights,
        width: usize,
    ) {
        let carry = self.carry;
        let (shape, side) = (carry.error.drive.shape, carry.error.window);
        let tap_step = if TAP > 0 { TAP } else { weights.tap };
        let mut first = 0;
        for sample in tile.samples.clone() {
            for row in tile.rows.start * side..tile.rows.end * side {
                // SAFETY: the caller vouches for the instruction set, the lists and the weights.
                unsafe {
                    let targets = self.targets(sample, below, row);
                    let mut sums = [[[X::splat(0.0); SIDE]; SIDE]; V];
                    for column in 0..shape.width {
                        let list = self.place(first + column);
                        for event in 0..*list.count as usize {
                            let value = X::splat(*list.values.add(event));
                            let weight = weights.start.add(*list.weights.add(event) as usize * width);
                            for v in 0..V {
                                for y in 0..SIDE {
                                    for x in 0..SIDE {
                                        // Taps are packed in descending order.
                                        let tap = TAPS - 1 - (y * SIDE + x);
                                        let weight = X::load(weight.add(tap * tap_step + v * LANES));
                                        sums[v][y][x] = sums[v][y][x].fma(value, weight);
                                    }
                                }
                            }
                        }
                        settle(&targets, column.wrapping_sub(carry.pad), carry.output, &sums);
                        for v in 0..V {
                            for y in 0..SIDE {
                                sums[v][y] = [sums[v][y][1], sums[v][y][2], X::splat(0.0)];
                            }
                        }
                    }
                    for column in shape.width..shape.width + SIDE - 1 {
                        settle(&targets, column.wrapping_sub(carry.pad), carry.output, &sums);
                        for v in 0..V {
                            for y in 0..SIDE {
                                sums[v][y][0] = sums[v][y][1];
                            }
                        }
                    }
                }
                first += shape.width;
            }
        }
    }

    /// Where the three rows that a row of the drive adds to begin in a block of the error below; null where there is
    /// none.
    #[inline(always)]
    fn targets(&mut self, sample: usize, below: usize, row: usize) -> [*mut f32; SIDE] {
        let (layout, pad) = (self.carry.output, self.carry.pad);
        let mut targets = [std::ptr::null_mut(); SIDE];
        if let Outcome::Sums(_, values) = &mut self.flow.outcome {
            for y in 0..SIDE {
                let row = (row + y).wrapping_sub(pad);
                if row < layout.shape.height {
                    let at = sample * layout.sample() + below * layout.plane() + layout.offset(0, row, 0);
                    targets[y] = values[at..].as_mut_ptr();
                }
            }
        }
        targets
    }
}

/// Adds the first column of the sums to the error below, where it has such a column.
#[inline(always)]
unsafe fn settle<X: Vector, const V: usize>(
    targets: &[*mut f32; SIDE],
    column: usize,
    layout: Layout,
    sums: &[[[X; SIDE]; SIDE]; V],
) {
    if column >= layout.shape.width {
        return;
    }
    for y in 0..SIDE {
        if targets[y].is_null() {
            continue;
        }
        for v in 0..V {
            // SAFETY: the caller vouches for the instruction set; the place is one of the error's.
            unsafe {
                let to = targets[y].add(v * layout.plane() + column * LANES);
                X::load(to).add(sums[v][y][0]).store(to);
            }
        }
    }
}
