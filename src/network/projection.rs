//! Projections: populations of synapses. Feedforward ones drive activity, feedback ones carry errors through weights
//! of their own.

use serde::{Deserialize, Serialize};

use super::UnitId;
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
}

fn one() -> usize {
    1
}

impl LinearMap {
    /// Shape of the drive that this map makes from a presynaptic activity; `None` where the kernel does not fit.
    pub fn output(self, pre: Shape) -> Option<Shape> {
        match self {
            LinearMap::Dense { units, .. } => Some(Shape::flat(units)),
            LinearMap::Conv { channels, kernel, stride, pad, .. } => {
                let side = |extent: usize| Some((extent + 2 * pad).checked_sub(kernel)? / stride + 1);
                Some(Shape::new(channels, side(pre.height)?, side(pre.width)?))
            }
        }
    }

    /// Synapses that end in one postsynaptic unit.
    pub fn fan_in(self, pre: Shape) -> usize {
        match self {
            LinearMap::Dense { .. } => pre.len(),
            LinearMap::Conv { kernel, .. } => pre.channels * kernel * kernel,
        }
    }

    /// Multiply-adds of one sample, padding included: as many to drive, to carry and to learn.
    pub fn multiply_adds(self, pre: Shape) -> u64 {
        self.output(pre).map_or(0, |drive| (drive.len() * self.fan_in(pre)) as u64)
    }

    /// Dimensions of the weights: `[out, in]` or `[out, in, kernel, kernel]`.
    pub fn weight_dims(self, pre: Shape) -> Vec<usize> {
        match self {
            LinearMap::Dense { units, .. } => vec![units, pre.len()],
            LinearMap::Conv { channels, kernel, .. } => vec![channels, pre.channels, kernel, kernel],
        }
    }

    /// Postsynaptic populations that have a bias of their own: units of a dense map, maps of a convolution.
    pub fn outputs(self) -> usize {
        match self {
            LinearMap::Dense { units, .. } => units,
            LinearMap::Conv { channels, .. } => channels,
        }
    }

    /// Whether the map has biases.
    pub fn bias(self) -> bool {
        match self {
            LinearMap::Dense { bias, .. } | LinearMap::Conv { bias, .. } => bias,
        }
    }
}

/// The law that first weights are drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Init {
    /// Uniform in +-1/sqrt(fan-in) of the forward map, weights and biases alike (kaiming uniform with a = sqrt 5).
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
    /// Whether the weights learn.
    pub plastic: bool,
}

/// A feedback population of synapses: it answers one feedforward projection, from its post unit back to its pre unit,
/// with the same geometry.
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
}
