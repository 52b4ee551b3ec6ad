//! Verification: a ladder of equalities that must hold on anybody's circuit and machine.
//!
//! Each *rung* takes the circuit, its loss and its optimiser as they are, teaches them in two ways of which theory says
//! that they agree, and measures by how much they do not. Most agree to the last bit. A rung that says nothing about a
//! circuit is skipped with the reason, never passed.
//!
//! | rung | what agrees |
//! |---|---|
//! | plan = walk | the replayed plan and the live scheduler |
//! | threads | 1, 2 and 4 threads |
//! | instruction sets | each one that the processor has and the one in use, to rounding |
//! | ways of kernels | each arithmetic that kernels can be told to use and plain sums, to rounding |
//! | finite differences | back-propagation and the slope of the loss |
//! | RF = BP | fixed feedback equal to the forward weights and back-propagation, for a step |
//! | URF = BP | learned feedback that starts there and back-propagation, for ever |
//! | inverses | an inverse that learns and what it undoes, better than at first |
//! | DTP ~ BP | targets through such inverses and back-propagation, in direction |
//! | ways to targets | a change under DTP and the slope of its unit's way to the target |
//! | blocks | a block that learns in its network and the same block alone |
//! | resume = straight | a run through a checkpoint and one without |

mod arithmetic;
mod bench;
mod bits;
mod blocks;
mod cut;
mod differences;
mod exact;
mod resume;
mod rounding;
mod sets;
mod slopes;
mod targets;
mod ways;

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Result};
use crate::kernels::Isa;
use crate::loss::Comparison;
use crate::network::Network;
use crate::simulation::{Batch, Experiment, Learning, Position, Simulation};
use bench::Bench;

/// What is verified: it makes simulations and takes them through time. [`Engine`] does so as it should; a test of the
/// ladder hands in one that does not.
pub trait Subject: Sync {
    /// A simulation at its start.
    fn make(&self, isa: Isa, network: &Network, learning: &Learning, pairs: usize, seed: u64) -> Simulation {
        Simulation::on(isa, network.clone(), learning.clone(), pairs, seed)
    }

    /// A learning step by the plan.
    fn step(&self, simulation: &mut Simulation, batch: Batch<'_>) -> Comparison {
        simulation.step(batch)
    }

    /// A learning step by the live scheduler.
    fn walk(&self, simulation: &mut Simulation, batch: Batch<'_>) -> Comparison {
        simulation.walk(batch)
    }

    /// Writes a checkpoint.
    ///
    /// # Errors
    /// The file cannot be written.
    fn save(&self, simulation: &Simulation, file: &Path, experiment: &str, position: &Position) -> Result<()> {
        simulation.save(file, experiment, position)
    }

    /// Restores a checkpoint.
    ///
    /// # Errors
    /// The file cannot be read, or does not fit.
    fn load(&self, simulation: &mut Simulation, file: &Path, experiment: &str) -> Result<Position> {
        simulation.load(file, experiment)
    }
}

/// The engine of this crate.
#[derive(Debug, Clone, Copy)]
pub struct Engine;

impl Subject for Engine {}

/// On what the ladder is climbed.
#[derive(Debug, Clone)]
pub struct Options {
    /// Pairs in a batch: few are enough, for what is equal is equal for any.
    pub pairs: usize,
    /// Instruction set of all rungs but the one that compares them.
    pub isa: Isa,
    /// Folders of the data, if not the experiment's.
    pub data: Vec<PathBuf>,
}

/// How a rung ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// What must agree does.
    Holds,
    /// It does not.
    Fails,
    /// The rung says nothing about this circuit on this machine, for this reason.
    Skipped(String),
}

/// One equality, and what was found of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rung {
    /// What must agree.
    pub name: &'static str,
    /// What was compared; empty if nothing was.
    pub compared: String,
    /// The worst figure that was found.
    pub figure: Option<f64>,
    /// The largest figure that is no fault.
    pub limit: f64,
    /// What figure and limit count.
    pub unit: &'static str,
    /// Where the worst figure was found, if anything was found at all.
    pub place: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
}

/// What was found on all rungs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Where the views came from.
    pub views: String,
    /// Pairs in a batch.
    pub pairs: usize,
    /// Instruction set of all rungs but the one that compares them.
    pub isa: String,
    /// The rungs, in the order climbed.
    pub rungs: Vec<Rung>,
}

impl Verification {
    /// The rungs that fail.
    pub fn failures(&self) -> impl Iterator<Item = &Rung> {
        self.rungs.iter().filter(|rung| rung.outcome == Outcome::Fails)
    }
}

/// Why a rung that measures changes says nothing.
const NO_ERROR: &str = "the loss makes no error on these views";

/// What a rung found: a measurement, or a reason why there is none.
type Found = std::result::Result<Measured, String>;

/// How far apart two ways were that must agree.
#[derive(Debug, Clone)]
struct Measured {
    compared: String,
    figure: f64,
    place: Option<String>,
}

impl Measured {
    /// The worst of several figures, each with its place; what is no number is worse than any.
    fn worst(compared: String, figures: impl IntoIterator<Item = (f64, String)>) -> Measured {
        let worst = figures.into_iter().filter(|(figure, _)| *figure != 0.0).max_by(|(a, _), (b, _)| by_figure(*a, *b));
        let (figure, place) = worst.map_or((0.0, None), |(figure, place)| (figure, Some(place)));
        Measured { compared, figure, place }
    }
}

/// Orders figures from good to bad: what is no number comes last, though its sign, which is the processor's choice, may
/// be negative.
fn by_figure(one: f64, other: f64) -> Ordering {
    one.is_nan().cmp(&other.is_nan()).then(one.total_cmp(&other))
}

/// A rung before it is climbed.
struct Step {
    name: &'static str,
    limit: f64,
    unit: &'static str,
    climb: fn(&Bench<'_>) -> Result<Found>,
}

const LADDER: [Step; 12] = [
    Step { name: "plan = walk", limit: 0.0, unit: bits::UNIT, climb: exact::plan_and_walk },
    Step { name: "threads", limit: 0.0, unit: bits::UNIT, climb: exact::threads },
    Step { name: "instruction sets", limit: rounding::LIMIT, unit: rounding::UNIT, climb: sets::climb },
    Step { name: "ways of kernels", limit: rounding::LIMIT, unit: rounding::UNIT, climb: arithmetic::climb },
    Step { name: "finite differences", limit: differences::LIMIT, unit: differences::UNIT, climb: slopes::climb },
    Step { name: "RF = BP", limit: 0.0, unit: bits::UNIT, climb: exact::fixed_copy },
    Step { name: "URF = BP", limit: 0.0, unit: bits::UNIT, climb: exact::learned_copy },
    Step { name: "inverses", limit: targets::MISS_LIMIT, unit: targets::MISS_UNIT, climb: targets::inverses },
    Step { name: "DTP ~ BP", limit: targets::ANGLE_LIMIT, unit: targets::ANGLE_UNIT, climb: targets::direction },
    Step { name: "ways to targets", limit: differences::LIMIT, unit: differences::UNIT, climb: ways::climb },
    Step { name: "blocks", limit: 0.0, unit: bits::UNIT, climb: blocks::climb },
    Step { name: "resume = straight", limit: 0.0, unit: bits::UNIT, climb: resume::climb },
];

impl Step {
    fn climb(&self, bench: &Bench<'_>) -> Result<Rung> {
        let Step { name, limit, unit, climb } = *self;
        let found = match climb(bench) {
            // What a circuit does that loses its numbers says nothing about the engine.
            Err(Error::Diverged { problem, .. }) => Err(problem),
            found => found?,
        };
        Ok(match found {
            Err(reason) => {
                let outcome = Outcome::Skipped(reason);
                Rung { name, compared: String::new(), figure: None, limit, unit, place: None, outcome }
            }
            Ok(Measured { compared, figure, place }) => {
                // What is no number is within no limit.
                let outcome = if figure <= limit { Outcome::Holds } else { Outcome::Fails };
                Rung { name, compared, figure: Some(figure), limit, unit, place, outcome }
            }
        })
    }
}

/// Climbs the ladder with the circuit of `experiment` and the engine `subject`.
///
/// # Errors
/// A data folder that was asked for cannot be read, the circuit's first loss is no number, there is no room in memory or on disk, or threads cannot be
/// started. A rung that fails is none.
pub fn verify(experiment: &Experiment, options: &Options, subject: &dyn Subject) -> Result<Verification> {
    let bench = Bench::new(experiment, options, subject)?;
    bench::finite(bench.step(&mut bench.simulation(&bench.own()), 0).loss)?;
    Ok(Verification {
        views: bench.views(),
        pairs: options.pairs,
        isa: options.isa.to_string(),
        rungs: LADDER.iter().map(|step| step.climb(&bench)).collect::<Result<_>>()?,
    })
}
