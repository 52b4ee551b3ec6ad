//! What will be read or written soon, fetched into the caches bit by bit while tiles are multiplied.
//!
//! A group's products live in the L2 cache and hardly touch memory; what they are made from and what becomes of them
//! come from there and lie in short rows, of which the processor guesses too few by itself: transforms would wait half
//! of their time. So with each step of a register block a few lines are asked for: of what the next group reads, of where
//! this one's outcome goes, and of the activity that gates it. More at once, and the processor waits for them.

use std::ops::Range;

use super::super::layout::{LANES, Layout};
use super::super::packet::Packets;
use super::super::simd::Vector;
use super::{ROWS, Row, SIDE, TILE};

/// Bytes of a line of the cache.
const LINE: usize = LANES * size_of::<f32>();

/// Rows of tiles that go through all stages together.
pub(super) struct Group {
    rows: [Row; ROWS],
    count: usize,
}

impl Group {
    /// Up to `most` rows of samples that have events, from the row `after` on, which moves behind them, to that of
    /// sample `end`. Each sample has `height`.
    pub(super) fn gather(
        most: usize,
        after: &mut Row,
        (end, height): (usize, usize),
        is_quiet: impl Fn(usize) -> bool,
    ) -> Group {
        let mut group = Group { rows: [(0, 0); ROWS], count: 0 };
        while group.count < most && after.0 < end {
            let (sample, row) = *after;
            if is_quiet(sample) {
                *after = (sample + 1, 0);
                continue;
            }
            group.rows[group.count] = (sample, row);
            group.count += 1;
            *after = if row + 1 < height { (sample, row + 1) } else { (sample + 1, 0) };
        }
        group
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows[..self.count]
    }
}

/// What a group fetches, one after the other.
pub(super) struct Soon<'a, const N: usize> {
    aheads: [Ahead<'a>; N],
    /// Which of them is being fetched.
    at: usize,
    /// Lines of a part.
    share: usize,
}

impl<'a, const N: usize> Soon<'a, N> {
    pub(super) fn new(aheads: [Ahead<'a>; N]) -> Self {
        let share = aheads.iter().map(|ahead| ahead.share).sum();
        Soon { aheads, at: 0, share }
    }

    /// What is left of them.
    pub(super) fn rest(self) -> [Ahead<'a>; N] {
        self.aheads
    }

    /// What is fetched during so many steps.
    #[inline(always)]
    pub(super) fn part(&mut self, steps: usize) -> Part {
        while let Some(ahead) = self.aheads.get_mut(self.at) {
            if let Some(part) = ahead.part(self.share.min(steps)) {
                return part;
            }
            self.at += 1;
        }
        Part::NOTHING
    }
}

/// Lines of the cache one after the other.
#[derive(Clone, Copy)]
pub(super) struct Part {
    line: *const f32,
    lines: usize,
}

impl Part {
    const NOTHING: Part = Part { line: std::ptr::null(), lines: 0 };

    /// Fetches one of them.
    #[inline(always)]
    pub(super) unsafe fn fetch<X: Vector>(&self, step: usize) {
        if step < self.lines {
            // SAFETY: the caller vouches for the instruction set; a prefetch asks nothing else. What is to be written is
            // fetched like what is to be read: no other thread has it.
            unsafe { X::prefetch(self.line.wrapping_add(step * LANES)) };
        }
    }
}

/// Which rows of values belong to a row of tiles.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// How many each has.
    pub each: usize,
    /// Where those of the topmost begin.
    pub first: isize,
    /// How many more that one has above.
    pub above: usize,
}

impl Rows {
    /// What no row of tiles shares with another.
    pub(super) fn apart(each: usize) -> Rows {
        Rows { each, first: 0, above: 0 }
    }

    /// Of the six rows of pixels that a tile reads those that no tile above it reads.
    pub(super) fn overlapping(pad: isize) -> Rows {
        let above = SIDE - TILE;
        Rows { each: TILE, first: above as isize - pad, above }
    }
}

/// Values that belong to some rows of tiles.
pub(super) struct Ahead<'a> {
    values: *const u8,
    /// Bytes of a value.
    size: usize,
    layout: Layout,
    tiles: &'a [Row],
    /// Blocks of channels.
    blocks: Range<usize>,
    rows: Rows,
    /// The next rows of values: of which row of tiles and which block.
    next: (usize, usize),
    /// What is left of those before.
    left: Part,
    /// Lines of a part.
    share: usize,
}

impl<'a> Ahead<'a> {
    /// Nothing at all.
    pub(super) const NOTHING: Ahead<'a> = Ahead {
        values: std::ptr::null(),
        size: 0,
        layout: Layout::new(crate::shape::Shape::flat(1), 0),
        tiles: &[],
        blocks: 0..0,
        rows: Rows { each: 0, first: 0, above: 0 },
        next: (0, 0),
        left: Part::NOTHING,
        share: 0,
    };

    /// Of `values`, laid out like `layout`, those of `blocks` and of these `rows`; to be fetched in `times` parts.
    pub(super) fn new<T>(
        (values, layout): (&[T], Layout),
        tiles: &'a [Row],
        blocks: Range<usize>,
        rows: Rows,
        times: usize,
    ) -> Ahead<'a> {
        if values.is_empty() || tiles.is_empty() {
            return Ahead::NOTHING;
        }
        let (values, size) = (values.as_ptr().cast(), size_of::<T>());
        let ahead = Ahead { values, size, layout, tiles, blocks, rows, ..Ahead::NOTHING };
        let stretches = tiles.len() * ahead.blocks.len();
        let lines = tiles.iter().map(|&(_, row)| ahead.lines(row)).sum::<usize>() * ahead.blocks.len();
        // The last part of each stretch may be small.
        let share = lines.div_ceil(times.saturating_sub(stretches).max(times / 4).max(1));
        Ahead { next: (0, ahead.blocks.start), share, ..ahead }
    }

    /// Packets, and the winners of pooled ones; of whole ones these `rows`.
    pub(super) fn packets(
        packets: &Packets<'_>,
        tiles: &'a [Row],
        blocks: Range<usize>,
        rows: Rows,
        times: usize,
    ) -> [Ahead<'a>; 2] {
        let (layout, window) = (packets.layout.values(), packets.layout.window);
        // A window's row of values stands for all of its pixels.
        let rows = if window == 1 { rows } else { Rows::apart(TILE.div_ceil(window)) };
        [
            Ahead::new((packets.values, layout), tiles, blocks.clone(), rows, times),
            Ahead::new((packets.winners, layout), tiles, blocks, rows, times),
        ]
    }

    /// Lines of the cache of one block for a row of tiles.
    fn lines(&self, row: usize) -> usize {
        let rows = self.rows.each + if row == 0 { self.rows.above } else { 0 };
        (rows * self.layout.row() * self.size).div_ceil(LINE)
    }

    /// The next part, of at most `most` lines.
    #[inline(always)]
    fn part(&mut self, most: usize) -> Option<Part> {
        if self.left.lines == 0 {
            let (index, block) = self.next;
            let &(sample, row) = self.tiles.get(index)?;
            self.next = if block + 1 < self.blocks.end { (index, block + 1) } else { (index + 1, self.blocks.start) };
            let place = sample * self.layout.sample() + block * self.layout.plane();
            let above = if row == 0 { self.rows.above } else { 0 };
            let y = (row * self.rows.each + self.layout.halo) as isize + self.rows.first - above as isize;
            let place = (place as isize + y * self.layout.row() as isize) * self.size as isize;
            self.left = Part { line: self.values.wrapping_offset(place).cast(), lines: self.lines(row) };
        }
        let Part { line, lines } = self.left;
        let part = lines.min(most);
        self.left = Part { line: line.wrapping_add(part * LANES), lines: lines - part };
        Some(Part { line, lines: part })
    }
}
