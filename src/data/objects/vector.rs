//! Points, directions and colours of three numbers, and the 3x3 matrices between their coordinates.
//!
//! The numbers are f32s for what a scene has one of, or [`Lanes`] for what sixteen rays have one of each. The two mix: a
//! sum or product of both is of lanes. All is inlined, or it would not be compiled for the caller's instruction set.

use std::ops::{Add, Mul, Sub};

use fearless_simd::prelude::*;

use super::lanes::{Lanes, Mask};

/// A point, a direction, or a colour in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Vector<T = f32>(pub(super) [T; 3]);

impl<T: Copy> Vector<T> {
    #[inline(always)]
    pub(super) const fn new(x: T, y: T, z: T) -> Self {
        Vector([x, y, z])
    }

    #[inline(always)]
    pub(super) fn dot<U: Copy, P: Add<Output = P>>(self, other: Vector<U>) -> P
    where
        T: Mul<U, Output = P>,
    {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        a * x + b * y + c * z
    }

    /// Component by component: a colour under coloured light, an axis stretched.
    #[inline(always)]
    pub(super) fn times<U: Copy>(self, other: Vector<U>) -> Vector<T::Output>
    where
        T: Mul<U>,
    {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Vector([a * x, b * y, c * z])
    }
}

impl Vector {
    pub(super) fn cross(self, other: Vector) -> Vector {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Vector::new(b * z - c * y, c * x - a * z, a * y - b * x)
    }

    /// The direction of a vector that is not 0.
    pub(super) fn unit(self) -> Vector {
        self * (1.0 / self.dot(self).sqrt())
    }

    /// Some way from this to `other`.
    #[inline(always)]
    pub(super) fn towards<U: Copy>(self, other: Vector, way: U) -> Vector<U>
    where
        f32: Add<U, Output = U> + Mul<U, Output = U>,
    {
        self + (other - self) * way
    }
}

impl<S: Simd> Vector<Lanes<S>> {
    /// The same vector in all lanes.
    #[inline(always)]
    pub(super) fn splat(simd: S, vector: Vector) -> Self {
        let [x, y, z] = vector.0;
        Vector([Lanes::splat(simd, x), Lanes::splat(simd, y), Lanes::splat(simd, z)])
    }

    /// The directions of vectors that are not 0.
    #[inline(always)]
    pub(super) fn units(self) -> Self {
        self * (1.0 / self.dot(self).sqrt())
    }

    /// This one where `mask` is true, else `other`.
    #[inline(always)]
    pub(super) fn only(self, mask: Mask<S>, other: Self) -> Self {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Vector([mask.select(a, x), mask.select(b, y), mask.select(c, z)])
    }
}

impl<T: Add<U> + Copy, U: Copy> Add<Vector<U>> for Vector<T> {
    type Output = Vector<T::Output>;
    #[inline(always)]
    fn add(self, other: Vector<U>) -> Self::Output {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Vector([a + x, b + y, c + z])
    }
}

impl<T: Sub<U> + Copy, U: Copy> Sub<Vector<U>> for Vector<T> {
    type Output = Vector<T::Output>;
    #[inline(always)]
    fn sub(self, other: Vector<U>) -> Self::Output {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Vector([a - x, b - y, c - z])
    }
}

impl<T: Mul<U> + Copy, U: Copy> Mul<U> for Vector<T> {
    type Output = Vector<T::Output>;
    #[inline(always)]
    fn mul(self, factor: U) -> Self::Output {
        let [a, b, c] = self.0;
        Vector([a * factor, b * factor, c * factor])
    }
}

/// Three rows; of a rotation, also the turned body's axes in columns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Matrix(pub(super) [Vector; 3]);

impl Matrix {
    /// The turn by `angle` radians about the unit vector `axis` (Rodrigues).
    pub(super) fn rotation(axis: Vector, angle: f32) -> Matrix {
        let (sin, cos) = angle.sin_cos();
        let column = |unit: Vector| unit * cos + axis.cross(unit) * sin + axis * (axis.dot(unit) * (1.0 - cos));
        let columns = [Vector::new(1.0, 0.0, 0.0), Vector::new(0.0, 1.0, 0.0), Vector::new(0.0, 0.0, 1.0)].map(column);
        Matrix(columns).transposed()
    }

    pub(super) fn transposed(self) -> Matrix {
        Matrix(std::array::from_fn(|row| Vector(self.0.map(|vector| vector.0[row]))))
    }

    /// The matrix's image of a vector.
    #[inline(always)]
    pub(super) fn apply<U: Copy + Add<Output = U>>(self, vector: Vector<U>) -> Vector<U>
    where
        f32: Mul<U, Output = U>,
    {
        let [a, b, c] = self.0;
        Vector([a.dot(vector), b.dot(vector), c.dot(vector)])
    }

    /// First `before`, then this.
    pub(super) fn after(self, before: Matrix) -> Matrix {
        let columns = before.transposed();
        Matrix(columns.0.map(|column| self.apply(column))).transposed()
    }
}
