//! How the activity of a population lies in memory.
//!
//! One sample is `[block][halo + height + halo][halo + width + halo][lanes]`: channels are cut into blocks of `lanes`
//! that lie side by side for every pixel, so a pixel of a block is one 64-byte vector, and a border of zeros
//! (the halo) stands in for the padding of the convolutions that read the population: they need no edge case.
//! Lanes beyond the last channel and the halo are zero, always.
//!
//! Input populations with few channels use fewer lanes; only kernels that read one value at a time read those.

use std::ops::Range;

use crate::shape::Shape;

/// Lanes of a block: the f32s of one 64-byte vector and cache line.
pub const LANES: usize = 16;

/// Layout of one sample of a population.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Channels, height and width of the population.
    pub shape: Shape,
    /// Width of the border of zeros around each map.
    pub halo: usize,
    /// Channels side by side in one pixel of a block.
    pub lanes: usize,
}

impl Layout {
    /// The layout of a population that units compute.
    pub const fn new(shape: Shape, halo: usize) -> Self {
        Layout { shape, halo, lanes: LANES }
    }

    /// The layout of an input population: as few lanes (a power of two) as hold its channels.
    pub fn input(shape: Shape, halo: usize) -> Self {
        Layout { shape, halo, lanes: shape.channels.next_power_of_two().min(LANES) }
    }

    /// Blocks of channels.
    pub const fn blocks(self) -> usize {
        self.shape.channels.div_ceil(self.lanes)
    }

    /// Floats from one row of a block to the next.
    pub const fn row(self) -> usize {
        (self.shape.width + 2 * self.halo) * self.lanes
    }

    /// Floats from one block to the next.
    pub const fn plane(self) -> usize {
        (self.shape.height + 2 * self.halo) * self.row()
    }

    /// Floats from one sample to the next, a multiple of [`LANES`].
    pub const fn sample(self) -> usize {
        (self.blocks() * self.plane()).next_multiple_of(LANES)
    }

    /// Where the value of a channel at a row and column stands within its sample.
    pub const fn offset(self, channel: usize, row: usize, column: usize) -> usize {
        (channel / self.lanes) * self.plane()
            + (row + self.halo) * self.row()
            + (column + self.halo) * self.lanes
            + channel % self.lanes
    }

    /// Copies one sample from plain `[channel][row][column]` order; halo and spare lanes are left alone.
    pub fn import(self, plain: &[f32], sample: &mut [f32]) {
        self.visit(|from, to| sample[to] = plain[from]);
    }

    /// Copies one sample to plain `[channel][row][column]` order.
    pub fn export(self, sample: &[f32], plain: &mut [f32]) {
        self.visit(|to, from| plain[to] = sample[from]);
    }

    /// Where the rows of pixels stand within a sample, spare lanes included.
    pub fn rows(self) -> impl Iterator<Item = Range<usize>> {
        (0..self.blocks()).flat_map(move |block| {
            (0..self.shape.height).map(move |row| {
                let first = self.offset(block * self.lanes, row, 0);
                first..first + self.shape.width * self.lanes
            })
        })
    }

    /// Calls `pair(plain, laid_out)` with both offsets of every value.
    pub fn visit(self, mut pair: impl FnMut(usize, usize)) {
        let Shape { channels, height, width } = self.shape;
        for channel in 0..channels {
            for row in 0..height {
                let (plain, laid_out) = ((channel * height + row) * width, self.offset(channel, row, 0));
                for column in 0..width {
                    pair(plain + column, laid_out + column * self.lanes);
                }
            }
        }
    }
}
