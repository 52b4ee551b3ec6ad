//! Errors at the drives of a population, over a batch, as they travel.
//!
//! A max pool sends each error to one place of its window, so three of four places of a drive hold nothing. Such a
//! packet keeps the errors at the resolution of the pooled map and beside each the place of its window that it belongs
//! to: a quarter of the memory, and a list of events is made from it without looking at what is not there. Other
//! packets are as large as the drive. Kernels that need a drive's picture have a few rows of it *spread out* just
//! before they read them.

use std::ops::Range;

use super::isa::Isa;
use super::layout::{LANES, Layout};
use super::simd::{Kernel, Vector};
use crate::shape::Shape;

/// How packets lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PacketLayout {
    /// The layout of the drive that they belong to, with the halo that readers ask for.
    pub drive: Layout,
    /// Side of the windows of which each has one value; 1 where every place of the drive has its own.
    pub window: usize,
}

impl PacketLayout {
    /// Packets as large as the drive.
    pub const fn whole(drive: Layout) -> PacketLayout {
        PacketLayout { drive, window: 1 }
    }

    /// The layout in which the values lie.
    pub const fn values(self) -> Layout {
        let Shape { channels, height, width } = self.drive.shape;
        if self.window == 1 {
            return self.drive;
        }
        Layout::new(Shape::new(channels, height / self.window, width / self.window), 0)
    }

    /// Bytes of one sample that say where in its window each value belongs.
    pub const fn winners(self) -> usize {
        if self.window == 1 { 0 } else { self.values().sample() }
    }

    /// Copies one sample, spread out over the drive, to plain `[channel][row][column]` order.
    pub fn export(self, values: &[f32], winners: &[u8], plain: &mut [f32]) {
        if self.window == 1 {
            return self.drive.export(values, plain);
        }
        let (layout, shape) = (self.values(), self.drive.shape);
        plain.fill(0.0);
        for channel in 0..shape.channels {
            for row in 0..layout.shape.height {
                for column in 0..layout.shape.width {
                    let at = layout.offset(channel, row, column);
                    let (down, right) =
                        (usize::from(winners[at]) / self.window, usize::from(winners[at]) % self.window);
                    let (row, column) = (row * self.window + down, column * self.window + right);
                    plain[(channel * shape.height + row) * shape.width + column] = values[at];
                }
            }
        }
    }
}

/// The packets of a batch.
#[derive(Debug, Clone, Copy)]
pub struct Packets<'a> {
    /// How they lie.
    pub layout: PacketLayout,
    /// The errors.
    pub values: &'a [f32],
    /// For each its place within its window, `row * side + column`; empty where windows have the side 1.
    pub winners: &'a [u8],
    /// Values of each sample that are not 0; empty where nobody counted.
    pub events: &'a [u32],
}

impl<'a> Packets<'a> {
    /// Activities as if they were packets of which nobody counted the events.
    pub fn of_values(layout: Layout, values: &'a [f32]) -> Packets<'a> {
        Packets { layout: PacketLayout::whole(layout), values, winners: &[], events: &[] }
    }

    /// How many samples.
    pub fn samples(&self) -> usize {
        self.values.len() / self.layout.values().sample()
    }

    /// The share of places of a drive that have an event, in samples that have any; 1 where nobody counted.
    pub fn density(&self) -> f64 {
        let active = self.events.iter().filter(|&&events| events > 0).count();
        let events: u64 = self.events.iter().map(|&events| u64::from(events)).sum();
        if self.events.is_empty() {
            1.0
        } else {
            events as f64 / (active * self.layout.drive.shape.len()).max(1) as f64
        }
    }

    /// Whether a sample has no event.
    pub(super) fn is_quiet(&self, sample: usize) -> bool {
        self.events.get(sample) == Some(&0)
    }

    /// How many of some samples have an event; all where nobody counted.
    pub(super) fn heard(&self, samples: Range<usize>) -> usize {
        let heard = |events: &[u32]| events.iter().map(|&events| u32::from(events > 0)).sum::<u32>() as usize;
        self.events.get(samples.clone()).map_or(samples.len(), heard)
    }

    /// Refuses slices that do not belong to one number of samples of this layout.
    pub(super) fn check(&self, layout: PacketLayout) {
        let samples = self.samples();
        assert_eq!(self.layout, layout, "packets of another layout");
        assert_eq!(self.values.len(), samples * layout.values().sample(), "packets of whole samples");
        assert_eq!(self.winners.len(), samples * layout.winners(), "winners of {samples} samples");
        assert!(self.events.is_empty() || self.events.len() == samples, "events of {samples} samples");
    }

    /// The first `samples` and the others.
    pub(super) fn split_at(self, samples: usize) -> (Packets<'a>, Packets<'a>) {
        let (events, other_events) = self.events.split_at(samples.min(self.events.len()));
        let (values, other_values) = self.values.split_at(samples * self.layout.values().sample());
        let (winners, other_winners) = self.winners.split_at(samples * self.layout.winners());
        let first = Packets { values, winners, events, ..self };
        (first, Packets { values: other_values, winners: other_winners, events: other_events, ..self })
    }

    /// One sample's.
    pub(super) fn sample(&self, sample: usize) -> Spread<'a> {
        let (values, winners) = (self.layout.values().sample(), self.layout.winners());
        Spread {
            layout: self.layout,
            values: &self.values[sample * values..(sample + 1) * values],
            winners: &self.winners[sample * winners..(sample + 1) * winners],
        }
    }
}

/// Spreads packets out within one task: `drives` gets samples as [`PacketLayout::drive`] says.
pub(super) fn spread(isa: Isa, packets: Packets<'_>, drives: &mut [f32]) {
    assert_eq!(drives.len(), packets.samples() * packets.layout.drive.sample(), "room for drives");
    isa.compute(SpreadAll { packets, drives });
}

struct SpreadAll<'a> {
    packets: Packets<'a>,
    drives: &'a mut [f32],
}

impl Kernel for SpreadAll<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(self) {
        let drive = self.packets.layout.drive;
        for (sample, to) in self.drives.chunks_exact_mut(drive.sample()).enumerate() {
            if self.packets.is_quiet(sample) {
                continue;
            }
            let spread = self.packets.sample(sample);
            let (rows, columns, halo) =
                (drive.shape.height + 2 * drive.halo, drive.shape.width + 2 * drive.halo, drive.halo as isize);
            for block in 0..drive.blocks() {
                for row in 0..rows {
                    let to = &mut to[block * drive.plane() + row * drive.row()..][..drive.row()];
                    // SAFETY: the caller vouches for the instruction set; the row has room for its pixels.
                    unsafe { spread.row::<X>(block, row as isize - halo, -halo, columns, to.as_mut_ptr()) };
                }
            }
        }
    }
}

/// A packet of one sample, to be spread out.
#[derive(Clone, Copy)]
pub(super) struct Spread<'a> {
    layout: PacketLayout,
    values: &'a [f32],
    winners: &'a [u8],
}

impl Spread<'_> {
    /// Where `height` rows of `width` pixels of a block are to be read, from the row `top` and the column `first` on, and
    /// how many floats apart: as they are stored, if all of them are, else spread out to `strip`.
    ///
    /// # Safety
    /// The processor has the instruction set of `X`; `strip` has room for the pixels.
    #[inline(always)]
    pub(super) unsafe fn rows<X: Vector>(
        &self,
        block: usize,
        (top, first): (isize, isize),
        (height, width): (usize, usize),
        strip: *mut f32,
    ) -> (*const f32, usize) {
        let Layout { shape, halo, .. } = self.layout.drive;
        let stored = |first: isize, count: usize, size: usize| {
            first + halo as isize >= 0 && first + count as isize <= (size + halo) as isize
        };
        if self.layout.window == 1 && stored(top, height, shape.height) && stored(first, width, shape.width) {
            let line = self.layout.drive.row();
            let (y, x) = ((top + halo as isize) as usize, (first + halo as isize) as usize);
            let at = block * self.layout.drive.plane() + y * line + x * LANES;
            return (self.values[at..].as_ptr(), line);
        }
        for y in 0..height {
            // SAFETY: the caller vouches for the instruction set and the strip.
            unsafe { self.row::<X>(block, top + y as isize, first, width, strip.add(y * width * LANES)) };
        }
        (strip, width * LANES)
    }

    /// Writes one row of the drive for a block of channels to `to`, from column `first` on, `columns` pixels; what is
    /// beyond the map is 0.
    ///
    /// # Safety
    /// The processor has the instruction set of `X`; `to` has room for the pixels.
    #[inline(always)]
    pub(super) unsafe fn row<X: Vector>(&self, block: usize, row: isize, first: isize, columns: usize, to: *mut f32) {
        let (stored, side) = (self.layout.values(), self.layout.window);
        // What no whole window covers has no error.
        let (height, width) = (stored.shape.height * side, stored.shape.width * side);
        // SAFETY: windows are those of the map, and pixels are written where the caller has room.
        unsafe {
            let zero = X::splat(0.0);
            let from = ((-first).max(0) as usize).min(columns);
            let until = ((width as isize - first).max(0) as usize).clamp(from, columns);
            let inside = (0..height as isize).contains(&row);
            for column in if inside { 0..from } else { 0..columns } {
                zero.store(to.add(column * LANES));
            }
            if !inside {
                return;
            }
            for column in until..columns {
                zero.store(to.add(column * LANES));
            }
            let row = row as usize;
            let at = block * stored.plane() + stored.offset(0, row / side, 0);
            let values = self.values.as_ptr().add(at);
            if side == 1 {
                for column in from..until {
                    let x = (column as isize + first) as usize;
                    X::load(values.add(x * LANES)).store(to.add(column * LANES));
                }
                return;
            }
            let winners = self.winners.as_ptr().add(at);
            for window in 0..stored.shape.width {
                let value = X::load(values.add(window * LANES));
                let winner = X::load_bytes(winners.add(window * LANES));
                for right in 0..side {
                    let column = (window * side + right) as isize - first;
                    if column >= 0 && (column as usize) < columns {
                        let here = winner.equal(X::splat((row % side * side + right) as f32));
                        value.select(here, zero).store(to.add(column as usize * LANES));
                    }
                }
            }
        }
    }
}
