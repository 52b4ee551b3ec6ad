//! What a locally connected map learns from: for every position a correlation of its own, in which each sample counts
//! once, as if the position were a dense map of its window.
//!
//! Errors of one position lie a sample apart, which is a power of two for many shapes, so they would evict each other
//! from the caches between one register block of afferents and the next. Therefore those of a strip of samples are
//! first gathered side by side: one core of an AMD Zen 5 comes from 110 to 140 GFLOP/s with 32 maps of 16x16, kernel 3,
//! batch 250, where a shared kernel reaches 215. (To gather the windows, too, cost as much as it gained.)

use rayon::prelude::*;

use super::super::afferents::{Afferents, Steps};
use super::super::isa::Isa;
use super::super::layout::{LANES, Layout};
use super::super::packet::{PacketLayout, Packets};
use super::tile::Strips;
use super::{BlockSum, Correlation, PANEL, STRIP, TASKS, check_conv};
use crate::shape::Shape;
use crate::threads::least;

/// The correlation of a population's activity with the error of one that it drives through a locally connected map,
/// compiled once from the geometry. Weights are
/// `[position row][position column][kernel row][kernel column][channel in][channel out]`.
#[derive(Debug, Clone)]
pub struct LocalCorrelation {
    error: Layout,
    /// That of the first position, over gathered errors.
    first: Correlation,
    /// Floats from window to window.
    row: usize,
    column: usize,
}

impl LocalCorrelation {
    /// For the weights of a map with the windows of a convolution, from the activity of its input and the error at
    /// its drive. `input.halo` must be at least `pad`.
    pub fn new(input: Layout, error: Layout, kernel: usize, stride: usize, pad: usize) -> LocalCorrelation {
        check_conv(input, error, kernel, stride, pad);
        let (from, to) = (input.shape.channels, error.shape.channels);
        let afferents = Afferents::window(input, kernel, Steps::local(from, to));
        let first = Correlation {
            from: (input.halo - pad) * (input.row() + input.lanes),
            ..Correlation::over(afferents, input, Layout::new(Shape::flat(to), 0))
        };
        LocalCorrelation { error, first, row: stride * input.row(), column: stride * input.lanes }
    }

    fn positions(&self) -> usize {
        self.error.shape.height * self.error.shape.width
    }

    /// Positions of one task: as many as make [`TASKS`] tasks.
    fn share(&self) -> usize {
        self.positions().div_ceil(TASKS)
    }

    /// Floats that one task needs for gathered errors and a partial change.
    fn desk(&self) -> usize {
        STRIP * self.first.error.sample() + self.first.partial()
    }

    /// Floats of scratch that [`LocalCorrelation::run`] needs, for batches of any size.
    pub fn scratch_len(&self) -> usize {
        self.positions().div_ceil(self.share()) * self.desk()
    }

    /// Multiplications, each with its addition, that the definition asks for one sample.
    pub fn multiply_adds(&self) -> u64 {
        self.positions() as u64 * self.first.multiply_adds()
    }

    /// Adds the correlation over a batch to `change`. Samples without events are not read. `scratch` needs no content
    /// and holds none of use afterwards.
    pub fn run(&self, isa: Isa, input: &[f32], packets: Packets<'_>, scratch: &mut [f32], change: &mut [f32]) {
        let error = packets.values;
        let sample = self.first.input.sample();
        let samples = input.len() / sample;
        let weights = self.first.afferents.len() * self.error.shape.channels;
        assert_eq!(input.len(), samples * sample, "input of a correlation");
        packets.check(PacketLayout::whole(self.error));
        assert_eq!(change.len(), self.positions() * weights, "change of a correlation");
        let used = self.scratch_len();
        assert!(scratch.len() >= used, "scratch of {}, the correlation needs {used}", scratch.len());
        let share = self.share();
        let tasks = change.par_chunks_mut(share * weights).zip(scratch.par_chunks_mut(self.desk()));
        tasks.with_min_len(least()).enumerate().for_each(|(task, (change, desk))| {
            let (gathered, partial) = desk.split_at_mut(STRIP * self.first.error.sample());
            for (index, change) in change.chunks_exact_mut(weights).enumerate() {
                let position = task * share + index;
                let (row, column) = (position / self.error.shape.width, position % self.error.shape.width);
                let place = self.error.offset(0, row, column);
                for start in (0..samples).step_by(STRIP) {
                    let strip = start..samples.min(start + STRIP);
                    let errors = error[start * self.error.sample()..strip.end * self.error.sample()]
                        .chunks_exact(self.error.sample());
                    for (error, gathered) in errors.zip(gathered.chunks_exact_mut(self.first.error.sample())) {
                        for (block, gathered) in gathered.chunks_exact_mut(LANES).enumerate() {
                            gathered.copy_from_slice(&error[block * self.error.plane() + place..][..LANES]);
                        }
                    }
                    // The first position's kernel, on an input that begins so much later.
                    let input = &input[start * sample + row * self.row + column * self.column..];
                    let layout = PacketLayout::whole(self.first.error);
                    let values = &gathered[..strip.len() * self.first.error.sample()];
                    let events = packets.events.get(strip).unwrap_or_default();
                    let packets = Packets { layout, values, winners: &[], events };
                    self.correlate(isa, input, packets, partial, change);
                }
            }
        });
    }

    /// Adds the correlation of one position over a strip of samples to the position's change.
    fn correlate(&self, isa: Isa, input: &[f32], packets: Packets<'_>, partial: &mut [f32], change: &mut [f32]) {
        let (correlation, fan) = (&self.first, self.first.afferents.len());
        for panel in 0..correlation.panels() {
            let first = panel * PANEL;
            let width = PANEL.min(self.error.shape.channels - first);
            for start in (0..fan).step_by(correlation.range) {
                let range = start..fan.min(start + correlation.range);
                let plain = &correlation.afferents.plain[range.clone()];
                let (samples, partial, bench) = (0..packets.samples(), &mut *partial, &mut [][..]);
                isa.compute(Strips { correlation, input, packets, samples, panel, range, partial, bench });
                for (&plain, totals) in plain.iter().zip(partial.chunks_exact(PANEL)) {
                    let change = &mut change[plain as usize + first..][..width];
                    for (change, total) in change.iter_mut().zip(totals) {
                        *change += total;
                    }
                }
            }
        }
    }
}

/// Adds to `change`, `[row][column][channel]`, the sum of the error over samples: what biases of their own at every
/// position learn from. Samples without events are not read.
pub fn sum_over_samples(isa: Isa, packets: Packets<'_>, change: &mut [f32]) {
    let layout = packets.layout.drive;
    packets.check(PacketLayout::whole(layout));
    assert_eq!(layout.lanes, LANES, "errors are whole vectors");
    assert_eq!(change.len(), layout.shape.len(), "one bias a value");
    change.par_chunks_mut(layout.shape.channels).with_min_len(least()).enumerate().for_each(|(position, change)| {
        let (row, column) = (position / layout.shape.width, position % layout.shape.width);
        for (block, change) in change.chunks_mut(LANES).enumerate() {
            let (rows, columns) = (row..row + 1, column..column + 1);
            isa.compute(BlockSum { packets, layout, rows, columns, block, change });
        }
    });
}
