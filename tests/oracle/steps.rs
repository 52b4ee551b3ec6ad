//! What is computed for each kind of case: the engine's answers, under the names of the reference's.

use std::collections::BTreeMap;

use synlocal::data::{Padding, Warp, deform};
use synlocal::learning::Rule;
use synlocal::locality::View;
use synlocal::loss::StoredView;
use synlocal::network::Wiring;
use synlocal::optimizer::Optimizer;
use synlocal::schedule::Step;
use synlocal::shape::Shape;
use synlocal::simulation::{Batch, Simulation};

use super::case::{Case, Circuit, Supported, Tensors, circuit};

/// One step of each stage (all at once, or block by block): activities, errors, changes and loss.
pub(crate) fn learning_step(case: &Case) -> Supported<Tensors> {
    // With a rate of 1 learned feedback moves by the very derivative that the rule uses.
    let circuit = circuit(case, Optimizer::Sgd { rate: 1.0, momentum: 0.0 })?;
    let before = circuit.simulation(case);
    let network = &circuit.network;
    let mut after = Vec::new();
    let mut answers: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    let mut changes = BTreeMap::new();
    let both = circuit.learning.loss.stored_view() == StoredView::Learns;
    let mut stored: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    let labels = case.labels();
    let batch = Batch { labels: &labels, ..Batch::views(case.input("view0"), case.input("view1")) };
    if circuit.learning.loss.stored_view() == StoredView::Absent {
        // The step never shows that view; its activities are among the answers all the same.
        for unit in network.unit_ids().filter(|&unit| !network.unit(unit).input) {
            let values = stored.entry(format!("out/act/{}", network.unit(unit).name)).or_default();
            before.clone().encode(case.input("view0"), unit, values);
        }
    }
    let stages = before.stages().len();
    for stage in 0..stages {
        let mut seen = stored.clone();
        // What is below a block must be as it was.
        let mut one = before.clone();
        one.enter(stage);
        let found = one.step_observed(batch, &mut |step, state| match step {
            Step::Fire(unit, view) => {
                let values = state.activity(unit, view);
                seen.entry(format!("out/act/{}", network.unit(unit).name)).or_default().extend(values);
            }
            Step::Gate(unit, View::Current) => {
                let current = state.error(unit, View::Current);
                let stored = if both { Vec::new() } else { vec![0.0; current.len()] };
                let error = seen.entry(format!("out/error/{}", network.unit(unit).name)).or_insert(stored);
                error.extend(current);
            }
            Step::Gate(unit, View::Stored) => {
                // Errors of the stored view come first in the answers, but last in the plan.
                let error = seen.get_mut(&format!("out/error/{}", network.unit(unit).name)).unwrap();
                error.splice(0..0, state.error(unit, View::Stored));
            }
            Step::Learn(projection, ..) => {
                changes.insert(network.projection(projection).name.clone(), state.change(projection).to_vec());
            }
            _ => {}
        });
        answers.extend(seen);
        let block = if stages > 1 { format!("/{}", before.stages()[stage].name) } else { String::new() };
        answers.insert(format!("out/loss{block}"), vec![found.loss as f32]);
        after.push(one);
    }
    for parameter in case.tensors.keys().filter_map(|name| name.strip_prefix("out/delta/")) {
        let name = circuit.name(parameter);
        let (projection, kind) = name.rsplit_once('.').unwrap();
        let delta = match (kind, before.get(&name)) {
            ("feedback", Some(old)) => {
                let new = after.iter().map(|one| one.get(&name).unwrap());
                new.fold(vec![0.0; old.len()], |sum, new| {
                    sum.iter().zip(old.iter().zip(new)).map(|(sum, (old, new))| sum + (old - new)).collect()
                })
            }
            // The lowest projection's feedback carries nothing and is not kept; it would take the forward change.
            ("feedback", None) => {
                let label = parameter.strip_suffix(".feedback").unwrap();
                let weights = before.get(&circuit.name(&format!("{label}.weight"))).unwrap().len();
                changes[&circuit.names[label].0][..weights].to_vec()
            }
            _ => {
                let weights = before.get(&format!("{projection}.weight")).unwrap().len();
                let change = &changes[projection];
                if kind == "weight" { change[..weights].to_vec() } else { change[weights..].to_vec() }
            }
        };
        answers.insert(format!("out/delta/{parameter}"), delta);
    }
    Ok(answers.into_iter().map(|(name, values)| (name, (Vec::new(), values))).collect())
}

/// One step of difference target propagation: activities, targets, reconstructions, changes and losses.
pub(crate) fn target_propagation(case: &Case) -> Supported<Tensors> {
    let circuit = circuit(case, Optimizer::Sgd { rate: 1.0, momentum: 0.0 })?;
    let mut simulation = circuit.simulation(case);
    let network = &circuit.network;
    // The noise of an inverse is that of the unit below.
    let noise: Vec<_> = network
        .feedback()
        .iter()
        .filter(|feedback| feedback.wiring == Wiring::Inverse)
        .map(|feedback| (feedback.to, case.input(&format!("noise/{}", network.unit(feedback.from).name))))
        .collect();
    let mut answers: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    let mut changes: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    let batch = Batch { noise: &noise, ..Batch::views(case.input("view0"), case.input("view1")) };
    let found = simulation.step_observed(batch, &mut |step, state| match step {
        Step::Fire(unit, View::Stored | View::Current) => {
            let values = state.activity(unit, step.view().unwrap());
            answers.entry(format!("out/act/{}", network.unit(unit).name)).or_default().extend(values);
        }
        Step::Gate(unit, view) if network.is_aimed(unit) => {
            let name = &network.unit(unit).name;
            let (activity, way) = (&answers[&format!("out/act/{name}")], state.error(unit, view));
            let first = if view == View::Stored { 0 } else { way.len() };
            let mut target = answers.get(&format!("out/target/{name}")).unwrap_or(activity).clone();
            target[first..].iter_mut().zip(&way).for_each(|(target, way)| *target -= way);
            let missed = way.iter().map(|way| f64::from(*way).powi(2)).sum::<f64>() / target.len() as f64;
            answers.insert(format!("out/target/{name}"), target);
            answers.entry(format!("out/local_loss/{name}")).or_insert(vec![0.0])[0] += missed as f32;
        }
        Step::Learn(projection, ..) => {
            changes.insert(network.projection(projection).name.clone(), state.change(projection).to_vec());
        }
        Step::LearnInverse(feedback, _) => {
            let ends = network.answer(feedback);
            changes.insert(ends.name.clone(), state.inverse_change(feedback).to_vec());
            let missed = state.reconstruction(feedback).unwrap() as f32;
            answers.insert(format!("out/reconstruction/{}", network.unit(ends.from).name), vec![missed]);
        }
        _ => {}
    });
    answers.insert("out/loss".into(), vec![found.loss as f32]);
    for (name, (_, reference)) in &case.tensors {
        let Some(parameter) = name.strip_prefix("out/delta/") else { continue };
        let own = circuit.name(parameter);
        let (projection, kind) = own.rsplit_once('.').unwrap();
        let change = &changes[projection];
        // Biases stand after weights.
        let delta = if kind == "bias" { &change[change.len() - reference.len()..] } else { &change[..reference.len()] };
        answers.insert(name.clone(), delta.to_vec());
    }
    Ok(answers.into_iter().map(|(name, values)| (name, (Vec::new(), values))).collect())
}

/// Several optimiser steps: the last weights and the loss of each step.
pub(crate) fn trajectory(case: &Case) -> Supported<Tensors> {
    let optimizer = &case.spec["optimizer"];
    let rate = optimizer["lr"].as_f64().unwrap() as f32;
    let optimizer = match optimizer["kind"].as_str().unwrap() {
        "sgd" => Optimizer::Sgd { rate, momentum: optimizer["momentum"].as_f64().unwrap_or(0.0) as f32 },
        "adam" => Optimizer::adam(rate),
        other => return Err(format!("optimizer {other}")),
    };
    let circuit = circuit(case, optimizer)?;
    let mut simulation = circuit.simulation(case);
    let mut losses = Vec::new();
    for step in 0..case.spec["steps"].as_u64().unwrap() {
        let views = (case.input(&format!("view0/{step}")), case.input(&format!("view1/{step}")));
        losses.push(simulation.step(Batch::views(views.0, views.1)).loss as f32);
    }
    let mut answers = Tensors::from([("out/losses".to_string(), (Vec::new(), losses))]);
    for parameter in case.tensors.keys().filter_map(|name| name.strip_prefix("out/param/")) {
        let values = match simulation.get(&circuit.name(parameter)) {
            Some(values) => values.to_vec(),
            None => unused_feedback(case, &circuit, &simulation, parameter),
        };
        answers.insert(format!("out/param/{parameter}"), (Vec::new(), values));
    }
    Ok(answers)
}

/// Feedback of the lowest projection carries nothing, so the engine does not keep it. Fixed feedback would be what it
/// was; learned feedback would differ from the forward weights by what it differed from them at first.
pub(crate) fn unused_feedback(case: &Case, circuit: &Circuit, simulation: &Simulation, parameter: &str) -> Vec<f32> {
    let label = parameter.strip_suffix(".feedback").unwrap();
    let first = case.input(&format!("param/{parameter}"));
    let first_weight = case.input(&format!("param/{label}.weight"));
    if circuit.learning.rule == Rule::Rf {
        return first.to_vec();
    }
    let weight = simulation.get(&circuit.name(&format!("{label}.weight"))).unwrap();
    first.iter().zip(weight).zip(first_weight).map(|((first, now), then)| first + (now - then)).collect()
}

/// The deformation of each image by given parameters.
pub(crate) fn deformation(case: &Case) -> Supported<Tensors> {
    let dims = &case.tensors["in/image"].0;
    let shape = Shape::new(dims[1], dims[2], dims[3]);
    let padding = match case.text("padding") {
        "zeros" => Padding::Zeros,
        "border" => Padding::Border,
        other => return Err(format!("padding {other}")),
    };
    let mut out = vec![0.0; case.input("image").len()];
    for (sample, (image, out)) in case.input("image").chunks(shape.len()).zip(out.chunks_mut(shape.len())).enumerate() {
        let affine = &case.input("affine")[sample * 6..][..6];
        let warp = Warp {
            affine: [affine[..3].try_into().unwrap(), affine[3..].try_into().unwrap()],
            saturation: case.input("saturation")[sample],
            hue: case.input("hue")[sample],
            flip: case.input("flip")[sample] > 0.5,
        };
        deform(image, shape, &warp, padding, out);
    }
    Ok(Tensors::from([("out/image".to_string(), (Vec::new(), out))]))
}
