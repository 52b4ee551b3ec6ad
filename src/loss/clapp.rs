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

use super::hinge::{add_scaled, inner};
use super::{Comparison, Embeddings, Errors, Formula, Memory, Negatives, StoredView, Workspace};
use crate::fault::Fault;
use crate::number::Number;
use crate::threads::least;

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

impl Formula for Clapp {
    fn stored_view(&self) -> StoredView {
        self.negatives.stored_view(self.gradient_block)
    }

    fn memory(&self) -> Memory {
        Memory::Below
    }

    fn evaluate<N: Number>(
        &self,
        seen: Embeddings<'_, N>,
        errors: Errors<'_, N>,
        workspace: &mut Workspace<N>,
    ) -> Comparison {
        let (units, samples) = (seen.shape.len(), seen.samples());
        let (one, share) = (N::from(1.0), N::from(1.0 / (seen.shape.height * seen.shape.width) as f32));
        let weight = N::from(self.weight);
        let score = |i: usize, j: usize| share * inner(seen.stored(i), seen.current(j));
        let (items, []) = workspace.take(samples, []);

        let found = errors.current.par_chunks_mut(units).zip(items.par_iter_mut());
        found.with_min_len(least()).enumerate().for_each(|(j, (error, item))| {
            error.fill(N::default());
            *item = Comparison { pairs: 1, ..Comparison::default() };
            let lack = one - score(j, j);
            if let Some(open) = lack.open() {
                item.loss += lack.report();
                item.active += 1;
                add_scaled(error, seen.stored(j), -share * open);
            }
            for i in self.negatives.of(j, samples) {
                item.pairs += 1;
                let excess = one + score(i, j);
                if let Some(open) = excess.open() {
                    item.loss += weight.report() * excess.report();
                    item.active += 1;
                    add_scaled(error, seen.stored(i), weight * share * open);
                }
            }
        });
        if let Some(stored_errors) = errors.stored {
            stored_errors.par_chunks_mut(units).with_min_len(least()).enumerate().for_each(|(i, error)| {
                error.fill(N::default());
                if let Some(open) = (one - score(i, i)).open() {
                    add_scaled(error, seen.current(i), -share * open);
                }
                for j in self.negatives.with(i, samples) {
                    if let Some(open) = (one + score(i, j)).open() {
                        add_scaled(error, seen.current(j), weight * share * open);
                    }
                }
            });
        }
        Comparison::sum(items)
    }

    fn faults(&self) -> Vec<Fault> {
        Fault::unless_positive("weight", self.weight).into_iter().chain(self.negatives.fault()).collect()
    }
}
