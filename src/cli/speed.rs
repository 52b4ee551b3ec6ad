//! `synlocal speed`: how long a learning step takes, on random views, so that no data set is needed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Ending, ExperimentArgs, MachineArgs, name_of, say, say_json};
use crate::error::{Error, Result};
use crate::fault::did_you_mean;
use crate::report::{BlockSpeed, EdgeWork, Speed, StepSpeed};
use crate::rng::Stream;
use crate::simulation::{Batch, Experiment, Simulation, Training};

/// Steps that are run before any is timed: they touch all memory and fill the caches.
const WARM_UP: usize = 2;
/// Timed steps, at least.
const STEPS: usize = 7;
/// Time for all timed steps, at least, so that steps of a millisecond get a steady median.
const TIME: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(super) struct SpeedArgs {
    /// Experiment file.
    file: PathBuf,
    /// Pairs in a batch [default: the file's].
    #[arg(long, value_name = "N")]
    pairs: Option<usize>,
    /// Block whose steps are timed, named by its top unit [default: each block in turn, where blocks learn apart].
    #[arg(long, value_name = "NAME")]
    block: Option<String>,
    #[command(flatten)]
    experiment: ExperimentArgs,
    #[command(flatten)]
    machine: MachineArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl SpeedArgs {
    pub(super) fn run(self) -> Result<Ending> {
        let experiment = self.experiment.load(&self.file)?;
        let pairs = self.pairs.unwrap_or(experiment.training().pairs);
        if let Some(fault) = Training::pairs_fault(pairs) {
            return Err(Error::usage(fault.problem, fault.remedy));
        }
        experiment.check_memory(pairs)?;
        let stages = self.stages(&experiment)?;
        let isa = self.machine.isa()?;
        let speed = self.machine.install(move || {
            let mut simulation = experiment.simulation_for(isa, pairs);
            let values = pairs * experiment.input_shape().len();
            let mut rng = Stream::new(experiment.training().seed).named("speed").rng();
            let stored: Vec<f32> = (0..values).map(|_| rng.uniform()).collect();
            let current: Vec<f32> = (0..values).map(|_| rng.uniform()).collect();
            let labels = vec![0; pairs];
            let batch = Batch { labels: &labels, ..Batch::views(&stored, &current) };
            let mut timed = Vec::new();
            for &stage in &stages {
                simulation.enter(stage);
                timed.push(time(&mut simulation, batch, pairs));
            }
            let step = StepSpeed::mean(pairs, &timed);
            let apart = experiment.learning().staging.is_blockwise();
            let timed = stages.iter().zip(timed).filter(|_| apart);
            Ok(Speed {
                name: name_of(&self.file),
                pairs,
                threads: rayon::current_num_threads(),
                isa: isa.to_string(),
                step,
                blocks: timed
                    .map(|(&stage, step)| BlockSpeed { block: simulation.stages()[stage].name.clone(), step })
                    .collect(),
            })
        })?;
        if self.json {
            say_json(&speed)?;
        } else {
            say(&speed.table())?;
        }
        Ok(Ending::Done)
    }

    /// The stages to time: that of the block which was asked for, or all.
    fn stages(&self, experiment: &Experiment) -> Result<Vec<usize>> {
        let stages = experiment.stages();
        let Some(name) = &self.block else { return Ok((0..stages.len()).collect()) };
        if !experiment.learning().staging.is_blockwise() {
            let problem = format!("there is no block {name:?} to time alone: the network learns end to end");
            return Err(Error::usage(problem, "leave out --block, or --set learning.staging=Greedy"));
        }
        let found = stages.iter().position(|stage| stage.name == *name);
        found.map(|stage| vec![stage]).ok_or_else(|| {
            let names = stages.iter().map(|stage| stage.name.as_str());
            Error::usage(format!("there is no block {name:?}"), did_you_mean(name, names))
        })
    }
}

/// Times steps of the stage at hand.
fn time(simulation: &mut Simulation, batch: Batch<'_>, pairs: usize) -> StepSpeed {
    for _ in 0..WARM_UP {
        simulation.step(batch);
    }
    simulation.clear_work();
    let mut times = Vec::new();
    let start = Instant::now();
    while times.len() < STEPS || start.elapsed() < TIME {
        let step = Instant::now();
        simulation.step(batch);
        times.push(step.elapsed().as_secs_f64());
    }
    StepSpeed::new(pairs, times, EdgeWork::list(simulation.network(), &simulation.state().work()))
}
