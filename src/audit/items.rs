//! Interventional evidence over whole updates, item by item: with the errors of one item of the batch alone, what is
//! asked of a synapse must be the same whatever all other items show.

use std::collections::BTreeMap;

use super::bench::Bench;
use super::disturb::{distance, percent};
use super::finding::{Kind, Method, Part};
use super::flow::{Flow, folds};
use super::judge::{Draft, Drafts, name_of};
use crate::lint::Lint;
use crate::locality::Place;
use crate::schedule::Step;
use crate::simulation::{Batch, Simulation};

/// Lets all items but one show something else and compares what is asked; says how many updates were compared. Learned
/// inverses, which sum what they learn over all items before any target is told, are left out.
pub(super) fn compare(bench: &Bench<'_>, flow: &Flow<'_>, start: &Simulation, drafts: &mut Drafts) -> usize {
    if flow.steps.iter().any(|step| matches!(step, Step::Perturb(..))) {
        return 0;
    }
    let item = bench.pairs / 2;
    let batch = bench.batch();
    let other = [batch.stored, batch.current].map(|images| {
        let size = images.len() / bench.pairs;
        let shown = |(index, value): (usize, &f32)| if index / size == item { *value } else { 1.0 - *value };
        images.iter().enumerate().map(shown).collect::<Vec<f32>>()
    });
    let mut errors = BTreeMap::new();
    let before = asked(bench, flow, start.clone(), batch, item, &mut errors);
    let after =
        asked(bench, flow, start.clone(), Batch { stored: &other[0], current: &other[1], ..batch }, item, &mut errors);
    for (&update, before) in &before {
        let Some(size) = after.get(&update).and_then(|after| distance(before, after)) else { continue };
        let name = name_of(update, flow.network);
        let part = Part { kind: Kind::Feedforward, name: name.clone() };
        let message = "a signal of one neuron depends on other items of the batch";
        let text = format!(
            "with errors of item {item} alone, what is asked of {name} moves by {} when all others show something else",
            percent(size)
        );
        let draft = Draft::new(Lint::OtherItems, part, message).reaching([update]);
        drafts.add(draft.known(Method::Interventional, text));
    }
    before.len()
}

/// The changes that a step asks for when it shows `batch` and the errors at the heads are those of one item alone: the
/// ones in `errors`, or the first ones that are found.
fn asked(
    bench: &Bench<'_>,
    flow: &Flow<'_>,
    mut simulation: Simulation,
    batch: Batch<'_>,
    item: usize,
    errors: &mut BTreeMap<Place, Vec<f32>>,
) -> BTreeMap<Place, Vec<f32>> {
    let mut changes = BTreeMap::new();
    for (&step, access) in flow.steps.iter().zip(&flow.access) {
        if let Some(update) = folds(step) {
            changes.insert(update, simulation.state_mut().look(update));
            continue;
        }
        bench.take(&mut simulation, batch, step);
        if matches!(step, Step::Compare { .. }) {
            for &place in &access.writes {
                let own = errors.entry(place).or_insert_with(|| {
                    let mut own = simulation.state_mut().look(place);
                    let size = (own.len() / bench.pairs).max(1);
                    let others = own.iter_mut().enumerate().filter(|(index, _)| index / size != item);
                    others.for_each(|(_, error)| *error = 0.0);
                    own
                });
                simulation.state_mut().put(place, own);
            }
        }
    }
    changes
}
