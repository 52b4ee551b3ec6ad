//! The trainer: epochs of batches of views, from any position in time to the end or to a request to stop.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::checkpoint::{Found, Position};
use super::{Batch, Learning, Simulation, Staging, Training};
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
    /// The block that learned, named by its top unit, where blocks learn one after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
    /// Mean loss of a batch.
    pub loss: f64,
    /// Share of compared pairs whose hinge was active, 0 to 1.
    pub active: f64,
    /// Multiply-adds that events asked for.
    pub multiply_adds: u64,
    /// Pairs of views learned from a second, in this session's part of the epoch.
    pub pairs_per_s: f64,
    /// What each block found, where a block is drawn for each batch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<BlockEpoch>,
}

/// One block's figures of an epoch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockEpoch {
    /// The top unit of the block.
    pub block: String,
    /// Batches from which it learned.
    pub batches: u64,
    /// Mean loss of these; none if there was none.
    pub loss: Option<f64>,
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
    /// The stage at hand.
    pub stage: usize,
    /// What the last comparison found.
    pub found: Comparison,
    /// Mean loss of a batch in the epoch at hand, up to here.
    pub mean_loss: f64,
    /// Share of compared pairs whose hinge was active in the epoch at hand, 0 to 1.
    pub active: f64,
    /// Pairs learned from a second, views included, since this session began.
    pub pairs_per_s: f64,
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

/// How a learning step is taken: by which simulation, from which batch, and which step of the run it is, counted from 1.
pub type Take<'t> = dyn FnMut(&mut Simulation, Batch<'_>, u64) -> Result<Comparison> + 't;

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
    pub fn position(&self) -> &Position {
        &self.position
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
        self.run_taking(stop, &mut |simulation, batch, _| Ok(simulation.step(batch)), progress, epoch_done)
    }

    /// The same with each step taken by `take`, so that it can be looked at.
    ///
    /// # Errors
    /// As for [`Trainer::run`]; also if `take` fails.
    pub fn run_taking(
        &mut self,
        stop: &AtomicBool,
        take: &mut Take<'_>,
        progress: &mut dyn FnMut(Progress),
        epoch_done: &mut dyn FnMut(&Trainer<'_>, Epoch) -> Result<()>,
    ) -> Result<Outcome> {
        let start = Instant::now();
        let mut pairs = 0;
        let batches = (self.dataset.viewed().len() / self.training.pairs) as u64;
        let epochs = self.epochs();
        while self.position.epoch < epochs {
            let epoch_start = Instant::now();
            let first_batch = self.position.batch;
            self.shuffle();
            while self.position.batch < batches {
                if stop.load(Ordering::Relaxed) {
                    return Ok(Outcome { complete: false, pairs, duration: start.elapsed() });
                }
                let (stage, found) = self.step(batches, take)?;
                let so_far = self.found();
                pairs += self.training.pairs as u64;
                progress(Progress {
                    steps: self.position.epoch * batches + self.position.batch,
                    steps_in_all: epochs.saturating_mul(batches),
                    epoch: self.position.epoch + 1,
                    stage,
                    found,
                    mean_loss: so_far.loss / self.position.batch as f64,
                    active: so_far.active_share(),
                    pairs_per_s: pairs as f64 / start.elapsed().as_secs_f64(),
                });
            }
            let learned = batches.saturating_sub(first_batch) * self.training.pairs as u64;
            let epoch = self.epoch(batches, learned as f64 / epoch_start.elapsed().as_secs_f64());
            if !self.simulation.is_finite() {
                return Err(diverged(format!("weights left the finite numbers in epoch {}", epoch.epoch)));
            }
            self.position = Position { epoch: self.position.epoch + 1, ..Position::default() };
            epoch_done(self, epoch)?;
        }
        Ok(Outcome { complete: true, pairs, duration: start.elapsed() })
    }

    /// The figures of the epoch that ends here.
    fn epoch(&self, batches: u64, pairs_per_s: f64) -> Epoch {
        let (found, stages) = (&self.position.found, self.simulation.stages());
        let sum = self.found();
        let staging = self.simulation.learning().staging;
        let learned = found.iter().position(|found| found.batches > 0).filter(|_| staging == Staging::Greedy);
        let drawn = stages.iter().zip(found).filter(|_| matches!(staging, Staging::Random { .. }));
        Epoch {
            epoch: self.position.epoch + 1,
            updates: self.simulation.state().updates(),
            block: learned.map(|stage| stages[stage].name.clone()),
            loss: sum.loss / batches as f64,
            active: sum.active_share(),
            multiply_adds: found.iter().map(|found| found.multiply_adds).sum(),
            pairs_per_s,
            blocks: drawn
                .map(|(stage, found)| BlockEpoch {
                    block: stage.name.clone(),
                    batches: found.batches,
                    loss: (found.batches > 0).then(|| found.sum.loss / found.batches as f64),
                })
                .collect(),
        }
    }

    /// The sum of what all stages found in the epoch at hand.
    fn found(&self) -> Comparison {
        let mut sum = Comparison::default();
        self.position.found.iter().for_each(|found| sum.add(found.sum));
        sum
    }

    /// Epochs of the whole run.
    fn epochs(&self) -> u64 {
        self.simulation.learning().staging.epochs(self.training.epochs, self.simulation.stages().len())
    }

    /// Draws this epoch's order of images, a function of seed and epoch alone.
    fn shuffle(&mut self) {
        self.order.clear();
        self.order.extend(0..self.dataset.viewed().len());
        self.stream().named("order").at(self.position.epoch).rng().shuffle(&mut self.order);
    }

    /// Learns from one of the `batches` of an epoch; says which stage did, and what it found.
    fn step(&mut self, batches: u64, take: &mut Take<'_>) -> Result<(usize, Comparison)> {
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
        let stages = self.simulation.stages().len();
        let staging = self.simulation.learning().staging;
        let stage = staging.stage(stages, self.training.epochs, epoch, epoch * batches + batch, stream);
        self.simulation.enter(stage);
        self.simulation.clear_work();
        let views = Batch { labels: &self.labels, ..Batch::views(&self.stored, &self.current) };
        let found = take(&mut self.simulation, views, epoch * batches + batch + 1)?;
        if !found.loss.is_finite() {
            return Err(diverged(format!(
                "the loss became {} in epoch {}, batch {}",
                found.loss,
                epoch + 1,
                batch + 1
            )));
        }
        self.position.batch += 1;
        self.position.found.resize(stages, Found::default());
        self.position.found[stage].batches += 1;
        self.position.found[stage].sum.add(found);
        self.position.found[stage].multiply_adds += self.simulation.state().work().sum().done;
        Ok((stage, found))
    }

    fn stream(&self) -> Stream {
        Stream::new(self.training.seed)
    }
}

/// The end of a run whose numbers were lost.
fn diverged(problem: String) -> Error {
    Error::Diverged { problem, remedy: "lower the learning rate and train anew".to_string() }
}
