//! What a population does to its own drive: pooling, then the transfer function; and, on the way back, the gain that
//! gates an error.
//!
//! ```text
//! fire    activity[p] = transfer( max or mean of drive[window p] )          winner[p] = where the max stands
//! gate    packet[window p] = error[p] * gain(activity[p])                   to the winner, or a share to each
//! ```
//!
//! Both read and write each value once, so memory sets their pace and the work is to keep out of its way. Sixteen
//! channels of a pixel are one vector, so a window of any size is compared vector by vector, without a shuffle and
//! without a branch that depends on data; the winner's place is a float that is selected by the same mask as its drive.
//! Windows of 2 are unrolled. Drives of a max pool are fetched 4 KB ahead, since rows of small maps are too short for
//! the hardware to see a stream: 250 samples of 512x8x8 took 2.7 ms on one core and take 1.9.

mod difference;
mod fire;
mod gate;
mod relay;
mod settled;
mod transfer;

use serde::{Deserialize, Serialize};

use super::layout::{LANES, Layout};
use crate::shape::Shape;

pub use difference::difference;
pub(super) use fire::fire_here;
pub use fire::{Firing, fire};
pub(super) use gate::gate_here;
pub use gate::{Gating, gate};
pub use relay::relay;
pub(super) use settled::Fate;

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

impl Transfer {
    /// The least and the largest activity, where a drive between them is its own activity.
    pub(super) fn limits(self) -> Option<[f32; 2]> {
        match self {
            Transfer::Linear => Some([f32::NEG_INFINITY, f32::INFINITY]),
            Transfer::HardTanh => Some([-1.0, 1.0]),
            Transfer::Tanh => None,
            Transfer::Relu => Some([0.0, f32::INFINITY]),
        }
    }
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

/// Largest side of a window of [`Pool::Max`]: a winner's place fits a byte.
const LARGEST_WINDOW: usize = 16;

/// Bytes of the winners of one sample: they lie like an activity without a halo.
fn winners_of(pool: Pool, activity: Layout) -> usize {
    if matches!(pool, Pool::Max(_)) { Layout { halo: 0, ..activity }.sample() } else { 0 }
}

/// Refuses layouts that a pool does not connect.
fn check_pool(pool: Pool, drive: Layout, activity: Layout) {
    let size = pool.size();
    assert!(size > 0, "a pool's window has a side");
    assert!(!matches!(pool, Pool::Max(size) if size > LARGEST_WINDOW), "a window of {size} is too large");
    let pooled = Shape::new(drive.shape.channels, drive.shape.height / size, drive.shape.width / size);
    assert_eq!(activity.shape, pooled, "{pool:?} of {}", drive.shape);
    assert!(drive.lanes == LANES && activity.lanes == LANES, "populations that fire have whole vectors");
}
