//! How a scene becomes an image: one ray through each pixel, four more where neighbours differ.
//!
//! A surface with colour a and unit normal n, under a lamp in direction l, shows
//! a (ambient (0.7 + 0.3 n_y) + lamp [n . l]+), without the lamp where the way to it is blocked.

use super::SHAPE;
use super::scene::Scene;
use super::solid::{REACH, Ray, SOLIDS, Solid};
use super::vector::{Matrix, Vector};

/// From the observer to the solid's centre, and half the image's width at that distance.
const DISTANCE: f32 = 6.0;
const HALF_IMAGE: f32 = 1.3;

/// Neighbouring pixels that differ by more than this in a channel are looked at more closely.
const CONTRAST: f32 = 0.12;

/// How far off its surface a ray starts towards the lamp.
const LIFT: f32 = 4e-3;

/// A scene ready to be looked at: what is the same for all its rays.
struct Stage<'a> {
    scene: &'a Scene,
    solid: &'static Solid,
    observer: Vector,
    /// Middle of the image, and half its width and height, as seen from the observer.
    forward: Vector,
    right: Vector,
    up: Vector,
    /// From the world's directions to the solid's.
    inwards: Matrix,
    centre: Vector,
    /// The same in the solid's coordinates.
    from: Vector,
    to_lamp: Vector,
}

impl Scene {
    /// Fills `out`, `[channel][row][column]` of 3x32x32, with the image in [0, 1].
    ///
    /// # Panics
    /// If `out` has another size.
    pub fn render(&self, out: &mut [f32]) {
        let (height, width) = (SHAPE.height, SHAPE.width);
        assert_eq!(out.len(), SHAPE.len(), "room for an image of {SHAPE}");
        let stage = Stage::new(self);
        let look = |row: usize, column: usize, down: f32, right: f32| {
            let x = (column as f32 + right) * (2.0 / width as f32) - 1.0;
            let y = 1.0 - (row as f32 + down) * (2.0 / height as f32);
            stage.look(x, y)
        };
        let mut first = vec![Vector::new(0.0, 0.0, 0.0); height * width];
        for row in 0..height {
            for column in 0..width {
                first[row * width + column] = look(row, column, 0.5, 0.5);
            }
        }
        for row in 0..height {
            for column in 0..width {
                let here = first[row * width + column];
                let differs = |row: usize, column: usize| differ(here, first[row * width + column]);
                let edge = differs(row.saturating_sub(1), column)
                    || differs((row + 1).min(height - 1), column)
                    || differs(row, column.saturating_sub(1))
                    || differs(row, (column + 1).min(width - 1));
                let colour = if edge {
                    let upper = look(row, column, 0.25, 0.25) + look(row, column, 0.25, 0.75);
                    let lower = look(row, column, 0.75, 0.25) + look(row, column, 0.75, 0.75);
                    (upper + lower) * 0.25
                } else {
                    here
                };
                for (channel, value) in colour.0.into_iter().enumerate() {
                    out[(channel * height + row) * width + column] = value;
                }
            }
        }
    }
}

fn differ(one: Vector, other: Vector) -> bool {
    (one - other).0.iter().any(|difference| difference.abs() > CONTRAST)
}

impl<'a> Stage<'a> {
    fn new(scene: &'a Scene) -> Self {
        let (sin, cos) = scene.surroundings.elevation.sin_cos();
        let back = Vector::new(0.0, sin, cos);
        let (right, up) = (Vector::new(1.0, 0.0, 0.0), Vector::new(0.0, cos, -sin));
        let centre = Vector::new(0.0, scene.height, 0.0);
        // The solid appears to the right when the observer stands to the left of it.
        let [x, y] = scene.offset.map(|sides| sides * 2.0 * HALF_IMAGE);
        let observer = centre + back * DISTANCE - right * x - up * y;
        let columns = scene.rotation.transposed();
        let inwards = Matrix(std::array::from_fn(|axis| columns.0[axis] * (1.0 / scene.stretch.0[axis])));
        Stage {
            scene,
            solid: &SOLIDS[scene.solid],
            observer,
            forward: back * -1.0,
            right: right * (HALF_IMAGE / DISTANCE),
            up: up * (HALF_IMAGE / DISTANCE),
            inwards,
            centre,
            from: inwards.apply(observer - centre),
            to_lamp: inwards.apply(scene.light.direction),
        }
    }

    /// The colour in the direction (x, y) of the image, which spans -1 to 1 both ways.
    fn look(&self, x: f32, y: f32) -> Vector {
        let direction = self.forward + self.right * x + self.up * y;
        let inwards = self.inwards.apply(direction);
        let colour = match self.meet(self.from, inwards) {
            Some((time, normal)) => {
                let inside = self.from + inwards * time;
                // A normal goes out by the transpose of the matrix that comes in.
                let normal = self.inwards.transposed().apply(normal).unit();
                let start = inside + self.inwards.apply(normal) * LIFT;
                self.shade(self.scene.skin.at(inside), normal, start)
            }
            None => self.surroundings(direction),
        };
        Vector(colour.0.map(|value| value.min(1.0)))
    }

    fn surroundings(&self, direction: Vector) -> Vector {
        let surroundings = &self.scene.surroundings;
        let to_wall = (-surroundings.depth - self.observer.0[2]) / direction.0[2];
        let to_floor = -self.observer.0[1] / direction.0[1];
        let floor = direction.0[1] < 0.0 && to_floor < to_wall;
        let (texture, normal, time) = if floor {
            (&surroundings.floor, Vector::new(0.0, 1.0, 0.0), to_floor)
        } else {
            (&surroundings.wall, Vector::new(0.0, 0.0, 1.0), to_wall)
        };
        let point = self.observer + direction * time;
        self.shade(texture.at(point), normal, self.inwards.apply(point - self.centre))
    }

    /// What a surface shows; `start` is the point just above it, in the solid's coordinates.
    fn shade(&self, colour: Vector, normal: Vector, start: Vector) -> Vector {
        let light = &self.scene.light;
        let facing = normal.dot(light.direction);
        let mut received = light.ambient * (0.7 + 0.3 * normal.0[1]);
        if facing > 0.0 && self.meet(start, self.to_lamp).is_none() {
            received = received + light.lamp * facing;
        }
        colour.times(received)
    }

    /// Most rays pass far from the solid; its bounding sphere tells them first.
    fn meet(&self, origin: Vector, direction: Vector) -> Option<(f32, Vector)> {
        let along = origin.dot(direction);
        let square = direction.dot(direction);
        let beyond = origin.dot(origin) - REACH * REACH;
        if along * along < square * beyond || (along > 0.0 && beyond > 0.0) {
            return None;
        }
        self.solid.meet(&Ray::new(origin, direction))
    }
}
