//! The number that a loss and an optimiser compute with: f32 in earnest, a traced one under audit. One source text
//! serves both, so what an audit sees is the arithmetic that runs, not what somebody says of it.
//!
//! A [`Number`] cannot be compared, so no branch escapes a trace: what depends on data is switched by
//! [`Number::open`], [`Number::sign`], [`Number::max`] and [`Number::over`]. And what a number shows to people,
//! [`Number::report`], is no number again once it is traced.

mod operation;
mod traced;

use std::fmt::Debug;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

pub use operation::{Operation, Operations};
pub use traced::{Sources, Traced};

/// What losses and optimisers compute with. Numbers that are made by `from` are constants.
pub trait Number:
    Copy
    + Debug
    + Default
    + Send
    + Sync
    + From<f32>
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + Sum
{
    /// The number for sums that must not lose small terms: f64 for f32.
    type Wide: Number<Wide = Self::Wide> + From<f64>;

    /// The same number for long sums.
    fn wide(self) -> Self::Wide;

    /// The nearest of these numbers to a wide one.
    fn narrow(wide: Self::Wide) -> Self;

    /// The hinge: 1 if it is open, that is above 0, and none if it is shut. One that is no number is open: a network
    /// that has lost its numbers must not look satisfied.
    ///
    /// Whatever an open hinge lets through is multiplied by the 1, which bears the trace of what was compared. A traced
    /// hinge is never shut: it opens by 0 instead, so that a pair which is content leaves its trace, too, and whoever
    /// forgets to multiply gets other values than in earnest.
    fn open(self) -> Option<Self>;

    /// -1, 0 or 1; 0 of what is no number.
    fn sign(self) -> Self;

    /// Absolute value.
    fn abs(self) -> Self;

    /// The larger of two; the other one, if one is no number.
    fn max(self, other: Self) -> Self;

    /// Divided by `divisor`, or 0 where that is 0 and so there is nothing to share.
    fn over(self, divisor: Self) -> Self;

    /// Square root.
    fn sqrt(self) -> Self;

    /// Exponential.
    fn exp(self) -> Self;

    /// Natural logarithm.
    fn ln(self) -> Self;

    /// Marks what was chosen by a label.
    fn labelled(self) -> Self;

    /// The value as it is told to people. A traced number tells none (NaN): no arithmetic may go on from here, as it
    /// would go on without its trace.
    fn report(self) -> f64;
}

macro_rules! plain {
    ($($name:ident)*) => {$(
        impl Number for $name {
            type Wide = f64;

            #[inline]
            fn wide(self) -> f64 {
                f64::from(self)
            }

            #[inline]
            fn narrow(wide: f64) -> Self {
                wide as $name
            }

            #[inline]
            fn open(self) -> Option<Self> {
                (self > 0.0 || self.is_nan()).then_some(1.0)
            }

            #[inline]
            fn sign(self) -> Self {
                if self > 0.0 {
                    1.0
                } else if self < 0.0 {
                    -1.0
                } else {
                    0.0
                }
            }

            #[inline]
            fn abs(self) -> Self {
                self.abs()
            }

            #[inline]
            fn max(self, other: Self) -> Self {
                self.max(other)
            }

            #[inline]
            fn over(self, divisor: Self) -> Self {
                if divisor == 0.0 { 0.0 } else { self / divisor }
            }

            #[inline]
            fn sqrt(self) -> Self {
                self.sqrt()
            }

            #[inline]
            fn exp(self) -> Self {
                self.exp()
            }

            #[inline]
            fn ln(self) -> Self {
                self.ln()
            }

            #[inline]
            fn labelled(self) -> Self {
                self
            }

            #[inline]
            fn report(self) -> f64 {
                f64::from(self)
            }
        }
    )*};
}

plain! { f32 f64 }
