//! The distances of embeddings as a table and as a picture: for each head a panel before and one after training.

use std::fmt::Write;

use serde::Serialize;

use super::picture::{Frame, frame, text};
use super::{align_right, plain_table};
use crate::distances::{Distances, HeadDistances, Histogram};

const WIDTH: f64 = 760.0;
/// Upper edge of the first panel, height of a panel, and height of a head with its words.
const TOP: f64 = 74.0;
const PANEL: f64 = 150.0;
const HEAD: f64 = 220.0;
/// Left edges of the panels, and their width.
const LEFT: [f64; 2] = [32.0, 404.0];
const PANEL_WIDTH: f64 = 324.0;
const POSITIVE: &str = "#27a";
const NEGATIVE: &str = "#c83";

/// What `distances.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DistanceReport {
    /// Name of the experiment.
    pub name: String,
    /// Digest of the experiment.
    pub experiment: String,
    /// Seed of first weights and views.
    pub seed: u64,
    /// Epochs of training that the encoder has had.
    pub epoch: u64,
    /// Data set.
    pub data: String,
    /// Images, two views each.
    pub images: usize,
    /// Distances at each head.
    pub heads: Vec<HeadDistances>,
}

impl DistanceReport {
    /// The figures as a table for a terminal.
    pub fn table(&self) -> String {
        let mut table = plain_table(&["head", "pairs", "mean before", "mean after", "as wanted before", "after"]);
        let percent = |share: Option<f64>| share.map_or_else(String::new, |share| format!("{:.1} %", 100.0 * share));
        for HeadDistances { head, before, after, .. } in &self.heads {
            let mut row = |kind: &str, of: fn(&Distances) -> (&Histogram, Option<f64>)| {
                let [(first, wanted), (last, still)] = [of(before), of(after)];
                let means = [first, last].map(|histogram| format!("{:.3}", histogram.mean));
                let mut cells = vec![head.clone(), format!("{} {kind}", first.pairs)];
                cells.extend(means);
                cells.extend([percent(wanted), percent(still)]);
                table.add_row(cells);
            };
            row("positive", |distances| (&distances.positive, distances.positive_within));
            row("negative", |distances| (&distances.negative, distances.negative_beyond));
        }
        align_right(&mut table, 1..6);
        let margins = self.heads.first().and_then(|head| head.margins);
        let wanted = margins.map_or_else(
            || "; the loss names no margins".to_string(),
            |(within, beyond)| {
                format!("; wanted are positive pairs within {within} and negative pairs beyond {beyond}")
            },
        );
        let DistanceReport { name, epoch, images, data, .. } = self;
        format!("{table}\n{name} after {epoch} epochs, L1 distances of views of {images} images of {data}{wanted}")
    }

    /// Draws the histograms, each with the share of its pairs in a bin upwards and distance to the right.
    pub fn picture(&self) -> String {
        let height = TOP + HEAD * self.heads.len() as f64;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
             font-size=\"12\" fill=\"#333\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
        );
        let title = format!("{}: L1 distances between views, before and after {} epochs", self.name, self.epoch);
        text(&mut svg, [LEFT[0], 26.0], "start", true, &title);
        for (colour, x, what) in [(POSITIVE, LEFT[0], "of one image"), (NEGATIVE, LEFT[0] + 110.0, "of two images")] {
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"37\" width=\"12\" height=\"10\" fill=\"{colour}\" fill-opacity=\"0.55\"/>"
            );
            text(&mut svg, [x + 17.0, 46.0], "start", false, what);
        }
        for (index, head) in self.heads.iter().enumerate() {
            let top = TOP + HEAD * index as f64;
            for (left, distances, when) in [(LEFT[0], &head.before, "untrained"), (LEFT[1], &head.after, "trained")] {
                let words = format!("{}, {when}: {}", head.head, means(distances));
                text(&mut svg, [left, top - 6.0], "start", true, &words);
                panel(&mut svg, [left, top, PANEL_WIDTH, PANEL], distances, head.margins);
            }
        }
        let note = format!("{} images of {}, two new views each, seed {}", self.images, self.data, self.seed);
        text(&mut svg, [LEFT[0], height - 12.0], "start", false, &note);
        svg.push_str("</svg>\n");
        svg
    }
}

fn means(distances: &Distances) -> String {
    format!("means {:.2} and {:.2}", distances.positive.mean, distances.negative.mean)
}

fn panel(svg: &mut String, area: Frame, distances: &Distances, margins: Option<(f32, f32)>) {
    let [left, top, width, height] = area;
    frame(svg, area);
    let last = distances.edges.last().copied().unwrap_or(1.0);
    let across = |distance: f64| left + width * distance / last;
    let share = |histogram: &Histogram, count: u64| count as f64 / histogram.pairs as f64;
    let histograms = [(&distances.positive, POSITIVE), (&distances.negative, NEGATIVE)];
    let shares = histograms.iter().flat_map(|(of, _)| of.counts.iter().map(|&count| share(of, count)));
    let most = shares.fold(f64::MIN_POSITIVE, f64::max) * 1.05;
    for (histogram, colour) in histograms {
        for (bin, &count) in histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let tall = height * share(histogram, count) / most;
            let (from, to) = (across(distances.edges[bin]), across(distances.edges[bin + 1]));
            let _ = writeln!(
                svg,
                "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{tall:.1}\" fill=\"{colour}\" \
                 fill-opacity=\"0.55\"/>",
                top + height - tall,
                to - from
            );
        }
    }
    for margin in margins.into_iter().flat_map(|(within, beyond)| [within, beyond]) {
        let x = across(f64::from(margin));
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{:.1}\" stroke=\"#c44\" stroke-dasharray=\"4 3\"/>",
            top + height
        );
        text(svg, [x + 3.0, top + 12.0], "start", false, &margin.to_string());
    }
    text(svg, [left, top + height + 16.0], "start", false, "0");
    text(svg, [left + width, top + height + 16.0], "end", false, &short(last));
    text(svg, [left + width / 2.0, top + height + 16.0], "middle", false, "distance");
}

/// A round number without the crumbs of floating point.
fn short(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}
