//! Difference target propagation (Lee et al. 2015; Tang 2021): each unit but the heads is given a target by a learned
//! inverse of what stands above it, and its synapses bring its activity there: dW = e x^T, with e the gated way from
//! target to activity. An inverse learns in the same way, from how far it missed an activity that it knows.

use super::CreditRule;
use crate::locality::{Change, Synapse};
use crate::network::Wiring;

/// Learning from targets that inverses bring down.
#[derive(Debug, Clone, Copy)]
pub struct TargetPropagation;

impl CreditRule for TargetPropagation {
    fn wiring(&self) -> Option<Wiring> {
        Some(Wiring::Inverse)
    }

    fn propagates_targets(&self) -> bool {
        true
    }

    fn learn(&self, synapse: &Synapse<'_>, change: &mut Change<'_>) {
        change.correlate(synapse.pre(), synapse.error());
    }
}
