//! The rung on which instruction sets agree to rounding.
//!
//! They sum in different orders, so their bits differ. At a threshold (of a hinge, a maximum, a hard tanh) a last bit
//! can also turn a whole error on or off. That is no fault and rare, so it is enough that they agree on one of several
//! batches: what is wrong with a kernel is wrong in all of them.

use super::bench::{Bench, STEPS, Taught, largest, plain_steps, yardsticks};
use super::exact::of_each;
use super::{Found, Measured, NO_ERROR, by_figure};
use crate::error::Result;
use crate::kernels::Isa;
use crate::optimizer::Optimizer;
use crate::simulation::{Learning, Targets};

/// Rounding in sums of thousands of products gives 1e-6; a kernel that is off by a hundredth gives ten times this.
pub(super) const LIMIT: f64 = 1e-3;
/// What is measured.
pub(super) const UNIT: &str = "of the largest change";

/// Changes smaller than this share of the largest one anywhere may be rounding themselves.
const FLOOR: f64 = 1e-3;

/// Every other instruction set against the one in use.
pub(super) fn climb(bench: &Bench<'_>) -> Result<Found> {
    let others: Vec<Isa> = Isa::available().into_iter().filter(|isa| *isa != bench.isa).collect();
    if others.is_empty() {
        return Ok(Err(format!("this processor has no instruction set but {}", bench.isa)));
    }
    let own = bench.own();
    // Adam would make much of the sign of a change that is rounding.
    let inverse_optimizer = Optimizer::Sgd { rate: 1e-3, momentum: 0.0 };
    let targets = own.learning.targets.unwrap_or_default();
    let targets = own.learning.propagates_targets().then_some(Targets { inverse_optimizer, ..targets });
    let plain = Taught { learning: Learning { optimizer: plain_steps(), targets, ..own.learning }, ..own };
    let stages = bench.simulation(&plain).stages().len();
    let mut figures = Vec::new();
    for isa in &others {
        for stage in 0..stages {
            let mut best: Option<(f64, String)> = None;
            for batch in 0..STEPS {
                let next = apart(bench, &plain, *isa, stage, batch)?;
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
    let names: Vec<String> = others.iter().map(Isa::to_string).collect();
    let compared = format!("changes{} on {} with those on {}", of_each(stages), names.join(", "), bench.isa);
    Ok(Ok(Measured::worst(compared, figures)))
}

/// How far the changes of one stage and batch are apart, and where most; nothing, if there are no changes.
fn apart(bench: &Bench<'_>, plain: &Taught, isa: Isa, stage: usize, batch: usize) -> Result<Option<(f64, String)>> {
    let on = |isa| {
        let mut simulation = bench.simulation_on(isa, plain);
        simulation.enter(stage);
        bench.changes(simulation, batch)
    };
    let (ours, theirs) = (on(bench.isa)?, on(isa)?);
    let size = |change: &[f64]| largest(change.iter().map(|value| value.abs()));
    if ours.iter().chain(&theirs).all(|(_, change)| size(change) == 0.0) {
        return Ok(None);
    }
    let floor = FLOOR * largest(ours.iter().map(|(_, change)| size(change)));
    let measures = yardsticks(&ours, size);
    let figures = ours.iter().zip(&theirs).zip(measures).map(|(((name, one), (_, other)), measure)| {
        let apart: Vec<f64> = one.iter().zip(other).map(|(one, other)| one - other).collect();
        // 0 / 0 is agreement; anything else against nothing at all is not.
        let figure = if size(&apart) == 0.0 { 0.0 } else { size(&apart) / measure.max(floor) };
        (figure, format!("{name} on {isa}"))
    });
    Ok(figures.max_by(|one, other| by_figure(one.0, other.0)))
}
