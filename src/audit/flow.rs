//! Static evidence: data flow over the reads and writes of the plan that runs, followed to its ends.

use std::collections::{BTreeMap, BTreeSet};

use crate::locality::{Place, View};
use crate::network::Network;
use crate::schedule::{Access, Step};

/// One stage's plan with what its steps read and write. Views that share memory are one place.
#[derive(Debug, Clone)]
pub(super) struct Flow<'a> {
    pub network: &'a Network,
    /// The stage's name.
    pub stage: String,
    pub steps: Vec<Step>,
    /// What each step declares.
    pub declared: Vec<Access>,
    /// The same by the one name that each place has in memory.
    pub access: Vec<Access>,
}

/// How something got where it is: the place that it came from, and the step that took it further.
type Trail = BTreeMap<Place, (Place, usize)>;

/// The updates that something reaches.
#[derive(Debug, Clone, Default)]
pub(super) struct Reach {
    /// Changes as they are before an optimiser folds them in.
    pub updates: BTreeSet<Place>,
    trail: Trail,
}

impl Reach {
    /// The steps that take it to an update, in order.
    pub(super) fn path(&self, update: Place) -> Vec<usize> {
        let mut path = Vec::new();
        let mut place = update;
        while let Some(&(before, step)) = self.trail.get(&place) {
            // What adds to itself has been there before.
            if path.last().is_some_and(|&last| step > last) || before == place {
                break;
            }
            path.push(step);
            place = before;
        }
        path.reverse();
        path
    }
}

impl<'a> Flow<'a> {
    /// A plan in a state that keeps inner activities of the stored view, or lets the current one take their place.
    pub(super) fn new(
        network: &'a Network,
        stage: String,
        steps: Vec<Step>,
        declared: Vec<Access>,
        keeps_stored: bool,
    ) -> Flow<'a> {
        let kept = |view: View| if view == View::Stored && !keeps_stored { View::Current } else { view };
        let one_name = |place: &Place| match *place {
            Place::Drive(unit, _) => Place::Drive(unit, View::Current),
            Place::Activity(unit, view) => Place::Activity(unit, kept(view)),
            Place::Error(unit, view) => Place::Error(unit, kept(view)),
            Place::Packet(unit, view) => Place::Packet(unit, kept(view)),
            other => other,
        };
        let rename = |access: &Access| Access {
            reads: access.reads.iter().map(one_name).collect(),
            writes: access.writes.iter().map(one_name).collect(),
        };
        let access = declared.iter().map(rename).collect();
        Flow { network, stage, steps, declared, access }
    }

    /// The first comparison: by then everything has been perceived.
    pub(super) fn comparison(&self) -> usize {
        let compares = |step: &Step| matches!(step, Step::Compare { .. });
        self.steps.iter().position(compares).unwrap_or(self.steps.len())
    }

    /// The end of perception: the first disturbance, or the first comparison.
    pub(super) fn perceived(&self) -> usize {
        let disturbs = |step: &Step| matches!(step, Step::Perturb(..) | Step::Compare { .. });
        self.steps.iter().position(disturbs).unwrap_or(self.steps.len())
    }

    /// The changes that are folded into weights, in the order of the plan.
    pub(super) fn updates(&self) -> Vec<Place> {
        let folded = self.steps.iter().filter_map(|step| folds(*step));
        let mut updates: Vec<Place> = Vec::new();
        folded.for_each(|update| {
            if !updates.contains(&update) {
                updates.push(update);
            }
        });
        updates
    }

    /// The updates that `place` reaches if it is disturbed just before step `from`. Steps that are `silent` hand nothing
    /// on.
    pub(super) fn reach(&self, from: usize, place: Place, silent: &dyn Fn(usize) -> bool) -> Reach {
        let mut reach = Reach::default();
        let mut disturbed = BTreeSet::from([place]);
        for (index, (step, access)) in self.steps.iter().zip(&self.access).enumerate().skip(from) {
            if let Some(update) = folds(*step) {
                if disturbed.contains(&update) {
                    reach.updates.insert(update);
                }
                // Forward weights rest until the next presentation.
                if matches!(step, Step::Apply(_)) {
                    continue;
                }
            }
            let source = access.reads.iter().find(|place| disturbed.contains(place)).filter(|_| !silent(index));
            for &written in &access.writes {
                match source {
                    Some(&source) => {
                        let known = access.reads.contains(&written) && disturbed.contains(&written);
                        if !known {
                            reach.trail.insert(written, (source, index));
                        }
                        disturbed.insert(written);
                    }
                    None if !access.reads.contains(&written) => {
                        disturbed.remove(&written);
                    }
                    None => {}
                }
            }
        }
        reach
    }

    /// What reaches an update, back to activities, memories, weights and labels, each with the steps that it passes.
    pub(super) fn sources(&self, update: Place) -> Vec<(Place, Vec<usize>)> {
        let folded = self.steps.iter().position(|step| folds(*step) == Some(update)).unwrap_or(self.steps.len());
        let mut wanted: BTreeMap<Place, Vec<usize>> = BTreeMap::from([(update, Vec::new())]);
        let mut sources: BTreeMap<Place, Vec<usize>> = BTreeMap::new();
        for index in (0..folded).rev() {
            let access = &self.access[index];
            let Some(made) = access.writes.iter().find(|place| wanted.contains_key(place)) else { continue };
            let path: Vec<usize> = [index].into_iter().chain(wanted[made].iter().copied()).collect();
            for place in access.writes.iter().filter(|place| !access.reads.contains(place)) {
                wanted.remove(place);
            }
            for &place in &access.reads {
                if is_source(place) {
                    sources.entry(place).or_insert_with(|| path.clone());
                } else {
                    wanted.entry(place).or_insert_with(|| path.clone());
                }
            }
        }
        sources.into_iter().collect()
    }

    /// The errors, gated errors and changes through which an update comes about.
    pub(super) fn passed(&self, update: Place) -> BTreeSet<Place> {
        let folded = self.steps.iter().position(|step| folds(*step) == Some(update)).unwrap_or(self.steps.len());
        let mut wanted = BTreeSet::from([update]);
        let mut passed = BTreeSet::new();
        for access in self.access[..folded].iter().rev() {
            if !access.writes.iter().any(|place| wanted.contains(place)) {
                continue;
            }
            for place in access.writes.iter().filter(|place| !access.reads.contains(place)) {
                wanted.remove(place);
            }
            for &place in access.reads.iter().filter(|place| !is_source(**place)) {
                wanted.insert(place);
                passed.insert(place);
            }
        }
        passed
    }

    /// Everything that the plan reads and an audit can disturb, once all is perceived.
    pub(super) fn quantities(&self) -> Vec<Place> {
        let read: BTreeSet<Place> = self.access.iter().flat_map(|access| access.reads.iter().copied()).collect();
        let written = self.access.iter().flat_map(|access| access.writes.iter().copied());
        let activities = written.filter(|place| matches!(place, Place::Activity(..)));
        let all: BTreeSet<Place> = read.into_iter().chain(activities).chain([Place::Labels]).collect();
        let lasting = |place: &Place| match place {
            Place::Activity(_, View::Probe) | Place::World(_) | Place::Moments(_) | Place::FeedbackMoments(_) => false,
            place => is_source(*place),
        };
        all.into_iter().filter(lasting).collect()
    }
}

/// The change that a step folds into weights.
pub(super) fn folds(step: Step) -> Option<Place> {
    match step {
        Step::Apply(id) => Some(Place::Change(id)),
        Step::ApplyInverse(id) => Some(Place::FeedbackChange(id)),
        _ => None,
    }
}

/// Whether something stands for itself: it is shown to whoever stands beside it, and does not merely pass through.
fn is_source(place: Place) -> bool {
    match place {
        Place::World(_)
        | Place::Labels
        | Place::Activity(..)
        | Place::Memory(_)
        | Place::Weights(_)
        | Place::FeedbackWeights(_)
        | Place::Moments(_)
        | Place::FeedbackMoments(_) => true,
        Place::Drive(..)
        | Place::Error(..)
        | Place::Packet(..)
        | Place::Change(_)
        | Place::Reconstruction(_)
        | Place::FeedbackChange(_) => false,
    }
}

/// A place in words.
pub(super) fn in_words(place: Place, network: &Network) -> String {
    let view = |view: View| match view {
        View::Stored => "stored view",
        View::Current => "current view",
        View::Probe => "probe",
    };
    let unit = |unit| network.unit(unit).name.as_str();
    let forward = |id| network.projection(id).name.as_str();
    let back = |id| network.answer(id).name.as_str();
    match place {
        Place::World(shown) => format!("the images ({})", view(shown)),
        Place::Labels => "labels".to_string(),
        Place::Drive(id, shown) => format!("drive of {} ({})", unit(id), view(shown)),
        Place::Activity(id, shown) => format!("activity of {} ({})", unit(id), view(shown)),
        Place::Memory(id) => format!("stored embeddings of {}", unit(id)),
        Place::Error(id, shown) => format!("error of {} ({})", unit(id), view(shown)),
        Place::Packet(id, shown) => format!("gated error of {} ({})", unit(id), view(shown)),
        Place::Weights(id) => format!("weights of {}", forward(id)),
        Place::FeedbackWeights(id) => format!("feedback weights of {}", back(id)),
        Place::Change(id) => format!("change of {}", forward(id)),
        Place::Moments(id) => format!("optimiser's averages of {}", forward(id)),
        Place::Reconstruction(id) => format!("reconstruction error of {}", back(id)),
        Place::FeedbackChange(id) => format!("change of {}", back(id)),
        Place::FeedbackMoments(id) => format!("optimiser's averages of {}", back(id)),
    }
}

/// A step in words.
pub(super) fn step_in_words(step: Step, network: &Network) -> String {
    let subject = match step {
        Step::Present(unit, _)
        | Step::Fire(unit, _)
        | Step::Store(unit)
        | Step::Compare { unit, .. }
        | Step::Gate(unit, _)
        | Step::Perturb(unit, ..) => &network.unit(unit).name,
        Step::Drive(id, ..) | Step::Learn(id, ..) | Step::Apply(id) => &network.projection(id).name,
        Step::Carry(id, ..)
        | Step::Reconstruct(id, _)
        | Step::LearnInverse(id, _)
        | Step::ApplyInverse(id)
        | Step::Invert(id, ..) => &network.answer(id).name,
    };
    let view = match step.view() {
        Some(View::Stored) => ", stored view",
        Some(View::Probe) => ", probe",
        Some(View::Current) | None => "",
    };
    format!("{} {subject}{view}", step.verb())
}
