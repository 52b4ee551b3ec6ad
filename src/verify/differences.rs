//! Central differences: whether a change is the slope of something along weights.
//!
//! Weights of one vector are moved to both sides along a direction, and the height of a landscape is measured there.
//! Far off, hinges, maxima and hard tanh have corners; near, f32 rounds: of several distances the one counts whose
//! neighbours measure the most similar slopes. Along the change itself, a wrong sign is found as 2 and half a change as
//! 1; along random directions, so is what is missing beside it. A corner that lies too near on one batch is elsewhere on
//! another: a vector has to agree on one of several, for what is wrong is wrong on all.

use std::collections::BTreeMap;

use super::bench::{Bench, STEPS, Taught, largest, length, yardsticks};
use super::by_figure;
use crate::error::Result;
use crate::locality::{Slot, Tensor};
use crate::network::UnitId;
use crate::rng::Rng;
use crate::simulation::Simulation;

/// What corners and rounding leave of a true slope.
pub(super) const LIMIT: f64 = 0.08;
/// What is measured.
pub(super) const UNIT: &str = "of the slope";
/// Random directions for each vector.
pub(super) const DIRECTIONS: usize = 7;

/// How far weights are moved, as a share of the length of their vector.
const DISTANCES: [f64; 8] = [3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5];

/// Something whose slope changes claim to be.
pub(super) trait Landscape {
    /// A change shorter than this share of the longest one is lost in the rounding of the height.
    const FLOOR: f64;

    /// The height at the weights of `simulation`, as far as weights that drive a unit matter.
    fn height(&mut self, simulation: &mut Simulation, driven: UnitId) -> f64;
}

/// The least misfit of each vector of a circuit, over the batches on which anything changes, in landscapes that
/// `landscape` makes of a simulation at its start and a batch.
pub(super) fn misfits<L: Landscape>(
    bench: &Bench<'_>,
    taught: &Taught,
    landscape: impl Fn(&Simulation, usize) -> L,
) -> Result<BTreeMap<String, f64>> {
    let mut rng = bench.stream().named("directions").rng();
    let mut least: BTreeMap<String, f64> = BTreeMap::new();
    for batch in 0..STEPS {
        let simulation = bench.simulation(taught);
        let changes = bench.changes(simulation.clone(), batch)?;
        let longest = largest(changes.iter().map(|(_, change)| length(change)));
        if longest == 0.0 {
            continue;
        }
        let mut ground = Ground { landscape: landscape(&simulation, batch), simulation };
        for ((name, change), size) in changes.iter().zip(yardsticks(&changes, length)) {
            if least.get(name).is_none_or(|&least| by_figure(least, LIMIT).is_gt()) {
                let misfit = ground.misfit(name, change, size.max(L::FLOOR * longest), &mut rng)?;
                let least = least.entry(name.clone()).or_insert(f64::NAN);
                *least = if by_figure(misfit, *least).is_lt() { misfit } else { *least };
            }
        }
        if least.values().all(|&least| by_figure(least, LIMIT).is_le()) {
            break;
        }
    }
    Ok(least)
}

/// A landscape and the weights that are moved in it.
struct Ground<L> {
    landscape: L,
    simulation: Simulation,
}

impl<L: Landscape> Ground<L> {
    /// The relative error of `change` as the slope along the vector called `name`: the larger one of that along the
    /// change itself and of the median of random directions, for a change that is measured as one of length `size`.
    fn misfit(&mut self, name: &str, change: &[f64], size: f64, rng: &mut Rng) -> Result<f64> {
        let Some(driven) = self.driven(name) else { return Ok(f64::NAN) };
        let start: Vec<f32> = self.simulation.get(name).unwrap_or_default().to_vec();
        let mut error = |direction| self.error((name, driven), &start, change, direction);
        let own = share(error(change.to_vec())?, size);
        // A weight of exactly 0 is a synapse that does not exist.
        let exists = |weight: &f32| *weight != 0.0;
        // The root mean square of the slopes along random directions of length 1.
        let usual = size / (start.iter().filter(|weight| exists(weight)).count() as f64).sqrt();
        let mut errors = Vec::new();
        for _ in 0..DIRECTIONS {
            let direction = start.iter().map(|weight| if exists(weight) { f64::from(rng.normal()) } else { 0.0 });
            errors.push(share(error(direction.collect())?, usual));
        }
        self.simulation.set(name, &start)?;
        errors.sort_by(f64::total_cmp);
        Ok(largest([own, errors[DIRECTIONS / 2]].into_iter()))
    }

    /// How far `change` is from the slope along `direction`, brought to length 1: 0 for a direction of no length, and no
    /// number for one that is lost in infinities.
    fn error(&mut self, vector: (&str, UnitId), start: &[f32], change: &[f64], direction: Vec<f64>) -> Result<f64> {
        let unit = length(&direction);
        if unit == 0.0 || !unit.is_finite() {
            return Ok(unit);
        }
        let reach = length(&start.iter().map(|&weight| f64::from(weight)).collect::<Vec<_>>());
        let reach = if reach > 0.0 { reach } else { 1.0 };
        let (mut measured, mut errors) = (Vec::new(), Vec::new());
        for far in DISTANCES.map(|share| share * reach) {
            let moved = |far: f64| -> Vec<f32> {
                let moves = start.iter().zip(&direction);
                moves.map(|(&weight, along)| (f64::from(weight) + far * along / unit) as f32).collect()
            };
            let (up, down) = (moved(far), moved(-far));
            let rise = self.height(vector, &up)? - self.height(vector, &down)?;
            // Weights are rounded too: the way that was made is not quite the one that was meant.
            let ways = up.iter().zip(&down).map(|(up, down)| f64::from(*up) - f64::from(*down));
            let expected: f64 = change.iter().zip(ways).map(|(change, way)| change * way).sum();
            measured.push(rise / (2.0 * far));
            errors.push((rise - expected).abs() / (2.0 * far));
        }
        let apart = |three: &[f64]| largest([(three[0] - three[1]).abs(), (three[1] - three[2]).abs()].into_iter());
        let steady = measured.windows(3).map(apart).enumerate().min_by(|one, other| one.1.total_cmp(&other.1));
        Ok(steady.map_or(f64::NAN, |(first, _)| errors[first + 1]))
    }

    /// The height where one vector, which drives a unit, has these values.
    fn height(&mut self, (name, driven): (&str, UnitId), values: &[f32]) -> Result<f64> {
        self.simulation.set(name, values)?;
        Ok(self.landscape.height(&mut self.simulation, driven))
    }

    /// The unit that a vector of weights or biases drives.
    fn driven(&self, name: &str) -> Option<UnitId> {
        let drives = |tensor: Tensor| match tensor.slot {
            Slot::Weight(id) | Slot::Bias(id) => Some(self.simulation.network().projection(id).to),
            _ => None,
        };
        self.simulation.tensors().into_iter().find(|tensor| tensor.name == name).and_then(drives)
    }
}

/// One length as a share of another; nothing is no share of anything.
fn share(one: f64, other: f64) -> f64 {
    if one == 0.0 { 0.0 } else { one / other }
}
