//! The products of a block of tiles: for each of the 36 places of a transformed tile, a small matrix product
//!
//! ```text
//! M[t][o] (+)= sum over k of  V[t][k] * U[k][o]         t tiles, k channels in, o channels of a panel
//! ```
//!
//! with `P` tiles x `V` vectors of channels in registers: 12 x 2 sums with AVX-512, 24 multiply-adds for 2 loads of
//! weights and 12 of values. While one place is computed, the weights of the next are fetched, a line a step: those of
//! a wide layer come from the L3 cache.

// In a register block the indices are the formula.
#![allow(clippy::needless_range_loop)]

use super::super::layout::LANES;
use super::super::simd::Vector;
use super::PANEL;
use super::ahead::Soon;

/// One place's product.
pub(super) struct Place {
    /// Values `[tile][k]`, tiles `values_step` floats apart.
    pub values: *const f32,
    pub values_step: usize,
    /// Weights `[k][channels of the panel]`, and what will be read after them.
    pub weights: *const f32,
    pub weights_step: usize,
    pub next_weights: *const f32,
    pub channels: usize,
    /// Sums `[tile][32]`, and whether they are continued.
    pub sums: *mut f32,
    pub sums_step: usize,
    pub continues: bool,
}

impl Place {
    /// The same for the second block of the panel.
    pub(super) fn beside(self) -> Place {
        Place { weights: self.weights.wrapping_add(LANES), sums: self.sums.wrapping_add(LANES), ..self }
    }

    /// The sums of `tiles` tiles, rounded up to whole register blocks. Before each, a part of what will be read and
    /// written soon is fetched.
    #[inline(always)]
    pub(super) unsafe fn multiply<X: Vector, const V: usize>(&self, tiles: usize, soon: &mut Soon<'_>) {
        let (mut tile, mut part) = (0, 0);
        while tile < tiles {
            let ahead = self.next_weights.wrapping_add(part * self.channels * LANES);
            // SAFETY: the caller has room for whole register blocks of tiles.
            unsafe {
                soon.fetch::<X>();
                if X::TILES == 12 && tiles - tile > 4 {
                    self.block::<X, 12, V>(tile, ahead);
                    tile += 12;
                } else if X::TILES == 12 {
                    self.block::<X, 4, V>(tile, ahead);
                    tile += 4;
                } else if X::TILES == 6 {
                    self.block::<X, 6, V>(tile, ahead);
                    tile += 6;
                } else {
                    self.block::<X, 2, V>(tile, ahead);
                    tile += 2;
                }
            }
            part = (part + 1) % V;
        }
    }

    #[inline(always)]
    unsafe fn block<X: Vector, const P: usize, const V: usize>(&self, tile: usize, ahead: *const f32) {
        // SAFETY: the caller vouches for the instruction set and for `P` tiles from `tile` on.
        unsafe {
            let values = self.values.add(tile * self.values_step);
            let sums = self.sums.add(tile * self.sums_step);
            let mut block = [[X::splat(0.0); V]; P];
            if self.continues {
                for p in 0..P {
                    for v in 0..V {
                        block[p][v] = X::load(sums.add(p * self.sums_step + v * LANES));
                    }
                }
            }
            let mut weights = self.weights;
            // Two blocks fill a panel, so their step is known when this is compiled.
            let weights_step = if V == 2 { PANEL } else { self.weights_step };
            for k in 0..self.channels {
                X::prefetch(ahead.wrapping_add(k * LANES));
                let mut w = [X::splat(0.0); V];
                for v in 0..V {
                    w[v] = X::load(weights.add(v * LANES));
                }
                for p in 0..P {
                    let x = X::splat(*values.add(p * self.values_step + k));
                    for v in 0..V {
                        block[p][v] = block[p][v].fma(x, w[v]);
                    }
                }
                weights = weights.add(weights_step);
            }
            for p in 0..P {
                for v in 0..V {
                    block[p][v].store(sums.add(p * self.sums_step + v * LANES));
                }
            }
        }
    }
}
