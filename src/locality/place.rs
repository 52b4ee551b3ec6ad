//! The places where something can be remembered: what the steps of a plan read and write, and what an audit follows.

use crate::network::{FeedbackId, ProjectionId, UnitId};

/// A presentation of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// Shown first; its embedding is kept in short-term memory.
    Stored,
    /// Shown second.
    Current,
    /// Never shown: activity that is disturbed, and what it would cause.
    Probe,
}

impl View {
    /// The two that are shown, in the order of their presentation.
    pub const BOTH: [View; 2] = [View::Stored, View::Current];
}

/// One part of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// The batch of images outside.
    World(View),
    /// The classes of these images.
    Labels,
    /// The summed input of a unit.
    Drive(UnitId, View),
    /// The activity of a unit, and which members of its pooling windows won.
    Activity(UnitId, View),
    /// The embedding that a unit keeps of the stored view.
    Memory(UnitId),
    /// The error at the activity of a unit.
    Error(UnitId, View),
    /// The error that passed the unit's gain, at its drive: what its synapses see.
    Packet(UnitId, View),
    /// Forward weights.
    Weights(ProjectionId),
    /// Feedback weights of their own.
    FeedbackWeights(FeedbackId),
    /// The change asked of forward weights.
    Change(ProjectionId),
    /// The optimiser's running averages for forward weights.
    Moments(ProjectionId),
    /// The gated error of an inverse, at what it says of a probe: what its synapses see.
    Reconstruction(FeedbackId),
    /// The change asked of an inverse.
    FeedbackChange(FeedbackId),
    /// The optimiser's running averages for an inverse.
    FeedbackMoments(FeedbackId),
}
