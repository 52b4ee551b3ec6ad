//! The plan: a walk written down.

use std::collections::BTreeSet;

use serde::Serialize;

use super::effort::{Effort, multiply_adds};
use super::{Passage, Step, walk};
use crate::kernels::Sum;
use crate::locality::{Breach, Place, View};
use crate::loss::StoredView;
use crate::network::{FeedbackId, Network, ProjectionId, UnitId, Wiring};

/// The steps of one passage through a network, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    steps: Vec<Step>,
    /// How many steps each beat has.
    beats: Vec<usize>,
    effort: Effort,
}

/// A step in words and figures, for people and for machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The engine's verb.
    pub verb: &'static str,
    /// Unit or projection.
    pub subject: String,
    /// Presentation, where the step belongs to one.
    pub view: Option<&'static str>,
    /// What happens to which shapes.
    pub detail: String,
    /// Multiply-adds a sample, as many as are expected where a density leaves it to chance; 0 for steps without
    /// synapses.
    pub multiply_adds: u64,
}

impl Plan {
    /// Walks through `network` once and writes down what happens.
    pub fn compile(network: &Network, passage: Passage<'_>) -> Plan {
        let mut steps = Vec::new();
        walk(network, passage, &mut |step| steps.push(step));
        let mut beats = Vec::new();
        let mut start = 0;
        while start < steps.len() {
            let len = beat(&steps[start..], network);
            beats.push(len);
            start += len;
        }
        let effort = Effort::of(&steps, network);
        Plan { steps, beats, effort }
    }

    /// The steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The steps, cut into what is taken in one go: a unit with one afferent fires while its drive is at hand, and one
    /// that hears from above alone gates its error while it is at hand, so that both steps are one beat; every other
    /// step is a beat by itself.
    pub fn beats(&self) -> impl Iterator<Item = &[Step]> {
        self.beats.iter().scan(&self.steps[..], |rest, &len| {
            let (beat, later) = rest.split_at(len);
            *rest = later;
            Some(beat)
        })
    }

    /// Whether the passage of a batch of `samples` is over so soon that a second thread would gain no time for sure.
    pub fn is_brief(&self, samples: usize) -> bool {
        self.effort.is_brief(samples)
    }

    /// Every place that a step reads or writes, each once.
    pub fn places(&self, network: &Network) -> BTreeSet<Place> {
        let accesses = self.steps.iter().map(|step| step.access(network));
        accesses.flat_map(|access| access.reads.into_iter().chain(access.writes)).collect()
    }

    /// Whether activities of the stored view are needed once the current view is shown.
    pub fn keeps_stored(&self, network: &Network) -> bool {
        let current = |step: &&Step| !matches!(step, Step::Present(_, View::Current));
        let late = self.steps.iter().skip_while(current);
        late.flat_map(|step| step.access(network).reads)
            .any(|place| matches!(place, Place::Activity(_, View::Stored) | Place::Packet(_, View::Stored)))
    }

    /// The plan line by line.
    pub fn lines(&self, network: &Network) -> Vec<Line> {
        self.steps.iter().map(|step| line(step, network)).collect()
    }
}

/// Whether an inverse brings down a unit's error, after it was gated.
fn inverts(network: &Network, unit: UnitId) -> bool {
    network.feedback_from(unit).any(|id| network.answer(id).wiring == Wiring::Inverse)
}

/// Steps of the beat that `steps` begins with.
fn beat(steps: &[Step], network: &Network) -> usize {
    match *steps {
        [Step::Drive(id, driven, Sum::Replace), Step::Fire(unit, fired), ..]
            if network.projection(id).to == unit && driven == fired && network.afferents(unit).len() == 1 =>
        {
            2
        }
        [Step::Carry(id, carried, Sum::Replace), Step::Gate(unit, gated), ..]
            if network.answer(id).to == unit && carried == gated && !inverts(network, unit) =>
        {
            2
        }
        _ => 1,
    }
}

fn line(step: &Step, network: &Network) -> Line {
    let synapses = |id: ProjectionId| {
        let ends = network.projection(id);
        let pre = network.unit(ends.from).shape;
        let dims: Vec<String> = ends.map.weight_dims(pre).iter().map(usize::to_string).collect();
        let sparse = if ends.density < 1.0 { format!(" (density {})", ends.density) } else { String::new() };
        (ends.name.clone(), pre, network.unit(ends.to).drive, dims.join("x") + &sparse)
    };
    let inverse = |id: FeedbackId| {
        let ends = network.answer(id);
        let (upper, lower) = (network.unit(ends.from).shape, network.unit(ends.to).shape);
        let dims: Vec<String> = ends.map.weight_dims(lower).iter().map(usize::to_string).collect();
        (ends.name.clone(), upper, lower, dims.join("x"))
    };
    let adds = |sum: Sum| if sum == Sum::Add { ", adds" } else { "" };
    let relays = |id: ProjectionId| !network.projection(id).map.has_weights();
    let unit_line = |unit: UnitId, detail: String| (network.unit(unit).name.clone(), detail);
    let (subject, detail) = match *step {
        Step::Present(unit, _) => unit_line(unit, network.unit(unit).shape.to_string()),
        Step::Drive(id, _, sum) if relays(id) => {
            let (name, pre, post, _) = synapses(id);
            (name, format!("{pre} -> {post} one to one{}", adds(sum)))
        }
        Step::Drive(id, _, sum) => {
            let (name, pre, post, weights) = synapses(id);
            (name, format!("{pre} -> {post} by {weights}{}", adds(sum)))
        }
        Step::Fire(unit, _) => {
            let fired = network.unit(unit);
            let how = if fired.drive == fired.shape {
                format!("{} {:?}", fired.shape, fired.transfer)
            } else {
                format!("{} -> {} {:?} {:?}", fired.drive, fired.shape, fired.pool, fired.transfer)
            };
            unit_line(unit, how)
        }
        Step::Store(unit) => unit_line(unit, format!("{} to memory", network.unit(unit).shape)),
        Step::Compare { unit, memory, stored } => {
            let whose = match memory == unit {
                true => String::new(),
                false => format!(" of {}", network.unit(memory).name),
            };
            unit_line(
                unit,
                match stored {
                    StoredView::Absent => "with labels: error of the current view".to_string(),
                    StoredView::Constant => format!("with memory{whose}: error of the current view"),
                    StoredView::Learns => format!("with memory{whose}: errors of both views"),
                },
            )
        }
        Step::Gate(unit, _) => unit_line(unit, format!("{} -> {}", network.unit(unit).shape, network.unit(unit).drive)),
        Step::Carry(id, _, sum) if relays(network.answer(id).partner) => {
            let (_, pre, post, _) = synapses(network.answer(id).partner);
            (network.answer(id).name.clone(), format!("{post} -> {pre} one to one{}", adds(sum)))
        }
        Step::Carry(id, _, sum) => {
            let feedback = network.answer(id);
            let (_, pre, post, weights) = synapses(feedback.partner);
            let breach = match feedback.wiring {
                Wiring::Transported => format!(", breach: {}", Breach::WEIGHT_TRANSPORT.name()),
                Wiring::Fixed | Wiring::Learned | Wiring::Sign | Wiring::Inverse => String::new(),
            };
            let detail = format!("{post} -> {pre} by {weights} {:?}{}{breach}", feedback.wiring, adds(sum));
            (feedback.name.clone(), detail)
        }
        Step::Learn(id, _, sum) => {
            let (name, pre, post, weights) = synapses(id);
            (name, format!("{pre} x {post} -> {weights}{}", adds(sum)))
        }
        Step::Apply(id) => {
            let (name, _, _, weights) = synapses(id);
            (name, weights)
        }
        Step::Perturb(unit, ..) => unit_line(unit, format!("{} with noise", network.unit(unit).shape)),
        Step::Reconstruct(id, _) => {
            let (name, upper, lower, weights) = inverse(id);
            (name, format!("{upper} -> {lower} by {weights}, against the probe"))
        }
        Step::LearnInverse(id, sum) => {
            let (name, upper, lower, weights) = inverse(id);
            (name, format!("{upper} x {lower} -> {weights}{}", adds(sum)))
        }
        Step::ApplyInverse(id) => {
            let (name, _, _, weights) = inverse(id);
            (name, weights)
        }
        Step::Invert(id, _, sum) => {
            let (name, upper, lower, weights) = inverse(id);
            (name, format!("activity and target, {upper} -> {lower} by {weights}{}", adds(sum)))
        }
    };
    let view = step.view().map(|view| match view {
        View::Stored => "stored",
        View::Current => "current",
        View::Probe => "probe",
    });
    Line { verb: step.verb(), subject, view, detail, multiply_adds: multiply_adds(step, network) }
}
