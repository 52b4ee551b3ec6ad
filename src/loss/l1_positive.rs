//! Positive pairs alone, a control: nothing keeps embeddings apart, so they collapse into one. With d the L1 distance,
//! a the stored and y the current view of n items, both of which learn (Tang, Yang and Amit's programs):
//!
//! ```text
//! L = 1 / (2 n^2) * sum_j d(a_j, y_j)
//! ```

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::hinge::{add_signs, distance};
use super::{Comparison, Embeddings, Errors, Formula, StoredView, Workspace};
use crate::number::Number;
use crate::threads::least;

/// L1 on positives; it has no settings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct L1Positive {}

impl Formula for L1Positive {
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
        let factor = 0.5 / (samples as f64 * samples as f64);
        let (items, []) = workspace.take(samples, []);

        let found = errors.current.par_chunks_mut(units).zip(items.par_iter_mut());
        found.with_min_len(least()).enumerate().for_each(|(j, (error, item))| {
            let d = distance(seen.stored(j), seen.current(j));
            *item = Comparison { loss: factor * d.report(), active: d.open().is_some().into(), pairs: 1 };
            error.fill(N::default());
            add_signs(error, seen.current(j), seen.stored(j), N::from(factor as f32));
        });
        if let Some(stored_errors) = errors.stored {
            stored_errors.iter_mut().zip(&*errors.current).for_each(|(stored, current)| *stored = -*current);
        }
        Comparison::sum(items)
    }
}
