//! Interventional evidence over whole updates: once everything is perceived, one quantity is changed (another unit's
//! activity that has been used, some weights, the stored embeddings, the labels), the rest of the step is taken as it is,
//! and the changes that synapses ask for are compared with those of the undisturbed step.
//!
//! What moves must be what data flow says can be reached, and what data flow says can be reached must move, unless no
//! event goes there. Either failing is a disagreement of the two kinds of evidence, whatever the law says.

use std::collections::{BTreeMap, BTreeSet};

use super::bench::Bench;
use super::flow::{Flow, folds, in_words};
use crate::locality::{Place, Saved};
use crate::schedule::Step;
use crate::simulation::{Batch, Simulation};

/// What one disturbance did.
#[derive(Debug, Clone)]
pub(super) struct Row {
    /// What was disturbed.
    pub place: Place,
    /// Whether that was before inverses learned, and not only before the comparison.
    pub early: bool,
    /// By how much of its length each update moved, at most.
    pub moved: BTreeMap<Place, f64>,
}

/// What disturbing a stage found.
#[derive(Debug, Default)]
pub(super) struct Disturbed {
    pub rows: Vec<Row>,
    /// Pairs of quantity and update.
    pub compared: usize,
    /// Pairs among them of which data flow knows a way, but no event took it on these images.
    pub untested: usize,
    pub disagreements: Vec<String>,
}

/// One way of changing values.
type Change = fn(&mut [f32]);

/// Synapses of a projection that are few.
const FEW: usize = 16;

/// Activity of another moment; one that opens every gate; one that closes those which saturate, on either side and on one.
const OF_ACTIVITY: &[Change] = &[
    |values| values.reverse(),
    |values| scatter(values, |_, chance| 0.3 + 0.3 * chance),
    |values| values.iter_mut().for_each(|value| *value = if *value > 0.0 { -3.0 } else { 3.0 }),
    |values| values.fill(3.0),
];

/// The one of these that opens every gate.
const OPEN: usize = 1;

/// Embeddings of others; far ones; near ones.
const OF_MEMORY: &[Change] = &[
    |values| values.reverse(),
    |values| scatter(values, |value, chance| 9.0 * (chance - value)),
    |values| values.iter_mut().for_each(|value| *value *= -0.01),
];

/// Gives every value another, made of itself and of what looks like chance, from 0 to 1.
fn scatter(values: &mut [f32], make: fn(f32, f32) -> f32) {
    for (index, value) in values.iter_mut().enumerate() {
        // Multiples of the golden section are spread evenly and repeat nowhere.
        *value = make(*value, (index as f64 * 0.618_033_988_75).fract() as f32);
    }
}

/// Weights of other sign and size; what is no synapse stays none.
const OF_WEIGHTS: &[Change] = &[|values| values.iter_mut().for_each(|value| *value *= -1.5)];

const OF_LABELS: &[Change] = &[|_| {}];

/// Disturbs every quantity of a stage, in `simulation` as it is at the start of the step.
pub(super) fn disturb(bench: &Bench<'_>, flow: &Flow<'_>, mut simulation: Simulation) -> Disturbed {
    let mut found = Disturbed::default();
    let (perceived, comparison) = (flow.perceived(), flow.comparison());
    for &step in &flow.steps[..perceived] {
        bench.take(&mut simulation, bench.batch(), step);
    }
    if perceived < comparison {
        from(bench, flow, &mut simulation, perceived, &mut found);
        for &step in &flow.steps[perceived..comparison] {
            bench.take(&mut simulation, bench.batch(), step);
        }
    }
    from(bench, flow, &mut simulation, comparison, &mut found);
    found
}

/// A place in time before step `start`, up to which everything has been taken.
struct Moment<'a> {
    bench: &'a Bench<'a>,
    flow: &'a Flow<'a>,
    start: usize,
    /// What holds then, of all that is disturbed or written later.
    state: Vec<(Place, Saved)>,
    plain: Finished,
    /// Whether some projection has so few synapses that it may be chance what they hand on.
    thin: bool,
}

impl<'a> Moment<'a> {
    fn new(bench: &'a Bench<'a>, flow: &'a Flow<'a>, start: usize, simulation: &mut Simulation) -> Moment<'a> {
        let written = flow.access[start..].iter().flat_map(|access| access.writes.iter().copied());
        let kept: BTreeSet<Place> = written.chain(flow.quantities()).collect();
        let state = kept.iter().map(|&place| (place, simulation.state_mut().save(place))).collect();
        let plain = finish(bench, flow, simulation, bench.batch(), start);
        let projections = flow.quantities().into_iter();
        let weights = projections.filter(|place| matches!(place, Place::Weights(_) | Place::FeedbackWeights(_)));
        let live = |place| simulation.state_mut().look(place).iter().filter(|weight| **weight != 0.0).count();
        let thin = weights.map(live).any(|live| live < FEW);
        let moment = Moment { bench, flow, start, state, plain, thin };
        moment.restore(simulation);
        moment
    }

    fn restore(&self, simulation: &mut Simulation) {
        self.state.iter().for_each(|(place, saved)| simulation.state_mut().restore(*place, saved));
    }

    /// Whether it may be that nothing could move: there is but one class, next to no synapse exists that could hand
    /// `place` on, or nothing is asked of the update, be the gates as they are or open.
    fn is_idle(&self, place: Place, update: &Place, open: Option<&Moment<'_>>) -> bool {
        let still = |values: &[f32]| values.iter().all(|value| *value == 0.0);
        let weightless = matches!(place, Place::Weights(_) | Place::FeedbackWeights(_));
        let saved = self.state.iter().find(|(other, _)| *other == place).filter(|_| weightless);
        let asked = |moment: &Moment<'_>| moment.plain.changes.get(update).is_some_and(|change| !still(change));
        let nameless = place == Place::Labels && self.bench.relabelled() == self.bench.labels();
        nameless
            || self.thin
            || saved.is_some_and(|(_, saved)| saved.is_still())
            || !(asked(self) || open.is_some_and(asked))
    }

    /// By how much each update moves, at most, when `place` is disturbed in one way or another.
    fn moved(&self, simulation: &mut Simulation, place: Place) -> BTreeMap<Place, f64> {
        let changes = match place {
            Place::Activity(..) => OF_ACTIVITY,
            Place::Memory(_) => OF_MEMORY,
            Place::Labels => OF_LABELS,
            _ => OF_WEIGHTS,
        };
        let relabelled = self.bench.relabelled();
        let mut moved: BTreeMap<Place, f64> = BTreeMap::new();
        for (nth, change) in changes.iter().enumerate() {
            let mut batch = self.bench.batch();
            if place == Place::Labels {
                batch.labels = &relabelled;
            } else {
                alter(simulation, place, *change);
                if nth == 0 {
                    simulation.state_mut().turn_winners(self.flow.network, place);
                }
            }
            let disturbed = finish(self.bench, self.flow, simulation, batch, self.start);
            self.restore(simulation);
            for (update, before) in &self.plain.changes {
                let after = disturbed.changes.get(update).map_or(&[][..], Vec::as_slice);
                if let Some(size) = distance(before, after) {
                    let most = moved.entry(*update).or_insert(0.0);
                    *most = most.max(size);
                }
            }
        }
        moved
    }
}

/// Disturbs before step `start`, up to which everything has been taken.
fn from(bench: &Bench<'_>, flow: &Flow<'_>, simulation: &mut Simulation, start: usize, found: &mut Disturbed) {
    let moment = Moment::new(bench, flow, start, simulation);
    // The same with every gate open: what goes through a gate that happens to be shut moves nothing.
    let mut open: Option<Moment<'_>> = None;
    let early = start < flow.comparison();
    let when = if early { " before inverses learn" } else { "" };
    for place in flow.quantities() {
        let mut moved = moment.moved(simulation, place);
        let reached = flow.reach(start, place, &|_| false).updates;
        let mut live = flow.reach(start, place, &|step| moment.plain.silent.contains(&step)).updates;
        if live.iter().any(|update| !moved.contains_key(update)) {
            let activities = flow.quantities().into_iter().filter(|place| matches!(place, Place::Activity(..)));
            activities.for_each(|place| alter(simulation, place, OF_ACTIVITY[OPEN]));
            let open = open.get_or_insert_with(|| Moment::new(bench, flow, start, simulation));
            let heard = flow.reach(start, place, &|step| open.plain.silent.contains(&step)).updates;
            live.retain(|update| heard.contains(update));
            for (update, size) in open.moved(simulation, place) {
                moved.entry(update).or_insert(size);
            }
            moment.restore(simulation);
        }
        let what = in_words(place, flow.network);
        for update in moment.plain.changes.keys() {
            found.compared += 1;
            let name = in_words(*update, flow.network);
            match moved.get(update) {
                Some(size) if !reached.contains(update) => found.disagreements.push(format!(
                    "disturbing the {what}{when} moves the {name} by {}, but the plan's reads and writes know no way \
                     there",
                    percent(*size)
                )),
                None if live.contains(update) && !moment.is_idle(place, update, open.as_ref()) => {
                    found.disagreements.push(format!(
                        "the plan's reads and writes lead from the {what} to the {name}, but disturbing it{when} moves \
                     nothing"
                    ))
                }
                None if reached.contains(update) => found.untested += 1,
                _ => {}
            }
        }
        found.rows.push(Row { place, early, moved });
    }
}

fn alter(simulation: &mut Simulation, place: Place, change: Change) {
    let mut values = simulation.state_mut().look(place);
    change(&mut values);
    simulation.state_mut().put(place, &values);
}

/// The rest of a step.
struct Finished {
    /// Changes before an optimiser folds them in.
    changes: BTreeMap<Place, Vec<f32>>,
    /// Steps that had no event to hand on.
    silent: BTreeSet<usize>,
}

fn finish(bench: &Bench<'_>, flow: &Flow<'_>, simulation: &mut Simulation, batch: Batch<'_>, start: usize) -> Finished {
    let mut finished = Finished { changes: BTreeMap::new(), silent: BTreeSet::new() };
    for (index, &step) in flow.steps.iter().enumerate().skip(start) {
        if let Some(update) = folds(step) {
            let change = simulation.state_mut().look(update);
            finished.changes.insert(update, change);
            if matches!(step, Step::Apply(_)) {
                continue;
            }
        }
        let hears = matches!(
            step,
            Step::Carry(..) | Step::Learn(..) | Step::LearnInverse(..) | Step::Gate(..) | Step::Invert(..)
        );
        if hears {
            let said = flow.access[index].reads.iter().copied();
            let errors =
                said.filter(|place| matches!(place, Place::Packet(..) | Place::Reconstruction(_) | Place::Error(..)));
            let upper = |place: &Place| !flow.access[index].writes.contains(place);
            let quiet = |place: Place, simulation: &mut Simulation| {
                simulation.state_mut().look(place).iter().all(|value| *value == 0.0)
            };
            if errors.filter(upper).all(|place| quiet(place, simulation)) {
                finished.silent.insert(index);
            }
        }
        bench.take(simulation, batch, step);
    }
    finished
}

/// How far apart two changes are, as a share of the first one's length; none if they have the same bits.
pub(super) fn distance(before: &[f32], after: &[f32]) -> Option<f64> {
    if before.len() == after.len() && before.iter().zip(after).all(|(one, other)| one.to_bits() == other.to_bits()) {
        return None;
    }
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|value| value * value).sum::<f64>();
    let length = square(&mut before.iter().map(|value| f64::from(*value)));
    let gap = square(&mut before.iter().zip(after).map(|(one, other)| f64::from(*one) - f64::from(*other)));
    Some((gap / length).sqrt())
}

/// A share in words.
pub(super) fn percent(share: f64) -> String {
    match share {
        share if !share.is_finite() => "all of it".to_string(),
        share if share < 0.001 => "less than 0.1 %".to_string(),
        share if share < 0.1 => format!("{:.1} %", 100.0 * share),
        share => format!("{:.0} %", 100.0 * share),
    }
}
