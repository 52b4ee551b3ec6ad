//! What others have published for an experiment: cited in its file, shown beside what its runs find.

use serde::{Deserialize, Serialize};

use crate::fault::Fault;

/// A published result. It changes nothing that a run does.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Published {
    /// Percent of test images whose label a read-out found.
    pub accuracy: Option<f64>,
    /// Who found it, where it stands, and in what it differs from the experiment.
    pub source: Option<String>,
}

impl Published {
    /// What is wrong with the number; its place is its field.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let impossible = self.accuracy.filter(|accuracy| !(0.0..=100.0).contains(accuracy));
        let fault = |accuracy: f64| {
            Fault::new("accuracy", format!("{accuracy} is no share of images in percent"), "use a value from 0 to 100")
        };
        impossible.map(fault).into_iter().collect()
    }
}
