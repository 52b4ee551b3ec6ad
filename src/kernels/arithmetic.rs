//! Which of several ways to the same result kernels take. The fast ones are the default; the plain ones are there to
//! measure and to check them by.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which of several ways to the same result kernels take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Arithmetic {
    /// How convolutions are computed.
    pub convolution: Convolution,
    /// How errors are kept and used.
    pub errors: Errors,
}

/// How convolutions are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Convolution {
    /// By Winograd's F(4x4, 3x3) where it fits: 2.25 to 4 times fewer multiplications, with an error below 1e-5 of the
    /// largest output, or change.
    #[default]
    Winograd,
    /// By plain sums.
    Direct,
}

/// How errors are kept and used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Errors {
    /// Packets keep only what is there, and sparse ones are carried and learnt from event by event.
    #[default]
    Events,
    /// Every packet is spread out, zeros and all.
    Dense,
}

impl Arithmetic {
    /// Plain sums over everything.
    pub const PLAIN: Arithmetic = Arithmetic { convolution: Convolution::Direct, errors: Errors::Dense };

    /// Every way there is, plain sums last.
    pub const ALL: [Arithmetic; 4] = [
        Arithmetic { convolution: Convolution::Winograd, errors: Errors::Events },
        Arithmetic { convolution: Convolution::Direct, errors: Errors::Events },
        Arithmetic { convolution: Convolution::Winograd, errors: Errors::Dense },
        Arithmetic::PLAIN,
    ];
}

impl fmt::Display for Arithmetic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}", self.convolution, self.errors)
    }
}
