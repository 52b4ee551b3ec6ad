//! What can be read off the plan and the circuit: who offends against the law, who must wait for whom, how long
//! activities are kept, which weights serve many places.

use std::collections::BTreeSet;

use super::finding::{Kind, Method, Part};
use super::flow::{Flow, in_words, step_in_words};
use super::judge::{Draft, Drafts, part_of};
use super::law;
use crate::kernels::Transfer;
use crate::lint::Lint;
use crate::locality::{Place, View};
use crate::network::{Init, LinearMap, Network, ProjectionId, UnitId, Wiring};
use crate::schedule::Step;
use crate::simulation::Learning;

/// All that a plan and its circuit tell without a run.
pub(super) fn read(flow: &Flow<'_>, learning: &Learning, pairs: usize, drafts: &mut Drafts) {
    offences(flow, drafts);
    views(flow, drafts);
    waits(flow, drafts);
    phases(flow, drafts);
    sums(flow, learning, pairs, drafts);
    sharing(flow, drafts);
    tops(flow, drafts);
    transfers(flow, drafts);
    copies(flow, drafts);
}

/// Feedback that is drawn as a copy of the forward weights.
fn copies(flow: &Flow<'_>, drafts: &mut Drafts) {
    let network = flow.network;
    for (index, step) in flow.steps.iter().enumerate() {
        let Step::Carry(id, ..) = *step else { continue };
        let ends = network.answer(id);
        if ends.init == Init::Symmetric && ends.wiring != Wiring::Transported && ends.map.has_weights() {
            let partner = &network.projection(ends.partner).name;
            let then = if ends.wiring == Wiring::Fixed { "" } else { ", and takes the same updates" };
            let message = format!("starts as the forward weights of {partner}{then}");
            let reaches = flow.reach(index, Place::FeedbackWeights(id), &|_| false).updates;
            let draft = Draft::new(Lint::SymmetricFeedback, part_of(*step, network), message).reaching(reaches);
            drafts.add(draft.known(Method::Static, "its first weights are init: Symmetric"));
        }
    }
}

/// Steps that declare what the law forbids.
fn offences(flow: &Flow<'_>, drafts: &mut Drafts) {
    let network = flow.network;
    for (index, (&step, declared)) in flow.steps.iter().zip(&flow.declared).enumerate() {
        for offence in law::offences(step, declared, network) {
            let place = in_words(offence.place, network);
            let said = step_in_words(step, network);
            let message = match (offence.lint, step) {
                (Lint::WeightTransport, Step::Carry(id, ..)) => {
                    let ends = network.answer(id);
                    let (upper, lower) = (&network.unit(ends.from).name, &network.unit(ends.to).name);
                    let partner = &network.projection(ends.partner).name;
                    format!("errors of {upper} reach {lower} through the forward weights of {partner}")
                }
                (Lint::Labels, _) => format!("`{said}` reads labels"),
                (Lint::FutureRead, _) => format!("`{said}` reads the {place}, which is shown later"),
                _ if offence.writes => format!("`{said}` writes the {place}, which are not its own to change"),
                _ => format!("`{said}` reads the {place}, which is at neither of its ends"),
            };
            // From what the step makes of it, on to the updates.
            let mut reaches: BTreeSet<Place> = BTreeSet::new();
            let mut path = vec![index];
            let made = flow.access[index].writes.iter().filter(|_| !offence.writes);
            for &made in made.chain(offence.writes.then_some(&offence.place)) {
                let reach = flow.reach(index + 1, made, &|_| false);
                for &update in &reach.updates {
                    let way = reach.path(update);
                    if way.len() + 1 > path.len() {
                        path = [index].into_iter().chain(way).collect();
                    }
                }
                reaches.extend(reach.updates);
            }
            if let Step::Apply(id) = step {
                reaches.insert(Place::Change(id));
            }
            let verb = if offence.writes { "writes" } else { "reads" };
            let evidence = format!("step {} of the plan of {}, `{said}`, {verb} the {place}", index + 1, flow.stage);
            let draft = Draft::new(offence.lint, part_of(step, network), message)
                .along(path.iter().map(|&step| step_in_words(flow.steps[step], network)).collect())
                .reaching(reaches)
                .known(Method::Static, evidence);
            drafts.add(draft);
        }
    }
}

/// The head of a stage, as the part to which what concerns all of its synapses belongs.
pub(super) fn loss_part(flow: &Flow<'_>) -> Part {
    let compares = flow.steps.iter().find(|step| matches!(step, Step::Compare { .. }));
    match compares {
        Some(&step) => part_of(step, flow.network),
        None => Part { kind: Kind::Loss, name: flow.stage.clone() },
    }
}

/// Synapses that learn from the view that was shown before.
fn views(flow: &Flow<'_>, drafts: &mut Drafts) {
    let learns = |step: &Step| match *step {
        Step::Learn(id, View::Stored, _) => Some(Place::Change(id)),
        _ => None,
    };
    let both: BTreeSet<Place> = flow.steps.iter().filter_map(learns).collect();
    if !both.is_empty() {
        let message = "errors reach both views, so every unit must remember what it did one presentation ago until \
                       the errors of both have come";
        let evidence = format!("{} projections learn from the stored view once the current one is shown", both.len());
        drafts
            .add(Draft::new(Lint::BothViews, loss_part(flow), message).reaching(both).known(Method::Static, evidence));
    }
}

/// Synapses whose error passes through other blocks, or, where no blocks are declared, through other layers than their
/// own and a head.
fn waits(flow: &Flow<'_>, drafts: &mut Drafts) {
    let network = flow.network;
    let heads: BTreeSet<UnitId> = flow
        .steps
        .iter()
        .filter_map(|step| match *step {
            Step::Compare { unit, .. } => Some(unit),
            _ => None,
        })
        .collect();
    let block_of =
        |unit: UnitId| network.blocks().iter().position(|block| block.units.contains(&unit) || block.head == unit);
    for update in flow.updates() {
        let Place::Change(id) = update else { continue };
        let post = network.projection(id).to;
        let passed = flow.passed(update);
        let told: BTreeSet<UnitId> = passed
            .iter()
            .filter_map(|place| match *place {
                Place::Error(unit, _) | Place::Packet(unit, _) => Some(unit),
                _ => None,
            })
            .collect();
        let elsewhere = |unit: &UnitId| match (network.blocks().is_empty(), block_of(*unit), block_of(post)) {
            (false, Some(one), Some(other)) => one != other,
            _ => *unit != post && !heads.contains(unit),
        };
        let others: Vec<&str> =
            told.iter().filter(|unit| elsewhere(unit)).map(|&unit| network.unit(unit).name.as_str()).collect();
        if !others.is_empty() {
            let name = &network.projection(id).name;
            let message = format!("must wait until {} had their pass, upwards and back", others.join(", "));
            let way = flow.sources(update).into_iter().map(|(_, path)| path).max_by_key(Vec::len).unwrap_or_default();
            let path = way.iter().map(|&step| step_in_words(flow.steps[step], network)).collect();
            let part = Part { kind: Kind::Feedforward, name: name.clone() };
            let evidence = format!("the error that {name} learns from comes through {}", others.join(", "));
            drafts.add(
                Draft::new(Lint::UpdateLocking, part, message)
                    .along(path)
                    .reaching([update])
                    .known(Method::Static, evidence),
            );
        }
    }
}

/// Disturbances, which the network must not take for something that it perceives.
fn phases(flow: &Flow<'_>, drafts: &mut Drafts) {
    let network = flow.network;
    for step in &flow.steps {
        let Step::Reconstruct(id, _) = *step else { continue };
        let ends = network.answer(id);
        let lower = &network.unit(ends.to).name;
        let message = format!("learns while {lower} is disturbed by noise, when it perceives nothing");
        let reaches = flow.reach(flow.comparison(), Place::FeedbackWeights(id), &|_| false).updates;
        let evidence = "perception, disturbance and error are phases that follow each other in the plan";
        drafts.add(
            Draft::new(Lint::SeparatePhases, part_of(*step, network), message)
                .reaching(reaches)
                .reaching([Place::FeedbackChange(id)])
                .known(Method::Static, evidence),
        );
    }
}

fn sums(flow: &Flow<'_>, learning: &Learning, pairs: usize, drafts: &mut Drafts) {
    let message = format!("each weight takes one update for {pairs} pairs of views, the sum of what each asks for");
    let part = Part { kind: Kind::Optimizer, name: learning.optimizer.name().to_string() };
    let text = "every `learn` of the plan runs over the whole batch before `apply`";
    drafts.add(Draft::new(Lint::BatchSum, part, message).reaching(flow.updates()).known(Method::Static, text));
}

/// Weights that serve many places: those that learn, and those of feedback that carries.
fn sharing(flow: &Flow<'_>, drafts: &mut Drafts) {
    let network = flow.network;
    let carried = flow.steps.iter().filter_map(|step| match *step {
        Step::Carry(id, ..) if network.answer(id).wiring != Wiring::Transported => Some(Place::FeedbackWeights(id)),
        _ => None,
    });
    for place in flow.updates().into_iter().chain(carried) {
        let (part, map, pre) = match place {
            Place::Change(id) => {
                let ends = network.projection(id);
                let part = Part { kind: Kind::Feedforward, name: ends.name.clone() };
                (part, ends.map, network.unit(ends.from).shape)
            }
            Place::FeedbackChange(id) | Place::FeedbackWeights(id) => {
                let ends = network.answer(id);
                let part = Part { kind: Kind::Feedback, name: ends.name.clone() };
                let inverts = ends.wiring == Wiring::Inverse;
                (part, ends.map, network.unit(if inverts { ends.from } else { ends.to }).shape)
            }
            _ => continue,
        };
        let shared = matches!(map, LinearMap::Conv { .. } | LinearMap::TransposedConv { .. });
        let places = map.output(pre).map_or(1, |drive| match map {
            LinearMap::TransposedConv { .. } => pre.height * pre.width,
            _ => drive.height * drive.width,
        });
        if shared && places > 1 {
            let message = format!("each of its weights serves {places} places of a map");
            let update = Some(place).filter(|place| !matches!(place, Place::FeedbackWeights(_)));
            let text = format!("a weight of this map is one number for {places} synapses of a pair of neurons' maps");
            drafts.add(Draft::new(Lint::WeightSharing, part, message).reaching(update).known(Method::Static, text));
        }
    }
}

/// Tops of target propagation that know the loss's own slope.
fn tops(flow: &Flow<'_>, drafts: &mut Drafts) {
    let network = flow.network;
    for (index, step) in flow.steps.iter().enumerate() {
        let Step::Carry(id, ..) = *step else { continue };
        let ends = network.answer(id);
        if network.is_aimed(ends.to) && ends.wiring == Wiring::Transported {
            let unit = &network.unit(ends.to).name;
            let message = format!("the target of {unit} is a step along the true gradient of the loss");
            let reaches = flow.reach(index + 1, flow.access[index].writes[0], &|_| false).updates;
            let text = "the step to the target is carried through the head's own weights, as back-propagation would";
            let draft = Draft::new(Lint::TopGradient, part_of(*step, network), message).reaching(reaches);
            drafts.add(draft.known(Method::Static, text));
        }
    }
}

fn transfers(flow: &Flow<'_>, drafts: &mut Drafts) {
    let network = flow.network;
    for step in &flow.steps {
        let Step::Fire(unit, View::Current) = *step else { continue };
        if network.unit(unit).transfer == Transfer::Tanh {
            let message = "its activity is a hyperbolic tangent of its drive, and its gain a square of it";
            let draft = Draft::new(Lint::SmoothTransfer, part_of(*step, network), message);
            drafts.add(draft.known(Method::Static, "its transfer function is Tanh"));
        }
    }
}

/// Forward projections whose presynaptic neurons excite some of their targets and inhibit others: how many neurons, or
/// maps where weights are shared, of how many.
pub(super) fn mixed_signs(network: &Network, id: ProjectionId, weights: &[f32]) -> (usize, usize) {
    let ends = network.projection(id);
    let pre = network.unit(ends.from).shape;
    let dims = ends.map.weight_dims(pre);
    let (neurons, neuron): (usize, Box<dyn Fn(usize) -> usize>) = match ends.map {
        LinearMap::Dense { .. } => (pre.len(), Box::new(move |index| index % dims[1])),
        LinearMap::Conv { .. } => {
            let window = dims[2] * dims[3];
            (pre.channels, Box::new(move |index| index / window % pre.channels))
        }
        LinearMap::TransposedConv { .. } => {
            let each = dims[1] * dims[2] * dims[3];
            (pre.channels, Box::new(move |index| index / each))
        }
        LinearMap::Local { .. } => {
            let channels = dims[5];
            (pre.channels, Box::new(move |index| index / channels % pre.channels))
        }
        LinearMap::OneToOne => return (0, 0),
    };
    let mut signs = vec![(false, false); neurons];
    for (index, weight) in weights.iter().enumerate() {
        let (excites, inhibits) = &mut signs[neuron(index)];
        *excites |= *weight > 0.0;
        *inhibits |= *weight < 0.0;
    }
    (signs.iter().filter(|(excites, inhibits)| *excites && *inhibits).count(), neurons)
}
