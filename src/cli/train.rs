//! `synlocal train`: from an experiment file to a run directory with a result.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use super::progress::Bars;
use super::{Ending, ExperimentArgs, MachineArgs, default_out, name_of, say, stop_on_signal, warn};
use crate::error::{Error, Result};
use crate::kernels::Isa;
use crate::session::{End, Options, Session, Stage};
use crate::simulation::{Experiment, read_manifest};

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
    #[arg(long, value_name = "RUN", conflicts_with_all = ["set", "seed", "direct", "dense"])]
    resume: Option<PathBuf>,
    /// Folder of the data, in place of any path in the file [default: the file's]. An experiment that is read out on
    /// another data set takes one for each.
    #[arg(long, value_name = "DIR")]
    data: Vec<PathBuf>,
    #[command(flatten)]
    machine: MachineArgs,
}

impl TrainArgs {
    pub(super) fn run(self) -> Result<Ending> {
        self.machine.install(|| {
            let options = Options {
                data: self.data.clone(),
                isa: self.machine.isa.as_deref().map(Isa::named).transpose()?,
                force: self.force,
                ..Options::default()
            };
            train(&match &self.resume {
                Some(run) => self.resume(run, &options)?,
                None => self.start(&options)?,
            })
        })
    }

    fn start(&self, options: &Options) -> Result<Session> {
        let file = self.file.as_deref().unwrap_or(Path::new(""));
        let experiment = self.experiment.load(file)?;
        let name = name_of(file);
        let out = self.out.clone().unwrap_or_else(|| default_out(&name, experiment.training().seed));
        let session = Session::start(experiment, &name, &out, options)?;
        session.audit().into_iter().for_each(warn);
        Ok(session)
    }

    fn resume(&self, run: &Path, options: &Options) -> Result<Session> {
        if let Some(file) = &self.file {
            let manifest = read_manifest(run)?;
            if Experiment::load(file, &[])?.digest() != manifest.experiment {
                return Err(Error::file(
                    file,
                    format!("is not the experiment of {}", run.display()),
                    "leave the file out to go on with the run's own experiment",
                ));
            }
        }
        let session = Session::resume(run, options)?;
        if !session.directory().checkpoint().exists() {
            warn(&format!("{} has no checkpoint yet: it starts from its first weights", run.display()));
        }
        Ok(session)
    }
}

fn train(session: &Session) -> Result<Ending> {
    let stop = stop_on_signal()?;
    let mut bars = Bars::new(session.experiment());
    let mut last = None;
    let end = session.run(&mut |stage| {
        bars.show(stage);
        last = Some(stage);
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bars.clear();
    let run = session.directory().path().display();
    match end? {
        End::Finished(summary) => {
            say(&summary.table())?;
            let pace =
                if summary.has_learned() { format!("{:.0} pairs/s; ", summary.pairs_per_s) } else { String::new() };
            say(&format!("{pace}results in {run}"))?;
            Ok(Ending::Done)
        }
        End::Stopped => {
            let when = match last {
                Some(Stage::Training(progress)) => format!("after {} updates", progress.steps),
                _ => "during the read-out".to_string(),
            };
            warn(&format!("stopped {when}; go on with: synlocal train --resume {run}"));
            Ok(Ending::Interrupted)
        }
    }
}
