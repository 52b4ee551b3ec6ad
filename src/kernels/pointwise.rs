//! What a population does to its own drive: pooling, then the transfer function; and, on the way back, the gain that
//! gates an error.

use serde::{Deserialize, Serialize};

/// Transfer function of a unit: from (pooled) drive to activity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Transfer {
    /// a = d.
    #[default]
    Linear,
    /// a = d, clamped to [-1, 1]; gain 1 strictly inside, 0 outside.
    HardTanh,
    /// a = tanh d; gain 1 - a^2.
    Tanh,
    /// a = max(d, 0); gain 1 where a > 0.
    Relu,
}

/// Pooling of a unit's drive over windows of `size` x `size`, `size` apart; rows and columns that fill no window are
/// dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Pool {
    /// The drive as it is.
    #[default]
    None,
    /// The largest drive of each window, the first one of equals.
    Max(usize),
    /// The mean drive of each window.
    Mean(usize),
}

impl Pool {
    /// Side of a window; 1 without pooling.
    pub const fn size(self) -> usize {
        match self {
            Pool::None => 1,
            Pool::Max(size) | Pool::Mean(size) => size,
        }
    }
}
