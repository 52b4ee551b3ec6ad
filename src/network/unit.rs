//! Units: populations with one tensor-shaped activity a sample.

use crate::kernels::{Pool, Transfer};
use crate::shape::Shape;

/// Names a unit of one network: its place in [`Network::units`](super::Network::units).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitId(pub(crate) usize);

impl UnitId {
    /// The unit's place in declaration order.
    pub fn index(self) -> usize {
        self.0
    }
}

/// A population. Its drive is the sum over all afferent feedforward projections; pool, then transfer function, turn
/// drive into activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// As written in the circuit file.
    pub name: String,
    /// Whether views are presented here; an input has no drive.
    pub input: bool,
    /// Shape of the drive, before pooling; of an input, the shape of a view.
    pub drive: Shape,
    /// Shape of the activity, after pooling.
    pub shape: Shape,
    /// Pooling of the drive.
    pub pool: Pool,
    /// Transfer function after the pool.
    pub transfer: Transfer,
}
