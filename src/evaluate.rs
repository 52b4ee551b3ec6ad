//! The read-out: how much of a label a linear classifier finds in frozen features.
//!
//! One dense layer with bias and cross-entropy, trained by Adam (paper, section 3): labels are used here and nowhere
//! else. Every accuracy stands beside two floors, the same read-out on the untrained encoder and on raw pixels,
//! because a random encoder already comes far.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Images, Resampler};
use crate::error::{Error, Result};
use crate::kernels::{Buffer, Isa, Linear};
use crate::network::UnitId;
use crate::optimizer::{Optimizer, subtract};
use crate::rng::Stream;
use crate::shape::Shape;
use crate::simulation::{Readout, Simulation, check_input};

/// Features of a set of images with their labels: what a read-out learns from.
#[derive(Debug)]
pub struct Features {
    /// Of each image the features, then a 1 that the classifier's biases are the weights of.
    rows: Buffer,
    labels: Vec<usize>,
    /// Values of one image.
    values: usize,
}

/// How well a read-out does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Values of one image's features.
    pub features: usize,
    /// Percent of training images whose label is found.
    pub train_accuracy: f64,
    /// Percent of test images whose label is found.
    pub test_accuracy: f64,
}

impl Features {
    /// An empty row of `values` features for each label.
    fn new(labels: Vec<usize>, values: usize) -> Self {
        let width = Linear::width(values + 1);
        let mut rows = Buffer::zeros(labels.len() * width);
        rows.chunks_mut(width).for_each(|row| row[values] = 1.0);
        Features { rows, labels, values }
    }

    /// The pixels themselves, of images brought to `shape`.
    pub fn pixels(images: &Images, shape: Shape) -> Features {
        let mut features = Features::new(labels(images), shape.len());
        let width = Linear::width(shape.len() + 1);
        let mut resampler = Resampler::default();
        for (index, row) in features.rows.chunks_mut(width).enumerate() {
            images.shown(index, shape, &mut resampler, &mut row[..shape.len()]);
        }
        features
    }

    /// The activity of `unit`, which the simulation computes without learning, on images brought to `shape`,
    /// pooled as `readout` says.
    pub fn of_unit(
        simulation: &mut Simulation,
        unit: UnitId,
        readout: &Readout,
        images: &Images,
        shape: Shape,
    ) -> Features {
        let own = simulation.network().unit(unit).shape;
        let (side, len) = (readout.window(own), readout.pooled(own).len());
        let mut features = Features::new(labels(images), len);
        let width = Linear::width(len + 1);
        let batch = simulation.state().capacity();
        let mut pixels = vec![0.0; batch * shape.len()];
        let mut activity = Vec::new();
        let mut resampler = Resampler::default();
        for first in (0..images.len()).step_by(batch) {
            let count = batch.min(images.len() - first);
            for (index, image) in pixels.chunks_mut(shape.len()).take(count).enumerate() {
                images.shown(first + index, shape, &mut resampler, image);
            }
            activity.clear();
            simulation.encode(&pixels[..count * shape.len()], unit, &mut activity);
            let rows = features.rows[first * width..].par_chunks_mut(width).zip(activity.par_chunks(own.len()));
            rows.for_each(|(row, values)| mean_pool(values, own, side, &mut row[..len]));
        }
        features
    }

    /// Images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}

/// The mean of each whole window of `side` x `side` values, map by map.
fn mean_pool(activity: &[f32], shape: Shape, side: usize, means: &mut [f32]) {
    let (rows, columns) = (shape.height / side, shape.width / side);
    let share = ((side * side) as f32).recip();
    for (map, means) in activity.chunks(shape.height * shape.width).zip(means.chunks_mut(rows * columns)) {
        for (index, mean) in means.iter_mut().enumerate() {
            let (row, column) = (index / columns * side, index % columns * side);
            let window = (row..row + side).flat_map(|row| &map[row * shape.width + column..][..side]);
            *mean = share * window.sum::<f32>();
        }
    }
}

fn labels(images: &Images) -> Vec<usize> {
    (0..images.len()).map(|index| images.label(index)).collect()
}

/// A linear classifier in training.
struct Classifier {
    isa: Isa,
    map: Linear,
    /// A row for each class: a weight for each feature, then the bias.
    weights: Buffer,
    changes: Buffer,
}

impl Classifier {
    fn new(isa: Isa, features: usize, classes: usize, stream: Stream) -> Self {
        let map = Linear::new(features + 1, classes);
        let bound = (features as f32).sqrt().recip();
        let mut rng = stream.named("read-out").rng();
        let mut weights = Buffer::zeros(map.weights());
        let width = Linear::width(features + 1);
        for weights in weights.chunks_mut(width) {
            weights[..features].fill_with(|| rng.between(-bound, bound));
        }
        weights.chunks_mut(width).for_each(|weights| weights[features] = rng.between(-bound, bound));
        Classifier { isa, map, weights, changes: Buffer::zeros(map.changes()) }
    }

    /// The derivative of the mean cross-entropy of some samples by the weights, to be made their update.
    fn learn(&mut self, features: &Features, samples: &[usize]) -> &mut [f32] {
        let share = (samples.len() as f32).recip();
        let err = |sample: usize, logits: &mut [f32]| {
            let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            logits.iter_mut().for_each(|logit| *logit = (*logit - largest).exp());
            let scale = share / logits.iter().sum::<f32>();
            logits.iter_mut().for_each(|logit| *logit *= scale);
            logits[features.labels[sample]] -= share;
        };
        self.map.learn(self.isa, &self.weights, &features.rows, samples, &err, &mut self.changes);
        &mut self.changes[..self.weights.len()]
    }

    /// Takes the update that stands where the derivative stood.
    fn take(&mut self) {
        let update = &self.changes[..self.weights.len()];
        subtract(&mut self.weights, update);
    }

    /// Percent of `features` whose label is found.
    fn accuracy(&self, features: &Features) -> f64 {
        let right = AtomicUsize::new(0);
        let samples: Vec<usize> = (0..features.len()).collect();
        self.map.respond(self.isa, &self.weights, &features.rows, &samples, &|sample, logits| {
            let best = (1..logits.len()).fold(0, |best, class| if logits[class] > logits[best] { class } else { best });
            right.fetch_add(usize::from(best == features.labels[sample]), Ordering::Relaxed);
        });
        100.0 * right.into_inner() as f64 / features.len().max(1) as f64
    }
}

/// Trains a linear classifier of `classes` classes on `train` and tests it on `test`; `progress` is told of each epoch.
///
/// # Errors
/// The classifier's weights leave the finite numbers, or `progress` fails, such as by [`Error::Stopped`].
pub fn read_out(
    isa: Isa,
    train: &Features,
    test: &Features,
    classes: usize,
    settings: &Readout,
    seed: u64,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Accuracy> {
    let stream = Stream::new(seed);
    let mut classifier = Classifier::new(isa, train.values, classes, stream);
    let optimizer = Optimizer::adam(settings.rate);
    let mut moments = optimizer.moments(classifier.weights.len());
    let mut order: Vec<usize> = (0..train.len()).collect();
    let mut updates = 0;
    for epoch in 0..settings.epochs {
        stream.named("read-out order").at(epoch).rng().shuffle(&mut order);
        for samples in order.chunks(settings.batch) {
            let change = classifier.learn(train, samples);
            updates += 1;
            optimizer.update(isa, updates, &mut moments, change);
            classifier.take();
        }
        progress(epoch + 1)?;
    }
    if classifier.weights.iter().any(|weight| !weight.is_finite()) {
        return Err(Error::Diverged {
            problem: "the read-out's weights are no longer finite numbers".to_string(),
            remedy: "lower readout.rate, or look for features without bounds".to_string(),
        });
    }
    Ok(Accuracy {
        features: train.values,
        train_accuracy: classifier.accuracy(train),
        test_accuracy: classifier.accuracy(test),
    })
}

/// Reads the activity of one unit out, pooled as `settings` say: features of both splits, then a classifier.
///
/// # Errors
/// As for [`read_out`]; also if the data set's images are not shown in the shape of the network's input.
pub fn read_out_unit(
    simulation: &mut Simulation,
    unit: UnitId,
    dataset: &Dataset,
    settings: &Readout,
    seed: u64,
    progress: &mut dyn FnMut(u64) -> Result<()>,
) -> Result<Accuracy> {
    check_input(simulation.network(), dataset)?;
    let train = Features::of_unit(simulation, unit, settings, &dataset.train, dataset.shape);
    let test = Features::of_unit(simulation, unit, settings, &dataset.test, dataset.shape);
    read_out(simulation.state().isa(), &train, &test, dataset.classes.len(), settings, seed, progress)
}
