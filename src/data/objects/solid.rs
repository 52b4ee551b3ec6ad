//! The ten solids, and where a ray meets them. A solid is a union of parts; a part is an intersection of bodies, maybe
//! with another one bored out of it. A body that is convex clips a ray to one interval, so a part is found by clipping
//! the same interval again and again, exactly and without a search. The torus alone is not convex: inside its bounding
//! box the ray walks as far as the distance to its surface allows.

use super::vector::Vector;

/// A ray in a solid's own coordinates; `direction` need not have length 1.
#[derive(Clone, Copy)]
pub(super) struct Ray {
    origin: Vector,
    direction: Vector,
    /// One over each component of the direction: every block asks for them.
    inverse: [f32; 3],
}

impl Ray {
    pub(super) fn new(origin: Vector, direction: Vector) -> Ray {
        Ray { origin, direction, inverse: direction.0.map(|component| 1.0 / component) }
    }

    pub(super) fn at(&self, time: f32) -> Vector {
        self.origin + self.direction * time
    }
}

/// A convex body.
enum Body {
    /// |p - centre| within `half` along each axis.
    Block { centre: [f32; 3], half: [f32; 3] },
    /// The sum of squares of p - centre, weighted by axis, within the square of the radius: sphere or cylinder.
    Round { centre: [f32; 3], axes: [f32; 3], radius: f32 },
    /// normal . p <= offset.
    Halfspace { normal: [f32; 3], offset: f32 },
    /// x^2 + z^2 <= (slope (tip - y))^2 below the tip.
    Cone { tip: f32, slope: f32 },
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

/// The interval of a ray inside convex bodies, and which of them bounds it where.
#[derive(Clone, Copy)]
struct Span {
    enter: f32,
    leave: f32,
    entered: usize,
    left: usize,
}

fn block(centre: [f32; 3], half: [f32; 3], ray: &Ray) -> (f32, f32) {
    let (mut enter, mut leave) = (f32::NEG_INFINITY, f32::INFINITY);
    for axis in 0..3 {
        let inverse = ray.inverse[axis];
        let middle = (centre[axis] - ray.origin.0[axis]) * inverse;
        let reach = (half[axis] * inverse).abs();
        enter = enter.max(middle - reach);
        leave = leave.min(middle + reach);
    }
    (enter, leave)
}

/// Where a t^2 + 2 b t + c changes its sign.
fn roots(a: f32, b: f32, c: f32) -> Option<(f32, f32)> {
    let discriminant = b * b - a * c;
    (discriminant > 0.0).then(|| {
        let (root, inverse) = (discriminant.sqrt(), 1.0 / a);
        let (one, other) = ((-b - root) * inverse, (-b + root) * inverse);
        (one.min(other), one.max(other))
    })
}

/// A ray that runs along a quadric never bounds it; this much slant keeps the arithmetic finite.
const SLANT: f32 = 1e-9;

impl Body {
    fn span(&self, ray: &Ray) -> Option<(f32, f32)> {
        match *self {
            Body::Block { centre, half } => Some(block(centre, half, ray)),
            Body::Round { centre, axes, radius } => {
                let from = ray.origin - Vector(centre);
                let weighted = ray.direction.times(Vector(axes));
                let a = weighted.dot(ray.direction).max(SLANT);
                roots(a, weighted.dot(from), from.times(Vector(axes)).dot(from) - radius * radius)
            }
            Body::Halfspace { normal, offset } => {
                let room = offset - Vector(normal).dot(ray.origin);
                let approach = Vector(normal).dot(ray.direction);
                let time = room / approach;
                if approach > 0.0 {
                    Some((f32::NEG_INFINITY, time))
                } else if approach < 0.0 {
                    Some((time, f32::INFINITY))
                } else {
                    (room >= 0.0).then_some((f32::NEG_INFINITY, f32::INFINITY))
                }
            }
            Body::Cone { tip, slope } => {
                let from = ray.origin - Vector::new(0.0, tip, 0.0);
                let axes = Vector::new(1.0, -slope * slope, 1.0);
                let weighted = ray.direction.times(axes);
                let a = weighted.dot(ray.direction);
                let a = if a.abs() < SLANT { SLANT } else { a };
                let (first, second) = roots(a, weighted.dot(from), from.times(axes).dot(from))?;
                let fall = ray.direction.0[1];
                if a < 0.0 {
                    // Steeper than the cone: inside before one root and after the other, on one side each of the tip.
                    Some(if fall < 0.0 { (second, f32::INFINITY) } else { (f32::NEG_INFINITY, first) })
                } else {
                    (from.0[1] + 0.5 * (first + second) * fall < 0.0).then_some((first, second))
                }
            }
        }
    }

    /// Outward direction at a point of the surface, of any length.
    fn normal(&self, point: Vector) -> Vector {
        match *self {
            Body::Block { centre, half } => {
                let from = point - Vector(centre);
                let depth: [f32; 3] = std::array::from_fn(|axis| from.0[axis].abs() - half[axis]);
                let mut normal = Vector::new(0.0, 0.0, 0.0);
                let face = (0..3).fold(0, |best, axis| if depth[axis] > depth[best] { axis } else { best });
                normal.0[face] = from.0[face].signum();
                normal
            }
            Body::Round { centre, axes, .. } => (point - Vector(centre)).times(Vector(axes)),
            Body::Halfspace { normal, .. } => Vector(normal),
            Body::Cone { tip, slope } => {
                let [x, y, z] = point.0;
                Vector::new(x, slope * slope * (tip - y), z)
            }
        }
    }
}

fn clip(bodies: &[Body], ray: &Ray) -> Option<Span> {
    let mut span = Span { enter: f32::NEG_INFINITY, leave: f32::INFINITY, entered: 0, left: 0 };
    for (index, body) in bodies.iter().enumerate() {
        let (enter, leave) = body.span(ray)?;
        if enter > span.enter {
            (span.enter, span.entered) = (enter, index);
        }
        if leave < span.leave {
            (span.leave, span.left) = (leave, index);
        }
        if span.enter >= span.leave {
            return None;
        }
    }
    (span.leave > 0.0).then_some(span)
}

impl Part {
    /// When a ray that starts outside first meets the part, and the outward direction there.
    fn meet(&self, ray: &Ray) -> Option<(f32, Vector)> {
        match *self {
            Part::Convex(bodies) => {
                let span = clip(bodies, ray).filter(|span| span.enter > 0.0)?;
                Some((span.enter, bodies[span.entered].normal(ray.at(span.enter))))
            }
            Part::Bored { whole, bore } => {
                let span = clip(whole, ray)?;
                let start = span.enter.max(0.0);
                match clip(bore, ray).filter(|hole| hole.enter <= start && start < hole.leave) {
                    // Through the opening, on to the far wall of the bore, which faces inwards.
                    Some(hole) => (hole.leave < span.leave)
                        .then(|| (hole.leave, bore[hole.left].normal(ray.at(hole.leave)) * -1.0)),
                    None => (span.enter > 0.0).then(|| (span.enter, whole[span.entered].normal(ray.at(span.enter)))),
                }
            }
            Part::Torus { ring, tube } => {
                let reach = ring + tube;
                let (enter, leave) = block([0.0; 3], [reach, tube, reach], ray);
                if enter >= leave || leave <= 0.0 {
                    return None;
                }
                let pace = 1.0 / ray.direction.dot(ray.direction).sqrt();
                let mut time = enter.max(0.0);
                for _ in 0..WALK {
                    let [x, y, z] = ray.at(time).0;
                    let across = (x * x + z * z).sqrt();
                    let distance = ((across - ring) * (across - ring) + y * y).sqrt() - tube;
                    if distance < CLOSE {
                        let inner = ring / across.max(CLOSE);
                        return Some((time, Vector::new(x - x * inner, y, z - z * inner)));
                    }
                    time += distance * pace;
                    if time > leave {
                        return None;
                    }
                }
                None
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
    /// When a ray that starts outside first meets the solid, and the outward direction there, of any length.
    pub(super) fn meet(&self, ray: &Ray) -> Option<(f32, Vector)> {
        let mut first: Option<(f32, Vector)> = None;
        for part in self.parts {
            if let Some(hit) = part.meet(ray) {
                first = first.filter(|best| best.0 <= hit.0).or(Some(hit));
            }
        }
        first
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
