//! Means over seeds with their intervals: what tells a difference from chance when there are only a few runs.

use std::f64::consts::FRAC_PI_2;

use serde::Serialize;

/// A mean and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// Mean of the values.
    pub mean: f64,
    /// Half the 95 % interval around it, if the values are drawn from a normal distribution; none of a single value.
    pub interval: Option<f64>,
    /// How many values there were.
    pub values: usize,
}

impl Estimate {
    /// The estimate from some values; none from none.
    pub fn of(values: &[f64]) -> Option<Estimate> {
        if values.is_empty() {
            return None;
        }
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let freedom = values.len() as u32 - 1;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let interval = (freedom > 0).then(|| student_t(freedom) * (squares / f64::from(freedom) / count).sqrt());
        Some(Estimate { mean, interval, values: values.len() })
    }

    /// Whether the interval leaves out 0; unknown without one.
    pub fn differs_from_zero(&self) -> Option<bool> {
        self.interval.map(|interval| self.mean.abs() > interval)
    }
}

/// The distance from 0 within which 95 % of Student's t distribution with `freedom` degrees of freedom lie.
///
/// # Panics
/// If there is no degree of freedom.
pub fn student_t(freedom: u32) -> f64 {
    assert!(freedom > 0, "Student's t has at least one degree of freedom");
    let (mut low, mut high) = (0.0, FRAC_PI_2);
    // Each round makes the angle's bracket half as wide, until a double holds no finer one.
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if share_within(middle, freedom) < 0.95 { low = middle } else { high = middle }
    }
    f64::from(freedom).sqrt() * high.tan()
}

/// The share of the distribution within +-t, where t = sqrt(freedom) tan(angle): the finite series of Abramowitz and
/// Stegun (1964), 26.7.3 and 26.7.4.
fn share_within(angle: f64, freedom: u32) -> f64 {
    let (sine, cosine) = angle.sin_cos();
    let odd = freedom % 2 == 1;
    // Terms of the series are 1 or cos, then (n - 1) / n cos^2 times the one before.
    let mut term = if odd { cosine } else { 1.0 };
    let mut sum = if freedom == 1 { 0.0 } else { term };
    for n in (if odd { 3 } else { 2 }..freedom - 1).step_by(2) {
        term *= f64::from(n - 1) / f64::from(n) * cosine * cosine;
        sum += term;
    }
    if odd { (angle + sine * sum) / FRAC_PI_2 } else { sine * sum }
}
