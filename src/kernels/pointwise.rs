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

use serde::{Deserialize, Serialize};

use super::isa::Isa;
use super::layout::{LANES, Layout};
use super::packet::PacketLayout;
use super::simd::{Kernel, Vector};
use super::tasks::{self, Batch};
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
/// Winners are `[sample][block][row][column][16]` of the pooled map, without halo: for each value of a max pool, the
/// place `row * size + column` of the largest drive within its window. The activity's halo is left alone.
pub fn fire(isa: Isa, drive: &[f32], drive_layout: Layout, firing: Firing<'_>) {
    let samples = drive.len() / drive_layout.sample();
    assert_eq!(drive.len(), samples * drive_layout.sample(), "drive of {samples} samples");
    firing.check(drive_layout, samples);
    tasks::for_each(Fire { drive, drive_layout, firing }, 1, &|fire| isa.compute(fire));
}

/// The same within one task.
pub(super) fn fire_here(isa: Isa, drive: &[f32], drive_layout: Layout, firing: Firing<'_>) {
    isa.compute(Fire { drive, drive_layout, firing });
}

/// Turns a batch of errors at the activity of a population into packets at its drive: error x gain, sent to the
/// winner of each window of a max pool or spread over each window of a mean pool. The gain is computed from the
/// activity alone.
///
/// Places that no window covers get zero; the packet's halo is left alone.
pub fn gate(isa: Isa, error: &[f32], error_layout: Layout, gating: Gating<'_>) {
    let samples = error.len() / error_layout.sample();
    assert_eq!(error.len(), samples * error_layout.sample(), "error of {samples} samples");
    gating.check(error_layout, samples);
    tasks::for_each(Gate { error, error_layout, gating }, 1, &|gate| isa.compute(gate));
}

/// The same within one task.
pub(super) fn gate_here(isa: Isa, error: &[f32], error_layout: Layout, gating: Gating<'_>) {
    isa.compute(Gate { error, error_layout, gating });
}

/// Bytes of the winners of one sample: they lie like an activity without a halo.
fn winners_of(pool: Pool, activity: Layout) -> usize {
    if matches!(pool, Pool::Max(_)) { Layout { halo: 0, ..activity }.sample() } else { 0 }
}

/// Refuses layouts that a pool does not connect.
fn check_pool(pool: Pool, drive: Layout, activity: Layout) {
    let size = pool.size();
    assert!(size > 0, "a pool's window has a side");
    assert!(!matches!(pool, Pool::Max(size) if size > LARGEST_WINDOW), "a window of {size} is too large");
    let pooled = Shape::new(drive.shape.channels, drive.shape.height / size, drive.shape.width / size);
    assert_eq!(activity.shape, pooled, "{pool:?} of {}", drive.shape);
    assert!(drive.lanes == LANES && activity.lanes == LANES, "populations that fire have whole vectors");
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
    pub(super) fn check(&self, drive: Layout, samples: usize) {
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

    /// The first `samples` and the others.
    pub(super) fn split_at(self, samples: usize) -> (Firing<'a>, Firing<'a>) {
        let window = self.window();
        let (activity, others) = self.activity.split_at_mut(samples * self.layout.sample());
        let (winners, other_winners) = self.winners.split_at_mut(samples * window);
        let Firing { pool, transfer, layout, .. } = self;
        let of = |activity, winners| Firing { pool, transfer, activity, layout, winners };
        (of(activity, winners), of(others, other_winners))
    }

    /// Fires what depends on `rows` whole rows of one block's drive from row `top` on, a multiple of the window's side.
    ///
    /// # Safety
    /// The processor has the instruction set of `X`; the rows lie at `drive`, `line` floats apart.
    #[inline(always)]
    pub(super) unsafe fn rows<X: Vector>(
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

/// Drives of a batch that are there already.
struct Fire<'a> {
    drive: &'a [f32],
    drive_layout: Layout,
    firing: Firing<'a>,
}

impl Batch for Fire<'_> {
    fn samples(&self) -> usize {
        self.drive.len() / self.drive_layout.sample()
    }

    fn split_at(self, samples: usize) -> (Self, Self) {
        let (drive, others) = self.drive.split_at(samples * self.drive_layout.sample());
        let (firing, rest) = self.firing.split_at(samples);
        let drive_layout = self.drive_layout;
        (Fire { drive, drive_layout, firing }, Fire { drive: others, drive_layout, firing: rest })
    }
}

impl Kernel for Fire<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(mut self) {
        let layout = self.drive_layout;
        for sample in 0..self.samples() {
            for block in 0..layout.blocks() {
                let drive = &self.drive[sample * layout.sample() + layout.offset(block * LANES, 0, 0)..];
                // SAFETY: the caller vouches for the instruction set; the block's rows lie within the sample.
                unsafe { self.firing.rows::<X>(sample, block, 0, layout.shape.height, drive.as_ptr(), layout.row()) };
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

/// A population whose activity gates errors, over a batch, and the packets that they become.
pub struct Gating<'a> {
    /// Its pool and transfer function.
    pub pool: Pool,
    /// See [`Gating::pool`].
    pub transfer: Transfer,
    /// Its activity, and how it lies.
    pub activity: &'a [f32],
    /// See [`Gating::activity`].
    pub layout: Layout,
    /// The winners that [`fire`] left; empty where its pool has none.
    pub winners: &'a [u8],
    /// What multiplies the errors.
    pub scale: f32,
    /// How the packets lie.
    pub packet_layout: PacketLayout,
    /// See [`Packets`](super::Packets).
    pub packets: &'a mut [f32],
    /// See [`Packets`](super::Packets).
    pub packet_winners: &'a mut [u8],
    /// See [`Packets`](super::Packets).
    pub events: &'a mut [u32],
}

impl<'a> Gating<'a> {
    /// Refuses slices that do not belong to `samples` samples with errors like `error`.
    pub(super) fn check(&self, error: Layout, samples: usize) {
        check_pool(self.pool, self.packet_layout.drive, self.layout);
        assert_eq!(self.layout.shape, error.shape, "an error stands at an activity");
        assert_eq!(self.activity.len(), samples * self.layout.sample(), "activity of {samples} samples");
        assert_eq!(self.events.len(), samples, "events of {samples} samples");
        let (values, winners) = (self.packet_layout.values().sample(), self.packet_layout.winners());
        assert_eq!(self.packets.len(), samples * values, "packets of {samples} samples");
        assert_eq!(self.packet_winners.len(), samples * winners, "winners of {samples} packets");
        let window = self.packet_layout.window;
        assert!(window == 1 || self.pool == Pool::Max(window), "only a max pool's packets are pooled");
        assert_eq!(self.winners.len(), samples * self.window(), "winners of {samples} samples");
    }

    /// Winners of one sample.
    fn window(&self) -> usize {
        winners_of(self.pool, self.layout)
    }

    /// The first `samples` and the others.
    pub(super) fn split_at(self, samples: usize) -> (Gating<'a>, Gating<'a>) {
        let window = self.window();
        let Gating { pool, transfer, layout, scale, packet_layout, .. } = self;
        let (activity, other_activity) = self.activity.split_at(samples * layout.sample());
        let (winners, other_winners) = self.winners.split_at(samples * window);
        let (packets, other_packets) = self.packets.split_at_mut(samples * packet_layout.values().sample());
        let (won, other_won) = self.packet_winners.split_at_mut(samples * packet_layout.winners());
        let (events, other_events) = self.events.split_at_mut(samples);
        let of = |activity, winners, packets, packet_winners, events| Gating {
            pool,
            transfer,
            activity,
            layout,
            winners,
            scale,
            packet_layout,
            packets,
            packet_winners,
            events,
        };
        (
            of(activity, winners, packets, won, events),
            of(other_activity, other_winners, other_packets, other_won, other_events),
        )
    }

    /// Begins to count the events of all samples.
    pub(super) fn begin(&mut self) {
        self.events.fill(0);
    }

    /// Gates `rows` rows of one block's error from row `top` on.
    ///
    /// # Safety
    /// The processor has the instruction set of `X`; the rows lie at `error`, `line` floats apart.
    #[inline(always)]
    pub(super) unsafe fn rows<X: Vector>(
        &mut self,
        sample: usize,
        block: usize,
        top: usize,
        rows: usize,
        error: *const f32,
        line: usize,
    ) {
        let (here, to) = (self.layout, self.packet_layout.values());
        let pooled = self.packet_layout.window > 1;
        let size = if pooled { 1 } else { self.pool.size() };
        let Shape { height, width, .. } = here.shape;
        let window = self.window();
        let activity = &self.activity[sample * here.sample()..(sample + 1) * here.sample()];
        let packet = &mut self.packets[sample * to.sample()..(sample + 1) * to.sample()];
        let mut events = 0;
        for row in top..top + rows {
            let activity = activity[here.offset(block * LANES, row, 0)..].as_ptr();
            let winners = sample * window + (block * height + row) * width * LANES;
            let winners = if self.winners.is_empty() { &[][..] } else { &self.winners[winners..][..width * LANES] };
            let first = to.offset(block * LANES, row * size, 0);
            for column in 0..width {
                // SAFETY: the caller vouches for the instruction set and the error; columns and windows of this row lie
                // within the sample's activity and packet, and winners have one vector of bytes for each.
                unsafe {
                    let activity = X::load(activity.add(column * LANES));
                    let error = X::load(error.add((row - top) * line + column * LANES)).mul(X::splat(self.scale));
                    let gated = transfer::gate(self.transfer, activity, error);
                    let packet = packet.as_mut_ptr().add(first + column * size * LANES);
                    let winner = winners.as_ptr().wrapping_add(column * LANES);
                    events += match self.pool {
                        Pool::Max(2) if !pooled => send(2, gated, winner, packet, to.row()),
                        Pool::Max(size) if !pooled => send(size, gated, winner, packet, to.row()),
                        Pool::Mean(size) => spread(size, gated, packet, to.row()),
                        Pool::None | Pool::Max(_) => {
                            gated.store(packet);
                            gated.nonzeros()
                        }
                    };
                }
            }
            if pooled {
                let first = sample * self.packet_layout.winners() + (block * height + row) * width * LANES;
                self.packet_winners[first..first + width * LANES].copy_from_slice(winners);
            }
            // What no window covers: columns to the right of the last one, rows below.
            let last = if row + 1 == height { to.shape.height } else { (row + 1) * size };
            for row in row * size..last {
                let covered = if row < height * size { width * size } else { 0 };
                let first = to.offset(block * LANES, row, covered);
                packet[first..first + (to.shape.width - covered) * LANES].fill(0.0);
            }
        }
        self.events[sample] += events;
    }
}

/// Errors of a batch that are there already.
struct Gate<'a> {
    error: &'a [f32],
    error_layout: Layout,
    gating: Gating<'a>,
}

impl Batch for Gate<'_> {
    fn samples(&self) -> usize {
        self.error.len() / self.error_layout.sample()
    }

    fn split_at(self, samples: usize) -> (Self, Self) {
        let (error, others) = self.error.split_at(samples * self.error_layout.sample());
        let (gating, rest) = self.gating.split_at(samples);
        let error_layout = self.error_layout;
        (Gate { error, error_layout, gating }, Gate { error: others, error_layout, gating: rest })
    }
}

impl Kernel for Gate<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(mut self) {
        let layout = self.error_layout;
        self.gating.begin();
        for sample in 0..self.samples() {
            for block in 0..layout.blocks() {
                let error = &self.error[sample * layout.sample() + layout.offset(block * LANES, 0, 0)..];
                // SAFETY: the caller vouches for the instruction set; the block's rows lie within the sample.
                unsafe { self.gating.rows::<X>(sample, block, 0, layout.shape.height, error.as_ptr(), layout.row()) };
            }
        }
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
