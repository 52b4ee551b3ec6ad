//! Error feedback (Tang, Yang and Amit 2022, section 2.3): dW = e x^T, the gated error of the postsynaptic unit times
//! the activity of the presynaptic one, whatever weights the error came through.

use super::CreditRule;
use crate::locality::{Change, Synapse};
use crate::network::Wiring;

/// Learning from an error that feedback projections deliver.
#[derive(Debug, Clone, Copy)]
pub struct ErrorFeedback {
    wiring: Option<Wiring>,
}

impl ErrorFeedback {
    /// Feedback as the circuit lists it.
    pub const AS_WIRED: ErrorFeedback = ErrorFeedback { wiring: None };

    /// One wiring for all feedback that the circuit leaves open.
    pub const fn wired(wiring: Wiring) -> Self {
        ErrorFeedback { wiring: Some(wiring) }
    }
}

impl CreditRule for ErrorFeedback {
    fn wiring(&self) -> Option<Wiring> {
        self.wiring
    }

    fn learn(&self, synapse: &Synapse<'_>, change: &mut Change<'_>) {
        change.correlate(synapse.pre(), synapse.error());
    }
}
