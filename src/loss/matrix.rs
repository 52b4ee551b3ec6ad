//! Plain matrix arithmetic for the losses that compare everything with everything. Matrices are dense and row by row;
//! every value is one sum in one order, whatever the number of threads.

use std::ops::Add;

use rayon::prelude::*;

use crate::number::Number;
use crate::threads::least;

/// Rows and columns of the block of sums that stay in registers.
const ROWS: usize = 4;
const COLUMNS: usize = 8;

/// product = left * right, where `right` has `columns` columns.
pub(super) fn multiply<N: Number>(left: &[N], right: &[N], columns: usize, product: &mut [N]) {
    let depth = right.len() / columns;
    let rows = product.par_chunks_mut(ROWS * columns).zip(left.par_chunks(ROWS * depth));
    rows.with_min_len(least()).for_each(|(product, left)| {
        for first in (0..columns).step_by(COLUMNS) {
            if product.len() == ROWS * columns && first + COLUMNS <= columns {
                let rows: [&[N]; ROWS] = std::array::from_fn(|row| &left[row * depth..][..depth]);
                let mut sums = [[N::default(); COLUMNS]; ROWS];
                for (k, right) in right.chunks_exact(columns).enumerate() {
                    let right = &right[first..][..COLUMNS];
                    for (sums, row) in sums.iter_mut().zip(rows) {
                        sums.iter_mut().zip(right).for_each(|(sum, &r)| *sum += row[k] * r);
                    }
                }
                for (product, sums) in product.chunks_exact_mut(columns).zip(sums) {
                    product[first..][..COLUMNS].copy_from_slice(&sums);
                }
            } else {
                for (product, left) in product.chunks_exact_mut(columns).zip(left.chunks_exact(depth)) {
                    for (column, sum) in product.iter_mut().enumerate().skip(first).take(COLUMNS) {
                        let terms = left.iter().enumerate().map(|(k, &l)| l * right[k * columns + column]);
                        *sum = terms.fold(N::default(), Add::add);
                    }
                }
            }
        }
    });
}

/// Turns a matrix of `columns` columns over.
pub(super) fn transpose<N: Number>(matrix: &[N], columns: usize, transposed: &mut [N]) {
    let rows = matrix.len() / columns;
    transposed.par_chunks_mut(rows).with_min_len(least()).enumerate().for_each(|(column, values)| {
        values.iter_mut().enumerate().for_each(|(row, value)| *value = matrix[row * columns + column]);
    });
}

/// Turns logits into probabilities and gives the logarithm of the sum of their exponentials.
pub(super) fn softmax<N: Number>(logits: &mut [N]) -> N::Wide {
    // The maximum passes over what is no number; the sum does not.
    let most = logits.iter().copied().fold(N::from(f32::NEG_INFINITY), N::max);
    let mut sum = N::Wide::default();
    for logit in logits.iter_mut() {
        *logit = (*logit - most).exp();
        sum += logit.wide();
    }
    let share = N::narrow(N::Wide::from(1.0f32) / sum);
    logits.iter_mut().for_each(|probability| *probability *= share);
    most.wide() + sum.ln()
}
