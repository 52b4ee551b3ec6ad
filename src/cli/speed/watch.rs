//! The watch: it takes the time of every beat, and of nothing between them.

use std::time::Instant;

use crate::locality::{Place, State, View, Work};
use crate::network::UnitId;
use crate::report::{BeatTimes, EdgeWork, StepTimes};
use crate::schedule::{Step, traffic};
use crate::simulation::{Batch, Simulation};

/// Times learning steps of a simulation's stage at hand.
pub(super) struct Watch {
    simulation: Simulation,
    found: StepTimes,
    /// For each beat, the packet that it makes or uses, and how many values that has for one sample.
    packets: Vec<Option<(UnitId, View, u64)>>,
}

impl Watch {
    pub(super) fn new(simulation: Simulation) -> Watch {
        Watch { simulation, found: StepTimes::default(), packets: Vec::new() }
    }

    /// Goes to another stage, for batches of `pairs`, and takes untimed steps there: they touch all memory and fill the
    /// caches.
    pub(super) fn enter(&mut self, stage: usize, batch: Batch<'_>, pairs: usize, warm_up: usize) {
        self.simulation.enter(stage);
        let network = self.simulation.network();
        let plan = &self.simulation.stages()[stage].plan;
        let mut lines = plan.lines(network).into_iter();
        let packet = |beat: &[Step]| {
            let touched = beat.iter().map(|step| step.access(network));
            touched.flat_map(|access| access.reads.into_iter().chain(access.writes)).find_map(|place| match place {
                Place::Packet(unit, view) => Some((unit, view, network.unit(unit).drive.len() as u64)),
                _ => None,
            })
        };
        self.packets = plan.beats().map(packet).collect();
        let beats = plan.beats().map(|beat| BeatTimes {
            steps: lines.by_ref().take(beat.len()).collect(),
            times: Vec::new(),
            work: Work::default(),
            events: 0,
            values: 0,
            bytes: traffic(beat, network, pairs),
        });
        self.found = StepTimes { beats: beats.collect(), ..StepTimes::default() };
        for _ in 0..warm_up {
            self.simulation.step(batch);
        }
        self.simulation.clear_work();
    }

    /// Takes one step and its time.
    pub(super) fn step(&mut self, batch: Batch<'_>) {
        let mut before = self.simulation.state().work().sum();
        let mut rest = self.found.beats.iter_mut().zip(&self.packets);
        let mut whole = 0.0;
        let mut start = Instant::now();
        self.simulation.step_watched(batch, &mut |_, state: &State| {
            let seconds = start.elapsed().as_secs_f64();
            whole += seconds;
            if let Some((beat, packet)) = rest.next() {
                beat.times.push(seconds);
                let now = state.work().sum();
                let own = now.since(before);
                beat.work.done += own.done;
                beat.work.skipped += own.skipped;
                before = now;
                if let Some((unit, view, values)) = *packet {
                    let events = state.events(unit, view);
                    beat.events += events.iter().map(|&events| u64::from(events)).sum::<u64>();
                    beat.values += values * events.len() as u64;
                }
            }
            start = Instant::now();
        });
        self.found.times.push(whole);
    }

    /// What the steps since [`Watch::enter`] took.
    pub(super) fn found(&mut self) -> StepTimes {
        self.found.edges = EdgeWork::list(self.simulation.network(), &self.simulation.state().work());
        std::mem::take(&mut self.found)
    }
}
