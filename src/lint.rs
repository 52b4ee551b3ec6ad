//! Lints: the names under which an audit finds fault with a circuit, and how much each matters.
//!
//! They follow the four constraints of Tang, Yang and Amit (2022): (i) a synapse sees its two ends, now or a short while
//! ago; (ii) nothing is computed that a cell could not; (iii) feedback has weights of its own; (iv) no labels. What the
//! paper does not demand, and a reader should know all the same, stands under a heading of its own. Two presets say
//! which of them are denied; an experiment's `audit` field and the command line say otherwise lint by lint.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::fault::{Fault, did_you_mean};

/// What a lint's finding is held against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Constraint {
    /// (i): a weight changes by what its two ends show, or remember from a short while ago.
    Locality,
    /// (ii): no normalisation, no inner products between embeddings, no division.
    Computation,
    /// (iii): feedback has weights of its own.
    Asymmetry,
    /// (iv): no labels in the encoder.
    Unsupervised,
    /// What the paper does not demand.
    Beyond,
}

impl Constraint {
    /// All of them, in the paper's order.
    pub const ALL: [Constraint; 5] = [
        Constraint::Locality,
        Constraint::Computation,
        Constraint::Asymmetry,
        Constraint::Unsupervised,
        Constraint::Beyond,
    ];

    /// The paper's number; `+` for what it does not demand.
    pub fn number(self) -> &'static str {
        match self {
            Constraint::Locality => "(i)",
            Constraint::Computation => "(ii)",
            Constraint::Asymmetry => "(iii)",
            Constraint::Unsupervised => "(iv)",
            Constraint::Beyond => "+",
        }
    }

    /// In a few words.
    pub fn title(self) -> &'static str {
        match self {
            Constraint::Locality => "local in space and time",
            Constraint::Computation => "no complex computation",
            Constraint::Asymmetry => "asymmetric connections",
            Constraint::Unsupervised => "no labels",
            Constraint::Beyond => "beyond the paper",
        }
    }
}

/// How much a lint matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    /// A finding is reported.
    Allow,
    /// A finding is reported as something to think about.
    Warn,
    /// A circuit with such a finding does not pass.
    Deny,
}

impl Level {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Level::Allow => "allowed",
            Level::Warn => "warning",
            Level::Deny => "denied",
        }
    }
}

/// A set of levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub enum Preset {
    /// Denies what breaks the paper's four constraints.
    #[default]
    Paper,
    /// Denies all that a synapse could not do.
    Strict,
}

macro_rules! lints {
    ($($(#[$doc:meta])* $lint:ident $name:literal $constraint:ident $paper:ident $strict:ident;)*) => {
        /// What an audit looks for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(into = "String")]
        pub enum Lint {
            $($(#[$doc])* $lint,)*
        }

        impl Lint {
            /// Every lint, in the order of the constraints.
            pub const ALL: &'static [Lint] = &[$(Lint::$lint),*];

            /// Its name in circuit files, on the command line and in reports.
            pub fn name(self) -> &'static str {
                match self {
                    $(Lint::$lint => $name,)*
                }
            }

            /// The constraint that it guards.
            pub fn constraint(self) -> Constraint {
                match self {
                    $(Lint::$lint => Constraint::$constraint,)*
                }
            }

            /// How much it matters to a preset.
            pub fn level(self, preset: Preset) -> Level {
                match (self, preset) {
                    $((Lint::$lint, Preset::Paper) => Level::$paper,
                    (Lint::$lint, Preset::Strict) => Level::$strict,)*
                }
            }

            /// Its page: what it means, why biology minds, what to change, where to read on.
            pub fn page(self) -> &'static str {
                match self {
                    $(Lint::$lint => include_str!(concat!("lint/", $name, ".md")),)*
                }
            }
        }
    };
}

lints! {
    /// A signal or an update depends on something that is at neither end of its synapse.
    NonLocalRead "non-local-read" Locality Deny Deny;
    /// A step touches a place that it does not declare, or declares what it does not touch in a way that hides it.
    UndeclaredAccess "undeclared-access" Locality Deny Deny;
    /// An error or target came through weights other than the feedback projection's own or its partner's.
    ForeignWeights "foreign-weights" Locality Deny Deny;
    /// The top layer must remember more items, or longer, than the limit.
    Memory "memory" Locality Deny Deny;
    /// An update needs a presentation that comes later.
    FutureRead "future-read" Locality Deny Deny;
    /// A signal of one item of a batch depends on another item, other than by the loss's memory.
    OtherItems "other-items" Locality Deny Deny;
    /// Synapses learn from both views at once, so every unit must remember two activities.
    BothViews "both-views" Locality Warn Deny;
    /// A synapse must wait until other layers have had their pass, upwards and back.
    UpdateLocking "update-locking" Locality Warn Deny;
    /// Learning needs a phase in which the network does not perceive.
    SeparatePhases "separate-phases" Locality Allow Deny;
    /// Changes are summed over a batch before a weight takes them.
    BatchSum "batch-sum" Locality Allow Warn;
    /// Something divides by a value that depends on activity or on a change.
    Division "division" Computation Deny Deny;
    /// Something takes a root of such a value.
    SquareRoot "square-root" Computation Deny Deny;
    /// Something takes the exponential or the logarithm of such a value.
    Exponential "exponential" Computation Deny Deny;
    /// A value is scaled by what was made of it and its neighbours.
    Normalisation "normalisation" Computation Deny Deny;
    /// Two embeddings are multiplied.
    InnerProduct "inner-product" Computation Deny Deny;
    /// A statistic over the items of a batch is used.
    BatchStatistics "batch-statistics" Computation Deny Deny;
    /// Errors travel back through forward weights.
    WeightTransport "weight-transport" Asymmetry Deny Deny;
    /// Two projections use one stored weight.
    SharedStorage "shared-storage" Asymmetry Deny Deny;
    /// Feedback weights have a store of their own, but are the forward weights all the same.
    SymmetricFeedback "symmetric-feedback" Asymmetry Deny Deny;
    /// Labels reach an update of the encoder.
    Labels "labels" Unsupervised Deny Deny;
    /// One weight serves many places of an image.
    WeightSharing "weight-sharing" Beyond Allow Deny;
    /// The top target of difference target propagation is made of the true gradient.
    TopGradient "top-gradient" Beyond Allow Deny;
    /// One unit sends errors of both signs.
    SignedError "signed-error" Beyond Allow Warn;
    /// One neuron excites some of its targets and inhibits others.
    MixedSigns "mixed-signs" Beyond Allow Warn;
    /// A transfer function is made of an exponential.
    SmoothTransfer "smooth-transfer" Beyond Allow Allow;
}

impl Lint {
    /// The lint of that name.
    ///
    /// # Errors
    /// There is none: the remedy names what was probably meant.
    pub fn named(name: &str) -> Result<Lint, Fault> {
        let found = Lint::ALL.iter().copied().find(|lint| lint.name() == name);
        found.ok_or_else(|| {
            let names = Lint::ALL.iter().map(|lint| lint.name());
            Fault::new("", format!("there is no lint `{name}`"), did_you_mean(name, names))
        })
    }

    /// What it says, in one sentence: the first of its page.
    pub fn sentence(self) -> String {
        let paragraph = self.page().split("\n\n").nth(1).unwrap_or_default();
        paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl From<Lint> for String {
    fn from(lint: Lint) -> String {
        lint.name().to_string()
    }
}

/// What an audit holds against a circuit: an experiment's `audit` field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Levels of all lints that are not named in `levels`.
    pub preset: Preset,
    /// Most items that the top layer may remember, and most images back.
    pub memory: usize,
    /// Levels of single lints, by name; a name that is no lint's is a fault.
    pub levels: BTreeMap<String, Level>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy { preset: Preset::default(), memory: 8, levels: BTreeMap::new() }
    }
}

impl Policy {
    /// How much a lint matters.
    pub fn level(&self, lint: Lint) -> Level {
        self.levels.get(lint.name()).copied().unwrap_or(lint.level(self.preset))
    }

    /// The faults of names and numbers; their places are fields.
    pub fn faults(&self) -> Vec<Fault> {
        let unknown = |name: &String| Some(Lint::named(name).err()?.within(&format!("levels[{name:?}]")));
        let mut faults: Vec<Fault> = self.levels.keys().filter_map(unknown).collect();
        if self.memory == 0 {
            let problem = "a top layer that may remember nothing has nothing to compare an embedding with";
            faults.push(Fault::new("memory", problem, "use 1 or more, such as 8"));
        }
        faults
    }
}
