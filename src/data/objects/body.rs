//! The convex bodies that solids are made of, and when rays are inside them.
//!
//! Sixteen rays take every step alike. One that misses a body gets an interval that ends before it begins.

use fearless_simd::prelude::*;

use super::lanes::{Lanes, Mask, larger, smaller};
use super::vector::Vector;

/// Rays in a solid's own coordinates; their directions need not have length 1.
#[derive(Clone, Copy)]
pub(super) struct Rays<S: Simd> {
    pub(super) origin: Vector<Lanes<S>>,
    pub(super) direction: Vector<Lanes<S>>,
    /// One over each component of the direction: every block asks for them.
    inverse: Vector<Lanes<S>>,
}

impl<S: Simd> Rays<S> {
    #[inline(always)]
    pub(super) fn new(origin: Vector<Lanes<S>>, direction: Vector<Lanes<S>>) -> Self {
        let [x, y, z] = direction.0;
        Rays { origin, direction, inverse: Vector([1.0 / x, 1.0 / y, 1.0 / z]) }
    }

    #[inline(always)]
    pub(super) fn at(&self, time: Lanes<S>) -> Vector<Lanes<S>> {
        self.origin + self.direction * time
    }

    /// Which rays come closer to the origin than `radius`.
    #[inline(always)]
    pub(super) fn within(&self, radius: f32) -> Mask<S> {
        let along = self.origin.dot(self.direction);
        let square = self.direction.dot(self.direction);
        let beyond = self.origin.dot(self.origin) - radius * radius;
        let past = along.simd_gt(0.0) & beyond.simd_gt(0.0);
        !((along * along).simd_lt(square * beyond) | past)
    }

    /// The same number for each ray.
    #[inline(always)]
    pub(super) fn all(&self, value: f32) -> Lanes<S> {
        Lanes::splat(self.origin.0[0].token(), value)
    }
}

/// A convex body.
pub(super) enum Body {
    /// |p - centre| within `half` along each axis.
    Block { centre: [f32; 3], half: [f32; 3] },
    /// The sum of squares of p - centre, weighted by axis, within the square of the radius: sphere or cylinder.
    Round { centre: [f32; 3], axes: [f32; 3], radius: f32 },
    /// normal . p <= offset.
    Halfspace { normal: [f32; 3], offset: f32 },
    /// x^2 + z^2 <= (slope (tip - y))^2 below the tip.
    Cone { tip: f32, slope: f32 },
}

/// When rays enter and leave a block.
#[inline(always)]
pub(super) fn block<S: Simd>(centre: [f32; 3], half: [f32; 3], rays: &Rays<S>) -> (Lanes<S>, Lanes<S>) {
    let (mut enter, mut leave) = (rays.all(f32::NEG_INFINITY), rays.all(f32::INFINITY));
    for axis in 0..3 {
        let inverse = rays.inverse.0[axis];
        let middle = (centre[axis] - rays.origin.0[axis]) * inverse;
        let reach = (half[axis] * inverse).abs();
        enter = larger(middle - reach, enter);
        leave = smaller(middle + reach, leave);
    }
    (enter, leave)
}

/// Whether and where a t^2 + 2 b t + c changes its sign.
#[inline(always)]
fn roots<S: Simd>(a: Lanes<S>, b: Lanes<S>, c: Lanes<S>) -> (Mask<S>, Lanes<S>, Lanes<S>) {
    let discriminant = b * b - a * c;
    let (root, inverse) = (discriminant.sqrt(), 1.0 / a);
    let (one, other) = ((-b - root) * inverse, (-b + root) * inverse);
    (discriminant.simd_gt(0.0), smaller(one, other), larger(one, other))
}

/// A ray that runs along a quadric never bounds it; this much slant keeps the arithmetic finite.
const SLANT: f32 = 1e-9;

impl Body {
    /// When rays enter and leave; before they enter where they miss.
    #[inline(always)]
    pub(super) fn span<S: Simd>(&self, rays: &Rays<S>) -> (Lanes<S>, Lanes<S>) {
        let (never, ever) = (rays.all(f32::NEG_INFINITY), rays.all(f32::INFINITY));
        match *self {
            Body::Block { centre, half } => block(centre, half, rays),
            Body::Round { centre, axes, radius } => {
                let from = rays.origin - Vector(centre);
                let weighted = rays.direction.times(Vector(axes));
                let a = larger(weighted.dot(rays.direction), rays.all(SLANT));
                let c = from.times(Vector(axes)).dot(from) - radius * radius;
                let (real, first, second) = roots(a, weighted.dot(from), c);
                (real.select(first, ever), real.select(second, never))
            }
            Body::Halfspace { normal, offset } => {
                let room = offset - Vector(normal).dot(rays.origin);
                let approach = Vector(normal).dot(rays.direction);
                let time = room / approach;
                // A ray along the plane is on one side of it for ever.
                let outside = approach.simd_eq(0.0) & room.simd_lt(0.0);
                let leave = approach.simd_gt(0.0).select(time, ever);
                (approach.simd_lt(0.0).select(time, never), outside.select(never, leave))
            }
            Body::Cone { tip, slope } => {
                let from = rays.origin - Vector::new(0.0, tip, 0.0);
                let axes = Vector::new(1.0, -slope * slope, 1.0);
                let weighted = rays.direction.times(axes);
                let a = weighted.dot(rays.direction);
                let a = a.abs().simd_lt(SLANT).select(rays.all(SLANT), a);
                let (real, first, second) = roots(a, weighted.dot(from), from.times(axes).dot(from));
                let fall = rays.direction.0[1];
                // Steeper than the cone: inside before one root and after the other, on one side each of the tip.
                let (steep, falls) = (a.simd_lt(0.0), fall.simd_lt(0.0));
                let below = (from.0[1] + 0.5 * (first + second) * fall).simd_lt(0.0);
                let hit = real & (steep | below);
                let enter = steep.select(falls.select(second, never), first);
                let leave = steep.select(falls.select(ever, first), second);
                (hit.select(enter, ever), hit.select(leave, never))
            }
        }
    }

    /// Outward directions at points of the surface, of any length.
    #[inline(always)]
    pub(super) fn normal<S: Simd>(&self, points: Vector<Lanes<S>>) -> Vector<Lanes<S>> {
        let simd = points.0[0].token();
        match *self {
            Body::Block { centre, half } => {
                let from = points - Vector(centre);
                let [x, y, z] = from.0;
                let depth = [x.abs() - half[0], y.abs() - half[1], z.abs() - half[2]];
                let to_y = depth[1].simd_gt(depth[0]);
                let to_z = depth[2].simd_gt(to_y.select(depth[1], depth[0]));
                let (none, one) = (Lanes::splat(simd, 0.0), Lanes::splat(simd, 1.0));
                Vector([
                    (to_y | to_z).select(none, one.copysign(x)),
                    (to_y & !to_z).select(one.copysign(y), none),
                    to_z.select(one.copysign(z), none),
                ])
            }
            Body::Round { centre, axes, .. } => (points - Vector(centre)).times(Vector(axes)),
            Body::Halfspace { normal, .. } => Vector::splat(simd, Vector(normal)),
            Body::Cone { tip, slope } => {
                let [x, y, z] = points.0;
                Vector::new(x, slope * slope * (tip - y), z)
            }
        }
    }
}
