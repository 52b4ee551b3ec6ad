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

    /// Fills `values` with standard normals, sixteen at a time: as [`Rng::normal`], but both of each of Box and Muller's
    /// pairs, by polynomials that compile to vector code. Other numbers than `normal` draws, and the same on every
    /// processor, for no step is fused.
    pub fn normals(&mut self, values: &mut [f32]) {
        for values in values.chunks_mut(2 * PAIRS) {
            let drawn = std::array::from_fn(|_| self.0.next_u64());
            values.copy_from_slice(&pairs_of_normals(drawn).as_flattened()[..values.len()]);
        }
    }

    /// A uniformly random order of `items` (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

/// Pairs of normals that are made together.
const PAIRS: usize = 8;

/// Box and Muller's pairs: of each draw, 24 bits make a radius, 32 a direction to the right, and one turns it round.
fn pairs_of_normals(drawn: [u64; PAIRS]) -> [[f32; PAIRS]; 2] {
    let (mut along, mut across) = ([0.0; PAIRS], [0.0; PAIRS]);
    for pair in 0..PAIRS {
        let uniform = ((drawn[pair] >> 40) as i32 + 1) as f32 * (1.0 / (1 << 24) as f32);
        let angle = drawn[pair] as i32 as f32 * (std::f32::consts::FRAC_PI_2 / (1u32 << 31) as f32);
        let turn = ((drawn[pair] >> 32) as u32) << 31;
        let radius = (-2.0 * logarithm(uniform)).sqrt();
        let (sine, cosine) = direction(angle);
        along[pair] = f32::from_bits((radius * cosine).to_bits() ^ turn);
        across[pair] = radius * sine;
    }
    [along, across]
}

/// The natural logarithm of a positive normal number (Cephes' polynomial, within 2 units of the last place).
#[inline(always)]
fn logarithm(x: f32) -> f32 {
    const HALF_ROOT: i32 = 0x3F35_04F3;
    let bits = x.to_bits() as i32 - HALF_ROOT;
    let exponent = (bits >> 23) as f32;
    let t = f32::from_bits(((bits & 0x007F_FFFF) + HALF_ROOT) as u32) - 1.0;
    let mut sum = 0.070_376_836_f32;
    for coefficient in [
        -0.115_146_1,
        0.116_769_99,
        -0.124_201_41,
        0.142_493_23,
        -0.166_680_58,
        0.200_007_14,
        -0.249_999_94,
        0.333_333_3,
    ] {
        sum = sum * t + coefficient;
    }
    let square = t * t;
    // ln 2 in two parts, of which the first has few digits, so that its product is exact.
    t + (sum * t * square - 2.121_944_4e-4 * exponent - 0.5 * square) + 0.693_359_4 * exponent
}

/// Sine and cosine of an angle between -pi/2 and pi/2, by their series.
#[inline(always)]
fn direction(angle: f32) -> (f32, f32) {
    let square = angle * angle;
    let (mut sine, mut cosine) = (1.0, 1.0);
    for place in [11, 9, 7, 5, 3] {
        sine = 1.0 - sine * square * (1.0 / (place * (place - 1)) as f32);
    }
    for place in [12, 10, 8, 6, 4, 2] {
        cosine = 1.0 - cosine * square * (1.0 / (place * (place - 1)) as f32);
    }
    (angle * sine, cosine)
}
