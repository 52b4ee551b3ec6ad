//! Judgement: what was found becomes findings, each once, with all that is known of it, at the level that the policy
//! gives it.

use std::collections::BTreeSet;

use super::finding::{Evidence, Finding, Kind, Method, Part};
use crate::lint::{Lint, Policy};
use crate::locality::Place;
use crate::network::Network;
use crate::schedule::Step;

/// A finding before it has a level.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub lint: Lint,
    pub part: Part,
    pub message: String,
    pub path: Vec<String>,
    /// Changes that it reaches.
    pub reaches: BTreeSet<Place>,
    pub evidence: Vec<Evidence>,
}

/// All that was found so far.
#[derive(Debug, Default)]
pub(super) struct Drafts(pub Vec<Draft>);

impl Draft {
    pub(super) fn new(lint: Lint, part: Part, message: impl Into<String>) -> Draft {
        let (path, reaches, evidence) = (Vec::new(), BTreeSet::new(), Vec::new());
        Draft { lint, part, message: message.into(), path, reaches, evidence }
    }

    pub(super) fn along(mut self, path: Vec<String>) -> Draft {
        self.path = path;
        self
    }

    pub(super) fn reaching(mut self, updates: impl IntoIterator<Item = Place>) -> Draft {
        self.reaches.extend(updates);
        self
    }

    pub(super) fn known(mut self, method: Method, text: impl Into<String>) -> Draft {
        self.evidence.push(Evidence { method, text: text.into() });
        self
    }
}

impl Drafts {
    /// Adds a finding, or what is new about one that was made before: the same lint at the same part.
    pub(super) fn add(&mut self, draft: Draft) {
        let known = self.0.iter_mut().find(|known| known.lint == draft.lint && known.part == draft.part);
        let Some(known) = known else { return self.0.push(draft) };
        known.reaches.extend(draft.reaches);
        if draft.path.len() > known.path.len() {
            known.path = draft.path;
        }
        let new: Vec<Evidence> = draft.evidence.into_iter().filter(|one| !known.evidence.contains(one)).collect();
        known.evidence.extend(new);
    }

    /// Adds evidence to a finding if there is one.
    pub(super) fn support(&mut self, lint: Lint, part: &Part, method: Method, text: impl Into<String>) -> bool {
        let known = self.0.iter_mut().find(|known| known.lint == lint && known.part == *part);
        let Some(known) = known else { return false };
        let evidence = Evidence { method, text: text.into() };
        if !known.evidence.contains(&evidence) {
            known.evidence.push(evidence);
        }
        true
    }

    /// The findings under a policy, the gravest first, then in the order of the lints.
    pub(super) fn findings(self, network: &Network, policy: &Policy) -> Vec<Finding> {
        let finding = |draft: Draft| Finding {
            lint: draft.lint,
            constraint: draft.lint.constraint(),
            level: policy.level(draft.lint),
            remedy: remedy(draft.lint),
            message: draft.message,
            path: draft.path,
            reaches: draft.reaches.iter().map(|update| name_of(*update, network)).collect(),
            evidence: draft.evidence,
            part: draft.part,
        };
        let mut findings: Vec<Finding> = self.0.into_iter().map(finding).collect();
        findings.sort_by_key(|finding| (std::cmp::Reverse(finding.level), finding.lint));
        findings
    }
}

/// The name of the projection that takes an update.
pub(super) fn name_of(update: Place, network: &Network) -> String {
    match update {
        Place::Change(id) => network.projection(id).name.clone(),
        Place::FeedbackChange(id) => network.answer(id).name.clone(),
        other => format!("{other:?}"),
    }
}

/// The part of a circuit that a step belongs to.
pub(super) fn part_of(step: Step, network: &Network) -> Part {
    let (kind, name) = match step {
        Step::Present(unit, _) | Step::Fire(unit, _) | Step::Gate(unit, _) | Step::Perturb(unit, ..) => {
            (Kind::Unit, &network.unit(unit).name)
        }
        Step::Compare { unit, .. } | Step::Store(unit) => (Kind::Loss, &network.unit(unit).name),
        Step::Drive(id, ..) | Step::Learn(id, ..) | Step::Apply(id) => {
            (Kind::Feedforward, &network.projection(id).name)
        }
        Step::Carry(id, ..)
        | Step::Reconstruct(id, _)
        | Step::LearnInverse(id, _)
        | Step::ApplyInverse(id)
        | Step::Invert(id, ..) => (Kind::Feedback, &network.answer(id).name),
    };
    Part { kind, name: name.clone() }
}

/// What to change.
fn remedy(lint: Lint) -> String {
    let text = match lint {
        Lint::NonLocalRead => "let the rule use its two ends alone: Synapse::pre and Synapse::error",
        Lint::UndeclaredAccess => "declare what the step touches in Step::access, or stop touching it",
        Lint::ForeignWeights => "carry errors through the feedback projection's own weights",
        Lint::Memory => "use few stored negatives, as in ContrastiveHinge(negatives: Stored(4))",
        Lint::FutureRead => "compare with images that were shown before: negatives: Stored(4)",
        Lint::OtherItems => "let each item's signal depend on that item alone",
        Lint::BothViews => "make the stored view a constant: negatives: Stored(4), or gradient_block: true",
        Lint::UpdateLocking => "learn block by block: declare blocks with heads and use staging: Greedy or Random()",
        Lint::SeparatePhases => "use a rule without learned inverses: rule: Urf or Rf",
        Lint::BatchSum => "nothing, if a synapse may sum its own changes; else fewer training.pairs",
        Lint::Division | Lint::SquareRoot => "use optimizer: Sgd(rate: ...) and a hinge: loss: ContrastiveHinge()",
        Lint::Exponential => "use a hinge: loss: ContrastiveHinge()",
        Lint::Normalisation => {
            "compare raw embeddings by a hinge: loss: ContrastiveHinge(); normalise nothing in a unit"
        }
        Lint::InnerProduct => "compare by L1 distance: loss: ContrastiveHinge()",
        Lint::BatchStatistics => "use a loss of pairs: loss: ContrastiveHinge()",
        Lint::WeightTransport => {
            "give the feedback weights of its own: wiring: Learned, Fixed or Sign (rule: Urf, Rf, Sign)"
        }
        Lint::SharedStorage => "give each projection weights of its own",
        Lint::SymmetricFeedback => "start feedback apart from the forward weights: remove init: Symmetric",
        Lint::Labels => "use a loss without labels, such as ContrastiveHinge()",
        Lint::WeightSharing => "use map: Local(...), which gives every position weights of its own, or Dense(...)",
        Lint::TopGradient => "tell the first target through other weights: targets: (top: Fixed) or (top: Learned)",
        Lint::SignedError => "nothing here: cells would need a pair of populations, one for each sign",
        Lint::MixedSigns => "nothing here: cells would need separate excitatory and inhibitory neurons",
        Lint::SmoothTransfer => "use transfer: HardTanh or Relu, which are made of thresholds",
    };
    text.to_string()
}
