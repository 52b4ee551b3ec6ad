//! Plain weights transformed into the order in which tiles are multiplied by them.

// In a register block the indices are the formula.
#![allow(clippy::needless_range_loop)]

use super::super::layout::LANES;
use super::super::simd::{Kernel, Vector};
use super::{PANEL, PLACES, Winograd, transform};

/// The transformed weights of one panel.
pub(super) struct Pack<'a> {
    pub map: &'a Winograd,
    /// `[channel out][channel in][3][3]`, of the convolution itself where the map is its way back.
    pub weights: &'a [f32],
    /// The first channel in of the slice, and how many.
    pub first: usize,
    pub channels: usize,
    pub panel: usize,
    /// `[place][channel in][channel of the panel]`.
    pub packed: &'a mut [f32],
}

impl Kernel for Pack<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(self) {
        let Pack { map, weights, first, channels, panel, packed } = self;
        let blocks = (PANEL / LANES).min(map.output.blocks() - panel * PANEL / LANES);
        let width = blocks * LANES;
        // Floats between the weights of neighbouring channels out, and in.
        let (out_step, in_step) = match map.back {
            false => (map.channels() * 9, 9),
            true => (9, map.output.shape.channels * 9),
        };
        for block in 0..blocks {
            let out = panel * PANEL + block * LANES;
            let used = LANES.min(map.output.shape.channels - out);
            let mut taps = [[0.0; LANES]; 9];
            for channel in 0..channels {
                let kernels = &weights[out * out_step + (first + channel) * in_step..];
                for lane in 0..used {
                    let kernel = &kernels[lane * out_step..lane * out_step + 9];
                    for tap in 0..9 {
                        taps[tap][lane] = kernel[if map.back { 8 - tap } else { tap }];
                    }
                }
                // SAFETY: the caller vouches for the instruction set; each place of the panel has a row of `width`
                // for each channel.
                unsafe {
                    let mut kernel = [X::splat(0.0); 9];
                    for tap in 0..9 {
                        kernel[tap] = X::load(taps[tap].as_ptr());
                    }
                    let transformed = transform::kernel(kernel);
                    let to = packed.as_mut_ptr().add(channel * width + block * LANES);
                    for place in 0..PLACES {
                        transformed[place].store(to.add(place * channels * width));
                    }
                }
            }
        }
    }
}
