//! Firing: from drives to activity, of a whole batch or of the rows that a map has just computed.

use super::super::isa::Isa;
use super::super::layout::{LANES, Layout};
use super::super::simd::Vector;
use super::settled::{Fate, Settled};
use super::{Pool, Transfer, check_pool, transfer, winners_of};

/// Floats from a drive to the one that is fetched while it is compared.
const AHEAD: usize = 64 * LANES;

/// Turns a batch of drives into activity: pool, then transfer function.
///
/// Winners are `[sample][block][row][column][16]` of the pooled map, without halo: for each value of a max pool, the
/// place `row * size + column` of the largest drive within its window. The activity's halo is left alone.
pub fn fire(isa: Isa, drive: &[f32], drive_layout: Layout, firing: Firing<'_>) {
    let samples = drive.len() / drive_layout.sample();
    assert_eq!(drive.len(), samples * drive_layout.sample(), "drive of {samples} samples");
    firing.check(drive_layout, samples);
    Settled { sums: drive, layout: drive_layout, fate: firing }.run(isa);
}

/// The same within one task.
pub(in super::super) fn fire_here(isa: Isa, drive: &[f32], drive_layout: Layout, firing: Firing<'_>) {
    isa.compute(Settled { sums: drive, layout: drive_layout, fate: firing });
}

/// A population that fires while its drive is computed, over a batch.
pub struct Firing<'a> {
    /// Its pool and transfer function.
    pub pool: Pool,
    /// See [`Firing::pool`].
    pub transfer: Transfer,
    /// Its activity, and how it lies.
    pub activity: &'a mut [f32],
    /// See [`Firing::activity`].
    pub layout: Layout,
    /// Winners of its windows, as [`fire`] leaves them; empty where its pool has none.
    pub winners: &'a mut [u8],
}

impl<'a> Firing<'a> {
    /// Refuses slices that do not belong to `samples` samples with drives like `drive`.
    pub(in super::super) fn check(&self, drive: Layout, samples: usize) {
        check_pool(self.pool, drive, self.layout);
        assert_eq!(self.activity.len(), samples * self.layout.sample(), "activity of {samples} samples");
        assert_eq!(self.winners.len(), samples * self.window(), "winners of {samples} samples");
    }

    /// Winners of one sample.
    fn window(&self) -> usize {
        winners_of(self.pool, self.layout)
    }

    fn row_len(&self) -> usize {
        self.layout.shape.width * LANES
    }
}

impl Fate for Firing<'_> {
    fn split_at(self, samples: usize) -> (Self, Self) {
        let window = self.window();
        let (activity, others) = self.activity.split_at_mut(samples * self.layout.sample());
        let (winners, other_winners) = self.winners.split_at_mut(samples * window);
        let Firing { pool, transfer, layout, .. } = self;
        let of = |activity, winners| Firing { pool, transfer, activity, layout, winners };
        (of(activity, winners), of(others, other_winners))
    }

    /// Fires what depends on `rows` whole rows of one block's drive from row `top` on, a multiple of the window's side.
    #[inline(always)]
    unsafe fn rows<X: Vector>(
        &mut self,
        sample: usize,
        block: usize,
        top: usize,
        rows: usize,
        drive: *const f32,
        line: usize,
    ) {
        let (size, shape, width) = (self.pool.size(), self.layout.shape, self.row_len());
        for row in 0..rows / size {
            let pooled = top / size + row;
            let target = sample * self.layout.sample() + self.layout.offset(block * LANES, pooled, 0);
            let winners = sample * self.window() + (block * shape.height + pooled) * width;
            let target = &mut self.activity[target..target + width];
            // SAFETY: the caller's; the winners have one vector of bytes for each window, where there are any.
            unsafe {
                let source = drive.add(row * size * line);
                match self.pool {
                    Pool::None => {
                        for (column, pixel) in target.chunks_exact_mut(LANES).enumerate() {
                            let drive = X::load(source.add(column * LANES));
                            transfer::fire(self.transfer, drive).store(pixel.as_mut_ptr());
                        }
                    }
                    // A size known when this is compiled unrolls the window.
                    Pool::Max(2) => {
                        let winners = self.winners[winners..winners + width].as_mut_ptr();
                        largest_of_row::<X>(2, source, line, self.transfer, target, winners);
                    }
                    Pool::Max(size) => {
                        let winners = self.winners[winners..winners + width].as_mut_ptr();
                        largest_of_row::<X>(size, source, line, self.transfer, target, winners);
                    }
                    Pool::Mean(2) => mean_of_row::<X>(2, source, line, self.transfer, target),
                    Pool::Mean(size) => mean_of_row::<X>(size, source, line, self.transfer, target),
                }
            }
        }
    }
}

/// One row of a max pool's activity. Sixteen channels are compared at once; the winner's place is selected by the
/// same mask as its drive and travels as a float until it is stored.
#[inline(always)]
unsafe fn largest_of_row<X: Vector>(
    size: usize,
    drive: *const f32,
    drive_row: usize,
    then: Transfer,
    activity: &mut [f32],
    winners: *mut u8,
) {
    for (column, pixel) in activity.chunks_exact_mut(LANES).enumerate() {
        // SAFETY: the caller vouches for the instruction set, the windows and the winners.
        unsafe {
            let window = drive.add(column * size * LANES);
            let mut largest = X::load(window);
            let mut winner = X::splat(0.0);
            for y in 0..size {
                for x in 0..size {
                    let place = window.add(y * drive_row + x * LANES);
                    X::prefetch(place.wrapping_add(AHEAD));
                    let value = X::load(place);
                    let larger = value.greater(largest);
                    largest = value.select(larger, largest);
                    winner = X::splat((y * size + x) as f32).select(larger, winner);
                }
            }
            transfer::fire(then, largest).store(pixel.as_mut_ptr());
            winner.store_bytes(winners.add(column * LANES));
        }
    }
}

/// One row of a mean pool's activity.
#[inline(always)]
unsafe fn mean_of_row<X: Vector>(
    size: usize,
    drive: *const f32,
    drive_row: usize,
    then: Transfer,
    activity: &mut [f32],
) {
    for (column, pixel) in activity.chunks_exact_mut(LANES).enumerate() {
        // SAFETY: the caller vouches for the instruction set and the windows.
        unsafe {
            let window = drive.add(column * size * LANES);
            let mut sum = X::splat(0.0);
            for y in 0..size {
                for x in 0..size {
                    sum = sum.add(X::load(window.add(y * drive_row + x * LANES)));
                }
            }
            let mean = sum.mul(X::splat(1.0 / (size * size) as f32));
            transfer::fire(then, mean).store(pixel.as_mut_ptr());
        }
    }
}
