//! The operations that a local circuit does without, as they are found in arithmetic that runs.

use std::fmt;
use std::ops::{BitOr, BitOrAssign};

/// An operation on data: on embeddings, labels, or a synapse's own change and moments. What is done with constants
/// alone is none.
///
/// Embeddings are told apart by item and by view: two are *different* if either differs. A number is *merged* if more
/// than two items of one view reached it; with two, a threshold can still compare one pair with another. A *switch* is
/// what a threshold or a sign gives, times constants or other switches: it lets a value through or turns it round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Division by data.
    Division,
    /// Square root of data.
    SquareRoot,
    /// Exponential or logarithm of data.
    Exponential,
    /// A product or quotient of data from different embeddings. A product of an embedding with itself is part of a length; a square
    /// of a difference between two is not. A switch that has compared what it switches makes none, that is if the
    /// embeddings of one factor are all among those of the other: the pair's threshold, times the pair's sign. The sign
    /// of one embedding times that of another is an inner product of signs.
    InnerProduct,
    /// A value scaled by what was made of itself or of its own batch: a product or quotient of data which have an
    /// embedding's item, or the synapse itself, in common, one of which has gone through a division or a square root.
    /// The softmax over one embedding is one, and so is the mean over as many terms as are active.
    Normalisation,
    /// Anything but a sum of what is merged: a product with other data, a division by it, its root, exponential,
    /// absolute value, sign, threshold or maximum. A switch that is not merged itself makes none of a merged value: it
    /// switches every term of a sum alike.
    BatchStatistics,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Operation; 6] = [
        Operation::Division,
        Operation::SquareRoot,
        Operation::Exponential,
        Operation::InnerProduct,
        Operation::Normalisation,
        Operation::BatchStatistics,
    ];

    /// What it is called in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Operation::Division => "division",
            Operation::SquareRoot => "square root",
            Operation::Exponential => "exponential",
            Operation::InnerProduct => "inner product",
            Operation::Normalisation => "normalisation",
            Operation::BatchStatistics => "batch statistics",
        }
    }
}

/// A set of operations.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Operations(u8);

impl Operations {
    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self == Operations::default()
    }

    /// Whether `operation` is one of them.
    pub fn contains(self, operation: Operation) -> bool {
        self.0 & Operations::from(operation).0 != 0
    }

    /// Those there are, in the order of [`Operation::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Operation> {
        Operation::ALL.into_iter().filter(move |&operation| self.contains(operation))
    }
}

impl From<Operation> for Operations {
    fn from(operation: Operation) -> Self {
        Operations(1 << operation as u8)
    }
}

impl FromIterator<Operation> for Operations {
    fn from_iter<I: IntoIterator<Item = Operation>>(operations: I) -> Self {
        operations.into_iter().fold(Operations::default(), |all, operation| all | operation.into())
    }
}

impl BitOr for Operations {
    type Output = Operations;

    fn bitor(self, other: Operations) -> Operations {
        Operations(self.0 | other.0)
    }
}

impl BitOrAssign for Operations {
    fn bitor_assign(&mut self, other: Operations) {
        *self = *self | other;
    }
}

impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
