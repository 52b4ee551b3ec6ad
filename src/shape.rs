//! The shape of one sample's activity: channels, height, width. A flat population of `n` units is `n x 1 x 1`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Channels, height and width of a tensor-shaped population.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Feature maps.
    pub channels: usize,
    /// Rows of a map.
    pub height: usize,
    /// Columns of a map.
    pub width: usize,
}

impl Shape {
    /// A population of `channels` maps of `height` x `width`.
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        Shape { channels, height, width }
    }

    /// A population without spatial extent.
    pub const fn flat(units: usize) -> Self {
        Shape::new(units, 1, 1)
    }

    /// How many values one sample has.
    #[allow(clippy::len_without_is_empty)]
    pub const fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether the population has no spatial extent.
    pub const fn is_flat(self) -> bool {
        self.height == 1 && self.width == 1
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_flat() {
            write!(f, "{}", self.channels)
        } else {
            write!(f, "{}x{}x{}", self.channels, self.height, self.width)
        }
    }
}
