//! Locally connected maps as products: a convolution whose every position has weights of its own.
//!
//! Each position is a pass, and its samples are the pass's positions, so a register block is ten samples and a position's
//! weights stay in the L1 and L2 caches until all samples of the task have gone by: weights are read from memory once a
//! task. They lie `[position row][position column][kernel row][kernel column][channel in][channel out]`, so that a
//! row of a packed panel is a stretch of the plain weights.

use super::super::afferents::{Afferents, Steps};
use super::super::layout::Layout;
use super::{Pass, Product, TILE, check_conv};

impl Product {
    /// A locally connected map, from the activity of a population to the drive of another, with the windows of a
    /// convolution; `input.halo` must be at least `pad`. Biases are `[position row][position column][channel out]`.
    pub fn local(input: Layout, drive: Layout, kernel: usize, stride: usize, pad: usize) -> Product {
        check_conv(input, drive, kernel, stride, pad);
        let (rows, columns) = (drive.shape.height, drive.shape.width);
        let steps = Steps::local(input.shape.channels, drive.shape.channels);
        let mut product = Product::empty(input, drive, 1);
        product.afferents = Afferents::window(input, kernel, steps);
        let fan = product.afferents.len();
        let corner = (input.halo - pad) * (input.row() + input.lanes);
        for position in 0..rows * columns {
            let (row, column) = (position / columns, position % columns);
            product.push_shared(
                0..fan,
                Pass {
                    plain: position * fan * drive.shape.channels,
                    bias: position * drive.shape.channels,
                    from: corner + stride * (row * input.row() + column * input.lanes),
                    to: drive.offset(0, row, column),
                    rows: 1,
                    columns: 1,
                    ..Pass::default()
                },
            );
        }
        product.biases = drive.shape.len();
        product.multiply_adds = (fan * drive.shape.len()) as u64;
        product.multiple = TILE;
        product.settle_for(kernel * input.row() * input.blocks())
    }

    /// The way back of the locally connected map with this kernel, stride and padding: from an error at the resolution
    /// of its drive to an error at the resolution of its input. Takes the same plain weights; reads no halo.
    pub fn local_carry(error: Layout, output: Layout, kernel: usize, stride: usize, pad: usize) -> Product {
        check_conv(Layout { halo: pad, ..output }, error, kernel, stride, pad);
        let (rows, columns) = (output.shape.height, output.shape.width);
        let steps = Steps::local(output.shape.channels, error.shape.channels);
        let mut product = Product::empty(error, output, steps.channel);
        for pixel in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
            // At the edge there are fewer positions to answer, and none of them can be shared: every pixel has a list.
            product.push(
                Afferents::local_answers(error, kernel, stride, pad, steps, pixel),
                Pass { to: output.offset(0, pixel.0, pixel.1), rows: 1, columns: 1, ..Pass::default() },
            );
        }
        let fan = output.shape.channels * kernel * kernel;
        product.multiply_adds = (fan * error.shape.len()) as u64;
        product.multiple = TILE;
        product.settle_for(kernel.div_ceil(stride) * error.row() * error.blocks())
    }
}
