//! How near feedback weights are to the forward weights that they answer, before and after a few real updates, and what
//! the signs of weights and errors are.

use std::collections::BTreeMap;

use super::bench::Bench;
use super::finding::{Angle, Kind, Method, Part};
use super::flow::Flow;
use super::judge::{Draft, Drafts, name_of};
use super::structure;
use crate::error::{Error, Result};
use crate::lint::Lint;
use crate::locality::{Place, Slot, View};
use crate::network::{FeedbackId, Wiring};
use crate::schedule::Step;
use crate::simulation::Simulation;

/// Steps that each stage takes.
const STEPS: usize = 2;

/// Degrees below which feedback starts as the forward weights in all but name. That it comes near them by learning is a
/// result, and no fault.
const NEAR: f64 = 5.0;

/// Weights of which a small angle may be chance.
const FEW: usize = 8;

/// Lets the circuit learn for a few steps and looks at the weights; `simulation` is at its start.
pub(super) fn measure(
    bench: &Bench<'_>,
    flows: &[Flow<'_>],
    mut simulation: Simulation,
    drafts: &mut Drafts,
) -> Result<Vec<Angle>> {
    let network = bench.network();
    let own: Vec<FeedbackId> = network
        .feedback_ids()
        .filter(|&id| network.answer(id).wiring != Wiring::Inverse)
        .filter(|&id| !simulation.state().values(Slot::Feedback(id)).is_empty())
        .collect();
    let look = |simulation: &Simulation| -> BTreeMap<FeedbackId, [Vec<f32>; 2]> {
        let slots = |id: FeedbackId| [Slot::Feedback(id), Slot::Weight(network.answer(id).partner)];
        own.iter().map(|&id| (id, slots(id).map(|slot| simulation.state().values(slot).to_vec()))).collect()
    };
    signs(bench, flows, &mut simulation, drafts);
    let before = look(&simulation);
    for (stage, flow) in flows.iter().enumerate() {
        simulation.enter(stage);
        for _ in 0..STEPS {
            flow.steps.iter().for_each(|&step| {
                bench.take(&mut simulation, bench.batch(), step);
            });
        }
    }
    if !simulation.is_finite() {
        return Err(Error::Diverged {
            problem: format!("weights left the finite numbers within {STEPS} updates, and nothing can be compared"),
            remedy: "lower the learning rate, or start from smaller weights (init)".to_string(),
        });
    }
    let after = look(&simulation);
    let mut angles = Vec::new();
    for &id in &own {
        let ends = network.answer(id);
        let ([back, forth], [back_after, forth_after]) = (&before[&id], &after[&id]);
        let degrees = [angle(back, forth), angle(back_after, forth_after)];
        let update = |one: &[f32], other: &[f32]| -> Vec<f32> { one.iter().zip(other).map(|(a, b)| a - b).collect() };
        let (of_back, of_forth) = (update(back_after, back), update(forth_after, forth));
        let moved = of_forth.iter().any(|&value| value != 0.0) && of_back.iter().any(|&value| value != 0.0);
        let same_updates = moved && angle(&of_back, &of_forth) < 1.0;
        let partner = &network.projection(ends.partner).name;
        angles.push(Angle { feedback: ends.name.clone(), partner: partner.clone(), degrees, same_updates });
        let live = forth.iter().filter(|weight| **weight != 0.0).count();
        let copied = back_after == forth_after && live > 0;
        if copied || degrees[0] < NEAR && live >= FEW {
            let start = if degrees[0] < NEAR { "starts as" } else { "is made" };
            let then = if same_updates { ", and takes the same updates" } else { "" };
            let message = format!("{start} the forward weights of {partner}{then}");
            let text = format!(
                "{:.2} degrees from the weights of {partner} at the start, {:.2} after {STEPS} updates",
                degrees[0], degrees[1]
            );
            let part = Part { kind: Kind::Feedback, name: ends.name.clone() };
            let reaches: Vec<Place> = flows
                .iter()
                .flat_map(|flow| flow.reach(flow.comparison(), Place::FeedbackWeights(id), &|_| false).updates)
                .collect();
            let draft = Draft::new(Lint::SymmetricFeedback, part, message).reaching(reaches);
            drafts.add(draft.known(Method::Interventional, text));
        }
    }
    Ok(angles)
}

/// Which units send errors of both signs, and which neurons excite and inhibit.
fn signs(bench: &Bench<'_>, flows: &[Flow<'_>], simulation: &mut Simulation, drafts: &mut Drafts) {
    let network = bench.network();
    let mut looked = simulation.clone();
    for (stage, flow) in flows.iter().enumerate() {
        looked.enter(stage);
        for &step in &flow.steps {
            bench.take(&mut looked, bench.batch(), step);
            let Step::Gate(unit, View::Current) = step else { continue };
            let errors = looked.state_mut().look(Place::Error(unit, View::Current));
            if errors.iter().any(|&error| error > 0.0) && errors.iter().any(|&error| error < 0.0) {
                let part = Part { kind: Kind::Unit, name: network.unit(unit).name.clone() };
                let count = |sign: fn(&f32) -> bool| errors.iter().filter(|error| sign(error)).count();
                let (above, below) = (count(|error| *error > 0.0), count(|error| *error < 0.0));
                let text = format!("{above} errors above 0 and {below} below in one batch");
                let draft = Draft::new(Lint::SignedError, part, "is told errors of both signs");
                drafts.add(draft.known(Method::Interventional, text));
            }
        }
        for update in flow.updates() {
            let Place::Change(id) = update else { continue };
            let (mixed, all) = structure::mixed_signs(network, id, simulation.state().values(Slot::Weight(id)));
            if mixed > 0 {
                let part = Part { kind: Kind::Feedforward, name: name_of(update, network) };
                let message =
                    format!("{mixed} of {all} presynaptic neurons or maps excite some targets and inhibit others");
                drafts.add(
                    Draft::new(Lint::MixedSigns, part, message).known(Method::Static, "read off its first weights"),
                );
            }
        }
    }
}

/// Degrees between two vectors; a right angle if one of them has no direction.
fn angle(one: &[f32], other: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let lengths = (dot(one, one) * dot(other, other)).sqrt();
    if lengths == 0.0 { 90.0 } else { (dot(one, other) / lengths).clamp(-1.0, 1.0).acos().to_degrees() }
}
