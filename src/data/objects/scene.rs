//! One moment of a small world: a solid over a floor before a wall, an observer, a lamp. Everything is drawn apart from
//! the class, so that nothing but shape tells one class from another.

use super::Moments;
use super::solid::REACH;
use super::texture::{Paint, Texture, direction};
use super::vector::{Matrix, Vector};
use crate::rng::{Rng, Stream};

/// A solid in its surroundings, as one observer sees it under one light. The floor is y = 0, the observer looks down
/// the z axis from its positive side.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    /// Place in the table of solids: the class.
    pub(super) solid: usize,
    /// From the solid's coordinates to the world's: stretched first, then turned.
    pub(super) rotation: Matrix,
    pub(super) stretch: Vector,
    /// Height of the solid's centre over the floor.
    pub(super) height: f32,
    pub(super) skin: Texture,
    pub(super) surroundings: Surroundings,
    /// Where the solid's centre appears, right and up of the image's, in image sides.
    pub(super) offset: [f32; 2],
    pub(super) light: Light,
}

/// What the solid stands before, and how steeply the observer looks down on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Surroundings {
    pub(super) floor: Texture,
    pub(super) wall: Texture,
    /// From the solid's centre to the wall.
    pub(super) depth: f32,
    /// Elevation of the observer over the solid, in radians.
    pub(super) elevation: f32,
}

/// A distant lamp and the light that comes from everywhere.
#[derive(Debug, Clone, Copy)]
pub(super) struct Light {
    /// Towards the lamp.
    pub(super) direction: Vector,
    pub(super) lamp: Vector,
    pub(super) ambient: Vector,
}

/// Largest lean of a solid's own axis from the vertical, in radians.
const LEAN: f32 = 0.7;

/// Solids are somewhat brighter and more colourful than what lies behind them, as things that are looked at often are.
const SKIN: Paint = Paint { saturation: (0.1, 0.9), value: (0.4, 1.0) };
const BACKDROP: Paint = Paint { saturation: (0.0, 0.6), value: (0.25, 0.85) };

impl Scene {
    /// The scene of one image: a solid of class `solid`, all else from `stream`.
    pub(super) fn draw(solid: usize, stream: Stream) -> Scene {
        let rng = &mut stream.rng();
        let heading = Matrix::rotation(Vector::new(0.0, 1.0, 0.0), rng.between(0.0, std::f32::consts::TAU));
        let [x, _, z] = direction(rng).0;
        let lean = Matrix::rotation(Vector::new(x, 0.0, z + 1e-6).unit(), rng.between(0.0, LEAN));
        let size = rng.between(0.8, 1.15);
        let stretch = Vector([0; 3].map(|_| size * rng.between(0.85, 1.1)));
        Scene {
            solid,
            rotation: lean.after(heading),
            stretch,
            height: 1.1 * size * REACH + rng.between(0.0, 0.3),
            skin: Texture::draw(rng, 0.8, &SKIN),
            surroundings: Surroundings::draw(rng),
            offset: [0; 2].map(|_| rng.between(-0.1, 0.1)),
            light: Light::draw(rng),
        }
    }

    /// The class: which solid it is.
    pub fn label(&self) -> u8 {
        self.solid as u8
    }

    /// The same solid at another moment: turned, elsewhere in the image, in another light, before another wall.
    pub fn moment(&self, moments: &Moments, rng: &mut Rng) -> Scene {
        let axis = direction(rng);
        let angle = moments.turn.to_radians() * rng.between(-1.0, 1.0);
        let shift = [0; 2].map(|_| moments.shift * rng.between(-1.0, 1.0));
        let light = Light::draw(rng);
        let moved = rng.uniform() < moments.surroundings;
        let surroundings = Surroundings::draw(rng);
        let repainted = rng.uniform() < moments.skin;
        let skin = Texture::draw(rng, 0.8, &SKIN);
        Scene {
            skin: if repainted { skin } else { self.skin },
            rotation: Matrix::rotation(axis, angle).after(self.rotation),
            offset: std::array::from_fn(|axis| self.offset[axis] + shift[axis]),
            light: self.light.towards(light, moments.light),
            surroundings: if moved { surroundings } else { self.surroundings },
            ..*self
        }
    }
}

impl Surroundings {
    fn draw(rng: &mut Rng) -> Surroundings {
        Surroundings {
            floor: Texture::draw(rng, 1.6, &BACKDROP),
            wall: Texture::draw(rng, 2.0, &BACKDROP),
            depth: rng.between(1.5, 4.0),
            elevation: rng.between(0.2, 0.8),
        }
    }
}

impl Light {
    fn draw(rng: &mut Rng) -> Light {
        // From above, and rather from the observer's side: a solid that is lit from behind shows nothing.
        let [x, y, z] = direction(rng).0;
        let lamp = rng.between(0.6, 1.0);
        let ambient = rng.between(0.3, 0.6);
        let tint = Vector([0; 3].map(|_| rng.between(0.75, 1.0)));
        let shade = Vector([0; 3].map(|_| rng.between(0.75, 1.0)));
        Light { direction: Vector::new(x, y.abs() + 0.3, z + 0.5).unit(), lamp: tint * lamp, ambient: shade * ambient }
    }

    /// A light on the way from this to `other`.
    fn towards(&self, other: Light, way: f32) -> Light {
        Light {
            direction: self.direction.towards(other.direction, way).unit(),
            lamp: self.lamp.towards(other.lamp, way),
            ambient: self.ambient.towards(other.ambient, way),
        }
    }
}
