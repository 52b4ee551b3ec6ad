//! What the error-computing layer and the optimiser do with numbers, and what the top layer must remember.
//!
//! Static evidence is a run of their own source text on numbers that remember what they were made of and how.
//! Interventional evidence is the real step on embeddings that are set to what tells most: pairs that are all too near,
//! all too far, and all much alike. The errors of both must be the same; so must what they say of which remembered item
//! reaches which error.

use super::bench::Bench;
use super::finding::{Kind, Method, Part, Remembered};
use super::flow::{Flow, folds, in_words};
use super::judge::{Draft, Drafts, part_of};
use crate::lint::Lint;
use crate::locality::{Place, View};
use crate::loss::{Criterion, Embeddings, Errors, Labels, StoredView, Workspace};
use crate::network::UnitId;
use crate::number::{Operation, Operations, Sources, Traced};
use crate::rng::{Rng, Stream};
use crate::schedule::Step;
use crate::shape::Shape;
use crate::simulation::{Batch, Experiment, Simulation};

/// Items of the batches that are traced: enough to tell a few stored ones from all.
const TRACED: usize = 12;

/// What was found of arithmetic in a run.
#[derive(Debug, Default)]
pub(super) struct Calculated {
    pub disagreements: Vec<String>,
    pub probes: usize,
}

/// Reads the arithmetic of a stage's losses and optimisers.
pub(super) fn read(
    experiment: &Experiment,
    loss: &dyn Criterion,
    flow: &Flow<'_>,
    limit: usize,
    drafts: &mut Drafts,
) -> Vec<Remembered> {
    let mut memories = Vec::new();
    let (network, learning) = (flow.network, experiment.learning());
    let classes: Vec<u8> = (0..TRACED).map(|item| item as u8 % 2).collect();
    for (index, &step) in flow.steps.iter().enumerate() {
        let Step::Compare { unit, .. } = step else { continue };
        let part = part_of(step, network);
        let shape = network.unit(unit).shape;
        let mut done = Operations::default();
        let mut labels = false;
        for set in Set::all(loss, shape, TRACED, &classes) {
            for error in set.trace(loss) {
                done |= error.operations();
                labels |= error.sources().labels;
            }
        }
        let error = Place::Error(unit, View::Current);
        let reach = flow.reach(index + 1, error, &|_| false);
        for operation in done.iter() {
            let message = format!("errors are made by {}", with_article(operation));
            let text = "found in the arithmetic of the loss, run on numbers that remember what was done to them";
            let draft = Draft::new(lint_of(operation), part.clone(), message).reaching(reach.updates.clone());
            drafts.add(draft.known(Method::Static, text));
        }
        if labels {
            let text = "errors that were traced through the arithmetic of the loss bear the mark of labels";
            let message = format!("labels reach the errors of {}", network.unit(unit).name);
            let draft = Draft::new(Lint::Labels, part.clone(), message).reaching(reach.updates.clone());
            drafts.add(draft.known(Method::Static, text));
        }
        let remembered = remember(loss, &network.unit(unit).name, experiment.training().pairs);
        memory(&remembered, limit, part, &reach.updates, drafts);
        memories.push(remembered);
    }
    for step in &flow.steps {
        let (name, optimizer) = match step {
            Step::Apply(_) => (learning.optimizer.name().to_string(), learning.optimizer),
            Step::ApplyInverse(_) => {
                let own = learning.targets().inverse_optimizer;
                (inverse_optimizer_name(own.name()), own)
            }
            _ => continue,
        };
        for operation in optimizer.trace().iter() {
            let message = format!("each weight's update goes through {}", with_article(operation));
            let text = "found in the optimiser's arithmetic, run on numbers that remember what was done to them";
            let part = Part { kind: Kind::Optimizer, name: name.clone() };
            let draft = Draft::new(lint_of(operation), part, message).reaching(folds(*step));
            drafts.add(draft.known(Method::Static, text));
        }
    }
    memories
}

/// The name under which the optimiser of inverses is judged.
pub(super) fn inverse_optimizer_name(name: &str) -> String {
    format!("{name} of inverses")
}

/// Runs the comparisons and optimisers of a stage on set values, in `simulation`.
pub(super) fn run(bench: &Bench<'_>, flow: &Flow<'_>, simulation: &mut Simulation, drafts: &mut Drafts) -> Calculated {
    let mut found = Calculated::default();
    for &step in &flow.steps {
        match step {
            Step::Compare { unit, memory, stored } => {
                let part = part_of(step, flow.network);
                compare(bench, flow, simulation, (step, unit, memory, stored), &part, drafts, &mut found);
            }
            Step::Apply(_) | Step::ApplyInverse(_) => fold(bench, flow, simulation, step, drafts, &mut found),
            _ => {}
        }
    }
    found
}

/// The real comparison against the traced one.
fn compare(
    bench: &Bench<'_>,
    flow: &Flow<'_>,
    simulation: &mut Simulation,
    (step, unit, memory, stored): (Step, UnitId, UnitId, StoredView),
    part: &Part,
    drafts: &mut Drafts,
    found: &mut Calculated,
) {
    let (network, loss) = (flow.network, bench.loss());
    let shape = network.unit(unit).shape;
    let items = bench.pairs.min(Traced::ITEMS);
    let (mut smooth, mut compared) = (0, 0);
    let mut moved = vec![[0u32; 2]; items];
    let mut traced = vec![[0u32; 2]; items];
    for set in Set::all(loss, shape, items, bench.labels()) {
        let mut take = |set: &Set<'_>| {
            let state = simulation.state_mut();
            state.put(Place::Activity(unit, View::Current), &set.current);
            if stored != StoredView::Absent {
                state.put(Place::Memory(memory), &set.stored);
            }
            bench.take(simulation, Batch { labels: bench.labels(), ..bench.batch() }, step);
            simulation.state_mut().look(Place::Error(unit, View::Current))
        };
        let errors = take(&set);
        let expected = set.trace(loss);
        let largest = expected.iter().fold(1e-6f64, |most, error| most.max(error.value().abs()));
        let gap = errors.iter().zip(&expected).map(|(real, traced)| (f64::from(*real) - traced.value()).abs());
        let gap = gap.fold(0.0f64, |most, gap| if gap > most || gap.is_nan() { gap } else { most });
        // A threshold that is met to rounding may fall on either side.
        let far = errors.iter().zip(&expected).filter(|(real, traced)| {
            let gap = (f64::from(**real) - traced.value()).abs();
            gap.is_nan() || gap > 1e-3 * largest
        });
        let far = far.count();
        if far * 50 > errors.len() {
            let message = "the errors that it makes are not those of its loss";
            let text = format!("{far} of {} errors are off by up to {gap:.3e}, largest {largest:.3e}", errors.len());
            found.disagreements.push(format!("{}: {message}: {text}", part.name));
            let draft = Draft::new(Lint::UndeclaredAccess, part.clone(), message);
            drafts.add(draft.known(Method::Interventional, text));
        }
        let size = shape.len();
        for (item, of_item) in expected.chunks(size).enumerate() {
            let sources = of_item.iter().fold(Sources::default(), |all, error| all | error.sources());
            traced[item][0] |= sources.stored;
            traced[item][1] |= sources.current;
        }
        for item in 0..items {
            for side in 0..2 {
                if side == 0 && stored == StoredView::Absent {
                    continue;
                }
                let mut other = set.clone();
                other.replace(item, side);
                let after = take(&other);
                found.probes += 1;
                for (index, (of_item, was)) in after.chunks(size).zip(errors.chunks(size)).enumerate() {
                    if of_item.iter().zip(was).any(|(one, other)| one.to_bits() != other.to_bits()) {
                        moved[index][side] |= 1 << item;
                    }
                }
            }
        }
        let mut near = set.clone();
        near.nudge();
        let after = take(&near);
        smooth += after.iter().zip(&errors).filter(|(one, other)| one.to_bits() != other.to_bits()).count();
        compared += errors.len();
    }
    let name = &network.unit(unit).name;
    for (index, (moved, traced)) in moved.iter().zip(&traced).enumerate() {
        for (side, what) in ["stored", "current"].into_iter().enumerate() {
            if moved[side] & !traced[side] != 0 {
                found.disagreements.push(format!(
                    "{name}: the error of item {index} moves with {what} embeddings that its arithmetic does not touch"
                ));
                let message = format!(
                    "the error of one item depends on {what} embeddings of others that its loss does not touch"
                );
                let text = format!("item {index} moves with items {:?}", bits(moved[side] & !traced[side]));
                let draft = Draft::new(Lint::OtherItems, part.clone(), message);
                drafts.add(draft.known(Method::Interventional, text));
            }
            if traced[side] & !moved[side] != 0 {
                found.disagreements.push(format!(
                    "{name}: by its arithmetic the error of item {index} depends on {what} embeddings {:?}, but does not \
                     move with them",
                    bits(traced[side] & !moved[side])
                ));
            }
        }
    }
    let share = 100.0 * smooth as f64 / compared.max(1) as f64;
    let text =
        format!("errors are not switched but move smoothly: {share:.0} % of them when embeddings move by a thousandth");
    if share > 50.0 {
        for operation in Operation::ALL {
            drafts.support(lint_of(operation), part, Method::Interventional, text.clone());
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
    found: &mut Calculated,
) {
    let Some(update) = folds(step) else { return };
    let learning = bench.learning();
    let (moments, name, trace) = match update {
        Place::Change(id) => (Place::Moments(id), learning.optimizer.name().to_string(), learning.optimizer.trace()),
        Place::FeedbackChange(id) => {
            let own = learning.targets().inverse_optimizer;
            (Place::FeedbackMoments(id), inverse_optimizer_name(own.name()), own.trace())
        }
        _ => return,
    };
    let before = simulation.state_mut().save(moments);
    let size = simulation.state_mut().look(update).len();
    if size == 0 {
        return;
    }
    let mut rng = Stream::new(1).named("optimiser").rng();
    let change: Vec<f32> = (0..size).map(|_| rng.between(-1.0, 1.0)).collect();
    let zeros = vec![0.0; simulation.state_mut().look(moments).len()];
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
    let proportional = once.iter().zip(&twice).all(|(once, twice)| (2.0 * once - twice).abs() <= 1e-5 * twice.abs());
    let part = Part { kind: Kind::Optimizer, name };
    if proportional != trace.is_empty() {
        let how = if proportional { "is proportional to the change" } else { "is not proportional to the change" };
        let known = if trace.is_empty() { "nothing that could bend it" } else { "what should bend it" };
        found.disagreements.push(format!(
            "the update made of the {} {how}, but its arithmetic has {known}",
            in_words(update, flow.network)
        ));
    }
    if !proportional {
        let length = |values: &[f32]| values.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        let text =
            format!("twice the change makes an update {:.2} times as long, not twice", length(&twice) / length(&once));
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

/// Embeddings of a batch that are set, not computed.
#[derive(Debug, Clone)]
struct Set<'a> {
    shape: Shape,
    stored: Vec<f32>,
    current: Vec<f32>,
    labels: &'a [u8],
    scale: f32,
    rng: Rng,
}

impl<'a> Set<'a> {
    /// Pairs that are all too near for a loss, all too far, and all much alike.
    fn all(loss: &dyn Criterion, shape: Shape, items: usize, labels: &'a [u8]) -> Vec<Set<'a>> {
        let margin = loss.margins().map_or(1.0, |(_, negative)| negative);
        let units = shape.len() as f32;
        let scales = [(0.0, 0.5 * margin / units), (0.0, 10.0 * margin.max(1.0)), (1.0, 0.2)];
        let mut sets = Vec::new();
        for (nth, (common, scale)) in scales.into_iter().enumerate() {
            let mut rng = Stream::new(11).named("embeddings").at(nth as u64).rng();
            let shared: Vec<f32> = (0..shape.len()).map(|_| common * rng.between(-1.0, 1.0)).collect();
            let mut rows = || -> Vec<f32> {
                (0..items * shape.len())
                    .map(|index| shared[index % shape.len()] + scale * rng.between(-1.0, 1.0))
                    .collect()
            };
            let (stored, current) = (rows(), rows());
            sets.push(Set { shape, stored, current, labels, scale, rng });
        }
        sets
    }

    /// Gives an item another embedding in one of the views, as far from what it was as it is from others.
    fn replace(&mut self, item: usize, side: usize) {
        let Set { shape, stored, current, scale, rng, .. } = self;
        let size = shape.len();
        let rows = if side == 0 { stored } else { current };
        for value in &mut rows[item * size..][..size] {
            *value = -*value + *scale * rng.between(-1.0, 1.0);
        }
    }

    /// Moves every embedding by a thousandth.
    fn nudge(&mut self) {
        let rng = &mut self.rng;
        self.stored.iter_mut().chain(&mut self.current).for_each(|value| *value *= 1.0 + 1e-3 * rng.between(-1.0, 1.0));
    }

    /// The errors of the current view in numbers that remember.
    fn trace(&self, loss: &dyn Criterion) -> Vec<Traced> {
        let size = self.shape.len();
        let rows = |values: &[f32], make: fn(usize, f32) -> Traced| -> Vec<Traced> {
            values.iter().enumerate().map(|(index, value)| make(index / size, *value)).collect()
        };
        let (stored, current) = (rows(&self.stored, Traced::stored), rows(&self.current, Traced::current));
        let learns = loss.stored_view() == StoredView::Learns;
        let absent = loss.stored_view() == StoredView::Absent;
        let mut of_stored = vec![Traced::default(); if learns { stored.len() } else { 0 }];
        let mut errors = vec![Traced::default(); current.len()];
        let labels: Labels<'_> = match loss.is_supervised() {
            true => self.labels[..current.len() / size].into(),
            false => Labels::default(),
        };
        let seen =
            Embeddings { shape: self.shape, stored: if absent { &[] } else { &stored }, current: &current, labels };
        loss.trace(seen, Errors { stored: learns.then_some(of_stored.as_mut_slice()), current: &mut errors });
        errors
    }
}

/// What a head must remember to compute the error of one item, in batches of `pairs`.
fn remember(loss: &dyn Criterion, head: &str, pairs: usize) -> Remembered {
    let head = head.to_string();
    if loss.stored_view() == StoredView::Absent {
        return Remembered { head, items: 0, back: 0, ahead: 0 };
    }
    let items = Traced::ITEMS.min(pairs);
    let shape = Shape::new(16, 1, 1);
    let mut needed = vec![0u32; items];
    for set in Set::all(loss, shape, items, &[]) {
        for (item, of_item) in set.trace(loss).chunks(shape.len()).enumerate() {
            needed[item] |= of_item.iter().fold(0, |all, error| all | error.sources().stored);
        }
    }
    let most = needed.iter().map(|stored| stored.count_ones() as usize).max().unwrap_or(0);
    if most == items && items < pairs {
        return measure(loss, head, pairs);
    }
    let reach = |item: usize, stored: u32| -> (usize, usize) {
        let (first, last) = (stored.trailing_zeros() as usize, 31 - stored.leading_zeros() as usize);
        (item.saturating_sub(first), last.saturating_sub(item))
    };
    let reaches: Vec<(usize, usize)> = needed
        .iter()
        .enumerate()
        .filter(|(_, stored)| **stored != 0)
        .map(|(item, stored)| reach(item, *stored))
        .collect();
    let back = reaches.iter().map(|reach| reach.0).max().unwrap_or(0);
    let ahead = reaches.iter().map(|reach| reach.1).max().unwrap_or(0);
    Remembered { head, items: most, back, ahead }
}

/// The same where more items are needed than can be traced: embeddings of a whole batch are replaced, from one end and
/// from the other, until the error of the item in the middle moves.
fn measure(loss: &dyn Criterion, head: String, pairs: usize) -> Remembered {
    let shape = Shape::new(16, 1, 1);
    let (size, middle) = (shape.len(), pairs / 2);
    let sets = Set::all(loss, shape, pairs, &[]);
    let errors = |set: &Set<'_>| -> Vec<f32> {
        let learns = loss.stored_view() == StoredView::Learns;
        let mut of_stored = vec![0.0; if learns { set.stored.len() } else { 0 }];
        let mut errors = vec![0.0; set.current.len()];
        let seen = Embeddings { shape, stored: &set.stored, current: &set.current, labels: Labels::default() };
        let told = Errors { stored: learns.then_some(of_stored.as_mut_slice()), current: &mut errors };
        loss.compare(seen, told, &mut Workspace::default());
        errors[middle * size..][..size].to_vec()
    };
    // How many items from an end can be replaced before the error moves.
    let free = |from_end: bool| -> usize {
        let moves = |count: usize| {
            sets.iter().any(|set| {
                let mut other = set.clone();
                for item in 0..count {
                    other.replace(if from_end { pairs - 1 - item } else { item }, 0);
                }
                errors(&other) != errors(set)
            })
        };
        let (mut low, mut high) = (0, pairs / 2);
        while low < high {
            let count = (low + high).div_ceil(2);
            if moves(count) { high = count - 1 } else { low = count }
        }
        low
    };
    let back = middle - free(false);
    let ahead = pairs - 1 - middle - free(true).min(pairs - 1 - middle);
    // The item in the middle has as many on each side as there are; the last one has them all behind it.
    if ahead > 0 {
        return Remembered { head, items: pairs, back: pairs - 1, ahead: pairs - 1 };
    }
    let back = if back == middle { pairs - 1 } else { back };
    Remembered { head, items: back + 1, back, ahead }
}

/// What is wrong with what a head must remember.
fn memory(
    remembered: &Remembered,
    limit: usize,
    part: Part,
    reached: &std::collections::BTreeSet<Place>,
    drafts: &mut Drafts,
) {
    let Remembered { items, back, ahead, .. } = *remembered;
    if items > limit || back > limit {
        let message =
            format!("must remember {items} embeddings, the oldest of them for {back} images: more than {limit}");
        let text = "counted in the sources of errors, by the arithmetic of the loss";
        let draft = Draft::new(Lint::Memory, part.clone(), message).reaching(reached.iter().copied());
        drafts.add(draft.known(Method::Static, text));
    }
    if ahead > 0 {
        let message = format!("compares with embeddings of images that are shown up to {ahead} images later");
        let text = "found in the sources of errors, by the arithmetic of the loss";
        let draft = Draft::new(Lint::FutureRead, part, message).reaching(reached.iter().copied());
        drafts.add(draft.known(Method::Static, text));
    }
}

fn lint_of(operation: Operation) -> Lint {
    match operation {
        Operation::Division => Lint::Division,
        Operation::SquareRoot => Lint::SquareRoot,
        Operation::Exponential => Lint::Exponential,
        Operation::InnerProduct => Lint::InnerProduct,
        Operation::Normalisation => Lint::Normalisation,
        Operation::BatchStatistics => Lint::BatchStatistics,
    }
}

fn with_article(operation: Operation) -> &'static str {
    match operation {
        Operation::Division => "a division",
        Operation::SquareRoot => "a square root",
        Operation::Exponential => "an exponential or logarithm",
        Operation::InnerProduct => "an inner product of embeddings",
        Operation::Normalisation => "a normalisation",
        Operation::BatchStatistics => "statistics over the batch",
    }
}

/// The items of a set.
fn bits(set: u32) -> Vec<usize> {
    (0..32).filter(|item| set >> item & 1 == 1).collect()
}
