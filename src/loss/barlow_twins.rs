//! Barlow Twins (Zbontar, Jing, Misra, LeCun and Deny 2021): over a batch, each unit agrees with itself between the two
//! views and with no other unit. With z the embeddings, each unit made mean 0 and variance 1 over the n items of its
//! view, C = z(a)' z(y) / n is a matrix units x units, and
//!
//! ```text
//! L = scale * ( sum_u (C_uu - 1)^2  +  off_diagonal * sum over u != v of C_uv^2 )
//! ```
//!
//! Normalisation over the batch and a whole correlation matrix make it a reference, not a local rule.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::matrix::{multiply, transpose};
use super::{Comparison, Embeddings, Errors, Formula, StoredView, Workspace};
use crate::fault::Fault;
use crate::number::Number;
use crate::threads::least;

/// What the published program adds to a variance, so that a silent unit can be divided by its deviation.
const SILENCE: f64 = 1e-5;

/// Settings of Barlow Twins; the defaults are the paper's trade-off and its program's scale.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BarlowTwins {
    /// Weight of a correlation between two units, where that of a unit with itself has 1.
    pub off_diagonal: f32,
    /// Weight of the whole.
    pub scale: f32,
}

impl Default for BarlowTwins {
    fn default() -> Self {
        BarlowTwins { off_diagonal: 5e-3, scale: 1.0 / 32.0 }
    }
}

impl Formula for BarlowTwins {
    fn stored_view(&self) -> StoredView {
        StoredView::Learns
    }

    fn evaluate<N: Number>(
        &self,
        seen: Embeddings<'_, N>,
        errors: Errors<'_, N>,
        workspace: &mut Workspace<N>,
    ) -> Comparison {
        let (units, samples) = (seen.shape.len(), seen.samples());
        let (values, square) = (units * samples, units * units);
        // Statistics run over a unit's values, so z and slopes are [unit][sample].
        let (items, [z_stored, z_current, slopes, rows, correlations, turned, gains_stored, gains_current]) =
            workspace.take(units, [values, values, values, values, square, square, units, units]);
        whiten(seen.stored, units, z_stored, gains_stored);
        whiten(seen.current, units, z_current, gains_current);
        transpose(z_current, samples, rows);
        multiply(z_stored, rows, units, correlations);

        // Each correlation gives way to the loss's derivative by it.
        let share = N::from(1.0 / samples as f32);
        let (scale, off_diagonal) = (f64::from(self.scale), f64::from(self.off_diagonal));
        let rows = correlations.par_chunks_mut(units).zip(items.par_iter_mut());
        rows.with_min_len(least()).enumerate().for_each(|(u, (row, item))| {
            *item = Comparison::default();
            for (v, correlation) in row.iter_mut().enumerate() {
                let (weight, aim) = if u == v { (scale, 1.0) } else { (scale * off_diagonal, 0.0) };
                let miss = (*correlation * share).wide() - N::Wide::from(aim);
                item.loss += weight * miss.report() * miss.report();
                *correlation = N::narrow(N::Wide::from(2.0 * weight) * miss) * share;
            }
        });
        let loss = Comparison::sum(items).loss;

        transpose(correlations, units, turned);
        multiply(turned, z_stored, samples, slopes);
        tell(slopes, z_current, gains_current, errors.current);
        if let Some(stored_errors) = errors.stored {
            multiply(correlations, z_current, samples, slopes);
            tell(slopes, z_stored, gains_stored, stored_errors);
        }
        Comparison { loss, active: samples as u64, pairs: samples as u64 }
    }

    fn faults(&self) -> Vec<Fault> {
        let numbers = [("off_diagonal", self.off_diagonal), ("scale", self.scale)];
        numbers.into_iter().filter_map(|(place, value)| Fault::unless_positive(place, value)).collect()
    }
}

/// Gives each unit mean 0 and variance 1 over the batch, as a row of `z`, and what it was multiplied by.
fn whiten<N: Number>(embeddings: &[N], units: usize, z: &mut [N], gains: &mut [N]) {
    transpose(embeddings, units, z);
    let samples = z.len() / units;
    z.par_chunks_mut(samples).zip(gains).with_min_len(least()).for_each(|(row, gain)| {
        let (samples, silence) = (N::Wide::from(samples as f64), N::Wide::from(SILENCE));
        let square = |value: N::Wide| value * value;
        let mean = row.iter().map(|value| value.wide()).sum::<N::Wide>() / samples;
        let variance = row.iter().map(|value| square(value.wide() - mean)).sum::<N::Wide>() / samples;
        let scale = N::Wide::from(1.0f64) / (variance + silence).sqrt();
        row.iter_mut().for_each(|value| *value = N::narrow((value.wide() - mean) * scale));
        *gain = N::narrow(scale);
    });
}

/// Takes derivatives by `z` back through [`whiten`]: what moves a unit's mean or variance has no effect.
fn tell<N: Number>(slopes: &mut [N], z: &[N], gains: &[N], errors: &mut [N]) {
    let samples = z.len() / gains.len();
    let rows = slopes.par_chunks_mut(samples).zip(z.par_chunks(samples)).zip(gains);
    rows.with_min_len(least()).for_each(|((slopes, z), &gain)| {
        let samples = N::Wide::from(samples as f64);
        let mean = slopes.iter().map(|slope| slope.wide()).sum::<N::Wide>() / samples;
        let along = slopes.iter().zip(z).map(|(slope, z)| slope.wide() * z.wide()).sum::<N::Wide>() / samples;
        for (slope, z) in slopes.iter_mut().zip(z) {
            *slope = gain * N::narrow(slope.wide() - mean - z.wide() * along);
        }
    });
    transpose(slopes, samples, errors);
}
