//! `synlocal speed`: how long a learning step takes, on random views, so that no data set is needed.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Ending, ExperimentArgs, MachineArgs, name_of, say, say_json};
use crate::error::{Error, Result};
use crate::report::{EdgeWork, Speed};
use crate::rng::Stream;
use crate::simulation::{Batch, Training};

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
        let isa = self.machine.isa()?;
        let speed = self.machine.install(move || {
            let mut simulation = experiment.simulation_for(isa, pairs);
            let values = pairs * experiment.input_shape().len();
            let mut rng = Stream::new(experiment.training().seed).named("speed").rng();
            let stored: Vec<f32> = (0..values).map(|_| rng.uniform()).collect();
            let current: Vec<f32> = (0..values).map(|_| rng.uniform()).collect();
            let labels = vec![0; pairs];
            let batch = Batch { labels: &labels, ..Batch::views(&stored, &current) };
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
            times.sort_by(f64::total_cmp);
            let steps = times.len() as u64;
            let mut edges = EdgeWork::list(simulation.network(), &simulation.state().work());
            edges.iter_mut().for_each(|work| {
                let both = (work.done + work.skipped) / steps;
                work.done /= steps;
                work.skipped = both - work.done;
            });
            let done = edges.iter().map(|work| work.done).sum::<u64>();
            let median_s = times[times.len() / 2];
            Ok(Speed {
                name: name_of(&self.file),
                pairs,
                threads: rayon::current_num_threads(),
                isa: isa.to_string(),
                steps: times.len(),
                median_s,
                min_s: times[0],
                pairs_per_s: pairs as f64 / median_s,
                gflop_per_s: 2e-9 * done as f64 / median_s,
                done,
                skipped: edges.iter().map(|work| work.skipped).sum(),
                edges,
            })
        })?;
        if self.json {
            say_json(&speed)?;
        } else {
            say(&speed.table())?;
        }
        Ok(Ending::Done)
    }
}
