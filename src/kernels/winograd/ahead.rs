//! What will be read or written soon, fetched into the caches bit by bit while tiles are multiplied.
//!
//! A group's products live in the L2 cache and hardly touch memory; its input and its outcome come from there and lie
//! in short rows, of which the processor guesses too few by itself. So before each register block of products a few
//! lines are asked for: of what the next group reads, of where this one's outcome goes, and of the activity that gates
//! it.

use std::ops::Range;

use super::super::layout::{LANES, Layout};
use super::super::simd::Vector;
use super::Row;

/// What a group fetches.
pub(super) struct Soon<'a> {
    /// What is transformed next.
    pub input: Ahead<'a>,
    /// Where a panel's outcome goes.
    pub outcome: Ahead<'a>,
    /// The activity that gates it.
    pub activity: Ahead<'a>,
}

impl Soon<'_> {
    /// Fetches a part of everything.
    #[inline(always)]
    pub(super) unsafe fn fetch<X: Vector>(&mut self) {
        // SAFETY: the caller vouches for the instruction set.
        unsafe {
            self.input.read::<X>();
            self.activity.read::<X>();
            self.outcome.write::<X>();
        }
    }
}

/// Values that belong to some rows of tiles.
pub(super) struct Ahead<'a> {
    values: *const f32,
    layout: Layout,
    tiles: &'a [Row],
    /// Blocks of channels.
    blocks: Range<usize>,
    /// The first row of values of the topmost row of tiles, and how many rows each row of tiles has.
    first: isize,
    height: usize,
    /// The next row of values: row of tiles, block, row.
    next: (usize, usize, usize),
    /// The next line of the cache, and those left of its row.
    line: *const f32,
    left: usize,
    /// Lines to fetch at once.
    share: usize,
}

impl<'a> Ahead<'a> {
    /// Of `values`, laid out like `layout`, those of `blocks` and of `height` rows for each row of tiles, from row
    /// `first` on; to be fetched in `times` parts.
    pub(super) fn new(
        (values, layout): (*const f32, Layout),
        tiles: &'a [Row],
        blocks: Range<usize>,
        (first, height): (isize, usize),
        times: usize,
    ) -> Ahead<'a> {
        let lines = tiles.len() * blocks.len() * height * layout.row() / LANES;
        let share = lines.div_ceil(times);
        let next = (0, blocks.start, 0);
        Ahead { values, layout, tiles, blocks, first, height, next, line: values, left: 0, share }
    }

    /// Nothing at all.
    pub(super) fn none(layout: Layout) -> Ahead<'a> {
        Ahead::new((std::ptr::null(), layout), &[], 0..0, (0, 0), 1)
    }

    #[inline(always)]
    fn step(&mut self) -> Option<*const f32> {
        if self.left == 0 {
            let (tiles, block, row) = self.next;
            let &(sample, tile_row) = self.tiles.get(tiles)?;
            let plane = sample * self.layout.sample() + block * self.layout.plane();
            let y = (tile_row * self.height + row + self.layout.halo) as isize + self.first;
            self.line = self.values.wrapping_add(plane).wrapping_offset(y * self.layout.row() as isize);
            self.left = self.layout.row() / LANES;
            self.next = if row + 1 < self.height {
                (tiles, block, row + 1)
            } else if block + 1 < self.blocks.end {
                (tiles, block + 1, 0)
            } else {
                (tiles + 1, self.blocks.start, 0)
            };
        }
        let line = self.line;
        self.line = line.wrapping_add(LANES);
        self.left -= 1;
        Some(line)
    }

    /// Fetches a part, to be read.
    #[inline(always)]
    unsafe fn read<X: Vector>(&mut self) {
        for _ in 0..self.share {
            let Some(line) = self.step() else { return };
            // SAFETY: the caller vouches for the instruction set; a prefetch asks nothing else.
            unsafe { X::prefetch(line) };
        }
    }

    /// Fetches a part, to be written.
    #[inline(always)]
    unsafe fn write<X: Vector>(&mut self) {
        for _ in 0..self.share {
            let Some(line) = self.step() else { return };
            // SAFETY: as in `read`.
            unsafe { X::prefetch_write(line) };
        }
    }
}
