//! What a population does to its own drive: pooling, then the transfer function; and, on the way back, the gain that
//! gates an error.
//!
//! ```text
//! fire    activity[p] = transfer( max or mean of drive[window p] )          winner[p] = where the max stands
//! gate    packet[window p] = error[p] * gain(activity[p])                   to the winner, or a share to each
//! ```
//!
//! Both read and write each value once, so memory sets their pace and the work is to keep out of its way. Sixteen
//! channels of a pixel are one vector, so a window of any size is compared vector by vector, without a shuffle and
//! without a branch that depends on data; the winner's place is a float that is selected by the same mask as its drive.
//! Windows of 2 are unrolled. Drives of a max pool are fetched 4 KB ahead, since rows of small maps are too short for
//! the hardware to see a stream: 250 samples of 512x8x8 took 2.7 ms on one core and take 1.9.

mod difference;
mod relay;
mod transfer;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::isa::Isa;
use super::layout::{LANES, Layout};
use super::simd::{Kernel, Vector};
use crate::shape::Shape;

pub use difference::difference;
pub use relay::relay;

/// Transfer function of a unit: from (pooled) drive to activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Transfer {
    /// a = d.
    #[default]
    Linear,
    /// a = d, clamped to [-1, 1]; gain 1 strictly inside, 0 outside.
    HardTanh,
    /// a = tanh d; gain 1 - a^2.
    Tanh,
    /// a = max(d, 0); gain 1 where a > 0.
    Relu,
}

/// Pooling of a unit's drive over windows of `size` x `size`, `size` apart; rows and columns that fill no window are
/// dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Pool {
    /// The drive as it is.
    #[default]
    None,
    /// The largest drive of each window, the first one of equals.
    Max(usize),
    /// The mean drive of each window.
    Mean(usize),
}

impl Pool {
    /// Side of a window; 1 without pooling.
    pub const fn size(self) -> usize {
        match self {
            Pool::None => 1,
            Pool::Max(size) | Pool::Mean(size) => size,
        }
    }
}

/// Largest side of a window of [`Pool::Max`]: a winner's place fits a byte.
const LARGEST_WINDOW: usize = 16;

/// Floats from a drive to the one that is fetched while it is compared.
const AHEAD: usize = 64 * LANES;

/// Turns a batch of drives into activity: pool, then transfer function.
///
/// `winners` is `[sample][block][row][column][16]` of the pooled map, without halo: for each value of a max pool, the
/// place `row * size + column` of the largest drive within its window. For other pools it is not looked at. The
/// activity's halo is left alone.
#[allow(clippy::too_many_arguments)]
pub fn fire(
    isa: Isa,
    pool: Pool,
    transfer: Transfer,
    drive: &[f32],
    drive_layout: Layout,
    activity: &mut [f32],
    activity_layout: Layout,
    winners: &mut [u8],
) {
    let samples = drive.len() / drive_layout.sample();
    let pixels = check_pool(pool, drive_layout, activity_layout);
    assert_eq!(drive.len(), samples * drive_layout.sample(), "drive of {samples} samples");
    assert_eq!(activity.len(), samples * activity_layout.sample(), "activity of {samples} samples");
    let drives = drive.par_chunks(drive_layout.sample());
    let activities = activity.par_chunks_mut(activity_layout.sample());
    let sample = |drive, activity, winners| {
        isa.compute(Fire { pool, transfer, drive, drive_layout, activity, activity_layout, winners });
    };
    if matches!(pool, Pool::Max(_)) {
        assert_eq!(winners.len(), samples * pixels * LANES, "winners of {samples} samples");
        let winners = winners.par_chunks_mut(pixels * LANES);
        drives.zip(activities).zip(winners).for_each(|((drive, activity), winners)| sample(drive, activity, winners));
    } else {
        drives.zip(activities).for_each(|(drive, activity)| sample(drive, activity, &mut []));
    }
}

/// Turns a batch of errors at the activity of a population into packets at its drive: error x gain, sent to the
/// winner of each window of a max pool or spread over each window of a mean pool. The gain is computed from the
/// activity alone; `scale` multiplies all. `events` gets the number of values of each packet that are not zero.
///
/// `winners` is what [`fire`] left. Places that no window covers get zero; the packet's halo is left alone.
#[allow(clippy::too_many_arguments)]
pub fn gate(
    isa: Isa,
    pool: Pool,
    transfer: Transfer,
    activity: &[f32],
    activity_layout: Layout,
    winners: &[u8],
    error: &[f32],
    error_layout: Layout,
    scale: f32,
    packet: &mut [f32],
    packet_layout: Layout,
    events: &mut [u32],
) {
    let samples = events.len();
    let pixels = check_pool(pool, packet_layout, activity_layout);
    assert_eq!(activity_layout.shape, error_layout.shape, "an error stands at an activity");
    assert_eq!(activity.len(), samples * activity_layout.sample(), "activity of {samples} samples");
    assert_eq!(error.len(), samples * error_layout.sample(), "error of {samples} samples");
    assert_eq!(packet.len(), samples * packet_layout.sample(), "packet of {samples} samples");
    let window = if matches!(pool, Pool::Max(_)) { pixels * LANES } else { 0 };
    assert!(winners.len() >= samples * window, "winners of {samples} samples");
    let activities = activity.par_chunks(activity_layout.sample());
    let errors = error.par_chunks(error_layout.sample());
    let packets = packet.par_chunks_mut(packet_layout.sample());
    activities.zip(errors).zip(packets).zip(events.par_iter_mut()).enumerate().for_each(
        |(sample, (((activity, error), packet), events))| {
            let winners = &winners[sample * window..(sample + 1) * window];
            isa.compute(Gate {
                pool,
                transfer,
                activity,
                activity_layout,
                winners,
                error,
                error_layout,
                scale,
                packet,
                packet_layout,
                events,
            });
        },
    );
}

/// Refuses layouts that a pool does not connect; gives the vectors of one sample's pooled map.
fn check_pool(pool: Pool, drive: Layout, activity: Layout) -> usize {
    let size = pool.size();
    assert!(size > 0, "a pool's window has a side");
    assert!(!matches!(pool, Pool::Max(size) if size > LARGEST_WINDOW), "a window of {size} is too large");
    let pooled = Shape::new(drive.shape.channels, drive.shape.height / size, drive.shape.width / size);
    assert_eq!(activity.shape, pooled, "{pool:?} of {}", drive.shape);
    assert!(drive.lanes == LANES && activity.lanes == LANES, "populations that fire have whole vectors");
    activity.blocks() * pooled.height * pooled.width
}

/// [`fire`] for one sample.
struct Fire<'a> {
    pool: Pool,
    transfer: Transfer,
    drive: &'a [f32],
    drive_layout: Layout,
    activity: &'a mut [f32],
    activity_layout: Layout,
    winners: &'a mut [u8],
}

impl Kernel for Fire<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(self) {
        let (from, to) = (self.drive_layout, self.activity_layout);
        let mut winners = self.winners.as_mut_ptr();
        for block in 0..to.blocks() {
            for row in 0..to.shape.height {
                let source = &self.drive[from.offset(block * LANES, row * self.pool.size(), 0)..];
                let target = to.offset(block * LANES, row, 0);
                let target = &mut self.activity[target..target + to.shape.width * LANES];
                // SAFETY: the caller vouches for the instruction set. The windows of one row of the pooled map lie
                // within the drive's rows, and the winners have one vector of bytes for each.
                unsafe {
                    match self.pool {
                        Pool::None => {
                            for (column, pixel) in target.chunks_exact_mut(LANES).enumerate() {
                                let drive = X::load(source.as_ptr().add(column * LANES));
                                transfer::fire(self.transfer, drive).store(pixel.as_mut_ptr());
                            }
                        }
                        // A size known when this is compiled unrolls the window.
                        Pool::Max(2) => {
                            largest_of_row::<X>(2, source.as_ptr(), from.row(), self.transfer, target, winners);
                        }
                        Pool::Max(size) => {
                            largest_of_row::<X>(size, source.as_ptr(), from.row(), self.transfer, target, winners);
                        }
                        Pool::Mean(2) => mean_of_row::<X>(2, source.as_ptr(), from.row(), self.transfer, target),
                        Pool::Mean(size) => mean_of_row::<X>(size, source.as_ptr(), from.row(), self.transfer, target),
                    }
                }
                winners = winners.wrapping_add(target.len());
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

/// [`gate`] for one sample.
struct Gate<'a> {
    pool: Pool,
    transfer: Transfer,
    activity: &'a [f32],
    activity_layout: Layout,
    winners: &'a [u8],
    error: &'a [f32],
    error_layout: Layout,
    scale: f32,
    packet: &'a mut [f32],
    packet_layout: Layout,
    events: &'a mut u32,
}

impl Kernel for Gate<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(self) {
        let (here, to, size) = (self.activity_layout, self.packet_layout, self.pool.size());
        let mut winners = self.winners.as_ptr();
        let mut events = 0;
        for block in 0..to.blocks() {
            for row in 0..here.shape.height {
                let activity = self.activity[here.offset(block * LANES, row, 0)..].as_ptr();
                let error = self.error[self.error_layout.offset(block * LANES, row, 0)..].as_ptr();
                let packet = self.packet[to.offset(block * LANES, row * size, 0)..].as_mut_ptr();
                for column in 0..here.shape.width {
                    // SAFETY: the caller vouches for the instruction set; columns and windows of this row lie within
                    // the sample's activity, error and packet, and winners have one vector of bytes for each.
                    unsafe {
                        let activity = X::load(activity.add(column * LANES));
                        let error = X::load(error.add(column * LANES)).mul(X::splat(self.scale));
                        let gated = transfer::gate(self.transfer, activity, error);
                        let packet = packet.add(column * size * LANES);
                        events += match self.pool {
                            Pool::None => {
                                gated.store(packet);
                                gated.nonzeros()
                            }
                            Pool::Max(2) => send(2, gated, winners, packet, to.row()),
                            Pool::Max(size) => send(size, gated, winners, packet, to.row()),
                            Pool::Mean(size) => spread(size, gated, packet, to.row()),
                        };
                    }
                    if !self.winners.is_empty() {
                        winners = winners.wrapping_add(LANES);
                    }
                }
            }
            // What no window covers: columns to the right of the last one, rows below.
            for row in 0..to.shape.height {
                let covered = if row < here.shape.height * size { here.shape.width * size } else { 0 };
                let first = to.offset(block * LANES, row, covered);
                self.packet[first..first + (to.shape.width - covered) * LANES].fill(0.0);
            }
        }
        *self.events = events;
    }
}

/// Sends a value to the winner of its window, zero to the others; counts what is not zero.
#[inline(always)]
unsafe fn send<X: Vector>(size: usize, value: X, winners: *const u8, packet: *mut f32, packet_row: usize) -> u32 {
    // SAFETY: the caller vouches for the instruction set, the winners and the window.
    unsafe {
        let winner = X::load_bytes(winners);
        for y in 0..size {
            for x in 0..size {
                let here = winner.equal(X::splat((y * size + x) as f32));
                value.select(here, X::splat(0.0)).store(packet.add(y * packet_row + x * LANES));
            }
        }
        value.nonzeros()
    }
}

/// Spreads a value evenly over its window; counts what is not zero.
#[inline(always)]
unsafe fn spread<X: Vector>(size: usize, value: X, packet: *mut f32, packet_row: usize) -> u32 {
    // SAFETY: the caller vouches for the instruction set and the window.
    unsafe {
        let share = value.mul(X::splat(1.0 / (size * size) as f32));
        for y in 0..size {
            for x in 0..size {
                share.store(packet.add(y * packet_row + x * LANES));
            }
        }
        share.nonzeros() * (size * size) as u32
    }
}
