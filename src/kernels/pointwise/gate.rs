//! Gating: from errors at an activity to packets at the drive, of a whole batch or of the rows that a map has just
//! computed.

use super::super::isa::Isa;
use super::super::layout::{LANES, Layout};
use super::super::packet::PacketLayout;
use super::super::simd::Vector;
use super::settled::{Fate, Settled};
use super::{Pool, Transfer, check_pool, transfer, winners_of};
use crate::shape::Shape;

/// Turns a batch of errors at the activity of a population into packets at its drive: error x gain, sent to the
/// winner of each window of a max pool or spread over each window of a mean pool. The gain is computed from the
/// activity alone.
///
/// Places that no window covers get zero; the packet's halo is left alone.
pub fn gate(isa: Isa, error: &[f32], error_layout: Layout, gating: Gating<'_>) {
    let samples = error.len() / error_layout.sample();
    assert_eq!(error.len(), samples * error_layout.sample(), "error of {samples} samples");
    gating.check(error_layout, samples);
    Settled { sums: error, layout: error_layout, fate: gating }.run(isa);
}

/// The same within one task.
pub(in super::super) fn gate_here(isa: Isa, error: &[f32], error_layout: Layout, gating: Gating<'_>) {
    isa.compute(Settled { sums: error, layout: error_layout, fate: gating });
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
    /// The winners that [`fire`](fn@super::fire) left; empty where its pool has none.
    pub winners: &'a [u8],
    /// What multiplies the errors.
    pub scale: f32,
    /// How the packets lie.
    pub packet_layout: PacketLayout,
    /// See [`Packets`](super::super::Packets).
    pub packets: &'a mut [f32],
    /// See [`Packets`](super::super::Packets).
    pub packet_winners: &'a mut [u8],
    /// See [`Packets`](super::super::Packets).
    pub events: &'a mut [u32],
}

impl<'a> Gating<'a> {
    /// Refuses slices that do not belong to `samples` samples with errors like `error`.
    pub(in super::super) fn check(&self, error: Layout, samples: usize) {
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
}

impl Fate for Gating<'_> {
    fn split_at(self, samples: usize) -> (Self, Self) {
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

    fn begin(&mut self) {
        self.events.fill(0);
    }

    /// Gates `rows` rows of one block's error from row `top` on.
    #[inline(always)]
    unsafe fn rows<X: Vector>(
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
            // SAFETY: the caller vouches for the instruction set and the error; columns and windows of this row lie within
            // the sample's activity and packet, and winners have one vector of bytes for each.
            events += unsafe {
                let row = Row { activity, error: error.add((row - top) * line), width, scale: self.scale };
                let packet = packet.as_mut_ptr().add(first);
                match self.pool {
                    Pool::Max(2) if !pooled => row.send::<X>(2, self.transfer, winners.as_ptr(), packet, to.row()),
                    Pool::Max(size) if !pooled => {
                        row.send::<X>(size, self.transfer, winners.as_ptr(), packet, to.row())
                    }
                    Pool::Mean(size) => row.spread::<X>(size, self.transfer, packet, to.row()),
                    Pool::None | Pool::Max(_) => row.pass::<X>(self.transfer, packet),
                }
            };
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

/// One row of errors and of the activity that gates them.
struct Row {
    activity: *const f32,
    error: *const f32,
    width: usize,
    scale: f32,
}

// What the functions of a row ask for: the processor has the instruction set of `X`, the row's values are there to be
// read, and so are winners, and packets to be written.
impl Row {
    /// The gated errors of a column.
    #[inline(always)]
    unsafe fn gated<X: Vector>(&self, transfer: Transfer, column: usize) -> X {
        // SAFETY: the caller's.
        unsafe {
            let activity = X::load(self.activity.add(column * LANES));
            let error = X::load(self.error.add(column * LANES)).mul(X::splat(self.scale));
            transfer::gate(transfer, activity, error)
        }
    }

    /// To a packet that has a place for each; counts what is not zero.
    #[inline(always)]
    unsafe fn pass<X: Vector>(&self, transfer: Transfer, packet: *mut f32) -> u32 {
        // SAFETY: the caller's.
        unsafe {
            // A transfer function that is known when this is compiled is not asked for again in each column.
            match transfer {
                Transfer::Linear => self.pass_by::<X>(Transfer::Linear, packet),
                Transfer::HardTanh => self.pass_by::<X>(Transfer::HardTanh, packet),
                Transfer::Tanh => self.pass_by::<X>(Transfer::Tanh, packet),
                Transfer::Relu => self.pass_by::<X>(Transfer::Relu, packet),
            }
        }
    }

    #[inline(always)]
    unsafe fn pass_by<X: Vector>(&self, transfer: Transfer, packet: *mut f32) -> u32 {
        let mut events = 0;
        for column in 0..self.width {
            // SAFETY: the caller's.
            unsafe {
                let gated = self.gated::<X>(transfer, column);
                gated.store(packet.add(column * LANES));
                events += gated.nonzeros().count_ones();
            }
        }
        events
    }

    /// To the winners of windows, zero to the others; counts what is not zero.
    #[inline(always)]
    unsafe fn send<X: Vector>(
        &self,
        size: usize,
        transfer: Transfer,
        winners: *const u8,
        packet: *mut f32,
        packet_row: usize,
    ) -> u32 {
        let mut events = 0;
        for column in 0..self.width {
            // SAFETY: the caller's.
            unsafe {
                let gated = self.gated::<X>(transfer, column);
                let winner = X::load_bytes(winners.add(column * LANES));
                let packet = packet.add(column * size * LANES);
                for y in 0..size {
                    for x in 0..size {
                        let here = winner.equal(X::splat((y * size + x) as f32));
                        gated.select(here, X::splat(0.0)).store(packet.add(y * packet_row + x * LANES));
                    }
                }
                events += gated.nonzeros().count_ones();
            }
        }
        events
    }

    /// Evenly over windows; counts what is not zero.
    #[inline(always)]
    unsafe fn spread<X: Vector>(&self, size: usize, transfer: Transfer, packet: *mut f32, packet_row: usize) -> u32 {
        let mut events = 0;
        for column in 0..self.width {
            // SAFETY: the caller's.
            unsafe {
                let share = self.gated::<X>(transfer, column).mul(X::splat(1.0 / (size * size) as f32));
                let packet = packet.add(column * size * LANES);
                for y in 0..size {
                    for x in 0..size {
                        share.store(packet.add(y * packet_row + x * LANES));
                    }
                }
                events += share.nonzeros().count_ones() * (size * size) as u32;
            }
        }
        events
    }
}
