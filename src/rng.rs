//! Random streams that are split by name, never shared: a stream is the path that leads to it (seed, purpose, epoch,
//! sample, view), so what is drawn does not depend on which thread draws it, nor on what was drawn before.

use rand_core::{Rng as _, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// The address of a random stream. Copy it, narrow it with [`Stream::named`] and [`Stream::at`], then draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream(u64);

impl Stream {
    /// The root stream of an experiment's seed.
    pub fn new(seed: u64) -> Self {
        Stream(mix(seed ^ 0x5359_4E4C_4F43_414C))
    }

    /// The part of this stream that serves one purpose.
    pub fn named(self, purpose: &str) -> Self {
        // The length separates "a" + "bc" from "ab" + "c" when names are chained.
        purpose.bytes().fold(self.at(purpose.len() as u64), |stream, byte| stream.at(u64::from(byte)))
    }

    /// The part of this stream that belongs to one index: an epoch, a sample, a view.
    pub fn at(self, index: u64) -> Self {
        Stream(mix(self.0.rotate_left(23) ^ mix(index)))
    }

    /// A generator at the start of this stream.
    pub fn rng(self) -> Rng {
        Rng(Xoshiro256PlusPlus::seed_from_u64(self.0))
    }
}

/// SplitMix64's finaliser: a bijection whose output bits each depend on every input bit.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A generator of the distributions that a simulation needs. Their algorithms are fixed here, so a seed keeps its
/// meaning when a library changes.
#[derive(Debug, Clone)]
pub struct Rng(Xoshiro256PlusPlus);

impl Rng {
    /// Uniform on [0, 1), a multiple of 2^-24.
    pub fn uniform(&mut self) -> f32 {
        (self.0.next_u64() >> 40) as f32 * (1.0 / (1u64 << 24) as f32)
    }

    /// Uniform between `low` (included) and `high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// A whole number below `bound`, which must not be 0 (Lemire's multiplication; bias below 2^-32 for small bounds).
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * f64::from(1.0 - self.uniform()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * f64::from(self.uniform())).cos()) as f32
    }

    /// A uniformly random order of `items` (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
