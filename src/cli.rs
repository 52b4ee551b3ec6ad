//! The command line: words in, words and files out. Everything else is the library's.

mod evaluate;
mod plan;
mod progress;
mod speed;
mod train;
mod verify;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::error::{Error, Result};
use crate::kernels::Isa;
use crate::simulation::Experiment;

/// Trains deep networks by rules that only use what a synapse can see.
#[derive(Debug, Parser)]
#[command(name = "synlocal", version, about, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a circuit on images without labels, then read it out.
    Train(train::TrainArgs),
    /// Read a trained encoder out again: another unit, another data set.
    Evaluate(evaluate::EvaluateArgs),
    /// Print the steps of one learning step, with shapes and multiply-adds.
    Plan(plan::PlanArgs),
    /// Time learning steps on random views.
    Speed(speed::SpeedArgs),
    /// Check that a circuit and this machine keep what theory promises.
    Verify(verify::VerifyArgs),
}

/// Arguments that every command on an experiment file has.
#[derive(Debug, Args)]
struct ExperimentArgs {
    /// Change the experiment: a path in its file and RON text, such as training.epochs=3.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// Seed of weights, order and views [default: the file's].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
}

impl ExperimentArgs {
    fn load(&self, file: &Path) -> Result<Experiment> {
        let seed = self.seed.map(|seed| format!("training.seed={seed}"));
        let assignments: Vec<String> = self.set.iter().cloned().chain(seed).collect();
        Experiment::load(file, &assignments)
    }
}

/// Arguments that choose how the machine is used.
#[derive(Debug, Args)]
struct MachineArgs {
    /// Worker threads [default: one for each core]. Results do not depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Instruction set: scalar, avx2 or avx512 [default: the widest; SYNLOCAL_ISA also sets it].
    #[arg(long, value_name = "SET")]
    isa: Option<String>,
}

impl MachineArgs {
    fn isa(&self) -> Result<Isa> {
        self.isa.as_deref().map_or_else(Isa::from_environment, Isa::named)
    }

    /// Runs `work` on as many threads as were asked for.
    fn install<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        if let Some(threads) = self.threads.filter(|threads| !(1..=MOST_THREADS).contains(threads)) {
            let remedy = format!("use --threads 1 to {MOST_THREADS}; there are {} cores", rayon::current_num_threads());
            return Err(Error::usage(format!("{threads} threads are none or too many to start"), remedy));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads.unwrap_or(0))
            .build()
            .map_err(|error| Error::usage(format!("threads cannot be started: {error}"), "use fewer --threads"))?;
        pool.install(work)
    }
}

/// The exit code that a shell gives to a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// How a command ended, if it did not fail.
enum Ending {
    Done,
    Interrupted,
    /// What was checked is not so, as the command said itself.
    Refuted,
}

/// More threads than any machine of today has cores; thousands would take minutes to start.
const MOST_THREADS: usize = 512;

/// Runs the program on the process's arguments.
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Train(args) => args.run(),
        Command::Evaluate(args) => args.run(),
        Command::Plan(args) => args.run(),
        Command::Speed(args) => args.run(),
        Command::Verify(args) => args.run(),
    };
    match outcome {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Interrupted) => ExitCode::from(INTERRUPTED),
        Ok(Ending::Refuted) => ExitCode::FAILURE,
        Err(error) => {
            // A fault report brings its own "error:" heads.
            match &error {
                Error::Circuit(faults) => warn(faults),
                other => warn(&format!("error: {other}")),
            }
            ExitCode::from(if matches!(error, Error::Usage { .. }) { 2 } else { 1 })
        }
    }
}

/// Prints a line to standard output. A reader that has gone away is no failure; output that is lost is.
fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::io("standard output")(error)),
        _ => Ok(()),
    }
}

/// Prints a line to standard error, where nothing can be done if nobody hears.
fn warn(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints a value as JSON to standard output.
fn say_json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::usage(format!("the result cannot be written as JSON: {error}"), "leave out --json"))?;
    say(&text)
}

/// The name of an experiment: its file's name without the ending.
fn name_of(file: &Path) -> String {
    file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

/// Where a run goes that was given no place.
fn default_out(name: &str, seed: u64) -> PathBuf {
    Path::new("runs").join(format!("{name}-seed{seed}"))
}
