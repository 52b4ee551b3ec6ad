//! Embeddings of a batch that are set, not computed, so that every threshold of a loss is met from both sides.

use crate::loss::{Criterion, Embeddings, Errors, Labels, StoredView, Workspace};
use crate::number::Traced;
use crate::rng::{Rng, Stream};
use crate::shape::Shape;

/// Both views of a batch, `[sample][unit]`.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub shape: Shape,
    pub stored: Vec<f32>,
    pub current: Vec<f32>,
    labels: Vec<u8>,
    scale: f32,
    rng: Rng,
}

impl Set {
    /// Pairs that are all too near for a loss, all too far, and all much alike.
    pub(super) fn all(loss: &dyn Criterion, shape: Shape, items: usize, labels: &[u8]) -> Vec<Set> {
        let margin = loss.margins().map_or(1.0, |(_, negative)| negative);
        let units = shape.len() as f32;
        let scales = [(0.0, 0.5 * margin / units), (0.0, 10.0 * margin.max(1.0)), (1.0, 0.2)];
        let mut sets = Vec::new();
        for (nth, (common, scale)) in scales.into_iter().enumerate() {
            let mut rng = Stream::new(11).named("embeddings").at(nth as u64).rng();
            let shared: Vec<f32> = (0..shape.len()).map(|_| common * rng.between(-1.0, 1.0)).collect();
            let mut rows = || -> Vec<f32> {
                let values = 0..items * shape.len();
                values.map(|index| shared[index % shape.len()] + scale * rng.between(-1.0, 1.0)).collect()
            };
            let (stored, current) = (rows(), rows());
            sets.push(Set { shape, stored, current, labels: labels[..items].to_vec(), scale, rng });
        }
        sets
    }

    /// Gives an item another embedding of the stored view, or else of the current one.
    pub(super) fn replace(&mut self, item: usize, stored: bool) {
        let size = self.shape.len();
        let rows = if stored { &mut self.stored } else { &mut self.current };
        let reach = self.scale * self.rng.between(0.1, 3.0);
        for value in &mut rows[item * size..][..size] {
            *value = -*value + reach * self.rng.between(-1.0, 1.0);
        }
    }

    /// Moves every value by a thousandth at most.
    pub(super) fn nudge(&mut self) {
        for value in self.stored.iter_mut().chain(&mut self.current) {
            *value *= 1.0 + 1e-3 * self.rng.between(-1.0, 1.0);
        }
    }

    /// The errors of the current view by the arithmetic of `loss`, in numbers that remember.
    pub(super) fn trace(&self, loss: &dyn Criterion) -> Vec<Traced> {
        let size = self.shape.len();
        let rows = |values: &[f32], make: fn(usize, f32) -> Traced| -> Vec<Traced> {
            values.iter().enumerate().map(|(index, value)| make(index / size, *value)).collect()
        };
        let absent = loss.stored_view() == StoredView::Absent;
        let stored = if absent { Vec::new() } else { rows(&self.stored, Traced::stored) };
        let current = rows(&self.current, Traced::current);
        let learns = loss.stored_view() == StoredView::Learns;
        let mut of_stored = vec![Traced::default(); if learns { stored.len() } else { 0 }];
        let mut errors = vec![Traced::default(); current.len()];
        let seen = Embeddings { shape: self.shape, stored: &stored, current: &current, labels: self.labels(loss) };
        loss.trace(seen, Errors { stored: learns.then_some(of_stored.as_mut_slice()), current: &mut errors });
        errors
    }

    /// The same in earnest.
    pub(super) fn errors(&self, loss: &dyn Criterion) -> Vec<f32> {
        let learns = loss.stored_view() == StoredView::Learns;
        let mut of_stored = vec![0.0; if learns { self.stored.len() } else { 0 }];
        let mut errors = vec![0.0; self.current.len()];
        let (shape, labels) = (self.shape, self.labels(loss));
        let seen = Embeddings { shape, stored: &self.stored, current: &self.current, labels };
        let told = Errors { stored: learns.then_some(of_stored.as_mut_slice()), current: &mut errors };
        loss.compare(seen, told, &mut Workspace::default());
        errors
    }

    fn labels(&self, loss: &dyn Criterion) -> Labels<'_> {
        if loss.is_supervised() { self.labels.as_slice().into() } else { Labels::default() }
    }
}
