//! How fast learning steps are: what `synlocal speed` measures and prints.

use serde::Serialize;

use super::{align_right, grouped, plain_table};
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
    /// Instruction set of the kernels.
    pub isa: String,
    /// A step; the mean of all blocks that were timed, where blocks learn apart.
    #[serde(flatten)]
    pub step: StepSpeed,
    /// The blocks that were timed, where blocks learn apart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<BlockSpeed>,
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
    pub fn new(pairs: usize, mut times: Vec<f64>, edges: Vec<EdgeWork>) -> StepSpeed {
        times.sort_by(f64::total_cmp);
        let (steps, median, min) = (times.len(), times[times.len() / 2], times[0]);
        StepSpeed::with_work(pairs, steps, [median, min], edges, steps as u64)
    }

    /// The mean of several kinds of step, each taken as often as any other.
    pub fn mean(pairs: usize, kinds: &[StepSpeed]) -> StepSpeed {
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
        StepSpeed::with_work(pairs, steps, seconds, edges, kinds.len() as u64)
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
        }
    }
}

impl Speed {
    /// The figures as a table for a terminal.
    pub fn table(&self) -> String {
        let step = &self.step;
        let mut table = plain_table(&["edge", "verb", "multiply-adds", "skipped", "share of step"]);
        for work in &step.edges {
            table.add_row(vec![
                work.edge.clone(),
                work.verb.clone(),
                grouped(work.done),
                grouped(work.skipped),
                format!("{:.1} %", 100.0 * work.done as f64 / step.done.max(1) as f64),
            ]);
        }
        align_right(&mut table, 2..5);
        let what = match self.blocks.as_slice() {
            [] => String::new(),
            [only] => format!(", block {}", only.block),
            several => format!(", mean of {} blocks", several.len()),
        };
        format!(
            "{table}\n{}{}{what}: {} pairs, {} threads, {}: median step {:.4} s, best {:.4} s of {}\n{:.1} pairs/s, {:.1} GFLOP/s, {} multiply-adds done and {} skipped a step",
            self.block_table(),
            self.name,
            self.pairs,
            self.threads,
            self.isa,
            step.median_s,
            step.min_s,
            step.steps,
            step.pairs_per_s,
            step.gflop_per_s,
            grouped(step.done),
            grouped(step.skipped)
        )
    }

    /// The blocks one above the other; nothing where there are none to compare.
    fn block_table(&self) -> String {
        if self.blocks.len() < 2 {
            return String::new();
        }
        let mut table = plain_table(&["block", "median s", "best s", "pairs/s", "GFLOP/s", "multiply-adds"]);
        for BlockSpeed { block, step } in &self.blocks {
            table.add_row(vec![
                block.clone(),
                format!("{:.4}", step.median_s),
                format!("{:.4}", step.min_s),
                format!("{:.1}", step.pairs_per_s),
                format!("{:.1}", step.gflop_per_s),
                grouped(step.done),
            ]);
        }
        align_right(&mut table, 1..6);
        format!("{table}\n")
    }
}
