//! Two colours and the pattern in which they fill space: carved out of solid matter rather than painted on a surface,
//! so that no solid needs a map of its skin. Waves are triangles smoothed to parabolas, which cost a few products.

use fearless_simd::prelude::*;

use super::lanes::{Lanes, larger, smaller};
use super::vector::Vector;
use crate::rng::Rng;

/// What a surface looks like under white light.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Texture {
    pattern: Pattern,
    colours: [Vector; 2],
    waves: [Vector; 3],
    phases: [f32; 3],
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Pattern {
    Plain,
    Stripes,
    Checks,
    Blotches,
}

impl Texture {
    /// A random texture, patterns alike likely, whose waves are about `length` long.
    pub(super) fn draw(rng: &mut Rng, length: f32, paint: &Paint) -> Texture {
        let pattern = [Pattern::Plain, Pattern::Stripes, Pattern::Checks, Pattern::Blotches][rng.below(4)];
        let colours = [paint.draw(rng), paint.draw(rng)];
        let waves = [0; 3].map(|_| direction(rng) * (1.0 / (length * rng.between(0.7, 1.4))));
        let phases = [0; 3].map(|_| rng.uniform());
        Texture { pattern, colours, waves, phases }
    }

    /// The colours at points of space.
    #[inline(always)]
    pub(super) fn at<S: Simd>(&self, points: Vector<Lanes<S>>) -> Vector<Lanes<S>> {
        let simd = points.0[0].token();
        let share = match self.pattern {
            Pattern::Plain => Lanes::splat(simd, 0.0),
            Pattern::Stripes => edge(self.wave(0, points)),
            Pattern::Checks => edge(2.0 * self.wave(0, points) * self.wave(1, points)),
            Pattern::Blotches => part(0.5 + 0.5 * (self.wave(0, points) + self.wave(1, points) + self.wave(2, points))),
        };
        self.colours[0].towards(self.colours[1], share)
    }

    #[inline(always)]
    fn wave<S: Simd>(&self, index: usize, points: Vector<Lanes<S>>) -> Lanes<S> {
        swing(self.waves[index].dot(points) + self.phases[index])
    }
}

/// Steep but not sudden: an edge a small part of a wave wide.
#[inline(always)]
fn edge<S: Simd>(height: Lanes<S>) -> Lanes<S> {
    part(0.5 + 4.0 * height)
}

/// What is beyond 0 or 1 stays there.
#[inline(always)]
fn part<S: Simd>(value: Lanes<S>) -> Lanes<S> {
    let simd = value.token();
    smaller(larger(value, Lanes::splat(simd, 0.0)), Lanes::splat(simd, 1.0))
}

/// A wave of period 1 between -1 and 1: a parabola up, a parabola down.
#[inline(always)]
fn swing<S: Simd>(turns: Lanes<S>) -> Lanes<S> {
    // Rounding goes towards 0; far from it, one period more or less changes nothing.
    let phase = turns - (turns + 4096.0).trunc() + 4096.0;
    let up = phase.simd_lt(0.5);
    let half = up.select(phase, phase - 0.5);
    up.select(Lanes::splat(turns.token(), 16.0), Lanes::splat(turns.token(), -16.0)) * half * (0.5 - half)
}

/// The range that colours are drawn from; their hue is any.
pub(super) struct Paint {
    pub(super) saturation: (f32, f32),
    pub(super) value: (f32, f32),
}

impl Paint {
    fn draw(&self, rng: &mut Rng) -> Vector {
        let hue = 6.0 * rng.uniform();
        let saturation = rng.between(self.saturation.0, self.saturation.1);
        let value = rng.between(self.value.0, self.value.1);
        let channel = |middle: f32| {
            let away = (hue - middle).abs();
            let away = away.min(6.0 - away);
            value * (1.0 - saturation * (away - 1.0).clamp(0.0, 1.0))
        };
        Vector::new(channel(0.0), channel(2.0), channel(4.0))
    }
}

/// A direction, all alike likely.
pub(super) fn direction(rng: &mut Rng) -> Vector {
    loop {
        let vector = Vector(std::array::from_fn(|_| rng.between(-1.0, 1.0)));
        let square = vector.dot(vector);
        if (0.01..1.0).contains(&square) {
            return vector.unit();
        }
    }
}
