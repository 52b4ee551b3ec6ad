//! Ways for errors: which feedforward projection each feedback projection answers, which ones a learning rule adds, and
//! whether every projection that is to learn hears of an error at all.
//!
//! An error starts at the heads and travels down feedback alone. A unit *wants* one if a plastic projection ends in it
//! or if a unit below it wants one; feedback into any other unit carries nothing useful.

use super::blocks::Division;
use super::check::projection_name;
use super::diagram::{Diagram, End, Join};
use super::projection::Window;
use super::spec::FeedbackSpec;
use super::ways::Ways;
use super::{Feedback, Init, LinearMap, ProjectionId, Teaching, UnitId, Wiring};
use crate::fault::{Fault, did_you_mean};
use crate::kernels::Transfer;

/// All feedback projections of a diagram, written and added, and which units an error reaches.
pub(super) fn answers(
    diagram: &Diagram,
    division: &Division,
    teaching: Teaching<'_>,
    heads: &[UnitId],
    faults: &mut Vec<Fault>,
) -> (Vec<Feedback>, Vec<bool>) {
    let unknown = |join: &Join| join.from.unit().is_none();
    let doubtful = diagram.has_loose_joins() || diagram.doubts.touch("blocks");
    let certain = division.understood && !doubtful && !diagram.joins.iter().any(unknown);
    let lesson = Lesson { teaching, heads, certain, doubtful };
    let wants = wants(diagram, division);
    let written: Vec<Written> = diagram
        .spec
        .feedback
        .iter()
        .enumerate()
        .map(|(index, spec)| Written::read(diagram, division, index, spec, &lesson, faults))
        .collect();
    repeated_partners(diagram, &written, faults);
    let mut feedback: Vec<Feedback> = written.iter().filter_map(|written| written.answer.clone()).collect();
    feedback.extend(added(diagram, division, &written, &wants, &lesson));

    let reached = reached(diagram, heads, &written, &feedback);
    let wired = teaching.wiring.is_some();
    let ways = Ways { diagram, division, written: &written, wants: &wants, reached: &reached, wired };
    for (index, written) in written.iter().enumerate() {
        faults.extend(ways.useless(written).map(|fault| fault.within(&format!("feedback[{index}]"))));
    }
    faults.extend(ways.deaf());
    repeated_names(diagram, &written, &feedback, faults);
    (feedback, reached)
}

/// What the way of learning asks of feedback from each unit.
struct Lesson<'a> {
    teaching: Teaching<'a>,
    heads: &'a [UnitId],
    /// Whether it is certain which units are heads.
    certain: bool,
    /// Whether that is uncertain because of a doubt.
    doubtful: bool,
}

impl Lesson<'_> {
    /// The wiring of feedback from a unit that is written with none.
    fn wiring(&self, from: Option<UnitId>) -> Option<Wiring> {
        let from_head = from.is_some_and(|from| self.heads.contains(&from));
        self.teaching.top.filter(|_| from_head).or(self.teaching.wiring)
    }

    /// Whether it is doubtful which wiring feedback takes that is written with none.
    fn is_doubtful(&self, from: End) -> bool {
        self.teaching.top.is_some() && (self.doubtful || from == End::Doubtful)
    }

    /// What is wrong with a wiring where the rule propagates targets, or where it does not.
    fn misfit(&self, owner: &str, from: Option<UnitId>, wiring: Option<Wiring>) -> Option<Fault> {
        let inverts = wiring? == Wiring::Inverse;
        if self.teaching.top.is_some() && !self.certain {
            return None;
        }
        let (problem, remedy) = match (self.teaching.top, self.heads.contains(&from?)) {
            (None, _) if inverts => {
                ("is an inverse, but the rule propagates no targets", "use rule: Dtp, or another wiring")
            }
            (Some(_), true) if inverts => (
                "is an inverse of a head, whose error tells the first target",
                "use wiring: Transported, Fixed or Learned",
            ),
            (Some(_), false) if !inverts => (
                "carries errors, but below the heads the rule propagates targets",
                "use wiring: Inverse, or another rule",
            ),
            _ => return None,
        };
        Some(Fault::new("wiring", format!("{owner} {problem}"), remedy))
    }
}

/// A feedback projection of the description.
pub(super) struct Written {
    pub(super) join: Join,
    /// The projection that it answers, as far as can be told.
    pub(super) partner: Option<ProjectionId>,
    /// Whether it is doubtful which one that is of those that join its ends.
    open: bool,
    /// What it becomes, if nothing about it is wrong.
    answer: Option<Feedback>,
}

impl Written {
    /// Whether a feedforward projection may be the one that it answers.
    pub(super) fn may_answer(&self, diagram: &Diagram, projection: ProjectionId) -> bool {
        let joined = diagram.joins[projection.0].units().map(|(lower, upper)| (upper, lower));
        self.partner == Some(projection) || (self.open && self.join.units() == joined)
    }

    fn read(
        diagram: &Diagram,
        division: &Division,
        index: usize,
        spec: &FeedbackSpec,
        lesson: &Lesson<'_>,
        faults: &mut Vec<Fault>,
    ) -> Self {
        let place = format!("feedback[{index}]");
        let name = projection_name(spec.name.as_ref(), &spec.from, &spec.to);
        let owner = format!("feedback {name}");
        let from = diagram.resolve(&owner, &spec.from, &format!("{place}.from"), faults);
        let to = diagram.resolve(&owner, &spec.to, &format!("{place}.to"), faults);
        let join = Join { name, from, to, sound: true };
        let wiring = spec.wiring.or(lesson.wiring(join.from.unit()));
        faults.extend(lesson.misfit(&owner, join.from.known(), wiring).map(|fault| fault.within(&place)));
        let doubtful =
            diagram.doubts.touch(&format!("{place}.wiring")) || (spec.wiring.is_none() && lesson.is_doubtful(from));
        if let Some(transfer) = spec.transfer.filter(|_| wiring != Some(Wiring::Inverse) && !doubtful) {
            let problem = format!("{owner} is given the transfer function {transfer:?}, but only inverses have one");
            faults.push(Fault::new(format!("{place}.transfer"), problem, "remove transfer, or use wiring: Inverse"));
        }
        if wiring.is_none() && !doubtful {
            let problem = format!("{owner} names no wiring, and the learning rule has none of its own");
            faults.push(Fault::new(&place, problem, "add wiring: Fixed (or Learned, Sign, Transported)"));
        }
        if wiring == Some(Wiring::Transported) && spec.init.is_some() && !doubtful {
            let problem =
                format!("{owner} is given first weights, but its wiring is Transported: it has no weights of its own");
            faults.push(Fault::new(format!("{place}.init"), problem, "remove init, or use another wiring"));
        }
        let mut open = false;
        let partner = match (join.from.known(), join.to.known()) {
            (Some(from), Some(to)) => match partner(diagram, &owner, &place, spec, from, to) {
                Ok(partner) => {
                    open = partner.is_none();
                    partner
                }
                // The partner may be a projection that misspells a unit's name.
                Err(_) if diagram.joins.iter().any(|join| join.is_perhaps(to, from)) => None,
                Err(_) if diagram.doubts.cover("feedforward") => None,
                Err(fault) => {
                    faults.push(fault.within(&place));
                    None
                }
            },
            _ => None,
        };
        let certain = |partner: &ProjectionId| {
            let theirs = format!("feedforward[{}].map", partner.0);
            ![format!("{place}.map"), format!("{place}.wiring"), theirs].iter().any(|part| diagram.doubts.touch(part))
        };
        let own_map = spec.map.filter(|_| wiring != Some(Wiring::Inverse));
        if let (Some(partner), Some(map)) = (partner.filter(certain), own_map) {
            let theirs = diagram.spec.feedforward[partner.0].map;
            if map != theirs && map != theirs.without_bias() {
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
        let relays = partner.filter(certain).is_some_and(|id| !diagram.spec.feedforward[id.0].map.has_weights());
        // A copy of the forward weights is what it is anyway.
        let drawn = spec.init.is_some_and(|init| init != Init::Symmetric);
        if relays && drawn && !matches!(wiring, Some(Wiring::Inverse | Wiring::Transported)) {
            let problem = format!("{owner} is given first weights, but what it answers is one to one and has none");
            faults.push(Fault::new(format!("{place}.init"), problem, "remove init"));
        }
        if let (Some(from), Some(to)) = (join.from.known(), join.to.known()) {
            faults.extend(division.crossing(&owner, from, to).map(|fault| fault.within(&place)));
        }
        let answer = (|| {
            let (to, from) = (join.to.known()?, join.from.known()?);
            let (partner, wiring) = (partner?, wiring?);
            let name = spec.name.clone().unwrap_or_else(|| default_name(diagram, partner));
            let map = diagram.spec.feedforward[partner.0].map;
            let init = spec.init.unwrap_or(Init::Kaiming);
            Some(Feedback { name, from, to, partner, wiring, init, map, transfer: Transfer::Linear })
        })();
        Written { join, partner, open, answer }
    }
}

fn in_words(map: LinearMap) -> String {
    let bias = if map.bias() { " with bias" } else { "" };
    let (kind, outputs) = match map {
        LinearMap::OneToOne => return "one to one".to_string(),
        LinearMap::Dense { units, .. } => return format!("dense, {units} units{bias}"),
        LinearMap::Conv { channels, .. } => ("a convolution", channels),
        LinearMap::Local { channels, .. } => ("locally connected", channels),
        LinearMap::TransposedConv { channels, .. } => ("a transposed convolution", channels),
    };
    let windows = map.window().map(|Window { kernel, stride, pad, output_pad }| {
        let more = if output_pad == 0 { String::new() } else { format!(", output padding {output_pad}") };
        format!(", kernel {kernel}, stride {stride}, padding {pad}{more}")
    });
    format!("{kind} to {outputs} channels{}{bias}", windows.unwrap_or_default())
}

/// The feedforward projection that a written feedback projection answers; none if it is doubtful which one.
fn partner(
    diagram: &Diagram,
    owner: &str,
    place: &str,
    spec: &FeedbackSpec,
    from: UnitId,
    to: UnitId,
) -> Result<Option<ProjectionId>, Fault> {
    // A loose projection may join the two units, too.
    if diagram.joins.iter().any(|join| join.is_loose() && join.is_perhaps(to, from)) {
        return Ok(None);
    }
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
        (_, [_, _, ..]) if diagram.doubts.touch(&format!("{place}.partner")) => Ok(None),
        (Some(name), _) => {
            let found = candidates.iter().find(|id| diagram.joins[id.0].name == *name).copied();
            if found.is_none() && candidates.iter().all(|id| diagram.is_certain_name(id.0)) {
                let problem = format!("{owner}: no projection `{name}` leads from {lower} to {upper}");
                return Err(Fault::new("partner", problem, did_you_mean(name, names)));
            }
            Ok(found)
        }
        (None, [only]) => Ok(Some(*only)),
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
    if is_parallel(diagram, join) { format!("{ends}:{}", join.name) } else { ends }
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
fn wants(diagram: &Diagram, division: &Division) -> Vec<bool> {
    // A projection from who knows where may learn all the same.
    let ends = |join: &Join| join.to.unit().filter(|to| join.sound && join.from.unit() != Some(*to));
    let joins = || diagram.joins.iter().enumerate().filter_map(|(index, join)| Some((index, join.from, ends(join)?)));
    let mut wants = vec![false; diagram.spec.units.len()];
    let below = |wants: &[bool], from: UnitId, to: UnitId| wants[from.0] && !division.parts(from, to);
    while let Some((.., to)) = joins().find(|&(index, from, to)| {
        let learns = diagram.may_learn(index) || from == End::Doubtful;
        let wanted = learns || from.unit().is_some_and(|from| below(&wants, from, to));
        wanted && !wants[to.0] && !diagram.is_input(to) && !division.rests(to)
    }) {
        wants[to.0] = true;
    }
    wants
}

/// The feedback that a rule adds: under every projection whose pre unit wants an error and has no way written for it.
fn added(
    diagram: &Diagram,
    division: &Division,
    written: &[Written],
    wants: &[bool],
    lesson: &Lesson<'_>,
) -> Vec<Feedback> {
    let mut added = Vec::new();
    for (index, join) in diagram.joins.iter().enumerate() {
        let partner = ProjectionId(index);
        let Some((lower, upper)) = join.units() else { continue };
        if wants[lower.0]
            && !division.parts(lower, upper)
            && !written.iter().any(|written| written.partner == Some(partner))
        {
            let Some(wiring) = lesson.wiring(Some(upper)) else { continue };
            added.push(Feedback {
                name: default_name(diagram, partner),
                from: upper,
                to: lower,
                partner,
                wiring,
                init: Init::Kaiming,
                map: diagram.spec.feedforward[index].map,
                transfer: Transfer::Linear,
            });
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

/// Whether other projections join the same two units in the same direction.
pub(super) fn is_parallel(diagram: &Diagram, join: &Join) -> bool {
    diagram.joins.iter().filter(|other| other.units() == join.units()).count() > 1
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
        // It follows from all there is: without what is doubtful, it might be something else.
        named.retain(|(_, place)| place.is_some() || diagram.doubts.is_empty());
    }
    for (index, (name, place)) in named.iter().enumerate() {
        let certain = |place: &Option<String>| place.as_ref().is_none_or(|place| diagram.is_certain_name_at(place));
        let same = named[..index].iter().find(|(other, place)| other == name && certain(place));
        let Some((_, earlier)) = same.filter(|_| certain(place)) else { continue };
        if place.is_none() && earlier.is_none() {
            // Their partners are called alike, which is the fault.
            continue;
        }
        let problem = format!("two projections are called `{name}`");
        let place = place.as_ref().or(earlier.as_ref()).map_or("", |place| place);
        faults.push(Fault::new(place, problem, "give this one a name of its own: name: \"...\""));
    }
}
