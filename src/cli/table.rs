//! `synlocal table`: many experiments over many seeds, one after another, in one table.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use indicatif::HumanDuration;

use super::progress::Bars;
use super::{ArithmeticArgs, Ending, MachineArgs, complain, read_source, say, stop_on_signal, warn};
use crate::data::Source;
use crate::error::{Error, Result};
use crate::kernels::Isa;
use crate::table::{Changes, Event, Second, Series, add_supervised, entries};

#[derive(Debug, clap::Args)]
pub(super) struct TableArgs {
    /// Experiment files, and folders of them.
    #[arg(required = true, value_name = "DIR|FILE")]
    sources: Vec<PathBuf>,
    /// Images that views are made of, and as many for the read-out if it has data of its own [default: as each file
    /// says].
    #[arg(long, value_name = "N")]
    images: Option<u64>,
    /// Times that each block sees every image [default: as each file says]. Where a block is drawn for each batch, the
    /// total is this times the number of blocks.
    #[arg(long, value_name = "N")]
    epochs: Option<u64>,
    /// Epochs of the read-outs [default: as each file says].
    #[arg(long, value_name = "N")]
    readout_epochs: Option<u64>,
    /// Run each experiment with the seeds from 1 to this.
    #[arg(long, value_name = "N", default_value_t = 3)]
    seeds: u64,
    /// Change all experiments: a path in their files and RON text, such as readout.batch=100.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Folder of a data set, for the experiments that learn from it or are read out on it, in place of any path in their
    /// files; may be given for each.
    #[arg(long, value_name = "DIR")]
    data: Vec<PathBuf>,
    /// Read each run out on a second data set as well, beside a supervised encoder of the same circuit: a folder, or
    /// RON such as 'Cifar10(path: "...")'.
    #[arg(long, value_name = "DIR|SOURCE")]
    to: Option<String>,
    /// Optimiser of the supervised encoders, such as 'Adam(rate: 1e-4)' [default: that of each file].
    #[arg(long, value_name = "OPTIMIZER", requires = "to")]
    supervised: Option<String>,
    /// Where runs and table go. What is there already is not run again.
    #[arg(long, value_name = "DIR", default_value = "runs/table")]
    out: PathBuf,
    #[command(flatten)]
    arithmetic: ArithmeticArgs,
    #[command(flatten)]
    machine: MachineArgs,
}

impl TableArgs {
    pub(super) fn run(self) -> Result<Ending> {
        if !(1..=1000).contains(&self.seeds) {
            return Err(Error::usage(format!("{} seeds are none or too many", self.seeds), "use --seeds 1 to 1000"));
        }
        for data in &self.data {
            Source::in_folder(data)?;
        }
        self.machine.install(|| match self.series() {
            Ok(series) => tabulate(series),
            Err(errors) => {
                errors.iter().for_each(complain);
                warn("nothing was run");
                Ok(Ending::Failed)
            }
        })
    }

    /// What is to be run, or all that stands against it.
    fn series(&self) -> std::result::Result<Series, Vec<Error>> {
        let changes = Changes {
            set: self.set.iter().cloned().chain(self.arithmetic.assignments()).collect(),
            images: self.images,
            epochs: self.epochs,
            readout_epochs: self.readout_epochs,
        };
        let entries = entries(&self.sources, &changes)?;
        let one = |error| vec![error];
        let second = self.to.as_deref().map(|to| Second::load(&source(to)?)).transpose().map_err(one)?;
        let isa = self.machine.isa.as_deref().map(Isa::named).transpose().map_err(one)?;
        let (seeds, out, data) = (self.seeds, self.out.clone(), self.data.clone());
        let mut series = Series { entries, seeds, out, data, isa, second };
        series.check_data()?;
        if series.second.is_some() {
            add_supervised(&mut series.entries, &self.data, self.supervised.as_deref())?;
        }
        Ok(series)
    }
}

/// A data set by its folder or in RON.
fn source(text: &str) -> Result<Source> {
    let folder = Path::new(text);
    if folder.is_dir() { Source::in_folder(folder) } else { read_source("--to", text) }
}

fn tabulate(mut series: Series) -> Result<Ending> {
    let stop = stop_on_signal()?;
    let mut bars: Option<Bars> = None;
    let mut at = String::new();
    let result = series.run(&mut |event| {
        match event {
            Event::Run { run, runs, name, experiment, seed, left } => {
                bars.iter().for_each(Bars::clear);
                bars = Some(Bars::new(experiment));
                at = format!("run {run} of {runs}, {name} with seed {seed}");
                let left = left.map_or_else(String::new, |left| format!(", about {} left", HumanDuration(left)));
                warn(&format!("{at}{left}"));
            }
            Event::Stage(stage) => bars.iter_mut().for_each(|bars| bars.show(stage)),
        }
        if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    bars.iter().for_each(Bars::clear);
    let (table, ended) = result?;
    say(&table.markdown())?;
    let out = series.out.display();
    if !ended {
        warn(&format!("stopped in {at}; the same command goes on, with what is in {out}"));
        return Ok(Ending::Interrupted);
    }
    warn(&format!("table.md, table.csv and table.json are in {out}"));
    let failed = table.rows.iter().flat_map(|row| row.failures()).count();
    if failed > 0 {
        warn(&format!("{failed} runs failed: the same command tries them again"));
        return Ok(Ending::Failed);
    }
    Ok(Ending::Done)
}
