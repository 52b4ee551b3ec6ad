//! `synlocal train`: from an experiment file to a run directory with a result.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::ProgressBar;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{Ending, ExperimentArgs, INTERRUPTED, MachineArgs, default_out, name_of, progress, say};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::evaluate::{Accuracy, Features, read_out, read_out_unit};
use crate::kernels::Isa;
use crate::report::Summary;
use crate::simulation::{
    Epoch, Experiment, Manifest, Outcome, Position, RunDirectory, Simulation, Trainer, write_atomically, write_json,
};

#[derive(Debug, clap::Args)]
pub(super) struct TrainArgs {
    /// Experiment file; with --resume it may be left out.
    #[arg(required_unless_present = "resume")]
    file: Option<PathBuf>,
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// Run directory to make [default: runs/NAME-seedN].
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    out: Option<PathBuf>,
    /// Replace a run that is in the run directory.
    #[arg(long, conflicts_with = "resume")]
    force: bool,
    /// Go on with the run in this directory, to the same result as if it had never stopped.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["set", "seed"])]
    resume: Option<PathBuf>,
    /// Folder of the data set [default: the file's].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    machine: MachineArgs,
}

/// A run that is ready to go on.
struct Session {
    run: RunDirectory,
    experiment: Experiment,
    manifest: Manifest,
    dataset: Dataset,
    isa: Isa,
}

impl TrainArgs {
    pub(super) fn run(self) -> Result<Ending> {
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // The first signal asks for a stop after the step at hand, a second one ends the program at once.
            let handled =
                signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&stop))
                    .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)));
            handled.map_err(|error| Error::usage(format!("signals cannot be handled: {error}"), "report this"))?;
        }
        let isa = self.machine.isa()?;
        self.machine.install(|| {
            let session = match &self.resume {
                Some(path) => self.resume(path, isa)?,
                None => self.start(isa)?,
            };
            session.train(&stop)
        })
    }

    fn start(&self, isa: Isa) -> Result<Session> {
        let file = self.file.as_deref().unwrap_or(Path::new(""));
        let experiment = self.experiment.load(file)?;
        let name = name_of(file);
        let out = self.out.clone().unwrap_or_else(|| default_out(&name, experiment.training().seed));
        let dataset = experiment.load_data(self.data.as_deref())?;
        let absolute = |path: &Path| std::path::absolute(path).map_err(Error::io(path));
        let manifest = Manifest {
            version: env!("CARGO_PKG_VERSION").to_string(),
            experiment: experiment.digest(),
            name,
            base: absolute(experiment.base())?,
            data: self.data.as_deref().map(absolute).transpose()?,
        };
        let run = RunDirectory::create(&out, experiment.text(), &manifest, self.force)?;
        Ok(Session { run, experiment, manifest, dataset, isa })
    }

    fn resume(&self, path: &Path, isa: Isa) -> Result<Session> {
        let (run, manifest) = RunDirectory::open(path)?;
        let experiment = Experiment::load_run(&run.experiment(), &manifest)?;
        if let Some(file) = &self.file {
            let given = Experiment::load(file, &[])?;
            if given.digest() != manifest.experiment {
                return Err(Error::file(
                    file,
                    format!("is not the experiment of {}", path.display()),
                    "leave the file out to go on with the run's own experiment",
                ));
            }
        }
        if run.summary().exists() {
            return Err(Error::file(path, "is a complete run: there is nothing to resume", "see its summary.json"));
        }
        let dataset = experiment.load_data(self.data.as_deref().or(manifest.data.as_deref()))?;
        Ok(Session { run, experiment, manifest, dataset, isa })
    }
}

impl Session {
    fn train(&self, stop: &AtomicBool) -> Result<Ending> {
        let mut simulation = self.experiment.simulation(self.isa);
        let position = match self.run.checkpoint() {
            checkpoint if checkpoint.exists() => simulation.load(&checkpoint, &self.manifest.experiment)?,
            _ => Position::default(),
        };
        self.forget_after(position)?;
        let training = self.experiment.training().clone();
        let batches = (self.dataset.train.len() / training.pairs) as u64;
        let (bar, mut progress) = progress::training(training.pairs, position.epoch * batches + position.batch);
        let mut trainer = Trainer::new(simulation, &self.dataset, *self.experiment.views(), training, position)?;
        let outcome = trainer.run(stop, &mut progress, &mut |trainer, epoch| {
            self.record(&epoch)?;
            self.save(trainer)
        });
        bar.finish_and_clear();
        let outcome = outcome?;
        if !outcome.complete {
            self.save(&trainer)?;
            let shown = self.run.path().display();
            eprintln!(
                "stopped after {} updates; go on with: synlocal train --resume {shown}",
                trainer.simulation().state().updates()
            );
            return Ok(Ending::Interrupted);
        }
        let summary = self.read_out(trainer.into_simulation(), outcome, stop)?;
        write_atomically(&self.run.picture(), summary.picture(&self.losses()?).as_bytes())?;
        write_json(&self.run.summary(), &summary)?;
        say(&summary.table());
        say(&format!("{:.0} pairs/s; results in {}", summary.pairs_per_s, self.run.path().display()));
        Ok(Ending::Done)
    }

    fn save(&self, trainer: &Trainer<'_>) -> Result<()> {
        trainer.simulation().save(&self.run.checkpoint(), &self.manifest.experiment, trainer.position())
    }

    fn record(&self, epoch: &Epoch) -> Result<()> {
        let path = self.run.metrics();
        let mut line = serde_json::to_string(epoch)
            .map_err(|error| Error::file(&path, format!("cannot be written as JSON: {error}"), "report this"))?;
        line.push('\n');
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::io(&path))?;
        file.write_all(line.as_bytes()).map_err(Error::io(&path))
    }

    /// The mean loss of each epoch, from the metrics.
    fn losses(&self) -> Result<Vec<f64>> {
        let path = self.run.metrics();
        let text = fs::read_to_string(&path).unwrap_or_default();
        let epochs = text.lines().map(serde_json::from_str::<Epoch>);
        let losses = epochs.map(|epoch| epoch.map(|epoch| epoch.loss)).collect::<std::result::Result<_, _>>();
        losses.map_err(|error| Error::file(&path, format!("is damaged: {error}"), "train anew"))
    }

    /// Drops metrics of epochs that the checkpoint does not hold, for they will be run again.
    fn forget_after(&self, position: Position) -> Result<()> {
        let path = self.run.metrics();
        let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
        let kept: String = text.split_inclusive('\n').take(position.epoch as usize).collect();
        if kept.len() < text.len() { write_atomically(&path, kept.as_bytes()) } else { Ok(()) }
    }

    /// Ends the program if a stop was asked for during a read-out: training is safe in its checkpoint, and a read-out is
    /// soon done again.
    fn heed(&self, stop: &AtomicBool, bar: &ProgressBar) {
        if stop.load(Ordering::Relaxed) {
            bar.finish_and_clear();
            eprintln!("stopped during the read-out; go on with: synlocal train --resume {}", self.run.path().display());
            std::process::exit(INTERRUPTED.into());
        }
    }

    fn read_out(&self, mut trained: Simulation, outcome: Outcome, stop: &AtomicBool) -> Result<Summary> {
        let (experiment, dataset) = (&self.experiment, &self.dataset);
        let (training, settings) = (experiment.training(), experiment.readout());
        let unit = experiment.readout_unit();
        let of_unit = |simulation: &mut Simulation, what: &str| -> Result<Accuracy> {
            let bar = progress::reading_out(what, settings.epochs);
            let accuracy = read_out_unit(simulation, unit, dataset, settings, training.seed, &mut |done| {
                self.heed(stop, &bar);
                bar.set_position(done);
            });
            bar.finish_and_clear();
            accuracy
        };
        let readout = of_unit(&mut trained, "the trained encoder")?;
        let untrained = of_unit(&mut experiment.simulation(self.isa), "the untrained encoder")?;
        let bar = progress::reading_out("pixels", settings.epochs);
        let pixels = read_out(
            self.isa,
            &Features::pixels(&dataset.train, dataset.shape),
            &Features::pixels(&dataset.test, dataset.shape),
            dataset.classes.len(),
            settings,
            training.seed,
            &mut |done| {
                self.heed(stop, &bar);
                bar.set_position(done);
            },
        );
        bar.finish_and_clear();
        Ok(Summary {
            version: env!("CARGO_PKG_VERSION"),
            name: self.manifest.name.clone(),
            experiment: self.manifest.experiment.clone(),
            seed: training.seed,
            threads: rayon::current_num_threads(),
            isa: self.isa.to_string(),
            data: dataset.into(),
            pairs: training.pairs,
            epochs: training.epochs,
            updates: trained.state().updates(),
            pairs_per_s: outcome.pairs as f64 / outcome.duration.as_secs_f64(),
            loss: self.losses()?.last().copied(),
            unit: trained.network().unit(unit).name.clone(),
            readout,
            untrained,
            pixels,
        })
    }
}
