//! The roofline of a speed measurement: how fast each step of the plan is beside how much it computes for each byte
//! that it has to move, under the two roofs that were measured with it. One SVG file that needs nothing else.

use std::fmt::Write;
use std::ops::Range;

use super::picture::{Frame, frame, text};
use super::{BeatSpeed, Speed};

const WIDTH: f64 = 860.0;
/// The panel; names stand to the right of it.
const PANEL: Frame = [62.0, 46.0, 500.0, 380.0];
/// Below the panel.
const BELOW: f64 = 64.0;
/// Where names begin, and from one to the next at least.
const NAMES: f64 = 590.0;
const NAME: f64 = 14.0;

/// A beat in the panel.
struct Dot<'a> {
    beat: &'a BeatSpeed,
    /// Floating-point operations for each byte, and 10^9 of them a second.
    place: [f64; 2],
}

impl Speed {
    /// Draws every step of the plan that multiplies.
    pub fn roofline(&self) -> String {
        let roof = self.peak.best;
        let placed = |beat| Some(Dot { beat, place: [BeatSpeed::intensity(beat)?, BeatSpeed::speed(beat)?] });
        let mut dots: Vec<Dot<'_>> = self.step.beats.iter().filter_map(placed).collect();
        dots.sort_by(|one, other| other.place[1].total_cmp(&one.place[1]));
        let ridge = roof.gflop_per_s / roof.gb_per_s;
        let [left, top, width, least] = PANEL;
        let panel = [left, top, width, least.max(NAME * dots.len() as f64)];
        let span = |axis: usize, known: f64| {
            let values = || dots.iter().map(|dot| dot.place[axis]).chain([known]);
            values().fold(f64::INFINITY, f64::min) / 2.0..values().fold(0.0, f64::max) * 2.0
        };
        let axes = Axes { panel, intensity: span(0, ridge), speed: span(1, roof.gflop_per_s) };

        let height = top + panel[3] + BELOW;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
             font-size=\"11\" fill=\"#333\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
        );
        let what = format!("{}: effective GFLOP/s of each step of the plan", self.name);
        text(&mut svg, [left, 26.0], "start", true, &what);
        frame(&mut svg, panel);
        axes.ticks(&mut svg);
        let slope = |intensity: f64| roof.gflop_per_s.min(intensity * roof.gb_per_s);
        let corners = [axes.intensity.start, ridge, axes.intensity.end].map(|at| axes.place([at, slope(at)]));
        let line: Vec<String> = corners.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
        let _ =
            writeln!(svg, "<polyline fill=\"none\" stroke=\"#c44\" stroke-width=\"2\" points=\"{}\"/>", line.join(" "));
        let said = format!("{:.0} GFLOP/s; {:.0} GB/s", roof.gflop_per_s, roof.gb_per_s);
        text(&mut svg, [corners[2][0] - 6.0, corners[2][1] - 6.0], "end", true, &said);
        self.names(&mut svg, &axes, &dots);
        let note = format!(
            "{} pairs, {} threads, {}. Operations are the definition's: a way that needs fewer can stand above the roof.",
            self.pairs, self.threads, self.isa
        );
        text(&mut svg, [left, height - 10.0], "start", false, &note);
        svg.push_str("</svg>\n");
        svg
    }

    /// The dots, the fastest first, each with its name beside the panel.
    fn names(&self, svg: &mut String, axes: &Axes, dots: &[Dot<'_>]) {
        let [left, top, width, height] = axes.panel;
        let mut next = top + NAME / 2.0;
        for (nth, dot) in dots.iter().enumerate() {
            let [x, y] = axes.place(dot.place);
            // As high as its dot, unless that is taken, or the names below would not find room.
            let last = top + height + NAME / 2.0 - NAME * (dots.len() - nth) as f64;
            let name = y.max(next).min(last);
            next = name + NAME;
            let _ = writeln!(
                svg,
                "<polyline fill=\"none\" stroke=\"#ddd\" points=\"{x:.1},{y:.1} {:.1},{name:.1} {:.1},{name:.1}\"/>",
                left + width + 8.0,
                NAMES - 4.0
            );
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"#27a\"/>");
            let (what, view) = dot.beat.name();
            let label = format!("{what} {view} {:.0}", dot.place[1]);
            text(svg, [NAMES, name + 4.0], "start", false, &label);
        }
    }
}

impl BeatSpeed {
    fn intensity(&self) -> Option<f64> {
        self.flop_per_byte.filter(|intensity| *intensity > 0.0)
    }

    fn speed(&self) -> Option<f64> {
        self.effective_gflop_per_s.filter(|speed| *speed > 0.0)
    }
}

/// Two logarithmic axes.
struct Axes {
    panel: Frame,
    intensity: Range<f64>,
    speed: Range<f64>,
}

impl Axes {
    fn place(&self, [intensity, speed]: [f64; 2]) -> [f64; 2] {
        let [left, top, width, height] = self.panel;
        let share = |value: f64, span: &Range<f64>| (value / span.start).ln() / (span.end / span.start).ln();
        [left + width * share(intensity, &self.intensity), top + height * (1.0 - share(speed, &self.speed))]
    }

    fn ticks(&self, svg: &mut String) {
        let [left, top, _, height] = self.panel;
        for tick in ticks(&self.intensity) {
            let [x, _] = self.place([tick, self.speed.start]);
            text(svg, [x, top + height + 16.0], "middle", false, &tick.to_string());
        }
        for tick in ticks(&self.speed) {
            let [_, y] = self.place([self.intensity.start, tick]);
            text(svg, [left - 6.0, y + 4.0], "end", false, &tick.to_string());
        }
        let words = "floating-point operations for each byte of the operands, read or written once";
        text(svg, [left, top + height + 34.0], "start", false, words);
    }
}

/// 1, 2 and 5 times the powers of ten within a span.
fn ticks(span: &Range<f64>) -> Vec<f64> {
    let powers = span.start.log10().floor() as i32..=span.end.log10().ceil() as i32;
    let all = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
    all.filter(|tick| span.contains(tick)).collect()
}
