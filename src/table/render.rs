//! A table as Markdown, for people, and as comma-separated values, for other programs.

use comfy_table::{ContentArrangement, presets};

use super::{Amount, Outcome, Reading, Row, Table};
use crate::report::grouped;
use crate::statistics::Estimate;

/// The columns of `table.csv`. Accuracies are percent of test images; each `_interval` is half the 95 % interval of the
/// column before it; `told_apart` is whether the interval of a difference leaves out 0.
pub const CSV_COLUMNS: [&str; 31] = [
    "experiment",
    "data",
    "images",
    "epochs",
    "readout_epochs",
    "reduced",
    "runs",
    "failed",
    "trained",
    "trained_interval",
    "untrained",
    "untrained_interval",
    "difference",
    "difference_interval",
    "told_apart",
    "second_data",
    "second_trained",
    "second_trained_interval",
    "second_untrained",
    "second_untrained_interval",
    "second_difference",
    "second_difference_interval",
    "second_told_apart",
    "over_supervised",
    "over_supervised_interval",
    "published",
    "published_source",
    "training_s",
    "pairs_per_s",
    "multiply_adds_a_pair",
    "failures",
];

impl Table {
    /// The table as Markdown, its columns aligned for a terminal as well.
    pub fn markdown(&self) -> String {
        let mut text = format!("{}\n\n{}\n", self.head(), self.grid());
        for row in &self.rows {
            let Some(source) = row.published.as_ref().and_then(|published| published.source.as_deref()) else {
                continue;
            };
            text.push_str(&format!("\n{}: published by {}.\n", row.name, line(source)));
        }
        text
    }

    /// What was run: images, epochs, seeds, and where that is less than the files ask.
    fn head(&self) -> String {
        let span = |of: fn(&Row) -> Amount| {
            let amounts: Vec<Amount> = self.rows.iter().map(of).collect();
            let mut used: Vec<Option<u64>> = amounts.iter().map(|amount| amount.used).collect();
            // All there are is more than any number.
            used.sort_by_key(|used| used.unwrap_or(u64::MAX));
            used.dedup();
            let ends = [used.first(), used.last().filter(|_| used.len() > 1)];
            let shown: Vec<String> = ends.into_iter().flatten().map(|used| number(*used)).collect();
            let reduced = if amounts.iter().any(Amount::is_reduced) { " (reduced)" } else { "" };
            format!("{}{reduced}", shown.join(" to "))
        };
        let seeds = match self.seeds {
            1 => "one seed, so no intervals".to_string(),
            seeds => format!("mean ± half the 95 % interval (Student's t) over seeds 1 to {seeds}"),
        };
        format!(
            "Images: {}. Epochs: {}. Read-out epochs: {}. Test % of a linear read-out: {seeds}.",
            span(|row| row.images),
            span(|row| row.epochs),
            span(|row| row.readout_epochs)
        )
    }

    fn grid(&self) -> comfy_table::Table {
        let mut grid = comfy_table::Table::new();
        grid.load_style(presets::ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
        let mut header =
            ["experiment", "data", "runs", "trained %", "untrained %", "difference"].map(String::from).to_vec();
        if let Some(second) = &self.second {
            let columns = ["trained %", "untrained %", "difference", "over supervised"];
            header.extend(columns.map(|what| format!("{what}, to {second}")));
        }
        header.extend(["published %", "training", "pairs/s", "multiply-adds a pair", "remarks"].map(String::from));
        grid.set_header(header);
        for row in &self.rows {
            let mut cells =
                vec![row.name.clone(), row.data.clone(), format!("{} of {}", row.finished(), row.runs.len())];
            cells.extend(reading(&row.own));
            if self.second.is_some() {
                cells.extend(reading(&row.second));
                cells.push(difference(
                    row.over_supervised,
                    row.over_supervised.and_then(|over| over.differs_from_zero()),
                ));
            }
            let published = row.published.as_ref().and_then(|published| published.accuracy);
            cells.extend([
                published.map_or_else(String::new, |accuracy| format!("{accuracy:.2}")),
                row.training_s.map_or_else(String::new, duration),
                row.pairs_per_s.map_or_else(String::new, |rate| format!("{rate:.0}")),
                row.multiply_adds.map_or_else(String::new, |work| grouped(work.round() as u64)),
                row.remarks(),
            ]);
            grid.add_row(cells.iter().map(|cell| line(cell).replace('|', "\\|")));
        }
        grid
    }

    /// The table as comma-separated values, one line a row, under the names of [`CSV_COLUMNS`].
    pub fn csv(&self) -> String {
        let mut text = CSV_COLUMNS.join(",") + "\n";
        for row in &self.rows {
            let reduced = [row.images, row.epochs, row.readout_epochs].iter().any(Amount::is_reduced);
            let published = row.published.clone().unwrap_or_default();
            let mut fields = vec![row.name.clone(), row.data.clone()];
            fields.extend([row.images, row.epochs, row.readout_epochs].map(|amount| number(amount.used)));
            fields.extend([reduced.to_string(), row.finished().to_string(), row.failures().count().to_string()]);
            fields.extend(reading_fields(&row.own));
            fields.push(self.second.clone().unwrap_or_default());
            fields.extend(reading_fields(&row.second));
            fields.extend(estimate_fields(row.over_supervised));
            fields.extend([field(published.accuracy), published.source.unwrap_or_default()]);
            fields.extend([row.training_s, row.pairs_per_s, row.multiply_adds].map(field));
            fields.push(line(&row.failed().join("; ")));
            let quoted: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
            text.push_str(&quoted.join(","));
            text.push('\n');
        }
        text
    }
}

impl Row {
    fn finished(&self) -> usize {
        self.runs.iter().filter(|run| matches!(run.outcome, Outcome::Finished(_))).count()
    }

    /// What a reader must know: less was run than the file asks, or runs failed.
    fn remarks(&self) -> String {
        let amounts = [("images", self.images), ("epochs", self.epochs), ("read-out epochs", self.readout_epochs)];
        let less: Vec<String> = amounts
            .iter()
            .filter(|(_, amount)| amount.is_reduced())
            .map(|(what, amount)| format!("{} of {} {what}", number(amount.used), number(amount.asked)))
            .collect();
        let mut remarks = Vec::new();
        if !less.is_empty() {
            remarks.push(format!("reduced: {}", less.join(", ")));
        }
        remarks.extend(self.failed());
        remarks.join("; ")
    }

    /// Why runs failed, and which: seeds often fail for one reason.
    fn failed(&self) -> Vec<String> {
        let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
        for (seed, reason) in self.failures() {
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, seeds)) => seeds.push(seed.to_string()),
                None => reasons.push((reason, vec![seed.to_string()])),
            }
        }
        let say = |(reason, seeds): (&str, Vec<String>)| {
            let plural = if seeds.len() == 1 { "" } else { "s" };
            format!("seed{plural} {} failed: {reason}", seeds.join(", "))
        };
        reasons.into_iter().map(say).collect()
    }
}

fn reading(reading: &Reading) -> [String; 3] {
    [accuracy(reading.trained), accuracy(reading.untrained), difference(reading.difference, reading.told_apart)]
}

fn accuracy(estimate: Option<Estimate>) -> String {
    estimate.map_or_else(String::new, |estimate| format!("{:.2}{}", estimate.mean, interval(&estimate)))
}

fn difference(estimate: Option<Estimate>, told_apart: Option<bool>) -> String {
    let Some(estimate) = estimate else { return String::new() };
    let mark = if told_apart == Some(false) { ", not told apart" } else { "" };
    format!("{:+.2}{}{mark}", estimate.mean, interval(&estimate))
}

fn interval(estimate: &Estimate) -> String {
    estimate.interval.map_or_else(String::new, |interval| format!(" ± {interval:.2}"))
}

/// A number, or all there are.
fn number(amount: Option<u64>) -> String {
    amount.map_or_else(|| "all".to_string(), |amount| amount.to_string())
}

fn duration(seconds: f64) -> String {
    match seconds {
        0.0..60.0 => format!("{seconds:.1} s"),
        60.0..3600.0 => format!("{:.1} min", seconds / 60.0),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

fn reading_fields(reading: &Reading) -> Vec<String> {
    let estimates = [reading.trained, reading.untrained, reading.difference];
    let mut fields: Vec<String> = estimates.into_iter().flat_map(estimate_fields).collect();
    fields.push(reading.told_apart.map_or_else(String::new, |apart| apart.to_string()));
    fields
}

fn estimate_fields(estimate: Option<Estimate>) -> [String; 2] {
    [field(estimate.map(|estimate| estimate.mean)), field(estimate.and_then(|estimate| estimate.interval))]
}

fn field(value: Option<f64>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}

/// A field as RFC 4180 writes it.
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_string(),
    }
}

/// A text in one line.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
