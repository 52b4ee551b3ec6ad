//! From what moved in a run to findings: what a step hid, what one neuron or item moved that was not its own, and what a
//! disturbed quantity moved that no synapse could have heard of.

use std::collections::{BTreeMap, BTreeSet};

use super::blind::{Blinded, Lie};
use super::disturb::{Row, percent};
use super::finding::{Kind, Method, Part};
use super::flow::{Flow, in_words};
use super::judge::{Draft, Drafts, name_of, part_of};
use super::probe::Leak;
use super::structure;
use crate::lint::Lint;
use crate::locality::{Place, View};
use crate::network::{FeedbackId, Network, ProjectionId, UnitId};
use crate::schedule::Step;

/// Findings from steps that were blinded and probed.
pub(super) fn of_steps(flow: &Flow<'_>, blinded: &Blinded, optimizer: &str, drafts: &mut Drafts) {
    let network = flow.network;
    for Lie { step, place, writes, text } in &blinded.lies {
        let what = place
            .map_or("something outside the state".to_string(), |place| format!("the {}", in_words(place, network)));
        let verb = if *writes { "writes" } else { "reads" };
        let message = format!("{verb} {what} without declaring it");
        let draft =
            Draft::new(Lint::UndeclaredAccess, part_of(*step, network), message).reaching(reached_by(flow, *step));
        drafts.add(draft.known(Method::Interventional, text.clone()));
    }
    for Leak { step, lint, text } in &blinded.leaks {
        let part = match step {
            Step::Apply(_) => Part { kind: Kind::Optimizer, name: optimizer.to_string() },
            step => part_of(*step, network),
        };
        let message = match lint {
            Lint::Normalisation if !matches!(step, Step::Fire(..)) => {
                "what comes through is not proportional to what goes in"
            }
            Lint::Normalisation => "the activity of one neuron depends on others beyond its pooling window",
            Lint::BatchStatistics => "the activity of one item depends on other items of the batch",
            Lint::OtherItems => "a signal of one item depends on other items of the batch",
            _ if matches!(step, Step::Apply(_)) => "the update of one weight depends on what is asked of others",
            _ => "a signal of one neuron depends on others that are at neither end of its synapses",
        };
        let draft = Draft::new(*lint, part, message).reaching(reached_by(flow, *step));
        drafts.add(draft.known(Method::Interventional, text.clone()));
    }
}

/// The updates that what a step writes can reach.
fn reached_by(flow: &Flow<'_>, step: Step) -> BTreeSet<Place> {
    let Some(index) = flow.steps.iter().position(|other| *other == step) else { return BTreeSet::new() };
    let own = super::flow::folds(step);
    let made = flow.access[index].writes.iter();
    made.flat_map(|&place| flow.reach(index + 1, place, &|_| false).updates).chain(own).collect()
}

/// Findings from quantities that were disturbed in whole updates.
pub(super) fn of_updates(flow: &Flow<'_>, rows: &[Row], drafts: &mut Drafts) {
    let (network, loss) = (flow.network, structure::loss_part(flow));
    for row in rows {
        let what = in_words(row.place, network);
        // What one quantity moves under one name at one part is one finding.
        let mut charges: BTreeMap<(Lint, Part), Vec<(Place, f64)>> = BTreeMap::new();
        for (&update, &size) in &row.moved {
            // Before the comparison all that is perceived moves what inverses learn, and so the rest.
            if row.early && !matches!(update, Place::FeedbackChange(_)) {
                continue;
            }
            let Some(heard) = Heard::of(flow, update) else { continue };
            if !heard.allows(row.place) {
                charges.entry(heard.charge(row.place, update, &loss)).or_default().push((update, size));
            }
        }
        for ((lint, part), moved) in charges {
            let one = |(update, size): &(Place, f64)| format!("{} by {}", name_of(*update, network), percent(*size));
            let names: Vec<String> = moved.iter().map(one).collect();
            let text = format!("disturbing the {what} moves what is asked of {}", names.join(", "));
            if drafts.support(lint, &part, Method::Interventional, text.clone()) {
                continue;
            }
            let message = format!("the {what} moves what is learned, though it is at neither end of the synapses");
            let draft = Draft::new(lint, part, message).reaching(moved.iter().map(|(update, _)| *update));
            drafts.add(draft.known(Method::Interventional, text));
        }
    }
}

/// What the circuit's wiring lets an update hear of.
struct Heard<'a> {
    network: &'a Network,
    pre: UnitId,
    /// The postsynaptic unit and all whose errors come down to it.
    told: BTreeSet<UnitId>,
    /// The feedback on the way.
    ways: BTreeSet<FeedbackId>,
    /// Forward weights through which an inverse's probes pass.
    probed: Option<ProjectionId>,
    /// The units whose stored embeddings the heads among these compare with.
    memories: BTreeSet<UnitId>,
    /// The views from which it learns, as they lie in memory.
    views: BTreeSet<View>,
}

impl Heard<'_> {
    fn of<'a>(flow: &Flow<'a>, update: Place) -> Option<Heard<'a>> {
        let network = flow.network;
        if let Place::FeedbackChange(id) = update {
            let ends = network.answer(id);
            return Some(Heard {
                network,
                pre: ends.to,
                told: BTreeSet::from([ends.to]),
                ways: BTreeSet::from([id]),
                probed: Some(ends.partner),
                memories: BTreeSet::new(),
                views: BTreeSet::from([View::Stored, View::Current]),
            });
        }
        let Place::Change(id) = update else { return None };
        let ends = network.projection(id);
        let mut told = BTreeSet::from([ends.to]);
        let mut ways = BTreeSet::new();
        while let Some(way) =
            network.feedback_ids().find(|id| told.contains(&network.answer(*id).to) && !ways.contains(id))
        {
            ways.insert(way);
            told.insert(network.answer(way).from);
        }
        let mut views: BTreeSet<View> = BTreeSet::new();
        for (step, access) in flow.steps.iter().zip(&flow.access) {
            if matches!(step, Step::Learn(learned, ..) if *learned == id) {
                views.extend(access.reads.iter().filter_map(|place| match *place {
                    Place::Activity(_, view) => Some(view),
                    _ => None,
                }));
            }
        }
        let memories = flow.steps.iter().filter_map(|step| match *step {
            Step::Compare { unit, memory, .. } => told.contains(&unit).then_some(memory),
            _ => None,
        });
        let memories = memories.collect();
        Some(Heard { network, pre: ends.from, told, ways, probed: None, memories, views })
    }

    /// Whether something may reach the update.
    fn allows(&self, place: Place) -> bool {
        match place {
            Place::Activity(unit, view) => {
                (unit == self.pre || self.told.contains(&unit)) && self.views.contains(&view)
            }
            Place::Memory(unit) => self.memories.contains(&unit),
            Place::FeedbackWeights(id) => self.ways.contains(&id),
            Place::Weights(id) => self.probed == Some(id),
            _ => false,
        }
    }

    /// Under which name it is found that something reaches the update which may not, and where.
    fn charge(&self, place: Place, update: Place, loss: &Part) -> (Lint, Part) {
        let own = Part { kind: Kind::Feedforward, name: name_of(update, self.network) };
        match place {
            Place::Labels => (Lint::Labels, loss.clone()),
            Place::Weights(id) => match self.network.feedback_of(id).filter(|way| self.ways.contains(way)) {
                Some(way) => {
                    let part = Part { kind: Kind::Feedback, name: self.network.answer(way).name.clone() };
                    (Lint::WeightTransport, part)
                }
                None => (Lint::ForeignWeights, own),
            },
            Place::FeedbackWeights(_) => (Lint::ForeignWeights, own),
            _ => (Lint::NonLocalRead, own),
        }
    }
}
