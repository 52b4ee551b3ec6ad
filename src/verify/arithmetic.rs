//! The rung on which the ways that kernels can take agree to rounding: whatever is saved, it is no result.

use super::Found;
use super::bench::Bench;
use super::rounding::{self, Way};
use crate::error::Result;
use crate::kernels::arithmetic::Arithmetic;

/// Every way, whichever the experiment asks for, against plain sums over everything.
pub(super) fn climb(bench: &Bench<'_>) -> Result<Found> {
    let way = |arithmetic: Arithmetic| Way { name: arithmetic.to_string(), isa: bench.isa, arithmetic };
    let others = Arithmetic::ALL.into_iter().filter(|arithmetic| *arithmetic != Arithmetic::PLAIN);
    rounding::climb(bench, "by", &way(Arithmetic::PLAIN), &others.map(way).collect::<Vec<_>>())
}
