//! What instruments recorded as a picture: six small panels, one line for each edge, unit or head. One SVG file that
//! needs nothing else.

use std::fmt::Write;

use indexmap::IndexMap;

use super::picture::{frame, text};
use crate::instruments::Recording;

const WIDTH: f64 = 800.0;
/// From one panel to the next.
const ACROSS: f64 = 390.0;
const DOWN: f64 = 190.0;
/// The first panel: left, top, width and height. Names stand to the right of it.
const PANEL: [f64; 4] = [52.0, 58.0, 220.0, 120.0];
const COLUMNS: usize = 2;
/// Names that find room beside a panel.
const NAMES: usize = 8;
const COLOURS: [&str; 8] = ["#27a", "#c44", "#2a7", "#c82", "#86c", "#4ac", "#884", "#888"];

/// Lines of one panel by name, each of steps and values.
type Lines = IndexMap<String, Vec<(u64, f64)>>;

/// Draws what was recorded in a run called `name`.
pub fn instruments_picture(name: &str, recordings: &[Recording]) -> String {
    let draw = |svg: &mut String, nth: usize, title: &str, most: Option<f64>, lines: Lines| {
        let (column, row) = ((nth % COLUMNS) as f64, (nth / COLUMNS) as f64);
        let [left, top, width, height] = PANEL;
        panel(svg, [left + column * ACROSS, top + row * DOWN, width, height], title, most, &lines);
    };
    let height = PANEL[1] + 2.0 * DOWN + PANEL[3] + 30.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\" fill=\"#333\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    text(&mut svg, [PANEL[0], 24.0], "start", true, &format!("{name}: instruments, by learning step"));
    let svg = &mut svg;
    draw(svg, 0, "loss of the batch", None, lines(recordings, |now| named(&now.block, now.loss)));
    draw(
        svg,
        1,
        "L1 distance of embeddings",
        None,
        lines(recordings, |now| {
            now.heads
                .iter()
                .flat_map(|(head, spread)| {
                    let positive = spread.distances.positive.map(|mean| (format!("{head}: same image"), mean));
                    positive.into_iter().chain([(format!("{head}: others"), spread.distances.negative)])
                })
                .collect()
        }),
    );
    draw(
        svg,
        2,
        "degrees, feedback to forward weights",
        Some(90.0),
        lines(recordings, |now| of(&now.feedback, |feedback| feedback.alignment)),
    );
    draw(
        svg,
        3,
        "degrees, change to back-propagation's",
        Some(90.0),
        lines(recordings, |now| of(&now.feedforward, |projection| projection.update_angle)),
    );
    draw(
        svg,
        4,
        "share of errors that are events",
        Some(1.0),
        lines(recordings, |now| of(&now.feedforward, |projection| projection.density)),
    );
    draw(
        svg,
        5,
        "share of activity that is saturated",
        Some(1.0),
        lines(recordings, |now| of(&now.units, |unit| unit.saturated)),
    );
    svg.push_str("</svg>\n");
    std::mem::take(svg)
}

fn named(block: &Option<String>, value: f64) -> Vec<(String, f64)> {
    vec![(block.clone().unwrap_or_default(), value)]
}

fn of<T>(records: &IndexMap<String, T>, value: impl Fn(&T) -> Option<f64>) -> Vec<(String, f64)> {
    records.iter().filter_map(|(name, record)| Some((name.clone(), value(record)?))).collect()
}

fn lines(recordings: &[Recording], values: impl Fn(&Recording) -> Vec<(String, f64)>) -> Lines {
    let mut lines = Lines::new();
    for recording in recordings {
        for (name, value) in values(recording) {
            lines.entry(name).or_default().push((recording.step, value));
        }
    }
    lines
}

/// One panel from 0 to `most`, or to the highest value where that is more.
fn panel(svg: &mut String, place: [f64; 4], title: &str, most: Option<f64>, lines: &Lines) {
    let [left, top, width, height] = place;
    let points = || lines.values().flatten().copied();
    let most = points().map(|(_, value)| value).fold(most.unwrap_or(f64::MIN_POSITIVE), f64::max);
    let (first, last) = points().fold((u64::MAX, 1), |(first, last), (step, _)| (first.min(step), last.max(step)));
    let across = |step: u64| left + width * (step - first) as f64 / (last - first).max(1) as f64;
    let down = |value: f64| top + height * (1.0 - value / most);
    frame(svg, place);
    text(svg, [left, top - 8.0], "start", true, title);
    if lines.is_empty() {
        return text(svg, [left + width / 2.0, top + height / 2.0], "middle", false, "nothing to show");
    }
    for share in [0.0, 0.5, 1.0] {
        text(svg, [left - 6.0, down(share * most) + 4.0], "end", false, &short(share * most));
    }
    text(svg, [left, top + height + 14.0], "start", false, &first.to_string());
    text(svg, [left + width, top + height + 14.0], "end", false, &last.to_string());
    for (index, (name, points)) in lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let points: Vec<String> =
            points.iter().map(|&(step, value)| format!("{:.1},{:.1}", across(step), down(value))).collect();
        let _ = writeln!(
            svg,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\" points=\"{}\"/>",
            points.join(" ")
        );
        let y = top + 10.0 + 14.0 * index as f64;
        if index < NAMES && !name.is_empty() {
            let _ = writeln!(
                svg,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"10\" height=\"3\" fill=\"{colour}\"/>",
                left + width + 8.0,
                y - 5.0
            );
            text(svg, [left + width + 22.0, y], "start", false, name);
        }
    }
    if lines.len() > NAMES {
        let y = top + 10.0 + 14.0 * NAMES as f64;
        text(svg, [left + width + 22.0, y], "start", false, &format!("and {} more", lines.len() - NAMES));
    }
}

/// A number in few digits.
fn short(value: f64) -> String {
    match value {
        value if value == 0.0 || value >= 100.0 => format!("{value:.0}"),
        value if value >= 1.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}
