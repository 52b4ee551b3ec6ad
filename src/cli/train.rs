//! `synlocal train`: from an experiment file to a run directory with a result.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use indicatif::ProgressBar;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{Ending, ExperimentArgs, INTERRUPTED, MachineArgs, default_out, name_of, progress, say, warn};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::evaluate::{Accuracy, Features, read_out, read_out_unit};
use crate::kernels::Isa;
use crate::report::Summary;
use crate::simulation::{
    Epoch, Experiment, Manifest, Position, RunDirectory, Simulation, Trainer, write_atomically, write_json,
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
        self.machine.install(|| match &self.resume {
            Some(path) => self.resume(path)?.train(),
            None => self.start()?.train(),
        })
    }

    fn start(&self) -> Result<Session> {
        let isa = self.machine.isa()?;
        let file = self.file.as_deref().unwrap_or(Path::new(""));
        let experiment = self.experiment.load(file)?;
        let name = name_of(file);
        let out = self.out.clone().unwrap_or_else(|| default_out(&name, experiment.training().seed));
        RunDirectory::check(&out, self.force)?;
        let dataset = experiment.load_data(self.data.as_deref())?;
        let absolute = |path: &Path| std::path::absolute(path).map_err(Error::io(path));
        let manifest = Manifest {
            version: env!("CARGO_PKG_VERSION").to_string(),
            experiment: experiment.digest(),
            name,
            base: absolute(experiment.base())?,
            data: self.data.as_deref().map(absolute).transpose()?,
            dataset: dataset.digest(),
            isa: isa.to_string(),
        };
        let run = RunDirectory::create(&out, experiment.text(), &manifest, self.force)?;
        Ok(Session { run, experiment, manifest, dataset, isa })
    }

    fn resume(&self, path: &Path) -> Result<Session> {
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
        if dataset.digest() != manifest.dataset {
            return Err(Error::file(
                path,
                format!("learned from other images: {} is not the data set that it began with", dataset.name),
                "name the folder that it began with as --data",
            ));
        }
        // The run goes on as it began; another instruction set has to be asked for, because it rounds otherwise.
        let isa = if self.machine.isa.is_some() { self.machine.isa()? } else { Isa::named(&manifest.isa)? };
        if !run.checkpoint().exists() {
            warn(&format!("{} has no checkpoint yet: it starts from its first weights", path.display()));
        }
        Ok(Session { run, experiment, manifest, dataset, isa })
    }
}

impl Session {
    fn train(&self) -> Result<Ending> {
        // Until here a signal ends the program at once, as nothing is lost. From now on the first one asks for a stop
        // after the step at hand, and a second one ends the program.
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&stop))
                .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
                .map_err(|error| Error::usage(format!("signals cannot be handled: {error}"), "report this"))?;
        }
        let stop = stop.as_ref();
        let mut simulation = self.experiment.simulation(self.isa);
        let position = match self.run.checkpoint() {
            checkpoint if checkpoint.exists() => simulation.load(&checkpoint, &self.manifest.experiment)?,
            _ => Position::default(),
        };
        self.forget_after(position)?;
        let training = self.experiment.training().clone();
        let batches = (self.dataset.viewed().len() / training.pairs) as u64;
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
            warn(&format!(
                "stopped after {} updates; go on with: synlocal train --resume {shown}",
                trainer.simulation().state().updates()
            ));
            return Ok(Ending::Interrupted);
        }
        self.save(&trainer)?;
        let summary = self.read_out(trainer.into_simulation(), stop)?;
        write_atomically(
            &self.run.picture(),
            summary.picture(&self.epochs()?.iter().map(|epoch| epoch.loss).collect::<Vec<f64>>()).as_bytes(),
        )?;
        write_json(&self.run.summary(), &summary)?;
        say(&summary.table())?;
        say(&format!("{:.0} pairs/s; results in {}", summary.pairs_per_s, self.run.path().display()))?;
        Ok(Ending::Done)
    }

    fn save(&self, trainer: &Trainer<'_>) -> Result<()> {
        trainer.simulation().save(&self.run.checkpoint(), &self.manifest.experiment, trainer.position())
    }

    fn record(&self, epoch: &Epoch) -> Result<()> {
        let path = self.run.metrics();
        let line = self.line(epoch)?;
        let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::io(&path))?;
        file.write_all(line.as_bytes()).map_err(Error::io(&path))
    }

    /// The epochs that the metrics tell of, up to the first line that is no epoch.
    fn epochs(&self) -> Result<Vec<Epoch>> {
        let path = self.run.metrics();
        match fs::read_to_string(&path) {
            Ok(text) => Ok(text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    /// Drops metrics that are torn, or of epochs that the checkpoint does not hold, for those will be run again.
    fn forget_after(&self, position: Position) -> Result<()> {
        let epochs = self.epochs()?;
        let kept: Vec<&Epoch> = epochs.iter().filter(|epoch| epoch.epoch <= position.epoch).collect();
        let lines = kept.iter().map(|epoch| self.line(epoch)).collect::<Result<String>>()?;
        if self.run.metrics().exists() { write_atomically(&self.run.metrics(), lines.as_bytes()) } else { Ok(()) }
    }

    fn line(&self, epoch: &Epoch) -> Result<String> {
        serde_json::to_string(epoch).map(|line| line + "\n").map_err(|error| {
            Error::file(self.run.metrics(), format!("cannot be written as JSON: {error}"), "report this")
        })
    }

    /// Ends the program if a stop was asked for during a read-out: training is safe in its checkpoint, and a read-out is
    /// soon done again.
    fn heed(&self, stop: &AtomicBool, bar: &ProgressBar) {
        if stop.load(Ordering::Relaxed) {
            bar.finish_and_clear();
            warn(&format!(
                "stopped during the read-out; go on with: synlocal train --resume {}",
                self.run.path().display()
            ));
            std::process::exit(INTERRUPTED.into());
        }
    }

    fn read_out(&self, mut trained: Simulation, stop: &AtomicBool) -> Result<Summary> {
        let (experiment, dataset) = (&self.experiment, &self.dataset);
        let (training, settings) = (experiment.training(), experiment.readout());
        let unit = experiment.readout_unit();
        let epochs = self.epochs()?;
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
        )?;
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
            pairs_per_s: median(epochs.iter().map(|epoch| epoch.pairs_per_s).collect()),
            loss: epochs.last().map(|epoch| epoch.loss),
            unit: trained.network().unit(unit).name.clone(),
            readout,
            untrained,
            pixels,
        })
    }
}

/// The middle value; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
