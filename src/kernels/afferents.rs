//! Where the presynaptic values of one position stand, and where their weights stand.
//!
//! A convolution's position sees a window of its input, a dense unit all of it. Either way what it sees is a list of
//! values at fixed distances from a corner that moves with the position, so both are one list of offsets to the
//! kernels, which loop over it without knowing rows, taps or channels. The list runs block by block of channels, then
//! over the taps or pixels, then over the channels of the block: consecutive values share a cache line, and a stretch
//! of the list needs few blocks of the input.

use super::layout::Layout;

/// The presynaptic values of a position, in the order in which they are summed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Afferents {
    /// Floats from the position's corner to each value.
    pub(crate) offsets: Vec<u32>,
    /// Floats from an output channel's first weight, in plain order, to each value's weight.
    pub(crate) plain: Vec<u32>,
}

/// Afferents whose weights are brought from plain order to another, or back, at a time: 32 KB of a panel.
pub(crate) const STRETCH: usize = 256;

/// Floats from a plain weight to those beside it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps {
    /// From tap to tap of a kernel.
    pub(crate) tap: usize,
    /// From channel to channel of the input.
    pub(crate) channel: usize,
}

impl Steps {
    /// Those of a convolution, `[channel out][channel in][row][column]`.
    pub(crate) fn conv(kernel: usize) -> Steps {
        Steps { tap: 1, channel: kernel * kernel }
    }

    /// Those of one position of a locally connected map, `[row][column][channel in][channel out]`.
    pub(crate) fn local(channels_in: usize, channels_out: usize) -> Steps {
        Steps { tap: channels_in * channels_out, channel: channels_out }
    }
}

impl Afferents {
    /// Adds the channels of one block at one tap or pixel: `offset` and `plain` belong to its first channel, and the
    /// weights of neighbouring channels stand `step` apart.
    fn push(&mut self, from: Layout, block: usize, offset: usize, plain: usize, step: usize) {
        for channel in 0..from.lanes.min(from.shape.channels - block * from.lanes) {
            self.offsets.push(place(block * from.plane() + offset + channel));
            self.plain.push(place((block * from.lanes + channel) * step + plain));
        }
    }

    /// What a drive position of a convolution or of a locally connected map sees of its input, measured from the
    /// window's corner.
    pub(crate) fn window(input: Layout, kernel: usize, steps: Steps) -> Afferents {
        let mut afferents = Afferents::default();
        for block in 0..input.blocks() {
            for row in 0..kernel {
                for column in 0..kernel {
                    let offset = row * input.row() + column * input.lanes;
                    afferents.push(input, block, offset, (row * kernel + column) * steps.tap, steps.channel);
                }
            }
        }
        afferents
    }

    /// What a dense unit sees of its input, measured from the start of the sample; `step` stretches the plain places.
    pub(crate) fn everything(input: Layout, step: usize) -> Afferents {
        let mut afferents = Afferents::default();
        let shape = input.shape;
        for block in 0..input.blocks() {
            for row in 0..shape.height {
                for column in 0..shape.width {
                    let pixel = row * shape.width + column;
                    let pixels = shape.height * shape.width;
                    afferents.push(input, block, input.offset(0, row, column), pixel * step, pixels * step);
                }
            }
        }
        afferents
    }

    /// What an input position of a convolution hears from the errors above. With a stride, positions fall into
    /// `stride` x `stride` classes (their `phase`) that meet different taps; tap `t` of position `stride * p + phase`
    /// comes from the error at `p + (phase + pad - t) / stride` where that is whole. `fan` is the number of weights of
    /// one output channel. The list may be empty.
    pub(crate) fn answers(
        error: Layout,
        kernel: usize,
        stride: usize,
        pad: usize,
        fan: usize,
        phase: (usize, usize),
    ) -> Afferents {
        // Descending taps are ascending places.
        let taps = |phase: usize| {
            (0..kernel).rev().filter_map(move |tap| {
                let distance = (phase + pad) as isize - tap as isize;
                let place = error.halo as isize + distance.div_euclid(stride as isize);
                (distance.rem_euclid(stride as isize) == 0).then_some((tap, place as usize))
            })
        };
        let mut afferents = Afferents::default();
        for block in 0..error.blocks() {
            for (row, down) in taps(phase.0) {
                for (column, right) in taps(phase.1) {
                    let offset = down * error.row() + right * error.lanes;
                    afferents.push(error, block, offset, row * kernel + column, fan);
                }
            }
        }
        afferents
    }

    /// What an input pixel of a locally connected map hears from the errors above, measured from the start of the
    /// sample; plain places are measured from the first weight. `steps` are those of a position. The list may be empty.
    pub(crate) fn local_answers(
        error: Layout,
        kernel: usize,
        stride: usize,
        pad: usize,
        steps: Steps,
        pixel: (usize, usize),
    ) -> Afferents {
        // Descending taps are ascending positions.
        let taps = |pixel: usize, positions: usize| {
            (0..kernel).rev().filter_map(move |tap| {
                let distance = (pixel + pad).checked_sub(tap)?;
                (distance % stride == 0 && distance / stride < positions).then_some((tap, distance / stride))
            })
        };
        let weights = kernel * kernel * steps.tap;
        let mut afferents = Afferents::default();
        for block in 0..error.blocks() {
            for (row, down) in taps(pixel.0, error.shape.height) {
                for (column, right) in taps(pixel.1, error.shape.width) {
                    let position = (down * error.shape.width + right) * weights;
                    let plain = position + (row * kernel + column) * steps.tap;
                    afferents.push(error, block, error.offset(0, down, right), plain, 1);
                }
            }
        }
        afferents
    }

    /// For each stretch of [`STRETCH`] afferents from `first` to `last`, its members by the places of their plain weights.
    /// Channels of a pixel are neighbours in the list, and pages apart in plain order: whoever follows the list there
    /// touches a cache line for every weight, where lines share few sets of the cache.
    pub(crate) fn by_place(&self, first: usize, last: usize) -> impl Iterator<Item = u32> {
        self.plain[first..last].chunks(STRETCH).flat_map(|stretch| {
            let mut members: Vec<u32> = (0..stretch.len() as u32).collect();
            members.sort_by_key(|&member| stretch[member as usize]);
            members
        })
    }

    /// Appends another list.
    pub(crate) fn extend(&mut self, other: Afferents) {
        self.offsets.extend(other.offsets);
        self.plain.extend(other.plain);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.offsets.len()
    }
}

/// A place as a list holds it: half the bytes, since the lists are read in the inner loops.
fn place(floats: usize) -> u32 {
    u32::try_from(floats).expect("a sample and its weights fit 16 GB")
}
