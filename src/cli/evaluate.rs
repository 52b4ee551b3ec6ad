//! `synlocal evaluate`: the read-out again, of any unit, on any data set that can be shown in the shape of the input.

use std::path::{Path, PathBuf};

use super::{ArithmeticArgs, Ending, MachineArgs, progress, read_source, say, say_json};
use crate::error::{Error, Result};
use crate::evaluate::read_out_unit;
use crate::fault::did_you_mean;
use crate::report::Evaluation;
use crate::session::Subject;
use crate::simulation::{Experiment, Readout, Simulation, checkpoint_of, experiment_of, read_manifest};

#[derive(Debug, clap::Args)]
pub(super) struct EvaluateArgs {
    /// Run directory that `synlocal train` made.
    run: PathBuf,
    /// Folder of another data set to read out on: CIFAR-10, CIFAR-100, STL-10 or IDX, found by its files [default: the run's].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Data set to read out on, as an experiment's data field says it, such as 'Objects(images: 1000)'; relative paths
    /// start here.
    #[arg(long, value_name = "SOURCE", conflicts_with = "data")]
    source: Option<String>,
    /// Unit to read out [default: the experiment's].
    #[arg(long, value_name = "NAME")]
    unit: Option<String>,
    /// Epochs of the classifier [default: the experiment's].
    #[arg(long, value_name = "N")]
    epochs: Option<u64>,
    #[command(flatten)]
    arithmetic: ArithmeticArgs,
    #[command(flatten)]
    machine: MachineArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl EvaluateArgs {
    pub(super) fn run(self) -> Result<Ending> {
        if let Some(fault) = self.epochs.and_then(Readout::epochs_fault) {
            return Err(Error::usage(format!("--epochs 0: {}", fault.problem), fault.remedy));
        }
        let manifest = read_manifest(&self.run)?;
        let kept = Experiment::load_run(&experiment_of(&self.run), &manifest)?;
        let experiment = kept.changed(&self.arithmetic.assignments().collect::<Vec<_>>())?;
        let isa = self.machine.isa()?;
        let network = experiment.network();
        let unit = match &self.unit {
            None => experiment.readout_unit(),
            Some(name) => network.find(name).ok_or_else(|| {
                let names = network.units().iter().map(|unit| unit.name.as_str());
                Error::usage(format!("the network has no unit {name:?}"), did_you_mean(name, names))
            })?,
        };
        let evaluation = self.machine.install(|| {
            let dataset = match (&self.data, &self.source) {
                (Some(folder), _) => experiment.load_from(folder)?,
                (None, Some(text)) => {
                    let source = read_source("--source", text)?.labelled();
                    source.load(Path::new("."), None)?.seen_through(experiment.views())
                }
                (None, None) => experiment.load_readout(&manifest.folders)?,
            };
            experiment.check_memory(experiment.training().pairs)?;
            experiment.check_features(&[unit], &dataset)?;
            let mut settings = experiment.readout().clone();
            settings.epochs = self.epochs.unwrap_or(settings.epochs);
            let seed = experiment.training().seed;
            let mut trained = experiment.simulation(isa);
            let position = trained.load(&checkpoint_of(&self.run), &manifest.experiment)?;
            // Each simulation makes room for the next.
            let read = |mut simulation: Simulation, what: Subject| {
                let bar = progress::reading_out(what, settings.epochs);
                let accuracy = read_out_unit(&mut simulation, unit, &dataset, &settings, seed, &mut |done| {
                    bar.set_position(done);
                    Ok(())
                });
                bar.finish_and_clear();
                accuracy
            };
            Ok(Evaluation {
                name: manifest.name.clone(),
                experiment: manifest.experiment.clone(),
                epoch: position.epoch,
                unit: network.unit(unit).name.clone(),
                data: (&dataset).into(),
                readout_epochs: settings.epochs,
                readout: read(trained, Subject::Trained)?,
                untrained: read(experiment.simulation(isa), Subject::Untrained)?,
            })
        })?;
        if self.json {
            say_json(&evaluation)?;
        } else {
            say(&evaluation.table())?;
        }
        Ok(Ending::Done)
    }
}
