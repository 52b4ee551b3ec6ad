//! The kernels' definitions as plain loops over f64, in plain order, and the laying out of their operands. Nothing
//! here uses the library's arithmetic or its offsets.

use synlocal::kernels::{Buffer, Layout};
use synlocal::rng::Stream;
use synlocal::shape::Shape;

/// What unwritten memory holds in these tests.
pub(crate) const UNTOUCHED: f32 = 7.25;

/// What rounding may cost, as a share of the sum of the magnitudes of a value's terms.
pub(crate) const ROUNDING: f64 = 2e-6;

/// A value and the sum of the magnitudes of its terms, by which rounding is judged.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Exact {
    pub(crate) value: f64,
    pub(crate) magnitude: f64,
}

impl Exact {
    pub(crate) fn add(&mut self, term: f64) {
        self.value += term;
        self.magnitude += term.abs();
    }

    pub(crate) fn holds(self, got: f32) -> bool {
        (f64::from(got) - self.value).abs() <= ROUNDING * self.magnitude + 1e-30
    }
}

/// Uniform values on [-1, 1), the same for the same name.
pub(crate) fn values(name: &str, len: usize) -> Vec<f32> {
    let mut rng = Stream::new(7).named(name).rng();
    (0..len).map(|_| rng.between(-1.0, 1.0)).collect()
}

/// Every place of one sample in memory, with its plain index if it is a value of the population, or why it is not.
pub(crate) enum Place {
    Value(usize),
    Spare,
    Halo,
}

pub(crate) fn places(layout: Layout) -> Vec<Place> {
    let Shape { channels, height, width } = layout.shape;
    let (halo, lanes) = (layout.halo, layout.lanes);
    let mut places = Vec::new();
    for block in 0..channels.div_ceil(lanes) {
        for y in 0..height + 2 * halo {
            for x in 0..width + 2 * halo {
                for lane in 0..lanes {
                    let channel = block * lanes + lane;
                    let inside = (halo..halo + height).contains(&y) && (halo..halo + width).contains(&x);
                    places.push(match (inside, channel < channels) {
                        (false, _) => Place::Halo,
                        (true, false) => Place::Spare,
                        (true, true) => Place::Value((channel * height + y - halo) * width + x - halo),
                    });
                }
            }
        }
    }
    while places.len() % 16 != 0 {
        places.push(Place::Halo);
    }
    places
}

/// A batch in memory, spare lanes zero, everything around it `around`.
pub(crate) fn lay(layout: Layout, plain: &[f32], around: f32) -> Buffer {
    let places = places(layout);
    let samples = plain.len() / layout.shape.len();
    let mut buffer = Buffer::zeros(samples * places.len());
    for (memory, plain) in buffer.chunks_mut(places.len()).zip(plain.chunks(layout.shape.len())) {
        for (value, place) in memory.iter_mut().zip(&places) {
            *value = match *place {
                Place::Value(index) => plain[index],
                Place::Spare => 0.0,
                Place::Halo => around,
            };
        }
    }
    buffer
}

/// Compares a batch in memory with what it should be, spare lanes with zero, and its surroundings with `around`.
pub(crate) fn check(what: &str, layout: Layout, memory: &[f32], expected: &[Exact], around: f32) {
    let places = places(layout);
    assert_eq!(memory.len() / places.len(), expected.len() / layout.shape.len(), "{what}: samples");
    let samples = memory.chunks(places.len()).zip(expected.chunks(layout.shape.len()));
    for (sample, (memory, expected)) in samples.enumerate() {
        for (index, (&got, place)) in memory.iter().zip(&places).enumerate() {
            match *place {
                Place::Value(plain) => assert!(
                    expected[plain].holds(got),
                    "{what}: value {plain} of sample {sample} is {got}, expected {:?}",
                    expected[plain]
                ),
                Place::Spare => assert_eq!(got, 0.0, "{what}: spare lane at {index} of sample {sample}"),
                Place::Halo => assert_eq!(got, around, "{what}: halo at {index} of sample {sample}"),
            }
        }
    }
}

/// The geometry of a convolution.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Conv {
    pub(crate) input: Shape,
    pub(crate) channels: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) pad: usize,
    pub(crate) samples: usize,
}

impl Conv {
    pub(crate) fn drive(&self) -> Shape {
        let side = |length: usize| (length + 2 * self.pad - self.kernel) / self.stride + 1;
        Shape::new(self.channels, side(self.input.height), side(self.input.width))
    }

    pub(crate) fn weights(&self) -> usize {
        self.channels * self.input.channels * self.kernel * self.kernel
    }

    /// Calls `synapse(input, weight, drive)` with the plain indices of every synapse of every sample.
    pub(crate) fn synapses(&self, mut synapse: impl FnMut(usize, usize, usize)) {
        self.visit(|pre, [out, channel, ky, kx], _, post| {
            let weight = (out * self.input.channels + channel) * self.kernel + ky;
            synapse(pre, weight * self.kernel + kx, post);
        });
    }

    /// Weights of the locally connected map with these windows.
    pub(crate) fn local_weights(&self) -> usize {
        self.weights() * self.drive().height * self.drive().width
    }

    /// The same for the locally connected map, whose weights are
    /// `[position row][position column][kernel row][kernel column][channel in][channel out]`.
    pub(crate) fn local_synapses(&self, mut synapse: impl FnMut(usize, usize, usize)) {
        self.visit(|pre, [out, channel, ky, kx], position, post| {
            let tap = (position * self.kernel + ky) * self.kernel + kx;
            synapse(pre, (tap * self.input.channels + channel) * self.channels + out, post);
        });
    }

    /// Calls `synapse(input, [channel out, channel in, kernel row, kernel column], position, drive)`.
    fn visit(&self, mut synapse: impl FnMut(usize, [usize; 4], usize, usize)) {
        let (input, drive) = (self.input, self.drive());
        for sample in 0..self.samples {
            for out in 0..drive.channels {
                for (r, c) in (0..drive.height).flat_map(|r| (0..drive.width).map(move |c| (r, c))) {
                    let position = r * drive.width + c;
                    let post = (sample * drive.channels + out) * drive.height * drive.width + position;
                    for channel in 0..input.channels {
                        for ky in 0..self.kernel {
                            for kx in 0..self.kernel {
                                let y = (r * self.stride + ky).wrapping_sub(self.pad);
                                let x = (c * self.stride + kx).wrapping_sub(self.pad);
                                if y < input.height && x < input.width {
                                    let pre = (sample * input.channels + channel) * input.height + y;
                                    synapse(pre * input.width + x, [out, channel, ky, kx], position, post);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Calls `synapse(input, weight, drive)` with the plain indices of every synapse of a dense map.
pub(crate) fn dense_synapses(
    inputs: usize,
    units: usize,
    samples: usize,
    mut synapse: impl FnMut(usize, usize, usize),
) {
    for sample in 0..samples {
        for unit in 0..units {
            for input in 0..inputs {
                synapse(sample * inputs + input, unit * inputs + input, sample * units + unit);
            }
        }
    }
}
