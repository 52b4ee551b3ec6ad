//! The bench: batches that all rungs share, and the circuit taught in one way or another.

use std::path::PathBuf;

use super::{Options, Subject};
use crate::data::{Dataset, Deformation, Images, Views};
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::kernels::Isa;
use crate::learning::Rule;
use crate::loss::Comparison;
use crate::network::{Network, NetworkSpec};
use crate::optimizer::Optimizer;
use crate::rng::Stream;
use crate::simulation::{Batch, Experiment, Folders, Learning, Simulation, Staging};

/// Batches, and steps that each stage takes where time makes a difference.
pub(super) const STEPS: usize = 4;

/// Images that are drawn where there is no data set; more, if a batch has more pairs.
const RANDOM_IMAGES: usize = 64;

/// A power of two so large that the weights of before vanish beside the update: what a step took from a weight, divided
/// by it, is the change to the last bit but one.
const RATE: f32 = (1u32 << 24) as f32;

/// What all rungs stand on.
pub(super) struct Bench<'a> {
    pub(super) experiment: &'a Experiment,
    pub(super) subject: &'a dyn Subject,
    pub(super) isa: Isa,
    pub(super) pairs: usize,
    pub(super) dataset: Dataset,
    /// How views of it are made.
    pub(super) views: Views,
    /// Why the data set is not the experiment's, if it is not.
    substitute: Option<String>,
    batches: Vec<Shown>,
}

/// Two views of a batch, and what the images show.
struct Shown {
    stored: Vec<f32>,
    current: Vec<f32>,
    labels: Vec<u8>,
}

/// A circuit under a way of learning.
#[derive(Clone)]
pub(super) struct Taught {
    pub(super) network: Network,
    pub(super) learning: Learning,
}

impl<'a> Bench<'a> {
    pub(super) fn new(experiment: &'a Experiment, options: &Options, subject: &'a dyn Subject) -> Result<Bench<'a>> {
        experiment.check_memory(options.pairs)?;
        let (dataset, views, substitute) = match load(experiment, &options.data) {
            Ok(dataset) => (dataset, *experiment.views(), None),
            Err(error) if !options.data.is_empty() => return Err(error),
            Err(error) => {
                let affine = Deformation { saturation: 1.0, hue: 0.0, ..Deformation::default() };
                (noise(experiment, options.pairs.max(RANDOM_IMAGES)), Views::Deform(affine), Some(error.to_string()))
            }
        };
        let Options { pairs, isa, .. } = *options;
        let images = dataset.viewed().len();
        if pairs > images {
            let problem = format!("a batch has {pairs} pairs, but {} has {images} images", dataset.name);
            return Err(Error::usage(problem, format!("use --pairs {images} or less")));
        }
        let mut bench = Bench { experiment, subject, isa, pairs, dataset, views, substitute, batches: Vec::new() };
        bench.batches = (0..STEPS).map(|index| bench.draw(index)).collect();
        Ok(bench)
    }

    /// Where the views came from.
    pub(super) fn views(&self) -> String {
        match &self.substitute {
            None => format!("views of {}", self.dataset.name),
            Some(reason) => format!("views of random images, for there are no others: {reason}"),
        }
    }

    fn draw(&self, index: usize) -> Shown {
        let stream = self.stream().at(index as u64);
        let images = self.dataset.viewed();
        let mut order: Vec<usize> = (0..images.len()).collect();
        stream.rng().shuffle(&mut order);
        let samples = &order[..self.pairs];
        let view = |view| {
            let mut out = vec![0.0; self.pairs * self.dataset.shape.len()];
            self.views.draw(&self.dataset, samples, stream, 0, view, &mut out);
            out
        };
        let labelled = images.is_labelled();
        let labels = samples.iter().filter(|_| labelled).map(|&sample| images.label(sample) as u8).collect();
        Shown { stored: view(0), current: view(1), labels }
    }

    /// Where all that is random about the ladder comes from.
    pub(super) fn stream(&self) -> Stream {
        Stream::new(self.experiment.training().seed).named("verify")
    }

    /// One of the batches, which come again after [`STEPS`].
    pub(super) fn batch(&self, index: usize) -> Batch<'_> {
        let Shown { stored, current, labels } = &self.batches[index % STEPS];
        Batch { labels, ..Batch::views(stored, current) }
    }

    /// The circuit as the experiment teaches it.
    pub(super) fn own(&self) -> Taught {
        Taught { network: self.experiment.network().clone(), learning: self.experiment.learning().clone() }
    }

    /// The circuit of `spec` under `learning`, or why it cannot be taught so.
    pub(super) fn taught(&self, spec: &NetworkSpec, learning: Learning) -> std::result::Result<Taught, String> {
        match learning.teach(spec) {
            Ok(network) => Ok(Taught { network, learning }),
            Err(faults) => Err(reason(&faults)),
        }
    }

    /// The circuit without the feedback that is written, wired by `rule` alone.
    pub(super) fn under(&self, rule: Rule) -> std::result::Result<Taught, String> {
        let learning = Learning { rule, targets: None, ..self.experiment.learning().clone() };
        self.taught(&self.bare(), learning)
    }

    /// The circuit of `spec` taught all at once and by [`plain_steps`].
    pub(super) fn plainly(&self, spec: &NetworkSpec, learning: Learning) -> std::result::Result<Taught, String> {
        self.taught(spec, Learning { staging: Staging::EndToEnd, optimizer: plain_steps(), ..learning })
    }

    /// The circuit's description without feedback.
    pub(super) fn bare(&self) -> NetworkSpec {
        NetworkSpec { feedback: Vec::new(), ..self.experiment.spec().clone() }
    }

    /// A simulation at its start.
    pub(super) fn simulation(&self, taught: &Taught) -> Simulation {
        self.simulation_on(self.isa, taught)
    }

    pub(super) fn simulation_on(&self, isa: Isa, taught: &Taught) -> Simulation {
        self.subject.make(isa, &taught.network, &taught.learning, self.pairs, self.experiment.training().seed)
    }

    /// Takes step number `index`, in which the stages take turns.
    pub(super) fn step(&self, simulation: &mut Simulation, index: usize) -> Comparison {
        let stages = simulation.stages().len();
        simulation.enter(index % stages);
        self.subject.step(simulation, self.batch(index))
    }

    /// Takes several steps; the bits of the loss at each.
    pub(super) fn run(&self, simulation: &mut Simulation, steps: std::ops::Range<usize>) -> Vec<u64> {
        steps.map(|index| self.step(simulation, index).loss.to_bits()).collect()
    }

    /// What a step of the stage at hand asks of each vector of forward weights, by name. The simulation must learn by
    /// [`plain_steps`], and is good for nothing afterwards.
    pub(super) fn changes(&self, mut simulation: Simulation, batch: usize) -> Result<Vec<(String, Vec<f64>)>> {
        let before = simulation.clone();
        finite(self.subject.step(&mut simulation, self.batch(batch)).loss)?;
        Ok(forward_vectors(&before)
            .into_iter()
            .map(|name| {
                let pairs = before.get(&name).into_iter().flatten().zip(simulation.get(&name).into_iter().flatten());
                let change = pairs.map(|(old, new)| (f64::from(*old) - f64::from(*new)) / f64::from(RATE)).collect();
                (name, change)
            })
            .collect())
    }
}

/// What the circuit learns from, even if it has fewer images than a batch of the experiment.
fn load(experiment: &Experiment, data: &[PathBuf]) -> Result<Dataset> {
    let experiment = experiment.changed(&["training.pairs=2".to_string()])?;
    experiment.load_learned(&Folders::of(&experiment, data)?)
}

/// Whether a loss is a number.
///
/// # Errors
/// It is none: a circuit whose numbers are lost says nothing about the engine.
pub(super) fn finite(loss: f64) -> Result<()> {
    if loss.is_finite() {
        return Ok(());
    }
    Err(Error::Diverged {
        problem: format!("the loss became {loss}, and nothing can be compared"),
        remedy: "start from smaller weights (init), or lower the rate".to_string(),
    })
}

/// The optimiser under which a change can be read off the weights.
pub(super) fn plain_steps() -> Optimizer {
    Optimizer::Sgd { rate: RATE, momentum: 0.0 }
}

/// The names of the weights and biases of all projections that learn.
pub(super) fn forward_vectors(simulation: &Simulation) -> Vec<String> {
    use crate::locality::Slot;
    let learns = |slot| matches!(slot, Slot::Weight(id) | Slot::Bias(id) if simulation.network().learns(id));
    simulation.tensors().into_iter().filter(|tensor| learns(tensor.slot)).map(|tensor| tensor.name).collect()
}

/// What each change is large or small against: itself, and for biases a tenth of what is asked of their weights. A loss
/// may be blind to biases, and then what it asks of them is rounding.
pub(super) fn yardsticks(changes: &[(String, Vec<f64>)], size: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let weights = |name: &str| name.strip_suffix(".bias").map(|projection| format!("{projection}.weight"));
    let mate = |name: &str| weights(name).and_then(|mate| changes.iter().find(|(name, _)| *name == mate));
    changes
        .iter()
        .map(|(name, change)| size(change).max(mate(name).map_or(0.0, |(_, mate)| 0.1 * size(mate))))
        .collect()
}

/// Euclidean length.
pub(super) fn length(vector: &[f64]) -> f64 {
    vector.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// The largest of several sizes, or no number if one of them is none.
pub(super) fn largest(sizes: impl Iterator<Item = f64>) -> f64 {
    sizes.fold(0.0, |largest: f64, size| if size > largest || size.is_nan() { size } else { largest })
}

/// The first of several faults, in one line.
fn reason(faults: &[Fault]) -> String {
    let first = faults.first().map(|fault| fault.problem.clone()).unwrap_or_default();
    if faults.len() > 1 { format!("{first} (and {} more)", faults.len() - 1) } else { first }
}

/// Images of noise, with classes that every head can name.
fn noise(experiment: &Experiment, count: usize) -> Dataset {
    let (network, shape) = (experiment.network(), experiment.input_shape());
    let room = network.heads().iter().map(|&head| network.unit(head).shape.len()).min().unwrap_or(1);
    let classes = room.min(count);
    let mut rng = Stream::new(experiment.training().seed).named("noise images").rng();
    let mut images = |count: usize| {
        let pixels = (0..count * shape.len()).map(|_| rng.below(256) as u8).collect();
        Images::new(shape, pixels, (0..count).map(|image| (image % classes) as u8).collect())
    };
    let names = (0..classes).map(|class| class.to_string()).collect();
    Dataset::new("random images", names, images(count), images(1))
}
