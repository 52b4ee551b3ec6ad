//! The rungs on difference target propagation: an inverse undoes, and the target that it brings down leads where
//! back-propagation does.
//!
//! Changes through targets are not those of back-propagation. But an inverse that undoes a projection near the activity
//! at hand has a right inverse of its slope, where back-propagation has the transpose: what the two bring down to one
//! image meets at less than a right angle, and so does what they bring down to the whole batch, as one vector. Right
//! above the inverse, targets are the error itself, and so are updates, but for their length. These two are the figures.
//! What projections below make of the errors sums over images and places, where much of it cancels: the angle of their
//! updates is shown beside, and is no fault where a small batch turns it beyond a right angle.
//!
//! Through several inverses the angle need not be less than a right one, so the circuit is cut for each: to its two
//! units, what drives them, and a head of its own above. The inverse is *matched* to the batch, from which it learns
//! again and again under noise, and the step to the target is small. Where it cannot learn to undo much, because a
//! projection keeps too little, nothing is said about directions.

use super::bench::{Bench, Taught, length};
use super::cut::cut;
use super::{Found, Measured};
use crate::error::Result;
use crate::kernels::{Pool, Transfer};
use crate::learning::Rule;
use crate::locality::View;
use crate::loss::Memory;
use crate::network::{FeedbackId, Init, LinearMap, Network, NetworkSpec, ProjectionSpec, UnitId, UnitSpec, Wiring};
use crate::optimizer::Optimizer;
use crate::simulation::{Learning, Targets};

/// Of the mean square by which inverses miss, what learning may leave: one that does not learn leaves all of it.
pub(super) const MISS_LIMIT: f64 = 0.99;
/// What is measured of inverses.
pub(super) const MISS_UNIT: &str = "of the untrained miss";
/// A right angle: beyond it, a change leads uphill.
pub(super) const ANGLE_LIMIT: f64 = 90.0;
/// What is measured of errors.
pub(super) const ANGLE_UNIT: &str = "degrees";

/// Times that an inverse learns from the batch.
const ROUNDS: u32 = 120;
/// Adam's rate while it does, if activity at both ends is alike; less, where the lower one is the weaker.
const RATE: f64 = 1e-2;
/// How large the noise is from which it learns, as a multiple of the activity: a small one shows little of the slope.
const NOISE: f64 = 1.5;
/// How far the target of the upper unit lies from its activity, as a share of that.
const REACH: f64 = 1e-2;
/// An inverse that leaves more of its miss is not matched.
const MATCHED: f64 = 0.8;
/// The head of a cut circuit; no name in a file is likely to be the same.
const HEAD: &str = "head of the inverse";

/// How far each inverse misses what it should undo, after it learned and before.
pub(super) fn inverses(bench: &Bench<'_>) -> Result<Found> {
    let mut figures = Vec::new();
    let met = each_inverse(bench, |level| {
        figures.extend(level.miss(bench).map(|miss| (miss, level.name.clone())));
        Ok(())
    })?;
    let met_inverses = figures.len();
    let what = |inverses| format!("{inverses}, before and after {ROUNDS} rounds");
    Ok(met.and_then(|()| measured(figures, met_inverses, what)))
}

/// The error that comes down by each matched inverse, against back-propagation's.
pub(super) fn direction(bench: &Bench<'_>) -> Result<Found> {
    let (mut figures, mut cosines, mut met_inverses) = (Vec::new(), Vec::new(), 0);
    let met = each_inverse(bench, |level| {
        if level.miss(bench).is_some_and(|miss| miss > MATCHED) {
            return Ok(());
        }
        let [exact, through_targets] = level.errors(bench);
        // An inverse into rectified units can be as dead as they may be.
        if length(&exact) == 0.0 || (length(&through_targets) == 0.0 && level.is_rectified()) {
            return Ok(());
        }
        met_inverses += 1;
        figures.push((cosine(&exact, &through_targets).acos().to_degrees(), level.name.clone()));
        let exact = bench.changes(bench.simulation(&level.bp), 0)?;
        let through_targets = bench.changes(bench.simulation(&level.dtp), 0)?;
        for ((name, one), (_, other)) in exact.iter().zip(&through_targets) {
            match level.end_of(name) {
                Some(end) if length(one) == 0.0 || end == HEAD => (),
                Some(end) if end == level.upper => {
                    figures.push((cosine(one, other).acos().to_degrees(), format!("{name} under {}", level.name)));
                }
                Some(_) => cosines.extend(Some(cosine(one, other)).filter(|cosine| cosine.is_finite())),
                None => (),
            }
        }
        Ok(())
    })?;
    let mean = (cosines.iter().sum::<f64>() / cosines.len() as f64).acos().to_degrees();
    let what =
        |inverses| format!("{inverses} after {ROUNDS} rounds, errors of Dtp and Bp; updates below {mean:.0} apart");
    Ok(met.and_then(|()| measured(figures, met_inverses, what)))
}

/// The worst of what was found of some inverses.
fn measured(figures: Vec<(f64, String)>, inverses: usize, what: impl Fn(String) -> String) -> Found {
    match inverses {
        0 => Err("no inverse that could be matched carries an error of these views".to_string()),
        1 => Ok(Measured::worst(what("1 inverse".to_string()), figures)),
        _ => Ok(Measured::worst(what(format!("{inverses} inverses")), figures)),
    }
}

/// An inverse in a circuit that was cut for it, under both rules.
struct Level {
    name: String,
    inverse: FeedbackId,
    /// Name of the unit that it leads from.
    upper: String,
    /// Name of the unit that it leads to.
    lower: String,
    bp: Taught,
    dtp: Taught,
}

impl Level {
    /// What the inverse misses after it learned, as a share of what it missed before; none if there is nothing to miss.
    fn miss(&self, bench: &Bench<'_>) -> Option<f64> {
        let after = |rounds: u32| {
            let mut dtp = self.dtp.clone();
            dtp.learning.targets.iter_mut().for_each(|targets| targets.inverse_steps = rounds);
            let mut simulation = bench.simulation(&dtp);
            bench.step(&mut simulation, 0);
            simulation.state().reconstruction(self.inverse).unwrap_or(f64::NAN)
        };
        // The miss of a round is told before the inverse learns from it.
        let before = after(1);
        (before != 0.0).then(|| after(ROUNDS) / before)
    }

    /// Name of the unit that weights drive, by their vector's name; none for biases, which a loss may be blind to.
    fn end_of(&self, vector: &str) -> Option<&str> {
        let (network, projection) = (&self.bp.network, vector.strip_suffix(".weight")?);
        let drives = network.feedforward().iter().find(|drives| drives.name == projection)?;
        Some(&network.unit(drives.to).name)
    }

    fn is_rectified(&self) -> bool {
        let lower = self.bp.network.find(&self.lower);
        lower.is_some_and(|unit| self.bp.network.unit(unit).transfer == Transfer::Relu)
    }

    /// What comes down to the lower unit under back-propagation, and under target propagation.
    fn errors(&self, bench: &Bench<'_>) -> [Vec<f64>; 2] {
        [&self.bp, &self.dtp].map(|taught| {
            let mut simulation = bench.simulation(taught).keeping();
            bench.step(&mut simulation, 0);
            let error = taught.network.find(&self.lower).map(|unit| simulation.state().error(unit, View::Current));
            error.into_iter().flatten().map(f64::from).collect()
        })
    }
}

/// Cuts the circuit for every inverse that it has under target propagation, and measures each; or says why it has none.
fn each_inverse(
    bench: &Bench<'_>,
    mut measure: impl FnMut(&Level) -> Result<()>,
) -> Result<std::result::Result<(), String>> {
    let learning = Learning { rule: Rule::Dtp, targets: None, ..bench.experiment.learning().clone() };
    if learning.loss.memory() == Memory::Below {
        let problem =
            "heads that predict the unit below them have its shape, and those of circuits that are cut have not";
        return Ok(Err(problem.to_string()));
    }
    let whole = match bench.plainly(&with_inverses(bench), learning) {
        Ok(whole) => whole,
        Err(reason) => return Ok(Err(reason)),
    };
    let inverses = inverses_of(&whole.network);
    if inverses.is_empty() {
        return Ok(Err("no inverse carries a target: all that learns ends in a head or right below one".to_string()));
    }
    for &id in &inverses {
        let inverse = whole.network.answer(id);
        match level(bench, &whole, inverse.from, inverse.to) {
            Ok(level) => level.iter().try_for_each(&mut measure)?,
            Err(reason) => return Ok(Err(reason)),
        }
    }
    Ok(Ok(()))
}

fn inverses_of(network: &Network) -> Vec<FeedbackId> {
    network.feedback_ids().filter(|&id| network.answer(id).wiring == Wiring::Inverse).collect()
}

/// The circuit cut for the inverse between two units; none if no error comes down to it, or one of them is silent.
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
    let mut simulation = bench.simulation(&bp).keeping();
    bench.step(&mut simulation, 0);
    let now = |unit: UnitId| bp.network.find(&whole.network.unit(unit).name).unwrap_or(unit);
    let error = rms(simulation.state().error(now(upper), View::Current));
    let activity = |unit| rms(simulation.state().activity(now(unit), View::Current));
    if error == 0.0 || activity(upper) == 0.0 || activity(lower) == 0.0 {
        return Ok(None);
    }
    let targets = Targets {
        step: (REACH * activity(upper) / error) as f32,
        top: Wiring::Transported,
        noise: (NOISE * activity(lower)) as f32,
        inverse_steps: ROUNDS,
        inverse_optimizer: Optimizer::adam((RATE * (activity(lower) / activity(upper)).min(1.0)) as f32),
    };
    let dtp = part(&with_inverses(bench), Learning { targets: Some(targets), ..whole.learning.clone() })?;
    let inverse = inverses_of(&dtp.network).into_iter().next();
    Ok(inverse.map(|inverse| Level {
        name: dtp.network.answer(inverse).name.clone(),
        inverse,
        upper: whole.network.unit(upper).name.clone(),
        lower: whole.network.unit(lower).name.clone(),
        bp,
        dtp,
    }))
}

/// The circuit's description with the inverses that it writes out, if it is written for target propagation.
pub(super) fn with_inverses(bench: &Bench<'_>) -> NetworkSpec {
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

/// Root mean square.
fn rms(values: Vec<f32>) -> f64 {
    let values: Vec<f64> = values.into_iter().map(f64::from).collect();
    length(&values) / (values.len() as f64).sqrt()
}

/// The cosine of the angle between two vectors; no number if one of them is nothing.
fn cosine(one: &[f64], other: &[f64]) -> f64 {
    let product: f64 = one.iter().zip(other).map(|(one, other)| one * other).sum();
    (product / length(one) / length(other)).clamp(-1.0, 1.0)
}
