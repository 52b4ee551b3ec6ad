//! The read-out: how much of a label a linear classifier finds in frozen features.
//!
//! One dense layer with bias and cross-entropy, trained by Adam (paper, section 3): labels are used here and nowhere
//! else. Every accuracy stands beside two floors, the same read-out on the untrained encoder and on raw pixels,
//! because a random encoder already comes far.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Images, Resampler};
use crate::error::{Error, Result};
use crate::kernels::correlation::{Correlation, sum_over_positions};
use crate::kernels::{Buffer, Input, Isa, Layout, Outcome, Packets, Product, Sum};
use crate::network::UnitId;
use crate::optimizer::Optimizer;
use crate::rng::Stream;
use crate::shape::Shape;
use crate::simulation::{Readout, Simulation, check_input};

/// Features of a set of images with their labels: what a read-out learns from.
#[derive(Debug)]
pub struct Features {
    rows: Buffer,
    labels: Vec<usize>,
    layout: Layout,
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
    /// An empty row of `len` features for each label.
    fn new(labels: Vec<usize>, len: usize) -> Self {
        let layout = Layout::new(Shape::flat(len), 0);
        Features { rows: Buffer::zeros(labels.len() * layout.sample()), labels, layout }
    }

    /// The pixels themselves, of images brought to `shape`.
    pub fn pixels(images: &Images, shape: Shape) -> Features {
        let mut features = Features::new(labels(images), shape.len());
        let row = features.layout.sample();
        let mut resampler = Resampler::default();
        for (index, row) in features.rows.chunks_mut(row).enumerate() {
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
        let row = features.layout.sample();
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
            let rows = features.rows[first * row..].par_chunks_mut(row).zip(activity.par_chunks(own.len()));
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
    classes: usize,
    layout: Layout,
    outputs: Layout,
    product: Product,
    packed: Buffer,
    correlation: Correlation,
    scratch: Buffer,
    /// Weights `[class][feature]`, then biases.
    weights: Vec<f32>,
    change: Vec<f32>,
    logits: Buffer,
}

impl Classifier {
    fn new(isa: Isa, layout: Layout, classes: usize, batch: usize, stream: Stream) -> Self {
        let outputs = Layout::new(Shape::flat(classes), 0);
        let product = Product::dense(layout, outputs);
        let correlation = Correlation::dense(layout, outputs);
        let features = layout.shape.len();
        let bound = (features as f32).sqrt().recip();
        let mut rng = stream.named("read-out").rng();
        Classifier {
            isa,
            classes,
            layout,
            outputs,
            packed: Buffer::zeros(product.packed_len()),
            scratch: Buffer::zeros(correlation.scratch_len(batch)),
            product,
            correlation,
            weights: (0..classes * (features + 1)).map(|_| rng.between(-bound, bound)).collect(),
            change: vec![0.0; classes * (features + 1)],
            logits: Buffer::zeros(batch * outputs.sample()),
        }
    }

    fn synapses(&self) -> usize {
        self.classes * self.layout.shape.len()
    }

    /// Logits of a batch of feature rows.
    fn respond(&mut self, rows: &[f32]) -> usize {
        let samples = rows.len() / self.layout.sample();
        let synapses = self.synapses();
        self.product.pack(&self.weights[..synapses], &mut self.packed);
        let logits = &mut self.logits[..samples * self.outputs.sample()];
        let biases = Some(&self.weights[synapses..]);
        let logits = Outcome::Sums(Sum::Replace, logits);
        self.product.run(self.isa, &self.packed, Input::Values(rows), biases, logits);
        samples
    }

    /// Turns logits into the derivative of the batch's mean cross-entropy, and correlates it with the features.
    fn learn(&mut self, rows: &[f32], labels: &[usize]) {
        let samples = self.respond(rows);
        let stride = self.outputs.sample();
        for (row, &label) in self.logits.chunks_mut(stride).zip(labels) {
            let row = &mut row[..self.classes];
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            row.iter_mut().for_each(|logit| *logit = (*logit - largest).exp());
            let scale = (row.iter().sum::<f32>() * samples as f32).recip();
            row.iter_mut().for_each(|share| *share *= scale);
            row[label] -= (samples as f32).recip();
        }
        let errors = Packets::of_values(self.outputs, &self.logits[..samples * stride]);
        let synapses = self.synapses();
        self.change.fill(0.0);
        let (weights, biases) = self.change.split_at_mut(synapses);
        self.correlation.run(self.isa, rows, errors, &mut self.scratch, weights);
        sum_over_positions(self.isa, errors, biases);
    }

    /// Percent of `features` whose label is found.
    fn accuracy(&mut self, features: &Features, batch: usize) -> f64 {
        let (row, stride, classes) = (self.layout.sample(), self.outputs.sample(), self.classes);
        let mut right = 0;
        for (rows, labels) in features.rows.chunks(row * batch).zip(features.labels.chunks(batch)) {
            self.respond(rows);
            for (logits, &label) in self.logits.chunks(stride).zip(labels) {
                let best = (1..classes).fold(0, |best, class| if logits[class] > logits[best] { class } else { best });
                right += u64::from(best == label);
            }
        }
        100.0 * right as f64 / features.len().max(1) as f64
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
    let batch = settings.batch.min(train.len());
    let row = train.layout.sample();
    let stream = Stream::new(seed);
    let mut classifier = Classifier::new(isa, train.layout, classes, batch, stream);
    let optimizer = Optimizer::adam(settings.rate);
    let mut moments = optimizer.moments(classifier.weights.len());
    let mut order: Vec<usize> = (0..train.len()).collect();
    let mut rows = Buffer::zeros(batch * row);
    let mut labels = vec![0; batch];
    let mut updates = 0;
    for epoch in 0..settings.epochs {
        stream.named("read-out order").at(epoch).rng().shuffle(&mut order);
        for samples in order.chunks(batch) {
            for ((to, label), &sample) in rows.chunks_mut(row).zip(&mut labels).zip(samples) {
                to.copy_from_slice(&train.rows[sample * row..][..row]);
                *label = train.labels[sample];
            }
            classifier.learn(&rows[..samples.len() * row], &labels[..samples.len()]);
            updates += 1;
            optimizer.update(classifier.isa, updates, &mut moments, &mut classifier.change);
            classifier.weights.iter_mut().zip(&classifier.change).for_each(|(weight, update)| *weight -= update);
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
        features: train.layout.shape.len(),
        train_accuracy: classifier.accuracy(train, batch),
        test_accuracy: classifier.accuracy(test, batch),
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
