//! What an audit says: the schema of its JSON, of which text and page are drawings.

use serde::Serialize;

use crate::lint::{Constraint, Level, Lint, Policy};

/// The outcome of an audit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audit {
    /// Version of this schema; it changes when a field changes its meaning or goes.
    pub schema: u32,
    /// Whether nothing was found that the policy denies, and the audit agrees with itself.
    pub clean: bool,
    /// What was held against the circuit.
    pub policy: Policy,
    /// Whether the circuit was run, or only its plan was read.
    pub run: bool,
    /// What learns at once, in order.
    pub stages: Vec<String>,
    /// The circuit's units.
    pub units: Vec<Node>,
    /// Every projection and every other part that was judged, with its verdicts.
    pub rows: Vec<Row>,
    /// All findings, the gravest first.
    pub findings: Vec<Finding>,
    /// For every update, what reaches it.
    pub updates: Vec<Update>,
    /// How much was checked.
    pub checks: Checks,
    /// Angles between feedback weights and the forward weights that they answer.
    pub angles: Vec<Angle>,
    /// What each head must remember.
    pub memories: Vec<Remembered>,
    /// The fences that the compiler keeps, whatever a rule says.
    pub fences: Vec<Fence>,
    /// Where the circuit goes through a hole in them, by its name.
    pub breaches: Vec<Breach>,
    /// Where the kinds of evidence contradict each other: faults of the audit or of the engine, never of the circuit.
    pub disagreements: Vec<String>,
}

/// A unit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Channels, height and width.
    pub shape: [usize; 3],
    /// Whether images are shown to it.
    pub input: bool,
    /// Whether a loss acts on it, in some stage.
    pub head: bool,
    /// The top unit of the block that it belongs to, where blocks learn apart.
    pub block: Option<String>,
}

/// What kind of part a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Kind {
    /// A feedforward projection.
    Feedforward,
    /// A feedback projection.
    Feedback,
    /// A unit.
    Unit,
    /// The error-computing layer at a head.
    Loss,
    /// The optimiser.
    Optimizer,
}

/// A part of the circuit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Part {
    /// What kind of part.
    pub kind: Kind,
    /// Its name: a unit's, a projection's, the head's, the optimiser's.
    pub name: String,
}

/// A part and what was found of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The part.
    pub part: Part,
    /// Name of the unit where a projection begins.
    pub from: Option<String>,
    /// Name of the unit where it ends.
    pub to: Option<String>,
    /// The name of the projection that a feedback projection answers.
    pub partner: Option<String>,
    /// Whether its weights learn by an update of their own.
    pub plastic: bool,
    /// In a word or two: `Conv`, `Dense`, or the wiring of feedback.
    pub detail: String,
    /// One verdict for each constraint, in the order of [`Constraint::ALL`].
    pub verdicts: [Verdict; 5],
}

/// How a part stands under one constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Verdict {
    /// The gravest finding about the part itself.
    pub own: Option<Level>,
    /// The gravest finding about another part whose signal reaches this one's update.
    pub heard: Option<Level>,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// Under which name.
    pub lint: Lint,
    /// What it is held against.
    pub constraint: Constraint,
    /// How much it matters here.
    pub level: Level,
    /// Where.
    pub part: Part,
    /// What, with names and numbers.
    pub message: String,
    /// The way from what must not be seen to the update that sees it, step by step; empty where there is no way to show.
    pub path: Vec<String>,
    /// The projections whose updates it reaches.
    pub reaches: Vec<String>,
    /// How it is known.
    pub evidence: Vec<Evidence>,
    /// What to change.
    pub remedy: String,
}

/// A kind of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Method {
    /// Data flow over the plan's reads and writes, or over the arithmetic of a loss or an optimiser.
    Static,
    /// Something was changed in a run, and something else moved.
    Interventional,
    /// The compiler keeps a fence, and a named hole in it is used.
    Types,
}

/// One reason to believe a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Of which kind.
    pub method: Method,
    /// What was seen, with numbers.
    pub text: String,
}

/// One projection's update, and what reaches it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Update {
    /// The projection.
    pub projection: String,
    /// The stage in which it learns.
    pub stage: String,
    /// What reaches it, each with the way that it takes.
    pub sources: Vec<Source>,
}

/// Something that reaches an update.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Source {
    /// What: `activity of v2 (current view)`, `weights of v2->v3`, `labels`.
    pub what: String,
    /// The steps that it passes, up to the update.
    pub path: Vec<String>,
    /// Whether the update moved when it was disturbed; none if nobody tried.
    pub moved: Option<bool>,
}

/// How much was checked, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Checks {
    /// Steps of plans that were read.
    pub steps: usize,
    /// Steps that were taken with everything that they should not see filled with what is no number.
    pub blinded: usize,
    /// Quantities that were disturbed in whole updates.
    pub disturbed: usize,
    /// Pairs of a disturbed quantity and an update on which data flow and run had to agree.
    pub compared: usize,
    /// Pairs among them of which data flow knows a way that no event took on the images shown: nothing is known of them
    /// from a run.
    pub untested: usize,
    /// Single neurons and items that were disturbed inside a step.
    pub probed: usize,
    /// Pairs of views in a batch.
    pub pairs: usize,
}

/// How near feedback weights are to the forward weights that they answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Angle {
    /// The feedback projection.
    pub feedback: String,
    /// The forward one.
    pub partner: String,
    /// Degrees at the start, and after a few updates.
    pub degrees: [f64; 2],
    /// Whether both took the very same updates.
    pub same_updates: bool,
}

/// What a head's error-computing layer must remember.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remembered {
    /// The head.
    pub head: String,
    /// Embeddings that must be remembered to compute the error of one.
    pub items: usize,
    /// Images since the oldest of them was shown.
    pub back: usize,
    /// Images until the last of them will be shown; 0 if none comes later.
    pub ahead: usize,
}

/// A fence that the compiler keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fence {
    /// What no rule can do.
    pub forbids: &'static str,
    /// The compiler's error for an attempt.
    pub error: &'static str,
}

/// A hole in the fences that the circuit uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Breach {
    /// Its name in the source.
    pub name: &'static str,
    /// The feedback projection that goes through it.
    pub feedback: String,
}

impl Finding {
    /// Whether a circuit with it does not pass.
    pub fn is_denied(&self) -> bool {
        self.level == Level::Deny
    }
}

impl Audit {
    /// The verdict in one line.
    pub fn summary(&self) -> String {
        let count = |level: Level| self.findings.iter().filter(|finding| finding.level == level).count();
        let (denied, warned, allowed) = (count(Level::Deny), count(Level::Warn), count(Level::Allow));
        let many = |count: usize, what: &str| if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") };
        let others = format!("{}, {}", many(warned, "warning"), many(allowed, "allowed finding"));
        if !self.disagreements.is_empty() {
            return format!("audit: the evidence contradicts itself in {} places", self.disagreements.len());
        }
        if denied == 0 {
            return format!("audit ({:?}): passes, {others}", self.policy.preset);
        }
        let mut broken: Vec<&str> = Vec::new();
        for constraint in Constraint::ALL {
            let breaks = |finding: &&Finding| finding.is_denied() && finding.constraint == constraint;
            if self.findings.iter().any(|finding| breaks(&finding)) {
                broken.push(constraint.number());
            }
        }
        format!(
            "audit ({:?}): does not pass, {} against {}; {others}",
            self.policy.preset,
            many(denied, "denied finding"),
            broken.join(" ")
        )
    }
}
