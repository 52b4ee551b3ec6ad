//! Interventional evidence inside a step: before each step of the real plan everything that it does not declare to read
//! is filled with what is no number. A step that keeps to its word keeps every bit of its result.
//!
//! Three states of one circuit go through a plan together. The first takes every step as it is. The second is where the
//! first was one step before, brought up to date by what steps *declare* to write. The third is blind: it is lent what a
//! step declares to read, takes the step, and is blinded again. Where the third differs from the first, a step read what
//! it does not declare; where the second differs from the first, or the third begins to see, it wrote so.

use std::collections::BTreeSet;

use super::bench::Bench;
use super::flow::{Flow, in_words, step_in_words};
use super::probe;
use crate::locality::{Place, View};
use crate::network::Network;
use crate::schedule::Step;
use crate::simulation::{Batch, Simulation};

/// A step that does not keep to what it declares.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lie {
    /// Which step.
    pub step: Step,
    /// What it reads or writes without saying so; none if that is none of the state's places.
    pub place: Option<Place>,
    /// Whether it writes.
    pub writes: bool,
    /// What was seen.
    pub text: String,
}

/// What was found by blinding and probing.
#[derive(Debug, Default)]
pub(super) struct Blinded {
    pub lies: Vec<Lie>,
    pub leaks: Vec<probe::Leak>,
    pub steps: usize,
    pub probes: usize,
}

/// The three states.
pub(super) struct Trio {
    real: Simulation,
    declared: Simulation,
    blind: Simulation,
    places: Vec<Place>,
}

impl Trio {
    pub(super) fn new(real: Simulation) -> Trio {
        let (declared, mut blind) = (real.clone(), real.clone());
        let network = real.network().clone();
        let mut places = universe(&network);
        places.retain(|&place| blind.state_mut().holds(place));
        places.iter().for_each(|&place| blind.state_mut().blind(&network, place));
        Trio { real, declared, blind, places }
    }

    /// Takes a whole plan.
    pub(super) fn go(&mut self, bench: &Bench<'_>, flow: &Flow<'_>, stage: usize, found: &mut Blinded) {
        for simulation in [&mut self.real, &mut self.declared, &mut self.blind] {
            simulation.enter(stage);
        }
        let dark = Dark::new(bench);
        for index in 0..flow.steps.len() {
            self.step(bench, flow, index, &dark, found);
            found.steps += 1;
        }
        self.undeclared_writes(flow, found);
    }

    fn step(&mut self, bench: &Bench<'_>, flow: &Flow<'_>, index: usize, dark: &Dark, found: &mut Blinded) {
        let (step, access) = (flow.steps[index], &flow.access[index]);
        let reads: BTreeSet<Place> = access.reads.iter().copied().collect();
        let writes: BTreeSet<Place> = access.writes.iter().copied().collect();
        let batch = dark.batch(bench, &reads);
        for &place in &reads {
            self.undeclared_write(flow, place, found);
        }
        self.lend(&reads);
        bench.take(&mut self.blind, batch, step);
        bench.take(&mut self.real, bench.batch(), step);
        let expected: Vec<(Place, Vec<f32>)> =
            writes.iter().map(|&place| (place, self.real.state_mut().look(place))).collect();
        if let Some((place, size)) = self.differs(&expected) {
            let culprit = self.culprit(bench, step, &reads, &writes, &expected, dark);
            let network = flow.network;
            let looked = culprit.map_or("something outside the state".to_string(), |place| in_words(place, network));
            let text = format!(
                "`{}` gives another {} ({size}) when {looked} is hidden, which it does not declare to read",
                step_in_words(step, network),
                in_words(place, network)
            );
            found.lies.push(Lie { step, place: culprit, writes: false, text });
        } else {
            let probe = probe::Probe { bench, flow, step, reads: &reads, batch, expected: &expected };
            let again = |blind: &mut Simulation, declared: &mut Simulation| {
                reads.iter().for_each(|&place| blind.state_mut().copy(declared.state_mut(), place));
            };
            let leaks = probe.run(&mut self.blind, &mut |blind| again(blind, &mut self.declared));
            found.probes += leaks.probes;
            found.leaks.extend(leaks.found);
        }
        for &place in &writes {
            self.declared.state_mut().copy(self.real.state_mut(), place);
        }
        self.darken(reads.union(&writes).copied());
    }

    /// Lets the blind state see these places as they were before the step.
    fn lend(&mut self, places: &BTreeSet<Place>) {
        for &place in places {
            self.blind.state_mut().copy(self.declared.state_mut(), place);
        }
        self.blind.state_mut().blind_workspaces();
    }

    fn darken(&mut self, places: impl Iterator<Item = Place>) {
        let network = self.real.network().clone();
        places.for_each(|place| self.blind.state_mut().blind(&network, place));
    }

    /// The first place at which the blind state's result is not as expected, and by how much.
    fn differs(&mut self, expected: &[(Place, Vec<f32>)]) -> Option<(Place, String)> {
        expected.iter().find_map(|(place, values)| {
            let seen = self.blind.state_mut().look(*place);
            let same = seen.iter().zip(values).filter(|(one, other)| one.to_bits() == other.to_bits()).count();
            let (all, other) = (values.len(), values.len().max(seen.len()) - same);
            (other > 0).then(|| (*place, format!("{other} of {all} values")))
        })
    }

    /// The hidden place whose sight brings the expected result back.
    fn culprit(
        &mut self,
        bench: &Bench<'_>,
        step: Step,
        reads: &BTreeSet<Place>,
        writes: &BTreeSet<Place>,
        expected: &[(Place, Vec<f32>)],
        dark: &Dark,
    ) -> Option<Place> {
        let outside = [Place::World(View::Stored), Place::World(View::Current), Place::Labels];
        let hidden = self.places.iter().copied().chain(outside).filter(|place| !reads.contains(place));
        let hidden: Vec<Place> = hidden.collect();
        hidden.into_iter().find(|&place| {
            let seen: BTreeSet<Place> = reads.iter().copied().chain([place]).collect();
            self.darken(reads.union(writes).copied());
            self.lend(&seen);
            bench.take(&mut self.blind, dark.batch(bench, &seen), step);
            let found = self.differs(expected).is_none();
            self.darken([place].into_iter());
            found
        })
    }

    /// Places that changed, though no step declares to write them.
    fn undeclared_writes(&mut self, flow: &Flow<'_>, found: &mut Blinded) {
        for place in self.places.clone() {
            self.undeclared_write(flow, place, found);
            if !self.blind.state_mut().is_blind(place) {
                self.darken([place].into_iter());
                found.lies.push(Lie::write(flow, place));
            }
        }
    }

    fn undeclared_write(&mut self, flow: &Flow<'_>, place: Place, found: &mut Blinded) {
        let (real, declared) = (self.real.state_mut().look(place), self.declared.state_mut().look(place));
        if real.iter().zip(&declared).any(|(one, other)| one.to_bits() != other.to_bits()) {
            self.declared.state_mut().copy(self.real.state_mut(), place);
            found.lies.push(Lie::write(flow, place));
        }
    }
}

impl Lie {
    fn write(flow: &Flow<'_>, place: Place) -> Lie {
        let text = format!("{} changed, though no step declares to write it there", in_words(place, flow.network));
        Lie { step: flow.steps[0], place: Some(place), writes: true, text }
    }

    /// Finds the step that wrote, from `simulation` as it was at the start of the plan.
    pub(super) fn locate(&mut self, bench: &Bench<'_>, flow: &Flow<'_>, mut simulation: Simulation) {
        let Some(place) = self.place.filter(|_| self.writes) else { return };
        for (&step, access) in flow.steps.iter().zip(&flow.access) {
            let before = simulation.state_mut().look(place);
            bench.take(&mut simulation, bench.batch(), step);
            let after = simulation.state_mut().look(place);
            let changed = before.iter().zip(&after).filter(|(one, other)| one.to_bits() != other.to_bits()).count();
            if changed > 0 && !access.writes.contains(&place) {
                self.step = step;
                let (said, what) = (step_in_words(step, flow.network), in_words(place, flow.network));
                self.text =
                    format!("`{said}` changes {changed} values of the {what}, which it does not declare to write");
                return;
            }
        }
    }
}

/// A batch that cannot be seen.
struct Dark {
    images: Vec<f32>,
    labels: Vec<u8>,
}

impl Dark {
    fn new(bench: &Bench<'_>) -> Dark {
        let batch = bench.batch();
        Dark { images: vec![f32::NAN; batch.current.len()], labels: vec![0; batch.labels.len()] }
    }

    /// The batch with only what is in `seen`.
    fn batch<'b>(&'b self, bench: &'b Bench<'_>, seen: &BTreeSet<Place>) -> Batch<'b> {
        let batch = bench.batch();
        let shown = |view, images| if seen.contains(&Place::World(view)) { images } else { self.images.as_slice() };
        Batch {
            stored: shown(View::Stored, batch.stored),
            current: shown(View::Current, batch.current),
            labels: if seen.contains(&Place::Labels) { batch.labels } else { &self.labels },
            noise: batch.noise,
        }
    }
}

/// Every place that a state of this network may have.
fn universe(network: &Network) -> Vec<Place> {
    let units = network.unit_ids().flat_map(|unit| {
        let views = [View::Stored, View::Current]
            .into_iter()
            .flat_map(move |view| [Place::Activity(unit, view), Place::Error(unit, view), Place::Packet(unit, view)]);
        let single = [Place::Drive(unit, View::Current), Place::Memory(unit), Place::Activity(unit, View::Probe)];
        views.chain(single)
    });
    let forward = network.projection_ids().flat_map(|id| [Place::Weights(id), Place::Change(id), Place::Moments(id)]);
    let back = network.feedback_ids().flat_map(|id| {
        [Place::FeedbackWeights(id), Place::Reconstruction(id), Place::FeedbackChange(id), Place::FeedbackMoments(id)]
    });
    units.chain(forward).chain(back).collect()
}
