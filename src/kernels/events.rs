//! What kernels share that go event by event: how a batch is cut into tiles, which are listed at once, and how memory
//! that is read soon is fetched while lists go by.

use std::ops::Range;

use super::layout::LANES;
use super::packet::{PacketLayout, Packets};
use super::simd::Vector;

/// How much of a batch is listed at once: so many samples, or so many rows of values of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tiling {
    pub samples: usize,
    pub rows: usize,
    height: usize,
}

/// Some rows of values of some samples.
#[derive(Debug, Clone)]
pub(super) struct Tile {
    pub samples: Range<usize>,
    pub rows: Range<usize>,
    /// The sample and the row at which the next one begins.
    pub after: (usize, usize),
}

impl Tiling {
    /// For packets of this layout: tiles of up to `rows` rows, and of up to `samples` samples where these are whole.
    pub(super) fn new(packets: PacketLayout, rows: usize, samples: usize) -> Tiling {
        let height = packets.values().shape.height;
        let rows = rows.clamp(1, height.max(1));
        Tiling { samples: if rows < height { 1 } else { samples.max(1) }, rows, height }
    }

    /// The first tile of `samples` from `from` on that has an event.
    pub(super) fn next(&self, packets: &Packets<'_>, from: (usize, usize), end: usize) -> Option<Tile> {
        let (mut sample, row) = from;
        while sample < end {
            let samples = sample..end.min(sample + self.samples);
            // Further rows are those of a sample that has one.
            if row > 0 || samples.clone().any(|sample| !packets.is_quiet(sample)) {
                let rows = row..self.height.min(row + self.rows);
                let after = if rows.end < self.height { (sample, rows.end) } else { (samples.end, 0) };
                return Some(Tile { samples, rows, after });
            }
            sample = samples.end;
        }
        None
    }

    /// The values of `blocks` blocks of the tile that begins at `(sample, row)`, to be fetched in `parts` parts.
    pub(super) fn ahead(
        &self,
        packets: &Packets<'_>,
        (sample, row): (usize, usize),
        blocks: Range<usize>,
        parts: usize,
    ) -> Ahead {
        let layout = packets.layout.values();
        let at = sample * layout.sample() + blocks.start * layout.plane() + layout.offset(0, row, 0);
        let start = packets.values.as_ptr().wrapping_add(at);
        if self.rows == self.height {
            Ahead::new(start, blocks.len() * layout.plane(), self.samples, layout.sample(), parts)
        } else {
            Ahead::new(start, self.rows * layout.row(), blocks.len(), layout.plane(), parts)
        }
    }
}

/// Values that will be read soon, fetched bit by bit: stretches of so many lines of the cache.
pub(super) struct Ahead {
    line: *const f32,
    /// Lines left of this stretch, and of each; floats from its end to the next one, and how many are left.
    left: usize,
    lines: usize,
    skip: usize,
    stretches: usize,
    /// Lines to fetch at once.
    share: usize,
}

impl Ahead {
    /// `stretches` of so many floats, which begin `pitch` apart, in `parts` parts.
    pub(super) fn new(start: *const f32, stretch: usize, stretches: usize, pitch: usize, parts: usize) -> Ahead {
        let lines = stretch / LANES;
        let share = (lines * stretches).div_ceil(parts.max(1));
        Ahead { line: start, left: lines, lines, skip: pitch - stretch, stretches: stretches - 1, share }
    }

    /// Fetches a part, if any is left.
    ///
    /// # Safety
    /// The processor has the instruction set of `X`.
    #[inline(always)]
    pub(super) unsafe fn fetch<X: Vector>(&mut self) {
        for _ in 0..self.share {
            if self.left == 0 {
                if self.stretches == 0 {
                    return;
                }
                self.stretches -= 1;
                self.left = self.lines;
                self.line = self.line.wrapping_add(self.skip);
            }
            // SAFETY: a prefetch asks nothing but the instruction set.
            unsafe { X::prefetch(self.line) };
            self.line = self.line.wrapping_add(LANES);
            self.left -= 1;
        }
    }
}
