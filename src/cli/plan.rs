//! `synlocal plan`: what happens in one learning step.

use std::path::PathBuf;

use serde::Serialize;

use super::{Ending, ExperimentArgs, say, say_json};
use crate::error::Result;
use crate::report::plan_table;
use crate::schedule::Line;
use crate::simulation::Stage;

/// A step of the plan, with the stage that takes it.
#[derive(Serialize)]
struct StageLine {
    stage: String,
    #[serde(flatten)]
    line: Line,
}

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
        let stages = experiment.stages();
        let lines = |stage: &Stage| stage.plan.lines(experiment.network());
        if self.json {
            let mut all = Vec::new();
            for stage in &stages {
                all.extend(lines(stage).into_iter().map(|line| StageLine { stage: stage.name.clone(), line }));
            }
            say_json(&all)?;
            return Ok(Ending::Done);
        }
        for (index, stage) in stages.iter().enumerate() {
            if stages.len() > 1 {
                say(&format!("stage {} of {}: the block of {}", index + 1, stages.len(), stage.name))?;
            }
            say(&plan_table(&lines(stage)))?;
        }
        Ok(Ending::Done)
    }
}
