//! Interventional evidence at the top: the real comparison is given embeddings that are set, and its errors are held
//! against those of the traced arithmetic: their values, which items they depend on, and whether they are switched by
//! thresholds or move smoothly. The real optimiser is given a change and then twice that.

use super::arithmetic::{self, lint_of};
use super::bench::Bench;
use super::embeddings::Set;
use super::finding::{Method, Part};
use super::flow::{Flow, folds, in_words};
use super::judge::{Draft, Drafts, part_of};
use crate::lint::Lint;
use crate::locality::{Place, View};
use crate::loss::StoredView;
use crate::network::UnitId;
use crate::number::{Operation, Sources, Traced};
use crate::rng::Stream;
use crate::schedule::Step;
use crate::simulation::{Batch, Simulation};

/// What was found of arithmetic in a run.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub disagreements: Vec<String>,
    pub probes: usize,
}

/// Embeddings that each item is given in turn, at most: one may happen to fall on the same side of every threshold.
const REPLACEMENTS: usize = 30;

/// Errors below this are rounding.
const FLOOR: f64 = 1e-5;

/// Units of a head that are few.
const FEW: usize = 4;

/// Runs the comparisons and optimisers of a stage on set values, in `simulation`.
pub(super) fn run(bench: &Bench<'_>, flow: &Flow<'_>, simulation: &mut Simulation, drafts: &mut Drafts) -> Compared {
    let mut found = Compared::default();
    for &step in &flow.steps {
        match step {
            Step::Compare { unit, memory, stored } => {
                let part = part_of(step, flow.network);
                let memory = (stored != StoredView::Absent).then_some(memory);
                Comparing { bench, flow, step, unit, memory, part }.run(simulation, drafts, &mut found);
            }
            Step::Apply(_) | Step::ApplyInverse(_) => fold(bench, flow, simulation, step, drafts, &mut found),
            _ => {}
        }
    }
    found
}

/// A comparison under examination.
struct Comparing<'a> {
    bench: &'a Bench<'a>,
    flow: &'a Flow<'a>,
    step: Step,
    unit: UnitId,
    /// The unit whose embeddings of the stored view are compared with, if any are.
    memory: Option<UnitId>,
    part: Part,
}

/// Items of the stored and of the current view, for each item of a batch, as bits.
type Related = Vec<[u32; 2]>;

impl Comparing<'_> {
    fn run(&self, simulation: &mut Simulation, drafts: &mut Drafts, found: &mut Compared) {
        let (loss, shape) = (self.bench.loss(), self.flow.network.unit(self.unit).shape);
        let items = self.bench.pairs.min(Traced::ITEMS);
        let sets = Set::all(loss, shape, items, self.bench.labels());
        let traced: Vec<Vec<Traced>> = sets.iter().map(|set| set.trace(loss)).collect();
        let mut expected: Related = vec![[0; 2]; items];
        for errors in &traced {
            for (expected, errors) in expected.iter_mut().zip(errors.chunks(shape.len())) {
                let sources = errors.iter().fold(Sources::default(), |all, error| all | error.sources());
                expected[0] |= sources.stored;
                expected[1] |= sources.current;
            }
        }
        let mut moved: Related = vec![[0; 2]; items];
        let (mut smooth, mut compared) = (0, 0);
        for (set, traced) in sets.iter().zip(&traced) {
            let errors = self.take(simulation, set);
            self.values(&errors, traced, drafts, found);
            self.relate(simulation, set, &errors, &expected, &mut moved, found);
            let mut near = set.clone();
            near.nudge();
            smooth += differing(&self.take(simulation, &near), &errors);
            compared += errors.len();
        }
        self.judge(&moved, &expected, drafts, found);
        let share = 100.0 * smooth as f64 / compared.max(1) as f64;
        if share > 50.0 {
            let text = format!(
                "errors are not switched but move smoothly: {share:.0} % of them when embeddings move by a thousandth"
            );
            for operation in Operation::ALL {
                drafts.support(lint_of(operation), &self.part, Method::Interventional, text.clone());
            }
        }
    }

    /// The errors of the current view that the real step makes of these embeddings.
    fn take(&self, simulation: &mut Simulation, set: &Set) -> Vec<f32> {
        let state = simulation.state_mut();
        state.put(Place::Activity(self.unit, View::Current), &set.current);
        if let Some(memory) = self.memory {
            state.put(Place::Memory(memory), &set.stored);
        }
        self.bench.take(simulation, Batch { labels: self.bench.labels(), ..self.bench.batch() }, self.step);
        simulation.state_mut().look(Place::Error(self.unit, View::Current))
    }

    /// Whether the real errors have the values of the traced ones.
    fn values(&self, errors: &[f32], traced: &[Traced], drafts: &mut Drafts, found: &mut Compared) {
        let largest = traced.iter().fold(FLOOR, |most, error| most.max(error.value().abs()));
        let pairs = || errors.iter().zip(traced).map(|(real, traced)| (f64::from(*real) - traced.value()).abs());
        let far = pairs().filter(|gap| gap.is_nan() || *gap > 1e-3 * largest).count();
        // A threshold that is met to rounding may fall on either side.
        if far * 50 > errors.len() {
            let message = "the errors that it makes are not those of its loss";
            let worst = pairs().fold(0.0f64, |most, gap| if gap > most || gap.is_nan() { gap } else { most });
            let text = format!("{far} of {} errors are off by up to {worst:.3e}, of {largest:.3e}", errors.len());
            found.disagreements.push(format!("{}: {message}: {text}", self.part.name));
            let draft = Draft::new(Lint::UndeclaredAccess, self.part.clone(), message);
            drafts.add(draft.known(Method::Interventional, text));
        }
    }

    /// Replaces each item in turn until every error has moved that is expected to.
    fn relate(
        &self,
        simulation: &mut Simulation,
        set: &Set,
        errors: &[f32],
        expected: &Related,
        moved: &mut Related,
        found: &mut Compared,
    ) {
        let size = set.shape.len();
        for item in 0..expected.len() {
            for side in if self.memory.is_some() { 0..2 } else { 1..2 } {
                let mut other = set.clone();
                for attempt in 0..REPLACEMENTS {
                    let missing = |(moved, expected): (&[u32; 2], &[u32; 2])| expected[side] & !moved[side] >> item & 1;
                    if attempt > 0 && moved.iter().zip(expected).all(|pair| missing(pair) == 0) {
                        break;
                    }
                    other.replace(item, side == 0);
                    let after = self.take(simulation, &other);
                    found.probes += 1;
                    for ((moved, after), before) in moved.iter_mut().zip(after.chunks(size)).zip(errors.chunks(size)) {
                        moved[side] |= u32::from(differing(after, before) > 0) << item;
                    }
                }
            }
        }
    }

    /// Whether errors moved with the items with which they should.
    fn judge(&self, moved: &Related, expected: &Related, drafts: &mut Drafts, found: &mut Compared) {
        let name = &self.part.name;
        for (index, (moved, expected)) in moved.iter().zip(expected).enumerate() {
            for (side, what) in ["stored", "current"].into_iter().enumerate() {
                let (unknown, still) = (moved[side] & !expected[side], expected[side] & !moved[side]);
                if unknown != 0 {
                    let message = format!("errors depend on {what} embeddings of items that the loss does not touch");
                    let text = format!("the error of item {index} moves with items {:?}", bits(unknown));
                    found.disagreements.push(format!("{name}: {message}: {text}"));
                    let draft = Draft::new(Lint::OtherItems, self.part.clone(), message);
                    drafts.add(draft.known(Method::Interventional, text));
                }
                // Of a few units all may fall on one side of every threshold, whatever they are replaced by.
                if still != 0 && self.flow.network.unit(self.unit).shape.len() >= FEW {
                    found.disagreements.push(format!(
                        "{name}: by its arithmetic the error of item {index} depends on {what} embeddings {:?}, but \
                         does not move with them",
                        bits(still)
                    ));
                }
            }
        }
    }
}

/// The real optimiser: is twice the change twice the update?
fn fold(
    bench: &Bench<'_>,
    flow: &Flow<'_>,
    simulation: &mut Simulation,
    step: Step,
    drafts: &mut Drafts,
    found: &mut Compared,
) {
    let Some((update, (part, trace))) = folds(step).zip(arithmetic::optimizer(step, bench.learning())) else { return };
    let moments = match update {
        Place::FeedbackChange(id) => Place::FeedbackMoments(id),
        Place::Change(id) => Place::Moments(id),
        _ => return,
    };
    let before = simulation.state_mut().save(moments);
    let zeros = vec![0.0; simulation.state_mut().look(moments).len()];
    let mut rng = Stream::new(1).named("change").rng();
    let change: Vec<f32> = simulation.state_mut().look(update).iter().map(|_| rng.between(-1.0, 1.0)).collect();
    let mut take = |factor: f32| {
        let state = simulation.state_mut();
        state.restore(moments, &before);
        state.put(moments, &zeros);
        state.put(update, &change.iter().map(|value| factor * value).collect::<Vec<f32>>());
        bench.take(simulation, bench.batch(), step);
        simulation.state_mut().look(update)
    };
    let (once, twice) = (take(1.0), take(2.0));
    found.probes += 2;
    let bent = once.iter().zip(&twice).any(|(once, twice)| (2.0 * once - twice).abs() > 1e-5 * twice.abs());
    if bent == trace.is_empty() {
        let how = if bent { "is not" } else { "is" };
        let known = if bent { "nothing that could bend it" } else { "what should bend it" };
        found.disagreements.push(format!(
            "the update made of the {} {how} proportional to it, but the optimiser's arithmetic has {known}",
            in_words(update, flow.network)
        ));
    }
    if bent {
        let length = |values: &[f32]| values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        let ratio = length(&twice) / length(&once);
        let text = format!("twice the change makes an update {ratio:.2} times as long, not twice");
        let mut known = false;
        for operation in trace.iter() {
            known |= drafts.support(lint_of(operation), &part, Method::Interventional, text.clone());
        }
        if !known {
            let message = "the update of a weight is not proportional to what its synapse asks for";
            let draft = Draft::new(Lint::Normalisation, part, message).reaching([update]);
            drafts.add(draft.known(Method::Interventional, text));
        }
    }
}

/// How many values differ in their bits.
fn differing(one: &[f32], other: &[f32]) -> usize {
    one.iter().zip(other).filter(|(one, other)| one.to_bits() != other.to_bits()).count()
}

/// The items of a set.
fn bits(set: u32) -> Vec<usize> {
    (0..32).filter(|item| set >> item & 1 == 1).collect()
}
