//! `synlocal verify`: a ladder of equalities, on the user's own circuit and machine.

use std::path::PathBuf;

use super::{Ending, ExperimentArgs, MachineArgs, say, say_json, warn};
use crate::error::{Error, Result};
use crate::report::{ladder_table, short};
use crate::simulation::Training;
use crate::verify::{Engine, Options, verify};

#[derive(Debug, clap::Args)]
pub(super) struct VerifyArgs {
    /// Experiment file.
    file: PathBuf,
    /// Pairs in a batch.
    #[arg(long, value_name = "N", default_value_t = 8)]
    pairs: usize,
    /// Folder of the data, in place of any path in the file [default: the file's; random images if there is none]. An
    /// experiment that is read out on another data set takes one for each.
    #[arg(long, value_name = "DIR")]
    data: Vec<PathBuf>,
    #[command(flatten)]
    experiment: ExperimentArgs,
    #[command(flatten)]
    machine: MachineArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl VerifyArgs {
    pub(super) fn run(self) -> Result<Ending> {
        let experiment = self.experiment.load(&self.file)?;
        if let Some(fault) = Training::pairs_fault(self.pairs) {
            return Err(Error::usage(fault.problem, fault.remedy));
        }
        let options = Options { pairs: self.pairs, isa: self.machine.isa()?, data: self.data };
        let found = self.machine.install(|| verify(&experiment, &options, &Engine))?;
        if self.json {
            say_json(&found)?;
        } else {
            say(&ladder_table(&found))?;
        }
        for rung in found.failures() {
            let place = rung.place.as_deref().map(|place| format!(" at {place}")).unwrap_or_default();
            let figure = short(rung.figure.unwrap_or(f64::NAN));
            warn(&format!(
                "error: rung `{}` fails{place}: {figure} {}, not {} or less; report it with this circuit",
                rung.name, rung.unit, rung.limit
            ));
        }
        Ok(if found.failures().next().is_some() { Ending::Failed } else { Ending::Done })
    }
}
