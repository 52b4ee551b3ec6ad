//! Plasticity: what a synapse population makes of its two ends.
//!
//! A [`CreditRule`] sees one [`Synapse`] and one [`Change`] and nothing else. BP, RF, URF and sign are one rule, error
//! feedback, under four wirings: they differ in the weights through which errors travel, not in what a synapse does
//! with the error that arrives. To add a rule, write it in a file of its own and add its line to the table below;
//! the line makes its name in circuit files and on the command line and its entry in [`Rule::ALL`], over which the
//! tests iterate.

mod error_feedback;
mod target_propagation;

use serde::{Deserialize, Serialize};

pub use error_feedback::ErrorFeedback;
pub use target_propagation::TargetPropagation;

use crate::locality::{Change, Synapse};
use crate::network::Wiring;

/// How a synapse population learns.
pub trait CreditRule: Sync {
    /// The wiring of every feedback projection that a circuit does not wire itself; `None` leaves all to the circuit.
    fn wiring(&self) -> Option<Wiring>;

    /// Whether units below the heads learn from targets, which inverses bring down, and not from errors.
    fn propagates_targets(&self) -> bool {
        false
    }

    /// Adds to `change` what the two ends of a projection ask for.
    fn learn(&self, synapse: &Synapse<'_>, change: &mut Change<'_>);
}

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident => $rule:expr;)*) => {
        /// The credit rules, by the names that circuit files use.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
        pub enum Rule {
            $($(#[$doc])* $name,)*
        }

        impl Rule {
            /// Every rule.
            pub const ALL: &'static [Rule] = &[$(Rule::$name),*];

            /// The rule itself.
            pub fn credit(self) -> &'static dyn CreditRule {
                match self {
                    $(Rule::$name => const { &$rule },)*
                }
            }

            /// The name in circuit files.
            pub fn name(self) -> &'static str {
                match self {
                    $(Rule::$name => stringify!($name),)*
                }
            }
        }
    };
}

rules! {
    /// Back-propagation: errors travel through the forward weights.
    Bp => ErrorFeedback::wired(Wiring::Transported);
    /// Fixed random feedback (Lillicrap et al. 2016).
    Rf => ErrorFeedback::wired(Wiring::Fixed);
    /// Updated random feedback (Tang, Yang and Amit 2022): random at first, then it takes the forward update.
    Urf => ErrorFeedback::wired(Wiring::Learned);
    /// Errors through the signs of feedback weights that take the forward update.
    Sign => ErrorFeedback::wired(Wiring::Sign);
    /// Difference target propagation: targets through learned inverses (Tang 2021).
    Dtp => TargetPropagation;
    /// Error feedback through exactly the feedback projections that the circuit lists, each with a wiring of its own.
    #[default]
    Wired => ErrorFeedback::AS_WIRED;
}
