//! Softmax cross-entropy with labels, a supervised reference: the current view alone is shown, and every value of the
//! head is the logit of a class. The mean over n items, of classes c_j:
//!
//! ```text
//! L = 1/n * sum_j ( log sum_k exp(y_jk) - y_j[c_j] )
//! ```

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::matrix::softmax;
use super::{Comparison, Criterion, Embeddings, Errors, StoredView, Workspace};
use crate::fault::Fault;

/// Cross-entropy; it has no settings.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrossEntropy {}

impl Criterion for CrossEntropy {
    fn stored_view(&self) -> StoredView {
        StoredView::Absent
    }

    fn is_supervised(&self) -> bool {
        true
    }

    fn compare(&self, seen: Embeddings<'_>, errors: Errors<'_>, workspace: &mut Workspace) -> Comparison {
        let (units, samples) = (seen.shape.len(), seen.samples());
        let share = 1.0 / samples as f64;
        let (items, []) = workspace.take(samples, []);

        errors.current.par_chunks_mut(units).zip(items.par_iter_mut()).enumerate().for_each(|(j, (error, item))| {
            let class = usize::from(seen.labels[j]);
            error.copy_from_slice(seen.current(j));
            let loss = softmax(error) - f64::from(seen.current(j)[class]);
            *item = Comparison { loss: share * loss, active: 1, pairs: 1 };
            error[class] -= 1.0;
            error.iter_mut().for_each(|e| *e *= share as f32);
        });
        Comparison::sum(items)
    }

    fn faults(&self) -> Vec<Fault> {
        Vec::new()
    }
}
