//! How far embeddings lie apart, and in how many directions.

use rayon::prelude::*;

use super::recording::{Deviation, Distances, Spread};

/// Collapsed embeddings of different images lie within this share of the distance that first weights gave them.
const COLLAPSED: f64 = 0.1;

/// What telling images apart may vary by, from batch to batch, though nothing is learned.
const SLACK: f64 = 1.1;

impl Distances {
    /// The distances within a batch of embeddings, `[sample][unit]` of `units` each; `stored` is empty where there is no
    /// stored view.
    pub fn of(stored: &[f32], current: &[f32], units: usize) -> Distances {
        let samples = current.len() / units;
        let others = if stored.is_empty() { current } else { stored };
        let same: f64 = others.iter().zip(current).map(|(&one, &other)| f64::from((one - other).abs())).sum();
        let all: Vec<f64> = (0..units)
            .into_par_iter()
            .map(|unit| distances(&column(others, unit, units), &column(current, unit, units)))
            .collect();
        let pairs = (samples * samples.saturating_sub(1)).max(1) as f64;
        Distances {
            positive: (!stored.is_empty()).then(|| same / samples as f64),
            // Of equal embeddings, rounding may leave less than nothing.
            negative: ((all.iter().sum::<f64>() - same) / pairs).max(0.0),
        }
    }

    /// Whether embeddings collapsed while they learned, from `first` weights on: different images lie within a tenth of
    /// the distance that they had, and are told from views of one image no better than then. Either alone may be
    /// healthy: a loss may ask for a smaller scale, and hard views look like different images at first.
    pub fn have_collapsed_since(&self, first: &Distances) -> bool {
        let told_no_better = match (self.positive, first.positive) {
            (Some(now), Some(then)) => self.negative * then <= SLACK * first.negative * now,
            _ => true,
        };
        self.negative <= COLLAPSED * first.negative && told_no_better
    }
}

impl Spread {
    /// The spread of embeddings, `[sample][unit]` of `units` each, of which distances are known already.
    pub fn of(current: &[f32], units: usize, distances: Distances, untrained: Distances) -> Spread {
        let centred = centred(current, units);
        Spread {
            distances,
            untrained,
            deviation: deviation(&centred, units),
            dimensions: dimensions(&centred, units),
            collapsed: distances.have_collapsed_since(&untrained),
        }
    }
}

/// The values of one dimension, in order of size.
fn column(rows: &[f32], unit: usize, units: usize) -> Vec<f32> {
    let mut column: Vec<f32> = rows.iter().skip(unit).step_by(units).copied().collect();
    column.sort_unstable_by(f32::total_cmp);
    column
}

/// The sum of |a - b| over all pairs of two sorted lists, in one walk along both.
fn distances(ones: &[f32], others: &[f32]) -> f64 {
    let whole: f64 = ones.iter().map(|&one| f64::from(one)).sum();
    let (mut passed, mut below, mut sum) = (0, 0.0, 0.0);
    for &other in others {
        while passed < ones.len() && ones[passed] <= other {
            below += f64::from(ones[passed]);
            passed += 1;
        }
        let other = f64::from(other);
        sum += other * passed as f64 - below + (whole - below) - other * (ones.len() - passed) as f64;
    }
    sum
}

/// Embeddings less their mean.
fn centred(rows: &[f32], units: usize) -> Vec<f64> {
    let mut mean = vec![0.0; units];
    for row in rows.chunks(units) {
        mean.iter_mut().zip(row).for_each(|(mean, &value)| *mean += f64::from(value));
    }
    let samples = (rows.len() / units) as f64;
    rows.chunks(units)
        .flat_map(|row| row.iter().zip(&mean).map(|(&value, mean)| f64::from(value) - mean / samples))
        .collect()
}

fn deviation(centred: &[f64], units: usize) -> Deviation {
    let mut squares = vec![0.0; units];
    for row in centred.chunks(units) {
        squares.iter_mut().zip(row).for_each(|(square, value)| *square += value * value);
    }
    squares.sort_unstable_by(f64::total_cmp);
    let of = |rank: usize| (squares[rank] / (centred.len() / units) as f64).sqrt();
    Deviation { least: of(0), median: of(units / 2), most: of(units - 1) }
}

/// The participation ratio of the covariance C, (tr C)^2 / tr C^2. The smaller of the two Gram matrices has both.
fn dimensions(centred: &[f64], units: usize) -> Option<f64> {
    let samples = centred.len() / units;
    let (turned, len);
    let rows: &[f64] = if units <= samples {
        len = units;
        centred
    } else {
        len = samples;
        turned =
            (0..centred.len()).map(|place| centred[place % samples * units + place / samples]).collect::<Vec<f64>>();
        &turned
    };
    let of_row = |first: usize| {
        // One half of a symmetric matrix is enough.
        let mut products = vec![0.0; len - first];
        for row in rows.chunks(len) {
            let one = row[first];
            products.iter_mut().zip(&row[first..]).for_each(|(product, other)| *product += one * other);
        }
        (products[0], 2.0 * products.iter().map(|product| product * product).sum::<f64>() - products[0] * products[0])
    };
    let parts: Vec<(f64, f64)> = (0..len).into_par_iter().map(of_row).collect();
    let trace: f64 = parts.iter().map(|(diagonal, _)| diagonal).sum();
    let squares: f64 = parts.iter().map(|(_, squares)| squares).sum();
    (squares > 0.0).then(|| trace * trace / squares)
}
