//! The rung on which instruction sets agree to rounding.

use super::Found;
use super::bench::Bench;
use super::rounding::{self, Way};
use crate::error::Result;
use crate::kernels::Isa;

/// Every other instruction set against the one in use.
pub(super) fn climb(bench: &Bench<'_>) -> Result<Found> {
    let others: Vec<Isa> = Isa::available().into_iter().filter(|isa| *isa != bench.isa).collect();
    if others.is_empty() {
        return Ok(Err(format!("this processor has no instruction set but {}", bench.isa)));
    }
    let arithmetic = bench.experiment.learning().arithmetic;
    let way = |isa: Isa| Way { name: isa.to_string(), isa, arithmetic };
    rounding::climb(bench, "on", &way(bench.isa), &others.into_iter().map(way).collect::<Vec<_>>())
}
