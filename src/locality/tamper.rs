//! The state place by place, to be looked at, saved, disturbed and blinded: what an audit does to a copy of a state, and
//! a run never.
//!
//! A place is more than its values: kernels keep weights in an order of their own, an activity keeps the winners of its
//! pooling windows, a packet counts its events. Here they go together. Views share a place where one overwrites the
//! other.

use smallvec::{SmallVec, smallvec};

use super::{Place, State};
use crate::kernels::{Layout, Pool};
use crate::loss::Workspace;
use crate::network::Network;

/// The memory of one place.
#[derive(Default)]
struct Parts<'a> {
    floats: SmallVec<[&'a mut [f32]; 3]>,
    winners: Option<&'a mut [u8]>,
    events: Option<&'a mut [u32]>,
    updates: Option<&'a mut u64>,
}

/// What a place held.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Saved {
    floats: SmallVec<[Vec<f32>; 3]>,
    winners: Vec<u8>,
    events: Vec<u32>,
    updates: u64,
}

impl Saved {
    /// Whether all of it is 0.
    pub(crate) fn is_still(&self) -> bool {
        self.floats.iter().flatten().all(|value| *value == 0.0)
    }
}

impl State {
    fn parts(&mut self, place: Place) -> Parts<'_> {
        match place {
            Place::World(_) | Place::Labels => Parts::default(),
            Place::Drive(unit, _) => Parts { floats: smallvec![&mut *self.units[unit.0].drive], ..Parts::default() },
            Place::Memory(unit) => Parts { floats: smallvec![&mut *self.units[unit.0].memory], ..Parts::default() },
            Place::Activity(unit, view) => match self.units[unit.0].trace_of(view) {
                None => Parts::default(),
                Some(trace) => Parts {
                    floats: smallvec![&mut *trace.activity],
                    winners: Some(&mut trace.winners),
                    ..Parts::default()
                },
            },
            Place::Error(unit, view) => match self.units[unit.0].trace_of(view) {
                None => Parts::default(),
                Some(trace) => Parts { floats: smallvec![&mut *trace.error], ..Parts::default() },
            },
            Place::Packet(unit, view) => match self.units[unit.0].trace_of(view) {
                None => Parts::default(),
                Some(trace) => {
                    Parts { floats: smallvec![&mut *trace.packet], events: Some(&mut trace.events), ..Parts::default() }
                }
            },
            Place::Weights(id) => {
                let synapses = &mut self.forward[id.0];
                let mut floats: SmallVec<[&mut [f32]; 3]> =
                    smallvec![synapses.weights.values.as_mut_slice(), &mut *synapses.packed];
                // Transported weights lie here too, as errors meet them.
                let lent = self.feedback.iter_mut().filter(|feedback| feedback.partner == id);
                for feedback in lent.filter(|feedback| feedback.weights.is_none()) {
                    floats.push(&mut *feedback.packed);
                    floats.push(feedback.sent.as_mut_slice());
                }
                Parts { floats, ..Parts::default() }
            }
            Place::FeedbackWeights(id) => {
                let synapses = &mut self.feedback[id.0];
                let Some(weights) = &mut synapses.weights else { return Parts::default() };
                let floats: SmallVec<[&mut [f32]; 3]> =
                    smallvec![weights.values.as_mut_slice(), &mut *synapses.packed, synapses.sent.as_mut_slice()];
                Parts { floats, ..Parts::default() }
            }
            Place::Change(id) => match &mut self.forward[id.0].plasticity {
                None => Parts::default(),
                Some(own) => Parts { floats: smallvec![&mut own.change[..]], ..Parts::default() },
            },
            Place::Moments(id) => match &mut self.forward[id.0].plasticity {
                None => Parts::default(),
                Some(own) => Parts {
                    floats: own.moments.0.iter_mut().map(Vec::as_mut_slice).collect(),
                    updates: Some(&mut own.updates),
                    ..Parts::default()
                },
            },
            Place::Reconstruction(id) => match &mut self.feedback[id.0].inverse {
                None => Parts::default(),
                Some(inverse) => {
                    let (packet, events) = inverse.reconstruction_mut();
                    Parts { floats: smallvec![packet], events: Some(events), ..Parts::default() }
                }
            },
            Place::FeedbackChange(id) => match &mut self.feedback[id.0].inverse {
                None => Parts::default(),
                Some(inverse) => Parts { floats: smallvec![&mut inverse.change[..]], ..Parts::default() },
            },
            Place::FeedbackMoments(id) => match &mut self.feedback[id.0].inverse {
                None => Parts::default(),
                Some(inverse) => Parts {
                    floats: inverse.moments.0.iter_mut().map(Vec::as_mut_slice).collect(),
                    updates: Some(&mut inverse.updates),
                    ..Parts::default()
                },
            },
        }
    }

    /// Whether there is anything at a place.
    pub(crate) fn holds(&mut self, place: Place) -> bool {
        self.parts(place).floats.iter().any(|floats| !floats.is_empty())
    }

    /// All that a place holds.
    pub(crate) fn save(&mut self, place: Place) -> Saved {
        let parts = self.parts(place);
        Saved {
            floats: parts.floats.iter().map(|floats| floats.to_vec()).collect(),
            winners: parts.winners.map(|winners| winners.to_vec()).unwrap_or_default(),
            events: parts.events.map(|events| events.to_vec()).unwrap_or_default(),
            updates: parts.updates.map(|updates| *updates).unwrap_or_default(),
        }
    }

    /// Brings back what a place held.
    pub(crate) fn restore(&mut self, place: Place, saved: &Saved) {
        let parts = self.parts(place);
        parts.floats.into_iter().zip(&saved.floats).for_each(|(floats, saved)| floats.copy_from_slice(saved));
        parts.winners.into_iter().for_each(|winners| winners.copy_from_slice(&saved.winners));
        parts.events.into_iter().for_each(|events| events.copy_from_slice(&saved.events));
        parts.updates.into_iter().for_each(|updates| *updates = saved.updates);
    }

    /// Takes over what another state of the same network holds at a place.
    pub(crate) fn copy(&mut self, from: &mut State, place: Place) {
        let (to, from) = (self.parts(place), from.parts(place));
        to.floats.into_iter().zip(from.floats).for_each(|(to, from)| to.copy_from_slice(from));
        to.winners.into_iter().zip(from.winners).for_each(|(to, from)| to.copy_from_slice(from));
        to.events.into_iter().zip(from.events).for_each(|(to, from)| to.copy_from_slice(from));
        to.updates.into_iter().zip(from.updates).for_each(|(to, from)| *to = *from);
    }

    /// Whether nothing at a place is a number.
    pub(crate) fn is_blind(&mut self, place: Place) -> bool {
        self.look(place).iter().all(|value| value.is_nan())
    }

    /// Fills a place with what is no number, points its winners elsewhere and miscounts its events: a step that looks
    /// at it gives itself away. The zeros around maps stay, which are no activity.
    pub(crate) fn blind(&mut self, network: &Network, place: Place) {
        let (turn, layout) = (self.turn(network, place), self.layout(place));
        let parts = self.parts(place);
        for floats in parts.floats {
            match layout {
                None => floats.fill(f32::NAN),
                Some(layout) => {
                    for sample in floats.chunks_mut(layout.sample()) {
                        layout.visit(|_, index| sample[index] = f32::NAN);
                    }
                }
            }
        }
        parts.winners.into_iter().for_each(turn);
        parts.events.into_iter().flatten().for_each(|events| *events = u32::from(*events == 0));
    }

    /// Fills everything with what is no number that lasts no longer than a step.
    pub(crate) fn blind_workspaces(&mut self) {
        self.scratch.fill(f32::NAN);
        self.rows.blind();
        self.workspace = Workspace::default();
        self.feedback
            .iter_mut()
            .filter_map(|feedback| feedback.inverse.as_mut())
            .for_each(|own| own.blind_workspaces());
    }

    /// Points the winners of pooling windows to their next members.
    pub(crate) fn turn_winners(&mut self, network: &Network, place: Place) {
        let turn = self.turn(network, place);
        self.parts(place).winners.into_iter().for_each(turn);
    }

    fn turn(&self, network: &Network, place: Place) -> impl Fn(&mut [u8]) + use<> {
        let members = match place {
            Place::Activity(unit, _) => match network.unit(unit).pool {
                Pool::Max(side) => side * side,
                _ => 1,
            },
            _ => 1,
        };
        move |winners| winners.iter_mut().for_each(|winner| *winner = ((usize::from(*winner) + 1) % members) as u8)
    }

    /// The values at a place: `[sample][channel][row][column]` over the batch at hand, weights then biases.
    pub(crate) fn look(&mut self, place: Place) -> Vec<f32> {
        let (samples, layout) = (self.samples, self.layout(place));
        let kept = match place {
            Place::Memory(unit) => samples * self.units[unit.0].layout.shape.len(),
            _ => usize::MAX,
        };
        let mut floats = self.parts(place).floats.into_iter();
        // Moments are several vectors; the others beside weights are copies.
        if matches!(place, Place::Moments(_) | Place::FeedbackMoments(_)) {
            return floats.flat_map(|floats| floats.iter().copied()).collect();
        }
        let Some(floats) = floats.next() else { return Vec::new() };
        let Some(layout) = layout.filter(|_| !floats.is_empty()) else {
            return floats[..kept.min(floats.len())].to_vec();
        };
        let mut plain = vec![0.0; samples * layout.shape.len()];
        for (sample, plain) in floats.chunks(layout.sample()).zip(plain.chunks_mut(layout.shape.len())) {
            layout.export(sample, plain);
        }
        plain
    }

    /// Puts values to a place, in the order of [`State::look`]; what the kernels keep beside them follows.
    pub(crate) fn put(&mut self, place: Place, values: &[f32]) {
        let layout = self.layout(place);
        let several = matches!(place, Place::Moments(_) | Place::FeedbackMoments(_));
        let Parts { floats, events, .. } = self.parts(place);
        let mut rest = values;
        for floats in floats.into_iter().take(if several { usize::MAX } else { 1 }) {
            if let Some(layout) = layout {
                for (sample, plain) in floats.chunks_mut(layout.sample()).zip(values.chunks(layout.shape.len())) {
                    layout.import(plain, sample);
                }
            } else {
                let (own, others) = rest.split_at(floats.len().min(rest.len()));
                floats[..own.len()].copy_from_slice(own);
                rest = others;
            }
        }
        if let (Some(events), Some(layout)) = (events, layout) {
            for (count, plain) in events.iter_mut().zip(values.chunks(layout.shape.len())) {
                *count = plain.iter().filter(|&&value| value != 0.0).count() as u32;
            }
        }
        match place {
            Place::Weights(id) => {
                self.forward[id.0].pack(self.isa);
                let (isa, own) = (self.isa, &self.forward[id.0].weights);
                let lent = self.feedback.iter_mut().filter(|feedback| feedback.partner == id);
                lent.filter(|feedback| feedback.weights.is_none()).for_each(|feedback| feedback.pack(isa, own));
            }
            Place::FeedbackWeights(id) => {
                let partner = self.feedback[id.0].partner;
                self.feedback[id.0].pack(self.isa, &self.forward[partner.0].weights);
            }
            _ => {}
        }
    }

    /// How a place with one value for each neuron and sample lies in memory.
    fn layout(&self, place: Place) -> Option<Layout> {
        match place {
            Place::Drive(unit, _) => Some(self.units[unit.0].drive_layout),
            Place::Activity(unit, _) => Some(self.units[unit.0].layout),
            Place::Error(unit, _) => Some(self.units[unit.0].error_layout),
            Place::Packet(unit, _) => Some(self.units[unit.0].packet_layout.values()),
            Place::Reconstruction(id) => self.feedback[id.0].inverse.as_ref().map(|inverse| inverse.packet_layout()),
            _ => None,
        }
    }
}
