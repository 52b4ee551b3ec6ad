//! The event scheduler. Events wait in a queue, first in, first out among equals; what they cause is said to a sink in
//! the order in which it happens.

use std::collections::VecDeque;

use super::Step;
use crate::kernels::Sum;
use crate::locality::View;
use crate::loss::{Loss, Memory, StoredView};
use crate::network::{FeedbackId, Network, ProjectionId, UnitId, Wiring};

/// What a walk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage<'a> {
    /// One learning step: both views, comparison, errors, changes, updates.
    Learning {
        /// The units on which the loss acts. Others rest, and so does what only they need.
        heads: &'a [UnitId],
        /// What becomes of the view that is shown first.
        stored: StoredView,
        /// Whose embedding of it is kept.
        memory: Memory,
        /// Times that each inverse learns from a batch.
        inverse_rounds: u32,
    },
    /// The current view alone, as far as these units need it.
    Perceiving(&'a [UnitId]),
}

impl<'a> Passage<'a> {
    /// A learning step in which `loss` acts on `heads`, and inverses, where there are any, learn so often.
    pub fn learning(loss: &Loss, heads: &'a [UnitId], inverse_rounds: u32) -> Passage<'a> {
        Passage::Learning { heads, stored: loss.stored_view(), memory: loss.memory(), inverse_rounds }
    }
}

/// Walks through `network` and says every step to `sink`.
pub fn walk(network: &Network, passage: Passage<'_>, sink: &mut dyn FnMut(Step)) {
    let (heads, stored, memory, rounds) = match passage {
        Passage::Perceiving(units) => return perceive(network, View::Current, units, sink),
        Passage::Learning { heads, stored, memory, inverse_rounds } => (heads, stored, memory, inverse_rounds),
    };
    let remembered: Vec<UnitId> = heads.iter().map(|&head| remembered(network, head, memory)).collect();
    if stored != StoredView::Absent {
        perceive(network, View::Stored, &remembered, sink);
        remembered.iter().for_each(|&unit| sink(Step::Store(unit)));
    }
    perceive(network, View::Current, heads, sink);
    let views = if stored == StoredView::Absent { &[View::Current][..] } else { &View::BOTH };
    for round in 0..rounds {
        undo(network, heads, views, round, sink);
    }
    for (&unit, &memory) in heads.iter().zip(&remembered) {
        sink(Step::Compare { unit, memory, stored });
    }
    let mut learning = vec![false; network.feedforward().len()];
    let mut learn = |step: Step| {
        if let Step::Learn(ProjectionId(index), ..) = step {
            learning[index] = true;
        }
        sink(step);
    };
    descend(network, View::Current, heads, Sum::Replace, &mut learn);
    if stored == StoredView::Learns {
        descend(network, View::Stored, &remembered, Sum::Add, &mut learn);
    }
    network.projection_ids().filter(|id| learning[id.index()]).for_each(|id| sink(Step::Apply(id)));
}

/// The unit whose embedding of the stored view `head` is set against.
fn remembered(network: &Network, head: UnitId, memory: Memory) -> UnitId {
    match memory {
        Memory::Head => head,
        Memory::Below => network.afferents(head).next().map_or(head, |id| network.projection(id).from),
    }
}

/// Activity spreads from the inputs: the event is that a unit has fired. Units that lead to none of `goals` rest.
fn perceive(network: &Network, view: View, goals: &[UnitId], sink: &mut dyn FnMut(Step)) {
    let needed = ancestors(network, goals);
    let mut awaited: Vec<usize> = network.unit_ids().map(|unit| network.afferents(unit).count()).collect();
    let mut fired = VecDeque::new();
    for &unit in network.inputs().iter().filter(|unit| needed[unit.index()]) {
        sink(Step::Present(unit, view));
        fired.push_back(unit);
    }
    while let Some(unit) = fired.pop_front() {
        for id in network.efferents(unit) {
            let post = network.projection(id).to;
            if !needed[post.index()] {
                continue;
            }
            let arrived_before = network.afferents(post).count() - awaited[post.index()];
            sink(Step::Drive(id, view, sum(arrived_before)));
            awaited[post.index()] -= 1;
            if awaited[post.index()] == 0 {
                sink(Step::Fire(post, view));
                fired.push_back(post);
            }
        }
    }
}

/// Inverses learn: each lower unit is disturbed, its upper unit answers, and the inverse between them has to say what
/// the disturbed activity was.
fn undo(network: &Network, heads: &[UnitId], views: &[View], round: u32, sink: &mut dyn FnMut(Step)) {
    // Inverses of blocks that rest, rest too.
    let sources = sources(network, heads);
    let inverts = |id: &FeedbackId| {
        let ends = network.answer(*id);
        ends.wiring == Wiring::Inverse && sources[ends.from.index()] > 0 && carries(network, *id)
    };
    for id in network.feedback_ids().filter(inverts) {
        let ends = network.answer(id);
        for (nth, &view) in views.iter().enumerate() {
            sink(Step::Perturb(ends.to, view, round));
            sink(Step::Drive(ends.partner, View::Probe, Sum::Replace));
            sink(Step::Fire(ends.from, View::Probe));
            sink(Step::Reconstruct(id, view));
            sink(Step::LearnInverse(id, sum(nth)));
        }
    }
    network.feedback_ids().filter(inverts).for_each(|id| sink(Step::ApplyInverse(id)));
}

/// Errors spread from `heads`: the event is that a unit's error is complete. `first` says whether the changes of this
/// presentation start anew or add to those of another.
fn descend(network: &Network, view: View, heads: &[UnitId], first: Sum, sink: &mut dyn FnMut(Step)) {
    let sources = sources(network, heads);
    let mut awaited = sources.clone();
    let mut complete = VecDeque::new();
    for &unit in heads {
        awaited[unit.index()] -= 1;
        if awaited[unit.index()] == 0 && network.needs_error(unit) {
            complete.push_back(unit);
        }
    }
    while let Some(unit) = complete.pop_front() {
        sink(Step::Gate(unit, view));
        for id in network.afferents(unit).filter(|&id| network.learns(id)) {
            sink(Step::Learn(id, view, first));
        }
        for id in network.feedback_from(unit).filter(|&id| carries(network, id)) {
            let lower = network.answer(id).to;
            let arrived_before = sources[lower.index()] - awaited[lower.index()];
            let sum = sum(arrived_before);
            sink(match network.answer(id).wiring {
                Wiring::Inverse => Step::Invert(id, view, sum),
                Wiring::Transported | Wiring::Fixed | Wiring::Learned | Wiring::Sign => Step::Carry(id, view, sum),
            });
            awaited[lower.index()] -= 1;
            if awaited[lower.index()] == 0 {
                complete.push_back(lower);
            }
        }
    }
}

/// Whether a feedback projection has a use: one into a unit that needs no error rests.
fn carries(network: &Network, feedback: FeedbackId) -> bool {
    network.needs_error(network.answer(feedback).to)
}

/// How many sources the error of each unit has when `heads` are told one, the loss included.
fn sources(network: &Network, heads: &[UnitId]) -> Vec<usize> {
    let mut sources = vec![0; network.units().len()];
    let mut reached = heads.to_vec();
    while let Some(unit) = reached.pop() {
        sources[unit.index()] += 1;
        if sources[unit.index()] == 1 {
            let feedback = network.feedback_from(unit).filter(|&id| carries(network, id));
            reached.extend(feedback.map(|id| network.answer(id).to));
        }
    }
    sources
}

/// The first to arrive replaces what was there, the others add.
fn sum(arrived_before: usize) -> Sum {
    if arrived_before == 0 { Sum::Replace } else { Sum::Add }
}

/// For each unit, whether one of `goals` depends on it.
fn ancestors(network: &Network, goals: &[UnitId]) -> Vec<bool> {
    let mut needed = vec![false; network.units().len()];
    let mut waiting = goals.to_vec();
    while let Some(unit) = waiting.pop() {
        if !std::mem::replace(&mut needed[unit.index()], true) {
            waiting.extend(network.afferents(unit).map(|id| network.projection(id).from));
        }
    }
    needed
}
