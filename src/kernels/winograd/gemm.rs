//! The products of a block of tiles: for each of the 36 places of a transformed tile, a small matrix product
//!
//! ```text
//! M[t][o] (+)= sum over k of  V[t][k] * U[k][o]         t tiles, k channels in, o channels of a panel
//! ```
//!
//! with `P` tiles x `V` vectors of channels in registers: 12 x 2 sums with AVX-512, 24 multiply-adds for 2 loads of
//! weights and 12 of values. What a map learns is such a product too, with channels in as `t` and tiles as `k`. While
//! one place is computed, the weights of the next are fetched, a line a step: those of a wide layer come from the L3
//! cache. So is what other stages will need.

// In a register block the indices are the formula.
#![allow(clippy::needless_range_loop)]

use super::super::layout::LANES;
use super::super::simd::Vector;
use super::PANEL;
use super::ahead::Soon;

/// One place's product.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// Values `[t][k]`: floats from one `t` to the next, and from one `k` to the next.
    pub values: *const f32,
    pub values_step: usize,
    pub term_step: usize,
    /// Weights `[k][channels of the panel]`, and those that will be read after them, if they are far.
    pub weights: *const f32,
    pub weights_step: usize,
    pub next_weights: Option<*const f32>,
    pub terms: usize,
    /// Sums `[t][32]`, and whether they are continued.
    pub sums: *mut f32,
    pub sums_step: usize,
    pub continues: bool,
}

impl Place {
    /// The same for the second block of the panel.
    pub(super) fn beside(self) -> Place {
        Place { weights: self.weights.wrapping_add(LANES), sums: self.sums.wrapping_add(LANES), ..self }
    }

    /// The sums of `tiles` tiles, rounded up to whole register blocks.
    #[inline(always)]
    pub(super) unsafe fn multiply<X: Vector, const V: usize>(&self, tiles: usize, soon: &mut Soon<'_, 4>) {
        let (mut tile, mut part) = (0, 0);
        while tile < tiles {
            let ahead = self.next_weights.map(|weights| weights.wrapping_add(part * self.terms * LANES));
            // SAFETY: the caller has room for whole register blocks of tiles.
            unsafe {
                if X::TILES == 12 && tiles - tile > 4 {
                    self.block::<X, 12, V, _>(tile, ahead, soon);
                    tile += 12;
                } else if X::TILES == 12 {
                    self.block::<X, 4, V, _>(tile, ahead, soon);
                    tile += 4;
                } else if X::TILES == 6 {
                    self.block::<X, 6, V, _>(tile, ahead, soon);
                    tile += 6;
                } else {
                    self.block::<X, 2, V, _>(tile, ahead, soon);
                    tile += 2;
                }
            }
            part = (part + 1) % V;
        }
    }

    /// The sums of eight `t` from one on.
    #[inline(always)]
    pub(super) unsafe fn multiply_eight<X: Vector, const V: usize>(&self, t: usize, soon: &mut Soon<'_, 3>) {
        // SAFETY: the caller vouches for the instruction set and for eight.
        unsafe {
            if X::TILES == 12 {
                self.block::<X, 8, V, _>(t, None, soon);
            } else {
                self.block::<X, 4, V, _>(t, None, soon);
                self.block::<X, 4, V, _>(t + 4, None, soon);
            }
        }
    }

    #[inline(always)]
    unsafe fn block<X: Vector, const P: usize, const V: usize, const N: usize>(
        &self,
        tile: usize,
        ahead: Option<*const f32>,
        soon: &mut Soon<'_, N>,
    ) {
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
            let part = soon.part(self.terms);
            for k in 0..self.terms {
                if let Some(ahead) = ahead {
                    X::prefetch(ahead.wrapping_add(k * LANES));
                }
                part.fetch::<X>(k);
                let mut w = [X::splat(0.0); V];
                for v in 0..V {
                    w[v] = X::load(weights.add(v * LANES));
                }
                for p in 0..P {
                    let x = X::splat(*values.add(p * self.values_step + k * self.term_step));
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
