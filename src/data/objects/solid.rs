//! The ten solids, and where rays meet them. A solid is a union of parts; a part is an intersection of bodies, maybe
//! with another one bored out of it. A body that is convex clips a ray to one interval, so a part is found by clipping
//! the same interval again and again, exactly and without a search. The torus alone is not convex: inside its bounding
//! box the ray walks as far as the distance to its surface allows.
//!
//! Sixteen rays meet a solid together and take every step alike: the interval of a ray that misses ends before it begins,
//! and nothing opens it again. Where a ray hits, it notes the number of the surface, by which the solid tells the normal
//! afterwards; a shadow needs none.

use fearless_simd::prelude::*;

use super::body::{Body, Rays, block};
use super::lanes::{Lanes, Mask, larger};
use super::vector::Vector;

/// Where rays hit a solid first.
#[derive(Clone, Copy)]
pub(super) struct Hits<S: Simd> {
    /// Infinite where a ray misses.
    pub(super) time: Lanes<S>,
    /// Number of the surface, counted through the solid's parts.
    surface: Lanes<S>,
}

impl<S: Simd> Hits<S> {
    #[inline(always)]
    pub(super) fn mask(&self) -> Mask<S> {
        self.time.simd_lt(f32::INFINITY)
    }
}

enum Part {
    Convex(&'static [Body]),
    Bored {
        whole: &'static [Body],
        bore: &'static [Body],
    },
    /// Around the y axis.
    Torus {
        ring: f32,
        tube: f32,
    },
}

/// The interval of each ray inside convex bodies, and the number of the body that bounds it where.
struct Spans<S: Simd> {
    enter: Lanes<S>,
    leave: Lanes<S>,
    entered: Lanes<S>,
    left: Lanes<S>,
}

/// The interval inside all `bodies`, which are numbered from `number` on.
#[inline(always)]
fn clip<S: Simd>(bodies: &[Body], rays: &Rays<S>, number: usize) -> Spans<S> {
    let none = rays.all(0.0);
    let (enter, leave) = (rays.all(f32::NEG_INFINITY), rays.all(f32::INFINITY));
    let mut spans = Spans { enter, leave, entered: none, left: none };
    for (index, body) in bodies.iter().enumerate() {
        let (enter, leave) = body.span(rays);
        let surface = rays.all((number + index) as f32);
        let (later, sooner) = (enter.simd_gt(spans.enter), leave.simd_lt(spans.leave));
        spans.enter = later.select(enter, spans.enter);
        spans.entered = later.select(surface, spans.entered);
        spans.leave = sooner.select(leave, spans.leave);
        spans.left = sooner.select(surface, spans.left);
        if !spans.enter.simd_lt(spans.leave).any_true() {
            break;
        }
    }
    spans
}

/// Outward directions at the points of a solid that rays hit, while they are gathered from surface after surface.
struct Normals<S: Simd> {
    surface: Lanes<S>,
    points: Vector<Lanes<S>>,
    normals: Vector<Lanes<S>>,
}

impl<S: Simd> Normals<S> {
    /// Those on surfaces of `bodies`, which are numbered from `number` on; `facing` is -1 where outward is inward.
    #[inline(always)]
    fn gather(&mut self, bodies: &[Body], number: usize, facing: f32) {
        for (index, body) in bodies.iter().enumerate() {
            let here = self.surface.simd_eq((number + index) as f32);
            if here.any_true() {
                self.normals = (body.normal(self.points) * facing).only(here, self.normals);
            }
        }
    }
}

impl Part {
    /// How many surfaces it has.
    fn surfaces(&self) -> usize {
        match self {
            Part::Convex(bodies) => bodies.len(),
            Part::Bored { whole, bore } => whole.len() + bore.len(),
            Part::Torus { .. } => 1,
        }
    }

    /// Where rays that start outside first meet the part, whose surfaces are numbered from `number` on.
    #[inline(always)]
    fn meet<S: Simd>(&self, rays: &Rays<S>, number: usize) -> Hits<S> {
        let never = rays.all(f32::INFINITY);
        match *self {
            Part::Convex(bodies) => {
                let spans = clip(bodies, rays, number);
                let hit = spans.enter.simd_lt(spans.leave) & spans.enter.simd_gt(0.0);
                Hits { time: hit.select(spans.enter, never), surface: spans.entered }
            }
            Part::Bored { whole, bore } => {
                let spans = clip(whole, rays, number);
                let holes = clip(bore, rays, number + whole.len());
                let start = larger(spans.enter, rays.all(0.0));
                // Through the opening, on to the far wall of the bore.
                let bored = holes.enter.simd_le(start) & start.simd_lt(holes.leave);
                let through = holes.leave.simd_lt(spans.leave);
                let hit = start.simd_lt(spans.leave) & ((bored & through) | (!bored & spans.enter.simd_gt(0.0)));
                Hits {
                    time: hit.select(bored.select(holes.leave, spans.enter), never),
                    surface: bored.select(holes.left, spans.entered),
                }
            }
            Part::Torus { ring, tube } => {
                let reach = ring + tube;
                let (enter, leave) = block([0.0; 3], [reach, tube, reach], rays);
                let pace = 1.0 / rays.direction.dot(rays.direction).sqrt();
                let mut walking = enter.simd_lt(leave) & leave.simd_gt(0.0);
                let mut arrived = Mask::splat(never.token(), false);
                let mut time = larger(enter, rays.all(0.0));
                for _ in 0..WALK {
                    if !walking.any_true() {
                        break;
                    }
                    let [x, y, z] = rays.at(time).0;
                    let across = (x * x + z * z).sqrt();
                    let distance = ((across - ring) * (across - ring) + y * y).sqrt() - tube;
                    let close = distance.simd_lt(CLOSE);
                    arrived |= walking & close;
                    walking &= !close;
                    time = walking.select(time + distance * pace, time);
                    walking &= time.simd_le(leave);
                }
                Hits { time: arrived.select(time, never), surface: rays.all(number as f32) }
            }
        }
    }

    /// The normals of the part, whose surfaces are numbered from `number` on.
    #[inline(always)]
    fn gather<S: Simd>(&self, normals: &mut Normals<S>, number: usize) {
        match *self {
            Part::Convex(bodies) => normals.gather(bodies, number, 1.0),
            Part::Bored { whole, bore } => {
                normals.gather(whole, number, 1.0);
                normals.gather(bore, number + whole.len(), -1.0);
            }
            // A torus is a solid of its own, so that all points are on it.
            Part::Torus { ring, .. } => {
                let [x, y, z] = normals.points.0;
                let across = (x * x + z * z).sqrt();
                let inner = ring / larger(across, Lanes::splat(x.token(), CLOSE));
                normals.normals = Vector::new(x - x * inner, y, z - z * inner);
            }
        }
    }
}

/// Steps after which a ray that only grazes the torus is let go, and how close counts as there.
const WALK: usize = 32;
const CLOSE: f32 = 2e-3;

/// One of the solids: what an image of [`Objects`](super) shows, and its class.
pub(super) struct Solid {
    pub(super) name: &'static str,
    parts: &'static [Part],
}

impl Solid {
    /// Where rays that start outside first meet the solid.
    pub(super) fn meet<S: Simd>(&self, rays: &Rays<S>) -> Hits<S> {
        rays.origin.0[0].token().vectorize(
            #[inline(always)]
            || {
                let mut first = Hits { time: rays.all(f32::INFINITY), surface: rays.all(0.0) };
                let mut number = 0;
                for part in self.parts {
                    let hits = part.meet(rays, number);
                    let nearer = hits.time.simd_lt(first.time);
                    first.time = nearer.select(hits.time, first.time);
                    first.surface = nearer.select(hits.surface, first.surface);
                    number += part.surfaces();
                }
                first
            },
        )
    }

    /// Outward directions where rays hit, of any length.
    #[inline(always)]
    pub(super) fn normals<S: Simd>(&self, hits: &Hits<S>, points: Vector<Lanes<S>>) -> Vector<Lanes<S>> {
        let mut normals = Normals { surface: hits.surface, points, normals: points };
        let mut number = 0;
        for part in self.parts {
            part.gather(&mut normals, number);
            number += part.surfaces();
        }
        normals.normals
    }
}

/// Every solid fits into the sphere of this radius around its origin.
pub(super) const REACH: f32 = 1.1;

const ROUND_Y: [f32; 3] = [1.0, 0.0, 1.0];
const ROUND_Z: [f32; 3] = [1.0, 1.0, 0.0];
const BALL: [f32; 3] = [1.0, 1.0, 1.0];
const ORIGIN: [f32; 3] = [0.0; 3];

/// The solids, in the order of their labels.
pub(super) static SOLIDS: [Solid; 10] = [
    Solid { name: "sphere", parts: &[Part::Convex(&[Body::Round { centre: ORIGIN, axes: BALL, radius: 0.8 }])] },
    Solid { name: "cube", parts: &[Part::Convex(&[Body::Block { centre: ORIGIN, half: [0.62; 3] }])] },
    Solid {
        name: "cylinder",
        parts: &[Part::Convex(&[
            Body::Round { centre: ORIGIN, axes: ROUND_Y, radius: 0.5 },
            Body::Block { centre: ORIGIN, half: [0.5, 0.85, 0.5] },
        ])],
    },
    Solid {
        name: "cone",
        parts: &[Part::Convex(&[
            Body::Cone { tip: 0.9, slope: 0.46 },
            Body::Halfspace { normal: [0.0, -1.0, 0.0], offset: 0.7 },
        ])],
    },
    Solid {
        name: "pyramid",
        parts: &[Part::Convex(&[
            Body::Halfspace { normal: [0.0, -1.0, 0.0], offset: 0.5 },
            Body::Halfspace { normal: [1.0, 0.55, 0.0], offset: 0.41 },
            Body::Halfspace { normal: [-1.0, 0.55, 0.0], offset: 0.41 },
            Body::Halfspace { normal: [0.0, 0.55, 1.0], offset: 0.41 },
            Body::Halfspace { normal: [0.0, 0.55, -1.0], offset: 0.41 },
        ])],
    },
    Solid { name: "ring", parts: &[Part::Torus { ring: 0.66, tube: 0.24 }] },
    Solid {
        name: "cross",
        parts: &[
            Part::Convex(&[Body::Block { centre: ORIGIN, half: [0.92, 0.2, 0.2] }]),
            Part::Convex(&[Body::Block { centre: ORIGIN, half: [0.2, 0.92, 0.2] }]),
            Part::Convex(&[Body::Block { centre: ORIGIN, half: [0.2, 0.2, 0.92] }]),
        ],
    },
    Solid {
        name: "stairs",
        parts: &[
            Part::Convex(&[Body::Block { centre: [0.0, -0.46, 0.0], half: [0.75, 0.2, 0.45] }]),
            Part::Convex(&[Body::Block { centre: [0.25, -0.06, 0.0], half: [0.5, 0.2, 0.45] }]),
            Part::Convex(&[Body::Block { centre: [0.5, 0.34, 0.0], half: [0.25, 0.2, 0.45] }]),
        ],
    },
    Solid {
        name: "dumbbell",
        parts: &[
            Part::Convex(&[Body::Round { centre: [0.0, 0.62, 0.0], axes: BALL, radius: 0.42 }]),
            Part::Convex(&[Body::Round { centre: [0.0, -0.62, 0.0], axes: BALL, radius: 0.42 }]),
            Part::Convex(&[
                Body::Round { centre: ORIGIN, axes: ROUND_Y, radius: 0.15 },
                Body::Block { centre: ORIGIN, half: [0.15, 0.5, 0.15] },
            ]),
        ],
    },
    Solid {
        name: "mug",
        parts: &[
            Part::Bored {
                whole: &[
                    Body::Round { centre: [-0.15, 0.0, 0.0], axes: ROUND_Y, radius: 0.55 },
                    Body::Block { centre: [-0.15, 0.0, 0.0], half: [0.55, 0.62, 0.55] },
                ],
                bore: &[
                    Body::Round { centre: [-0.15, 0.0, 0.0], axes: ROUND_Y, radius: 0.44 },
                    Body::Halfspace { normal: [0.0, -1.0, 0.0], offset: 0.5 },
                ],
            },
            Part::Bored {
                whole: &[
                    Body::Round { centre: [0.36, 0.0, 0.0], axes: ROUND_Z, radius: 0.46 },
                    Body::Block { centre: [0.66, 0.0, 0.0], half: [0.3, 0.46, 0.1] },
                ],
                bore: &[Body::Round { centre: [0.36, 0.0, 0.0], axes: ROUND_Z, radius: 0.28 }],
            },
        ],
    },
];
