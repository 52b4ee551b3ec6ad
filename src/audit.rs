//! The audit: does each weight of a circuit change only by what its synapse can see?

mod finding;

pub use finding::{
    Angle, Audit, Breach, Checks, Evidence, Fence, Finding, Kind, Method, Node, Part, Remembered, Row, Source, Update,
    Verdict,
};

use crate::error::Result;
use crate::kernels::Isa;
use crate::lint::Policy;
use crate::simulation::Experiment;

/// How an audit is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is held against the circuit.
    pub policy: Policy,
    /// Whether to run the circuit, or only to read its plan.
    pub run: bool,
    /// Pairs of views in a batch where it is run.
    pub pairs: usize,
    /// Instruction set.
    pub isa: Isa,
}
