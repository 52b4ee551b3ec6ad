//! SimCLR's views (Chen, Kornblith, Norouzi and Hinton 2020) without the blur: a random part of the image brought to the
//! size of a view, a mirror, colour jitter, and now and then no colours at all. What each part means and the order they
//! stand in are torchvision's: RandomResizedCrop, RandomHorizontalFlip, ColorJitter, RandomGrayscale.

use serde::{Deserialize, Serialize};

use super::crop::{Crop, Resampler};
use super::jitter::{self, Tint};
use super::views::unless_probability;
use crate::fault::Fault;
use crate::rng::Rng;
use crate::shape::Shape;

/// How far a view may stray from its image.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimClr {
    /// Rows and columns of a view; by default those of the images. The read-out sees whole images in this size.
    pub size: Option<usize>,
    /// Least and largest share of the image's area that a view shows.
    pub scale: (f32, f32),
    /// Least and largest width of that part in heights; the logarithm is uniform.
    pub ratio: (f32, f32),
    /// Probability that left and right are exchanged.
    pub flip: f32,
    /// Probability that colours are jittered: brightness, contrast, saturation and hue, in any order.
    pub jitter: f32,
    /// The factor on brightness lies so far from 1 at most, and is never negative; 0 leaves it alone.
    pub brightness: f32,
    /// The same for the factor on contrast.
    pub contrast: f32,
    /// The same for the factor on saturation.
    pub saturation: f32,
    /// Largest turn of hue: 0.2 draws from +-0.2 turns, 0 leaves it alone.
    pub hue: f32,
    /// Probability that colours are taken out.
    pub grey: f32,
}

impl Default for SimClr {
    fn default() -> Self {
        SimClr {
            size: None,
            scale: (0.08, 1.0),
            ratio: (3.0 / 4.0, 4.0 / 3.0),
            flip: 0.5,
            jitter: 0.8,
            brightness: 0.8,
            contrast: 0.8,
            saturation: 0.8,
            hue: 0.2,
            grey: 0.2,
        }
    }
}

/// The parameters of one view.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Glimpse {
    /// The part of the image that is shown.
    pub crop: Crop,
    /// Whether left and right are exchanged.
    pub flip: bool,
    /// Changes of colour, one after the other, if there are any.
    pub jitter: Option<[Tint; 4]>,
    /// Whether colours are taken out at the end.
    pub grey: bool,
}

/// Fills `out`, of shape `view`, with a glimpse of an image `[channel][row][column]` in [0, 1].
///
/// # Panics
/// If the crop is empty or leaves the image, or `image` or `out` is too short for its shape.
pub fn glimpse(
    image: &[f32],
    shape: Shape,
    glimpse: &Glimpse,
    view: Shape,
    resampler: &mut Resampler,
    out: &mut [f32],
) {
    resampler.run(image, shape, glimpse.crop, glimpse.flip, view, out);
    for tint in glimpse.jitter.into_iter().flatten() {
        jitter::tint(out, view, tint);
    }
    if glimpse.grey {
        jitter::grey(out, view);
    }
}

/// How often a part is drawn that may not fit into the image.
const TRIES: usize = 10;

impl SimClr {
    /// The parameters of one view of an image of `shape`.
    pub fn glimpse(&self, shape: Shape, rng: &mut Rng) -> Glimpse {
        let flip = rng.uniform() < self.flip;
        let jittered = rng.uniform() < self.jitter;
        let mut factor = |strength: f32| rng.between((1.0 - strength).max(0.0), 1.0 + strength);
        let mut tints = [
            Tint::Brightness(factor(self.brightness)),
            Tint::Contrast(factor(self.contrast)),
            Tint::Saturation(factor(self.saturation)),
            Tint::Hue(rng.between(-self.hue, self.hue)),
        ];
        rng.shuffle(&mut tints);
        let grey = rng.uniform() < self.grey;
        // The crop comes last, because it draws as many numbers as it needs tries.
        Glimpse { crop: self.crop(shape, rng), flip, jitter: jittered.then_some(tints), grey }
    }

    /// A part of random area and ratio at a random place, or the largest centred one of a legal ratio.
    fn crop(&self, shape: Shape, rng: &mut Rng) -> Crop {
        let (height, width) = (shape.height, shape.width);
        let (narrow, wide) = self.ratio;
        for _ in 0..TRIES {
            let area = (height * width) as f32 * rng.between(self.scale.0, self.scale.1);
            let ratio = rng.between(narrow.ln(), wide.ln()).exp();
            let (rows, columns) = ((area / ratio).sqrt().round() as usize, (area * ratio).sqrt().round() as usize);
            if (1..=height).contains(&rows) && (1..=width).contains(&columns) {
                let (top, left) = (rng.below(height - rows + 1), rng.below(width - columns + 1));
                return Crop { top, left, height: rows, width: columns };
            }
        }
        let rows = ((width as f32 / narrow).round() as usize).clamp(1, height);
        let columns = ((height as f32 * wide).round() as usize).clamp(1, width);
        Crop { top: (height - rows) / 2, left: (width - columns) / 2, height: rows, width: columns }
    }

    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.size == Some(0) {
            faults.push(Fault::new("size", "a view of 0 pixels shows nothing", "use at least 1, such as 32"));
        }
        let (least, most) = self.scale;
        if !(0.0 < least && least <= most && most <= 1.0) {
            let problem = format!("({least}, {most}) are no least and largest share of an image");
            faults.push(Fault::new("scale", problem, "use rising numbers above 0 and up to 1, such as (0.08, 1.0)"));
        }
        let (narrow, wide) = self.ratio;
        if !(0.0 < narrow && narrow <= wide && wide.is_finite()) {
            let problem = format!("({narrow}, {wide}) are no least and largest width in heights");
            faults.push(Fault::new("ratio", problem, "use rising finite numbers above 0, such as (0.75, 1.333)"));
        }
        faults.extend(unless_probability("flip", self.flip));
        faults.extend(unless_probability("jitter", self.jitter));
        let strengths = [("brightness", self.brightness), ("contrast", self.contrast), ("saturation", self.saturation)];
        for (place, value) in strengths {
            if !(value.is_finite() && value >= 0.0) {
                faults.push(Fault::new(place, format!("{value} is no strength"), "use a finite value of 0 or more"));
            }
        }
        if !(0.0..=0.5).contains(&self.hue) {
            let problem = format!("{} is no largest turn of hue", self.hue);
            faults.push(Fault::new("hue", problem, "use 0 to 0.5: half a turn reaches every hue"));
        }
        faults.extend(unless_probability("grey", self.grey));
        faults
    }
}
