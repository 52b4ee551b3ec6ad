//! A speed measurement as text.

use comfy_table::Table;

use super::{BlockSpeed, Speed, StepSpeed};
use crate::report::{align_right, grouped, plain_table};

impl Speed {
    /// The figures as tables for a terminal.
    pub fn table(&self) -> String {
        let step = &self.step;
        let details = if step.beats.is_empty() { self.edge_table() } else { beat_table(step) };
        let what = match self.blocks.as_slice() {
            [] => String::new(),
            [only] => format!(", block {}", only.block),
            several => format!(", mean of {} blocks", several.len()),
        };
        let beside = step.plain_median_s.zip(step.plain_ratio).map_or_else(String::new, |(seconds, ratio)| {
            format!(
                "\nby plain sums over everything, in turn with it: median step {seconds:.4} s, {ratio:.2} times as long"
            )
        });
        format!(
            "{details}\n{}{}{what}: {} pairs, {} threads{}, {}: median step {:.4} s, best {:.4} s of {}\n\
             {:.1} pairs/s, {:.1} GFLOP/s, {} multiply-adds done and {} skipped a step\n\
             peak {:.1} GFLOP/s before and {:.1} after; memory {:.1} GB/s before and {:.1} after{beside}",
            self.block_table(),
            self.name,
            self.pairs,
            self.threads,
            if self.brief && self.threads > 1 { " (a step so brief stays on one)" } else { "" },
            self.isa,
            step.median_s,
            step.min_s,
            step.steps,
            step.pairs_per_s,
            step.gflop_per_s,
            grouped(step.done),
            grouped(step.skipped),
            self.peak.before.gflop_per_s,
            self.peak.after.gflop_per_s,
            self.peak.before.gb_per_s,
            self.peak.after.gb_per_s,
        )
    }

    /// Work of each edge and verb.
    fn edge_table(&self) -> Table {
        let mut table = plain_table(&["edge", "verb", "multiply-adds", "skipped", "share of step"]);
        for work in &self.step.edges {
            table.add_row(vec![
                work.edge.clone(),
                work.verb.clone(),
                grouped(work.done),
                grouped(work.skipped),
                format!("{:.1} %", 100.0 * work.done as f64 / self.step.done.max(1) as f64),
            ]);
        }
        align_right(&mut table, 2..5);
        table
    }

    /// The blocks one above the other; nothing where there are none to compare.
    fn block_table(&self) -> String {
        if self.blocks.len() < 2 {
            return String::new();
        }
        let mut header = vec!["block", "median s", "best s", "pairs/s", "GFLOP/s", "multiply-adds"];
        header.extend(self.step.plain_median_s.map(|_| "plain s"));
        header.extend(self.step.plain_ratio.map(|_| "ratio"));
        let mut table = plain_table(&header);
        for BlockSpeed { block, step } in &self.blocks {
            let mut row = vec![
                block.clone(),
                format!("{:.4}", step.median_s),
                format!("{:.4}", step.min_s),
                format!("{:.1}", step.pairs_per_s),
                format!("{:.1}", step.gflop_per_s),
                grouped(step.done),
            ];
            row.extend(step.plain_median_s.map(|seconds| format!("{seconds:.4}")));
            row.extend(step.plain_ratio.map(|ratio| format!("{ratio:.2}")));
            table.add_row(row);
        }
        align_right(&mut table, 1..header.len());
        format!("{table}\n")
    }
}

/// Time and work of each beat; multiply-adds in millions.
fn beat_table(step: &StepSpeed) -> Table {
    let mut header = vec!["step", "view", "ms", "share", "eff. GFLOP/s", "of peak", "density", "done M", "skipped M"];
    header.extend(step.plain_median_s.map(|_| "plain ms"));
    header.extend(step.plain_ratio.map(|_| "ratio"));
    let mut table = plain_table(&header);
    let some = |value: Option<f64>, shown: fn(f64) -> String| value.map_or_else(String::new, shown);
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    for beat in &step.beats {
        let (name, view) = beat.name();
        let millions = |work: u64| if work == 0 { String::new() } else { format!("{:.1}", 1e-6 * work as f64) };
        let mut row = vec![
            name,
            view.to_string(),
            format!("{:.3}", 1e3 * beat.median_s),
            percent(beat.share),
            some(beat.effective_gflop_per_s, |speed| format!("{speed:.1}")),
            some(beat.share_of_peak, percent),
            some(beat.event_density, percent),
            millions(beat.done),
            millions(beat.skipped),
        ];
        row.extend(beat.plain_median_s.map(|seconds| format!("{:.3}", 1e3 * seconds)));
        row.extend(beat.plain_ratio.map(|ratio| format!("{ratio:.2}")));
        table.add_row(row);
    }
    align_right(&mut table, 2..header.len());
    table
}
