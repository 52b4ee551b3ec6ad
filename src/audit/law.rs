//! The law: what each verb of the engine may see and change, whatever its step declares.
//!
//! It is written down once more here, apart from [`Step::access`], so that a plan which says that it reads too much and a
//! rule which reads more than it says are both found.

use crate::lint::Lint;
use crate::locality::{Place, View};
use crate::loss::StoredView;
use crate::network::{FeedbackId, Network, Wiring};
use crate::schedule::{Access, Step};

/// Something that a step declares and may not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offence {
    /// What it reads or writes.
    pub place: Place,
    /// Whether it writes.
    pub writes: bool,
    /// Under which name that is found.
    pub lint: Lint,
}

/// What a step may read and write.
fn lawful(step: Step, network: &Network) -> (Vec<Place>, Vec<Place>) {
    match step {
        Step::Present(unit, view) => (vec![Place::World(view)], vec![Place::Activity(unit, view)]),
        Step::Drive(id, view, _) => {
            let ends = network.projection(id);
            let drive = Place::Drive(ends.to, view);
            (vec![Place::Activity(ends.from, view), Place::Weights(id), drive], vec![drive])
        }
        Step::Fire(unit, view) => (vec![Place::Drive(unit, view)], vec![Place::Activity(unit, view)]),
        Step::Store(unit) => (vec![Place::Activity(unit, View::Stored)], vec![Place::Memory(unit)]),
        Step::Compare { unit, memory, stored } => {
            let mut errors = vec![Place::Error(unit, View::Current)];
            errors.extend((stored == StoredView::Learns).then_some(Place::Error(memory, View::Stored)));
            (vec![Place::Activity(unit, View::Current), Place::Memory(memory)], errors)
        }
        Step::Gate(unit, view) => {
            (vec![Place::Error(unit, view), Place::Activity(unit, view)], vec![Place::Packet(unit, view)])
        }
        Step::Carry(id, view, _) => {
            let ends = network.answer(id);
            let error = Place::Error(ends.to, view);
            (vec![Place::Packet(ends.from, view), Place::FeedbackWeights(id), error], vec![error])
        }
        Step::Learn(id, view, _) => {
            let (ends, change) = (network.projection(id), Place::Change(id));
            (vec![Place::Activity(ends.from, view), Place::Packet(ends.to, view), change], vec![change])
        }
        Step::Apply(id) => {
            let mut own = vec![Place::Change(id), Place::Moments(id), Place::Weights(id)];
            let follows = |id: &FeedbackId| matches!(network.answer(*id).wiring, Wiring::Learned | Wiring::Sign);
            own.extend(network.feedback_of(id).filter(follows).map(Place::FeedbackWeights));
            (own.clone(), own)
        }
        Step::Perturb(unit, view, _) => (vec![Place::Activity(unit, view)], vec![Place::Activity(unit, View::Probe)]),
        Step::Reconstruct(id, _) => {
            let ends = network.answer(id);
            let probes = [ends.from, ends.to].map(|unit| Place::Activity(unit, View::Probe));
            ([probes.as_slice(), &[Place::FeedbackWeights(id)]].concat(), vec![Place::Reconstruction(id)])
        }
        Step::LearnInverse(id, _) => {
            let change = Place::FeedbackChange(id);
            let answer = Place::Activity(network.answer(id).from, View::Probe);
            (vec![answer, Place::Reconstruction(id), change], vec![change])
        }
        Step::ApplyInverse(id) => {
            let own = vec![Place::FeedbackChange(id), Place::FeedbackMoments(id), Place::FeedbackWeights(id)];
            (own.clone(), own)
        }
        Step::Invert(id, view, _) => {
            let ends = network.answer(id);
            let error = Place::Error(ends.to, view);
            let upper = [Place::Activity(ends.from, view), Place::Error(ends.from, view)];
            // The upper unit's target is laid out where probes are.
            let target = Place::Activity(ends.from, View::Probe);
            ([upper.as_slice(), &[Place::FeedbackWeights(id), error]].concat(), vec![error, target])
        }
    }
}

/// What a step declares and may not do, and under which name that is found.
pub(super) fn offences(step: Step, access: &Access, network: &Network) -> Vec<Offence> {
    let (reads, writes) = lawful(step, network);
    let read = access.reads.iter().filter(|place| !reads.contains(place));
    let read = read.map(|&place| Offence { place, writes: false, lint: of_read(step, place, network) });
    let written = access.writes.iter().filter(|place| !writes.contains(place));
    let written = written.map(|&place| Offence { place, writes: true, lint: of_write(step, place) });
    read.chain(written).collect()
}

fn of_read(step: Step, place: Place, network: &Network) -> Lint {
    match (step, place) {
        (_, Place::Labels) => Lint::Labels,
        (Step::Carry(id, ..), Place::Weights(lent)) if network.answer(id).partner == lent => Lint::WeightTransport,
        (Step::Drive(..), Place::Weights(_) | Place::FeedbackWeights(_)) => Lint::SharedStorage,
        (_, Place::Weights(_) | Place::FeedbackWeights(_)) => Lint::ForeignWeights,
        (_, Place::Activity(_, View::Current)) if step.view() == Some(View::Stored) => Lint::FutureRead,
        _ => Lint::NonLocalRead,
    }
}

fn of_write(step: Step, place: Place) -> Lint {
    match (step, place) {
        // A copy of forward weights is those weights, whoever carries them.
        (Step::Apply(_), Place::FeedbackWeights(_)) => Lint::WeightTransport,
        (_, Place::Weights(_) | Place::FeedbackWeights(_)) => Lint::SharedStorage,
        _ => Lint::NonLocalRead,
    }
}
