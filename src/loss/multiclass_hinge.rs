//! The multi-class hinge, a supervised reference in which every output has a threshold of its own (Amit 2019): the
//! current view alone is shown, and every one of the C values of the head stands for a class. The mean over n items, of
//! classes c_j:
//!
//! ```text
//! L = 1/n * sum_j ( [1 - y_j[c_j]]+  +  off_class / (C - 1) * sum over k != c_j of [1 + y_jk]+ )
//! ```

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Comparison, Embeddings, Errors, Formula, StoredView, Workspace};
use crate::fault::Fault;
use crate::number::Number;
use crate::threads::least;

/// Settings of the multi-class hinge.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MulticlassHinge {
    /// Weight of all wrong classes together, where the right one has 1.
    pub off_class: f32,
}

impl Default for MulticlassHinge {
    fn default() -> Self {
        MulticlassHinge { off_class: 1.0 }
    }
}

impl Formula for MulticlassHinge {
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
        let right = 1.0 / samples as f32;
        let wrong = right * self.off_class / (units.max(2) - 1) as f32;
        let (right, wrong, one) = (N::from(-right), N::from(wrong), N::from(1.0));
        let (items, []) = workspace.take(samples, []);

        let found = errors.current.par_chunks_mut(units).zip(items.par_iter_mut());
        found.with_min_len(least()).enumerate().for_each(|(j, (error, item))| {
            let label = seen.labels.of(j);
            *item = Comparison { pairs: units as u64, ..Comparison::default() };
            for (k, (e, &output)) in error.iter_mut().zip(seen.current(j)).enumerate() {
                let excess = label.choose(k, one - output, one + output);
                *e = N::default();
                if let Some(open) = excess.open() {
                    let slope = label.choose(k, right, wrong);
                    item.loss += slope.abs().report() * excess.report();
                    item.active += 1;
                    *e = slope * open;
                }
            }
        });
        Comparison::sum(items)
    }

    fn faults(&self) -> Vec<Fault> {
        Fault::unless_positive("off_class", self.off_class).into_iter().collect()
    }
}
