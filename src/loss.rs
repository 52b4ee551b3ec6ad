//! Losses: what the error-computing layer makes of the stored and the current embedding of a batch.
//!
//! A loss sees embeddings only, as plain `[sample][unit]` rows, and writes errors of the same form: the derivative of
//! the loss with respect to each embedding value. Each loss is one file; the enum below is the list that a circuit
//! file chooses from.

mod contrastive_hinge;

use serde::{Deserialize, Serialize};

pub use contrastive_hinge::{ContrastiveHinge, Negatives};

use crate::fault::Fault;

/// The loss of an experiment, as its file names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Loss {
    /// Positive pairs within one margin, negative pairs beyond another, by L1 distance.
    ContrastiveHinge(ContrastiveHinge),
}

impl Default for Loss {
    fn default() -> Self {
        Loss::ContrastiveHinge(ContrastiveHinge::default())
    }
}

impl Loss {
    /// Whether errors reach the stored view too; otherwise it is a constant (the paper's gradient block).
    pub fn stored_view_learns(&self) -> bool {
        match self {
            Loss::ContrastiveHinge(hinge) => hinge.stored_view_learns(),
        }
    }

    /// Sets the embeddings of the two views against each other. `current` and `stored` are `[sample][unit]` rows of
    /// `units` values; errors are written in full. `items` is a workspace of one entry a sample.
    pub fn compare(&self, embeddings: Embeddings<'_>, errors: Errors<'_>, items: &mut [Comparison]) -> Comparison {
        match self {
            Loss::ContrastiveHinge(hinge) => hinge.compare(embeddings, errors, items),
        }
    }

    /// What is wrong with the loss's own numbers.
    pub fn faults(&self) -> Vec<Fault> {
        match self {
            Loss::ContrastiveHinge(hinge) => hinge.faults(),
        }
    }
}

/// The embeddings of one batch, `[sample][unit]`.
#[derive(Debug, Clone, Copy)]
pub struct Embeddings<'a> {
    /// Units of the embedding.
    pub units: usize,
    /// Embeddings of the stored view, from short-term memory.
    pub stored: &'a [f32],
    /// Embeddings of the current view.
    pub current: &'a [f32],
}

/// Where the errors of one batch go, `[sample][unit]`.
#[derive(Debug)]
pub struct Errors<'a> {
    /// Errors of the stored view; only for a loss from which it learns.
    pub stored: Option<&'a mut [f32]>,
    /// Errors of the current view.
    pub current: &'a mut [f32],
}

/// What a comparison found, for one item or a batch.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Comparison {
    /// The loss: summed or averaged over the batch as its definition says.
    pub loss: f64,
    /// Pairs, positive and negative, whose hinge was active: those that made an error.
    pub active: u64,
    /// Pairs that were compared.
    pub pairs: u64,
}

impl Comparison {
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
