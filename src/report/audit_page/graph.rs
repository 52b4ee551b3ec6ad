//! The circuit as a picture: units as boxes, activity upwards in full lines, errors and targets downwards in dashed
//! ones, each in the colour of its verdict; a verdict that matters also has a sign of its own.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt::Write;

use super::escape;
use super::layout::{BOX, Lane, Layout};
use crate::audit::{Audit, Kind, Row};
use crate::lint::{Constraint, Level};
use crate::report::audit::{cell, part_in_words};

/// Feedforward projections keep to the left of a lane's middle, feedback to the right of it.
const OFF_MIDDLE: f64 = 8.0;
/// Words of feedforward projections stand higher, of feedback lower.
const OFF_WORDS: f64 = 11.0;
/// How far above and below the middle of two units that stand in one row.
const OFF_LEVEL: f64 = 9.0;
/// Room of a block's frame round its units, and above them, where a loss may stand.
const FRAME: [f64; 2] = [16.0, 36.0];
/// Height of a loss or an optimiser.
const PILL: f64 = 20.0;
/// Longest words in a box and beside a line.
const LETTERS: [usize; 2] = [17, 13];

/// How a part looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Sound,
    Warned,
    /// Its update hears what is denied elsewhere.
    Heard,
    Denied,
}

impl Look {
    pub(super) const ALL: [Look; 4] = [Look::Sound, Look::Warned, Look::Heard, Look::Denied];

    pub(super) fn of(row: &Row) -> Look {
        let own = row.verdicts.iter().filter_map(|verdict| verdict.own).max();
        let heard = row.verdicts.iter().filter_map(|verdict| verdict.heard).max();
        match (own, heard) {
            (Some(Level::Deny), _) => Look::Denied,
            (_, Some(Level::Deny)) => Look::Heard,
            (Some(Level::Warn), _) | (_, Some(Level::Warn)) => Look::Warned,
            _ => Look::Sound,
        }
    }

    /// Its class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Look::Sound => "sound",
            Look::Warned => "warned",
            Look::Heard => "heard",
            Look::Denied => "denied",
        }
    }

    /// What it means.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Look::Sound => "nothing, or allowed",
            Look::Warned => "warning",
            Look::Heard => "sound, but hears what is denied elsewhere",
            Look::Denied => "denied",
        }
    }

    /// Its sign as the key to the picture shows it.
    pub(super) fn sample(self) -> String {
        let mut svg = String::new();
        sign(&mut svg, self, [20.0, 6.0]);
        svg
    }

    /// A sign for eyes that do not tell the colours apart.
    fn sign(self) -> &'static str {
        match self {
            Look::Sound => "",
            Look::Warned => "!",
            Look::Heard | Look::Denied => "✕",
        }
    }
}

/// Draws the circuit, and says how wide it is.
pub(super) fn graph(audit: &Audit) -> (String, f64) {
    let layout = Layout::of(audit);
    let [width, height] = layout.size;
    if width == 0.0 {
        return (String::new(), 0.0);
    }
    let mut svg = format!(
        "<svg class=\"graph\" role=\"img\" aria-label=\"the circuit\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         style=\"max-width:{width:.0}px\">\n<defs>\n"
    );
    for look in Look::ALL.map(Look::class) {
        let _ = writeln!(
            svg,
            "<marker id=\"tip-{look}\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"9\" markerHeight=\"9\" \
             markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"tip {look}\" d=\"M0 0.5 L10 5 L0 9.5 z\"/></marker>"
        );
    }
    svg.push_str("</defs>\n");
    frames(&mut svg, audit, &layout);
    let mut words = String::new();
    for (index, lane) in layout.lanes.iter().enumerate() {
        let forward = &audit.rows[lane.row];
        line(&mut svg, &mut words, forward, &layout, index, false);
        let answers = |row: &&Row| row.part.kind == Kind::Feedback && row.partner.as_ref() == Some(&forward.part.name);
        for feedback in audit.rows.iter().filter(answers) {
            line(&mut svg, &mut words, feedback, &layout, index, true);
        }
    }
    (0..audit.units.len()).for_each(|unit| boxed(&mut svg, audit, &layout, unit));
    let optimizers = audit.rows.iter().filter(|row| row.part.kind == Kind::Optimizer);
    for (index, row) in optimizers.enumerate() {
        pill(&mut svg, row, [(index as f64 + 0.5) * (BOX[0] + 20.0) + 10.0, height - PILL - 4.0]);
    }
    // Words stand on top of lines.
    svg.push_str(&words);
    svg.push_str("</svg>\n");
    (svg, width)
}

/// A part's name and verdicts, shown where a pointer rests on it.
fn title(row: &Row) -> String {
    let verdicts = row.verdicts.iter().zip(Constraint::ALL);
    let verdicts: Vec<String> =
        verdicts.map(|(verdict, constraint)| format!("{} {}", constraint.number(), cell(verdict))).collect();
    let words = format!("{} {}: {}", part_in_words(&row.part), row.detail, verdicts.join(", "));
    format!("<title>{}</title>", escape(&words))
}

/// A text cut to so many letters.
fn cut(text: &str, letters: usize) -> String {
    match text.chars().count() > letters {
        true => escape(&format!("{}…", text.chars().take(letters - 1).collect::<String>())),
        false => escape(text),
    }
}

/// A frame round the units of each block, with its name.
fn frames(svg: &mut String, audit: &Audit, layout: &Layout) {
    let names: BTreeSet<&String> = audit.units.iter().filter_map(|unit| unit.block.as_ref()).collect();
    for name in names {
        let inside = audit.units.iter().zip(&layout.units).filter(|(unit, _)| unit.block.as_ref() == Some(name));
        let (mut low, mut high) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for (_, at) in inside {
            for axis in 0..2 {
                low[axis] = low[axis].min(at[axis] - BOX[axis] / 2.0 - FRAME[axis]);
                high[axis] = high[axis].max(at[axis] + BOX[axis] / 2.0 + FRAME[0]);
            }
        }
        let [x, y] = low;
        let _ = writeln!(
            svg,
            "<rect class=\"block\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"10\"/>\n\
             <text class=\"small\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">block {}</text>",
            high[0] - x,
            high[1] - y,
            x - 6.0,
            y + 14.0,
            cut(name, LETTERS[1])
        );
    }
}

/// A unit's box, and on it the loss if one acts there.
fn boxed(svg: &mut String, audit: &Audit, layout: &Layout, unit: usize) {
    let (node, [x, y]) = (&audit.units[unit], layout.units[unit]);
    let row = |kind: Kind| audit.rows.iter().find(|row| row.part.kind == kind && row.part.name == node.name);
    let judged = row(Kind::Unit);
    let look = judged.map_or(Look::Sound, Look::of);
    let kind = if node.input { " input" } else { "" };
    let name = judged.map_or_else(|| format!("<title>unit {}</title>", escape(&node.name)), title);
    let [channels, height, width] = node.shape;
    let shape = if height * width == 1 { channels.to_string() } else { format!("{channels}×{height}×{width}") };
    let _ = writeln!(
        svg,
        "<g class=\"unit {}{kind}\">{name}<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{}\" height=\"{}\" rx=\"8\"/>\
         <text class=\"name\" x=\"{x:.1}\" y=\"{:.1}\">{}</text><text class=\"small\" x=\"{x:.1}\" y=\"{:.1}\">{shape}\
         </text></g>",
        look.class(),
        x - BOX[0] / 2.0,
        y - BOX[1] / 2.0,
        BOX[0],
        BOX[1],
        y - 3.0,
        cut(&node.name, LETTERS[0]),
        y + 14.0
    );
    sign(svg, look, [x - BOX[0] / 2.0, y - BOX[1] / 2.0]);
    if let Some(loss) = row(Kind::Loss) {
        pill(svg, loss, [x, y - BOX[1] / 2.0 - PILL - 5.0]);
    }
}

/// A part that is neither unit nor projection, below the middle of its upper edge.
fn pill(svg: &mut String, row: &Row, [x, top]: [f64; 2]) {
    let look = Look::of(row);
    let what = if row.part.kind == Kind::Loss { &row.detail } else { &row.part.name };
    let _ = writeln!(
        svg,
        "<g class=\"pill {}\">{}<rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{}\" height=\"{PILL}\" rx=\"10\"/>\
         <text class=\"small\" x=\"{x:.1}\" y=\"{:.1}\">{}</text></g>",
        look.class(),
        title(row),
        x - BOX[0] / 2.0,
        BOX[0],
        top + 14.0,
        cut(what, LETTERS[0] + 5)
    );
    sign(svg, look, [x - BOX[0] / 2.0, top + PILL / 2.0]);
}

/// A verdict's sign; nothing for what is sound.
fn sign(svg: &mut String, look: Look, [x, y]: [f64; 2]) {
    if look != Look::Sound {
        let _ = writeln!(
            svg,
            "<g class=\"sign {}\"><circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"8\"/><text x=\"{x:.1}\" y=\"{:.1}\">{}</text></g>",
            look.class(),
            y + 4.0,
            look.sign()
        );
    }
}

/// The line of a projection, with its sign and its words.
fn line(svg: &mut String, words: &mut String, row: &Row, layout: &Layout, index: usize, back: bool) {
    let lane = &layout.lanes[index];
    let look = Look::of(row);
    let (path, [x, y]) = if lane.level { level(lane, layout, back) } else { upright(index, layout, back) };
    // Words stand outside of a pair of lines, but not where a line leans out of it.
    let lean = if lane.gaps.is_empty() { layout.units[lane.ends[1]][0] - layout.units[lane.ends[0]][0] } else { 0.0 };
    let left = if back { lean < -BOX[0] / 4.0 } else { lean <= BOX[0] / 4.0 };
    let kind = if back { "feedback" } else { "feedforward" };
    let _ = writeln!(
        svg,
        "<g class=\"edge {kind} {look}\">{}<path class=\"reach\" d=\"{path}\"/><path d=\"{path}\" \
         marker-end=\"url(#tip-{look})\"/></g>",
        title(row),
        look = look.class()
    );
    let away = if look == Look::Sound { 6.0 } else { 13.0 };
    let (at, anchor) = match (lane.level, back) {
        (true, false) => ([x, y - away], "middle"),
        (true, true) => ([x, y + away + 8.0], "middle"),
        (false, _) if left => ([x - away, y + 4.0], "end"),
        (false, _) => ([x + away, y + 4.0], "start"),
    };
    sign(words, look, [x, y]);
    let _ = writeln!(
        words,
        "<text class=\"word {}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
        look.class(),
        at[0],
        at[1],
        cut(&row.detail, LETTERS[1])
    );
}

/// The path between two units of one row, and its middle; over what stands between them, if anything does.
fn level(lane: &Lane, layout: &Layout, back: bool) -> (String, [f64; 2]) {
    let [from, to] = lane.ends.map(|unit| layout.units[unit]);
    let off = if back { OFF_LEVEL } else { -OFF_LEVEL };
    let side = if to[0] < from[0] { -BOX[0] / 2.0 } else { BOX[0] / 2.0 };
    let [start, end] = [from[0] + side, to[0] - side];
    let y = from[1] + off;
    let bow = if (end - start).abs() > BOX[0] { off * 9.0 } else { 0.0 };
    let (one, other) = if back { (end, start) } else { (start, end) };
    let path = format!("M{one:.1} {y:.1} C{one:.1} {0:.1} {other:.1} {0:.1} {other:.1} {y:.1}", y + bow);
    let straight = format!("M{one:.1} {y:.1} L{other:.1} {y:.1}");
    (if bow == 0.0 { straight } else { path }, [(start + end) / 2.0, y + 0.75 * bow])
}

/// The path from row to row, and a point on it where its words stand.
fn upright(index: usize, layout: &Layout, back: bool) -> (String, [f64; 2]) {
    let lane = &layout.lanes[index];
    let half = BOX[1] / 2.0;
    let mut points = vec![port(index, layout, 0, back)];
    for [x, y] in lane.gaps.iter().copied() {
        let x = x + if back { OFF_MIDDLE } else { -OFF_MIDDLE };
        points.extend([[x, y + half], [x, y - half]]);
    }
    points.push(port(index, layout, 1, back));
    let middle = match lane.gaps.first() {
        // Beside a row there is room.
        Some(gap) => [points[1][0], gap[1] + if back { OFF_WORDS } else { -OFF_WORDS }],
        None => between(points[0], points[1], along(lane, layout)),
    };
    if back {
        points.reverse();
    }
    let mut path = format!("M{:.1} {:.1}", points[0][0], points[0][1]);
    for pair in points.windows(2) {
        let [[x0, y0], [x1, y1]] = [pair[0], pair[1]];
        let turn = (y0 + y1) / 2.0;
        let _ = write!(path, " C{x0:.1} {turn:.1} {x1:.1} {turn:.1} {x1:.1} {y1:.1}");
    }
    (path, middle)
}

/// How far along a line its words stand: where lines meet at one end, nearer to the other.
fn along(lane: &Lane, layout: &Layout) -> f64 {
    let meet =
        |end: usize| layout.lanes.iter().filter(|other| other.ends[end] == lane.ends[end] && !other.level).count();
    match meet(0).cmp(&meet(1)) {
        Ordering::Less => 0.34,
        Ordering::Equal => 0.5,
        Ordering::Greater => 0.66,
    }
}

/// A point of the curve that leaves one row upright and arrives upright at the next.
fn between([x0, y0]: [f64; 2], [x1, y1]: [f64; 2], along: f64) -> [f64; 2] {
    let aside = along * along * (3.0 - 2.0 * along);
    let rise = along.powi(3) + 1.5 * along * (1.0 - along);
    [x0 + (x1 - x0) * aside, y0 + (y1 - y0) * rise]
}

/// Where a line meets a unit: at the top of where it begins (`end` 0) or at the bottom of where it ends, feedforward
/// lines in the left half and feedback in the right half, in the order in which they go on.
fn port(index: usize, layout: &Layout, end: usize, back: bool) -> [f64; 2] {
    let unit = layout.lanes[index].ends[end];
    let onward = |lane: &Lane| {
        let gap = if end == 0 { lane.gaps.first() } else { lane.gaps.last() };
        gap.map_or(layout.units[lane.ends[1 - end]][0], |gap| gap[0])
    };
    let mut here: Vec<usize> =
        (0..layout.lanes.len()).filter(|at| layout.lanes[*at].ends[end] == unit && !layout.lanes[*at].level).collect();
    here.sort_by(|one, other| onward(&layout.lanes[*one]).total_cmp(&onward(&layout.lanes[*other])));
    let place = here.iter().position(|at| *at == index).unwrap_or(0);
    let share = (place + 1) as f64 / (here.len() + 1) as f64;
    let left = if back { 0.0 } else { -BOX[0] / 2.0 };
    let [x, y] = layout.units[unit];
    [x + left + share * BOX[0] / 2.0, if end == 0 { y - BOX[1] / 2.0 } else { y + BOX[1] / 2.0 }]
}
