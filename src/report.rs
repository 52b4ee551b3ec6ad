//! Results for people and machines: the summary of a run, the figures of a speed measurement, and their tables.

mod audit;
mod audit_page;
mod distances;
mod instruments;
mod ladder;
mod picture;
mod roofline;
mod speed;

use std::fmt;

pub use audit::{audit_text, explanation, lint_table};
pub use audit_page::audit_page;
pub use distances::DistanceReport;
pub use ladder::ladder_table;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
pub use instruments::instruments_picture;
pub(crate) use ladder::short;
use serde::{Deserialize, Serialize};
pub use speed::{BeatSpeed, BeatTimes, BlockSpeed, EdgeWork, Peaks, Roof, Speed, StepSpeed, StepTimes};

use crate::data::{Dataset, Images};
use crate::evaluate::Accuracy;
use crate::schedule::Line;

/// The result of a run: what `summary.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of the program.
    pub version: String,
    /// Name of the experiment.
    pub name: String,
    /// Digest of the experiment.
    pub experiment: String,
    /// What an audit of its plan said when the run began, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<String>,
    /// Seed of weights, order and views.
    pub seed: u64,
    /// Worker threads.
    pub threads: usize,
    /// Instruction set of the kernels.
    pub isa: String,
    /// The data that were learned from and, unless the next are others, tested on.
    pub data: DataSummary,
    /// The data that the encoder was read out on, if they are others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readout_data: Option<DataSummary>,
    /// Pairs in a batch.
    pub pairs: usize,
    /// Epochs of training; of each block, where one learns after the other.
    pub epochs: u64,
    /// Weight updates made.
    pub updates: u64,
    /// Pairs learned from a second, views included, in the last session.
    pub pairs_per_s: f64,
    /// Seconds of training, views included, at the rates of its epochs: an interruption adds nothing.
    pub training_s: f64,
    /// Multiply-adds that events asked for while it learned, for each pair.
    pub multiply_adds: f64,
    /// Mean loss of a batch in the last epoch; none without training.
    pub loss: Option<f64>,
    /// Heads whose embeddings had collapsed when instruments last looked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collapsed: Vec<String>,
    /// The unit that was read out.
    pub unit: String,
    /// Read-out of the trained encoder.
    pub readout: Accuracy,
    /// Read-out of each block of the trained encoder, where blocks learn apart.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<BlockReadout>,
    /// A digest of all that the next two depend on.
    pub floors: String,
    /// Read-out of the encoder with its first weights.
    pub untrained: Accuracy,
    /// Read-out of raw pixels.
    pub pixels: Accuracy,
}

/// Read-out of one block.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BlockReadout {
    /// The top unit of the block.
    pub unit: String,
    /// Its read-out.
    pub readout: Accuracy,
}

/// Which images a result is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataSummary {
    /// Data set.
    pub name: String,
    /// Images without labels that views were made of; 0 if they were made of the training images.
    pub unlabelled: usize,
    /// Training images.
    pub train: usize,
    /// Test images.
    pub test: usize,
    /// Classes.
    pub classes: usize,
}

impl From<&Dataset> for DataSummary {
    fn from(dataset: &Dataset) -> Self {
        DataSummary {
            name: dataset.name.clone(),
            unlabelled: dataset.unlabelled.as_ref().map_or(0, Images::len),
            train: dataset.train.len(),
            test: dataset.test.len(),
            classes: dataset.classes.len(),
        }
    }
}

impl DataSummary {
    /// How many images views were made of.
    fn viewed(&self) -> usize {
        if self.unlabelled > 0 { self.unlabelled } else { self.train }
    }
}

impl fmt::Display for DataSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DataSummary { name, unlabelled, train, test, .. } = self;
        if *unlabelled > 0 {
            write!(f, "{unlabelled} unlabelled, ")?;
        }
        write!(f, "{train} training and {test} test images of {name}")
    }
}

/// The result of `synlocal evaluate`.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluation {
    /// Name of the experiment.
    pub name: String,
    /// Digest of the experiment.
    pub experiment: String,
    /// Epochs of training that the encoder has had.
    pub epoch: u64,
    /// The unit that was read out.
    pub unit: String,
    /// The data that it was read out on.
    pub data: DataSummary,
    /// Epochs of the classifier.
    pub readout_epochs: u64,
    /// Read-out of the trained encoder.
    pub readout: Accuracy,
    /// Read-out of the encoder with its first weights.
    pub untrained: Accuracy,
}

impl Evaluation {
    /// The result as a table for a terminal.
    pub fn table(&self) -> String {
        let rows = [
            (format!("{} after learning", self.unit), &self.readout),
            (format!("{} untrained", self.unit), &self.untrained),
        ];
        format!("{}\n{} after {} epochs, on {}", accuracies(&rows), self.name, self.epoch, self.data)
    }
}

impl Summary {
    /// Whether anything was learned before the read-out. A run of no epochs is one of first weights.
    pub fn has_learned(&self) -> bool {
        self.updates > 0
    }

    /// All read-outs of the encoder as the run left it, each unit once: its blocks, and the unit that was chosen.
    fn encoder(&self) -> impl Iterator<Item = (&str, &Accuracy)> {
        let chosen = (!self.blocks.iter().any(|block| block.unit == self.unit)).then_some((&self.unit, &self.readout));
        let blocks = self.blocks.iter().map(|block| (&block.unit, &block.readout));
        blocks.chain(chosen).map(|(unit, accuracy)| (unit.as_str(), accuracy))
    }

    /// What the encoder is in its read-outs.
    fn state(&self) -> &'static str {
        if self.has_learned() { "after learning" } else { "untrained" }
    }

    /// What the encoder stands beside: itself with first weights, unless it has them still, and pixels.
    fn floors(&self) -> impl Iterator<Item = (String, &Accuracy)> {
        let untrained = self.has_learned().then(|| (format!("{} untrained", self.unit), &self.untrained));
        untrained.into_iter().chain([("pixels".to_string(), &self.pixels)])
    }

    /// The result as a table for a terminal.
    pub fn table(&self) -> String {
        let encoder = self.encoder().map(|(unit, accuracy)| (format!("{unit} {}", self.state()), accuracy));
        let table = accuracies(&encoder.chain(self.floors()).collect::<Vec<_>>());
        let gain = self.readout.test_accuracy - self.untrained.test_accuracy;
        let found = match self.has_learned() {
            true => format!("learning added {gain:+.2} points to the untrained encoder"),
            false => "the encoder has its first weights".to_string(),
        };
        let second = self.readout_data.as_ref().map_or_else(String::new, |data| format!(", read out on {data}"));
        let collapsed = match self.collapsed.as_slice() {
            [] => String::new(),
            heads => format!("\ncollapsed: the embeddings of {} no longer tell images apart", heads.join(", ")),
        };
        format!("{table}\n{} of {}{second}: {found}{collapsed}", self.name, self.data)
    }
}

/// A plan as a table for a terminal.
pub fn plan_table(lines: &[Line]) -> String {
    let mut table = plain_table(&["", "verb", "view", "unit or edge", "what", "multiply-adds"]);
    for (index, line) in lines.iter().enumerate() {
        table.add_row(vec![
            (index + 1).to_string(),
            line.verb.to_string(),
            line.view.unwrap_or_default().to_string(),
            line.subject.clone(),
            line.detail.clone(),
            if line.multiply_adds == 0 { String::new() } else { grouped(line.multiply_adds) },
        ]);
    }
    align_right(&mut table, 0..1);
    align_right(&mut table, 5..6);
    let sum: u64 = lines.iter().map(|line| line.multiply_adds).sum();
    format!("{table}\n{} steps, {} multiply-adds a pair", lines.len(), grouped(sum))
}

/// Accuracies one above the other, with bars.
fn accuracies(rows: &[(String, &Accuracy)]) -> Table {
    let mut table = plain_table(&["linear read-out of", "features", "train %", "test %", ""]);
    for (what, accuracy) in rows {
        table.add_row(vec![
            what.clone(),
            accuracy.features.to_string(),
            format!("{:.2}", accuracy.train_accuracy),
            format!("{:.2}", accuracy.test_accuracy),
            bar(accuracy.test_accuracy, 30),
        ]);
    }
    align_right(&mut table, 1..4);
    table
}

fn plain_table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table
}

fn align_right(table: &mut Table, columns: std::ops::Range<usize>) {
    for column in columns {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

/// A bar of `percent` out of 100, at most `width` characters.
fn bar(percent: f64, width: usize) -> String {
    let eighths = (percent.clamp(0.0, 100.0) / 100.0 * width as f64 * 8.0).round() as usize;
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{part}", "█".repeat(eighths / 8))
}

/// A number with a thin group of three digits at a time.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(' ');
        }
        out.push(digit);
    }
    out
}
