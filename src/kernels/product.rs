//! A linear map over a batch: convolution, dense map and locally connected map, forwards (*drive*) and backwards
//! (*carry*), as one product.
//!
//! All are the same sum,
//!
//! ```text
//! output[position][o] (+)= bias[o] + sum over k of  value[corner(position) + offset[k]] * weight[k][o]
//! ```
//!
//! where the offsets are the position's afferents and only the positions differ:
//!
//! | map | positions | k | o |
//! |---|---|---|---|
//! | conv | pixels of the drive, corners `stride` apart | taps x channels in | channels out |
//! | conv carry | pixels of the input, one pass for each class of pixels modulo the stride | taps that meet the class x channels out | channels in |
//! | dense | samples | pixels x channels in | units |
//! | dense carry | samples, one pass for each pixel | units | channels in |
//! | local | samples, one pass for each position | taps x channels in | channels out |
//! | local carry | samples, one pass for each pixel | positions that see it x channels out | channels in |
//!
//! One micro-kernel (`product/tile.rs`) does the arithmetic; this file compiles the geometry into passes.

mod events;
mod local;
mod pack;
mod tile;

pub use events::EventCarry;

use self::tile::Strips;
use super::afferents::{Afferents, Steps};
use super::flow::{Flow, Input, Outcome, Sum};
use super::isa::Isa;
use super::layout::{LANES, Layout};
use super::packet::{self, PacketLayout};
use super::pointwise::{self, Firing, Pool};
use super::tasks::{self, Batch};

/// Output channels of a weight panel: two vectors, what the widest register block computes at once.
const PANEL: usize = 2 * LANES;

/// Afferents of one pass at most: a panel of their weights fills 160 KB, which leaves room in a 1 MB L2 cache.
const PASS: usize = 1280;

/// Floats of input that the samples of one task may read in a pass, so that they stay in the L2 cache while one
/// weight panel after the other goes over them.
const TASK: usize = 96 * 1024;

/// Floats of a drive or an error that is not kept, or of packets that are spread out, in one task: 512 KB.
const BENCH: usize = 128 * 1024;

/// Positions of the widest register block: where positions are samples, tasks are made of so many.
const TILE: usize = 10;

/// A linear map between two populations, compiled once from its geometry and run over batches.
#[derive(Debug, Clone)]
pub struct Product {
    input: Layout,
    /// Side of the windows of packets that are its input.
    window: usize,
    output: Layout,
    afferents: Afferents,
    /// The members of each stretch of a pass's afferents by the places of their plain weights.
    by_place: Vec<u32>,
    passes: Vec<Pass>,
    /// Afferents of all passes together, those that share a list counted once for each pass: rows of a weight panel.
    rows: usize,
    /// How many biases there are: one a channel unless positions have their own.
    biases: usize,
    /// Floats between the plain weights of neighbouring output channels.
    plain_step: usize,
    /// Samples of one task, and what their number must be a multiple of to fill register blocks.
    task: usize,
    multiple: usize,
    multiply_adds: u64,
}

/// A grid of positions of every sample that hear the same afferents.
#[derive(Debug, Clone, Default)]
struct Pass {
    /// The afferents, a range of [`Product::afferents`].
    first: usize,
    last: usize,
    /// Where the weights stand: rows into the panel, and what to add to the afferents' plain places.
    panel_row: usize,
    plain: usize,
    /// The first bias.
    bias: usize,
    /// Whether an earlier pass has begun the sums of these positions.
    continues: bool,
    rows: usize,
    columns: usize,
    /// Floats into the input's sample at which the first corner stands, and from corner to corner.
    from: usize,
    from_row: usize,
    from_column: usize,
    /// The same for the block of the output.
    to: usize,
    to_row: usize,
    to_column: usize,
}

impl Pass {
    /// Whether another pass goes over the same positions of the input with the same biases, and differs in weights and
    /// target alone.
    fn is_beside(&self, other: &Pass) -> bool {
        let of = |pass: &Pass| (pass.first, pass.last, pass.bias, pass.rows, pass.columns, pass.from);
        of(self) == of(other) && !self.continues && !other.continues
    }
}

impl Product {
    /// A convolution, from the activity of a population to the drive of another. Weights are
    /// `[channel out][channel in][row][column]`; `input.halo` must be at least `pad`.
    pub fn conv(input: Layout, drive: Layout, kernel: usize, stride: usize, pad: usize) -> Product {
        check_conv(input, drive, kernel, stride, pad);
        let mut product = Product::empty(input, drive, input.shape.channels * kernel * kernel);
        let corner = input.halo - pad;
        product.push(
            Afferents::window(input, kernel, Steps::conv(kernel)),
            Pass {
                rows: drive.shape.height,
                columns: drive.shape.width,
                from: corner * (input.row() + input.lanes),
                from_row: stride * input.row(),
                from_column: stride * input.lanes,
                to: drive.offset(0, 0, 0),
                to_row: drive.row(),
                to_column: drive.lanes,
                ..Pass::default()
            },
        );
        product.multiply_adds = product.plain_len() * (drive.shape.height * drive.shape.width) as u64;
        product.settle()
    }

    /// The way back of the convolution with this kernel, stride and padding: from an error at the resolution of its
    /// drive to an error at the resolution of its input. Takes the same plain weights; `error.halo` must be at
    /// least [`Product::carry_halo`].
    pub fn conv_carry(error: PacketLayout, output: Layout, kernel: usize, stride: usize, pad: usize) -> Product {
        let PacketLayout { drive: error, window } = error;
        check_conv(Layout { halo: pad, ..output }, error, kernel, stride, pad);
        let halo = Product::carry_halo(kernel, stride, pad);
        assert!(error.halo >= halo, "the error has a halo of {}, the carry reads {halo}", error.halo);
        let fan = output.shape.channels * kernel * kernel;
        let mut product = Product::empty(error, output, kernel * kernel);
        for row in 0..stride.min(output.shape.height) {
            for column in 0..stride.min(output.shape.width) {
                product.push(
                    Afferents::answers(error, kernel, stride, pad, fan, (row, column)),
                    Pass {
                        rows: (output.shape.height - row).div_ceil(stride),
                        columns: (output.shape.width - column).div_ceil(stride),
                        from_row: error.row(),
                        from_column: error.lanes,
                        to: output.offset(0, row, column),
                        to_row: stride * output.row(),
                        to_column: stride * output.lanes,
                        ..Pass::default()
                    },
                );
            }
        }
        product.window = window;
        product.multiply_adds = (fan * error.shape.channels) as u64 * (error.shape.height * error.shape.width) as u64;
        product.settle()
    }

    /// The halo that [`Product::conv_carry`] reads around the error.
    pub fn carry_halo(kernel: usize, stride: usize, pad: usize) -> usize {
        (kernel - 1).saturating_sub(pad).div_ceil(stride)
    }

    /// A dense map onto a flat population. Weights are `[unit][channel][row][column]` of the input.
    pub fn dense(input: Layout, drive: Layout) -> Product {
        assert!(drive.shape.is_flat(), "a dense map drives a flat population, not {}", drive.shape);
        let mut product = Product::empty(input, drive, input.shape.len());
        product.push(
            Afferents::everything(input, 1),
            Pass { to: drive.offset(0, 0, 0), rows: 1, columns: 1, ..Pass::default() },
        );
        product.multiply_adds = product.plain_len();
        product.multiple = TILE;
        product.settle()
    }

    /// The way back of a dense map: from the error of a flat population to that of its input. Takes the same plain
    /// weights.
    pub fn dense_carry(error: Layout, output: Layout) -> Product {
        assert!(error.shape.is_flat(), "a dense map's error is flat, not {}", error.shape);
        let shape = output.shape;
        let mut product = Product::empty(error, output, shape.height * shape.width);
        product.afferents = Afferents::everything(error, shape.len());
        let units = product.afferents.len();
        for row in 0..shape.height {
            for column in 0..shape.width {
                product.push_shared(
                    0..units,
                    Pass {
                        plain: row * shape.width + column,
                        to: output.offset(0, row, column),
                        rows: 1,
                        columns: 1,
                        ..Pass::default()
                    },
                );
            }
        }
        product.multiply_adds = (units * shape.len()) as u64;
        product.multiple = TILE;
        product.settle()
    }

    fn empty(input: Layout, output: Layout, plain_step: usize) -> Product {
        assert_eq!(output.lanes, LANES, "a product writes whole vectors");
        Product {
            input,
            window: 1,
            output,
            afferents: Afferents::default(),
            by_place: Vec::new(),
            passes: Vec::new(),
            rows: 0,
            biases: output.shape.channels,
            plain_step,
            task: 0,
            multiple: 1,
            multiply_adds: 0,
        }
    }

    /// Adds a pass with afferents of its own.
    fn push(&mut self, afferents: Afferents, pass: Pass) {
        let first = self.afferents.len();
        self.afferents.extend(afferents);
        self.push_shared(first..self.afferents.len(), pass);
    }

    /// Adds a pass over listed afferents, cut where its weights outgrow the cache. A pass that hears nothing stays: it
    /// writes what a sum of nothing is.
    fn push_shared(&mut self, afferents: std::ops::Range<usize>, pass: Pass) {
        let mut first = afferents.start;
        loop {
            let last = afferents.end.min(first + PASS);
            let panel_row = self.rows;
            self.rows += last - first;
            self.passes.push(Pass { first, last, panel_row, continues: first > afferents.start, ..pass.clone() });
            first = last;
            if last == afferents.end {
                break;
            }
        }
    }

    /// Chooses how many samples share a task, when all passes are known.
    fn settle(self) -> Product {
        let parts = self.passes.iter().filter(|pass| pass.continues).count() + 1;
        let footprint = self.input.sample() / parts.min(self.passes.len());
        self.settle_for(footprint)
    }

    /// The same where passes near to each other read `footprint` floats of a sample.
    fn settle_for(mut self, footprint: usize) -> Product {
        self.by_place = vec![0; self.afferents.len()];
        for pass in &self.passes {
            let members = self.afferents.by_place(pass.first, pass.last);
            self.by_place[pass.first..pass.last].iter_mut().zip(members).for_each(|(to, member)| *to = member);
        }
        self.task = (TASK / footprint.max(1)).clamp(1, 64).next_multiple_of(self.multiple);
        self
    }

    fn plain_len(&self) -> u64 {
        (self.plain_step * self.output.shape.channels) as u64
    }

    /// Floats of the packed weights.
    pub fn packed_len(&self) -> usize {
        self.rows * self.output.blocks() * LANES
    }

    /// Multiplications, each with its addition, that the map's definition asks for one sample.
    pub fn multiply_adds(&self) -> u64 {
        self.multiply_adds
    }

    /// Whether a drive or an error should be used up at once. Where positions are samples, weights are read once a task,
    /// and tasks of as few samples as leave such sums in the cache would read them too often.
    pub fn is_brief(&self) -> bool {
        self.multiple == 1 || self.output.sample() * self.task <= BENCH
    }

    /// Applies the map to a batch. `bias` has one value an output channel, or one for
    /// each channel of each position of a locally connected map. A sample without events gets the bias alone.
    pub fn run(&self, isa: Isa, packed: &[f32], input: Input<'_>, bias: Option<&[f32]>, outcome: Outcome<'_>) {
        assert_eq!(packed.len(), self.packed_len(), "packed weights");
        assert!(bias.is_none_or(|bias| bias.len() == self.biases), "a map with {} biases", self.biases);
        let from = PacketLayout { drive: self.input, window: self.window };
        let flow = Flow::new(input, from, outcome, self.output);
        // What is spread out, and a drive or error that is used at once, should not leave the cache.
        let spread = if self.window > 1 { self.input.sample() } else { 0 };
        let kept = match &flow.outcome {
            Outcome::Sums(..) => true,
            Outcome::Fired(firing) => self.limits(firing).is_some(),
            Outcome::Gated(_) => false,
        };
        let drive = if kept { 0 } else { self.output.sample() };
        let fitting = (BENCH / (spread + drive).max(1)).max(1).next_multiple_of(self.multiple);
        let task = tasks::share(flow.samples(), self.multiple, self.task.min(fitting));
        tasks::for_each(flow, task, &|flow| {
            let samples = flow.samples();
            tasks::with_bench(samples * (spread + drive), |bench| {
                let (spread, drive) = bench.split_at_mut(samples * spread);
                self.task(isa, packed, bias, flow, spread, drive);
            });
        });
    }

    /// The limits of a population's activity, if that is all between it and sums that are made in one pass: then these
    /// are written where it lies.
    fn limits(&self, firing: &Firing<'_>) -> Option<[f32; 2]> {
        if firing.pool == Pool::None && self.passes.len() == 1 { firing.transfer.limits() } else { None }
    }

    /// The floats to a pass's first target, and from row to row of them, where the output lies in another halo.
    fn moved(&self, pass: &Pass, layout: Layout) -> (usize, usize) {
        let (row, column) = (pass.to / self.output.row(), pass.to % self.output.row() / LANES);
        let (row, column) = (row - self.output.halo, column - self.output.halo);
        (layout.offset(0, row, column), pass.to_row / self.output.row() * layout.row())
    }

    /// One task of [`Product::run`], with room for what is spread out and for a drive or an error that is not kept.
    fn task(
        &self,
        isa: Isa,
        packed: &[f32],
        bias: Option<&[f32]>,
        flow: Flow<'_>,
        spread: &mut [f32],
        drive: &mut [f32],
    ) {
        let (input, events) = match flow.input {
            Input::Values(values) => (values, &[][..]),
            Input::Packets(packets) if self.window == 1 => (packets.values, packets.events),
            Input::Packets(packets) => {
                packet::spread(isa, packets, spread);
                (&*spread, packets.events)
            }
        };
        let compute = |sum, output, layout, limits| {
            isa.compute(Strips { product: self, packed, input, events, bias, sum, output, layout, limits });
        };
        match flow.outcome {
            Outcome::Sums(sum, output) => compute(sum, output, self.output, None),
            Outcome::Fired(firing) => match self.limits(&firing) {
                Some(limits) => compute(Sum::Replace, firing.activity, firing.layout, Some(limits)),
                None => {
                    compute(Sum::Replace, drive, self.output, None);
                    pointwise::fire_here(isa, drive, self.output, firing);
                }
            },
            Outcome::Gated(gating) => {
                compute(Sum::Replace, drive, self.output, None);
                pointwise::gate_here(isa, drive, self.output, gating);
            }
        }
    }
}

/// Refuses layouts that a convolution of this geometry does not connect.
pub(super) fn check_conv(input: Layout, drive: Layout, kernel: usize, stride: usize, pad: usize) {
    assert!(kernel > 0 && stride > 0, "a convolution needs a kernel and a stride");
    assert!(input.halo >= pad, "the input has a halo of {}, the convolution reads {pad}", input.halo);
    for (from, to) in [(input.shape.height, drive.shape.height), (input.shape.width, drive.shape.width)] {
        let room = (from + 2 * pad).checked_sub(kernel);
        let expected = room.map_or(0, |room| room / stride + 1);
        assert_eq!(to, expected, "kernel {kernel}, stride {stride}, padding {pad} on {}", input.shape);
    }
}
