//! The `views:` field of an experiment: how two views of one image are made, the stored one and the current one.
//!
//! A view is drawn from a stream of its own, named by epoch, sample and view, and every part draws its numbers whether
//! it is on or off: a view depends neither on the batch it is in, nor on the thread that draws it, nor on other parts.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::deform::Deformer;
use super::{Dataset, Moments, Padding, Resampler, SimClr, Warp, glimpse};
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::rng::{Rng, Stream};
use crate::shape::Shape;

/// How the views of an image are made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Views {
    /// By deforming the image.
    Deform(Deformation),
    /// By looking again at the object of the image, at another moment.
    Moments(Moments),
    /// By glimpses of parts of the image in changed colours.
    SimClr(SimClr),
}

impl Default for Views {
    fn default() -> Self {
        Views::Deform(Deformation::default())
    }
}

/// How far a view may stray from its image; the defaults are the paper's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Deformation {
    /// Width of the range of the six affine numbers, of the shifts twice that: 0.5 draws them from +-0.25 and +-0.5.
    /// 0 leaves every pixel in its place.
    pub affine: f32,
    /// Largest factor on the saturation, whose logarithm is uniform: 4 draws from 1/4 to 4, 1 leaves it alone.
    pub saturation: f32,
    /// Width of the range of the turn of hue: 0.2 draws from +-0.1 turns, 0 leaves it alone.
    pub hue: f32,
    /// Probability that left and right are exchanged.
    pub flip: f32,
    /// What comes in from beyond the edge.
    pub padding: Padding,
    /// Probability that a view is warped: the others get colour and mirror alone.
    pub warp_fraction: f32,
}

impl Default for Deformation {
    fn default() -> Self {
        Deformation { affine: 0.5, saturation: 4.0, hue: 0.2, flip: 0.5, padding: Padding::Zeros, warp_fraction: 1.0 }
    }
}

impl Deformation {
    /// The parameters of one view.
    pub fn warp(&self, rng: &mut Rng) -> Warp {
        let mut affine = [[0.0; 3]; 2];
        for row in &mut affine {
            for (column, value) in row.iter_mut().enumerate() {
                let reach = if column == 2 { self.affine } else { self.affine / 2.0 };
                *value = rng.between(-reach, reach);
            }
        }
        let saturation = self.saturation.powf(rng.between(-1.0, 1.0));
        let hue = self.hue * rng.between(-0.5, 0.5);
        let flip = rng.uniform() < self.flip;
        if rng.uniform() >= self.warp_fraction {
            affine = [[0.0; 3]; 2];
        }
        Warp { affine, saturation, hue, flip }
    }

    fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (place, value) in [("affine", self.affine), ("hue", self.hue)] {
            if !(value.is_finite() && value >= 0.0) {
                faults.push(Fault::new(place, format!("{value} is no strength"), "use a finite value of 0 or more"));
            }
        }
        if !(self.saturation.is_finite() && self.saturation >= 1.0) {
            let problem = format!("{} cannot be the largest factor on the saturation", self.saturation);
            faults.push(Fault::new("saturation", problem, "use a finite value of 1 (off) or more"));
        }
        faults.extend(unless_probability("flip", self.flip));
        faults.extend(unless_probability("warp_fraction", self.warp_fraction));
        faults
    }
}

/// A fault unless `value` lies in [0, 1].
pub(super) fn unless_probability(place: &str, value: f32) -> Option<Fault> {
    (!(0.0..=1.0).contains(&value))
        .then(|| Fault::new(place, format!("{value} is no probability"), "use a value from 0 to 1"))
}

impl Views {
    /// What is wrong with the strengths; places are their fields.
    pub fn faults(&self) -> Vec<Fault> {
        match self {
            Views::Deform(deformation) => deformation.faults(),
            Views::Moments(moments) => moments.faults(),
            Views::SimClr(simclr) => simclr.faults(),
        }
    }

    /// Shape of the views of images of `shape`.
    pub fn shape(&self, shape: Shape) -> Shape {
        match self {
            Views::SimClr(SimClr { size: Some(side), .. }) => Shape::new(shape.channels, *side, *side),
            _ => shape,
        }
    }

    /// Whether these views can be made of `dataset`.
    ///
    /// # Errors
    /// Moments of images that have no object behind them, or a data set that is shown in another size than the views.
    pub fn check(&self, dataset: &Dataset) -> Result<()> {
        let shape = self.shape(dataset.viewed().shape());
        if shape != dataset.shape {
            return Err(Error::usage(
                format!("views of {} are {shape}, but the data set is shown as {}", dataset.name, dataset.shape),
                "let the data set be seen_through these views",
            ));
        }
        match self {
            Views::Moments(_) if dataset.world.is_none() => Err(Error::usage(
                format!("moments need objects to look at again, and {} holds images alone", dataset.name),
                "write views: Deform() or data: Objects()",
            )),
            _ => Ok(()),
        }
    }

    /// Fills `out`, `[sample][channel][row][column]` in [0, 1], with view number `view` (0 stored, 1 current) of the
    /// images `samples` of [`Dataset::viewed`]. The bits depend on `stream`, `epoch`, sample and `view` alone.
    ///
    /// # Panics
    /// If [`Views::check`] refuses `dataset`, a sample is not there, or `out` has another size than the views.
    pub fn draw(&self, dataset: &Dataset, samples: &[usize], stream: Stream, epoch: u64, view: u64, out: &mut [f32]) {
        let size = dataset.shape.len();
        assert_eq!(out.len(), samples.len() * size, "room for {} views of {}", samples.len(), dataset.shape);
        let epoch = stream.named("views").at(epoch);
        let views = out.par_chunks_exact_mut(size).zip(samples);
        let rng = |sample: usize| epoch.at(sample as u64).at(view).rng();
        match self {
            Views::Deform(deformation) => views.for_each_init(
                || (vec![0.0; size], Deformer::new(dataset.shape, deformation.padding)),
                |(image, deformer), (out, &sample)| {
                    dataset.viewed().floats(sample, image);
                    deformer.deform(image, &deformation.warp(&mut rng(sample)), out);
                },
            ),
            Views::Moments(moments) => {
                let world = dataset.world.as_ref().expect("a data set with objects, which check demands");
                views.for_each(|(out, &sample)| world.train(sample).moment(moments, &mut rng(sample)).render(out));
            }
            Views::SimClr(simclr) => {
                let images = dataset.viewed();
                views.for_each_init(
                    || (vec![0.0; images.shape().len()], Resampler::default()),
                    |(image, resampler), (out, &sample)| {
                        images.floats(sample, image);
                        let parameters = simclr.glimpse(images.shape(), &mut rng(sample));
                        glimpse(image, images.shape(), &parameters, dataset.shape, resampler, out);
                    },
                );
            }
        }
    }
}
