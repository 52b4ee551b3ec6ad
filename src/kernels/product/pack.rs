//! Weights in the order in which a product reads them: panels of 32 output channels, in each the afferents in the order
//! of the sum, side by side the channels of the panel; zero beyond the last channel.
//!
//! Plain weights have the afferents of one channel side by side, so packing turns a matrix round. Where sixteen of them
//! stand together that belong to sixteen rows of the panel, as a dense map's do, sixteen channels' are turned round in
//! registers: on one core of an AMD Zen 5, the two million weights of a dense map from 32 maps of 32x32 to 64 units take
//! 1.0 ms instead of 5.4. All others go one by one.

use rayon::prelude::*;

use super::super::afferents::STRETCH;
use super::super::isa::Isa;
use super::super::layout::LANES;
use super::super::simd::{Kernel, Vector};
use super::{PANEL, Pass, Product};
use crate::threads::{join, least};

/// Packed weights of one panel that are worth a task of their own, at least.
const PACKED: usize = 32 * 1024;

impl Product {
    /// Brings plain weights into the order in which [`Product::run`] reads them.
    pub fn pack(&self, isa: Isa, weights: &[f32], packed: &mut [f32]) {
        assert_eq!(packed.len(), self.packed_len(), "packed weights");
        if self.rows == 0 {
            return;
        }
        let panels = packed.par_chunks_mut(self.rows * PANEL).with_min_len(least());
        panels.enumerate().for_each(|(panel, packed)| {
            self.pack_panel(isa, weights, panel, &self.passes, packed);
        });
    }

    /// Packs the rows that one panel has for `passes`, in halves side by side where they are many.
    fn pack_panel(&self, isa: Isa, weights: &[f32], panel: usize, passes: &[Pass], packed: &mut [f32]) {
        let width = PANEL.min(self.output.blocks() * LANES - panel * PANEL);
        if passes.len() > 1 && packed.len() > PACKED {
            let (left, right) = passes.split_at(passes.len() / 2);
            let (first, second) = packed.split_at_mut((right[0].panel_row - left[0].panel_row) * width);
            join(
                || self.pack_panel(isa, weights, panel, left, first),
                || self.pack_panel(isa, weights, panel, right, second),
            );
            return;
        }
        let used = width.min(self.output.shape.channels - panel * PANEL);
        let mut rest = packed;
        let mut passes = passes;
        while let [pass, ..] = passes {
            let beside = |(index, other): &(usize, &Pass)| {
                (other.first, other.last, other.plain) == (pass.first, pass.last, pass.plain + index)
            };
            let run = passes.iter().enumerate().take(LANES).take_while(beside).count();
            let rows;
            (rows, rest) = rest.split_at_mut(run * (pass.last - pass.first) * width);
            let weights = &weights[panel * PANEL * self.plain_step + pass.plain..];
            let channels = Channels { step: self.plain_step, used, width };
            if run > 1 {
                let plain = &self.afferents.plain[pass.first..pass.last];
                isa.compute(Turned { weights, plain, run, channels, packed: rows });
            } else {
                self.pack_pass(isa, weights, pass, channels, rows);
            }
            passes = &passes[run..];
        }
    }

    /// Packs the rows of one pass: by the places of the plain weights, so that a cache line of these is read once, while
    /// the rows of a stretch stay in the L1 cache.
    fn pack_pass(&self, isa: Isa, weights: &[f32], pass: &Pass, channels: Channels, packed: &mut [f32]) {
        let Channels { step, used, width } = channels;
        let plain = self.afferents.plain[pass.first..pass.last].chunks(STRETCH);
        let by_place = self.by_place[pass.first..pass.last].chunks(STRETCH);
        for ((plain, by_place), rows) in plain.zip(by_place).zip(packed.chunks_mut(STRETCH * width)) {
            if step == 1 {
                for (&plain, row) in plain.iter().zip(rows.chunks_exact_mut(width)) {
                    row[..used].copy_from_slice(&weights[plain as usize..][..used]);
                    row[used..].fill(0.0);
                }
            } else if are_pixels_of_a_block(plain) {
                isa.compute(Turned { weights, plain: &plain[..LANES], run: LANES, channels, packed: rows });
            } else {
                for lane in 0..used {
                    let weights = &weights[lane * step..];
                    for &member in by_place {
                        rows[member as usize * width + lane] = weights[plain[member as usize] as usize];
                    }
                }
                rows.chunks_exact_mut(width).for_each(|row| row[used..].fill(0.0));
            }
        }
    }
}

/// Whether these are sixteen afferents at each of sixteen places, of which each afferent's weights stand side by side.
fn are_pixels_of_a_block(plain: &[u32]) -> bool {
    plain.len() == LANES * LANES
        && plain
            .chunks_exact(LANES)
            .zip(0..)
            .all(|(pixel, place)| pixel.iter().zip(&plain[..LANES]).all(|(plain, first)| *plain == first + place))
}

/// The output channels of a panel.
#[derive(Clone, Copy)]
struct Channels {
    /// Floats between the plain weights of neighbours.
    step: usize,
    used: usize,
    width: usize,
}

/// Afferents of which each has `run` weights of a channel side by side, for as many rows of the panel; from one of these
/// rows to the next there are as many rows as afferents.
struct Turned<'a> {
    weights: &'a [f32],
    plain: &'a [u32],
    run: usize,
    channels: Channels,
    packed: &'a mut [f32],
}

impl Kernel for Turned<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(self) {
        let Channels { step, used, width } = self.channels;
        for (index, &plain) in self.plain.iter().enumerate() {
            let weights = &self.weights[plain as usize..];
            for lane in (0..width).step_by(LANES) {
                if self.run == LANES && lane + LANES <= used {
                    let from = &weights[lane * step..][..(LANES - 1) * step + LANES];
                    // SAFETY: the caller vouches for the instruction set; slices are as long as what is read and written.
                    unsafe {
                        let mut rows = [X::splat(0.0); LANES];
                        for (channel, row) in rows.iter_mut().enumerate() {
                            *row = X::load(from.as_ptr().add(channel * step));
                        }
                        X::transpose(&mut rows);
                        for (place, row) in rows.iter().enumerate() {
                            let to = (place * self.plain.len() + index) * width + lane;
                            row.store(self.packed[to..][..LANES].as_mut_ptr());
                        }
                    }
                    continue;
                }
                for place in 0..self.run {
                    let to = &mut self.packed[(place * self.plain.len() + index) * width + lane..][..LANES];
                    for (channel, to) in (lane..).zip(to) {
                        *to = if channel < used { weights[channel * step + place] } else { 0.0 };
                    }
                }
            }
        }
    }
}
