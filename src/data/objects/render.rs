//! How a scene becomes an image: one ray through each pixel, four more where neighbours differ, sixteen rays at a time.
//!
//! A surface with colour a and unit normal n, under a lamp in direction l, shows
//! a (ambient (0.7 + 0.3 n_y) + lamp [n . l]+), without the lamp where the way to it is blocked.
//!
//! What no ray of a packet needs, none does: the solid where all pass far from it, its skin where all miss it, the way
//! to the lamp where all surfaces face away.

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch};

use super::SHAPE;
use super::body::Rays;
use super::lanes::{LANES, Lanes, Mask, smaller};
use super::scene::Scene;
use super::solid::{Hits, REACH, SOLIDS, Solid};
use super::vector::{Matrix, Vector};

/// From the observer to the solid's centre, and half the image's width at that distance.
const DISTANCE: f32 = 6.0;
const HALF_IMAGE: f32 = 1.3;

/// Neighbouring pixels that differ by more than this in a channel are looked at more closely.
const CONTRAST: f32 = 0.12;

/// How far off its surface a ray starts towards the lamp.
const LIFT: f32 = 4e-3;

/// Two packets of rays make a row, and its pixels fit into 32 bits.
const _: () = assert!(SHAPE.width == 2 * LANES && SHAPE.width == 32 && SHAPE.height == 32);

/// A scene ready to be looked at: what is the same for all its rays.
struct Stage<'a, S: Simd> {
    simd: S,
    scene: &'a Scene,
    solid: &'static Solid,
    observer: Vector,
    /// Middle of the image, and half its width and height, as seen from the observer.
    forward: Vector,
    right: Vector,
    up: Vector,
    /// From the world's directions to the solid's, and normals back.
    inwards: Matrix,
    outwards: Matrix,
    centre: Vector,
    /// The observer and the way to the lamp in the solid's coordinates.
    from: Vector,
    to_lamp: Vector,
}

/// What rays come upon first.
struct Seen<S: Simd> {
    colour: Vector<Lanes<S>>,
    normal: Vector<Lanes<S>>,
    /// Just above the surface, in the solid's coordinates.
    start: Vector<Lanes<S>>,
}

impl Scene {
    /// Fills `out`, `[channel][row][column]` of 3x32x32, with the image in [0, 1]. The bits are the same on every
    /// processor.
    ///
    /// # Panics
    /// If `out` has another size.
    pub fn render(&self, out: &mut [f32]) {
        assert_eq!(out.len(), SHAPE.len(), "room for an image of {SHAPE}");
        dispatch!(Level::new(), simd => Stage::new(simd, self).draw(out));
    }
}

impl<'a, S: Simd> Stage<'a, S> {
    fn new(simd: S, scene: &'a Scene) -> Self {
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
            simd,
            scene,
            solid: &SOLIDS[scene.solid],
            observer,
            forward: back * -1.0,
            right: right * (HALF_IMAGE / DISTANCE),
            up: up * (HALF_IMAGE / DISTANCE),
            inwards,
            // A normal goes out by the transpose of the matrix that comes in.
            outwards: inwards.transposed(),
            centre,
            from: inwards.apply(observer - centre),
            to_lamp: inwards.apply(scene.light.direction),
        }
    }

    #[inline(always)]
    fn draw(&self, out: &mut [f32]) {
        let columns = std::array::from_fn(|lane| lane as f32);
        for row in 0..SHAPE.height {
            let rows = self.all(row as f32);
            for half in [0, LANES] {
                let columns = Lanes::load_array(self.simd, columns) + half as f32;
                let colours = self.look(rows, columns, 0.5, 0.5);
                for (channel, values) in colours.0.iter().enumerate() {
                    let start = (channel * SHAPE.height + row) * SHAPE.width + half;
                    values.store_slice(&mut out[start..start + LANES]);
                }
            }
        }
        let edges = self.edges(out);
        let mut pixels = Vec::new();
        for (row, mut bits) in edges.into_iter().enumerate() {
            while bits != 0 {
                pixels.push(row * SHAPE.width + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
        for pixels in pixels.chunks(LANES) {
            self.refine(pixels, out);
        }
    }

    /// The pixels of an image that differ from a neighbour: a bit each, a number each row.
    #[inline(always)]
    fn edges(&self, image: &[f32]) -> [u32; 32] {
        let mut edges = [0; 32];
        for row in 0..SHAPE.height {
            let start = row * SHAPE.width;
            // The last pixel has no neighbour to its right, so the second sixteen pairs begin with the first's last.
            let (again, next) = (LANES - 1, start + LANES - 1);
            let right = self.differ(image, start, start + 1) | self.differ(image, next, next + 1) << again;
            edges[row] |= right | right << 1;
            if row + 1 < SHAPE.height {
                let below = start + SHAPE.width;
                let down = self.differ(image, start, below) | self.differ(image, start + LANES, below + LANES) << LANES;
                edges[row] |= down;
                edges[row + 1] |= down;
            }
        }
        edges
    }

    /// Which of sixteen pixels from `one` on differ in a channel from those from `other` on.
    #[inline(always)]
    fn differ(&self, image: &[f32], one: usize, other: usize) -> u32 {
        let mut bits = 0;
        for plane in image.chunks_exact(SHAPE.height * SHAPE.width) {
            let one = Lanes::from_slice(self.simd, &plane[one..one + LANES]);
            let other = Lanes::from_slice(self.simd, &plane[other..other + LANES]);
            bits |= (one - other).abs().simd_gt(CONTRAST).to_bitmask() as u32;
        }
        bits
    }

    /// Replaces up to sixteen pixels by the mean of four rays through each.
    #[inline(always)]
    fn refine(&self, pixels: &[usize], out: &mut [f32]) {
        let (mut rows, mut columns) = ([0.0; LANES], [0.0; LANES]);
        for (lane, pixel) in pixels.iter().enumerate() {
            rows[lane] = (pixel / SHAPE.width) as f32;
            columns[lane] = (pixel % SHAPE.width) as f32;
        }
        let (rows, columns) = (Lanes::load_array(self.simd, rows), Lanes::load_array(self.simd, columns));
        let upper = self.look(rows, columns, 0.25, 0.25) + self.look(rows, columns, 0.25, 0.75);
        let lower = self.look(rows, columns, 0.75, 0.25) + self.look(rows, columns, 0.75, 0.75);
        let colours = (upper + lower) * 0.25;
        for (values, plane) in colours.0.iter().zip(out.chunks_exact_mut(SHAPE.height * SHAPE.width)) {
            for (pixel, value) in pixels.iter().zip(values.as_array()) {
                plane[*pixel] = *value;
            }
        }
    }

    #[inline(always)]
    fn all(&self, value: f32) -> Lanes<S> {
        Lanes::splat(self.simd, value)
    }

    /// The colours of pixels, (`down`, `right`) of the way through each. Compiled once, not where it is called.
    fn look(&self, rows: Lanes<S>, columns: Lanes<S>, down: f32, right: f32) -> Vector<Lanes<S>> {
        self.simd.vectorize(
            #[inline(always)]
            || {
                let x = (columns + right) * (2.0 / SHAPE.width as f32) - 1.0;
                let y = 1.0 - (rows + down) * (2.0 / SHAPE.height as f32);
                self.trace(self.forward + self.right * x + self.up * y)
            },
        )
    }

    /// The colours in directions from the observer.
    #[inline(always)]
    fn trace(&self, direction: Vector<Lanes<S>>) -> Vector<Lanes<S>> {
        let rays = Rays::new(Vector::splat(self.simd, self.from), self.inwards.apply(direction));
        let hits = self.meet(&rays, Mask::splat(self.simd, true));
        let solid = hits.map_or(Mask::splat(self.simd, false), |hits| hits.mask());
        let mut seen = self.surroundings(direction);
        if let Some(hits) = hits.filter(|_| solid.any_true()) {
            let near = self.surface(&rays, &hits);
            seen.colour = near.colour.only(solid, seen.colour);
            seen.normal = near.normal.only(solid, seen.normal);
            seen.start = near.start.only(solid, seen.start);
        }
        self.shade(&seen)
    }

    /// The solid.
    #[inline(always)]
    fn surface(&self, rays: &Rays<S>, hits: &Hits<S>) -> Seen<S> {
        let inside = rays.at(hits.time);
        let normal = self.outwards.apply(self.solid.normals(hits, inside)).units();
        let start = inside + self.inwards.apply(normal) * LIFT;
        Seen { colour: self.scene.skin.at(inside), normal, start }
    }

    /// Floor and wall.
    #[inline(always)]
    fn surroundings(&self, direction: Vector<Lanes<S>>) -> Seen<S> {
        let surroundings = &self.scene.surroundings;
        let to_wall = (-surroundings.depth - self.observer.0[2]) / direction.0[2];
        let to_floor = -self.observer.0[1] / direction.0[1];
        let floor = direction.0[1].simd_lt(0.0) & to_floor.simd_lt(to_wall);
        let points = self.observer + direction * floor.select(to_floor, to_wall);
        let colour = if floor.all_true() {
            surroundings.floor.at(points)
        } else if floor.any_true() {
            surroundings.floor.at(points).only(floor, surroundings.wall.at(points))
        } else {
            surroundings.wall.at(points)
        };
        let (none, one) = (self.all(0.0), self.all(1.0));
        let normal = Vector::new(none, floor.select(one, none), floor.select(none, one));
        Seen { colour, normal, start: self.inwards.apply(points - self.centre) }
    }

    /// The light that comes from there.
    #[inline(always)]
    fn shade(&self, seen: &Seen<S>) -> Vector<Lanes<S>> {
        let light = &self.scene.light;
        let facing = seen.normal.dot(light.direction);
        let mut lit = facing.simd_gt(0.0);
        if lit.any_true() {
            let rays = Rays::new(seen.start, Vector::splat(self.simd, self.to_lamp));
            if let Some(hits) = self.meet(&rays, lit) {
                lit &= !hits.mask();
            }
        }
        let ambient = light.ambient * (0.7 + 0.3 * seen.normal.0[1]);
        let received = (ambient + light.lamp * facing).only(lit, ambient);
        let [red, green, blue] = seen.colour.times(received).0;
        let most = self.all(1.0);
        Vector([smaller(red, most), smaller(green, most), smaller(blue, most)])
    }

    /// Where rays hit the solid; nothing if none of those asked for comes near it.
    #[inline(always)]
    fn meet(&self, rays: &Rays<S>, asked: Mask<S>) -> Option<Hits<S>> {
        (rays.within(REACH) & asked).any_true().then(|| self.solid.meet(rays))
    }
}
