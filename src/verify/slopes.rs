//! The rung on which back-propagation is the slope of the loss.
//!
//! The loss is measured where weights were moved: activity and loss alone, no error and no plan for learning. Where the
//! stored view is a constant, its embeddings stay those of the weights where they were.

use std::collections::BTreeMap;

use super::bench::Bench;
use super::cut::drivers;
use super::differences::{DIRECTIONS, Landscape, misfits};
use super::{Found, Measured, NO_ERROR};
use crate::error::Result;
use crate::learning::Rule;
use crate::loss::{Embeddings, Errors, Memory, StoredView, Workspace};
use crate::network::UnitId;
use crate::simulation::{Batch, Learning, Simulation};

/// The change of every projection against the slope along it.
pub(super) fn climb(bench: &Bench<'_>) -> Result<Found> {
    let learning = bench.experiment.learning().clone();
    let taught = match bench.plainly(&bench.bare(), Learning { rule: Rule::Bp, targets: None, ..learning }) {
        Ok(taught) => taught,
        Err(reason) => return Ok(Err(reason)),
    };
    let least = misfits(bench, &taught, |simulation, batch| Losses::new(simulation.clone(), bench.batch(batch)))?;
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
struct Losses<'a> {
    batch: Batch<'a>,
    /// What short-term memory holds for each head, where that is a constant.
    memories: Option<BTreeMap<UnitId, Vec<f32>>>,
    workspace: Workspace,
}

impl Landscape for Losses<'_> {
    // All share one loss, in which the largest are rounded.
    const FLOOR: f64 = 1e-3;

    /// The loss of the heads above the driven unit.
    fn height(&mut self, simulation: &mut Simulation, driven: UnitId) -> f64 {
        let network = simulation.network();
        let sees = |head: &UnitId| drivers(network, *head).contains(&driven);
        let heads: Vec<UnitId> = network.heads().iter().copied().filter(sees).collect();
        heads.into_iter().map(|head| self.loss(simulation, head)).sum()
    }
}

impl<'a> Losses<'a> {
    fn new(mut start: Simulation, batch: Batch<'a>) -> Losses<'a> {
        let constant = start.learning().loss.stored_view() == StoredView::Constant;
        let heads = start.network().heads().to_vec();
        let memories =
            constant.then(|| heads.into_iter().map(|head| (head, remember(&mut start, batch, head))).collect());
        Losses { batch, memories, workspace: Workspace::default() }
    }

    /// The loss of one head.
    fn loss(&mut self, simulation: &mut Simulation, head: UnitId) -> f64 {
        let loss = simulation.learning().loss.clone();
        let stored = match &self.memories {
            Some(kept) => kept.get(&head).cloned().unwrap_or_default(),
            None => remember(simulation, self.batch, head),
        };
        let current = embed(simulation, self.batch.current, head);
        let (mut current_error, mut stored_error) = (vec![0.0; current.len()], vec![0.0; stored.len()]);
        let learns = loss.stored_view() == StoredView::Learns;
        let shape = simulation.network().unit(head).shape;
        let seen = Embeddings { shape, stored: &stored, current: &current, labels: self.batch.labels.into() };
        let errors = Errors { stored: learns.then_some(stored_error.as_mut_slice()), current: &mut current_error };
        loss.compare(seen, errors, &mut self.workspace).loss
    }
}

/// What short-term memory keeps of the stored view for a head: nothing, where it is not shown.
fn remember(simulation: &mut Simulation, batch: Batch<'_>, head: UnitId) -> Vec<f32> {
    let (loss, network) = (&simulation.learning().loss, simulation.network());
    if loss.stored_view() == StoredView::Absent {
        return Vec::new();
    }
    let kept = match loss.memory() {
        Memory::Head => head,
        Memory::Below => network.afferents(head).next().map_or(head, |id| network.projection(id).from),
    };
    embed(simulation, batch.stored, kept)
}

/// The activity of a unit that is shown `images`.
pub(super) fn embed(simulation: &mut Simulation, images: &[f32], unit: UnitId) -> Vec<f32> {
    let mut embeddings = Vec::new();
    simulation.encode(images, unit, &mut embeddings);
    embeddings
}
