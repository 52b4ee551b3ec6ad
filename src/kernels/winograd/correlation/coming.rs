//! What the next group of tiles will read, fetched while the products of one are computed: without that, transforms
//! would wait for memory half of their time.

use super::super::super::layout::LANES;
use super::super::gemm::Ahead;
use super::super::{PANEL, ROWS, Row, SIDE, TILE};
use super::Task;

/// Some rows of tiles in which there is an error.
pub(super) struct Group {
    rows: [Row; ROWS],
    count: usize,
}

impl Group {
    /// The next of a task, from one on that is counted through the whole batch.
    pub(super) fn gather(task: &Task<'_>, from: &mut usize) -> Group {
        let shape = task.correlation;
        let mut group = Group { rows: [(0, 0); ROWS], count: 0 };
        while group.count < shape.group && *from < task.samples.end * shape.rows {
            let (sample, row) = (*from / shape.rows, *from % shape.rows);
            *from += 1;
            if !task.packets.is_quiet(sample) {
                group.rows[group.count] = (sample, row);
                group.count += 1;
            }
        }
        group
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows[..self.count]
    }
}

/// The lines that a group will read: stretches of rows of activity, errors and winners, in pieces.
pub(super) struct Coming<'a> {
    task: &'a Task<'a>,
    rows: &'a [Row],
    /// Stretches of one row of tiles, and which of all comes next.
    stretches: usize,
    stretch: usize,
    /// What is left of this one.
    left: Ahead,
    /// Lines of a piece.
    piece: usize,
}

impl<'a> Coming<'a> {
    /// In at most `pieces`, where there are enough of them.
    pub(super) fn new(task: &'a Task<'a>, group: &'a Group, pieces: usize) -> Coming<'a> {
        let (ins, outs) = task.blocks();
        let stretches = ins + outs * if task.packets.winners.is_empty() { 1 } else { 2 };
        let rows = group.rows();
        let mut coming = Coming { task, rows, stretches, stretch: 0, left: Ahead::NOTHING, piece: 0 };
        let lines: usize = (0..stretches).map(|what| coming.lines((0, 1), what).lines).sum();
        // The last piece of a stretch may be small.
        let whole = pieces.saturating_sub(rows.len() * stretches).max(pieces / 4);
        coming.piece = (rows.len() * lines).div_ceil(whole);
        coming
    }

    /// A stretch of a row of tiles: of each block the activity, then the errors, then the winners.
    fn lines(&self, (sample, row): Row, what: usize) -> Ahead {
        let Task { correlation: shape, activity, packets, first: (slice, panel), .. } = self.task;
        let (ins, outs) = self.task.blocks();
        if what < ins {
            let layout = shape.input;
            // The last rows of the tiles above are the first of these.
            let known = if row == 0 { 0 } else { SIDE - TILE };
            let top = row * TILE + known + layout.halo - shape.pad as usize;
            let at = sample * layout.sample() + (slice + what) * layout.plane() + top * layout.row();
            let lines = (SIDE - known) * layout.row() / LANES;
            return Ahead { line: activity.values.as_ptr().wrapping_add(at), lines };
        }
        let (layout, window) = (shape.error.values(), shape.error.window);
        let block = panel * PANEL / LANES + (what - ins) % outs;
        let at = sample * layout.sample() + block * layout.plane() + layout.offset(0, row * TILE / window, 0);
        let lines = TILE.div_ceil(window) * layout.row() / LANES;
        if what < ins + outs {
            Ahead { line: packets.values.as_ptr().wrapping_add(at), lines }
        } else {
            // Winners are bytes.
            let line = packets.winners.as_ptr().wrapping_add(at).cast();
            Ahead { line, lines: lines.div_ceil(size_of::<f32>()) }
        }
    }

    /// The next piece.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Ahead {
        if self.left.lines == 0 {
            let (row, what) = (self.stretch / self.stretches, self.stretch % self.stretches);
            let Some(&row) = self.rows.get(row) else { return Ahead::NOTHING };
            self.left = self.lines(row, what);
            self.stretch += 1;
        }
        let Ahead { line, lines } = self.left;
        let piece = lines.min(self.piece);
        self.left = Ahead { line: line.wrapping_add(piece * LANES), lines: lines - piece };
        Ahead { line, lines: piece }
    }
}
