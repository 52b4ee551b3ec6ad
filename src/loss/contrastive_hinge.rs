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

use super::{Comparison, Criterion, Embeddings, Errors, StoredView, Workspace};
use crate::fault::Fault;

/// Which stored items a current item must keep away from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Negatives {
    /// Every other item of the batch; both views learn unless `gradient_block` says otherwise.
    All,
    /// This many items seen just before, from short-term memory, which is a constant unless `gradient_block` says
    /// otherwise. The first items of a batch have fewer.
    Stored(usize),
}

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

    /// The stored items that current item `j` of `samples` is set against.
    fn negatives_of(&self, j: usize, samples: usize) -> impl Iterator<Item = usize> {
        let range = match self.negatives {
            Negatives::All => 0..samples,
            Negatives::Stored(items) => j.saturating_sub(items)..j,
        };
        range.filter(move |&i| i != j)
    }

    /// The current items that stored item `i` of `samples` is a negative of.
    fn negative_for(&self, i: usize, samples: usize) -> impl Iterator<Item = usize> {
        let range = match self.negatives {
            Negatives::All => 0..samples,
            Negatives::Stored(items) => i + 1..samples.min(items.saturating_add(i + 1)),
        };
        range.filter(move |&j| j != i)
    }
}

impl Criterion for ContrastiveHinge {
    fn stored_view(&self) -> StoredView {
        if self.gradient_block.unwrap_or(matches!(self.negatives, Negatives::Stored(_))) {
            StoredView::Constant
        } else {
            StoredView::Learns
        }
    }

    fn compare(&self, seen: Embeddings<'_>, errors: Errors<'_>, workspace: &mut Workspace) -> Comparison {
        let (units, samples) = (seen.shape.len(), seen.samples());
        let items = &mut workspace.items;
        items.resize(samples, Comparison::default());
        let stored = |i: usize| &seen.stored[i * units..][..units];
        let current = |j: usize| &seen.current[j * units..][..units];
        let (positive_margin, negative_margin) = self.margins;
        let weight = self.negative_weight();

        errors.current.par_chunks_mut(units).zip(items.par_iter_mut()).enumerate().for_each(|(j, (error, item))| {
            error.fill(0.0);
            *item = Comparison { pairs: 1, ..Comparison::default() };
            let excess = distance(stored(j), current(j)) - positive_margin;
            if active(excess) {
                item.loss += f64::from(excess);
                item.active += 1;
                add_signs(error, current(j), stored(j), 1.0);
            }
            for i in self.negatives_of(j, samples) {
                item.pairs += 1;
                let lack = negative_margin - distance(stored(i), current(j));
                if active(lack) {
                    item.loss += f64::from(weight) * f64::from(lack);
                    item.active += 1;
                    add_signs(error, current(j), stored(i), -weight);
                }
            }
        });
        if let Some(stored_errors) = errors.stored {
            stored_errors.par_chunks_mut(units).enumerate().for_each(|(i, error)| {
                error.fill(0.0);
                if active(distance(stored(i), current(i)) - positive_margin) {
                    add_signs(error, stored(i), current(i), 1.0);
                }
                for j in self.negative_for(i, samples) {
                    if active(negative_margin - distance(stored(i), current(j))) {
                        add_signs(error, stored(i), current(j), -weight);
                    }
                }
            });
        }
        let mut total = Comparison::default();
        items.iter().for_each(|item| total.add(*item));
        total
    }

    fn faults(&self) -> Vec<Fault> {
        let (positive, negative) = self.margins;
        let mut faults: Vec<Fault> = [
            Fault::unless_positive("margins", positive),
            Fault::unless_positive("margins", negative),
            self.weight.and_then(|weight| Fault::unless_positive("weight", weight)),
        ]
        .into_iter()
        .flatten()
        .collect();
        if faults.is_empty() && positive >= negative {
            faults.push(Fault::new(
                "margins",
                format!(
                    "positive pairs are let be within {positive}, negative pairs beyond {negative}: a pair can be both"
                ),
                "make the second margin the larger one, such as (1.0, 3.0)",
            ));
        }
        if self.negatives == Negatives::Stored(0) {
            faults.push(Fault::new(
                "negatives",
                "no negatives: all embeddings would collapse into one",
                "store at least 1 item, such as Stored(4)",
            ));
        }
        faults
    }
}

/// Whether a hinge is open. One that is no number is: a network that has lost its numbers must not look satisfied.
fn active(excess: f32) -> bool {
    excess > 0.0 || excess.is_nan()
}

/// L1 distance, summed in sixteen lanes so that it is one order on every processor.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0f32; 16];
    let (a_blocks, b_blocks) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: f32 = a_blocks.remainder().iter().zip(b_blocks.remainder()).map(|(p, q)| (p - q).abs()).sum();
    for (p, q) in a_blocks.zip(b_blocks) {
        for lane in 0..16 {
            lanes[lane] += (p[lane] - q[lane]).abs();
        }
    }
    lanes.iter().sum::<f32>() + rest
}

/// error += factor * sign(from - to), the derivative of |from - to| by `from`; equal values give none.
fn add_signs(error: &mut [f32], from: &[f32], to: &[f32], factor: f32) {
    for ((e, &f), &t) in error.iter_mut().zip(from).zip(to) {
        *e += if f > t {
            factor
        } else if f < t {
            -factor
        } else {
            0.0
        };
    }
}
