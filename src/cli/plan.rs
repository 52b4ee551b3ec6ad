//! `synlocal plan`: what happens in one learning step.

use std::path::PathBuf;

use super::{Ending, ExperimentArgs, say, say_json};
use crate::error::Result;
use crate::report::plan_table;

#[derive(Debug, clap::Args)]
pub(super) struct PlanArgs {
    /// Experiment file.
    file: PathBuf,
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// Print JSON: one object a step.
    #[arg(long)]
    json: bool,
}

impl PlanArgs {
    pub(super) fn run(self) -> Result<Ending> {
        let experiment = self.experiment.load(&self.file)?;
        let lines = experiment.plan().lines(experiment.network());
        if self.json {
            say_json(&lines)?;
        } else {
            say(&plan_table(&lines))?;
        }
        Ok(Ending::Done)
    }
}
