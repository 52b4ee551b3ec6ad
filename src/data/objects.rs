//! `Objects`: ten solids drawn in changing pose, place and light. A data set that needs no download, in the spirit of
//! what the method is for: an observer who sees one thing at two moments, and no label.
//!
//! Image number `index` of a seed is always the same: its class comes from a shuffled block of ten, its scene from a
//! stream of its own.
//!
//! A class is a shape and nothing else: colour, pattern, size, pose, place, light and surroundings say nothing of it. So
//! the set is hard for what only looks at pixels and possible for what sees shapes. Test accuracy, where chance is 10 %:
//! a linear classifier finds 24 % from pixels (10,000 training and 2,000 test images, three seeds 23.7 to 24.9 %), 33 %
//! from the random encoder of `networks/quickstart.ron` (32.2 to 35.3 %) and 45 % from a random CONV6 (8,000 images); a
//! small supervised convolutional network with batch normalisation and mirrored images finds 91 % (8,000 images, 12
//! epochs).

mod body;
mod lanes;
mod render;
mod scene;
mod solid;
mod texture;
mod vector;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::views::unless_probability;
use super::{Dataset, Images};
use crate::fault::Fault;
use crate::rng::Stream;
use crate::shape::Shape;

pub use scene::Scene;
use solid::SOLIDS;

/// Shape of every image.
pub const SHAPE: Shape = Shape::new(3, 32, 32);

/// How far two moments of one object may lie apart.
///
/// What both moments share is what can be learned, and colours are easier to share than a shape. The circuit of
/// `networks/quickstart.ron`, untrained at 35.3 % (seed 1, test images), learns its way to 40.8 % from deformed images,
/// to 40.8 % from moments that keep the skin, and to 51.2 % from moments that change it too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Moments {
    /// Largest turn about an axis in any direction, in degrees; 0 keeps the pose.
    pub turn: f32,
    /// Largest shift right or left, up or down, in image sides; 0 keeps the place.
    pub shift: f32,
    /// How far the light goes towards another one drawn at random: 0 stays, 1 arrives.
    pub light: f32,
    /// Probability that the object is met before another floor and wall and from another height; 0 keeps
    /// them.
    pub surroundings: f32,
    /// Probability that the object comes in other colours and another pattern, so that its shape alone lasts; 0 keeps
    /// them.
    pub skin: f32,
}

impl Default for Moments {
    fn default() -> Self {
        Moments { turn: 45.0, shift: 0.1, light: 1.0, surroundings: 1.0, skin: 1.0 }
    }
}

impl Moments {
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if !(0.0..=180.0).contains(&self.turn) {
            faults.push(Fault::new("turn", format!("{} is no largest turn", self.turn), "use 0 to 180 degrees"));
        }
        if !(0.0..=0.5).contains(&self.shift) {
            let problem = format!("a shift of {} image sides loses the object", self.shift);
            faults.push(Fault::new("shift", problem, "use a value from 0 to 0.5"));
        }
        if !(0.0..=1.0).contains(&self.light) {
            faults.push(Fault::new(
                "light",
                format!("{} is no way from 0 to 1", self.light),
                "use a value from 0 to 1",
            ));
        }
        faults.extend(unless_probability("surroundings", self.surroundings));
        faults.extend(unless_probability("skin", self.skin));
        faults
    }
}

/// The scenes behind the images of one seed.
#[derive(Debug, Clone, Copy)]
pub struct World {
    stream: Stream,
}

impl World {
    /// The world of one seed.
    pub fn new(seed: u64) -> Self {
        World { stream: Stream::new(seed).named("objects") }
    }

    /// The scene of a training image.
    pub fn train(&self, index: usize) -> Scene {
        scene(self.stream.named("train"), index)
    }

    /// The scene of a test image.
    pub fn test(&self, index: usize) -> Scene {
        scene(self.stream.named("test"), index)
    }
}

/// Scene `index` of one half: each block of as many images as there are classes shows every class once.
fn scene(half: Stream, index: usize) -> Scene {
    let mut order: [usize; SOLIDS.len()] = std::array::from_fn(|class| class);
    half.named("order").at((index / order.len()) as u64).rng().shuffle(&mut order);
    Scene::draw(order[index % order.len()], half.named("scene").at(index as u64))
}

/// The data set of one seed.
pub(super) fn draw(name: &str, images: usize, test_images: usize, seed: u64) -> Dataset {
    let world = World::new(seed);
    let train = photograph(images, |index| world.train(index));
    let test = photograph(test_images, |index| world.test(index));
    let classes = SOLIDS.iter().map(|solid| solid.name.to_string()).collect();
    Dataset { world: Some(world), ..Dataset::new(name, classes, train, test) }
}

fn photograph(count: usize, scene: impl Fn(usize) -> Scene + Sync) -> Images {
    let mut pixels = vec![0; count * SHAPE.len()];
    let mut labels = vec![0; count];
    pixels.par_chunks_exact_mut(SHAPE.len()).zip(&mut labels).enumerate().for_each_init(
        || vec![0.0; SHAPE.len()],
        |image, (index, (pixels, label))| {
            let scene = scene(index);
            *label = scene.label();
            scene.render(image);
            for (byte, value) in pixels.iter_mut().zip(image) {
                *byte = (*value * 255.0 + 0.5) as u8;
            }
        },
    );
    Images::new(SHAPE, pixels, labels)
}
