//! The rungs on difference target propagation: an inverse undoes, and the target that it brings down leads where
//! back-propagation does.
//!
//! Changes through targets are not those of back-propagation. But an inverse that undoes a projection near the activity
//! at hand has a right inverse of its slope, where back-propagation has the transpose: what the two make of one error
//! at a place and an image meets at less than a right angle. Changes sum over places and images, which leaves room for
//! more: biases alone, whose sums cancel most, were seen at 100 degrees. A projection's weights and biases together, as
//! one vector, were seen at 30 to 77 through matched inverses, on some circuits and losses, and at 74 to 130 through
//! untrained ones. So the angle of each projection has to be less than a right one, and a rung of its own says that the
//! inverses are matched.
//!
//! Through several inverses the angle need not be less than a right one, so the circuit is cut for each: to its two
//! units, what drives them, and a head of its own above. The inverse is *matched* to the batch, from which it learns
//! again and again under noise, and the step to the target is small.

use super::bench::{Bench, Taught, largest, length};
use super::cut::cut;
use super::{Found, Measured};
use crate::error::Result;
use crate::kernels::{Pool, Transfer};
use crate::learning::Rule;
use crate::locality::View;
use crate::network::{FeedbackId, Init, LinearMap, Network, NetworkSpec, ProjectionSpec, UnitId, UnitSpec, Wiring};
use crate::optimizer::Optimizer;
use crate::simulation::{Learning, Targets};

/// Of the mean square by which inverses miss, what learning may leave.
pub(super) const MISS_LIMIT: f64 = 0.9;
/// What is measured of inverses.
pub(super) const MISS_UNIT: &str = "of the untrained miss";
/// A right angle: beyond it, a change leads uphill.
pub(super) const ANGLE_LIMIT: f64 = 90.0;
/// What is measured of changes.
pub(super) const ANGLE_UNIT: &str = "degrees";

/// Times that an inverse learns from the batch.
const ROUNDS: u32 = 120;
/// Adam's rate while it does.
const RATE: f32 = 1e-2;
/// How large the noise is from which it learns, as a multiple of the activity: a small one shows little of the slope.
const NOISE: f64 = 1.5;
/// How far the target of the upper unit lies from its activity, as a share of that.
const REACH: f64 = 1e-2;
/// A change shorter than this share of the longest one is rounding and has no direction.
const FLOOR: f64 = 1e-3;
/// The head of a cut circuit; no name in a file is likely to be the same.
const HEAD: &str = "head of the inverse";

/// How far each inverse misses what it should undo, after it learned and before.
pub(super) fn inverses(bench: &Bench<'_>) -> Result<Found> {
    Ok(each_inverse(bench, "before and", |level, figures| {
        let miss = |rounds: u32| {
            let mut dtp = level.dtp.clone();
            dtp.learning.targets.iter_mut().for_each(|targets| targets.inverse_steps = rounds);
            let mut simulation = bench.simulation(&dtp);
            bench.step(&mut simulation, 0);
            simulation.state().reconstruction(level.inverse).unwrap_or(f64::NAN)
        };
        // The miss of a round is told before the inverse learns from it.
        figures.push((miss(ROUNDS) / miss(1), level.name.clone()));
    }))
}

/// The change of every projection below an inverse, and right above, against back-propagation's.
pub(super) fn direction(bench: &Bench<'_>) -> Result<Found> {
    Ok(each_inverse(bench, "with back-propagation,", |level, figures| {
        let exact = by_projection(bench.changes(bench.simulation(&level.bp), 0));
        let through_targets = by_projection(bench.changes(bench.simulation(&level.dtp), 0));
        let floor = FLOOR * largest(exact.iter().map(|(_, change)| length(change)));
        for ((name, exact), (_, other)) in exact.iter().zip(&through_targets) {
            if length(exact) > floor || length(exact).is_nan() {
                figures.push((angle(exact, other), format!("{name} under {}", level.name)));
            }
        }
    }))
}

/// An inverse in a circuit that was cut for it, under both rules.
struct Level {
    name: String,
    inverse: FeedbackId,
    bp: Taught,
    dtp: Taught,
}

/// Cuts the circuit for every inverse that it has under target propagation, and gathers what is found of each when it is
/// compared with what `with` says.
fn each_inverse(bench: &Bench<'_>, with: &str, mut measure: impl FnMut(&Level, &mut Vec<(f64, String)>)) -> Found {
    let learning = Learning { rule: Rule::Dtp, targets: None, ..bench.experiment.learning().clone() };
    let whole = bench.plainly(&with_inverses(bench), learning)?;
    let inverses = inverses_of(&whole.network);
    if inverses.is_empty() {
        return Err("no inverse carries a target: all that learns ends in a head or right below one".to_string());
    }
    let (mut figures, mut met) = (Vec::new(), 0);
    for &id in &inverses {
        let inverse = whole.network.answer(id);
        if let Some(level) = level(bench, &whole, inverse.from, inverse.to)? {
            measure(&level, &mut figures);
            met += 1;
        }
    }
    if figures.is_empty() {
        return Err("the loss makes no error on these views".to_string());
    }
    Ok(Measured::worst(format!("{met} inverses, {with} after {ROUNDS} rounds"), figures))
}

fn inverses_of(network: &Network) -> Vec<FeedbackId> {
    network.feedback_ids().filter(|&id| network.answer(id).wiring == Wiring::Inverse).collect()
}

/// The circuit cut for the inverse between two units; none if no error comes down to it.
fn level(
    bench: &Bench<'_>,
    whole: &Taught,
    upper: UnitId,
    lower: UnitId,
) -> std::result::Result<Option<Level>, String> {
    let part = |spec: &NetworkSpec, learning: Learning| {
        let mut spec = cut(spec, &whole.network, upper, |unit| unit == upper || unit == lower);
        add_head(&mut spec, &whole.network, upper);
        bench.taught(&spec, Learning { heads: Some(vec![HEAD.to_string()]), ..learning })
    };
    let bp = part(&bench.bare(), Learning { rule: Rule::Bp, targets: None, ..whole.learning.clone() })?;
    let mut simulation = bench.simulation(&bp);
    bench.step(&mut simulation, 0);
    let now = |unit: UnitId| bp.network.find(&whole.network.unit(unit).name).unwrap_or(unit);
    let error = rms(simulation.state().error(now(upper), View::Current));
    if error == 0.0 {
        return Ok(None);
    }
    let activity = |unit| rms(simulation.state().activity(now(unit), View::Current));
    let targets = Targets {
        step: (REACH * activity(upper) / error) as f32,
        top: Wiring::Transported,
        noise: (NOISE * activity(lower)) as f32,
        inverse_steps: ROUNDS,
        inverse_optimizer: Optimizer::adam(RATE),
    };
    let dtp = part(&with_inverses(bench), Learning { targets: Some(targets), ..whole.learning.clone() })?;
    let inverse = inverses_of(&dtp.network).into_iter().next();
    Ok(inverse.map(|inverse| Level { name: dtp.network.answer(inverse).name.clone(), inverse, bp, dtp }))
}

/// The circuit's description with the inverses that it writes out, if it is written for target propagation.
fn with_inverses(bench: &Bench<'_>) -> NetworkSpec {
    if bench.experiment.learning().propagates_targets() { bench.experiment.spec().clone() } else { bench.bare() }
}

/// Puts a head on a unit, as large as the first one of the whole circuit.
fn add_head(spec: &mut NetworkSpec, whole: &Network, unit: UnitId) {
    let units = whole.heads().first().map_or(1, |&head| whole.unit(head).shape.len());
    spec.units.insert(HEAD.to_string(), UnitSpec::Unit { pool: Pool::None, transfer: Transfer::Linear });
    spec.feedforward.push(ProjectionSpec {
        from: whole.unit(unit).name.clone(),
        to: HEAD.to_string(),
        map: LinearMap::Dense { units, bias: false },
        name: None,
        init: Init::Kaiming,
        density: 1.0,
        plastic: None,
    });
}

/// Joins what is asked of weights and biases of each projection.
fn by_projection(changes: Vec<(String, Vec<f64>)>) -> Vec<(String, Vec<f64>)> {
    let mut projections: Vec<(String, Vec<f64>)> = Vec::new();
    for (name, change) in changes {
        let projection = name.rsplit_once('.').map_or(name.as_str(), |(projection, _)| projection);
        match projections.last_mut() {
            Some((last, joint)) if last == projection => joint.extend(change),
            _ => projections.push((projection.to_string(), change)),
        }
    }
    projections
}

/// Root mean square.
fn rms(values: Vec<f32>) -> f64 {
    let values: Vec<f64> = values.into_iter().map(f64::from).collect();
    length(&values) / (values.len() as f64).sqrt()
}

/// The angle between two changes, in degrees; no number if the other one is nothing.
fn angle(one: &[f64], other: &[f64]) -> f64 {
    let product: f64 = one.iter().zip(other).map(|(one, other)| one * other).sum();
    (product / length(one) / length(other)).clamp(-1.0, 1.0).acos().to_degrees()
}
