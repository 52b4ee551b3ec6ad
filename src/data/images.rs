//! Labelled images in memory, one byte a pixel: a training and a test set make a data set.

use super::objects::World;
use crate::shape::Shape;

/// Labelled images, planar: `[image][channel][row][column]`, one byte a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    shape: Shape,
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

impl Images {
    /// Images of `shape` with one label each.
    ///
    /// # Panics
    /// If there are not `shape.len()` pixels for each label.
    pub fn new(shape: Shape, pixels: Vec<u8>, labels: Vec<u8>) -> Self {
        assert_eq!(pixels.len(), labels.len() * shape.len(), "pixels of {} images of {shape}", labels.len());
        Images { shape, pixels, labels }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
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
    pub fn label(&self, index: usize) -> usize {
        usize::from(self.labels[index])
    }

    /// Fills `out` with one image, bytes divided by 255: values in [0, 1], nothing subtracted.
    pub fn floats(&self, index: usize, out: &mut [f32]) {
        for (out, &byte) in out.iter_mut().zip(self.image(index)) {
            *out = f32::from(byte) / 255.0;
        }
    }
}

/// A data set: images to learn from, images to be tested on, and what its labels mean.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// What reports call it.
    pub name: String,
    /// Shape of every image.
    pub shape: Shape,
    /// Name of each class, by label.
    pub classes: Vec<String>,
    /// Images to learn from; the views of training are made of these.
    pub train: Images,
    /// Images to be tested on.
    pub test: Images,
    /// The world behind the images, where there is one to render moments from.
    pub(super) world: Option<World>,
}

impl Dataset {
    /// A digest of all images and labels: equal data, equal digests.
    pub fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for half in [&self.train, &self.test] {
            hasher.update(&(half.len() as u64).to_le_bytes()).update(&half.pixels).update(&half.labels);
        }
        hasher.finalize().to_hex()[..16].to_string()
    }

    /// A data set of images that were photographed or made elsewhere.
    ///
    /// # Panics
    /// If training and test images differ in shape.
    pub fn new(name: impl Into<String>, classes: Vec<String>, train: Images, test: Images) -> Self {
        assert_eq!(train.shape(), test.shape(), "training and test images of one shape");
        Dataset { name: name.into(), shape: train.shape(), classes, train, test, world: None }
    }
}
