//! From input to outcome: groups of rows of tiles, one after the other, through all three stages.

// In a register block the indices are the formula.
#![allow(clippy::needless_range_loop)]

use super::super::flow::{Flow, Input, Outcome, Sum};
use super::super::layout::LANES;
use super::super::packet::Packets;
use super::super::pointwise::Fate;
use super::super::simd::{Kernel, Vector};
use super::super::tasks::Batch;
use super::ahead::{Ahead, Group, Rows, Soon};
use super::gemm::Place;
use super::{BLOCK, PANEL, PLACES, Row, SIDE, SKEW, TILE, Winograd, transform};

/// One task: some samples, and a workspace.
pub(super) struct Groups<'a> {
    pub map: &'a Winograd,
    pub packed: &'a [f32],
    pub bias: Option<&'a [f32]>,
    pub flow: Flow<'a>,
    pub bench: &'a mut [f32],
}

impl Kernel for Groups<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(mut self) {
        if let Outcome::Gated(gating) = &mut self.flow.outcome {
            gating.begin();
        }
        for sample in 0..self.flow.samples() {
            if self.flow.input.is_quiet(sample) {
                // SAFETY: the caller vouches for the instruction set.
                unsafe { self.rest::<X>(sample) };
            }
        }
        let mut after = (0, 0);
        let mut group = self.gather(&mut after);
        while !group.rows().is_empty() {
            let next = self.gather(&mut after);
            // SAFETY: as above.
            unsafe { self.group::<X>(group.rows(), next.rows()) };
            group = next;
        }
    }
}

impl Groups<'_> {
    /// A sample without events: sums of nothing, and the bias.
    #[inline(always)]
    unsafe fn rest<X: Vector>(&mut self, sample: usize) {
        let map = self.map;
        let layout = map.output;
        match &mut self.flow.outcome {
            Outcome::Sums(Sum::Add, _) if self.bias.is_none() => {}
            Outcome::Sums(Sum::Replace, sums) if self.bias.is_none() => {
                let sums = &mut sums[sample * layout.sample()..(sample + 1) * layout.sample()];
                layout.rows().for_each(|row| sums[row].fill(0.0));
            }
            _ => {
                // All 36 products of a tile are the same zeros.
                let (zeros, strip) = self.bench.split_at_mut(map.columns * PANEL);
                zeros.fill(0.0);
                let (zeros, strip) = (zeros.as_ptr(), strip.as_mut_ptr());
                for block in 0..layout.blocks() {
                    for row in 0..map.rows {
                        // SAFETY: the caller vouches for the instruction set; V, which is not in use here, is larger
                        // than the zeros, so what follows them has room for a strip.
                        unsafe { self.finish_row::<X>((sample, row), block, zeros, 0, strip) };
                    }
                }
            }
        }
    }

    fn gather(&self, after: &mut Row) -> Group {
        let end = (self.flow.samples(), self.map.rows);
        Group::gather(self.map.group, after, end, |sample| self.flow.input.is_quiet(sample))
    }

    /// All three stages for a group of rows of tiles, while what the next one reads is fetched.
    #[inline(always)]
    unsafe fn group<X: Vector>(&mut self, group: &[Row], next: &[Row]) {
        let map = self.map;
        let (tiles, padded) = (group.len() * map.columns, map.padded_tiles());
        let (v_step, slices) = (map.slice * LANES, map.slices());
        let (v_place, m_place) = (padded * v_step + SKEW, padded * PANEL + SKEW);
        let bench = self.bench.as_mut_ptr();
        // SAFETY: the bench has room for V, M and the strips, in this order; packed weights and tiles are those of the
        // map's geometry.
        unsafe {
            let values = bench;
            let sums = values.add(PLACES * v_place);
            let strip = sums.add(PLACES * m_place * (map.sums_width() / PANEL));
            let mut packed = self.packed.as_ptr();
            for slice in 0..slices {
                let first = slice * map.slice;
                let blocks = map.slice.min(map.input.drive.blocks() - first);
                let channels = (blocks * LANES).min(map.channels() - first * LANES);
                for (index, &row) in group.iter().enumerate() {
                    for block in 0..blocks {
                        let to = values.add(index * map.columns * v_step + block * LANES);
                        self.transform_row::<X>(row, first + block, strip, to, v_step, v_place);
                    }
                }
                let times = PLACES * tiles.div_ceil(BLOCK);
                let last = slice + 1 == slices;
                let (tiles_after, first_after) = if last { (next, 0) } else { (group, first + blocks) };
                let mut input = self.input_of(tiles_after, first_after, times * map.panels());
                for panel in 0..map.panels() {
                    let width = 2.min(map.output.blocks() - 2 * panel) * LANES;
                    let [outcome, activity] = match last {
                        true => self.outcome_of(group, panel, times),
                        false => [Ahead::NOTHING, Ahead::NOTHING],
                    };
                    let [read, winners] = input;
                    let mut soon = Soon::new([outcome, activity, read, winners]);
                    let sums = if slices > 1 { sums.add(panel * PLACES * m_place) } else { sums };
                    for place in 0..PLACES {
                        let weights = packed;
                        packed = packed.add(channels * width);
                        let product = Place {
                            values: values.add(place * v_place),
                            values_step: v_step,
                            term_step: 1,
                            weights,
                            weights_step: width,
                            next_weights: Some(packed),
                            terms: channels,
                            sums: sums.add(place * m_place),
                            sums_step: PANEL,
                            continues: slice > 0,
                        };
                        if X::BLOCKS == 2 && width == PANEL {
                            product.multiply::<X, 2>(tiles, &mut soon);
                        } else {
                            product.multiply::<X, 1>(tiles, &mut soon);
                            if width == PANEL {
                                product.beside().multiply::<X, 1>(tiles, &mut soon);
                            }
                        }
                    }
                    let [.., read, winners] = soon.rest();
                    input = [read, winners];
                    if last {
                        for block in 0..width / LANES {
                            for (index, &row) in group.iter().enumerate() {
                                let sums = sums.add(index * map.columns * PANEL + block * LANES);
                                self.finish_row::<X>(row, 2 * panel + block, sums, m_place, strip);
                            }
                        }
                    }
                }
            }
        }
    }

    /// What rows of tiles read of a slice of channels from block `first` on, to be fetched in `times` parts.
    fn input_of<'b>(&self, tiles: &'b [Row], first: usize, times: usize) -> [Ahead<'b>; 2] {
        let map = self.map;
        let packets = match self.flow.input {
            Input::Values(values) => Packets::of_values(map.input.drive, values),
            Input::Packets(packets) => packets,
        };
        let blocks = first..map.input.drive.blocks().min(first + map.slice);
        Ahead::packets(&packets, tiles, blocks, Rows::overlapping(map.pad), times)
    }

    /// Where the outcome of rows of tiles goes for a panel, and the activity that gates it, each to be fetched in
    /// `times` parts.
    fn outcome_of<'b>(&self, tiles: &'b [Row], panel: usize, times: usize) -> [Ahead<'b>; 2] {
        let output = self.map.output;
        let blocks = 2 * panel..output.blocks().min(2 * panel + 2);
        let ahead = |values: &[f32], layout, height| {
            Ahead::new((values, layout), tiles, blocks.clone(), Rows::apart(height), times)
        };
        match &self.flow.outcome {
            Outcome::Sums(_, sums) => [ahead(sums, output, TILE), Ahead::NOTHING],
            Outcome::Fired(firing) => {
                [ahead(firing.activity, firing.layout, TILE / firing.pool.size()), Ahead::NOTHING]
            }
            Outcome::Gated(gating) => {
                let packets = gating.packet_layout.values();
                // Packets of a mean pool, or of a max pool that are whole, have a window for each value.
                let side = packets.shape.height.div_ceil(output.shape.height);
                [ahead(gating.packets, packets, TILE * side), ahead(gating.activity, gating.layout, TILE)]
            }
        }
    }

    /// Transforms one row of tiles of one block of channels.
    #[inline(always)]
    unsafe fn transform_row<X: Vector>(
        &self,
        (sample, row): Row,
        block: usize,
        strip: *mut f32,
        to: *mut f32,
        step: usize,
        place: usize,
    ) {
        let map = self.map;
        let corner = ((row * TILE) as isize - map.pad, -map.pad);
        let spread = match &self.flow.input {
            Input::Values(values) => Packets::of_values(map.input.drive, values).sample(sample),
            Input::Packets(packets) => packets.sample(sample),
        };
        // SAFETY: the strip has room for six rows of the tiles' pixels.
        unsafe {
            let (from, line) = spread.rows::<X>(block, corner, (SIDE, TILE * map.columns + 2), strip);
            for column in 0..map.columns {
                transform::input::<X>(from.add(column * TILE * LANES), line, to.add(column * step), place);
            }
        }
    }

    /// Transforms the sums of one row of tiles of one block of channels back, and does with them what is to be done.
    #[inline(always)]
    unsafe fn finish_row<X: Vector>(
        &mut self,
        (sample, row): Row,
        block: usize,
        sums: *const f32,
        place: usize,
        strip: *mut f32,
    ) {
        let map = self.map;
        let layout = map.output;
        let mut bias = [0.0; LANES];
        if let Some(values) = self.bias {
            let values = &values[block * LANES..];
            bias.iter_mut().zip(values).for_each(|(lane, value)| *lane = *value);
        }
        let height = TILE.min(layout.shape.height - row * TILE);
        // SAFETY: rows and columns that are written lie within the map, or within the strip.
        unsafe {
            let bias = X::load(bias.as_ptr());
            let (to, line, adds) = match &mut self.flow.outcome {
                Outcome::Sums(sum, values) => {
                    let at = sample * layout.sample() + block * layout.plane() + layout.offset(0, row * TILE, 0);
                    (values.as_mut_ptr().add(at), layout.row(), *sum == Sum::Add)
                }
                Outcome::Fired(_) | Outcome::Gated(_) => (strip, TILE * map.columns * LANES, false),
            };
            for column in 0..map.columns {
                let outputs = transform::output::<X>(sums.add(column * PANEL), place);
                let to = to.add(column * TILE * LANES);
                let width = TILE.min(layout.shape.width - column * TILE);
                for y in 0..TILE {
                    for x in 0..TILE {
                        if y < height && x < width {
                            let to = to.add(y * line + x * LANES);
                            let value = outputs[y][x].add(bias);
                            let value = if adds { X::load(to).add(value) } else { value };
                            value.store(to);
                        }
                    }
                }
            }
            match &mut self.flow.outcome {
                Outcome::Sums(..) => {}
                Outcome::Fired(firing) => firing.rows::<X>(sample, block, row * TILE, height, strip, line),
                Outcome::Gated(gating) => gating.rows::<X>(sample, block, row * TILE, height, strip, line),
            }
        }
    }
}
