//! The rung on which every projection under difference target propagation goes the way of its own unit's target.
//!
//! A unit keeps the way from target to activity, e = h - t, and what drives it learns to shorten that: its change is the
//! slope of the mean square of e where the target stays, and so, to first order, of e times the activity. The latter is
//! what is measured, for it is no smaller than rounding where targets lie close. A head has no target but an error, and
//! its change is the slope of error times activity in the same way. What comes down by inverses is taken as it is: other
//! rungs judge it.

use super::bench::Bench;
use super::differences::{DIRECTIONS, Landscape, misfits};
use super::slopes::embed;
use super::targets::with_inverses;
use super::{Found, Measured, NO_ERROR};
use crate::error::Result;
use crate::learning::Rule;
use crate::locality::View;
use crate::loss::StoredView;
use crate::network::UnitId;
use crate::simulation::{Batch, Learning, Simulation};

/// The change of every projection against the slope of its unit's way to the target.
pub(super) fn climb(bench: &Bench<'_>) -> Result<Found> {
    let own = bench.experiment.learning().clone();
    let targets = own.targets.filter(|_| own.propagates_targets());
    let taught = match bench.plainly(&with_inverses(bench), Learning { rule: Rule::Dtp, targets, ..own }) {
        Ok(taught) => taught,
        Err(reason) => return Ok(Err(reason)),
    };
    let least = misfits(bench, &taught, |start, batch| {
        let mut stepped = start.clone().keeping();
        bench.subject.step(&mut stepped, bench.batch(batch));
        Ways { stepped, batch: bench.batch(batch) }
    })?;
    if least.is_empty() {
        return Ok(Err(NO_ERROR.to_string()));
    }
    let compared = format!(
        "a step of Dtp, end to end, with central differences of each unit's way to its target: {} vectors, {DIRECTIONS} \
         random directions",
        least.len()
    );
    Ok(Ok(Measured::worst(compared, least.into_iter().map(|(name, figure)| (figure, name)))))
}

/// How far a unit's activity has come along its error, as a function of the weights.
struct Ways<'a> {
    /// What has taken the step, and holds its errors.
    stepped: Simulation,
    batch: Batch<'a>,
}

impl Landscape for Ways<'_> {
    // Each vector is measured against an error of its own.
    const FLOOR: f64 = 0.0;

    fn height(&mut self, simulation: &mut Simulation, driven: UnitId) -> f64 {
        let (network, state, stored) =
            (self.stepped.network(), self.stepped.state(), self.stepped.learning().loss.stored_view());
        let learned: &[(View, &[f32])] = match stored {
            StoredView::Learns => &[(View::Stored, self.batch.stored), (View::Current, self.batch.current)],
            StoredView::Constant | StoredView::Absent => &[(View::Current, self.batch.current)],
        };
        let (mut height, mut values) = (0.0, 0);
        for (view, images) in learned {
            let (errors, activity) = (state.error(driven, *view), embed(simulation, images, driven));
            let along = errors.iter().zip(&activity).map(|(error, activity)| f64::from(*error) * f64::from(*activity));
            height += along.sum::<f64>();
            values = activity.len();
        }
        // The mean is over both views, whether or not the stored one has a target.
        let views = if stored == StoredView::Absent { 1 } else { 2 };
        if network.is_aimed(driven) { height * 2.0 / (views * values) as f64 } else { height }
    }
}
