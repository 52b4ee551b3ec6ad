//! Optimisers: from the change that a synapse population asks for to the update that its weights take.
//!
//! An update depends on each weight's own change and its own running moments, nothing else; learned feedback takes
//! the very update of its forward partner, so the update stands apart from the weights it is taken from.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::kernels::Isa;
use crate::kernels::simd::{Kernel, Vector};
use crate::number::{Number, Operations, Traced};
use crate::threads::least;

/// The optimiser of an experiment, as its file names it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Optimizer {
    /// Stochastic gradient descent: u = rate * m, m = momentum * m + change.
    Sgd {
        /// Learning rate.
        rate: f32,
        /// Share of the previous direction that is kept; 0 keeps no memory.
        #[serde(default)]
        momentum: f32,
    },
    /// Kingma and Ba (2015): a running mean over the root of a running square. Divides, for each weight.
    Adam {
        /// Learning rate.
        #[serde(default = "adam_rate")]
        rate: f32,
        /// Decay of the running mean and of the running square.
        #[serde(default = "adam_betas")]
        betas: (f32, f32),
        /// Added to the root, against division by zero.
        #[serde(default = "adam_epsilon")]
        epsilon: f32,
    },
}

fn adam_rate() -> f32 {
    1e-4
}

fn adam_betas() -> (f32, f32) {
    (0.9, 0.999)
}

fn adam_epsilon() -> f32 {
    1e-8
}

impl Default for Optimizer {
    fn default() -> Self {
        Optimizer::adam(adam_rate())
    }
}

/// The running averages of one synapse population: as many vectors as the optimiser needs, one value a weight.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Moments(pub(crate) Vec<Vec<f32>>);

/// Weights that one task folds in; large enough to outweigh the hand-over.
const CHUNK: usize = 16 * 1024;

impl Optimizer {
    /// Adam with the usual constants.
    pub fn adam(rate: f32) -> Self {
        Optimizer::Adam { rate, betas: adam_betas(), epsilon: adam_epsilon() }
    }

    /// The name in circuit files.
    pub fn name(&self) -> &'static str {
        match self {
            Optimizer::Sgd { .. } => "Sgd",
            Optimizer::Adam { .. } => "Adam",
        }
    }

    /// What is wrong with the optimiser's numbers.
    pub fn faults(&self) -> Vec<Fault> {
        let share = |place: &str, value: f32| {
            (!(0.0..1.0).contains(&value)).then(|| {
                Fault::new(
                    place,
                    format!("{value} is not a share from 0 up to, but not including, 1"),
                    "use such as 0.9",
                )
            })
        };
        let found = match *self {
            Optimizer::Sgd { rate, momentum } => {
                vec![Fault::unless_positive("rate", rate), share("momentum", momentum)]
            }
            Optimizer::Adam { rate, betas, epsilon } => vec![
                Fault::unless_positive("rate", rate),
                share("betas", betas.0).or_else(|| share("betas", betas.1)),
                Fault::unless_positive("epsilon", epsilon),
            ],
        };
        found.into_iter().flatten().collect()
    }

    /// The names of the running averages, in the order of [`Moments`].
    pub fn moment_names(&self) -> &'static [&'static str] {
        match *self {
            Optimizer::Sgd { momentum: 0.0, .. } => &[],
            Optimizer::Sgd { .. } => &["momentum"],
            Optimizer::Adam { .. } => &["mean", "square"],
        }
    }

    /// Running averages for `weights` weights, at their start.
    pub fn moments(&self, weights: usize) -> Moments {
        Moments(vec![vec![0.0; weights]; self.moment_names().len()])
    }

    /// Turns `change` into the update that the weights take (they subtract it); `step` counts from 1.
    ///
    /// # Panics
    /// If `moments` were made by another kind of optimiser.
    pub fn update(&self, isa: Isa, step: u64, moments: &mut Moments, change: &mut [f32]) {
        let (kept, names) = (moments.0.as_mut_slice(), self.moment_names());
        assert_eq!(kept.len(), names.len(), "moments of another optimiser: this one keeps {names:?}");
        let change = change.par_chunks_mut(CHUNK).with_min_len(least());
        match kept {
            [] => change.for_each(|change| self.fold_on(isa, step, &mut [], &mut [], change)),
            [mean] => change
                .zip(mean.par_chunks_mut(CHUNK))
                .for_each(|(change, mean)| self.fold_on(isa, step, mean, &mut [], change)),
            [mean, square, ..] => change
                .zip(mean.par_chunks_mut(CHUNK).zip(square.par_chunks_mut(CHUNK)))
                .for_each(|(change, (mean, square))| self.fold_on(isa, step, mean, square, change)),
        }
    }

    /// The same, compiled for an instruction set: no operation is fused with another, so that all give the same bits.
    fn fold_on(&self, isa: Isa, step: u64, mean: &mut [f32], square: &mut [f32], change: &mut [f32]) {
        isa.compute(Fold { optimizer: self, step, mean, square, change });
    }

    /// What a synapse's change goes through on its way into the weight. Two steps, so that what a moment has gone
    /// through is seen in the update after.
    pub fn trace(&self) -> Operations {
        let (mut mean, mut square) = ([Traced::synapse(0.25)], [Traced::synapse(0.25)]);
        let mut done = Operations::default();
        for step in 1..=2 {
            let mut change = [Traced::synapse(0.5)];
            self.fold(step, &mut mean, &mut square, &mut change);
            done |= change[0].operations();
        }
        done
    }

    /// The arithmetic of [`Optimizer::update`] for some weights, one like the other. Moments that are not kept are not
    /// looked at.
    #[inline(always)]
    fn fold<N: Number>(&self, step: u64, mean: &mut [N], square: &mut [N], change: &mut [N]) {
        match *self {
            Optimizer::Sgd { rate, momentum: 0.0 } => {
                let rate = N::from(rate);
                change.iter_mut().for_each(|u| *u *= rate);
            }
            Optimizer::Sgd { rate, momentum } => {
                let (rate, momentum) = (N::from(rate), N::from(momentum));
                for (u, m) in change.iter_mut().zip(mean) {
                    *m = momentum * *m + *u;
                    *u = rate * *m;
                }
            }
            Optimizer::Adam { rate, betas: (decay, square_decay), epsilon } => {
                let bias = |decay: f32| 1.0 - f64::from(decay).powi(step.min(i32::MAX as u64) as i32);
                let size = N::from((f64::from(rate) / bias(decay)) as f32);
                let root = N::from(bias(square_decay).sqrt() as f32);
                let epsilon = N::from(epsilon);
                let (fresh, fresh_square) = (N::from(1.0 - decay), N::from(1.0 - square_decay));
                let square_decay = N::from(square_decay);
                for ((u, m), v) in change.iter_mut().zip(mean).zip(square) {
                    *m += fresh * (*u - *m);
                    *v = square_decay * *v + fresh_square * *u * *u;
                    *u = size * *m / (v.sqrt() / root + epsilon);
                }
            }
        }
    }
}

/// Weights take the update that stands in their order in `update`: they subtract it.
pub fn subtract(weights: &mut [f32], update: &[f32]) {
    let tasks = weights.par_chunks_mut(CHUNK).zip(update.par_chunks(CHUNK)).with_min_len(least());
    tasks.for_each(|(weights, update)| weights.iter_mut().zip(update).for_each(|(weight, &update)| *weight -= update));
}

/// [`Optimizer::fold`] of some weights.
struct Fold<'a> {
    optimizer: &'a Optimizer,
    step: u64,
    mean: &'a mut [f32],
    square: &'a mut [f32],
    change: &'a mut [f32],
}

impl Kernel for Fold<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(self) {
        self.optimizer.fold(self.step, self.mean, self.square, self.change);
    }
}
