//! How fast learning steps are: what `synlocal speed` measures and prints.

mod beat;
mod table;

use serde::Serialize;

pub use beat::{BeatSpeed, BeatTimes, StepTimes};

use crate::kernels::Peak;
use crate::kernels::arithmetic::Arithmetic;
use crate::locality::{Tally, Work};
use crate::network::{Network, Wiring};

/// How fast learning steps are: what `synlocal speed --json` prints.
#[derive(Debug, Clone, Serialize)]
pub struct Speed {
    /// Name of the experiment.
    pub name: String,
    /// Pairs in a batch.
    pub pairs: usize,
    /// Worker threads.
    pub threads: usize,
    /// Whether a step is over so soon that it stays on one of them; of all blocks that were timed.
    pub brief: bool,
    /// Instruction set of the kernels.
    pub isa: String,
    /// Which ways to the same result they take.
    pub arithmetic: Arithmetic,
    /// What the machine could do at most, meanwhile.
    pub peak: Peaks,
    /// A step; the mean of all blocks that were timed, where blocks learn apart.
    #[serde(flatten)]
    pub step: StepSpeed,
    /// The blocks that were timed, where blocks learn apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<BlockSpeed>,
}

/// The roofs that kernels work under, measured before and after the timed steps, on the same threads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Peaks {
    /// Before the first timed step.
    pub before: Roof,
    /// After the last one.
    pub after: Roof,
    /// The higher of both: what was measured lower was disturbed.
    pub best: Roof,
}

/// What the machine could do at most.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Roof {
    /// 10^9 floating-point operations a second, two for each multiply-add, on registers alone.
    pub gflop_per_s: f64,
    /// 10^9 bytes a second, read from and written to memory.
    pub gb_per_s: f64,
}

impl Peaks {
    /// Both measurements.
    pub fn new(before: Peak, after: Peak) -> Peaks {
        Peaks { before: before.into(), after: after.into(), best: before.or(after).into() }
    }
}

impl From<Peak> for Roof {
    fn from(peak: Peak) -> Roof {
        Roof { gflop_per_s: 2e-9 * peak.multiply_adds, gb_per_s: 1e-9 * peak.bytes }
    }
}

/// How fast the steps of one block are.
#[derive(Debug, Clone, Serialize)]
pub struct BlockSpeed {
    /// The top unit of the block.
    pub block: String,
    /// A step in which it learns.
    #[serde(flatten)]
    pub step: StepSpeed,
}

/// Time and work of a step.
#[derive(Debug, Clone, Serialize)]
pub struct StepSpeed {
    /// Steps that were timed.
    pub steps: usize,
    /// Median time of a step, seconds.
    pub median_s: f64,
    /// Shortest time of a step, seconds.
    pub min_s: f64,
    /// Pairs a second at the median.
    pub pairs_per_s: f64,
    /// 10^9 floating-point operations a second at the median: two for each multiply-add done.
    pub gflop_per_s: f64,
    /// Multiply-adds done in a step.
    pub done: u64,
    /// Multiply-adds that no event asked for in a step.
    pub skipped: u64,
    /// The same for each projection and verb.
    pub edges: Vec<EdgeWork>,
    /// Median time of a step by plain sums over everything, seconds, if such steps were timed in turn with these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain_median_s: Option<f64>,
    /// How many times as long that takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain_ratio: Option<f64>,
    /// The beats of a step, in their order; none of the mean of several blocks, which have their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub beats: Vec<BeatSpeed>,
}

/// Multiply-adds of one projection in one verb of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EdgeWork {
    /// The projection.
    pub edge: String,
    /// `drive`, `carry`, `learn`, or `invert`, which counts what an inverse learns too.
    pub verb: String,
    /// Computed.
    pub done: u64,
    /// Skipped, because no event asked for them.
    pub skipped: u64,
}

impl EdgeWork {
    /// What `tally` says, by name; verbs in which a projection had nothing to do are left out.
    pub fn list(network: &Network, tally: &Tally) -> Vec<EdgeWork> {
        let forward = || network.feedforward().iter().map(|projection| projection.name.as_str());
        let feedback = |inverts: bool| {
            let pairs = network.feedback().iter().zip(&tally.carry);
            let wired = pairs.filter(move |(feedback, _)| (feedback.wiring == Wiring::Inverse) == inverts);
            wired.map(|(feedback, work)| (feedback.name.as_str(), work))
        };
        let of = |verb: &'static str| {
            move |(edge, work): (&str, &Work)| EdgeWork {
                edge: edge.to_string(),
                verb: verb.to_string(),
                done: work.done,
                skipped: work.skipped,
            }
        };
        forward()
            .zip(&tally.drive)
            .map(of("drive"))
            .chain(feedback(true).map(of("invert")))
            .chain(feedback(false).map(of("carry")))
            .chain(forward().zip(&tally.learn).map(of("learn")))
            .filter(|work| work.done + work.skipped > 0)
            .collect()
    }
}

impl StepSpeed {
    /// What steps of `pairs` pairs took that lasted `times`, at least one, with the work of all of them.
    pub fn new(pairs: usize, times: Vec<f64>, edges: Vec<EdgeWork>) -> StepSpeed {
        let (steps, min) = (times.len(), times.iter().copied().fold(f64::INFINITY, f64::min));
        StepSpeed::with_work(pairs, steps, [median(&times), min], edges, steps as u64)
    }

    /// The mean of several kinds of step, each taken as often as any other.
    pub fn mean(pairs: usize, kinds: &[StepSpeed]) -> StepSpeed {
        if let [only] = kinds {
            return only.clone();
        }
        let mean = |seconds: fn(&StepSpeed) -> f64| kinds.iter().map(seconds).sum::<f64>() / kinds.len() as f64;
        let mut edges: Vec<EdgeWork> = Vec::new();
        for work in kinds.iter().flat_map(|kind| &kind.edges) {
            match edges.iter_mut().find(|sum| (&sum.edge, &sum.verb) == (&work.edge, &work.verb)) {
                Some(sum) => {
                    sum.done += work.done;
                    sum.skipped += work.skipped;
                }
                None => edges.push(work.clone()),
            }
        }
        let steps = kinds.iter().map(|kind| kind.steps).sum();
        let seconds = [mean(|kind| kind.median_s), mean(|kind| kind.min_s)];
        let plain: Vec<f64> = kinds.iter().filter_map(|kind| kind.plain_median_s).collect();
        let plain_median_s = (plain.len() == kinds.len()).then(|| plain.iter().sum::<f64>() / kinds.len() as f64);
        StepSpeed {
            plain_median_s,
            plain_ratio: plain_median_s.map(|plain| plain / seconds[0]),
            ..StepSpeed::with_work(pairs, steps, seconds, edges, kinds.len() as u64)
        }
    }

    /// `edges` hold the work of `shares` steps.
    fn with_work(
        pairs: usize,
        steps: usize,
        [median_s, min_s]: [f64; 2],
        mut edges: Vec<EdgeWork>,
        shares: u64,
    ) -> StepSpeed {
        edges.iter_mut().for_each(|work| {
            let both = (work.done + work.skipped) / shares;
            work.done /= shares;
            work.skipped = both - work.done;
        });
        let done = edges.iter().map(|work| work.done).sum::<u64>();
        StepSpeed {
            steps,
            median_s,
            min_s,
            pairs_per_s: pairs as f64 / median_s,
            gflop_per_s: 2e-9 * done as f64 / median_s,
            done,
            skipped: edges.iter().map(|work| work.skipped).sum(),
            edges,
            plain_median_s: None,
            plain_ratio: None,
            beats: Vec::new(),
        }
    }
}

/// The median of some times, at least one: of an even number, the higher of the middle two.
fn median(times: &[f64]) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
