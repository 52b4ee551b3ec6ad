//! SimCLR's NT-Xent (Chen, Kornblith, Norouzi and Hinton 2020): each view of an item picks out the other one among all
//! views of the batch, by cosine similarity. The 2n rows x are the embeddings of both views of n items, each divided by
//! its length; p is the partner of r, T the temperature:
//!
//! ```text
//! L = 1/n * sum_r ( log sum over k != r of exp(x_r . x_k / T)  -  x_r . x_p / T )
//! ```
//!
//! That is the sum of the two views' mean cross-entropies. Normalisation, inner products and a softmax over the batch
//! make it a reference, not a local rule.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::hinge::inner;
use super::matrix::{multiply, softmax, transpose};
use super::{Comparison, Embeddings, Errors, Formula, StoredView, Workspace};
use crate::fault::Fault;
use crate::number::Number;
use crate::threads::least;

/// Below this temperature logits tell similarities apart that are equal but for rounding.
const COLDEST: f32 = 1e-4;

/// Rows that are turned over at once, so that whole cache lines are read.
const BLOCK: usize = 16;

/// Settings of NT-Xent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NtXent {
    /// What similarities are divided by.
    pub temperature: f32,
}

impl Default for NtXent {
    fn default() -> Self {
        NtXent { temperature: 0.1 }
    }
}

impl Formula for NtXent {
    fn stored_view(&self) -> StoredView {
        StoredView::Learns
    }

    fn evaluate<N: Number>(
        &self,
        seen: Embeddings<'_, N>,
        errors: Errors<'_, N>,
        workspace: &mut Workspace<N>,
    ) -> Comparison {
        let (units, samples) = (seen.shape.len(), seen.samples());
        let rows = 2 * samples;
        let partner = |r: usize| (r + samples) % rows;
        let (square, values) = (rows * rows, rows * units);
        let (items, [directions, turned, inverse_lengths, chances, pulls, slopes]) =
            workspace.take(rows, [values, values, rows, square, square, values]);

        let normalised = directions.par_chunks_mut(units).zip(inverse_lengths.par_iter_mut()).with_min_len(least());
        normalised.enumerate().for_each(|(r, (direction, inverse))| *inverse = normalise(seen.row(r), direction));
        transpose(directions, units, turned);
        multiply(directions, turned, rows, chances);

        // Similarities become the chances with which each row takes each other one for its partner.
        let (scale, share) = (1.0 / self.temperature, 1.0 / samples as f64);
        let factor = N::from(scale * share as f32);
        let scale = N::from(scale);
        let found = chances.par_chunks_mut(rows).zip(items.par_iter_mut());
        found.with_min_len(least()).enumerate().for_each(|(r, (row, item))| {
            row.iter_mut().for_each(|similarity| *similarity *= scale);
            row[r] = N::from(f32::NEG_INFINITY);
            let own = row[partner(r)].report();
            let compared = rows as u64 - 1;
            *item = Comparison { loss: share * (softmax(row).report() - own), active: compared, pairs: compared };
        });

        // A similarity moves the losses of both its ends.
        pulls.par_chunks_mut(BLOCK * rows).with_min_len(least()).enumerate().for_each(|(block, pulls)| {
            let first = block * BLOCK;
            for k in 0..rows {
                for (r, pulls) in (first..).zip(pulls.chunks_exact_mut(rows)) {
                    let right = N::from(if k == partner(r) { 2.0 } else { 0.0 });
                    pulls[k] = factor * (chances[r * rows + k] + chances[k * rows + r] - right);
                }
            }
        });
        multiply(pulls, directions, units, slopes);

        // Along an embedding's own direction nothing changes.
        let tell = |first: usize, errors: &mut [N]| {
            errors.par_chunks_mut(units).with_min_len(least()).enumerate().for_each(|(index, error)| {
                let r = first + index;
                let (direction, slope) = (&directions[r * units..][..units], &slopes[r * units..][..units]);
                let along = inner(direction, slope);
                for ((e, &s), &d) in error.iter_mut().zip(slope).zip(direction) {
                    *e = inverse_lengths[r] * (s - along * d);
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
        let fault = Fault::unless_positive("temperature", self.temperature).or_else(|| {
            (self.temperature < COLDEST).then(|| {
                let problem = format!("at a temperature of {} rounding decides between similarities", self.temperature);
                Fault::new("temperature", problem, format!("use at least {COLDEST}, such as 0.1"))
            })
        });
        fault.into_iter().collect()
    }
}

/// Divides a row by its length and gives the inverse of that. A row of zeros has no direction, and gets no error.
fn normalise<N: Number>(row: &[N], direction: &mut [N]) -> N {
    let length = row.iter().map(|value| value.wide() * value.wide()).sum::<N::Wide>().sqrt();
    let inverse = N::Wide::from(1.0f32).over(length);
    direction.iter_mut().zip(row).for_each(|(d, value)| *d = N::narrow(value.wide() * inverse));
    N::narrow(inverse)
}
