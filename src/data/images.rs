//! Images in memory, one byte a pixel: a training and a test set, both labelled, make a data set, to which images without
//! labels may come.

use super::objects::World;
use super::{Crop, Resampler, Views};
use crate::shape::Shape;

/// Images, planar: `[image][channel][row][column]`, one byte a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    shape: Shape,
    count: usize,
    pixels: Vec<u8>,
    /// One for each image, or none at all.
    labels: Vec<u8>,
}

impl Images {
    /// Images of `shape` with one label each.
    ///
    /// # Panics
    /// If there are not `shape.len()` pixels for each label.
    pub fn new(shape: Shape, pixels: Vec<u8>, labels: Vec<u8>) -> Self {
        assert_eq!(pixels.len(), labels.len() * shape.len(), "pixels of {} images of {shape}", labels.len());
        Images { shape, count: labels.len(), pixels, labels }
    }

    /// Images of `shape` without labels.
    ///
    /// # Panics
    /// If the pixels are no whole number of images.
    pub fn unlabelled(shape: Shape, pixels: Vec<u8>) -> Self {
        assert!(pixels.len().is_multiple_of(shape.len()), "{} pixels are no whole images of {shape}", pixels.len());
        Images { shape, count: pixels.len() / shape.len(), pixels, labels: Vec::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether every image has a label.
    pub fn is_labelled(&self) -> bool {
        self.labels.len() == self.count
    }

    /// Shape of each image.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Bytes of one image, `[channel][row][column]`.
    pub fn image(&self, index: usize) -> &[u8] {
        &self.pixels[index * self.shape.len()..][..self.shape.len()]
    }

    /// Class of one image, a place in [`Dataset::classes`].
    ///
    /// # Panics
    /// If the images have no labels: see [`Images::is_labelled`].
    pub fn label(&self, index: usize) -> usize {
        usize::from(self.labels[index])
    }

    /// Fills `out` with one image, bytes divided by 255: values in [0, 1], nothing subtracted.
    pub fn floats(&self, index: usize, out: &mut [f32]) {
        for (out, &byte) in out.iter_mut().zip(self.image(index)) {
            *out = f32::from(byte) / 255.0;
        }
    }

    /// Fills `out` with one image brought to `shape`, which has as many channels: what [`Images::floats`] gives if it
    /// has that shape, else resized by `resampler`.
    pub fn shown(&self, index: usize, shape: Shape, resampler: &mut Resampler, out: &mut [f32]) {
        if shape == self.shape {
            return self.floats(index, out);
        }
        let mut image = vec![0.0; self.shape.len()];
        self.floats(index, &mut image);
        resampler.run(&image, self.shape, Crop::whole(self.shape), false, shape, out);
    }
}

/// A data set: images to learn from, images to be tested on, what its labels mean, and the shape in which all that is
/// shown.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// What reports call it.
    pub name: String,
    /// Shape in which images and views are shown: that of the images, unless [`Dataset::seen_through`] changed it.
    pub shape: Shape,
    /// Name of each class, by label.
    pub classes: Vec<String>,
    /// Images with labels that a read-out learns from.
    pub train: Images,
    /// Images without labels that views are made of instead of the training images, where there are any.
    pub unlabelled: Option<Images>,
    /// Images to be tested on.
    pub test: Images,
    /// The world behind the images, where there is one to render moments from.
    pub(super) world: Option<World>,
}

impl Dataset {
    /// A digest of all images and labels: equal data, equal digests.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for part in [&self.train, &self.test].into_iter().chain(&self.unlabelled) {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(&part.pixels).update(&part.labels);
        }
        hasher.finalize().to_hex()[..16].to_string()
    }

    /// A data set of images that were photographed or made elsewhere.
    ///
    /// # Panics
    /// If training and test images differ in shape.
    pub fn new(name: impl Into<String>, classes: Vec<String>, train: Images, test: Images) -> Self {
        assert_eq!(train.shape(), test.shape(), "training and test images of one shape");
        Dataset { name: name.into(), shape: train.shape(), classes, train, unlabelled: None, test, world: None }
    }

    /// The same with images without labels, of which views are made from now on.
    ///
    /// # Panics
    /// If they differ in shape from the training images.
    pub fn with_unlabelled(self, images: Images) -> Self {
        assert_eq!(images.shape(), self.train.shape(), "unlabelled and training images of one shape");
        Dataset { unlabelled: Some(images), ..self }
    }

    /// The same, shown in the size of `views`.
    pub fn seen_through(self, views: &Views) -> Self {
        Dataset { shape: views.shape(self.train.shape()), ..self }
    }

    /// The images that views are made of: the unlabelled ones where there are any, else the training images.
    pub fn viewed(&self) -> &Images {
        self.unlabelled.as_ref().unwrap_or(&self.train)
    }
}
