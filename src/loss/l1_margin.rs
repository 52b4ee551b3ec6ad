//! The L1 margin loss: a current item comes nearer to its own stored view than to that of any other item, by a margin.
//! Tang's thesis talk (2021) names such a loss without its formula; this one is the mean over the pairs of n items,
//! with d the L1 distance, a the stored and y the current view:
//!
//! ```text
//! L = 1 / (n (n - 1)) * sum over i != j of [margin + d(a_j, y_j) - d(a_i, y_j)]+
//! ```

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::hinge::{add_signs, distance, stored_view};
use super::{Comparison, Embeddings, Errors, Formula, StoredView, Workspace};
use crate::fault::Fault;
use crate::number::Number;
use crate::threads::least;

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

impl Formula for L1Margin {
    fn stored_view(&self) -> StoredView {
        stored_view(self.gradient_block)
    }

    fn evaluate<N: Number>(
        &self,
        seen: Embeddings<'_, N>,
        errors: Errors<'_, N>,
        workspace: &mut Workspace<N>,
    ) -> Comparison {
        let (units, samples) = (seen.shape.len(), seen.samples());
        let others = |j: usize| (0..samples).filter(move |&i| i != j);
        let share = 1.0 / (samples as f64 * (samples as f64 - 1.0).max(1.0));
        let (margin, factor) = (N::from(self.margin), N::from(share as f32));
        // The distance to the own stored view, and how many others are not further away by the margin.
        let (items, [own, counts]) = workspace.take(samples, [samples, samples]);

        let found = errors.current.par_chunks_mut(units).zip(own.par_iter_mut()).zip(counts.par_iter_mut());
        let found = found.zip(items.par_iter_mut()).with_min_len(least());
        found.enumerate().for_each(|(j, (((error, own), count), item))| {
            error.fill(N::default());
            *count = N::default();
            *own = distance(seen.stored(j), seen.current(j));
            *item = Comparison { pairs: samples as u64 - 1, ..Comparison::default() };
            for i in others(j) {
                let excess = margin + *own - distance(seen.stored(i), seen.current(j));
                if let Some(open) = excess.open() {
                    item.loss += share * excess.report();
                    item.active += 1;
                    *count += open;
                    add_signs(error, seen.current(j), seen.stored(i), -factor * open);
                }
            }
            add_signs(error, seen.current(j), seen.stored(j), factor * *count);
        });
        if let Some(stored_errors) = errors.stored {
            stored_errors.par_chunks_mut(units).with_min_len(least()).enumerate().for_each(|(i, error)| {
                error.fill(N::default());
                add_signs(error, seen.stored(i), seen.current(i), factor * counts[i]);
                for j in others(i) {
                    let excess = margin + own[j] - distance(seen.stored(i), seen.current(j));
                    if let Some(open) = excess.open() {
                        add_signs(error, seen.stored(i), seen.current(j), -factor * open);
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
