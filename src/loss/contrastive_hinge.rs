//! The contrastive hinge of Tang, Yang and Amit (2022), on L1 distances d between raw linear embeddings:
//!
//! ```text
//! L = sum_j [d(a_j, y_j) - m1]+  +  w * sum_(i, j) [m2 - d(a_i, y_j)]+
//! ```
//!
//! with a the stored and y the current view, and (i, j) running over all pairs i != j or over the k items seen just
//! before j. The error at an embedding is a sum of signs, each switched by one threshold a pair: no division, no
//! normalisation, no inner product.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::hinge::{add_signs, distance, margin_faults};
use super::{Comparison, Embeddings, Errors, Formula, Negatives, StoredView, Workspace};
use crate::fault::Fault;
use crate::number::Number;
use crate::threads::least;

/// Settings of the contrastive hinge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContrastiveHinge {
    /// Which pairs are negative.
    pub negatives: Negatives,
    /// Margins: positive pairs come within the first, negative pairs beyond the second.
    pub margins: (f32, f32),
    /// Weight of a negative pair; by default 1 for all negatives and 1 / (k + 1) for k stored ones.
    pub weight: Option<f32>,
    /// Whether the stored view is a constant; by default so for stored negatives and not so for all.
    pub gradient_block: Option<bool>,
}

impl Default for ContrastiveHinge {
    fn default() -> Self {
        ContrastiveHinge { negatives: Negatives::Stored(4), margins: (1.0, 3.0), weight: None, gradient_block: None }
    }
}

impl ContrastiveHinge {
    fn negative_weight(&self) -> f32 {
        self.weight.unwrap_or(match self.negatives {
            Negatives::All => 1.0,
            Negatives::Stored(items) => 1.0 / (items as f32 + 1.0),
        })
    }
}

impl Formula for ContrastiveHinge {
    fn stored_view(&self) -> StoredView {
        self.negatives.stored_view(self.gradient_block)
    }

    fn margins(&self) -> Option<(f32, f32)> {
        Some(self.margins)
    }

    fn evaluate<N: Number>(
        &self,
        seen: Embeddings<'_, N>,
        errors: Errors<'_, N>,
        workspace: &mut Workspace<N>,
    ) -> Comparison {
        let (units, samples) = (seen.shape.len(), seen.samples());
        let (positive_margin, negative_margin) = (N::from(self.margins.0), N::from(self.margins.1));
        let weight = N::from(self.negative_weight());
        let (items, []) = workspace.take(samples, []);

        let found = errors.current.par_chunks_mut(units).zip(items.par_iter_mut());
        found.with_min_len(least()).enumerate().for_each(|(j, (error, item))| {
            error.fill(N::default());
            *item = Comparison { pairs: 1, ..Comparison::default() };
            let excess = distance(seen.stored(j), seen.current(j)) - positive_margin;
            if let Some(open) = excess.open() {
                item.loss += excess.report();
                item.active += 1;
                add_signs(error, seen.current(j), seen.stored(j), open);
            }
            for i in self.negatives.of(j, samples) {
                item.pairs += 1;
                let lack = negative_margin - distance(seen.stored(i), seen.current(j));
                if let Some(open) = lack.open() {
                    item.loss += weight.report() * lack.report();
                    item.active += 1;
                    add_signs(error, seen.current(j), seen.stored(i), -weight * open);
                }
            }
        });
        if let Some(stored_errors) = errors.stored {
            stored_errors.par_chunks_mut(units).with_min_len(least()).enumerate().for_each(|(i, error)| {
                error.fill(N::default());
                if let Some(open) = (distance(seen.stored(i), seen.current(i)) - positive_margin).open() {
                    add_signs(error, seen.stored(i), seen.current(i), open);
                }
                for j in self.negatives.with(i, samples) {
                    if let Some(open) = (negative_margin - distance(seen.stored(i), seen.current(j))).open() {
                        add_signs(error, seen.stored(i), seen.current(j), -weight * open);
                    }
                }
            });
        }
        Comparison::sum(items)
    }

    fn faults(&self) -> Vec<Fault> {
        let weight = self.weight.and_then(|weight| Fault::unless_positive("weight", weight));
        margin_faults(self.margins).into_iter().chain(weight).chain(self.negatives.fault()).collect()
    }
}
