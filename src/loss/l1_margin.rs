//! The L1 margin loss: a current item comes nearer to its own stored view than to that of any other item, by a margin.
//! Tang's thesis talk (2021) names such a loss without its formula; this one is the mean over the pairs of n items,
//! with d the L1 distance, a the stored and y the current view:
//!
//! ```text
//! L = 1 / (n (n - 1)) * sum over i != j of [margin + d(a_j, y_j) - d(a_i, y_j)]+
//! ```

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::hinge::{active, add_signs, distance, stored_view};
use super::{Comparison, Criterion, Embeddings, Errors, StoredView, Workspace};
use crate::fault::Fault;

/// Settings of the L1 margin loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct L1Margin {
    /// How much nearer the own stored view must be; by default as much as lies between the contrastive hinge's margins.
    pub margin: f32,
    /// Whether the stored view is a constant.
    pub gradient_block: bool,
}

impl Default for L1Margin {
    fn default() -> Self {
        L1Margin { margin: 2.0, gradient_block: false }
    }
}

impl Criterion for L1Margin {
    fn stored_view(&self) -> StoredView {
        stored_view(self.gradient_block)
    }

    fn compare(&self, seen: Embeddings<'_>, errors: Errors<'_>, workspace: &mut Workspace) -> Comparison {
        let (units, samples) = (seen.shape.len(), seen.samples());
        let others = |j: usize| (0..samples).filter(move |&i| i != j);
        let share = 1.0 / (samples as f64 * (samples as f64 - 1.0).max(1.0));
        let factor = share as f32;
        let (items, [own]) = workspace.take(samples, [samples]);

        let found = errors.current.par_chunks_mut(units).zip(own.par_iter_mut()).zip(items.par_iter_mut());
        found.enumerate().for_each(|(j, ((error, own), item))| {
            error.fill(0.0);
            *own = distance(seen.stored(j), seen.current(j));
            *item = Comparison { pairs: samples as u64 - 1, ..Comparison::default() };
            for i in others(j) {
                let excess = self.margin + *own - distance(seen.stored(i), seen.current(j));
                if active(excess) {
                    item.loss += share * f64::from(excess);
                    item.active += 1;
                    add_signs(error, seen.current(j), seen.stored(i), -factor);
                }
            }
            add_signs(error, seen.current(j), seen.stored(j), factor * item.active as f32);
        });
        if let Some(stored_errors) = errors.stored {
            stored_errors.par_chunks_mut(units).enumerate().for_each(|(i, error)| {
                error.fill(0.0);
                add_signs(error, seen.stored(i), seen.current(i), factor * items[i].active as f32);
                for j in others(i) {
                    if active(self.margin + own[j] - distance(seen.stored(i), seen.current(j))) {
                        add_signs(error, seen.stored(i), seen.current(j), -factor);
                    }
                }
            });
        }
        Comparison::sum(items)
    }

    fn faults(&self) -> Vec<Fault> {
        Fault::unless_positive("margin", self.margin).into_iter().collect()
    }
}
