//! `synlocal speed`: how long a learning step takes, and each step of its plan, on random views, so that no data set is
//! needed.

mod watch;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{ArithmeticArgs, Ending, ExperimentArgs, MachineArgs, name_of, say, say_json, warn};
use crate::error::{Error, Result};
use crate::fault::did_you_mean;
use crate::kernels::Peak;
use crate::report::{BlockSpeed, Peaks, Speed, StepSpeed, StepTimes};
use crate::rng::Stream;
use crate::simulation::{Batch, Experiment, Training, folder_for, write_atomically};
use watch::Watch;

/// Steps that are run before any is timed.
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
    /// Time the same experiment with --direct --dense as well, a step of one after a step of the other.
    #[arg(long)]
    compare: bool,
    /// Draw the speed of each step of the plan under the roofs of the machine.
    #[arg(long, value_name = "FILE")]
    roofline: Option<PathBuf>,
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
        if self.compare {
            experiment.check_memory_of(2, pairs, "use fewer --pairs, or leave out --compare")?;
        }
        let stages = self.stages(&experiment)?;
        if self.roofline.is_some() && stages.len() > 1 {
            let problem = format!("a roofline shows the steps of one block, but there are {}", stages.len());
            return Err(Error::usage(problem, "name one with --block"));
        }
        // Before the time is spent, not after.
        self.roofline.as_deref().map(folder_for).transpose()?;
        let isa = self.machine.isa()?;
        let plain = ArithmeticArgs { direct: true, dense: true };
        let plain = self.compare.then(|| experiment.changed(&plain.assignments().collect::<Vec<_>>())).transpose()?;
        let speed = self.machine.install(move || {
            let before = Peak::measure(isa);
            let both = std::iter::once(&experiment).chain(&plain);
            let mut watches: Vec<Watch> =
                both.map(|experiment| Watch::new(experiment.simulation_for(isa, pairs))).collect();
            let values = pairs * experiment.input_shape().len();
            let mut rng = Stream::new(experiment.training().seed).named("speed").rng();
            let stored: Vec<f32> = (0..values).map(|_| rng.uniform()).collect();
            let current: Vec<f32> = (0..values).map(|_| rng.uniform()).collect();
            let labels = vec![0; pairs];
            let batch = Batch { labels: &labels, ..Batch::views(&stored, &current) };
            let found: Vec<Vec<StepTimes>> =
                stages.iter().map(|&stage| time(&mut watches, stage, batch, pairs)).collect();
            let after = Peak::measure(isa);
            let timed: Vec<StepSpeed> = found
                .into_iter()
                .filter_map(|found| {
                    let mut found = found.into_iter();
                    let own = found.next()?;
                    Some(own.speed(pairs, found.next().as_ref(), before.or(after)))
                })
                .collect();
            let step = StepSpeed::mean(pairs, &timed);
            let apart = experiment.learning().staging.is_blockwise();
            let timed = stages.iter().zip(timed).filter(|_| apart);
            let all = experiment.stages();
            let block = |stage: usize| all[stage].name.clone();
            Ok(Speed {
                name: name_of(&self.file),
                pairs,
                threads: rayon::current_num_threads(),
                brief: stages.iter().all(|&stage| all[stage].plan.is_brief(pairs)),
                isa: isa.to_string(),
                arithmetic: experiment.learning().arithmetic,
                peak: Peaks::new(before, after),
                step,
                blocks: timed.map(|(&stage, step)| BlockSpeed { block: block(stage), step }).collect(),
            })
        })?;
        if let Some(file) = &self.roofline {
            write_atomically(file, speed.roofline().as_bytes())?;
            warn(&format!("roofline in {}", file.display()));
        }
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

/// Times steps of a stage on all watches, in turn, so that what disturbs one disturbs the others as well.
fn time(watches: &mut [Watch], stage: usize, batch: Batch<'_>, pairs: usize) -> Vec<StepTimes> {
    watches.iter_mut().for_each(|watch| watch.enter(stage, batch, pairs, WARM_UP));
    let mut rounds = 0;
    let start = Instant::now();
    while rounds < STEPS || start.elapsed() < TIME {
        watches.iter_mut().for_each(|watch| watch.step(batch));
        rounds += 1;
    }
    watches.iter_mut().map(Watch::found).collect()
}
