//! A session: one sitting of training that keeps a run directory, from its start or from where it stopped to the
//! read-outs and the summary.
//!
//! It says nothing itself. A watcher is told of every step, and answers whether to go on; what a stopped session has
//! learned is in its checkpoint, from which the next one goes on to the same result. Work is done on the thread pool
//! of the caller.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use std::path::Path;
//!
//! use synlocal::session::{End, Options, Session, Stage};
//! use synlocal::simulation::Experiment;
//!
//! let experiment = Experiment::load(Path::new("networks/quickstart.ron"), &["training.seed=2".to_string()])?;
//! let session = Session::start(experiment, "quickstart", Path::new("runs/quickstart"), &Options::default())?;
//! let end = session.run(&mut |stage| {
//!     if let Stage::Training(progress) = stage {
//!         println!("step {}: loss {:.1}", progress.steps, progress.found.loss);
//!     }
//!     ControlFlow::Continue(())
//! })?;
//! if let End::Finished(summary) = end {
//!     println!("{}", summary.table());
//! }
//! # Ok::<(), synlocal::Error>(())
//! ```

mod floors;
mod metrics;
mod panel;

use std::cell::RefCell;
use std::fmt;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

pub use floors::Floors;
use metrics::Metrics;
use panel::Panel;

use crate::audit::{Audit, Finding, read};
use crate::error::{Error, Result};
use crate::evaluate::{Features, read_out, read_out_unit};
use crate::instruments::Recording;
use crate::kernels::Isa;
use crate::network::UnitId;
use crate::report::{BlockReadout, DataSummary, Summary, instruments_picture};
use crate::simulation::{
    Datasets, Experiment, Folders, Manifest, Position, Progress, RunDirectory, Simulation, Trainer, holds_run,
    read_manifest, summary_of, write_atomically, write_json,
};

/// What a session may choose beside its experiment.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Folders of the data, if not the experiment's; a run that goes on takes those that it began with.
    pub data: Vec<PathBuf>,
    /// Instruction set, if not the environment's or the widest; a run that goes on takes the one that it began with,
    /// because another rounds otherwise.
    pub isa: Option<Isa>,
    /// Whether a start may replace a run.
    pub force: bool,
    /// Read-outs of floors that other runs have found: one that fits is not found again.
    pub floors: Vec<Floors>,
}

/// What a session is at, as its watcher is told.
#[derive(Debug, Clone, Copy)]
pub enum Stage {
    /// A learning step was done.
    Training(Progress),
    /// The instruments found that embeddings have collapsed; told once of each head in a session.
    Collapsed {
        /// The unit whose activity they are.
        head: UnitId,
    },
    /// So many epochs of a read-out were done. 0 comes first, before features are computed.
    ReadOut {
        /// What is read out.
        of: Subject,
        /// Epochs done.
        epoch: u64,
        /// Epochs in all.
        epochs: u64,
    },
}

/// What is read out: the trained encoder, its blocks where they learn apart, and the two floors that it stands beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The encoder after learning.
    Trained,
    /// One of its blocks, counted from 0.
    Block(usize),
    /// The encoder with its first weights.
    Untrained,
    /// Raw pixels.
    Pixels,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Trained => f.write_str("the trained encoder"),
            Subject::Block(index) => write!(f, "block {} of the trained encoder", index + 1),
            Subject::Untrained => f.write_str("the untrained encoder"),
            Subject::Pixels => f.write_str("pixels"),
        }
    }
}

/// How a session ended.
#[derive(Debug, Clone)]
pub enum End {
    /// The run is complete.
    Finished(Box<Summary>),
    /// The watcher asked for a stop; [`Session::resume`] goes on.
    Stopped,
}

/// A run that is ready to go on, and in nobody else's hands.
#[derive(Debug)]
pub struct Session {
    directory: RunDirectory,
    experiment: Experiment,
    manifest: Manifest,
    data: Datasets,
    isa: Isa,
    known: Vec<Floors>,
}

impl Session {
    /// Starts a run of `experiment`, called `name` in its results, in the folder `out`. Its plan is audited first.
    ///
    /// # Errors
    /// The circuit breaks what its own experiment denies; the folder holds a run that may not be replaced or files that are not a run's; the data set cannot be loaded.
    pub fn start(experiment: Experiment, name: &str, out: &Path, options: &Options) -> Result<Session> {
        let isa = options.isa.map_or_else(Isa::from_environment, Ok)?;
        RunDirectory::check(out, options.force)?;
        let audit = read(&experiment, &experiment.policy().cloned().unwrap_or_default())?;
        if experiment.policy().is_some() {
            refuse_denied(&audit, name)?;
        }
        let folders = Folders::of(&experiment, &options.data)?;
        let data = experiment.load_data(&folders)?;
        let manifest = Manifest {
            version: env!("CARGO_PKG_VERSION").to_string(),
            experiment: experiment.digest(),
            name: name.to_string(),
            base: std::path::absolute(experiment.base()).map_err(Error::io(experiment.base()))?,
            folders: folders.absolute()?,
            dataset: data.digest(),
            isa: isa.to_string(),
            audit: Some(audit.summary()),
        };
        let directory = RunDirectory::create(out, experiment.text(), &manifest, options.force)?;
        Ok(Session { directory, experiment, manifest, data, isa, known: options.floors.clone() })
    }

    /// Goes on with the unfinished run in the folder `run`, to the same result as if it had never stopped.
    ///
    /// # Errors
    /// There is no run, or it is complete, in use or damaged; its data set cannot be loaded, or is another one now.
    pub fn resume(run: &Path, options: &Options) -> Result<Session> {
        let (directory, manifest) = RunDirectory::open(run)?;
        let experiment = Experiment::load_run(&directory.experiment(), &manifest)?;
        if directory.summary().exists() {
            return Err(Error::file(run, "is a complete run: there is nothing to resume", "see its summary.json"));
        }
        let folders = Folders::of(&experiment, &options.data)?.or(manifest.folders.clone());
        let data = experiment.load_data(&folders)?;
        if data.digest() != manifest.dataset {
            let names: Vec<&str> = experiment.sources().iter().map(|source| source.name()).collect();
            return Err(Error::file(
                run,
                format!("began with other images than those of {} now", names.join(" and ")),
                "name what it began with as --data, one folder for each data set",
            ));
        }
        let isa = options.isa.map_or_else(|| Isa::named(&manifest.isa), Ok)?;
        Ok(Session { directory, experiment, manifest, data, isa, known: options.floors.clone() })
    }

    /// What the run follows.
    pub fn experiment(&self) -> &Experiment {
        &self.experiment
    }

    /// What the audit of the plan said when the run began, in one line; none if the run began before there were audits.
    pub fn audit(&self) -> Option<&str> {
        self.manifest.audit.as_deref()
    }

    /// The run's files.
    pub fn directory(&self) -> &RunDirectory {
        &self.directory
    }

    /// Trains from the last checkpoint on, or from first weights, then reads out. Metrics and a checkpoint are kept
    /// after each epoch and at a stop. `watch` is told of each step; when it breaks, the session stops there.
    ///
    /// # Errors
    /// The checkpoint does not fit, numbers are no longer finite, or files cannot be written.
    pub fn run(&self, watch: &mut dyn FnMut(Stage) -> ControlFlow<()>) -> Result<End> {
        let mut simulation = self.experiment.simulation(self.isa);
        let position = match self.directory.checkpoint() {
            checkpoint if checkpoint.exists() => simulation.load(&checkpoint, &self.manifest.experiment)?,
            _ => Position::default(),
        };
        let metrics = Metrics::of(&self.directory);
        metrics.forget_after(&position, simulation.state().updates())?;
        let training = self.experiment.training().clone();
        let mut trainer = Trainer::new(simulation, &self.data.learned, *self.experiment.views(), training, position)?;
        let stop = AtomicBool::new(false);
        let news = RefCell::new(Vec::new());
        let mut panel = Panel::new(&self.experiment, self.isa, &metrics, &news);
        trainer.run_taking(
            &stop,
            &mut |simulation, batch, step| panel.take(simulation, batch, step),
            &mut |progress| {
                let stages = news.take().into_iter().chain([Stage::Training(progress)]);
                let stops = stages.map(&mut *watch).filter(ControlFlow::is_break).count() > 0;
                stop.store(stops, Ordering::Relaxed);
            },
            &mut |trainer, epoch| {
                metrics.append(&epoch)?;
                self.save(trainer)
            },
        )?;
        self.save(&trainer)?;
        // Features need the room of the instruments' own simulation.
        drop(panel);
        // A stop after the very last step counts too.
        if stop.into_inner() {
            return Ok(End::Stopped);
        }
        match self.read_out(trainer.into_simulation(), &metrics, watch) {
            Ok(summary) => Ok(End::Finished(Box::new(summary))),
            Err(Error::Stopped) => Ok(End::Stopped),
            Err(error) => Err(error),
        }
    }

    fn save(&self, trainer: &Trainer<'_>) -> Result<()> {
        trainer.simulation().save(&self.directory.checkpoint(), &self.manifest.experiment, trainer.position())
    }

    /// The read-outs: the encoder, its blocks, the floors. Blocks that rest keep their weights, so that reading them out
    /// at the end finds what it would have found when each had learned. A stop leaves nothing of them: training is safe, and a read-out is soon done again.
    fn read_out(
        &self,
        mut trained: Simulation,
        metrics: &Metrics,
        watch: &mut dyn FnMut(Stage) -> ControlFlow<()>,
    ) -> Result<Summary> {
        let (experiment, dataset) = (&self.experiment, self.data.read_out());
        let (training, settings) = (experiment.training(), experiment.readout());
        let unit = experiment.readout_unit();
        let mut tell = |of, epoch| match watch(Stage::ReadOut { of, epoch, epochs: settings.epochs }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(Error::Stopped),
        };
        let mut of_unit = |simulation: &mut Simulation, unit, of| {
            tell(of, 0)?;
            read_out_unit(simulation, unit, dataset, settings, training.seed, &mut |epoch| tell(of, epoch))
        };
        let readout = of_unit(&mut trained, unit, Subject::Trained)?;
        let mut blocks = Vec::new();
        for (index, top) in experiment.block_tops().into_iter().enumerate() {
            let readout =
                if top == unit { readout.clone() } else { of_unit(&mut trained, top, Subject::Block(index))? };
            blocks.push(BlockReadout { unit: experiment.network().unit(top).name.clone(), readout });
        }
        let updates = trained.state().updates();
        // Two encoders at a time might not fit beside the features.
        drop(trained);
        let digest = Floors::digest(experiment, &dataset.digest(), self.isa);
        let Floors { digest, untrained, pixels } = match self.known.iter().find(|floors| floors.digest == digest) {
            Some(floors) => floors.clone(),
            None => Floors {
                digest,
                untrained: match updates {
                    0 => readout.clone(),
                    _ => of_unit(&mut experiment.simulation(self.isa), unit, Subject::Untrained)?,
                },
                pixels: {
                    tell(Subject::Pixels, 0)?;
                    read_out(
                        self.isa,
                        &Features::pixels(&dataset.train, dataset.shape),
                        &Features::pixels(&dataset.test, dataset.shape),
                        dataset.classes.len(),
                        settings,
                        training.seed,
                        &mut |epoch| tell(Subject::Pixels, epoch),
                    )?
                },
            },
        };
        let (epochs, recordings) = metrics.read()?;
        // The images that are left after the last whole batch of an epoch rest.
        let pairs_an_epoch = (self.data.learned.viewed().len() / training.pairs * training.pairs) as f64;
        // Metrics can lack epochs that a killed process wrote, and rates those that it had done: the others stand for
        // them.
        let seconds = epochs.iter().filter(|epoch| epoch.pairs_per_s > 0.0).map(|epoch| epoch.pairs_per_s.recip());
        let multiply_adds = epochs.iter().map(|epoch| epoch.multiply_adds as f64 / pairs_an_epoch);
        let summary = Summary {
            version: env!("CARGO_PKG_VERSION").to_string(),
            name: self.manifest.name.clone(),
            experiment: self.manifest.experiment.clone(),
            audit: self.manifest.audit.clone(),
            seed: training.seed,
            threads: rayon::current_num_threads(),
            isa: self.isa.to_string(),
            data: (&self.data.learned).into(),
            readout_data: self.data.second().map(DataSummary::from),
            pairs: training.pairs,
            epochs: training.epochs,
            updates,
            training_s: (updates * training.pairs as u64) as f64 * mean(seconds.collect()),
            multiply_adds: mean(multiply_adds.collect()),
            pairs_per_s: median(epochs.iter().map(|epoch| epoch.pairs_per_s).collect()),
            loss: epochs.last().map(|epoch| epoch.loss),
            collapsed: Recording::collapsed_at_last(&recordings),
            unit: experiment.network().unit(unit).name.clone(),
            readout,
            blocks,
            floors: digest,
            untrained,
            pixels,
        };
        write_atomically(&self.directory.picture(), summary.picture(&epochs).as_bytes())?;
        if !recordings.is_empty() {
            let picture = instruments_picture(&summary.name, &recordings);
            write_atomically(&self.directory.instruments(), picture.as_bytes())?;
        }
        // The summary comes last: with it, the run is complete.
        write_json(&self.directory.summary(), &summary)?;
        Ok(summary)
    }
}

/// Denied findings that an error names.
const NAMED: usize = 3;

/// An error if there are findings that the experiment denies.
fn refuse_denied(audit: &Audit, name: &str) -> Result<()> {
    let denied: Vec<&Finding> = audit.findings.iter().filter(|finding| finding.is_denied()).collect();
    if denied.is_empty() {
        return Ok(());
    }
    let named: Vec<String> =
        denied.iter().take(NAMED).map(|found| format!("{} at {}", found.lint, found.part.name)).collect();
    let more = if denied.len() > NAMED { format!(" and {} more", denied.len() - NAMED) } else { String::new() };
    Err(Error::Denied {
        problem: format!("the circuit of {name} breaks what its audit field denies: {}{more}", named.join(", ")),
        remedy: format!("see `synlocal audit` of {name}, then change the circuit, or the levels of its audit field"),
    })
}

/// Brings the run of `experiment` in the folder `out` to its end, from wherever it stands: starts it, goes on with it,
/// or reads what it found. Calling it again after a stop or a crash is all that a series of runs needs.
///
/// # Errors
/// As for [`Session::start`], [`Session::resume`] and [`Session::run`]; also if the folder holds a run of another
/// experiment that may not be replaced.
pub fn complete(
    experiment: Experiment,
    name: &str,
    out: &Path,
    options: &Options,
    watch: &mut dyn FnMut(Stage) -> ControlFlow<()>,
) -> Result<End> {
    if options.force || !holds_run(out) {
        return Session::start(experiment, name, out, options)?.run(watch);
    }
    let (held, wanted) = (read_manifest(out)?.experiment, experiment.digest());
    if held != wanted {
        return Err(Error::file(
            out,
            format!("holds a run of another experiment: its digest is {held}, not {wanted}"),
            "choose another --out, or --force to replace it",
        ));
    }
    let file = summary_of(out);
    if !file.exists() {
        return Session::resume(out, options)?.run(watch);
    }
    let text = fs::read_to_string(&file).map_err(Error::io(&file))?;
    let summary = serde_json::from_str(&text)
        .map_err(|error| Error::file(&file, format!("is damaged: {error}"), "delete it and go on with its run"))?;
    Ok(End::Finished(summary))
}

/// The mean; 0 of none.
fn mean(values: Vec<f64>) -> f64 {
    // The sum of nothing is -0.
    (0.0 + values.iter().sum::<f64>()) / values.len().max(1) as f64
}

/// The middle value; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
