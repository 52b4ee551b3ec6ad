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
//! * With 250 samples, whose activity comes from memory, B 173, C 177, D 230, E 270; where what is needed soon is fetched
//!   while tiles are multiplied B 228, C 225, D 260, E 295.
//! * V and M of half the size, or of a third more: the same within noise; of 700 KB: B 165, E 244.
//! * A few samples through all layers before the next ones, so that activity stays in the L3 cache; huge pages: nothing.
//! * V and M of different places are 36 streams whose distance is not a power of two (16 floats more): otherwise they
//!   share one set of the L1 cache.

mod ahead;
mod correlation;
mod gemm;
mod groups;
mod pack;
mod transform;

pub use correlation::WinogradCorrelation;

use rayon::prelude::*;

use self::groups::Groups;
use self::pack::Pack;
use super::flow::{Flow, Input, Outcome};
use super::isa::Isa;
use super::layout::{LANES, Layout};
use super::packet::PacketLayout;
use super::pointwise::Pool;
use super::product::check_conv;
use super::tasks::{self, Batch};
use crate::threads::least;

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

/// Tiles of a group at least, for which all weights are read once: with 512 channels in and out these are more than the
/// caches hold, and six tiles, as many as would fit beside, take three times as long as 24.
const LEAST: usize = 2 * BLOCK;

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
        let most = (GROUP / (whole.min(sliced) * LANES * PLACES)).max(LEAST);
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
        let slices = packed.par_chunks_mut(PLACES * self.slice * LANES * width).with_min_len(least());
        slices.enumerate().for_each(|(index, packed)| {
            let first = index * self.slice * LANES;
            let channels = (self.slice * LANES).min(self.channels() - first);
            let panels = packed.par_chunks_mut(PLACES * channels * PANEL).with_min_len(least());
            panels.enumerate().for_each(|(panel, packed)| {
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

/// A row of tiles: a sample, and which of its rows.
type Row = (usize, usize);
