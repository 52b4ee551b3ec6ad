//! Softmax cross-entropy with labels, a supervised reference: the current view alone is shown, and every value of the
//! head is the logit of a class. The mean over n items, of classes c_j:
//!
//! ```text
//! L = 1/n * sum_j ( log sum_k exp(y_jk) - y_j[c_j] )
//! ```

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::matrix::softmax;
use super::{Comparison, Embeddings, Errors, Formula, StoredView, Workspace};
use crate::number::Number;
use crate::threads::least;

/// Cross-entropy; it has no settings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrossEntropy {}

impl Formula for CrossEntropy {
    fn stored_view(&self) -> StoredView {
        StoredView::Absent
    }

    fn is_supervised(&self) -> bool {
        true
    }

    fn evaluate<N: Number>(
        &self,
        seen: Embeddings<'_, N>,
        errors: Errors<'_, N>,
        workspace: &mut Workspace<N>,
    ) -> Comparison {
        let (units, samples) = (seen.shape.len(), seen.samples());
        let share = 1.0 / samples as f64;
        let factor = N::from(share as f32);
        let (items, []) = workspace.take(samples, []);

        let found = errors.current.par_chunks_mut(units).zip(items.par_iter_mut());
        found.with_min_len(least()).enumerate().for_each(|(j, (error, item))| {
            let label = seen.labels.of(j);
            error.copy_from_slice(seen.current(j));
            let loss = softmax(error).report() - label.pick(seen.current(j)).report();
            *item = Comparison { loss: share * loss, active: 1, pairs: 1 };
            for (class, e) in error.iter_mut().enumerate() {
                *e = (*e - label.choose(class, N::from(1.0), N::default())) * factor;
            }
        });
        Comparison::sum(items)
    }
}
