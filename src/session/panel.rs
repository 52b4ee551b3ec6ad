//! The instruments of a session: recordings go to the metrics, and embeddings that collapse are news.

use std::cell::RefCell;

use super::Stage;
use super::metrics::Metrics;
use crate::error::Result;
use crate::instruments::Recorder;
use crate::kernels::Isa;
use crate::loss::Comparison;
use crate::network::UnitId;
use crate::simulation::{Batch, Experiment, Simulation};

/// Takes the steps of a session, with instruments or without.
pub(super) struct Panel<'a> {
    recorder: Option<Recorder>,
    metrics: &'a Metrics,
    /// What the watcher has yet to hear.
    news: &'a RefCell<Vec<Stage>>,
    /// Heads of which it was told.
    collapsed: Vec<UnitId>,
}

impl<'a> Panel<'a> {
    pub(super) fn new(experiment: &Experiment, isa: Isa, metrics: &'a Metrics, news: &'a RefCell<Vec<Stage>>) -> Self {
        Panel { recorder: Recorder::new(experiment, isa), metrics, news, collapsed: Vec::new() }
    }

    /// Takes one learning step, and records it if its turn has come.
    pub(super) fn take(&mut self, simulation: &mut Simulation, batch: Batch<'_>, step: u64) -> Result<Comparison> {
        let Some(recorder) = self.recorder.as_mut().filter(|recorder| recorder.is_due(step)) else {
            return Ok(simulation.step(batch));
        };
        let (found, recording) = recorder.step(simulation, batch, step)?;
        // A run whose numbers are lost ends here, and JSON has no word for them.
        if found.loss.is_finite() {
            self.metrics.append(&recording)?;
        }
        for head in recording.collapsed().filter_map(|head| simulation.network().find(head)) {
            if !self.collapsed.contains(&head) {
                self.collapsed.push(head);
                self.news.borrow_mut().push(Stage::Collapsed { head });
            }
        }
        Ok(found)
    }
}
