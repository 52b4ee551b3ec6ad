//! The command line: words in, words and files out. Everything else is the library's.

mod audit;
mod distances;
mod evaluate;
mod plan;
mod progress;
mod speed;
mod table;
mod train;
mod verify;

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::{Args, Parser, Subcommand};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::data::Source;
use crate::document::Document;
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
    /// Run experiments over seeds, one after another, and set their read-outs side by side.
    Table(table::TableArgs),
    /// Measure how far apart a run's embeddings of one image and of two are, before and after training.
    Distances(distances::DistancesArgs),
    /// Print the steps of one learning step, with shapes and multiply-adds.
    Plan(plan::PlanArgs),
    /// Time learning steps on random views.
    Speed(speed::SpeedArgs),
    /// Check that a circuit and this machine keep what theory promises.
    Verify(verify::VerifyArgs),
    /// Judge whether each weight of a circuit changes only by what its synapse can see.
    Audit(audit::AuditArgs),
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
    #[command(flatten)]
    arithmetic: ArithmeticArgs,
}

impl ExperimentArgs {
    fn load(&self, file: &Path) -> Result<Experiment> {
        let seed = self.seed.map(|seed| format!("training.seed={seed}"));
        let assignments: Vec<String> =
            self.set.iter().cloned().chain(seed).chain(self.arithmetic.assignments()).collect();
        Experiment::load(file, &assignments)
    }
}

/// Arguments that choose among ways to the same result.
#[derive(Debug, Args)]
struct ArithmeticArgs {
    /// Convolve by plain sums: learning.arithmetic.convolution=Direct.
    #[arg(long)]
    direct: bool,
    /// Spread out every packet of errors: learning.arithmetic.errors=Dense.
    #[arg(long)]
    dense: bool,
}

impl ArithmeticArgs {
    /// What to change an experiment by.
    fn assignments(&self) -> impl Iterator<Item = String> {
        let flags =
            [(self.direct, "convolution=Direct"), (self.dense, "errors=Dense")].into_iter().filter(|(given, _)| *given);
        flags.map(|(_, value)| format!("learning.arithmetic.{value}"))
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
    /// It did all that it could and said what it could not.
    Failed,
}

/// More threads than any machine of today has cores; thousands would take minutes to start.
const MOST_THREADS: usize = 512;

/// Runs the program on the process's arguments.
pub fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Train(args) => args.run(),
        Command::Evaluate(args) => args.run(),
        Command::Table(args) => args.run(),
        Command::Distances(args) => args.run(),
        Command::Plan(args) => args.run(),
        Command::Speed(args) => args.run(),
        Command::Verify(args) => args.run(),
        Command::Audit(args) => args.run(),
    };
    match outcome {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Interrupted) => ExitCode::from(INTERRUPTED),
        Ok(Ending::Failed) => ExitCode::FAILURE,
        Err(error) => {
            complain(&error);
            ExitCode::from(if matches!(error, Error::Usage { .. }) { 2 } else { 1 })
        }
    }
}

/// From here on the first signal asks for a stop after the step at hand, and a second one ends the program. Until then a
/// signal ends it at once, as nothing is lost.
fn stop_on_signal() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, INTERRUPTED.into(), Arc::clone(&stop))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&stop)))
            .map_err(|error| Error::usage(format!("signals cannot be handled: {error}"), "report this"))?;
    }
    Ok(stop)
}

/// A data set as an experiment's data field says it, given as the argument `flag`.
fn read_source(flag: &str, text: &str) -> Result<Source> {
    let document = Document::new(flag, text);
    document.parse().map_err(|faults| document.error(faults))
}

/// Prints an error to standard error.
fn complain(error: &Error) {
    match error {
        // A fault report brings its own "error:" heads.
        Error::Circuit { coloured, .. } if std::io::stderr().is_terminal() => warn(coloured),
        Error::Circuit { plain, .. } => warn(plain),
        other => warn(&format!("error: {other}")),
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
