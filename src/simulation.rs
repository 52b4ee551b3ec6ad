//! Time: a network, its state and its plan, stepping through batches.

mod checkpoint;
mod datasets;
mod description;
mod executor;
mod experiment;
mod heads;
mod instruments;
mod memory;
mod published;
mod readout;
mod run;
mod staging;
mod trainer;

pub use checkpoint::{Found, Position};
pub use datasets::{Datasets, Folders, data_faults};
pub use experiment::{Experiment, Learning, Targets, Training};
pub use instruments::Instruments;
pub use published::Published;
pub use readout::Readout;
pub use run::{
    Manifest, RunDirectory, checkpoint_of, distances_of, experiment_of, holds_run, read_manifest, summary_of,
};
pub(crate) use run::{folder_for, write_atomically, write_json};
pub use staging::{Draw, Stage, Staging};
pub use trainer::{BlockEpoch, Epoch, Outcome, Progress, Take, Trainer};

pub use executor::Batch;
use executor::Executor;

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::kernels::Isa;
use crate::locality::{Provision, Slot, State, Tensor, View};
use crate::loss::{Comparison, Criterion};
use crate::network::{Network, UnitId};
use crate::schedule::{Passage, Plan, Step, walk};
use crate::threads;

/// A network that runs and learns.
#[derive(Debug, Clone)]
pub struct Simulation {
    network: Network,
    learning: Learning,
    stages: Vec<Stage>,
    /// The stage at hand.
    stage: usize,
    /// Whether brief steps are shared among threads, too.
    shares: bool,
    state: State,
}

impl Simulation {
    /// A simulation of `network` under `learning`, for batches of up to `pairs` images, with first weights drawn from
    /// `seed`, on the instruction set that the environment forces or the processor's widest.
    ///
    /// # Errors
    /// The environment forces an instruction set that the processor lacks.
    pub fn new(network: Network, learning: Learning, pairs: usize, seed: u64) -> Result<Simulation> {
        let isa = Isa::from_environment()?;
        Ok(Simulation::on(isa, network, learning, pairs, seed))
    }

    /// The same on a given instruction set.
    pub fn on(isa: Isa, network: Network, learning: Learning, pairs: usize, seed: u64) -> Simulation {
        let stages = staging::stages(&network, &learning);
        let targets = learning.targets();
        let provision = Provision {
            optimizer: &learning.optimizer,
            inverse_optimizer: &targets.inverse_optimizer,
            isa,
            arithmetic: learning.arithmetic,
            samples: pairs,
            places: &stages.iter().flat_map(|stage| stage.plan.places(&network)).collect(),
            keep_stored: stages.iter().any(|stage| stage.plan.keeps_stored(&network)),
            seed,
            target_step: targets.step,
        };
        let state = State::new(&network, &provision);
        Simulation { network, learning, stages, stage: 0, shares: false, state }
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// How it learns.
    pub fn learning(&self) -> &Learning {
        &self.learning
    }

    /// What learns at once: all of the network, or one block after the other.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Says which stage learns from the next step on.
    ///
    /// # Panics
    /// If there is no such stage.
    pub fn enter(&mut self, stage: usize) {
        assert!(stage < self.stages.len(), "stage {stage} of {}", self.stages.len());
        self.stage = stage;
    }

    /// The number of the stage that learns.
    pub fn stage(&self) -> usize {
        self.stage
    }

    /// Everything that changes.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The same, but every step keeps each drive and error until the next one, though it could do without; it gives the
    /// same bits.
    pub fn keeping(mut self) -> Simulation {
        self.state.keep();
        self
    }

    /// The same, but every step is shared among threads, though it may be over sooner on one; it gives the same bits.
    pub fn sharing(mut self) -> Simulation {
        self.shares = true;
        self
    }

    /// Starts counting multiply-adds anew.
    pub fn clear_work(&mut self) {
        self.state.clear_work();
    }

    /// One learning step.
    ///
    /// # Panics
    /// If the views differ in length, are no whole images, or are more than the simulation was made for; if a
    /// supervised loss is not given a label for each.
    pub fn step(&mut self, batch: Batch<'_>) -> Comparison {
        self.step_watched(batch, &mut |_, _| {})
    }

    /// A learning step under the eyes of `watcher`, which is shown what was taken in one go and the state after it.
    pub fn step_watched(&mut self, batch: Batch<'_>, watcher: &mut dyn FnMut(&[Step], &State)) -> Comparison {
        let Simulation { network, learning, stages, stage, shares, state } = self;
        let samples = samples(network, learning, batch);
        state.begin(samples);
        let executor = executor(network, learning, batch);
        let mut found = Comparison::default();
        let plan = &stages[*stage].plan;
        threads::work(!*shares && plan.is_brief(samples), || {
            for beat in plan.beats() {
                executor.take_beat(beat, state, &mut found);
                watcher(beat, state);
            }
        });
        state.tick();
        found
    }

    /// A learning step, step by step, under the eyes of `observer`, which is shown every step of the plan and the state
    /// after it. It gives the same bits as [`Simulation::step`].
    pub fn step_observed(&mut self, batch: Batch<'_>, observer: &mut dyn FnMut(Step, &State)) -> Comparison {
        let Simulation { network, learning, stages, stage, state, .. } = self;
        state.begin(samples(network, learning, batch));
        let executor = executor(network, learning, batch);
        let mut found = Comparison::default();
        for &step in stages[*stage].plan.steps() {
            executor.take(step, state, &mut found);
            observer(step, state);
        }
        state.tick();
        found
    }

    /// Takes one step of a learning step under a loss and nothing else, for an audit that looks at what it does.
    pub(crate) fn take(&mut self, step: Step, batch: Batch<'_>, loss: &dyn Criterion) -> Comparison {
        let Simulation { network, learning, state, .. } = self;
        state.begin(samples(network, learning, batch));
        let mut found = Comparison::default();
        Executor { loss, ..executor(network, learning, batch) }.take(step, state, &mut found);
        found
    }

    /// Everything that changes, for an audit that disturbs it.
    pub(crate) fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    /// A learning step without a plan: the scheduler walks and each event is executed as it happens. It gives the same
    /// bits as [`Simulation::step`].
    pub fn walk(&mut self, batch: Batch<'_>) -> Comparison {
        let Simulation { network, learning, stages, stage, state, .. } = self;
        state.begin(samples(network, learning, batch));
        let executor = executor(network, learning, batch);
        let mut found = Comparison::default();
        walk(network, learning.passage(&stages[*stage].heads), &mut |step| executor.take(step, state, &mut found));
        state.tick();
        found
    }

    /// Shows `images` to the network, without learning, as far as `unit` needs them; its activity is appended to
    /// `features`, `[sample][channel][row][column]`.
    pub fn encode(&mut self, images: &[f32], unit: UnitId, features: &mut Vec<f32>) {
        let Simulation { network, learning, shares, state, .. } = self;
        let image = input_len(network);
        let plan = Plan::compile(network, Passage::Perceiving(&[unit]));
        for batch in images.chunks(image * state.capacity()) {
            let samples = batch.len() / image;
            state.begin(samples);
            let executor = executor(network, learning, Batch::views(&[], batch));
            threads::work(!*shares && plan.is_brief(samples), || {
                plan.beats().for_each(|beat| executor.take_beat(beat, state, &mut Comparison::default()));
            });
            features.extend(state.activity(unit, View::Current));
        }
    }

    /// Every lasting vector, in declaration order.
    pub fn tensors(&self) -> Vec<Tensor> {
        let targets = self.learning.targets();
        self.state.tensors(&self.network, &self.learning.optimizer, &targets.inverse_optimizer)
    }

    /// Whether all lasting vectors hold finite numbers.
    pub fn is_finite(&self) -> bool {
        let tensors = self.tensors();
        tensors.iter().all(|tensor| self.state.values(tensor.slot).iter().all(|value| value.is_finite()))
    }

    /// Overwrites weights by name: `v1->v2.weight`, `v1->v2.bias`, `v2->v1.feedback`, in the order of
    /// [`State::tensors`].
    ///
    /// # Errors
    /// There is no such vector, it has another length, or a synapse that does not exist is given other than 0.
    pub fn set(&mut self, name: &str, values: &[f32]) -> Result<()> {
        let tensors = self.tensors();
        match tensors.iter().find(|tensor| tensor.name == name) {
            Some(tensor) => self.state.set([(tensor.slot, values)]),
            None => {
                let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
                Err(Error::usage(format!("the network has no {name}"), format!("it has {}", names.join(", "))))
            }
        }
    }

    /// The weights and biases of all feedforward projections, for [`Simulation::set_all`] of a simulation of the same
    /// ones.
    pub fn forward_weights(&self) -> impl Iterator<Item = (Slot, &[f32])> {
        let slots = self.network.projection_ids().flat_map(|id| [Slot::Weight(id), Slot::Bias(id)]);
        slots.map(|slot| (slot, self.state.values(slot)))
    }

    /// Overwrites lasting vectors.
    ///
    /// # Errors
    /// As for [`State::set`].
    pub fn set_all<'a>(&mut self, vectors: impl IntoIterator<Item = (Slot, &'a [f32])>) -> Result<()> {
        self.state.set(vectors)
    }

    /// A lasting vector by name, as for [`Simulation::set`].
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        let tensors = self.tensors();
        tensors.iter().find(|tensor| tensor.name == name).map(|tensor| self.state.values(tensor.slot))
    }
}

/// Whether the images of `dataset` can be shown to `network`.
///
/// # Errors
/// They are not shown in the shape of the input, naming both.
pub fn check_input(network: &Network, dataset: &Dataset) -> Result<()> {
    let mut inputs = network.inputs().iter().map(|&unit| network.unit(unit));
    match inputs.find(|unit| unit.shape != dataset.shape) {
        None => Ok(()),
        Some(unit) => Err(Error::usage(
            format!("images of {} are {}, but input {:?} is {}", dataset.name, dataset.shape, unit.name, unit.shape),
            "change the input's channels, height and width, the size of the views, or the data set",
        )),
    }
}

fn executor<'a>(network: &'a Network, learning: &'a Learning, batch: Batch<'a>) -> Executor<'a> {
    Executor {
        network,
        loss: learning.loss.criterion(),
        optimizer: &learning.optimizer,
        targets: learning.targets(),
        rule: learning.rule.credit(),
        batch,
    }
}

/// Images in each of two views.
fn samples(network: &Network, learning: &Learning, batch: Batch<'_>) -> usize {
    let image = input_len(network);
    assert_eq!(batch.stored.len(), batch.current.len(), "two views of one batch");
    assert!(batch.current.len().is_multiple_of(image), "{} values are no whole images of {image}", batch.current.len());
    let samples = batch.current.len() / image;
    assert!(!learning.loss.is_supervised() || batch.labels.len() == samples, "a label for each of {samples} images");
    samples
}

/// Values of one image, which is the same for every input.
fn input_len(network: &Network) -> usize {
    network.unit(network.inputs()[0]).shape.len()
}
