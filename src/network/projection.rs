//! Projections: populations of synapses. Feedforward ones drive activity, feedback ones carry errors through weights
//! of their own.

use serde::{Deserialize, Serialize};

use super::UnitId;
use crate::kernels::Transfer;
use crate::shape::Shape;

/// Names a feedforward projection: its place in [`Network::feedforward`](super::Network::feedforward).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectionId(pub(crate) usize);

/// Names a feedback projection: its place in [`Network::feedback`](super::Network::feedback).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeedbackId(pub(crate) usize);

impl ProjectionId {
    /// The projection's place in declaration order.
    pub fn index(self) -> usize {
        self.0
    }
}

impl FeedbackId {
    /// The projection's place in declaration order.
    pub fn index(self) -> usize {
        self.0
    }
}

/// The geometry of a projection: which synapses exist and which of them share a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum LinearMap {
    /// Every presynaptic value to every one of `units`; weights `[unit][channel][row][column]` of the pre unit.
    Dense {
        /// Units of the postsynaptic population.
        units: usize,
        /// Whether each unit also has a bias.
        #[serde(default)]
        bias: bool,
    },
    /// Cross-correlation, weights shared over space, `[channel out][channel in][row][column]`.
    Conv {
        /// Feature maps of the postsynaptic population.
        channels: usize,
        /// Side of the square kernel.
        kernel: usize,
        /// Step between neighbouring receptive fields.
        #[serde(default = "one")]
        stride: usize,
        /// Zeros around each presynaptic map.
        #[serde(default)]
        pad: usize,
        /// Whether each map also has a bias.
        #[serde(default)]
        bias: bool,
    },
    /// Locally connected: the windows of a convolution, but every position has weights of its own,
    /// `[position row][position column][kernel row][kernel column][channel in][channel out]`.
    Local {
        /// Feature maps of the postsynaptic population.
        channels: usize,
        /// Side of the square kernel.
        kernel: usize,
        /// Step between neighbouring receptive fields.
        #[serde(default = "one")]
        stride: usize,
        /// Zeros around each presynaptic map.
        #[serde(default)]
        pad: usize,
        /// Whether each postsynaptic unit also has a bias, `[position row][position column][channel out]`.
        #[serde(default)]
        bias: bool,
    },
    /// The way back of a convolution taken as a way up, so that a map grows: each presynaptic value is spread over a
    /// window of the drive. Weights are shared over space, `[channel in][channel out][row][column]`.
    TransposedConv {
        /// Feature maps of the postsynaptic population.
        channels: usize,
        /// Side of the square kernel.
        kernel: usize,
        /// Step between neighbouring windows.
        #[serde(default = "one")]
        stride: usize,
        /// Rows and columns that are cut off each side of the drive.
        #[serde(default)]
        pad: usize,
        /// Rows and columns more at the bottom and at the right, fewer than a stride.
        #[serde(default)]
        output_pad: usize,
        /// Whether each map also has a bias.
        #[serde(default)]
        bias: bool,
    },
    /// Each presynaptic value as it is to its one place in the drive: a skip, or a relay into a unit that pools. There
    /// are no weights, so nothing learns, and an error comes back as it is whatever the wiring.
    OneToOne,
}

/// The numbers of a map that looks at its presynaptic maps, or writes its drive, window by window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) pad: usize,
    /// 0 of all but transposed convolutions.
    pub(super) output_pad: usize,
}

fn one() -> usize {
    1
}

impl LinearMap {
    /// Shape of the drive that this map makes from a presynaptic activity; `None` where the kernel does not fit.
    pub fn output(self, pre: Shape) -> Option<Shape> {
        match self {
            LinearMap::Dense { units, .. } => Some(Shape::flat(units)),
            LinearMap::Conv { channels, kernel, stride, pad, .. }
            | LinearMap::Local { channels, kernel, stride, pad, .. } => {
                let side = |extent: usize| Some((extent + 2 * pad).checked_sub(kernel)? / stride + 1);
                Some(Shape::new(channels, side(pre.height)?, side(pre.width)?))
            }
            LinearMap::TransposedConv { channels, kernel, stride, pad, output_pad, .. } => {
                let side = |extent: usize| {
                    let spread = (extent - 1) * stride + kernel + output_pad;
                    spread.checked_sub(2 * pad).filter(|side| *side > 0)
                };
                Some(Shape::new(channels, side(pre.height)?, side(pre.width)?))
            }
            LinearMap::OneToOne => Some(pre),
        }
    }

    /// Synapses that end in one postsynaptic unit; where windows of a stride meet some units more often than others,
    /// those of the units that they meet most.
    pub fn fan_in(self, pre: Shape) -> usize {
        match self {
            LinearMap::Dense { .. } => pre.len(),
            LinearMap::Conv { kernel, .. } | LinearMap::Local { kernel, .. } => pre.channels * kernel * kernel,
            LinearMap::TransposedConv { kernel, stride, .. } => pre.channels * kernel.div_ceil(stride).pow(2),
            LinearMap::OneToOne => 1,
        }
    }

    /// Multiply-adds of one sample, padding included: as many to drive, to carry and to learn. Without weights, nothing
    /// is multiplied.
    pub fn multiply_adds(self, pre: Shape) -> u64 {
        match self {
            LinearMap::OneToOne => 0,
            LinearMap::TransposedConv { channels, kernel, .. } => (pre.len() * channels * kernel * kernel) as u64,
            _ => self.output(pre).map_or(0, |drive| (drive.len() * self.fan_in(pre)) as u64),
        }
    }

    /// Whether the map has weights.
    pub fn has_weights(self) -> bool {
        self != LinearMap::OneToOne
    }

    /// Dimensions of the weights: `[out, in]` of a dense map, `[out, in, kernel, kernel]` of a convolution,
    /// `[in, out, kernel, kernel]` of a transposed one, `[rows, columns, kernel, kernel, in, out]` of a locally connected
    /// map, `[0]` of a map without any.
    pub fn weight_dims(self, pre: Shape) -> Vec<usize> {
        match self {
            LinearMap::Dense { units, .. } => vec![units, pre.len()],
            LinearMap::Conv { channels, kernel, .. } => vec![channels, pre.channels, kernel, kernel],
            LinearMap::TransposedConv { channels, kernel, .. } => vec![pre.channels, channels, kernel, kernel],
            LinearMap::Local { channels, kernel, .. } => {
                let (rows, columns) = self.output(pre).map_or((0, 0), |drive| (drive.height, drive.width));
                vec![rows, columns, kernel, kernel, pre.channels, channels]
            }
            LinearMap::OneToOne => vec![0],
        }
    }

    /// How many weights there are.
    pub fn weights(self, pre: Shape) -> u128 {
        self.weight_dims(pre).into_iter().map(|dim| dim as u128).product()
    }

    /// Feature maps of the drive, where the map says how many; of a dense map, its units.
    pub fn outputs(self) -> Option<usize> {
        match self {
            LinearMap::Dense { units, .. } => Some(units),
            LinearMap::Conv { channels, .. }
            | LinearMap::Local { channels, .. }
            | LinearMap::TransposedConv { channels, .. } => Some(channels),
            LinearMap::OneToOne => None,
        }
    }

    /// How many biases there are: one a feature map, or one a unit of a locally connected map.
    pub fn biases(self, pre: Shape) -> usize {
        match self {
            _ if !self.bias() => 0,
            LinearMap::Local { .. } => self.output(pre).map_or(0, Shape::len),
            _ => self.outputs().unwrap_or(0),
        }
    }

    /// Whether the map has biases.
    pub fn bias(mut self) -> bool {
        self.bias_mut().is_some_and(|bias| *bias)
    }

    /// The same geometry as errors know it: they meet no bias.
    pub(super) fn without_bias(mut self) -> LinearMap {
        self.bias_mut().into_iter().for_each(|bias| *bias = false);
        self
    }

    fn bias_mut(&mut self) -> Option<&mut bool> {
        match self {
            LinearMap::Dense { bias, .. }
            | LinearMap::Conv { bias, .. }
            | LinearMap::Local { bias, .. }
            | LinearMap::TransposedConv { bias, .. } => Some(bias),
            LinearMap::OneToOne => None,
        }
    }

    /// The numbers of its windows; a dense map and one to one have none.
    pub(super) fn window(self) -> Option<Window> {
        match self {
            LinearMap::Dense { .. } | LinearMap::OneToOne => None,
            LinearMap::Conv { kernel, stride, pad, .. } | LinearMap::Local { kernel, stride, pad, .. } => {
                Some(Window { kernel, stride, pad, output_pad: 0 })
            }
            LinearMap::TransposedConv { kernel, stride, pad, output_pad, .. } => {
                Some(Window { kernel, stride, pad, output_pad })
            }
        }
    }

    /// The same map with other windows.
    pub(super) fn with_window(mut self, window: Window) -> LinearMap {
        match &mut self {
            LinearMap::Dense { .. } | LinearMap::OneToOne => (),
            LinearMap::Conv { kernel, stride, pad, .. } | LinearMap::Local { kernel, stride, pad, .. } => {
                (*kernel, *stride, *pad) = (window.kernel, window.stride, window.pad);
            }
            LinearMap::TransposedConv { kernel, stride, pad, output_pad, .. } => {
                (*kernel, *stride, *pad, *output_pad) = (window.kernel, window.stride, window.pad, window.output_pad);
            }
        }
        self
    }
}

/// The law that first weights are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Init {
    /// Uniform in +-1/sqrt(fan-in) of the forward projection, weights and biases alike (kaiming uniform with a = sqrt
    /// 5); of a sparse projection the fan-in that is expected.
    #[default]
    Kaiming,
    /// Uniform in +-`bound`.
    Uniform {
        /// Half the width of the interval.
        bound: f32,
    },
    /// Normal with mean 0.
    Normal {
        /// Standard deviation.
        deviation: f32,
    },
    /// A copy of the forward weights; for feedback only.
    Symmetric,
}

/// Through which weights an error travels, and whether they learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Wiring {
    /// The forward weights themselves: back-propagation, weight transport.
    Transported,
    /// Fixed random weights of its own (RF).
    Fixed,
    /// Weights of its own that take the forward projection's update (URF).
    Learned,
    /// The signs of weights of its own that take the forward projection's update.
    Sign,
    /// A learned inverse, which brings down targets and no errors (difference target propagation).
    Inverse,
}

/// A feedforward population of synapses.
#[derive(Debug, Clone, PartialEq)]
pub struct Projection {
    /// `"from->to"`, or the name given in the circuit file.
    pub name: String,
    /// Presynaptic unit.
    pub from: UnitId,
    /// Postsynaptic unit.
    pub to: UnitId,
    /// Geometry.
    pub map: LinearMap,
    /// First weights.
    pub init: Init,
    /// The probability with which each synapse exists.
    pub density: f32,
    /// Whether the weights learn; never without weights.
    pub plastic: bool,
}

impl Projection {
    /// Synapses that end in one postsynaptic unit, as many as are expected at the projection's density, but no fewer
    /// than one.
    pub fn fan_in(&self, pre: Shape) -> f32 {
        (self.map.fan_in(pre) as f32 * self.density).max(1.0)
    }

    /// Multiply-adds of one sample, as many as are expected at the projection's density.
    pub fn multiply_adds(&self, pre: Shape) -> u64 {
        (self.map.multiply_adds(pre) as f64 * f64::from(self.density)).round() as u64
    }
}

/// A feedback population of synapses: it answers one feedforward projection, from its post unit back to its pre unit,
/// with the same geometry and, where the projection is sparse, between the same pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct Feedback {
    /// `"from->to"` (from the upper unit to the lower), or the name given in the circuit file.
    pub name: String,
    /// The unit whose error is carried: the partner's post unit.
    pub from: UnitId,
    /// The unit that receives the error: the partner's pre unit.
    pub to: UnitId,
    /// The feedforward projection that it answers.
    pub partner: ProjectionId,
    /// Through which weights.
    pub wiring: Wiring,
    /// First weights; without meaning when transported.
    pub init: Init,
    /// The forward map whose way back this is: the partner's; of an inverse, the one from the lower unit's activity to
    /// the upper one's, its bias that of the inverse.
    pub map: LinearMap,
    /// Transfer function of an inverse; linear for all that carries errors.
    pub transfer: Transfer,
}
