//! An experiment: one RON file that says all of it. Network, learning, data and views, training, read-out.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::run::Manifest;
use super::{Simulation, check_input, passage, trainer};
use crate::data::{Dataset, Source, Views};
use crate::document::{Document, Report};
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::kernels::Isa;
use crate::learning::Rule;
use crate::loss::Loss;
use crate::network::{Network, NetworkSource, UnitId};
use crate::optimizer::Optimizer;
use crate::schedule::Plan;
use crate::shape::Shape;

/// How a network learns.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Learning {
    /// Credit rule; it wires the feedback that the circuit leaves open.
    pub rule: Rule,
    /// Which projections learn when.
    pub staging: Staging,
    /// Loss at the heads.
    pub loss: Loss,
    /// What a change does to the weights.
    pub optimizer: Optimizer,
    /// Units on which the loss acts; by default all that drive no other unit.
    pub heads: Option<Vec<String>>,
}

/// Which projections learn when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Staging {
    /// All at once, on one error from the top.
    #[default]
    EndToEnd,
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

impl Default for Training {
    fn default() -> Self {
        Training { pairs: 500, epochs: 10, seed: 1 }
    }
}

/// The linear classifier on frozen features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Readout {
    /// Unit that is read out; by default the one below the last head.
    pub unit: Option<String>,
    /// Times that every training image is seen.
    pub epochs: u64,
    /// Images of a batch.
    pub batch: usize,
    /// Adam's learning rate.
    pub rate: f32,
}

impl Default for Readout {
    fn default() -> Self {
        Readout { unit: None, epochs: 50, batch: 500, rate: 1e-3 }
    }
}

/// What an experiment file holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename = "Experiment")]
struct Description {
    network: NetworkSource,
    #[serde(default)]
    learning: Learning,
    data: Source,
    #[serde(default)]
    views: Views,
    #[serde(default)]
    training: Training,
    #[serde(default)]
    readout: Readout,
}

/// An experiment that was read and found legal.
#[derive(Debug, Clone)]
pub struct Experiment {
    description: Description,
    network: Network,
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

    fn read(mut document: Document, base: PathBuf) -> Result<Experiment> {
        let coloured = std::io::stderr().is_terminal();
        let mut report = Report::new(coloured);
        let description: Description = document.parse().map_err(|faults| document.error(faults, coloured))?;
        report.add(&document, description.faults().iter().map(|fault| document.locate(fault)));
        let (spec, shared) = description.network.clone().open(&document, "network", coloured)?;
        let learning = &description.learning;
        let built = Network::build(&spec, learning.rule.credit().wiring(), learning.heads.as_deref());
        let network = built.map_err(|faults| {
            // What is wrong with the list of heads has no place in the network.
            let (heads, faults): (Vec<Fault>, Vec<Fault>) =
                faults.into_iter().partition(|fault| fault.place.is_empty());
            report.add(&document, heads.into_iter().map(|fault| document.locate(&fault.within("learning.heads"))));
            match &shared {
                Some(shared) => report.add(shared, faults.iter().map(|fault| shared.locate(fault))),
                None => {
                    report.add(&document, faults.into_iter().map(|fault| document.locate(&fault.within("network"))));
                }
            }
            std::mem::replace(&mut report, Report::new(coloured)).into_error()
        })?;
        let readout_unit = description.readout_unit(&network);
        report.add(&document, readout_unit.as_ref().err().map(|fault| document.locate(fault)));
        report.finish()?;
        let readout_unit = readout_unit.map_err(|fault| document.error([document.locate(&fault)], coloured))?;
        // A run keeps the whole experiment in one file.
        if let Some(shared) = shared {
            document.set(&format!("network={}", shared.text().trim()))?;
        }
        Ok(Experiment { text: document.text().to_string(), description, network, readout_unit, base })
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

    /// The network.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// How it learns.
    pub fn learning(&self) -> &Learning {
        &self.description.learning
    }

    /// What it is shown.
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

    /// The unit that is read out.
    pub fn readout_unit(&self) -> UnitId {
        self.readout_unit
    }

    /// Shape of a view.
    pub fn input_shape(&self) -> Shape {
        self.network.unit(self.network.inputs()[0]).shape
    }

    /// The plan of a learning step.
    pub fn plan(&self) -> Plan {
        Plan::compile(&self.network, passage(self.learning()))
    }

    /// Reads or draws the data set; `data`, if given, is the folder to read.
    ///
    /// # Errors
    /// As for [`Source::load`]; also if its images do not fit the network's input, the views or the batch.
    pub fn load_data(&self, data: Option<&Path>) -> Result<Dataset> {
        let dataset = self.description.data.load(&self.base, data)?;
        check_input(&self.network, &dataset)?;
        trainer::check(self.training(), self.views(), &dataset)?;
        Ok(dataset)
    }

    /// The simulation at its start.
    pub fn simulation(&self, isa: Isa) -> Simulation {
        self.simulation_for(isa, self.training().pairs)
    }

    /// The simulation at its start, for batches of up to `pairs`.
    pub fn simulation_for(&self, isa: Isa, pairs: usize) -> Simulation {
        Simulation::on(isa, self.network.clone(), self.learning().clone(), pairs, self.training().seed)
    }
}

impl Description {
    /// Faults of all parts but the network.
    fn faults(&self) -> Vec<Fault> {
        let within = |part: &'static str, faults: Vec<Fault>| faults.into_iter().map(move |fault| fault.within(part));
        let mut faults: Vec<Fault> = within("learning.loss", self.learning.loss.faults())
            .chain(within("learning.optimizer", self.learning.optimizer.faults()))
            .chain(within("data", self.data.faults()))
            .chain(within("views", self.views.faults()))
            .collect();
        if self.training.pairs < 2 {
            faults.push(Fault::new(
                "training.pairs",
                format!("a batch of {} has no negative pairs", self.training.pairs),
                "use at least 2, such as 500",
            ));
        }
        if self.readout.batch == 0 {
            faults.push(Fault::new(
                "readout.batch",
                "a batch of 0 images teaches nothing",
                "use at least 1, such as 500",
            ));
        }
        faults.extend(Fault::unless_positive("readout.rate", self.readout.rate));
        faults
    }

    /// The unit to read out: the one named, or the one below the last head.
    fn readout_unit(&self, network: &Network) -> std::result::Result<UnitId, Fault> {
        if let Some(name) = &self.readout.unit {
            return network.find(name).ok_or_else(|| {
                let names: Vec<&str> = network.units().iter().map(|unit| unit.name.as_str()).collect();
                Fault::new(
                    "readout.unit",
                    format!("there is no unit {name:?}"),
                    format!("use one of {}", names.join(", ")),
                )
            });
        }
        let below = network.heads().last().and_then(|&head| network.afferents(head).last());
        below.map(|projection| network.projection(projection).from).ok_or_else(|| {
            Fault::new(
                "readout",
                "no unit stands below the last head",
                "name the unit to read out: readout: (unit: \"v1\")",
            )
        })
    }
}
