//! The contrastive hinge with one weight an anchor: negatives that are far enough away do not thin out those that are
//! not. Both views of all n items are anchors, 2n rows x, and every other item's views are negatives (Tang, Yang and
//! Amit's programs; d is the L1 distance, p the partner of r):
//!
//! ```text
//! L = mean over r of ( [d(x_r, x_p) - m1]+  +  mean over k with d(x_r, x_k) < m2 of (m2 - d(x_r, x_k)) )
//! ```
//!
//! An anchor must know how many of its negatives are active, so this is a reference, not a local rule.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::hinge::{add_signs, distance, margin_faults};
use super::{Comparison, Embeddings, Errors, Formula, StoredView, Workspace};
use crate::fault::Fault;
use crate::number::Number;
use crate::threads::least;

/// Settings of the contrastive hinge with a mean over active negatives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContrastiveHingeMean {
    /// Margins: positive pairs come within the first, negative pairs beyond the second.
    pub margins: (f32, f32),
}

impl Default for ContrastiveHingeMean {
    fn default() -> Self {
        ContrastiveHingeMean { margins: (1.0, 3.0) }
    }
}

impl Formula for ContrastiveHingeMean {
    fn stored_view(&self) -> StoredView {
        StoredView::Learns
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
        let rows = 2 * samples;
        let (positive_margin, negative_margin) = (N::from(self.margins.0), N::from(self.margins.1));
        let partner = |r: usize| (r + samples) % rows;
        let negatives = |r: usize| (0..rows).filter(move |&k| k != r && k != partner(r));
        let (items, [distances, shares]) = workspace.take(rows, [rows * rows, rows]);

        let found = distances.par_chunks_mut(rows).zip(shares.par_iter_mut()).zip(items.par_iter_mut());
        found.with_min_len(least()).enumerate().for_each(|(r, ((distances, share), item))| {
            for (k, d) in distances.iter_mut().enumerate() {
                *d = distance(seen.row(r), seen.row(k));
            }
            *item = Comparison { pairs: rows as u64 - 1, ..Comparison::default() };
            let (mut lacks, mut count) = (0.0, N::default());
            for lack in negatives(r).map(|k| negative_margin - distances[k]) {
                if let Some(open) = lack.open() {
                    lacks += lack.report();
                    item.active += 1;
                    count += open;
                }
            }
            // An anchor without active negatives has no mean.
            *share = N::from(1.0).over(count);
            item.loss = lacks / item.active.max(1) as f64;
            let excess = distances[partner(r)] - positive_margin;
            if excess.open().is_some() {
                item.loss += excess.report();
                item.active += 1;
            }
            item.loss /= rows as f64;
        });

        let factor = 1.0 / rows as f32;
        let (own, other) = (N::from(2.0 * factor), N::from(-factor));
        let tell = |first: usize, errors: &mut [N]| {
            errors.par_chunks_mut(units).with_min_len(least()).enumerate().for_each(|(index, error)| {
                let r = first + index;
                let distances = &distances[r * rows..][..rows];
                error.fill(N::default());
                // Distances are symmetric: each hinge counts for its anchor and for the other end.
                if let Some(open) = (distances[partner(r)] - positive_margin).open() {
                    add_signs(error, seen.row(r), seen.row(partner(r)), own * open);
                }
                for k in negatives(r) {
                    if let Some(open) = (negative_margin - distances[k]).open() {
                        add_signs(error, seen.row(r), seen.row(k), other * open * (shares[r] + shares[k]));
                    }
                }
            });
        };
        tell(samples, errors.current);
        if let Some(stored_errors) = errors.stored {
            tell(0, stored_errors);
        }
        Comparison::sum(items)
    }

    fn faults(&self) -> Vec<Fault> {
        margin_faults(self.margins)
    }
}
