//! 3x3 convolutions by Winograd's F(4x4, 3x3): sixteen outputs for 36 multiplications a pair of channels, where the
//! definition asks for 144.
//!
//! ```text
//!   6x6 inputs of a tile -- transform -->  V[36][tile][channel in]
//!                                             x  U[36][channel in][channel out]   (transformed weights)
//!   4x4 outputs of a tile <- transform --  M[36][tile][channel out]
//! ```
//!
//! The transforms are linear and cost a few additions a value, so what is left is 36 small matrix products. Tiles are
//! 6x6 with a step of 4 and overlap by two; sixteen channels are a vector, as everywhere. A group of tiles, rows of one
//! map or whole maps of several samples, goes through all three stages before the next one starts, so that V and M
//! stay in the L2 cache. Where there are many more channels in than out, V is made for 64 of them at a time and M
//! summed up. A tile's sums run over the channels in one order whatever its group, so batches and threads do not change
//! bits.
//!
//! The way back of such a convolution is one too, with the kernels turned round. Errors of pooled packets are spread out
//! row by row in front of the input transform; and what follows a drive (pool and transfer function) or an error (the
//! gain) is done as soon as a row of tiles is there: neither is ever written to memory.
//!
//! The sum of products is reordered, so results differ from the plain sum's by some 2e-6 of the largest output (f32
//! rounding of plain sums: 5e-7).
//!
//! What was tried, in percent of the speed at which the definition's multiply-adds could run at the peak, on one core
//! of an AMD Zen 5, 50 samples, with shapes 32->32 at 32x32 (B), 32->64 at 16x16 (C), 64->64 at 16x16 (D) and 64->512 at
//! 8x8 (E); plain products reach 90 to 97:
//! * With a pool or transfer function after it B 232, C 250, D 282, E 279; with a drive that goes to memory B 193.
//! * V and M of half the size, or of a third more: the same within noise; of 700 KB: B 165, E 244.
//! * A few samples through all layers before the next ones, so that activity stays in the L3 cache; huge pages: nothing.
//! * V and M of different places are 36 streams whose distance is not a power of two (16 floats more): otherwise they
//!   share one set of the L1 cache.

// In a register block the indices are the formula.
#![allow(clippy::needless_range_loop)]

mod ahead;
mod correlation;
mod gemm;
mod pack;
mod transform;

pub use correlation::WinogradCorrelation;

use rayon::prelude::*;

use self::ahead::{Ahead, Soon};
use self::gemm::Place;
use self::pack::Pack;
use super::flow::{Flow, Input, Outcome, Sum};
use super::isa::Isa;
use super::layout::{LANES, Layout};
use super::packet::{PacketLayout, Packets};
use super::pointwise::Pool;
use super::product::check_conv;
use super::simd::{Kernel, Vector};
use super::tasks::{self, Batch};

/// Side of a tile's inputs, and of its outputs.
const SIDE: usize = 6;
const TILE: usize = 4;
const PLACES: usize = SIDE * SIDE;

/// Output channels of a panel of weights.
const PANEL: usize = 2 * LANES;

/// Channels in of a slice, where V is made slice by slice.
const SLICE: usize = 64;

/// Floats of V and M of one group of tiles: 512 KB, half of a L2 cache.
const GROUP: usize = 128 * 1024;

/// Rows of tiles in a group, at most.
const ROWS: usize = 48;

/// Tiles of the widest register block.
const BLOCK: usize = 12;

/// Floats added to the distance of places, against aliasing.
const SKEW: usize = 16;

/// A 3x3 convolution with a stride of 1, or its way back, compiled once from its geometry.
#[derive(Debug, Clone)]
pub struct Winograd {
    input: PacketLayout,
    output: Layout,
    /// Zeros before the first row and column of the first window; where negative, rows and columns that none has.
    pad: isize,
    /// Whether kernels are turned round and their channels swapped.
    back: bool,
    /// Rows of tiles and tiles of a row.
    rows: usize,
    columns: usize,
    /// Rows of tiles in a group.
    group: usize,
    /// Blocks of channels in of a slice.
    slice: usize,
    multiply_adds: u64,
}

impl Winograd {
    /// Whether this way pays for a convolution between maps of these shapes: a tile is computed whole, and few
    /// channels do not repay its transforms.
    pub fn suits(input: Layout, output: Layout, kernel: usize, stride: usize) -> bool {
        let shape = output.shape;
        let tiles = shape.height.div_ceil(TILE) * shape.width.div_ceil(TILE);
        let enough = input.lanes == LANES && input.shape.channels.min(shape.channels) >= LANES;
        kernel == 3 && stride == 1 && enough && 2 * tiles * PLACES <= shape.height * shape.width * 9
    }

    /// From the activity of a population to the drive of another. Weights are `[channel out][channel in][3][3]`.
    pub fn conv(input: Layout, drive: Layout, pad: usize) -> Winograd {
        check_conv(input, drive, 3, 1, pad);
        Winograd::between(PacketLayout::whole(input), drive, pad as isize, false)
    }

    /// The way back of the convolution with this padding: from packets at its drive to an error at its input. Takes the
    /// same plain weights.
    pub fn conv_carry(error: PacketLayout, output: Layout, pad: usize) -> Winograd {
        check_conv(Layout { halo: pad, ..output }, error.drive, 3, 1, pad);
        Winograd::between(error, output, 2 - pad as isize, true)
    }

    fn between(input: PacketLayout, output: Layout, pad: isize, back: bool) -> Winograd {
        assert!(input.drive.lanes == LANES && output.lanes == LANES, "tiles have whole vectors");
        let (rows, columns) = (output.shape.height.div_ceil(TILE), output.shape.width.div_ceil(TILE));
        let (blocks_in, blocks_out) = (input.drive.blocks(), output.blocks());
        let whole = blocks_in + PANEL / LANES;
        let sliced = SLICE / LANES + blocks_out;
        let slice = if sliced < whole { SLICE / LANES } else { blocks_in };
        let most = GROUP / (whole.min(sliced) * LANES * PLACES);
        // As many rows of tiles as fit and fill register blocks best.
        let waste = |rows: usize| (rows * columns).next_multiple_of(BLOCK) as f32 / (rows * columns) as f32;
        let fitting = (1..=(most / columns).clamp(1, ROWS)).rev();
        let group = fitting.min_by(|a, b| waste(*a).total_cmp(&waste(*b))).unwrap_or(1);
        let multiply_adds = if back { &input.drive } else { &output }.shape.len() * 9;
        let others = if back { output.shape.channels } else { input.drive.shape.channels };
        let multiply_adds = (multiply_adds * others) as u64;
        Winograd { input, output, pad, back, rows, columns, group, slice, multiply_adds }
    }

    /// Multiplications, each with its addition, that the map's definition asks for one sample.
    pub fn multiply_adds(&self) -> u64 {
        self.multiply_adds
    }

    /// Whether a population with this pool can fire row by row of tiles.
    pub fn fires(pool: Pool) -> bool {
        TILE.is_multiple_of(pool.size())
    }

    fn channels(&self) -> usize {
        self.input.drive.shape.channels
    }

    fn slices(&self) -> usize {
        self.input.drive.blocks().div_ceil(self.slice)
    }

    fn panels(&self) -> usize {
        self.output.blocks().div_ceil(2)
    }

    /// Floats of the packed weights.
    pub fn packed_len(&self) -> usize {
        PLACES * self.channels() * self.output.blocks() * LANES
    }

    /// Transforms plain weights into the order in which [`Winograd::run`] reads them: `[slice][panel][place][channel in]
    /// [channel of the panel]`.
    pub fn pack(&self, isa: Isa, weights: &[f32], packed: &mut [f32]) {
        assert_eq!(packed.len(), self.packed_len(), "packed weights");
        let width = self.output.blocks() * LANES;
        packed.par_chunks_mut(PLACES * self.slice * LANES * width).enumerate().for_each(|(index, packed)| {
            let first = index * self.slice * LANES;
            let channels = (self.slice * LANES).min(self.channels() - first);
            packed.par_chunks_mut(PLACES * channels * PANEL).enumerate().for_each(|(panel, packed)| {
                isa.compute(Pack { map: self, weights, first, channels, panel, packed });
            });
        });
    }

    /// Floats of V, M and a strip of rows.
    fn bench_len(&self) -> usize {
        let tiles = self.padded_tiles();
        let (v, m) = (self.slice * LANES, self.sums_width());
        let strip = (SIDE * (TILE * self.columns + 2) + TILE * TILE * self.columns) * LANES;
        PLACES * (tiles * v + SKEW) + PLACES * (tiles * m + SKEW * self.panels()) + strip
    }

    fn padded_tiles(&self) -> usize {
        (self.group * self.columns).next_multiple_of(BLOCK)
    }

    /// Channels that M holds: all where slices are summed, else a panel.
    fn sums_width(&self) -> usize {
        if self.slices() > 1 { self.panels() * PANEL } else { PANEL }
    }

    /// Applies the map to a batch. `bias` has one value an output channel. A sample without events gets the bias alone.
    pub fn run(&self, isa: Isa, packed: &[f32], input: Input<'_>, bias: Option<&[f32]>, outcome: Outcome<'_>) {
        assert_eq!(packed.len(), self.packed_len(), "packed weights");
        assert!(bias.is_none_or(|bias| bias.len() == self.output.shape.channels), "one bias a channel");
        let flow = Flow::new(input, self.input, outcome, self.output);
        let task = tasks::share(flow.samples(), 1, usize::MAX);
        tasks::for_each(flow, task, &|flow| {
            tasks::with_bench(self.bench_len(), |bench| isa.compute(Groups { map: self, packed, bias, flow, bench }));
        });
    }
}

/// One task: some samples, and a workspace.
struct Groups<'a> {
    map: &'a Winograd,
    packed: &'a [f32],
    bias: Option<&'a [f32]>,
    flow: Flow<'a>,
    bench: &'a mut [f32],
}

/// A row of tiles.
type Row = (usize, usize);

impl Kernel for Groups<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(mut self) {
        if let Outcome::Gated(gating) = &mut self.flow.outcome {
            gating.begin();
        }
        for sample in 0..self.flow.samples() {
            if self.flow.input.is_quiet(sample) {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { self.rest::<X>(sample) };
            }
        }
        let (mut group, mut next) = ([(0, 0); ROWS], [(0, 0); ROWS]);
        let mut after = (0, 0);
        let mut count = self.gather(&mut group, &mut after);
        while count > 0 {
            let following = self.gather(&mut next, &mut after);
            // SAFETY: as above.
            unsafe { self.group::<X>(&group[..count], &next[..following]) };
            (group, count) = (next, following);
        }
    }
}

impl Groups<'_> {
    /// A sample without events: sums of nothing, and the bias.
    #[inline(always)]
    unsafe fn rest<X: Vector>(&mut self, sample: usize) {
        let map = self.map;
        let layout = map.output;
        match &mut self.flow.outcome {
            Outcome::Sums(Sum::Add, _) if self.bias.is_none() => {}
            Outcome::Sums(Sum::Replace, sums) if self.bias.is_none() => {
                let sums = &mut sums[sample * layout.sample()..(sample + 1) * layout.sample()];
                layout.rows().for_each(|row| sums[row].fill(0.0));
            }
            _ => {
                // All 36 products of a tile are the same zeros.
                let (zeros, strip) = self.bench.split_at_mut(map.columns * PANEL);
                zeros.fill(0.0);
                let (zeros, strip) = (zeros.as_ptr(), strip.as_mut_ptr());
                for block in 0..layout.blocks() {
                    for row in 0..map.rows {
                        // SAFETY: the caller vouches for the instruction set; V, which is not in use here, is larger
                        // than the zeros, so what follows them has room for a strip.
                        unsafe { self.finish_row::<X>((sample, row), block, zeros, 0, strip) };
                    }
                }
            }
        }
    }

    /// The next group's rows from `after` on, which moves behind them; samples without events have none.
    fn gather(&self, group: &mut [Row; ROWS], after: &mut Row) -> usize {
        let mut count = 0;
        while count < self.map.group && after.0 < self.flow.samples() {
            if self.flow.input.is_quiet(after.0) {
                *after = (after.0 + 1, 0);
                continue;
            }
            group[count] = *after;
            count += 1;
            *after = if after.1 + 1 < self.map.rows { (after.0, after.1 + 1) } else { (after.0 + 1, 0) };
        }
        count
    }

    /// All three stages for a group of rows of tiles, while what the next one reads is fetched.
    #[inline(always)]
    unsafe fn group<X: Vector>(&mut self, group: &[Row], next: &[Row]) {
        let map = self.map;
        let (tiles, padded) = (group.len() * map.columns, map.padded_tiles());
        let (v_step, slices) = (map.slice * LANES, map.slices());
        let (v_place, m_place) = (padded * v_step + SKEW, padded * PANEL + SKEW);
        let bench = self.bench.as_mut_ptr();
        // SAFETY: the bench has room for V, M and the strips, in this order; packed weights and tiles are those of the
        // map's geometry.
        unsafe {
            let values = bench;
            let sums = values.add(PLACES * v_place);
            let strip = sums.add(PLACES * m_place * (map.sums_width() / PANEL));
            let mut packed = self.packed.as_ptr();
            for slice in 0..slices {
                let first = slice * map.slice;
                let blocks = map.slice.min(map.input.drive.blocks() - first);
                let channels = (blocks * LANES).min(map.channels() - first * LANES);
                for (index, &row) in group.iter().enumerate() {
                    for block in 0..blocks {
                        let to = values.add(index * map.columns * v_step + block * LANES);
                        self.transform_row::<X>(row, first + block, strip, to, v_step, v_place);
                    }
                }
                let times = PLACES * tiles.div_ceil(BLOCK);
                let last = slice + 1 == slices;
                let (tiles_after, first_after) = if last { (next, 0) } else { (group, first + blocks) };
                let mut soon = Soon {
                    input: self.input_of(tiles_after, first_after, times * map.panels()),
                    outcome: Ahead::none(map.output),
                    activity: Ahead::none(map.output),
                };
                for panel in 0..map.panels() {
                    let width = 2.min(map.output.blocks() - 2 * panel) * LANES;
                    if last {
                        (soon.outcome, soon.activity) = self.outcome_of(group, panel, times);
                    }
                    let sums = if slices > 1 { sums.add(panel * PLACES * m_place) } else { sums };
                    for place in 0..PLACES {
                        let weights = packed;
                        packed = packed.add(channels * width);
                        let product = Place {
                            values: values.add(place * v_place),
                            values_step: v_step,
                            term_step: 1,
                            weights,
                            weights_step: width,
                            terms: channels,
                            sums: sums.add(place * m_place),
                            sums_step: PANEL,
                            continues: slice > 0,
                        };
                        if X::BLOCKS == 2 && width == PANEL {
                            product.multiply::<X, 2>(tiles, packed, &mut soon);
                        } else {
                            product.multiply::<X, 1>(tiles, packed, &mut soon);
                            if width == PANEL {
                                product.beside().multiply::<X, 1>(tiles, packed, &mut soon);
                            }
                        }
                    }
                    if last {
                        for block in 0..width / LANES {
                            for (index, &row) in group.iter().enumerate() {
                                let sums = sums.add(index * map.columns * PANEL + block * LANES);
                                self.finish_row::<X>(row, 2 * panel + block, sums, m_place, strip);
                            }
                        }
                    }
                }
            }
        }
    }

    /// What rows of tiles read of a slice of channels from block `first` on, to be fetched in `times` parts.
    fn input_of<'b>(&self, tiles: &'b [Row], first: usize, times: usize) -> Ahead<'b> {
        let map = self.map;
        let layout = map.input.values();
        let values = match self.flow.input {
            Input::Values(values) => values,
            Input::Packets(packets) => packets.values,
        };
        let blocks = first..layout.blocks().min(first + map.slice);
        // Of a tile's six rows of pixels those that no tile above it reads; a window's row of values stands for all of
        // its pixels.
        let rows = if map.input.window == 1 { (2 - map.pad, TILE) } else { (0, TILE.div_ceil(map.input.window)) };
        Ahead::new((values.as_ptr(), layout), tiles, blocks, rows, times)
    }

    /// Where the outcome of rows of tiles goes for a panel, and the activity that gates it, each to be fetched in
    /// `times` parts.
    fn outcome_of<'b>(&self, tiles: &'b [Row], panel: usize, times: usize) -> (Ahead<'b>, Ahead<'b>) {
        let output = self.map.output;
        let blocks = 2 * panel..output.blocks().min(2 * panel + 2);
        let ahead = |values: &[f32], layout, height| {
            Ahead::new((values.as_ptr(), layout), tiles, blocks.clone(), (0, height), times)
        };
        match &self.flow.outcome {
            Outcome::Sums(_, sums) => (ahead(sums, output, TILE), Ahead::none(output)),
            Outcome::Fired(firing) => {
                (ahead(firing.activity, firing.layout, TILE / firing.pool.size()), Ahead::none(output))
            }
            Outcome::Gated(gating) => {
                let packets = gating.packet_layout.values();
                // Packets of a mean pool, or of a max pool that are whole, have a window for each value.
                let side = packets.shape.height.div_ceil(output.shape.height);
                (ahead(gating.packets, packets, TILE * side), ahead(gating.activity, gating.layout, TILE))
            }
        }
    }

    /// Transforms one row of tiles of one block of channels.
    #[inline(always)]
    unsafe fn transform_row<X: Vector>(
        &self,
        (sample, row): Row,
        block: usize,
        strip: *mut f32,
        to: *mut f32,
        step: usize,
        place: usize,
    ) {
        let map = self.map;
        let corner = ((row * TILE) as isize - map.pad, -map.pad);
        let spread = match &self.flow.input {
            Input::Values(values) => Packets::of_values(map.input.drive, values).sample(sample),
            Input::Packets(packets) => packets.sample(sample),
        };
        // SAFETY: the strip has room for six rows of the tiles' pixels.
        unsafe {
            let (from, line) = spread.rows::<X>(block, corner, (SIDE, TILE * map.columns + 2), strip);
            for column in 0..map.columns {
                transform::input::<X>(from.add(column * TILE * LANES), line, to.add(column * step), place);
            }
        }
    }

    /// Transforms the sums of one row of tiles of one block of channels back, and does with them what is to be done.
    #[inline(always)]
    unsafe fn finish_row<X: Vector>(
        &mut self,
        (sample, row): Row,
        block: usize,
        sums: *const f32,
        place: usize,
        strip: *mut f32,
    ) {
        let map = self.map;
        let layout = map.output;
        let mut bias = [0.0; LANES];
        if let Some(values) = self.bias {
            let values = &values[block * LANES..];
            bias.iter_mut().zip(values).for_each(|(lane, value)| *lane = *value);
        }
        let height = TILE.min(layout.shape.height - row * TILE);
        // SAFETY: rows and columns that are written lie within the map, or within the strip.
        unsafe {
            let bias = X::load(bias.as_ptr());
            let (to, line, adds) = match &mut self.flow.outcome {
                Outcome::Sums(sum, values) => {
                    let at = sample * layout.sample() + block * layout.plane() + layout.offset(0, row * TILE, 0);
                    (values.as_mut_ptr().add(at), layout.row(), *sum == Sum::Add)
                }
                Outcome::Fired(_) | Outcome::Gated(_) => (strip, TILE * map.columns * LANES, false),
            };
            for column in 0..map.columns {
                let outputs = transform::output::<X>(sums.add(column * PANEL), place);
                let to = to.add(column * TILE * LANES);
                let width = TILE.min(layout.shape.width - column * TILE);
                for y in 0..TILE {
                    for x in 0..TILE {
                        if y < height && x < width {
                            let to = to.add(y * line + x * LANES);
                            let value = outputs[y][x].add(bias);
                            let value = if adds { X::load(to).add(value) } else { value };
                            value.store(to);
                        }
                    }
                }
            }
            match &mut self.flow.outcome {
                Outcome::Sums(..) => {}
                Outcome::Fired(firing) => firing.rows::<X>(sample, block, row * TILE, height, strip, line),
                Outcome::Gated(gating) => gating.rows::<X>(sample, block, row * TILE, height, strip, line),
            }
        }
    }
}
