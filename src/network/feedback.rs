//! Ways for errors: which feedforward projection each feedback projection answers, which ones a learning rule adds, and
//! whether every projection that is to learn hears of an error at all.
//!
//! An error starts at the heads and travels down feedback alone. A unit *wants* one if a plastic projection ends in it
//! or if a unit below it wants one; feedback into any other unit carries nothing useful.

use super::check::projection_name;
use super::diagram::{Diagram, Join};
use super::spec::FeedbackSpec;
use super::{Feedback, Init, LinearMap, ProjectionId, UnitId, Wiring};
use crate::fault::{Fault, did_you_mean};

/// All feedback projections of a diagram, written and added, and which units an error reaches.
pub(super) fn answers(
    diagram: &Diagram,
    default: Option<Wiring>,
    heads: &[UnitId],
    faults: &mut Vec<Fault>,
) -> (Vec<Feedback>, Vec<bool>) {
    let wants = wants(diagram);
    let written: Vec<Written> = diagram
        .spec
        .feedback
        .iter()
        .enumerate()
        .map(|(index, spec)| Written::read(diagram, index, spec, default, faults))
        .collect();
    repeated_partners(diagram, &written, faults);
    let mut feedback: Vec<Feedback> = written.iter().filter_map(|written| written.answer.clone()).collect();
    feedback.extend(default.into_iter().flat_map(|wiring| added(diagram, &written, &wants, wiring)));

    let reached = reached(diagram, heads, &written, &feedback);
    for (index, written) in written.iter().enumerate() {
        faults.extend(
            useless(diagram, written, &wants, &reached).map(|fault| fault.within(&format!("feedback[{index}]"))),
        );
    }
    deaf(diagram, heads, &reached, faults);
    repeated_names(diagram, &written, &feedback, faults);
    (feedback, reached)
}

/// A feedback projection of the description.
struct Written {
    join: Join,
    /// The projection that it answers, as far as can be told.
    partner: Option<ProjectionId>,
    /// What it becomes, if nothing about it is wrong.
    answer: Option<Feedback>,
}

impl Written {
    fn read(
        diagram: &Diagram,
        index: usize,
        spec: &FeedbackSpec,
        default: Option<Wiring>,
        faults: &mut Vec<Fault>,
    ) -> Self {
        let place = format!("feedback[{index}]");
        let name = projection_name(spec.name.as_ref(), &spec.from, &spec.to);
        let owner = format!("feedback {name}");
        let from = diagram.resolve(&owner, &spec.from, &format!("{place}.from"), faults);
        let to = diagram.resolve(&owner, &spec.to, &format!("{place}.to"), faults);
        let join = Join { name, from, to };
        let wiring = spec.wiring.or(default);
        if wiring.is_none() {
            let problem = format!("{owner} names no wiring, and the learning rule has none of its own");
            faults.push(Fault::new(&place, problem, "add wiring: Fixed (or Learned, Sign, Transported)"));
        }
        if wiring == Some(Wiring::Transported) && spec.init.is_some() {
            let problem =
                format!("{owner} is given first weights, but its wiring is Transported: it has no weights of its own");
            faults.push(Fault::new(format!("{place}.init"), problem, "remove init, or use another wiring"));
        }
        let partner = match (join.from.known(), join.to.known()) {
            (Some(from), Some(to)) => match partner(diagram, &owner, spec, from, to) {
                Ok(partner) => Some(partner),
                Err(fault) => {
                    faults.push(fault.within(&place));
                    None
                }
            },
            _ => None,
        };
        if let (Some(partner), Some(map)) = (partner, spec.map) {
            let theirs = diagram.spec.feedforward[partner.0].map;
            if map != theirs && map != without_bias(theirs) {
                let problem = format!(
                    "{owner} is {}, but {}, which it answers, is {}",
                    in_words(map),
                    diagram.joins[partner.0].name,
                    in_words(theirs)
                );
                faults.push(Fault::new(
                    format!("{place}.map"),
                    problem,
                    "remove map: feedback has its partner's geometry",
                ));
            }
        }
        let answer = (|| {
            let (to, from) = (join.to.known()?, join.from.known()?);
            let (partner, wiring) = (partner?, wiring?);
            let name = spec.name.clone().unwrap_or_else(|| default_name(diagram, partner));
            Some(Feedback { name, from, to, partner, wiring, init: spec.init.unwrap_or(Init::Kaiming) })
        })();
        Written { join, partner, answer }
    }
}

/// The same geometry as errors know it: they meet no bias.
fn without_bias(mut map: LinearMap) -> LinearMap {
    match &mut map {
        LinearMap::Dense { bias, .. } | LinearMap::Conv { bias, .. } => *bias = false,
    }
    map
}

fn in_words(map: LinearMap) -> String {
    let bias = if map.bias() { " with bias" } else { "" };
    match map {
        LinearMap::Dense { units, .. } => format!("dense, {units} units{bias}"),
        LinearMap::Conv { channels, kernel, stride, pad, .. } => {
            format!("a convolution to {channels} channels, kernel {kernel}, stride {stride}, padding {pad}{bias}")
        }
    }
}

/// The feedforward projection that a written feedback projection answers.
fn partner(
    diagram: &Diagram,
    owner: &str,
    spec: &FeedbackSpec,
    from: UnitId,
    to: UnitId,
) -> Result<ProjectionId, Fault> {
    let joining = |lower, upper| {
        let joins = diagram.joins.iter().enumerate();
        joins.filter(move |(_, join)| join.known() == Some((lower, upper))).map(|(index, _)| ProjectionId(index))
    };
    let candidates: Vec<ProjectionId> = joining(to, from).collect();
    let names = candidates.iter().map(|id| diagram.joins[id.0].name.as_str());
    let (upper, lower) = (&spec.from, &spec.to);
    if candidates.is_empty() {
        let problem = format!("{owner} has no partner: no feedforward projection leads from {lower} to {upper}");
        let remedy = match joining(from, to).next() {
            Some(_) => format!("swap its ends: from: \"{lower}\", to: \"{upper}\""),
            None => format!("add the projection (from: \"{lower}\", to: \"{upper}\", ...), or remove the feedback"),
        };
        return Err(Fault::new("", problem, remedy));
    }
    match (&spec.partner, candidates.as_slice()) {
        (Some(name), _) => {
            let found = candidates.iter().find(|id| diagram.joins[id.0].name == *name).copied();
            found.ok_or_else(|| {
                let problem = format!("{owner}: no projection `{name}` leads from {lower} to {upper}");
                Fault::new("partner", problem, did_you_mean(name, names))
            })
        }
        (None, [only]) => Ok(*only),
        (None, several) => {
            let listed: Vec<_> = names.map(|name| format!("partner: \"{name}\"")).collect();
            let problem = format!("{owner}: {} projections lead from {lower} to {upper}", several.len());
            Err(Fault::new("", problem, format!("add {}", listed.join(" or "))))
        }
    }
}

/// The name of a feedback projection that is given none: its ends, and its partner where the ends do not tell.
fn default_name(diagram: &Diagram, partner: ProjectionId) -> String {
    let join = &diagram.joins[partner.0];
    let ends =
        join.units().map(|(from, to)| format!("{}->{}", diagram.name(to), diagram.name(from))).unwrap_or_default();
    let parallel = diagram.joins.iter().filter(|other| other.units() == join.units()).count() > 1;
    if parallel { format!("{ends}:{}", join.name) } else { ends }
}

fn repeated_partners(diagram: &Diagram, written: &[Written], faults: &mut Vec<Fault>) {
    for (index, later) in written.iter().enumerate() {
        let Some(partner) = later.partner else { continue };
        if let Some(earlier) = written[..index].iter().position(|earlier| earlier.partner == Some(partner)) {
            let problem = format!(
                "feedback {} answers {}, which feedback[{earlier}] answers already",
                later.join.name, diagram.joins[partner.0].name
            );
            faults.push(Fault::new(format!("feedback[{index}]"), problem, "keep one of the two"));
        }
    }
}

/// Which units have use for an error.
fn wants(diagram: &Diagram) -> Vec<bool> {
    let joins =
        || diagram.joins.iter().zip(&diagram.spec.feedforward).filter_map(|(join, spec)| Some((join.units()?, spec)));
    let mut wants = vec![false; diagram.spec.units.len()];
    while let Some(((_, to), _)) =
        joins().find(|((from, to), spec)| !wants[to.0] && !diagram.is_input(*to) && (spec.plastic || wants[from.0]))
    {
        wants[to.0] = true;
    }
    wants
}

/// The feedback that a rule adds: under every projection whose pre unit wants an error and has no way written for it.
fn added(diagram: &Diagram, written: &[Written], wants: &[bool], wiring: Wiring) -> Vec<Feedback> {
    let mut added = Vec::new();
    for (index, join) in diagram.joins.iter().enumerate() {
        let partner = ProjectionId(index);
        let Some((lower, upper)) = join.units() else { continue };
        if wants[lower.0] && !written.iter().any(|written| written.partner == Some(partner)) {
            let name = default_name(diagram, partner);
            added.push(Feedback { name, from: upper, to: lower, partner, wiring, init: Init::Kaiming });
        }
    }
    added
}

/// Which units an error can reach. A feedback projection with a fault of its own is taken to carry what it can.
fn reached(diagram: &Diagram, heads: &[UnitId], written: &[Written], feedback: &[Feedback]) -> Vec<bool> {
    let mut reached = vec![false; diagram.spec.units.len()];
    heads.iter().for_each(|head| reached[head.0] = true);
    for written in written.iter().filter(|written| written.join.from.unit().is_none()) {
        written.join.to.unit().into_iter().for_each(|unit| reached[unit.0] = true);
    }
    let ways = || {
        let written = written.iter().filter_map(|written| written.join.units());
        written.chain(feedback.iter().map(|feedback| (feedback.from, feedback.to)))
    };
    while let Some((_, to)) = ways().find(|(from, to)| reached[from.0] && !reached[to.0]) {
        reached[to.0] = true;
    }
    reached
}

/// What makes a written feedback projection idle, if it is.
fn useless(diagram: &Diagram, written: &Written, wants: &[bool], reached: &[bool]) -> Option<Fault> {
    written.partner?;
    let (from, to) = written.join.known()?;
    let name = &written.join.name;
    let (upper, lower) = (diagram.name(from), diagram.name(to));
    if diagram.is_input(to) {
        let problem = format!("feedback {name} carries nothing useful: {lower} is an input, where nothing learns");
        return Some(Fault::new("", problem, "remove it"));
    }
    if !wants[to.0] {
        let problem = format!("feedback {name} carries nothing useful: no projection learns in {lower} or below it");
        return Some(Fault::new("", problem, "remove it"));
    }
    // Where a projection into the upper unit learns, that one's own fault says so.
    (!reached[from.0] && !learns_into(diagram, from)).then(|| {
        let problem = format!("feedback {name} carries nothing useful: no error reaches {upper}");
        Fault::new("", problem, format!("remove it, or add {} to feedback", way_down(diagram, from, reached)))
    })
}

fn learns_into(diagram: &Diagram, unit: UnitId) -> bool {
    let mut joins = diagram.joins.iter().zip(&diagram.spec.feedforward);
    joins.any(|(join, spec)| spec.plastic && join.known().is_some_and(|(_, to)| to == unit))
}

/// Reports projections that are to learn from an error that never comes.
fn deaf(diagram: &Diagram, heads: &[UnitId], reached: &[bool], faults: &mut Vec<Fault>) {
    for (index, (join, spec)) in diagram.joins.iter().zip(&diagram.spec.feedforward).enumerate() {
        let Some((_, to)) = join.known().filter(|(_, to)| spec.plastic && !reached[to.0]) else { continue };
        let projects = diagram.joins.iter().any(|join| join.from.unit() == Some(to));
        // A unit that projects nowhere and is no head, an input, a cycle: each is reported as such.
        if !projects || heads.contains(&to) || diagram.is_input(to) || diagram.cyclic[to.0] {
            continue;
        }
        let unit = diagram.name(to);
        let problem = format!("projection {} learns, but no feedback reaches {unit}", join.name);
        let remedy = format!("add {} to feedback, or set plastic: false", way_down(diagram, to, reached));
        faults.push(Fault::new(format!("feedforward[{index}]"), problem, remedy));
    }
}

/// The feedback that would bring an error to `unit`, up to where there is one or where another fault asks for it.
fn way_down(diagram: &Diagram, unit: UnitId, reached: &[bool]) -> String {
    let mut lower = unit;
    let mut ways = Vec::new();
    while let Some(join) = diagram.joins.iter().find(|join| join.units().is_some_and(|(from, _)| from == lower)) {
        let Some((_, upper)) = join.units() else { break };
        let parallel = diagram.joins.iter().filter(|other| other.units() == join.units()).count() > 1;
        let partner = if parallel { format!(", partner: \"{}\"", join.name) } else { String::new() };
        let (from, to) = (diagram.name(upper), diagram.name(lower));
        ways.push(format!("(from: \"{from}\", to: \"{to}\", wiring: Fixed{partner})"));
        if reached[upper.0] || learns_into(diagram, upper) || ways.len() == diagram.spec.units.len() {
            break;
        }
        lower = upper;
    }
    ways.join(", ")
}

/// Names must tell all projections apart: weights are stored under them.
fn repeated_names(diagram: &Diagram, written: &[Written], feedback: &[Feedback], faults: &mut Vec<Fault>) {
    let forward = diagram.joins.iter().enumerate();
    let mut named: Vec<(&str, Option<String>)> =
        forward.map(|(index, join)| (join.name.as_str(), Some(format!("feedforward[{index}]")))).collect();
    // On a cycle, feedback has the names of what runs downwards; the cycle is the fault.
    if !diagram.cyclic.contains(&true) {
        let sound = written.iter().enumerate().filter(|(_, written)| written.answer.is_some());
        let places = sound.map(|(index, _)| Some(format!("feedback[{index}]")));
        // What a rule adds stands nowhere.
        named.extend(feedback.iter().map(|answer| answer.name.as_str()).zip(places.chain(std::iter::repeat(None))));
    }
    for (index, (name, place)) in named.iter().enumerate() {
        let Some((_, earlier)) = named[..index].iter().find(|(other, _)| other == name) else { continue };
        let problem = format!("two projections are called `{name}`");
        let place = place.as_ref().or(earlier.as_ref()).map_or("", |place| place);
        faults.push(Fault::new(place, problem, "give this one a name of its own: name: \"...\""));
    }
}
