//! The result of a run as a picture: how the loss fell, and what the read-out found beside its two floors. One SVG
//! file that needs nothing else.

use std::fmt::Write;

use super::Summary;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 280.0;
/// Left, top, width and height of the two panels.
const CURVE: [f64; 4] = [62.0, 46.0, 280.0, 180.0];
const BARS: [f64; 4] = [420.0, 46.0, 310.0, 180.0];

/// Left, top, width and height.
pub(super) type Frame = [f64; 4];

impl Summary {
    /// Draws the run: `losses` is the mean loss of a batch in each epoch.
    pub fn picture(&self, losses: &[f64]) -> String {
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\" fill=\"#333\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
        );
        text(&mut svg, [CURVE[0], 26.0], "start", true, &format!("{}: mean loss of a batch", self.name));
        curve(&mut svg, losses);
        let title = format!("linear read-out, test % ({} classes)", self.data.classes);
        text(&mut svg, [BARS[0], 26.0], "start", true, &title);
        let unit = &self.unit;
        bars(
            &mut svg,
            100.0 / self.data.classes as f64,
            [
                ("pixels".to_string(), self.pixels.test_accuracy, "#bbb"),
                (format!("{unit} untrained"), self.untrained.test_accuracy, "#8aa"),
                (format!("{unit} after learning"), self.readout.test_accuracy, "#27a"),
            ],
        );
        let note = format!(
            "{}, {} images, {} epochs, seed {}, {:.0} pairs/s on {} threads",
            self.data.name,
            self.data.viewed(),
            self.epochs,
            self.seed,
            self.pairs_per_s,
            self.threads
        );
        text(&mut svg, [CURVE[0], HEIGHT - 12.0], "start", false, &note);
        svg.push_str("</svg>\n");
        svg
    }
}

fn curve(svg: &mut String, losses: &[f64]) {
    let [left, top, width, height] = CURVE;
    let most = losses.iter().copied().fold(f64::MIN_POSITIVE, f64::max) * 1.05;
    let down = |loss: f64| top + height * (1.0 - loss / most);
    frame(svg, CURVE);
    for share in [0.0, 0.5, 1.0] {
        text(svg, [left - 6.0, down(share * most) + 4.0], "end", false, &format!("{:.0}", share * most));
    }
    let last = losses.len().max(2) as f64 - 1.0;
    let across = |epoch: usize| left + width * epoch as f64 / last;
    let points: Vec<String> =
        losses.iter().enumerate().map(|(epoch, &loss)| format!("{:.1},{:.1}", across(epoch), down(loss))).collect();
    let _ =
        writeln!(svg, "<polyline fill=\"none\" stroke=\"#27a\" stroke-width=\"2\" points=\"{}\"/>", points.join(" "));
    for point in &points {
        let (x, y) = point.split_once(',').unwrap_or_default();
        let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"#27a\"/>");
    }
    text(svg, [left, top + height + 16.0], "start", false, "epoch 1");
    text(svg, [left + width, top + height + 16.0], "end", false, &losses.len().to_string());
}

fn bars(svg: &mut String, chance: f64, rows: [(String, f64, &str); 3]) {
    let [left, top, width, height] = BARS;
    let across = |percent: f64| width * percent / 100.0;
    frame(svg, BARS);
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
