//! The result of a run as a picture: how the loss fell, and what the read-out found beside its two floors. One SVG
//! file that needs nothing else.

use std::fmt::Write;

use super::Summary;
use crate::simulation::Epoch;

const WIDTH: f64 = 760.0;
/// Upper edge of both panels, and the space below them.
const TOP: f64 = 46.0;
const BELOW: f64 = 54.0;
/// Left edge and width of each panel.
const CURVE: [f64; 2] = [62.0, 280.0];
const BARS: [f64; 2] = [420.0, 310.0];
/// Height of both panels, at least, and of a bar with its words.
const PANEL: f64 = 180.0;
const ROW: f64 = 36.0;
/// More epochs than this are drawn as a line without dots.
const MOST_DOTS: usize = 60;

/// Left, top, width and height.
pub(super) type Frame = [f64; 4];

impl Summary {
    /// Draws the run from its metrics, with a curve of its own for each block that learned after another.
    pub fn picture(&self, epochs: &[Epoch]) -> String {
        let floors: Vec<_> = self.floors().collect();
        let floors = floors.into_iter().rev().zip(["#bbb", "#8aa"]);
        let mut rows: Vec<_> =
            floors.map(|((what, accuracy), colour)| (what, accuracy.test_accuracy, colour)).collect();
        rows.extend(self.encoder().map(|(unit, accuracy)| {
            let colour = if unit == self.unit { "#27a" } else { "#7ac" };
            (format!("{unit} {}", self.state()), accuracy.test_accuracy, colour)
        }));
        let panel = PANEL.max(ROW * rows.len() as f64);
        let height = TOP + panel + BELOW;
        let frame = |[left, width]: [f64; 2]| [left, TOP, width, panel];
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
             font-size=\"12\" fill=\"#333\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
        );
        text(&mut svg, [CURVE[0], 26.0], "start", true, &format!("{}: mean loss of a batch", self.name));
        if epochs.is_empty() {
            text(&mut svg, [CURVE[0], TOP + 12.0], "start", false, "no epochs");
        } else {
            curves(&mut svg, frame(CURVE), epochs);
        }
        let title = format!("linear read-out, test % ({} classes)", self.data.classes);
        text(&mut svg, [BARS[0], 26.0], "start", true, &title);
        bars(&mut svg, frame(BARS), 100.0 / self.data.classes as f64, &rows);
        let each = if epochs.iter().any(|epoch| epoch.block.is_some()) { " a block" } else { "" };
        let note = format!(
            "{}, {} images, {} epochs{each}, seed {}, {:.0} pairs/s on {} threads",
            self.data.name,
            self.data.viewed(),
            self.epochs,
            self.seed,
            self.pairs_per_s,
            self.threads
        );
        text(&mut svg, [CURVE[0], height - 12.0], "start", false, &note);
        svg.push_str("</svg>\n");
        svg
    }
}

fn curves(svg: &mut String, panel: Frame, epochs: &[Epoch]) {
    let [left, top, width, height] = panel;
    let most = epochs.iter().map(|epoch| epoch.loss).fold(f64::MIN_POSITIVE, f64::max) * 1.05;
    let down = |loss: f64| top + height * (1.0 - loss / most);
    frame(svg, panel);
    for share in [0.0, 0.5, 1.0] {
        text(svg, [left - 6.0, down(share * most) + 4.0], "end", false, &format!("{:.0}", share * most));
    }
    let last = epochs.len().max(2) as f64 - 1.0;
    let across = |epoch: usize| left + width * epoch as f64 / last;
    let mut first = 0;
    for curve in epochs.chunk_by(|one, next| one.block == next.block) {
        let points: Vec<(f64, f64)> =
            curve.iter().enumerate().map(|(index, epoch)| (across(first + index), down(epoch.loss))).collect();
        let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ =
            writeln!(svg, "<polyline fill=\"none\" stroke=\"#27a\" stroke-width=\"2\" points=\"{}\"/>", line.join(" "));
        for (x, y) in points.iter().filter(|_| epochs.len() <= MOST_DOTS) {
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"#27a\"/>");
        }
        if let Some(block) = &curve[0].block {
            let middle = (across(first) + across(first + curve.len() - 1)) / 2.0;
            text(svg, [middle, top - 6.0], "middle", false, block);
        }
        first += curve.len();
    }
    text(svg, [left, top + height + 16.0], "start", false, "epoch 1");
    text(svg, [left + width, top + height + 16.0], "end", false, &epochs.len().to_string());
}

fn bars(svg: &mut String, panel: Frame, chance: f64, rows: &[(String, f64, &str)]) {
    let [left, top, width, height] = panel;
    let across = |percent: f64| width * percent / 100.0;
    frame(svg, panel);
    let x = left + across(chance);
    let _ = writeln!(
        svg,
        "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{:.1}\" stroke=\"#c44\" stroke-dasharray=\"4 3\"/>",
        top + height
    );
    let row = height / rows.len() as f64;
    for (index, (what, percent, colour)) in rows.iter().enumerate() {
        let y = top + row * index as f64;
        let (bar, thick) = (y + row * 0.42, row * 0.42);
        let _ = writeln!(
            svg,
            "<rect x=\"{left}\" y=\"{bar:.1}\" width=\"{:.1}\" height=\"{thick:.1}\" fill=\"{colour}\"/>",
            across(*percent)
        );
        text(svg, [left + 6.0, bar - 5.0], "start", false, what);
        text(svg, [left + across(*percent) + 6.0, bar + thick / 2.0 + 4.0], "start", true, &format!("{percent:.1}"));
    }
    text(svg, [x, top + height + 16.0], "middle", false, "chance");
    text(svg, [left + width, top + height + 16.0], "end", false, "100");
}

pub(super) fn frame(svg: &mut String, [left, top, width, height]: Frame) {
    let _ = writeln!(
        svg,
        "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"none\" stroke=\"#ccc\"/>"
    );
}

pub(super) fn text(svg: &mut String, [x, y]: [f64; 2], anchor: &str, bold: bool, words: &str) {
    let weight = if bold { " font-weight=\"bold\"" } else { "" };
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"{weight}>{words}</text>");
}
