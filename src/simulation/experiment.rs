//! An experiment: one RON file that says all of it. Network, learning, data and views, training, read-out.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::description::{Described, Description};
use super::instruments::{self, Instruments};
use super::run::{Manifest, experiment_of};
use super::staging;
use super::{Published, Readout, Simulation, Stage, Staging, heads};
use crate::data::{Source, Views};
use crate::document::Document;
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::kernels::{Arithmetic, Isa};
use crate::learning::Rule;
use crate::lint::Policy;
use crate::loss::Loss;
use crate::network::{Block, Network, NetworkSpec, Teaching, UnitId, Wiring};
use crate::optimizer::Optimizer;
use crate::schedule::Passage;
use crate::shape::Shape;

/// How a network learns.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Learning {
    /// Credit rule; it wires the feedback that the circuit leaves open.
    pub rule: Rule,
    /// Which block learns when.
    pub staging: Staging,
    /// Loss at the heads.
    pub loss: Loss,
    /// What a change does to the weights.
    pub optimizer: Optimizer,
    /// Units on which the loss acts; by default all that drive no other unit.
    pub heads: Option<Vec<String>>,
    /// How targets are made and inverses learn, for a rule that propagates targets.
    pub targets: Option<Targets>,
    /// Which ways to the same result the kernels take.
    pub arithmetic: Arithmetic,
}

/// Settings of difference target propagation; the defaults are those of Tang (2021).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Targets {
    /// Length of the step against the error that a head tells, from an activity to its target.
    pub step: f32,
    /// Wiring of the feedback that tells it.
    pub top: Wiring,
    /// Standard deviation of the noise by which activities are disturbed while inverses learn.
    pub noise: f32,
    /// Times that inverses learn from each batch.
    pub inverse_steps: u32,
    /// What a change does to an inverse.
    pub inverse_optimizer: Optimizer,
}

impl Default for Targets {
    fn default() -> Self {
        Targets {
            step: 0.5,
            top: Wiring::Transported,
            noise: 1.0,
            inverse_steps: 1,
            inverse_optimizer: Optimizer::adam(1e-3),
        }
    }
}

impl Targets {
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults: Vec<Fault> =
            [Fault::unless_positive("step", self.step), Fault::unless_positive("noise", self.noise)]
                .into_iter()
                .flatten()
                .collect();
        if self.top == Wiring::Inverse {
            let problem = "the top target comes from an error, which no inverse carries";
            faults.push(Fault::new("top", problem, "use Transported, Fixed, Learned or Sign"));
        }
        if !(1..=1000).contains(&self.inverse_steps) {
            let problem = format!("inverses cannot learn {} times from a batch", self.inverse_steps);
            faults.push(Fault::new("inverse_steps", problem, "use 1 to 1000"));
        }
        let optimizer = self.inverse_optimizer.faults().into_iter();
        faults.extend(optimizer.map(|fault| fault.within("inverse_optimizer")));
        faults
    }
}

impl Learning {
    /// What it asks of a network's wiring.
    pub fn teaching(&self) -> Teaching<'_> {
        Teaching {
            wiring: self.rule.credit().wiring(),
            heads: self.heads.as_deref(),
            blockwise: self.staging.is_blockwise(),
            top: self.propagates_targets().then(|| self.targets().top),
        }
    }

    /// The network of that description, taught in this way.
    ///
    /// # Errors
    /// All that is wrong with it, or with heads that do not suit the loss.
    pub fn teach(&self, spec: &NetworkSpec) -> std::result::Result<Network, Vec<Fault>> {
        let network = Network::build(spec, self.teaching())?;
        let faults = heads::faults(&self.loss, &network);
        if faults.is_empty() { Ok(network) } else { Err(faults) }
    }

    /// How targets are made, where the rule propagates any.
    pub fn targets(&self) -> Targets {
        self.targets.unwrap_or_default()
    }

    /// Whether units below the heads learn from targets.
    pub fn propagates_targets(&self) -> bool {
        self.rule.credit().propagates_targets()
    }

    /// A learning step in which the loss acts on `heads`.
    pub(super) fn passage<'a>(&self, heads: &'a [UnitId]) -> Passage<'a> {
        let rounds = if self.propagates_targets() { self.targets().inverse_steps } else { 0 };
        Passage::learning(&self.loss, heads, rounds)
    }
}

/// How long, on how much at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// Images of a batch, two views each.
    pub pairs: usize,
    /// Times that every image is seen.
    pub epochs: u64,
    /// Seed of first weights, order and views.
    pub seed: u64,
}

impl Training {
    /// What is wrong with a batch of `pairs`.
    pub fn pairs_fault(pairs: usize) -> Option<Fault> {
        let fault = |problem: String, remedy: &str| Some(Fault::new("training.pairs", problem, remedy));
        match pairs {
            0 | 1 => fault(format!("a batch of {pairs} has no negative pairs"), "use at least 2, such as 500"),
            2..=1_000_000 => None,
            _ => fault(format!("a batch of {pairs} pairs is beyond any memory"), "use at most 1000000, such as 500"),
        }
    }
}

impl Default for Training {
    fn default() -> Self {
        Training { pairs: 500, epochs: 10, seed: 1 }
    }
}

/// An experiment that was read and found legal.
#[derive(Debug, Clone)]
pub struct Experiment {
    description: Description,
    spec: NetworkSpec,
    network: Network,
    reference: Option<Network>,
    readout_unit: UnitId,
    text: String,
    base: PathBuf,
}

impl Experiment {
    /// Reads an experiment file, changed by `assignments` such as `training.epochs=3`.
    ///
    /// # Errors
    /// The file cannot be read, or every fault that is in it and in the network file that it names, with place and
    /// remedy.
    pub fn load(file: &Path, assignments: &[String]) -> Result<Experiment> {
        if file.is_dir() {
            let kept = experiment_of(file);
            let own =
                if kept.is_file() { format!("the run's own, {}", kept.display()) } else { "a file *.ron".to_string() };
            return Err(Error::file(file, "is a folder, not an experiment file", format!("name {own}")));
        }
        let mut document = Document::read(file)?;
        for assignment in assignments {
            document.set(assignment)?;
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let base = folder.unwrap_or(Path::new(".")).to_path_buf();
        Experiment::read(document, base)
    }

    /// Reads the experiment of a run, whose relative paths start where they started then.
    ///
    /// # Errors
    /// As for [`Experiment::load`]; also if the file was changed since.
    pub fn load_run(file: &Path, manifest: &Manifest) -> Result<Experiment> {
        let experiment = Experiment::read(Document::read(file)?, manifest.base.clone())?;
        if experiment.digest() != manifest.experiment {
            return Err(Error::file(
                file,
                format!(
                    "was changed since its run began: its digest is {}, not {}",
                    experiment.digest(),
                    manifest.experiment
                ),
                "restore it, or train the changed experiment as a run of its own",
            ));
        }
        Ok(experiment)
    }

    /// The same experiment, changed by `assignments`; its relative paths start where they did.
    ///
    /// # Errors
    /// An assignment leads nowhere, or the faults of the changed experiment.
    pub fn changed(&self, assignments: &[String]) -> Result<Experiment> {
        let mut document = Document::new("experiment", self.text.as_str());
        for assignment in assignments {
            document.set(assignment)?;
        }
        Experiment::read(document, self.base.clone())
    }

    fn read(mut document: Document, base: PathBuf) -> Result<Experiment> {
        let Described { description, spec, network, reference, shared, readout_unit } =
            Description::read(&mut document)?;
        // A run keeps the whole experiment in one file.
        if let Some(shared) = shared {
            document.set(&format!("network={}", shared.text().trim()))?;
        }
        let text = document.text().to_string();
        Ok(Experiment { description, spec, network, reference, readout_unit, text, base })
    }

    /// The whole experiment as RON, network included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The folder that relative paths start from.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// A digest of [`Experiment::text`]: equal texts, equal digests.
    pub fn digest(&self) -> String {
        blake3::hash(self.text.as_bytes()).to_hex()[..16].to_string()
    }

    /// The network as it is described, before anything taught it.
    pub fn spec(&self) -> &NetworkSpec {
        &self.spec
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// How it learns.
    pub fn learning(&self) -> &Learning {
        &self.description.learning
    }

    /// The data set, as the file names it.
    pub fn source(&self) -> &Source {
        &self.description.data
    }

    /// How views of it are made.
    pub fn views(&self) -> &Views {
        &self.description.views
    }

    /// How long, on how much at a time.
    pub fn training(&self) -> &Training {
        &self.description.training
    }

    /// The read-out.
    pub fn readout(&self) -> &Readout {
        &self.description.readout
    }

    /// What was published for it, if its file cites anything.
    pub fn published(&self) -> Option<&Published> {
        self.description.published.as_ref()
    }

    /// The instruments, if it has any.
    pub fn instruments(&self) -> Option<Instruments> {
        self.description.instruments
    }

    /// What its own file holds against the circuit, if it asks for an audit.
    pub fn policy(&self) -> Option<&Policy> {
        self.description.audit.as_ref()
    }

    /// The unit that is read out.
    pub fn readout_unit(&self) -> UnitId {
        self.readout_unit
    }

    /// The top unit of each block, which is read out too where blocks learn apart; none otherwise.
    pub fn block_tops(&self) -> Vec<UnitId> {
        let apart = self.learning().staging.is_blockwise();
        self.network.blocks().iter().filter(|_| apart).map(Block::top).collect()
    }

    /// Shape of a view.
    pub fn input_shape(&self) -> Shape {
        self.network.unit(self.network.inputs()[0]).shape
    }

    /// What learns at once: all of the network, or one block after the other.
    pub fn stages(&self) -> Vec<Stage> {
        staging::stages(&self.network, self.learning())
    }

    /// The simulation at its start.
    pub fn simulation(&self, isa: Isa) -> Simulation {
        self.simulation_for(isa, self.training().pairs)
    }

    /// What instruments set a rule against: the simulation at its start as back-propagation teaches it, whose changes
    /// stand where updates would. None without instruments.
    pub fn reference(&self, isa: Isa) -> Option<Simulation> {
        let Training { pairs, seed, .. } = *self.training();
        Some(Simulation::on(isa, self.reference.clone()?, instruments::plain(self.learning()), pairs, seed))
    }

    /// The simulation at its start, for batches of up to `pairs`.
    pub fn simulation_for(&self, isa: Isa, pairs: usize) -> Simulation {
        Simulation::on(isa, self.network.clone(), self.learning().clone(), pairs, self.training().seed)
    }

    /// The same with kernels that take plain sums over everything, whatever the file says.
    pub fn plain_simulation(&self, isa: Isa, pairs: usize) -> Simulation {
        let learning = Learning { arithmetic: Arithmetic::PLAIN, ..self.learning().clone() };
        Simulation::on(isa, self.network.clone(), learning, pairs, self.training().seed)
    }
}
