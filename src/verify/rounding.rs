//! Ways of computing a step that agree to rounding: how far apart their changes are.
//!
//! They sum in different orders, so their bits differ. At a threshold (of a hinge, a maximum, a hard tanh) a last bit
//! can also turn a whole error on or off. That is no fault and rare, so it is enough that they agree on one of several
//! batches: what is wrong with a kernel is wrong in all of them.

use super::bench::{Bench, STEPS, Taught, largest, plain_steps, yardsticks};
use super::exact::of_each;
use super::{Found, Measured, NO_ERROR, by_figure};
use crate::error::Result;
use crate::kernels::Isa;
use crate::kernels::arithmetic::Arithmetic;
use crate::optimizer::Optimizer;
use crate::simulation::{Learning, Targets};

/// Rounding in sums of thousands of products gives 1e-6, and tiles a few times that; a kernel that is off by a hundredth
/// gives ten times this.
pub(super) const LIMIT: f64 = 1e-3;
/// What is measured.
pub(super) const UNIT: &str = "of the largest change";

/// Changes smaller than this share of the largest one anywhere may be rounding themselves.
const FLOOR: f64 = 1e-3;

/// A way of computing a step.
pub(super) struct Way {
    pub(super) name: String,
    pub(super) isa: Isa,
    pub(super) arithmetic: Arithmetic,
}

/// How far the changes of every stage computed on or `by` other ways are from those of `one`.
pub(super) fn climb(bench: &Bench<'_>, by: &str, one: &Way, others: &[Way]) -> Result<Found> {
    let stages = bench.simulation(&bench.own()).stages().len();
    let mut figures = Vec::new();
    for other in others {
        for stage in 0..stages {
            let mut best: Option<(f64, String)> = None;
            for batch in 0..STEPS {
                let next = apart(bench, (one, other), stage, batch)?;
                let next = next.map(|(figure, name)| (figure, format!("{name} {by} {}", other.name)));
                best = best.into_iter().chain(next).min_by(|one, other| by_figure(one.0, other.0));
                if best.as_ref().is_some_and(|(figure, _)| *figure <= LIMIT) {
                    break;
                }
            }
            figures.extend(best);
        }
    }
    if figures.is_empty() {
        return Ok(Err(NO_ERROR.to_string()));
    }
    let names: Vec<&str> = others.iter().map(|way| way.name.as_str()).collect();
    let compared = format!("changes{} {by} {} with those {by} {}", of_each(stages), names.join(", "), one.name);
    Ok(Ok(Measured::worst(compared, figures)))
}

/// How far the changes of one stage and batch are apart, and where most; nothing, if there are no changes.
fn apart(bench: &Bench<'_>, (one, other): (&Way, &Way), stage: usize, batch: usize) -> Result<Option<(f64, String)>> {
    let changes = |way: &Way| {
        let mut simulation = bench.simulation_on(way.isa, &taught(bench, way.arithmetic));
        simulation.enter(stage);
        bench.changes(simulation, batch)
    };
    let (ours, theirs) = (changes(one)?, changes(other)?);
    let size = |change: &[f64]| largest(change.iter().map(|value| value.abs()));
    if ours.iter().chain(&theirs).all(|(_, change)| size(change) == 0.0) {
        return Ok(None);
    }
    let floor = FLOOR * largest(ours.iter().map(|(_, change)| size(change)));
    let measures = yardsticks(&ours, size);
    let figures = ours.iter().zip(&theirs).zip(measures).map(|(((name, ours), (_, theirs)), measure)| {
        let apart: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours - theirs).collect();
        // 0 / 0 is agreement; anything else against nothing at all is not.
        let figure = if size(&apart) == 0.0 { 0.0 } else { size(&apart) / measure.max(floor) };
        (figure, name.clone())
    });
    Ok(figures.max_by(|one, other| by_figure(one.0, other.0)))
}

/// The circuit taught by steps whose changes can be read off the weights.
fn taught(bench: &Bench<'_>, arithmetic: Arithmetic) -> Taught {
    let Taught { network, learning } = bench.own();
    // Adam would make much of the sign of a change that is rounding.
    let inverse_optimizer = Optimizer::Sgd { rate: 1e-3, momentum: 0.0 };
    let targets = learning.targets.unwrap_or_default();
    let targets = learning.propagates_targets().then_some(Targets { inverse_optimizer, ..targets });
    Taught { network, learning: Learning { optimizer: plain_steps(), targets, arithmetic, ..learning } }
}
