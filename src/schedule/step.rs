//! The steps of a plan: one variant for each verb of the engine, with what it reads and what it writes.

use smallvec::{SmallVec, smallvec};

use crate::kernels::Sum;
use crate::kernels::{Pool, Transfer};
use crate::locality::{Place, View};
use crate::loss::StoredView;
use crate::network::{FeedbackId, Network, ProjectionId, UnitId, Wiring};

/// One thing that happens to a whole batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// An input unit takes a view.
    Present(UnitId, View),
    /// A feedforward projection starts its post unit's drive, or adds to it.
    Drive(ProjectionId, View, Sum),
    /// A unit turns drive into activity: pool, then transfer function.
    Fire(UnitId, View),
    /// A unit keeps its embedding of the stored view.
    Store(UnitId),
    /// The loss sets a unit's current embedding against the stored ones; its error starts.
    Compare {
        /// The unit on which the loss acts.
        unit: UnitId,
        /// The unit whose embeddings of the stored view are kept: the same, or the one that the head predicts.
        memory: UnitId,
        /// What becomes of the stored view; if it learns, its error starts at `memory`.
        stored: StoredView,
    },
    /// A unit's error passes its gain.
    Gate(UnitId, View),
    /// A feedback projection starts its lower unit's error, or adds to it.
    Carry(FeedbackId, View, Sum),
    /// A projection's change starts, or grows.
    Learn(ProjectionId, View, Sum),
    /// A change is folded into the weights.
    Apply(ProjectionId),
    /// A unit's activity is disturbed; the number tells the rounds of one batch apart.
    Perturb(UnitId, View, u32),
    /// An inverse says what it makes of a probe's answer, and how far it missed the probe.
    Reconstruct(FeedbackId, View),
    /// An inverse's change starts, or grows.
    LearnInverse(FeedbackId, Sum),
    /// A change is folded into an inverse.
    ApplyInverse(FeedbackId),
    /// An inverse starts its lower unit's way from its target, or adds to it.
    Invert(FeedbackId, View, Sum),
}

/// What a step reads and writes. A step that adds to a place also reads it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Access {
    /// Places that the result depends on.
    pub reads: SmallVec<[Place; 4]>,
    /// Places that the step changes.
    pub writes: SmallVec<[Place; 4]>,
}

impl Step {
    /// The verb.
    pub fn verb(&self) -> &'static str {
        match self {
            Step::Present(..) => "present",
            Step::Drive(..) => "drive",
            Step::Fire(..) => "fire",
            Step::Store(..) => "store",
            Step::Compare { .. } => "compare",
            Step::Gate(..) => "gate",
            Step::Carry(..) => "carry",
            Step::Learn(..) | Step::LearnInverse(..) => "learn",
            Step::Apply(..) | Step::ApplyInverse(..) => "apply",
            Step::Perturb(..) => "perturb",
            Step::Reconstruct(..) | Step::Invert(..) => "invert",
        }
    }

    /// The presentation that the step belongs to, if it belongs to one.
    pub fn view(&self) -> Option<View> {
        match *self {
            Step::Present(_, view)
            | Step::Drive(_, view, _)
            | Step::Fire(_, view)
            | Step::Gate(_, view)
            | Step::Carry(_, view, _)
            | Step::Learn(_, view, _)
            | Step::Perturb(_, view, _)
            | Step::Reconstruct(_, view)
            | Step::Invert(_, view, _) => Some(view),
            Step::Store(_) => Some(View::Stored),
            Step::Compare { .. } => Some(View::Current),
            Step::LearnInverse(..) => Some(View::Probe),
            Step::Apply(_) | Step::ApplyInverse(_) => None,
        }
    }

    /// What the step reads and writes when it is taken in `network`.
    pub fn access(&self, network: &Network) -> Access {
        let (mut reads, writes): (SmallVec<[Place; 4]>, SmallVec<[Place; 4]>) = match *self {
            Step::Present(unit, view) => (smallvec![Place::World(view)], smallvec![Place::Activity(unit, view)]),
            Step::Drive(id, view, _) => {
                let ends = network.projection(id);
                let mut reads: SmallVec<[Place; 4]> = smallvec![Place::Activity(ends.from, view)];
                reads.extend(ends.map.has_weights().then_some(Place::Weights(id)));
                (reads, smallvec![Place::Drive(ends.to, view)])
            }
            Step::Fire(unit, view) => (smallvec![Place::Drive(unit, view)], smallvec![Place::Activity(unit, view)]),
            Step::Store(unit) => (smallvec![Place::Activity(unit, View::Stored)], smallvec![Place::Memory(unit)]),
            Step::Compare { unit, memory, stored } => {
                let mut reads: SmallVec<[Place; 4]> = smallvec![Place::Activity(unit, View::Current)];
                let mut errors: SmallVec<[Place; 4]> = smallvec![Place::Error(unit, View::Current)];
                match stored {
                    StoredView::Absent => reads.push(Place::Labels),
                    StoredView::Constant => reads.push(Place::Memory(memory)),
                    StoredView::Learns => {
                        reads.push(Place::Memory(memory));
                        errors.push(Place::Error(memory, View::Stored));
                    }
                }
                (reads, errors)
            }
            Step::Gate(unit, view) => {
                let mut reads: SmallVec<[Place; 4]> = smallvec![Place::Error(unit, view)];
                // A linear unit that pools no maximum has a gain of 1, whatever it does.
                let gain = network.unit(unit).transfer != Transfer::Linear;
                let winners = matches!(network.unit(unit).pool, Pool::Max(_));
                reads.extend((gain || winners).then_some(Place::Activity(unit, view)));
                (reads, smallvec![Place::Packet(unit, view)])
            }
            Step::Carry(id, view, _) => {
                let ends = network.answer(id);
                let weights = match ends.wiring {
                    Wiring::Transported => Place::Weights(ends.partner),
                    Wiring::Fixed | Wiring::Learned | Wiring::Sign | Wiring::Inverse => Place::FeedbackWeights(id),
                };
                let mut reads: SmallVec<[Place; 4]> = smallvec![Place::Packet(ends.from, view)];
                reads.extend(ends.map.has_weights().then_some(weights));
                (reads, smallvec![Place::Error(ends.to, view)])
            }
            Step::Learn(id, view, _) => {
                let ends = network.projection(id);
                let reads = smallvec![Place::Activity(ends.from, view), Place::Packet(ends.to, view)];
                (reads, smallvec![Place::Change(id)])
            }
            Step::Apply(id) => {
                let mut reads: SmallVec<[Place; 4]> =
                    smallvec![Place::Change(id), Place::Moments(id), Place::Weights(id)];
                // The optimiser makes the update where the change stood.
                let mut writes: SmallVec<[Place; 4]> =
                    smallvec![Place::Weights(id), Place::Moments(id), Place::Change(id)];
                if let Some(feedback) = network.feedback_of(id)
                    && matches!(network.answer(feedback).wiring, Wiring::Learned | Wiring::Sign)
                {
                    reads.push(Place::FeedbackWeights(feedback));
                    writes.push(Place::FeedbackWeights(feedback));
                }
                (reads, writes)
            }
            Step::Perturb(unit, view, _) => {
                (smallvec![Place::Activity(unit, view)], smallvec![Place::Activity(unit, View::Probe)])
            }
            Step::Reconstruct(id, _) => {
                let ends = network.answer(id);
                let said = Place::Activity(ends.from, View::Probe);
                let reads = smallvec![said, Place::Activity(ends.to, View::Probe), Place::FeedbackWeights(id)];
                (reads, smallvec![Place::Reconstruction(id)])
            }
            Step::LearnInverse(id, _) => {
                let ends = network.answer(id);
                let reads = smallvec![Place::Activity(ends.from, View::Probe), Place::Reconstruction(id)];
                (reads, smallvec![Place::FeedbackChange(id)])
            }
            Step::ApplyInverse(id) => {
                let places: SmallVec<[Place; 4]> =
                    smallvec![Place::FeedbackChange(id), Place::FeedbackMoments(id), Place::FeedbackWeights(id)];
                (places.clone(), places)
            }
            Step::Invert(id, view, sum) => {
                let ends = network.answer(id);
                let mut reads: SmallVec<[Place; 4]> = smallvec![
                    Place::Activity(ends.from, view),
                    Place::Error(ends.from, view),
                    Place::FeedbackWeights(id)
                ];
                if sum == Sum::Add {
                    reads.push(Place::Error(ends.to, view));
                }
                // The upper unit's target is laid out where probes are.
                (reads, smallvec![Place::Error(ends.to, view), Place::Activity(ends.from, View::Probe)])
            }
        };
        if let Step::Drive(_, _, Sum::Add)
        | Step::Carry(_, _, Sum::Add)
        | Step::Learn(_, _, Sum::Add)
        | Step::LearnInverse(_, Sum::Add) = self
        {
            reads.extend_from_slice(&writes);
        }
        Access { reads, writes }
    }
}
