//! CLAPP, a hinge on scores (Illing, Ventura, Bellec and Gerstner 2021). The head is a prediction p = W y of what the
//! unit below it said of the stored view, a; W is an ordinary projection from that unit, which learns with all others.
//! The score of stored item i and current item j is their inner product over channels, averaged over positions:
//!
//! ```text
//! s_ij = mean over positions of sum over channels of a_i * p_j
//! L = sum_j [1 - s_jj]+  +  w * sum over negatives (i, j) of [1 + s_ij]+
//! ```
//!
//! Head and memory have one shape, such as 512x4x4 and 512x4x4. An inner product of embeddings is what the paper's
//! contrastive hinge does without.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::hinge::{active, add_scaled, inner};
use super::{Comparison, Criterion, Embeddings, Errors, Memory, Negatives, StoredView, Workspace};
use crate::fault::Fault;

/// Settings of CLAPP.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clapp {
    /// Which pairs are negative.
    pub negatives: Negatives,
    /// Weight of a negative pair.
    pub weight: f32,
    /// Whether the stored view is a constant; by default so for stored negatives and not so for all.
    pub gradient_block: Option<bool>,
}

impl Default for Clapp {
    fn default() -> Self {
        Clapp { negatives: Negatives::Stored(1), weight: 1.0, gradient_block: None }
    }
}

impl Criterion for Clapp {
    fn stored_view(&self) -> StoredView {
        self.negatives.stored_view(self.gradient_block)
    }

    fn memory(&self) -> Memory {
        Memory::Below
    }

    fn compare(&self, seen: Embeddings<'_>, errors: Errors<'_>, workspace: &mut Workspace) -> Comparison {
        let (units, samples) = (seen.shape.len(), seen.samples());
        let share = 1.0 / (seen.shape.height * seen.shape.width) as f32;
        let score = |i: usize, j: usize| share * inner(seen.stored(i), seen.current(j));
        let (items, []) = workspace.take(samples, []);

        errors.current.par_chunks_mut(units).zip(items.par_iter_mut()).enumerate().for_each(|(j, (error, item))| {
            error.fill(0.0);
            *item = Comparison { pairs: 1, ..Comparison::default() };
            let lack = 1.0 - score(j, j);
            if active(lack) {
                item.loss += f64::from(lack);
                item.active += 1;
                add_scaled(error, seen.stored(j), -share);
            }
            for i in self.negatives.of(j, samples) {
                item.pairs += 1;
                let excess = 1.0 + score(i, j);
                if active(excess) {
                    item.loss += f64::from(self.weight) * f64::from(excess);
                    item.active += 1;
                    add_scaled(error, seen.stored(i), self.weight * share);
                }
            }
        });
        if let Some(stored_errors) = errors.stored {
            stored_errors.par_chunks_mut(units).enumerate().for_each(|(i, error)| {
                error.fill(0.0);
                if active(1.0 - score(i, i)) {
                    add_scaled(error, seen.current(i), -share);
                }
                for j in self.negatives.with(i, samples).filter(|&j| active(1.0 + score(i, j))) {
                    add_scaled(error, seen.current(j), self.weight * share);
                }
            });
        }
        Comparison::sum(items)
    }

    fn faults(&self) -> Vec<Fault> {
        Fault::unless_positive("weight", self.weight).into_iter().chain(self.negatives.fault()).collect()
    }
}
