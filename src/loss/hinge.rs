//! What the hinges have in common: which pairs are negative, L1 distance and its derivative.

use serde::{Deserialize, Serialize};

use super::StoredView;
use crate::fault::Fault;
use crate::number::Number;

/// Which stored items a current item must keep away from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Negatives {
    /// Every other item of the batch; both views learn unless `gradient_block` says otherwise.
    All,
    /// This many items seen just before, from short-term memory, which is a constant unless `gradient_block` says
    /// otherwise. The first items of a batch have fewer.
    Stored(usize),
}

impl Negatives {
    /// The stored items that current item `j` of `samples` is set against.
    pub(super) fn of(self, j: usize, samples: usize) -> impl Iterator<Item = usize> {
        let range = match self {
            Negatives::All => 0..samples,
            Negatives::Stored(items) => j.saturating_sub(items)..j,
        };
        range.filter(move |&i| i != j)
    }

    /// The current items that stored item `i` of `samples` is a negative of.
    pub(super) fn with(self, i: usize, samples: usize) -> impl Iterator<Item = usize> {
        let range = match self {
            Negatives::All => 0..samples,
            Negatives::Stored(items) => i + 1..samples.min(items.saturating_add(i + 1)),
        };
        range.filter(move |&j| j != i)
    }

    /// What becomes of the stored view where `gradient_block` is as given.
    pub(super) fn stored_view(self, gradient_block: Option<bool>) -> StoredView {
        stored_view(gradient_block.unwrap_or(matches!(self, Negatives::Stored(_))))
    }

    /// The fault of no negatives at all.
    pub(super) fn fault(self) -> Option<Fault> {
        (self == Negatives::Stored(0)).then(|| {
            Fault::new(
                "negatives",
                "no negatives: all embeddings would collapse into one",
                "store at least 1 item, such as Stored(4)",
            )
        })
    }
}

/// What becomes of the stored view with and without gradient block.
pub(super) fn stored_view(gradient_block: bool) -> StoredView {
    if gradient_block { StoredView::Constant } else { StoredView::Learns }
}

/// What is wrong with margins for positive and for negative pairs.
pub(super) fn margin_faults((positive, negative): (f32, f32)) -> Vec<Fault> {
    let numbers = [positive, negative].into_iter().filter_map(|margin| Fault::unless_positive("margins", margin));
    let mut faults: Vec<Fault> = numbers.collect();
    if faults.is_empty() && positive >= negative {
        faults.push(Fault::new(
            "margins",
            format!(
                "positive pairs are let be within {positive}, negative pairs beyond {negative}: a pair can be both"
            ),
            "make the second margin the larger one, such as (1.0, 3.0)",
        ));
    }
    faults
}

/// The L1 distance of two embeddings.
pub fn distance<N: Number>(a: &[N], b: &[N]) -> N {
    sum(a, b, |p, q| (p - q).abs())
}

/// Inner product.
pub(super) fn inner<N: Number>(a: &[N], b: &[N]) -> N {
    sum(a, b, |p, q| p * q)
}

/// The sum of `term` over pairs of values, in sixteen lanes so that it is one order on every processor. A call of its
/// own would take a tenth longer.
#[inline(always)]
fn sum<N: Number>(a: &[N], b: &[N], term: impl Fn(N, N) -> N) -> N {
    let mut lanes = [N::default(); 16];
    let (a_blocks, b_blocks) = (a.chunks_exact(16), b.chunks_exact(16));
    let rest: N = a_blocks.remainder().iter().zip(b_blocks.remainder()).map(|(&p, &q)| term(p, q)).sum();
    for (p, q) in a_blocks.zip(b_blocks) {
        for lane in 0..16 {
            lanes[lane] += term(p[lane], q[lane]);
        }
    }
    lanes.iter().copied().sum::<N>() + rest
}

/// error += factor * sign(from - to), the derivative of |from - to| by `from`; equal values give none.
pub(super) fn add_signs<N: Number>(error: &mut [N], from: &[N], to: &[N], factor: N) {
    for ((e, &f), &t) in error.iter_mut().zip(from).zip(to) {
        *e += factor * (f - t).sign();
    }
}

/// error += factor * values, the derivative of an inner product.
pub(super) fn add_scaled<N: Number>(error: &mut [N], values: &[N], factor: N) {
    error.iter_mut().zip(values).for_each(|(e, &value)| *e += factor * value);
}
