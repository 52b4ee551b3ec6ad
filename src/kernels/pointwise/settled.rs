//! Sums of a batch that are there already, handed row by row to what is made of them.

use super::super::isa::Isa;
use super::super::layout::{LANES, Layout};
use super::super::simd::{Kernel, Vector};
use super::super::tasks::{self, Batch};

/// What becomes of sums: activity or packets, over a batch.
pub(in super::super) trait Fate: Sized + Send {
    /// Before the first row.
    fn begin(&mut self) {}

    /// The first `samples` and the others.
    fn split_at(self, samples: usize) -> (Self, Self);

    /// Takes `rows` rows of one block's sums from row `top` on.
    ///
    /// # Safety
    /// The processor has the instruction set of `X`; the rows lie at `sums`, `line` floats apart.
    unsafe fn rows<X: Vector>(
        &mut self,
        sample: usize,
        block: usize,
        top: usize,
        rows: usize,
        sums: *const f32,
        line: usize,
    );
}

/// The sums, how they lie, and their fate.
pub(super) struct Settled<'a, F> {
    pub sums: &'a [f32],
    pub layout: Layout,
    pub fate: F,
}

impl<F: Fate> Settled<'_, F> {
    /// Goes over the batch on all threads.
    pub(super) fn run(self, isa: Isa) {
        tasks::for_each(self, 1, &|part| isa.compute(part));
    }
}

impl<F: Fate> Batch for Settled<'_, F> {
    fn samples(&self) -> usize {
        self.sums.len() / self.layout.sample()
    }

    fn split_at(self, samples: usize) -> (Self, Self) {
        let (sums, others) = self.sums.split_at(samples * self.layout.sample());
        let (fate, rest) = self.fate.split_at(samples);
        let layout = self.layout;
        (Settled { sums, layout, fate }, Settled { sums: others, layout, fate: rest })
    }
}

impl<F: Fate> Kernel for Settled<'_, F> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(mut self) {
        let layout = self.layout;
        self.fate.begin();
        for sample in 0..self.samples() {
            for block in 0..layout.blocks() {
                let sums = &self.sums[sample * layout.sample() + layout.offset(block * LANES, 0, 0)..];
                // SAFETY: the caller vouches for the instruction set; the block's rows lie within the sample.
                unsafe { self.fate.rows::<X>(sample, block, 0, layout.shape.height, sums.as_ptr(), layout.row()) };
            }
        }
    }
}
