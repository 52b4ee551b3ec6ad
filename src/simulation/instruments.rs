//! Instruments as an experiment asks for them, and the network against which they set its rule.

use serde::{Deserialize, Serialize};

use super::Learning;
use crate::fault::Fault;
use crate::learning::Rule;
use crate::network::{Network, NetworkSpec, Teaching};
use crate::optimizer::Optimizer;

/// Instruments that look at learning steps; an experiment that does not name them has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Instruments {
    /// Learning steps from one recording to the next; the first step is recorded.
    pub every: u64,
}

impl Default for Instruments {
    fn default() -> Self {
        Instruments { every: 10 }
    }
}

impl Instruments {
    pub(super) fn fault(self) -> Option<Fault> {
        let problem = "there is no recording every 0 steps";
        let remedy = "use at least 1, such as 10, or remove instruments";
        (self.every == 0).then(|| Fault::new("instruments.every", problem, remedy))
    }
}

/// The network of `spec` as back-propagation would wire it; or why it has no such counterpart.
pub(super) fn reference(spec: &NetworkSpec, learning: &Learning) -> Result<Network, Vec<Fault>> {
    let unwired = NetworkSpec { feedback: Vec::new(), ..spec.clone() };
    let teaching = Teaching { wiring: Rule::Bp.credit().wiring(), top: None, ..learning.teaching() };
    let unlike = |fault: Fault| {
        let problem = format!("each rule is set against back-propagation, under which {}", fault.problem);
        Fault::new("instruments", problem, format!("{}, or remove instruments", fault.remedy))
    };
    Network::build(&unwired, teaching).map_err(|faults| faults.into_iter().map(unlike).collect())
}

/// Learning by back-propagation with updates that are the changes themselves.
pub(super) fn plain(learning: &Learning) -> Learning {
    let optimizer = Optimizer::Sgd { rate: 1.0, momentum: 0.0 };
    Learning { rule: Rule::Bp, targets: None, optimizer, ..learning.clone() }
}
