//! The table: experiments side by side over seeds, each always beside its own untrained encoder.
//!
//! A [`Series`] is what is to be run, one run directory `OUT/NAME/seed-S` for each experiment and seed. Runs are brought
//! to their end one after another; one that fails is kept apart with its reason, and the others go on. Data that are
//! missing or do not suit need no run to be found: [`Series::check_data`] tells of them beforehand. After each run
//! the [`Table`] is written anew as `table.md`, `table.csv` and `table.json` in OUT. A series that was stopped goes on
//! where it stood when it is run again, and what failed is tried again.
//!
//! `table.json` is a [`Table`] as its fields name it, with a [`Row`] for each experiment and a [`Run`] for each seed; a
//! run's `outcome` is `"waiting"`, `{"failed": REASON}` or `{"finished": FIGURES}`. `table.csv` has one line for each
//! row, under the names of [`CSV_COLUMNS`]; what is unknown is empty. An [`Estimate`] is a mean with `interval`, half the
//! 95 % interval over seeds, which a single seed does not have.

mod data;
mod entry;
mod render;
mod transfer;

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

pub use entry::{Amount, Changes, Entry, entries};
pub use render::CSV_COLUMNS;
pub use transfer::{Second, add_supervised, supervised};

use crate::error::{Error, Result};
use crate::kernels::Isa;
use crate::report::Summary;
use crate::session::{End, Floors, Options, Stage, complete};
use crate::simulation::{Experiment, Published, holds_run, read_manifest, summary_of, write_atomically, write_json};
use crate::statistics::Estimate;

/// What is to be run.
#[derive(Debug)]
pub struct Series {
    /// The experiments, a row each.
    pub entries: Vec<Entry>,
    /// Each is run with the seeds from 1 to this.
    pub seeds: u64,
    /// Where runs and table go.
    pub out: PathBuf,
    /// Folders of data sets, for the experiments whose data they hold.
    pub data: Vec<PathBuf>,
    /// Instruction set, as for [`Options::isa`].
    pub isa: Option<Isa>,
    /// A second data set, on which each run is read out as well.
    pub second: Option<Second>,
}

/// What the watcher of a series is told.
#[derive(Debug)]
pub enum Event<'a> {
    /// A run begins or goes on; of one that needs nothing but to be read, nothing is told.
    Run {
        /// Which run, counted from 1, and how many there are.
        run: usize,
        /// All runs of the series.
        runs: usize,
        /// Name of the experiment.
        name: &'a str,
        /// The experiment itself.
        experiment: &'a Experiment,
        /// Its seed.
        seed: u64,
        /// Time left, if all runs that are not complete take as long as the mean of those that this sitting did.
        left: Option<Duration>,
    },
    /// Where the run at hand stands.
    Stage(Stage),
}

/// The results of a series, as far as they are known.
#[derive(Debug, Clone, Serialize)]
pub struct Table {
    /// Version of the program.
    pub version: String,
    /// Seeds from 1 to this.
    pub seeds: u64,
    /// The second data set, if runs were read out on one.
    pub second: Option<String>,
    /// One for each experiment, in the order of the files.
    pub rows: Vec<Row>,
}

/// The results of one experiment.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Name of the experiment.
    pub name: String,
    /// Data set; and the one that it is read out on, if that is another.
    pub data: String,
    /// The data that its file names, if it was run on others.
    pub asked_data: Option<String>,
    /// Images that views were made of.
    pub images: Amount,
    /// Epochs as `training.epochs` means them: of each block, where one learns after the other.
    pub epochs: Amount,
    /// Images that the read-out learns from, if it has data of its own.
    pub readout_images: Amount,
    /// Epochs of the read-out.
    pub readout_epochs: Amount,
    /// One for each seed.
    pub runs: Vec<Run>,
    /// Test accuracy on the experiment's own data.
    pub own: Reading,
    /// Test accuracy on the second data set.
    pub second: Reading,
    /// Difference to the supervised encoder of the same circuit on the second data set, paired by seed.
    pub over_supervised: Option<Estimate>,
    /// What the experiment's file cites.
    pub published: Option<Published>,
    /// Median over seeds of the seconds of training.
    pub training_s: Option<f64>,
    /// Median over seeds of the pairs learned from a second.
    pub pairs_per_s: Option<f64>,
    /// Mean over seeds of the multiply-adds done for each pair.
    pub multiply_adds: Option<f64>,
}

/// Test accuracies over seeds on one data set.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Reading {
    /// Of the trained encoder.
    pub trained: Option<Estimate>,
    /// Of the encoder with its first weights.
    pub untrained: Option<Estimate>,
    /// Trained less untrained, paired by seed.
    pub difference: Option<Estimate>,
    /// Whether the interval of the difference leaves out 0; unknown from a single seed.
    pub told_apart: Option<bool>,
}

/// One run of an experiment.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is not complete yet.
    Waiting,
    /// It could not be completed.
    Failed(String),
    /// It is complete.
    Finished(Figures),
}

/// The figures of a complete run.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// Percent of test images right, trained and untrained, on the experiment's own data.
    pub own: [f64; 2],
    /// The same on the second data set.
    pub second: Option<[f64; 2]>,
    /// Seconds of training.
    pub training_s: f64,
    /// Pairs learned from a second.
    pub pairs_per_s: f64,
    /// Multiply-adds done for each pair.
    pub multiply_adds: f64,
    /// Heads whose embeddings had collapsed when instruments last looked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub collapsed: Vec<String>,
}

impl Series {
    /// Brings all runs to their end, or until `watch` breaks. The table, and whether it is complete but for runs that
    /// failed.
    ///
    /// # Errors
    /// A folder holds the run of another experiment, which is found before anything is run; the table cannot be
    /// written.
    pub fn run(&mut self, watch: &mut dyn FnMut(Event<'_>) -> ControlFlow<()>) -> Result<(Table, bool)> {
        let mut experiments = self.experiments()?;
        let is_complete = |run: &(usize, u64, Experiment)| summary_of(&self.folder(run.0, run.1)).exists();
        // What is known goes into the table before anything new is run.
        experiments.sort_by_key(|run| !is_complete(run));
        let mut due = experiments.iter().filter(|run| !is_complete(run)).count();
        fs::create_dir_all(&self.out).map_err(Error::io(&self.out))?;
        let mut outcomes = vec![vec![Outcome::Waiting; self.seeds as usize]; self.entries.len()];
        let (runs, mut floors, mut times) = (experiments.len(), Vec::new(), Vec::new());
        for (index, (entry, seed, experiment)) in experiments.into_iter().enumerate() {
            let folder = self.folder(entry, seed);
            let done = summary_of(&folder).exists();
            let left = times.iter().sum::<Duration>().checked_div(times.len() as u32).map(|mean| mean * due as u32);
            let name = self.entries[entry].name.clone();
            let begin = Event::Run { run: index + 1, runs, name: &name, experiment: &experiment, seed, left };
            let to_do = !done || self.second.is_some();
            if to_do && watch(begin).is_break() {
                return Ok((self.write(&outcomes)?, false));
            }
            let start = Instant::now();
            let options = Options {
                data: data::data_of(&experiment, &self.data),
                isa: self.isa,
                floors: floors.clone(),
                force: false,
            };
            let mut told = |stage| watch(Event::Stage(stage));
            let found = complete_run(experiment.clone(), &name, &folder, &options, &mut told).and_then(|summary| {
                floors.push(Floors::from(&summary));
                let second = match &mut self.second {
                    Some(second) => Some(second.read_out(&experiment, &folder, &mut told)?),
                    None => None,
                };
                Ok(Figures::of(&summary, second))
            });
            if !done {
                due -= 1;
                times.push(start.elapsed());
            }
            outcomes[entry][seed as usize - 1] = match found {
                Ok(figures) => Outcome::Finished(figures),
                Err(Error::Stopped) => return Ok((self.write(&outcomes)?, false)),
                Err(error) => Outcome::Failed(error.to_string()),
            };
            self.write(&outcomes)?;
        }
        Ok((self.write(&outcomes)?, true))
    }

    /// Every run of the series, row by row.
    fn experiments(&self) -> Result<Vec<(usize, u64, Experiment)>> {
        let mut experiments = Vec::new();
        for (index, entry) in self.entries.iter().enumerate() {
            for seed in 1..=self.seeds {
                let experiment = entry.experiment.changed(&[format!("training.seed={seed}")])?;
                let folder = self.folder(index, seed);
                if holds_run(&folder) && read_manifest(&folder)?.experiment != experiment.digest() {
                    return Err(Error::file(
                        folder,
                        "holds a run of this name in which images, epochs or something else in the experiment differ",
                        "choose another --out, or delete that folder",
                    ));
                }
                experiments.push((index, seed, experiment));
            }
        }
        Ok(experiments)
    }

    /// The run directory of an entry and a seed.
    fn folder(&self, entry: usize, seed: u64) -> PathBuf {
        self.out.join(&self.entries[entry].name).join(format!("seed-{seed}"))
    }

    /// The table of what is known, written.
    fn write(&self, outcomes: &[Vec<Outcome>]) -> Result<Table> {
        let rows = self.entries.iter().zip(outcomes).map(|(entry, own)| {
            let supervised = entry.supervised.map(|index| outcomes[index].as_slice());
            Row::of(entry, own, supervised)
        });
        let table = Table {
            version: env!("CARGO_PKG_VERSION").to_string(),
            seeds: self.seeds,
            second: self.second.as_ref().map(|second| second.name().to_string()),
            rows: rows.collect(),
        };
        write_atomically(&self.out.join("table.md"), table.markdown().as_bytes())?;
        write_atomically(&self.out.join("table.csv"), table.csv().as_bytes())?;
        write_json(&self.out.join("table.json"), &table)?;
        Ok(table)
    }
}

/// The summary of a run that is brought to its end.
fn complete_run(
    experiment: Experiment,
    name: &str,
    folder: &Path,
    options: &Options,
    watch: &mut dyn FnMut(Stage) -> ControlFlow<()>,
) -> Result<Summary> {
    match complete(experiment, name, folder, options, watch)? {
        End::Finished(summary) => Ok(*summary),
        End::Stopped => Err(Error::Stopped),
    }
}

impl Figures {
    fn of(summary: &Summary, second: Option<[f64; 2]>) -> Figures {
        Figures {
            own: [summary.readout.test_accuracy, summary.untrained.test_accuracy],
            second,
            training_s: summary.training_s,
            pairs_per_s: summary.pairs_per_s,
            multiply_adds: summary.multiply_adds,
            collapsed: summary.collapsed.clone(),
        }
    }
}

impl Outcome {
    fn figures(&self) -> Option<&Figures> {
        match self {
            Outcome::Finished(figures) => Some(figures),
            Outcome::Waiting | Outcome::Failed(_) => None,
        }
    }
}

impl Reading {
    /// The estimates from trained and untrained accuracies of some seeds.
    fn of(accuracies: &[[f64; 2]]) -> Reading {
        let estimate = |of: fn(&[f64; 2]) -> f64| Estimate::of(&accuracies.iter().map(of).collect::<Vec<_>>());
        let difference = estimate(|[trained, untrained]| trained - untrained);
        Reading {
            trained: estimate(|[trained, _]| *trained),
            untrained: estimate(|[_, untrained]| *untrained),
            difference,
            told_apart: difference.and_then(|difference| difference.differs_from_zero()),
        }
    }
}

impl Row {
    fn of(entry: &Entry, outcomes: &[Outcome], supervised: Option<&[Outcome]>) -> Row {
        let figures: Vec<&Figures> = outcomes.iter().filter_map(Outcome::figures).collect();
        let all = |of: fn(&Figures) -> f64| figures.iter().map(|figures| of(figures)).collect::<Vec<f64>>();
        let own: Vec<[f64; 2]> = figures.iter().map(|figures| figures.own).collect();
        let second: Vec<[f64; 2]> = figures.iter().filter_map(|figures| figures.second).collect();
        let trained = |outcome: &Outcome| Some(outcome.figures()?.second?[0]);
        let pairs = outcomes.iter().zip(supervised.unwrap_or_default());
        let over: Vec<f64> = pairs.filter_map(|(own, taught)| Some(trained(own)? - trained(taught)?)).collect();
        let runs = outcomes.iter().zip(1..).map(|(outcome, seed)| Run { seed, outcome: outcome.clone() });
        Row {
            name: entry.name.clone(),
            data: data::data_names(&entry.experiment),
            asked_data: entry.asked_data.clone(),
            images: entry.images,
            epochs: entry.epochs,
            readout_images: entry.readout_images,
            readout_epochs: entry.readout_epochs,
            runs: runs.collect(),
            own: Reading::of(&own),
            second: Reading::of(&second),
            over_supervised: Estimate::of(&over),
            published: entry.experiment.published().cloned(),
            training_s: median(all(|figures| figures.training_s)),
            pairs_per_s: median(all(|figures| figures.pairs_per_s)),
            multiply_adds: Estimate::of(&all(|figures| figures.multiply_adds)).map(|estimate| estimate.mean),
        }
    }

    /// The seeds of which the run failed, and why.
    pub fn failures(&self) -> impl Iterator<Item = (u64, &str)> {
        self.runs.iter().filter_map(|run| match &run.outcome {
            Outcome::Failed(reason) => Some((run.seed, reason.as_str())),
            _ => None,
        })
    }
}

/// The middle value, or the mean of the two; none of none.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}
