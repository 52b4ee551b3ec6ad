//! The rung on which back-propagation is the slope of the loss.
//!
//! Weights of one vector are moved to both sides along a direction, and the loss is measured there: activity and loss
//! alone, no error and no plan for learning. Where the stored view is a constant, its embeddings stay those of the
//! weights where they were. Far off, hinges, maxima and hard tanh have corners; near, f32 rounds: of several distances
//! the one counts whose neighbours measure the most similar slopes. Along the change itself, a wrong sign is found as 2
//! and half a change as 1; along random directions, so is what is missing beside it. A corner that lies too near on one
//! batch is elsewhere on another: a vector has to agree on one of several, for what is wrong is wrong on all.

use std::collections::BTreeMap;

use super::bench::{Bench, STEPS, largest, length, yardsticks};
use super::cut::drivers;
use super::{Found, Measured, NO_ERROR, by_figure};
use crate::error::Result;
use crate::learning::Rule;
use crate::locality::{Slot, Tensor};
use crate::loss::{Embeddings, Errors, Memory, StoredView, Workspace};
use crate::network::UnitId;
use crate::rng::Rng;
use crate::simulation::{Learning, Simulation};

/// What corners and rounding leave of a true slope.
pub(super) const LIMIT: f64 = 0.08;
/// What is measured.
pub(super) const UNIT: &str = "of the slope";

const DIRECTIONS: usize = 7;
/// How far weights are moved, as a share of the length of their vector.
const DISTANCES: [f64; 8] = [3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5];
/// A change shorter than this share of the longest one is lost in the rounding of the loss.
const FLOOR: f64 = 1e-3;

/// The change of every projection against the slope along it.
pub(super) fn climb(bench: &Bench<'_>) -> Result<Found> {
    let learning = bench.experiment.learning().clone();
    let taught = match bench.plainly(&bench.bare(), Learning { rule: Rule::Bp, targets: None, ..learning }) {
        Ok(taught) => taught,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut rng = bench.stream().named("directions").rng();
    // The least misfit of each vector, over the batches on which the loss makes an error.
    let mut least: BTreeMap<String, f64> = BTreeMap::new();
    for batch in 0..STEPS {
        let simulation = bench.simulation(&taught);
        let changes = bench.changes(simulation.clone(), batch)?;
        let longest = largest(changes.iter().map(|(_, change)| length(change)));
        if longest == 0.0 {
            continue;
        }
        let mut landscape = Landscape::new(bench, simulation, batch);
        for ((name, change), size) in changes.iter().zip(yardsticks(&changes, length)) {
            if least.get(name).is_none_or(|&least| by_figure(least, LIMIT).is_gt()) {
                let misfit = landscape.misfit(name, change, size.max(FLOOR * longest), &mut rng)?;
                let least = least.entry(name.clone()).or_insert(f64::NAN);
                *least = if by_figure(misfit, *least).is_lt() { misfit } else { *least };
            }
        }
        if least.values().all(|&least| by_figure(least, LIMIT).is_le()) {
            break;
        }
    }
    if least.is_empty() {
        return Ok(Err(NO_ERROR.to_string()));
    }
    let compared = format!(
        "a step of Bp, end to end, with central differences of {}: {} vectors, {DIRECTIONS} random directions",
        taught.learning.loss.name(),
        least.len()
    );
    Ok(Ok(Measured::worst(compared, least.into_iter().map(|(name, figure)| (figure, name)))))
}

/// The loss as a function of the weights.
struct Landscape<'a> {
    bench: &'a Bench<'a>,
    batch: usize,
    simulation: Simulation,
    /// Heads that the vector at hand can move.
    heads: Vec<UnitId>,
    /// What short-term memory holds for each head, where that is a constant.
    memories: Option<BTreeMap<UnitId, Vec<f32>>>,
    workspace: Workspace,
}

impl<'a> Landscape<'a> {
    fn new(bench: &'a Bench<'a>, simulation: Simulation, batch: usize) -> Landscape<'a> {
        let constant = simulation.learning().loss.stored_view() == StoredView::Constant;
        let heads = simulation.network().heads().to_vec();
        let workspace = Workspace::default();
        let mut landscape = Landscape { bench, batch, simulation, heads: heads.clone(), memories: None, workspace };
        landscape.memories = constant.then(|| heads.into_iter().map(|head| (head, landscape.remember(head))).collect());
        landscape
    }

    /// The relative error of `change` as the slope along the vector called `name`: the larger one of that along the
    /// change itself and of the median of random directions, for a change that is measured as one of length `size`.
    fn misfit(&mut self, name: &str, change: &[f64], size: f64, rng: &mut Rng) -> Result<f64> {
        self.heads = self.heads_above(name);
        let start: Vec<f32> = self.simulation.get(name).unwrap_or_default().to_vec();
        let own = self.error(name, &start, change, change.to_vec())? / size;
        // A weight of exactly 0 is a synapse that does not exist.
        let exists = |weight: &f32| *weight != 0.0;
        // The root mean square of the slopes along random directions of length 1.
        let usual = size / (start.iter().filter(|weight| exists(weight)).count() as f64).sqrt();
        let mut errors = Vec::new();
        for _ in 0..DIRECTIONS {
            let direction = start.iter().map(|weight| if exists(weight) { f64::from(rng.normal()) } else { 0.0 });
            errors.push(self.error(name, &start, change, direction.collect())? / usual);
        }
        self.simulation.set(name, &start)?;
        errors.sort_by(f64::total_cmp);
        Ok(largest([own, errors[DIRECTIONS / 2]].into_iter()))
    }

    /// How far `change` is from the slope of the loss along `direction`, brought to length 1: 0 for a direction of no
    /// length, and no number for one that is lost in infinities.
    fn error(&mut self, name: &str, start: &[f32], change: &[f64], direction: Vec<f64>) -> Result<f64> {
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
            let rise = self.at(name, &up)? - self.at(name, &down)?;
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

    /// The loss where one vector has these values.
    fn at(&mut self, name: &str, values: &[f32]) -> Result<f64> {
        self.simulation.set(name, values)?;
        Ok(self.loss())
    }

    /// The loss of the heads at hand.
    fn loss(&mut self) -> f64 {
        let (batch, loss) = (self.bench.batch(self.batch), self.simulation.learning().loss.clone());
        let mut sum = 0.0;
        for head in self.heads.clone() {
            let stored = match &self.memories {
                Some(kept) => kept.get(&head).cloned().unwrap_or_default(),
                None => self.remember(head),
            };
            let current = self.embed(batch.current, head);
            let (mut current_error, mut stored_error) = (vec![0.0; current.len()], vec![0.0; stored.len()]);
            let learns = loss.stored_view() == StoredView::Learns;
            let shape = self.simulation.network().unit(head).shape;
            let seen = Embeddings { shape, stored: &stored, current: &current, labels: batch.labels.into() };
            let errors = Errors { stored: learns.then_some(stored_error.as_mut_slice()), current: &mut current_error };
            sum += loss.compare(seen, errors, &mut self.workspace).loss;
        }
        sum
    }

    /// What short-term memory keeps of the stored view for a head: nothing, where it is not shown.
    fn remember(&mut self, head: UnitId) -> Vec<f32> {
        let (stored, loss, network) =
            (self.bench.batch(self.batch).stored, &self.simulation.learning().loss, self.simulation.network());
        if loss.stored_view() == StoredView::Absent {
            return Vec::new();
        }
        let kept = match loss.memory() {
            Memory::Head => head,
            Memory::Below => network.afferents(head).next().map_or(head, |id| network.projection(id).from),
        };
        self.embed(stored, kept)
    }

    /// The heads that see what a vector does.
    fn heads_above(&self, name: &str) -> Vec<UnitId> {
        let network = self.simulation.network();
        let tensor = self.simulation.tensors().into_iter().find(|tensor| tensor.name == name);
        let drives = |tensor: Tensor| match tensor.slot {
            Slot::Weight(id) | Slot::Bias(id) => Some(network.projection(id).to),
            _ => None,
        };
        let driven = tensor.and_then(drives);
        let above = |head: &UnitId| driven.is_some_and(|unit| drivers(network, *head).contains(&unit));
        network.heads().iter().copied().filter(above).collect()
    }

    fn embed(&mut self, images: &[f32], unit: UnitId) -> Vec<f32> {
        let mut embeddings = Vec::new();
        self.simulation.encode(images, unit, &mut embeddings);
        embeddings
    }
}
