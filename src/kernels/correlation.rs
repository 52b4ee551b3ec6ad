//! What a synapse population learns from: the correlation of presynaptic activity with postsynaptic error,
//!
//! ```text
//! change[o][k] += sum over samples and positions of  error[position][o] * value[corner(position) + offset[k]]
//! ```
//!
//! for the afferents `k` of a convolution's pixel or of a dense unit. It stands apart from the
//! [`Product`](super::Product) because it sums over positions and keeps one sum for every weight, not the other way
//! round.

mod dense;
mod events;
mod local;
mod tile;

pub use events::EventCorrelation;
pub use local::{LocalCorrelation, sum_over_samples};

use std::ops::Range;

use rayon::prelude::*;

use self::dense::Outer;
use self::tile::Strips;
use super::afferents::{Afferents, STRETCH, Steps};
use super::isa::Isa;
use super::layout::{LANES, Layout};
use super::packet::{PacketLayout, Packets};
use super::product::check_conv;
use super::simd::{Kernel, Vector};
use super::tasks;
use crate::threads::least;

/// Output channels of a panel of partial changes.
const PANEL: usize = 2 * LANES;

/// Positions of a strip: their error vectors fill 16 KB, a third of the L1 cache, and stay there while one stretch of
/// afferents after the other is correlated with them.
const STRIP: usize = 128;

/// Afferents of one task at most: their partial change fills 128 KB of the L2 cache.
const RANGE: usize = 1024;

/// Tasks that a batch should be cut into, so that a few threads share it evenly.
pub(super) const TASKS: usize = 16;

/// The correlation of a population's activity with the error of one that it drives, compiled once from the geometry.
#[derive(Debug, Clone)]
pub struct Correlation {
    input: Layout,
    error: Layout,
    /// Side of the windows of the packets.
    window: usize,
    afferents: Afferents,
    /// The members of each stretch of a range of afferents by the places of their plain weights.
    by_place: Vec<u32>,
    rows: usize,
    columns: usize,
    /// Floats into a sample at which the first corner stands, and from corner to corner.
    from: usize,
    from_row: usize,
    from_column: usize,
    /// Samples of a strip, and its rows when one sample has more than a strip.
    strip_samples: usize,
    strip_rows: usize,
    /// Afferents of a task.
    range: usize,
    /// The way of a dense map whose input has whole vectors.
    outer: Option<Outer>,
}

/// Refuses slices that do not belong to packets of this layout, activity of that one and so many weights; says how many
/// samples they have.
pub(super) fn check_run(
    (input, layout): (&[f32], Layout),
    (packets, error): (Packets<'_>, PacketLayout),
    (change, weights): (&[f32], usize),
) -> usize {
    let samples = packets.samples();
    packets.check(error);
    assert_eq!(input.len(), samples * layout.sample(), "input of a correlation");
    assert_eq!(change.len(), weights, "change of a correlation");
    samples
}

impl Correlation {
    /// For the weights `[channel out][channel in][row][column]` of a convolution, from the activity of its input and
    /// the error at its drive. `input.halo` must be at least `pad`.
    pub fn conv(input: Layout, error: PacketLayout, kernel: usize, stride: usize, pad: usize) -> Correlation {
        let PacketLayout { drive: error, window } = error;
        check_conv(input, error, kernel, stride, pad);
        let corner = (input.halo - pad) * (input.row() + input.lanes);
        Correlation {
            window,
            from: corner,
            from_row: stride * input.row(),
            from_column: stride * input.lanes,
            ..Correlation::over(Afferents::window(input, kernel, Steps::conv(kernel)), input, error)
        }
    }

    /// For the weights `[unit][channel][row][column]` of a dense map, from the activity of its input and the error of
    /// its flat output.
    pub fn dense(input: Layout, error: Layout) -> Correlation {
        assert!(error.shape.is_flat(), "a dense map's error is flat, not {}", error.shape);
        let outer = (input.lanes == LANES).then(|| Outer::new(input, error));
        Correlation { outer, ..Correlation::over(Afferents::everything(input, 1), input, error) }
    }

    fn over(afferents: Afferents, input: Layout, error: Layout) -> Correlation {
        assert_eq!(error.lanes, LANES, "a correlation reads whole vectors of errors");
        let (rows, columns) = (error.shape.height, error.shape.width);
        let ranges = afferents.len().div_ceil(RANGE);
        let range = afferents.len().div_ceil(ranges);
        let starts = (0..afferents.len()).step_by(range);
        let by_place =
            starts.flat_map(|first| afferents.by_place(first, afferents.len().min(first + range)).collect::<Vec<_>>());
        Correlation {
            input,
            error,
            window: 1,
            outer: None,
            range,
            by_place: by_place.collect(),
            afferents,
            rows,
            columns,
            from: 0,
            from_row: 0,
            from_column: 0,
            strip_samples: (STRIP / (rows * columns)).max(1),
            strip_rows: (STRIP / columns).clamp(1, rows),
        }
    }

    /// Whether each sample is one position.
    fn is_flat(&self) -> bool {
        self.rows * self.columns == 1
    }

    fn panels(&self) -> usize {
        self.error.shape.channels.div_ceil(PANEL)
    }

    fn ranges(&self) -> usize {
        self.afferents.len().div_ceil(self.range)
    }

    /// Samples whose change is summed by one task: as many as make [`TASKS`] tasks. It depends on shapes and batch
    /// alone, because partial changes are rounded where it cuts.
    fn chunk(&self, samples: usize) -> usize {
        let chunks = TASKS.div_ceil(self.panels() * self.ranges());
        samples.div_ceil(chunks).next_multiple_of(self.strip_samples).max(1)
    }

    /// Floats of partial change of one task.
    fn partial(&self) -> usize {
        self.range * PANEL
    }

    /// Floats of scratch that [`Correlation::run`] needs for batches of up to `samples`; a smaller batch may be cut into
    /// more chunks than a larger one.
    pub fn scratch_len(&self, samples: usize) -> usize {
        if let Some(outer) = &self.outer {
            return outer.scratch_len(samples);
        }
        (1..=samples).map(|samples| self.partials(samples)).max().unwrap_or(0)
    }

    /// Floats of partial change that a batch of just `samples` makes.
    fn partials(&self, samples: usize) -> usize {
        samples.div_ceil(self.chunk(samples)) * self.panels() * self.ranges() * self.partial()
    }

    /// Floats of a strip of errors that are spread out.
    fn strip_len(&self) -> usize {
        self.strip_samples * PANEL * self.strip_rows * self.columns
    }

    /// Multiplications, each with its addition, that the definition asks for one sample.
    pub fn multiply_adds(&self) -> u64 {
        (self.afferents.len() * self.error.shape.len()) as u64
    }

    /// Adds the correlation over a batch to `change`, in the plain order of the weights. Samples without events are not
    /// read. `scratch` needs no content and holds none of use afterwards.
    pub fn run(&self, isa: Isa, input: &[f32], packets: Packets<'_>, scratch: &mut [f32], change: &mut [f32]) {
        let fan = self.afferents.len();
        let layout = PacketLayout { drive: self.error, window: self.window };
        let samples = check_run((input, self.input), (packets, layout), (change, self.error.shape.channels * fan));
        if samples == 0 {
            return;
        }
        let used = self.outer.as_ref().map_or_else(|| self.partials(samples), |outer| outer.scratch_len(samples));
        assert!(scratch.len() >= used, "scratch of {}, the correlation needs {used}", scratch.len());
        if let Some(outer) = &self.outer {
            return outer.run(isa, input, packets, &mut scratch[..used], change);
        }
        let (chunk, partial) = (self.chunk(samples), self.partial());
        // Partial changes lie [panel][range][chunk], so one panel's are one slice.
        let chunks = samples.div_ceil(chunk);
        let scratch = &mut scratch[..used];
        scratch.par_chunks_mut(partial).with_min_len(least()).enumerate().for_each(|(index, partial)| {
            let (place, part) = (index / chunks, index % chunks);
            let (panel, range) = (place / self.ranges(), place % self.ranges());
            let samples = part * chunk..samples.min((part + 1) * chunk);
            let range = range * self.range..fan.min((range + 1) * self.range);
            let pooled = self.window > 1;
            tasks::with_bench(if pooled { self.strip_len() } else { 0 }, |bench| {
                isa.compute(Strips { correlation: self, input, packets, samples, panel, range, partial, bench });
            });
        });
        scratch.par_chunks_mut(chunks * partial).with_min_len(least()).for_each(|parts| {
            let (total, parts) = parts.split_at_mut(partial);
            for part in parts.chunks_exact(partial) {
                for (total, value) in total.iter_mut().zip(part) {
                    *total += value;
                }
            }
        });
        let stride = self.ranges() * chunks * partial;
        change.par_chunks_mut(LANES * fan).with_min_len(least()).enumerate().for_each(|(block, change)| {
            let lane = block * LANES % PANEL;
            let totals = scratch[block * LANES / PANEL * stride..].chunks(chunks * partial);
            let ranges = self.afferents.plain.chunks(self.range).zip(self.by_place.chunks(self.range));
            for ((plain, by_place), totals) in ranges.zip(totals) {
                add_transposed(plain, by_place, &totals[lane..], change, fan);
            }
        });
    }
}

/// Adds changes that lie `[afferent][channel of the panel]` to rows of `fan` weights, one row a channel. It goes over
/// the rows for a stretch of afferents at a time, whose changes stay in the L1 cache, by the places of their weights.
fn add_transposed(plain: &[u32], by_place: &[u32], totals: &[f32], change: &mut [f32], fan: usize) {
    let stretches = plain.chunks(STRETCH).zip(by_place.chunks(STRETCH));
    for ((plain, by_place), totals) in stretches.zip(totals.chunks(STRETCH * PANEL)) {
        for (channel, change) in change.chunks_exact_mut(fan).enumerate() {
            for &member in by_place {
                change[plain[member as usize] as usize] += totals[member as usize * PANEL + channel];
            }
        }
    }
}

/// Adds to `change`, one value a channel, the sum of the error over samples and positions: what a bias learns from.
/// Samples without events are not read.
pub fn sum_over_positions(isa: Isa, packets: Packets<'_>, change: &mut [f32]) {
    // Where in its window an error belongs does not matter here.
    let layout = packets.layout.values();
    packets.check(packets.layout);
    assert_eq!(layout.lanes, LANES, "errors are whole vectors");
    assert_eq!(change.len(), layout.shape.channels, "one bias a channel");
    change.par_chunks_mut(LANES).with_min_len(least()).enumerate().for_each(|(block, change)| {
        let (rows, columns) = (0..layout.shape.height, 0..layout.shape.width);
        isa.compute(BlockSum { packets, layout, rows, columns, block, change });
    });
}

/// The sum over some positions of one block of channels.
struct BlockSum<'a> {
    packets: Packets<'a>,
    layout: Layout,
    rows: Range<usize>,
    columns: Range<usize>,
    block: usize,
    change: &'a mut [f32],
}

impl Kernel for BlockSum<'_> {
    /// Each sample has a sum of its own, so that the error of adding many small values stays small.
    #[inline(always)]
    unsafe fn compute<X: Vector>(self) {
        let layout = self.layout;
        let mut lanes = [0.0; LANES];
        // SAFETY: the caller vouches for the instruction set; each row of the block is in its sample's slice.
        unsafe {
            let mut total = X::splat(0.0);
            for (index, sample) in self.packets.values.chunks_exact(layout.sample()).enumerate() {
                if self.packets.is_quiet(index) {
                    continue;
                }
                let mut sum = X::splat(0.0);
                for row in self.rows.clone() {
                    let start = self.block * layout.plane() + layout.offset(0, row, self.columns.start);
                    let row = &sample[start..start + self.columns.len() * LANES];
                    for pixel in row.chunks_exact(LANES) {
                        sum = sum.add(X::load(pixel.as_ptr()));
                    }
                }
                total = total.add(sum);
            }
            total.store(lanes.as_mut_ptr());
        }
        for (change, lane) in self.change.iter_mut().zip(lanes) {
            *change += lane;
        }
    }
}
