//! Instruments: what a network is like while it learns.
//!
//! A [`Recorder`] takes a learning step in a simulation's stead and looks on: how far feedback is from the weights that
//! it answers, and the rule's changes from back-propagation's, how sparse errors are and what that saves, how much
//! units and embeddings still tell images apart. The step is the same to the bit, and steps that no recorder takes
//! cost nothing.

mod measure;
mod recording;
mod spread;

pub use measure::{angle, norm};
pub use recording::{Deviation, Distances, FeedbackRecord, ProjectionRecord, Recording, Spread, UnitRecord};

use crate::error::Result;
use crate::kernels::{Isa, Transfer};
use crate::locality::{Slot, State, Tally, View};
use crate::loss::{Comparison, StoredView};
use crate::network::{FeedbackId, Network, ProjectionId, UnitId, Wiring};
use crate::schedule::Step;
use crate::simulation::{Batch, Experiment, Simulation};

/// Images of a batch between which distances are measured: first weights have to see them anew for each recording.
const MEASURED: usize = 100;

/// Takes and records learning steps of one run.
#[derive(Debug)]
pub struct Recorder {
    every: u64,
    /// The same network under back-propagation, which is given other weights for each recording.
    reference: Simulation,
    first_weights: Vec<(Slot, Vec<f32>)>,
}

impl Recorder {
    /// The instruments of `experiment`, if it has any.
    pub fn new(experiment: &Experiment, isa: Isa) -> Option<Recorder> {
        let (every, reference) = (experiment.instruments()?.every, experiment.reference(isa)?);
        let first_weights = reference.forward_weights().map(|(slot, values)| (slot, values.to_vec())).collect();
        Some(Recorder { every, reference, first_weights })
    }

    /// Whether a step of the run, counted from 1, is to be recorded.
    pub fn is_due(&self, step: u64) -> bool {
        step.saturating_sub(1).is_multiple_of(self.every)
    }

    /// Takes a learning step of `simulation` and says what it was like; `step` is its number in the run.
    ///
    /// # Errors
    /// The simulation is not of the recorder's experiment.
    pub fn step(
        &mut self,
        simulation: &mut Simulation,
        batch: Batch<'_>,
        step: u64,
    ) -> Result<(Comparison, Recording)> {
        let untrained = self.untrained(simulation, batch)?;
        self.reference.enter(simulation.stage());
        self.reference.set_all(simulation.forward_weights())?;
        self.reference.step(batch);
        let reference = self.reference.state();
        let before = Before::of(simulation);
        let mut update_angles = vec![None; simulation.network().feedforward().len()];
        let found = simulation.step_observed(batch, &mut |step, state| {
            // A change is whole once the last view was learned from, and gone once it is applied.
            if let Step::Learn(id, ..) = step {
                update_angles[id.index()] = angle(state.change(id), reference.change(id));
            }
        });
        let seen = Seen { simulation, before, update_angles, untrained, work: simulation.state().work() };
        Ok((found, seen.recording(step, found)))
    }

    /// How far the embeddings of a batch lie apart at each head of the stage at hand, through first weights.
    fn untrained(&mut self, simulation: &Simulation, batch: Batch<'_>) -> Result<Vec<Distances>> {
        let first_weights = self.first_weights.iter().map(|(slot, values)| (*slot, values.as_slice()));
        self.reference.set_all(first_weights)?;
        let network = simulation.network();
        let image = network.unit(network.inputs()[0]).shape.len();
        let mut distances = Vec::new();
        for (head, memory) in comparisons(simulation) {
            let (mut stored, mut current) = (Vec::new(), Vec::new());
            self.reference.encode(first(batch.current, image), head, &mut current);
            if remembers(simulation) {
                self.reference.encode(first(batch.stored, image), memory, &mut stored);
            }
            distances.push(Distances::of(&stored, &current, network.unit(head).shape.len()));
        }
        Ok(distances)
    }
}

/// The values of the images that are measured.
fn first(values: &[f32], of_each: usize) -> &[f32] {
    &values[..values.len().min(MEASURED * of_each)]
}

fn steps(simulation: &Simulation) -> impl Iterator<Item = Step> {
    simulation.stages()[simulation.stage()].plan.steps().iter().copied()
}

/// The heads of the stage at hand, each with the unit whose stored embedding it is set against.
fn comparisons(simulation: &Simulation) -> impl Iterator<Item = (UnitId, UnitId)> {
    steps(simulation).filter_map(|step| match step {
        Step::Compare { unit, memory, .. } => Some((unit, memory)),
        _ => None,
    })
}

fn remembers(simulation: &Simulation) -> bool {
    simulation.learning().loss.stored_view() != StoredView::Absent
}

/// What a step changes: weights as it used them, and multiply-adds so far.
struct Before {
    work: Tally,
    projections: Vec<f64>,
    feedback: Vec<f64>,
    alignments: Vec<Option<f64>>,
}

impl Before {
    fn of(simulation: &Simulation) -> Before {
        let (network, state) = (simulation.network(), simulation.state());
        let feedback_norm = |id| match network.answer(id).wiring {
            Wiring::Transported => norm(state.values(Slot::Weight(network.answer(id).partner))),
            _ => norm(state.values(Slot::Feedback(id))),
        };
        Before {
            work: state.work(),
            projections: network.projection_ids().map(|id| norm(state.values(Slot::Weight(id)))).collect(),
            feedback: network.feedback_ids().map(feedback_norm).collect(),
            alignments: network.feedback_ids().map(|id| alignment(network, state, id)).collect(),
        }
    }
}

/// The angle between forward weights and those through which the errors of their feedback travel; none for feedback
/// without weights of its own, and for inverses, which carry no errors.
fn alignment(network: &Network, state: &State, id: FeedbackId) -> Option<f64> {
    let (forward, own) = (state.values(Slot::Weight(network.answer(id).partner)), state.values(Slot::Feedback(id)));
    match network.answer(id).wiring {
        Wiring::Transported | Wiring::Inverse => None,
        Wiring::Fixed | Wiring::Learned => angle(forward, own),
        Wiring::Sign => {
            let signs: Vec<f32> = own.iter().map(|&weight| if weight == 0.0 { 0.0 } else { weight.signum() }).collect();
            angle(forward, &signs)
        }
    }
}

/// A step that was taken.
struct Seen<'a> {
    simulation: &'a Simulation,
    before: Before,
    work: Tally,
    update_angles: Vec<Option<f64>>,
    untrained: Vec<Distances>,
}

impl Seen<'_> {
    fn recording(&self, step: u64, found: Comparison) -> Recording {
        let (simulation, network) = (self.simulation, self.simulation.network());
        let apart = simulation.learning().staging.is_blockwise();
        let projections = network
            .projection_ids()
            .filter(|&id| self.takes(|step| matches!(step, Step::Drive(driving, ..) if driving == id)));
        let feedback = network.feedback_ids().filter(|&id| {
            self.takes(|step| matches!(step, Step::Carry(used, ..) | Step::Invert(used, ..) if used == id))
        });
        let units = network.unit_ids().filter(|&id| self.takes(|step| step == Step::Fire(id, View::Current)));
        Recording {
            step,
            block: apart.then(|| simulation.stages()[simulation.stage()].name.clone()),
            loss: found.loss,
            active: found.active_share(),
            feedforward: projections.map(|id| (network.projection(id).name.clone(), self.projection(id))).collect(),
            feedback: feedback.map(|id| (network.answer(id).name.clone(), self.feedback(id))).collect(),
            units: units.map(|id| (network.unit(id).name.clone(), self.unit(id))).collect(),
            heads: self.heads().map(|(head, spread)| (network.unit(head).name.clone(), spread)).collect(),
        }
    }

    fn takes(&self, is: impl Fn(Step) -> bool) -> bool {
        steps(self.simulation).any(is)
    }

    fn projection(&self, id: ProjectionId) -> ProjectionRecord {
        let state = self.simulation.state();
        let learned = steps(self.simulation).filter_map(|step| match step {
            Step::Learn(learning, view, _) if learning == id => Some(view),
            _ => None,
        });
        let learns = self.takes(|step| step == Step::Apply(id));
        ProjectionRecord {
            weights: self.before.projections[id.index()],
            // Where the change stood, there is the update by now.
            update: learns.then(|| norm(state.change(id))),
            update_angle: self.update_angles[id.index()],
            density: self.density(self.simulation.network().projection(id).to, learned),
            drive: self.work.drive[id.index()].since(self.before.work.drive[id.index()]),
            learn: self.work.learn[id.index()].since(self.before.work.learn[id.index()]),
        }
    }

    fn feedback(&self, id: FeedbackId) -> FeedbackRecord {
        let state = self.simulation.state();
        let carried = steps(self.simulation).filter_map(|step| match step {
            Step::Carry(carrying, view, _) if carrying == id => Some(view),
            _ => None,
        });
        FeedbackRecord {
            weights: self.before.feedback[id.index()],
            alignment: self.before.alignments[id.index()],
            density: self.density(self.simulation.network().answer(id).from, carried),
            carry: self.work.carry[id.index()].since(self.before.work.carry[id.index()]),
            reconstruction: state.reconstruction(id),
        }
    }

    /// The share of a unit's packets that are events, over the given views.
    fn density(&self, unit: UnitId, views: impl Iterator<Item = View>) -> Option<f64> {
        let (mut events, mut values) = (0, 0);
        for view in views {
            let of_view = self.simulation.state().events(unit, view);
            events += of_view.iter().map(|&events| u64::from(events)).sum::<u64>();
            values += (of_view.len() * self.simulation.network().unit(unit).drive.len()) as u64;
        }
        (values > 0).then(|| events as f64 / values as f64)
    }

    fn unit(&self, id: UnitId) -> UnitRecord {
        let (activity, layout) = self.simulation.state().laid_out_activity(id, View::Current);
        let saturates = matches!(self.simulation.network().unit(id).transfer, Transfer::HardTanh | Transfer::Tanh);
        UnitRecord {
            saturated: saturates.then(|| measure::saturated(activity, layout)),
            dead: measure::constant(activity, layout),
        }
    }

    fn heads(&self) -> impl Iterator<Item = (UnitId, Spread)> {
        let (state, network) = (self.simulation.state(), self.simulation.network());
        comparisons(self.simulation).zip(&self.untrained).map(move |((head, memory), &untrained)| {
            let units = network.unit(head).shape.len();
            let stored = if remembers(self.simulation) { state.memory(memory) } else { &[] };
            let current = state.activity(head, View::Current);
            let distances = Distances::of(first(stored, units), first(&current, units), units);
            (head, Spread::of(&current, units, distances, untrained))
        })
    }
}
