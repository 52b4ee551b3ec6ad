//! Points, directions and colours of three numbers, and the 3x3 matrices between their coordinates.

use std::ops::{Add, Mul, Sub};

/// A point, a direction, or a colour in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Vector(pub(super) [f32; 3]);

impl Vector {
    pub(super) const fn new(x: f32, y: f32, z: f32) -> Self {
        Vector([x, y, z])
    }

    pub(super) fn dot(self, other: Vector) -> f32 {
        self.0[0] * other.0[0] + self.0[1] * other.0[1] + self.0[2] * other.0[2]
    }

    pub(super) fn cross(self, other: Vector) -> Vector {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Vector::new(b * z - c * y, c * x - a * z, a * y - b * x)
    }

    /// The direction of a vector that is not 0.
    pub(super) fn unit(self) -> Vector {
        self * (1.0 / self.dot(self).sqrt())
    }

    /// Component by component: a colour under coloured light, an axis stretched.
    pub(super) fn times(self, other: Vector) -> Vector {
        Vector(std::array::from_fn(|axis| self.0[axis] * other.0[axis]))
    }

    /// Some way from this to `other`.
    pub(super) fn towards(self, other: Vector, way: f32) -> Vector {
        self + (other - self) * way
    }
}

impl Add for Vector {
    type Output = Vector;
    fn add(self, other: Vector) -> Vector {
        Vector(std::array::from_fn(|axis| self.0[axis] + other.0[axis]))
    }
}

impl Sub for Vector {
    type Output = Vector;
    fn sub(self, other: Vector) -> Vector {
        Vector(std::array::from_fn(|axis| self.0[axis] - other.0[axis]))
    }
}

impl Mul<f32> for Vector {
    type Output = Vector;
    fn mul(self, factor: f32) -> Vector {
        Vector(self.0.map(|value| value * factor))
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
    pub(super) fn apply(self, vector: Vector) -> Vector {
        Vector(self.0.map(|row| row.dot(vector)))
    }

    /// First `before`, then this.
    pub(super) fn after(self, before: Matrix) -> Matrix {
        let columns = before.transposed();
        Matrix(columns.0.map(|column| self.apply(column))).transposed()
    }
}
