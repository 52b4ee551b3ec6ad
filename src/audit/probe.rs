//! Interventional evidence inside a population: one item of the batch, one neuron or one weight is disturbed in what a
//! step reads, and only what belongs to it may move in what the step writes.

use std::collections::BTreeSet;

use super::bench::Bench;
use super::flow::{Flow, in_words, step_in_words};
use crate::lint::Lint;
use crate::locality::{Place, View};
use crate::network::{LinearMap, Network, ProjectionId, UnitId};
use crate::schedule::Step;
use crate::shape::Shape;
use crate::simulation::{Batch, Simulation};

/// A step in which one thing moved that belongs to another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Leak {
    pub step: Step,
    /// Under which name that is found.
    pub lint: Lint,
    /// What was disturbed, what moved, and by how much.
    pub text: String,
}

/// What probing a step found.
#[derive(Debug, Default)]
pub(super) struct Leaks {
    pub found: Vec<Leak>,
    pub probes: usize,
}

/// The state that is disturbed.
struct Hands<'a> {
    simulation: &'a mut Simulation,
    /// Makes it see again what the step reads.
    lend: &'a mut dyn FnMut(&mut Simulation),
    leaks: &'a mut Leaks,
}

/// A step that is probed.
pub(super) struct Probe<'a> {
    pub bench: &'a Bench<'a>,
    pub flow: &'a Flow<'a>,
    pub step: Step,
    pub reads: &'a BTreeSet<Place>,
    pub batch: Batch<'a>,
    /// What the step writes when nothing is disturbed.
    pub expected: &'a [(Place, Vec<f32>)],
}

/// Which values of a written place may move.
type Allowed<'a> = &'a dyn Fn(Place, usize) -> bool;

impl Probe<'_> {
    /// Disturbs `simulation`, which sees what the step reads; `lend` makes it see that again.
    pub(super) fn run(&self, simulation: &mut Simulation, lend: &mut dyn FnMut(&mut Simulation)) -> Leaks {
        let mut leaks = Leaks::default();
        let hands = &mut Hands { simulation, lend, leaks: &mut leaks };
        let network = self.flow.network;
        match self.step {
            Step::Compare { .. } | Step::Store(_) => {}
            Step::Learn(id, view, _) => {
                self.synapses(hands, id, view);
                let ends = network.projection(id);
                self.others(hands, ends.from, Place::Packet(ends.to, view));
            }
            Step::LearnInverse(id, _) => {
                self.others(hands, network.answer(id).from, Place::Reconstruction(id));
            }
            Step::Apply(id) => self.weight(hands, Place::Change(id)),
            Step::ApplyInverse(id) => self.weight(hands, Place::FeedbackChange(id)),
            Step::Drive(id, view, _) => {
                self.item(hands);
                let ends = network.projection(id);
                let (from, to) = (Place::Activity(ends.from, view), Place::Drive(ends.to, view));
                self.doubles(hands, from, to);
            }
            Step::Carry(id, view, _) => {
                self.item(hands);
                let ends = network.answer(id);
                let (from, to) = (Place::Packet(ends.from, view), Place::Error(ends.to, view));
                self.doubles(hands, from, to);
            }
            Step::Fire(unit, view) => {
                self.item(hands);
                let drive = network.unit(unit).drive;
                self.neuron(hands, (Place::Drive(unit, view), drive), unit, Lint::Normalisation);
            }
            Step::Gate(unit, view) => {
                self.item(hands);
                let shape = network.unit(unit).shape;
                for place in [Place::Error(unit, view), Place::Activity(unit, view)] {
                    self.neuron(hands, (place, shape), unit, Lint::NonLocalRead);
                }
            }
            _ => self.item(hands),
        }
        leaks
    }

    /// One item of everything that has items.
    fn item(&self, hands: &mut Hands<'_>) {
        let pairs = self.bench.pairs;
        let item = pairs / 2;
        let mut images = [self.batch.stored.to_vec(), self.batch.current.to_vec()];
        let size = images[0].len() / pairs;
        images.iter_mut().for_each(|images| disturb(&mut images[item * size..][..size]));
        let batch = Batch { stored: &images[0], current: &images[1], ..self.batch };
        let itemised = |place: &Place| {
            matches!(
                place,
                Place::Activity(..)
                    | Place::Drive(..)
                    | Place::Error(..)
                    | Place::Packet(..)
                    | Place::Memory(_)
                    | Place::Reconstruction(_)
            )
        };
        let change = |simulation: &mut Simulation| {
            for &place in self.reads.iter().filter(|place| itemised(place)) {
                let mut values = simulation.state_mut().look(place);
                let size = values.len() / pairs;
                disturb(&mut values[item * size..][..size]);
                simulation.state_mut().put(place, &values);
            }
        };
        let own = |place: Place, index: usize| {
            let values = self.expected.iter().find(|(other, _)| *other == place).map_or(1, |(_, values)| values.len());
            index / (values / pairs).max(1) == item
        };
        let statistics = matches!(self.step, Step::Fire(..) | Step::Drive(..) | Step::Present(..));
        let lint = if statistics { Lint::BatchStatistics } else { Lint::OtherItems };
        let what = format!("item {item} of the batch");
        self.moves(hands, batch, &change, &own, (lint, &what, "other items"));
    }

    /// One neuron of `place`, which has `shape`; `unit` is the population that writes.
    fn neuron(&self, hands: &mut Hands<'_>, (place, shape): (Place, Shape), unit: UnitId, lint: Lint) {
        let Some(&kept) = self.reads.iter().find(|other| same(**other, place)) else { return };
        let neuron = shape.len() / 2;
        let described = self.flow.network.unit(unit);
        let (channel, row, column) = split(shape, neuron);
        let side = described.pool.size();
        let change = |simulation: &mut Simulation| {
            let mut values = simulation.state_mut().look(kept);
            disturb(&mut values[neuron..][..1]);
            simulation.state_mut().put(kept, &values);
        };
        let pooled = shape == described.drive && matches!(self.step, Step::Fire(..));
        let own = |written: Place, index: usize| {
            let written = match written {
                Place::Packet(..) => described.drive,
                _ => described.shape,
            };
            let (item, (c, y, x)) = (index / written.len(), split(written, index % written.len()));
            let near =
                if pooled { (y, x) == (row / side, column / side) } else { (y / side, x / side) == (row, column) };
            item == 0 && c == channel && near
        };
        let what = format!("one neuron's {}", in_words(place, self.flow.network));
        self.moves(hands, self.batch, &change, &own, (lint, &what, "other neurons"));
    }

    /// One presynaptic and one postsynaptic neuron of a projection that learns.
    fn synapses(&self, hands: &mut Hands<'_>, id: ProjectionId, view: View) {
        let network = self.flow.network;
        let ends = network.projection(id);
        let sides = [
            (Place::Activity(ends.from, view), network.unit(ends.from).shape, true),
            (Place::Packet(ends.to, view), network.unit(ends.to).drive, false),
        ];
        for (place, shape, is_pre) in sides {
            let Some(&kept) = self.reads.iter().find(|other| same(**other, place)) else { continue };
            let neuron = shape.len() / 2;
            let change = |simulation: &mut Simulation| {
                let mut values = simulation.state_mut().look(kept);
                disturb(&mut values[neuron..][..1]);
                simulation.state_mut().put(kept, &values);
            };
            let own = |_: Place, index: usize| belongs(network, id, index, shape, neuron, is_pre);
            let what = format!("one neuron's {}", in_words(place, network));
            let other = if is_pre { "synapses that do not come from it" } else { "synapses that do not end in it" };
            self.moves(hands, self.batch, &change, &own, (Lint::NonLocalRead, &what, other));
        }
    }

    /// Synapses that hear the errors of one item alone: what they make of it is no matter of what others show.
    fn others(&self, hands: &mut Hands<'_>, pre: UnitId, errors: Place) {
        let named = |place: Place| self.reads.iter().copied().find(|other| same(*other, place));
        let activity =
            self.reads.iter().copied().find(|place| matches!(place, Place::Activity(unit, _) if *unit == pre));
        let (Some(errors), Some(activity)) = (named(errors), activity) else { return };
        let item = self.bench.pairs / 2;
        let mut alone = |disturbs: bool| {
            (hands.lend)(hands.simulation);
            let state = hands.simulation.state_mut();
            let mut told = state.look(errors);
            outside(&mut told, self.bench.pairs, item, |error| *error = 0.0);
            state.put(errors, &told);
            if disturbs {
                let mut shown = state.look(activity);
                outside(&mut shown, self.bench.pairs, item, |value| *value = 0.75 - 0.5 * *value);
                state.put(activity, &shown);
            }
            self.bench.take(hands.simulation, self.batch, self.step);
            self.expected.iter().map(|(place, _)| hands.simulation.state_mut().look(*place)).collect::<Vec<_>>()
        };
        let (before, after) = (alone(false), alone(true));
        hands.leaks.probes += 1;
        let moved = before.iter().flatten().zip(after.iter().flatten());
        let count = moved.filter(|(one, other)| one.to_bits() != other.to_bits()).count();
        if count > 0 {
            let text = format!(
                "with errors for item {item} alone, disturbing what other items show before `{}` moves {count} values",
                step_in_words(self.step, self.flow.network)
            );
            hands.leaks.found.push(Leak { step: self.step, lint: Lint::OtherItems, text });
        }
    }

    /// Weights that are driven, or carry, in proportion: twice the signal makes twice what it made.
    fn doubles(&self, hands: &mut Hands<'_>, from: Place, to: Place) {
        let Some(from) = self.reads.iter().copied().find(|other| same(*other, from)) else { return };
        let mut written = self.expected.iter().map(|(place, _)| *place);
        let Some(to) = written.find(|other| same(*other, to)) else { return };
        let mut made = |factor: f32| {
            (hands.lend)(hands.simulation);
            let state = hands.simulation.state_mut();
            let signal: Vec<f32> = state.look(from).iter().map(|value| factor * value).collect();
            state.put(from, &signal);
            self.bench.take(hands.simulation, self.batch, self.step);
            hands.simulation.state_mut().look(to)
        };
        // What is there without a signal: biases, and what was summed before.
        let (none, once, twice) = (made(0.0), made(1.0), made(2.0));
        hands.leaks.probes += 1;
        let sizes = once.iter().chain(&twice).map(|value| value.abs());
        let largest = sizes.fold(1e-6f32, f32::max);
        let bent = none.iter().zip(&once).zip(&twice).filter(|((none, once), twice)| {
            let gap = (2.0 * (*once - *none) - (*twice - *none)).abs();
            gap.is_nan() || gap > 1e-4 * largest
        });
        let count = bent.count();
        if count > 0 {
            let network = self.flow.network;
            let text = format!(
                "twice the {} does not make twice what `{}` makes: {count} of {} values",
                in_words(from, network),
                step_in_words(self.step, network),
                once.len()
            );
            hands.leaks.found.push(Leak { step: self.step, lint: Lint::Normalisation, text });
        }
    }

    /// One weight's change.
    fn weight(&self, hands: &mut Hands<'_>, place: Place) {
        let Some((_, update)) = self.expected.iter().find(|(other, _)| *other == place) else { return };
        let weight = update.len() / 2;
        let change = |simulation: &mut Simulation| {
            let mut values = simulation.state_mut().look(place);
            disturb(&mut values[weight..][..1]);
            simulation.state_mut().put(place, &values);
        };
        let own = |written: Place, index: usize| match written {
            // Several averages of as many weights.
            Place::Moments(_) | Place::FeedbackMoments(_) => index % update.len() == weight,
            _ => index == weight,
        };
        self.moves(hands, self.batch, &change, &own, (Lint::NonLocalRead, "the change of one weight", "other weights"));
    }

    /// Whether anything moves that may not, after `change`.
    fn moves(
        &self,
        hands: &mut Hands<'_>,
        batch: Batch<'_>,
        change: &dyn Fn(&mut Simulation),
        own: Allowed<'_>,
        (lint, what, others): (Lint, &str, &str),
    ) {
        (hands.lend)(hands.simulation);
        change(hands.simulation);
        self.bench.take(hands.simulation, batch, self.step);
        hands.leaks.probes += 1;
        for (place, values) in self.expected {
            let seen = hands.simulation.state_mut().look(*place);
            let moved = seen.iter().zip(values).enumerate();
            let moved = moved.filter(|(index, (one, other))| one.to_bits() != other.to_bits() && !own(*place, *index));
            let count = moved.count();
            if count > 0 {
                let network = self.flow.network;
                let text = format!(
                    "disturbing {what} before `{}` moves {count} values of the {} that belong to {others}",
                    step_in_words(self.step, network),
                    in_words(*place, network)
                );
                hands.leaks.found.push(Leak { step: self.step, lint, text });
                return;
            }
        }
    }
}

/// Whether two places are one but for the view, which may share memory.
fn same(one: Place, other: Place) -> bool {
    match (one, other) {
        (Place::Drive(one, _), Place::Drive(other, _)) => one == other,
        (Place::Activity(one, a), Place::Activity(other, b))
        | (Place::Error(one, a), Place::Error(other, b))
        | (Place::Packet(one, a), Place::Packet(other, b)) => one == other && (a == View::Probe) == (b == View::Probe),
        _ => one == other,
    }
}

/// Changes the values of all items but one.
fn outside(values: &mut [f32], pairs: usize, item: usize, change: impl Fn(&mut f32)) {
    let size = (values.len() / pairs).max(1);
    let others = values.chunks_mut(size).enumerate().filter(|(index, _)| *index != item);
    others.flat_map(|(_, values)| values).for_each(change);
}

/// Makes values other than they are.
fn disturb(values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value = 0.75 - 0.5 * *value);
}

/// Channel, row and column of a neuron.
fn split(shape: Shape, index: usize) -> (usize, usize, usize) {
    let pixels = shape.height * shape.width;
    (index / pixels, index % pixels / shape.width, index % shape.width)
}

/// Whether a weight, or a bias behind the weights, belongs to a neuron of the pre- or postsynaptic unit. Weights that are
/// shared over space belong to all neurons of a map.
fn belongs(network: &Network, id: ProjectionId, index: usize, shape: Shape, neuron: usize, is_pre: bool) -> bool {
    let ends = network.projection(id);
    let pre = network.unit(ends.from).shape;
    let dims = ends.map.weight_dims(pre);
    let weights: usize = dims.iter().product();
    let (channel, row, column) = split(shape, neuron);
    if index >= weights {
        let bias = index - weights;
        return match ends.map {
            _ if is_pre => false,
            LinearMap::Local { .. } => bias == (row * shape.width + column) * shape.channels + channel,
            LinearMap::Dense { .. } => bias == neuron,
            _ => bias == channel,
        };
    }
    let place = |axis: usize| index / dims[axis + 1..].iter().product::<usize>() % dims[axis];
    match ends.map {
        LinearMap::Dense { .. } => place(if is_pre { 1 } else { 0 }) == neuron,
        LinearMap::Conv { .. } => place(if is_pre { 1 } else { 0 }) == channel,
        LinearMap::TransposedConv { .. } => place(if is_pre { 0 } else { 1 }) == channel,
        LinearMap::Local { .. } if is_pre => place(4) == channel,
        LinearMap::Local { .. } => (place(0), place(1), place(5)) == (row, column, channel),
        LinearMap::OneToOne => false,
    }
}
