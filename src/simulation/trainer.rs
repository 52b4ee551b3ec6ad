//! The trainer: epochs of batches of views, from any position in time to the end or to a request to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::checkpoint::Position;
use super::{Batch, Learning, Simulation, Training};
use crate::data::{Dataset, Views};
use crate::error::{Error, Result};
use crate::loss::{Comparison, StoredView};
use crate::rng::Stream;

/// A training run in progress.
#[derive(Debug)]
pub struct Trainer<'a> {
    simulation: Simulation,
    dataset: &'a Dataset,
    views: Views,
    training: Training,
    position: Position,
    order: Vec<usize>,
    stored: Vec<f32>,
    current: Vec<f32>,
    labels: Vec<u8>,
}

/// One epoch's figures: a line of the metrics file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Counted from 1.
    pub epoch: u64,
    /// Weight updates so far.
    pub updates: u64,
    /// Mean loss of a batch.
    pub loss: f64,
    /// Share of compared pairs whose hinge was active, 0 to 1.
    pub active: f64,
    /// Pairs of views learned from a second, in this session's part of the epoch.
    pub pairs_per_s: f64,
}

/// Where training stands, after each step.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// Batches done since the start of the run, and in all.
    pub steps: u64,
    /// Batches of the whole run.
    pub steps_in_all: u64,
    /// The epoch at hand, counted from 1.
    pub epoch: u64,
    /// What the last comparison found.
    pub found: Comparison,
}

/// How a session of training ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Whether all epochs are done; otherwise a stop was asked for.
    pub complete: bool,
    /// Pairs learned from in this session.
    pub pairs: u64,
    /// Time spent on them.
    pub duration: Duration,
}

/// Whether batches of views can be made of `dataset`, with labels if `learning` asks for them.
pub(super) fn check(learning: &Learning, training: &Training, views: &Views, dataset: &Dataset) -> Result<()> {
    views.check(dataset)?;
    let (pairs, images) = (training.pairs, dataset.viewed().len());
    let kind = if dataset.unlabelled.is_some() { "unlabelled" } else { "training" };
    if images < pairs {
        return Err(Error::usage(
            format!("a batch has {pairs} pairs, but {} has {images} {kind} images", dataset.name),
            "lower training.pairs or take more images",
        ));
    }
    if learning.loss.is_supervised() && !dataset.viewed().is_labelled() {
        return Err(Error::usage(
            format!("the loss compares with labels, but views are made of {}'s unlabelled images", dataset.name),
            "write unlabelled: false in the data field, or choose a loss without labels",
        ));
    }
    Ok(())
}

impl<'a> Trainer<'a> {
    /// Trains `simulation` on `dataset` from `position` on.
    ///
    /// # Errors
    /// The data set is smaller than a batch, or the views cannot be drawn from it.
    pub fn new(
        simulation: Simulation,
        dataset: &'a Dataset,
        views: Views,
        training: Training,
        position: Position,
    ) -> Result<Trainer<'a>> {
        check(simulation.learning(), &training, &views, dataset)?;
        let values = training.pairs * dataset.shape.len();
        Ok(Trainer {
            simulation,
            dataset,
            views,
            training,
            position,
            order: Vec::new(),
            stored: vec![0.0; values],
            current: vec![0.0; values],
            labels: Vec::new(),
        })
    }

    /// The simulation as it stands.
    pub fn simulation(&self) -> &Simulation {
        &self.simulation
    }

    /// Gives the simulation back.
    pub fn into_simulation(self) -> Simulation {
        self.simulation
    }

    /// The place in time.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Trains until all epochs are done or `stop` is set, which takes effect after the step at hand. `progress` is told
    /// of each step, `epoch_done` of each epoch; the images that are left after the last whole batch of an epoch rest.
    ///
    /// # Errors
    /// The loss is no longer finite, or `epoch_done` fails.
    pub fn run(
        &mut self,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(Progress),
        epoch_done: &mut dyn FnMut(&Trainer<'_>, Epoch) -> Result<()>,
    ) -> Result<Outcome> {
        let start = Instant::now();
        let mut pairs = 0;
        let batches = (self.dataset.viewed().len() / self.training.pairs) as u64;
        while self.position.epoch < self.training.epochs {
            let epoch_start = Instant::now();
            let first_batch = self.position.batch;
            self.shuffle();
            while self.position.batch < batches {
                if stop.load(Ordering::Relaxed) {
                    return Ok(Outcome { complete: false, pairs, duration: start.elapsed() });
                }
                let found = self.step()?;
                pairs += self.training.pairs as u64;
                progress(Progress {
                    steps: self.position.epoch * batches + self.position.batch,
                    steps_in_all: self.training.epochs.saturating_mul(batches),
                    epoch: self.position.epoch + 1,
                    found,
                });
            }
            let learned = batches.saturating_sub(first_batch) * self.training.pairs as u64;
            let epoch = Epoch {
                epoch: self.position.epoch + 1,
                updates: self.simulation.state().updates(),
                loss: self.position.found.loss / batches as f64,
                active: self.position.found.active_share(),
                pairs_per_s: learned as f64 / epoch_start.elapsed().as_secs_f64(),
            };
            if !self.simulation.is_finite() {
                return Err(diverged(format!("weights left the finite numbers in epoch {}", epoch.epoch)));
            }
            self.position = Position { epoch: self.position.epoch + 1, ..Position::default() };
            epoch_done(self, epoch)?;
        }
        Ok(Outcome { complete: true, pairs, duration: start.elapsed() })
    }

    /// Draws this epoch's order of images, a function of seed and epoch alone.
    fn shuffle(&mut self) {
        self.order.clear();
        self.order.extend(0..self.dataset.viewed().len());
        self.stream().named("order").at(self.position.epoch).rng().shuffle(&mut self.order);
    }

    fn step(&mut self) -> Result<Comparison> {
        let Position { epoch, batch, .. } = self.position;
        let samples = &self.order[batch as usize * self.training.pairs..][..self.training.pairs];
        let stream = self.stream();
        if self.simulation.learning().loss.is_supervised() {
            self.labels.clear();
            self.labels.extend(samples.iter().map(|&sample| self.dataset.viewed().label(sample) as u8));
        }
        if self.simulation.learning().loss.stored_view() != StoredView::Absent {
            self.views.draw(self.dataset, samples, stream, epoch, 0, &mut self.stored);
        }
        self.views.draw(self.dataset, samples, stream, epoch, 1, &mut self.current);
        let found = self.simulation.step(Batch { stored: &self.stored, current: &self.current, labels: &self.labels });
        if !found.loss.is_finite() {
            return Err(diverged(format!(
                "the loss became {} in epoch {}, batch {}",
                found.loss,
                epoch + 1,
                batch + 1
            )));
        }
        self.position.batch += 1;
        self.position.found.add(found);
        Ok(found)
    }

    fn stream(&self) -> Stream {
        Stream::new(self.training.seed)
    }
}

/// The end of a run whose numbers were lost.
fn diverged(problem: String) -> Error {
    Error::Diverged { problem, remedy: "lower the learning rate and train anew".to_string() }
}
