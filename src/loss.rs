//! Losses: what the error-computing layer makes of the stored and the current embedding of a batch.
//!
//! A loss sees embeddings only (and labels, if it is a supervised reference), as plain `[sample][unit]` rows, and writes
//! errors of the same form: the derivative of the loss with respect to each embedding value. Each loss is one file, a
//! [`Formula`] in whatever [`Number`] it is given; the table below is the list that a circuit file chooses from.

mod barlow_twins;
mod clapp;
mod contrastive_hinge;
mod contrastive_hinge_mean;
mod cross_entropy;
mod hinge;
mod l1_margin;
mod l1_positive;
mod label;
mod matrix;
mod multiclass_hinge;
mod nt_xent;

use serde::{Deserialize, Serialize};

pub use barlow_twins::BarlowTwins;
pub use clapp::Clapp;
pub use contrastive_hinge::ContrastiveHinge;
pub use contrastive_hinge_mean::ContrastiveHingeMean;
pub use cross_entropy::CrossEntropy;
pub use hinge::{Negatives, distance};
pub use l1_margin::L1Margin;
pub use l1_positive::L1Positive;
pub use label::{Label, Labels};
pub use multiclass_hinge::MulticlassHinge;
pub use nt_xent::NtXent;

use crate::fault::Fault;
use crate::number::{Number, Traced};
use crate::shape::Shape;

/// What a loss makes of the view that was shown first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredView {
    /// It is never shown.
    Absent,
    /// Its embedding is a constant (the paper's gradient block).
    Constant,
    /// Errors reach it, too.
    Learns,
}

/// Which unit's embedding of the stored view a current embedding is set against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// The head's own.
    Head,
    /// That of the unit which drives the head: the head predicts it.
    Below,
}

/// What a loss says of itself, and what it computes.
pub trait Formula: Sync {
    /// See [`Loss::stored_view`].
    fn stored_view(&self) -> StoredView;

    /// See [`Loss::memory`].
    fn memory(&self) -> Memory {
        Memory::Head
    }

    /// Whether it compares with labels.
    fn is_supervised(&self) -> bool {
        false
    }

    /// See [`Loss::margins`].
    fn margins(&self) -> Option<(f32, f32)> {
        None
    }

    /// What is wrong with its numbers, at places that are its fields.
    fn faults(&self) -> Vec<Fault> {
        Vec::new()
    }

    /// [`Loss::compare`] in any numbers. What a hinge lets through is multiplied by what [`Number::open`] gives, and a
    /// count that errors depend on is a sum of those.
    fn evaluate<N: Number>(
        &self,
        seen: Embeddings<'_, N>,
        errors: Errors<'_, N>,
        workspace: &mut Workspace<N>,
    ) -> Comparison
    where
        Self: Sized;
}

/// A formula in the numbers that there are; every [`Formula`] is one.
pub trait Criterion: Formula {
    /// See [`Loss::compare`].
    fn compare(&self, seen: Embeddings<'_>, errors: Errors<'_>, workspace: &mut Workspace) -> Comparison;

    /// The same with numbers that remember what they were made of. What it found is not told: a traced hinge is never
    /// shut.
    fn trace(&self, seen: Embeddings<'_, Traced>, errors: Errors<'_, Traced>);
}

impl<F: Formula> Criterion for F {
    fn compare(&self, seen: Embeddings<'_>, errors: Errors<'_>, workspace: &mut Workspace) -> Comparison {
        self.evaluate(seen, errors, workspace)
    }

    fn trace(&self, seen: Embeddings<'_, Traced>, errors: Errors<'_, Traced>) {
        self.evaluate(seen, errors, &mut Workspace::default());
    }
}

macro_rules! losses {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        /// The loss of an experiment, as its file names it.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub enum Loss {
            $($(#[$doc])* $name($name),)*
        }

        impl Loss {
            /// Every loss with its default settings.
            pub fn all() -> Vec<Loss> {
                vec![$(Loss::$name($name::default())),*]
            }

            /// The name in circuit files.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Loss::$name(_) => stringify!($name),)*
                }
            }

            /// What the loss computes.
            pub fn criterion(&self) -> &dyn Criterion {
                match self {
                    $(Loss::$name(criterion) => criterion,)*
                }
            }
        }
    };
}

losses! {
    /// Positive pairs within one margin, negative pairs beyond another, by L1 distance.
    ContrastiveHinge;
    /// The same with both views as anchors and a mean over each anchor's active negatives.
    ContrastiveHingeMean;
    /// Own stored view nearer than any other, by a margin, by L1 distance.
    L1Margin;
    /// Positive pairs alone: a control that collapses.
    L1Positive;
    /// SimCLR: each view picks out its partner among all views of the batch.
    NtXent;
    /// Each unit agrees with itself between the views and with no other unit.
    BarlowTwins;
    /// A hinge on scores: the head predicts what the unit below it said of the stored view.
    Clapp;
    /// Supervised: softmax over the head's values.
    CrossEntropy;
    /// Supervised: a threshold for each of the head's values.
    MulticlassHinge;
}

impl Default for Loss {
    fn default() -> Self {
        Loss::ContrastiveHinge(ContrastiveHinge::default())
    }
}

impl Loss {
    /// What becomes of the stored view.
    pub fn stored_view(&self) -> StoredView {
        self.criterion().stored_view()
    }

    /// Whose embedding of the stored view is remembered.
    pub fn memory(&self) -> Memory {
        self.criterion().memory()
    }

    /// Whether labels reach the loss: a supervised reference, which no local circuit has.
    pub fn is_supervised(&self) -> bool {
        self.criterion().is_supervised()
    }

    /// The L1 distance within which it wants positive pairs, and that beyond which it wants negative ones, if it names
    /// such.
    pub fn margins(&self) -> Option<(f32, f32)> {
        self.criterion().margins()
    }

    /// Sets the embeddings of the two views against each other; errors are written in full. After the first call with a
    /// batch of some size, none of that size or less asks for memory.
    ///
    /// # Panics
    /// If the loss is supervised and an item has no label, or one that is beyond the length of an embedding.
    pub fn compare(&self, seen: Embeddings<'_>, errors: Errors<'_>, workspace: &mut Workspace) -> Comparison {
        self.criterion().compare(seen, errors, workspace)
    }

    /// What is wrong with the loss's own numbers.
    pub fn faults(&self) -> Vec<Fault> {
        self.criterion().faults()
    }
}

/// What a loss works with between seeing and telling; kept from batch to batch.
#[derive(Debug, Clone, Default)]
pub struct Workspace<N = f32> {
    /// What was found for each item.
    items: Vec<Comparison>,
    /// Whatever numbers the loss needs.
    numbers: Vec<N>,
}

impl<N: Number> Workspace<N> {
    /// Room for what is found for each of `items` items, and for numbers in parts of the given lengths. What a
    /// comparison before left there is still there.
    pub fn take<const PARTS: usize>(
        &mut self,
        items: usize,
        lengths: [usize; PARTS],
    ) -> (&mut [Comparison], [&mut [N]; PARTS]) {
        self.items.resize(items, Comparison::default());
        self.numbers.resize(lengths.iter().sum(), N::default());
        let mut rest = self.numbers.as_mut_slice();
        let parts = lengths.map(|length| rest.split_off_mut(..length).unwrap_or_default());
        (&mut self.items, parts)
    }
}

/// The embeddings of one batch, `[sample][unit]`.
#[derive(Debug, Clone, Copy)]
pub struct Embeddings<'a, N = f32> {
    /// Shape of one embedding; its length is that of a row.
    pub shape: Shape,
    /// Embeddings of the stored view, from short-term memory; empty for a loss that has no use for them.
    pub stored: &'a [N],
    /// Embeddings of the current view.
    pub current: &'a [N],
    /// The class of each item; none for a loss that is not supervised.
    pub labels: Labels<'a>,
}

/// Where the errors of one batch go, `[sample][unit]`.
#[derive(Debug)]
pub struct Errors<'a, N = f32> {
    /// Errors of the stored view; only for a loss from which it learns.
    pub stored: Option<&'a mut [N]>,
    /// Errors of the current view.
    pub current: &'a mut [N],
}

/// What a comparison found, for one item or a batch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Comparison {
    /// The loss: summed or averaged over the batch as its definition says.
    pub loss: f64,
    /// Pairs, positive and negative, that made an error: those whose hinge was active, or all where there is none.
    pub active: u64,
    /// Pairs that were compared.
    pub pairs: u64,
}

impl<N: Number> Embeddings<'_, N> {
    /// Items of the batch.
    pub fn samples(&self) -> usize {
        self.current.len() / self.shape.len()
    }

    /// One item's embedding of the stored view.
    pub fn stored(&self, item: usize) -> &[N] {
        &self.stored[item * self.shape.len()..][..self.shape.len()]
    }

    /// One item's embedding of the current view.
    pub fn current(&self, item: usize) -> &[N] {
        &self.current[item * self.shape.len()..][..self.shape.len()]
    }

    /// One of the rows of both views, the stored ones first.
    fn row(&self, row: usize) -> &[N] {
        let samples = self.samples();
        if row < samples { self.stored(row) } else { self.current(row - samples) }
    }
}

impl Comparison {
    /// The figures of all items together.
    fn sum(items: &[Comparison]) -> Comparison {
        let mut total = Comparison::default();
        items.iter().for_each(|item| total.add(*item));
        total
    }

    /// Adds another item's figures.
    pub fn add(&mut self, other: Comparison) {
        self.loss += other.loss;
        self.active += other.active;
        self.pairs += other.pairs;
    }

    /// The share of compared pairs that made an error, 0 to 1.
    pub fn active_share(&self) -> f64 {
        if self.pairs == 0 { 0.0 } else { self.active as f64 / self.pairs as f64 }
    }
}
