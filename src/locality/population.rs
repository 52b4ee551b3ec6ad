//! The buffers of one unit: what it receives, what it says, what it is told.

use super::{Place, Provision, View, pathway};
use crate::kernels::arithmetic::Errors;
use crate::kernels::{Buffer, Firing, Gating, Layout, PacketLayout, Packets, Pool};
use crate::network::{Network, Unit, UnitId, Wiring};

/// One unit's part of the state, for a batch.
#[derive(Debug, Clone)]
pub(super) struct Population {
    /// Layout of the drive, at the resolution before pooling.
    pub drive_layout: Layout,
    /// Layout of the activity; its halo serves the projections that read it.
    pub layout: Layout,
    /// Layout of the error at the activity.
    pub error_layout: Layout,
    /// Layout of the packet, at the resolution of the drive; its halo serves the feedback that carries it
    /// and the projections that learn from it.
    pub packet_layout: PacketLayout,
    /// Summed input, overwritten by each presentation.
    pub drive: Buffer,
    /// One trace for each presentation that must be kept apart: both, or one that the current view overwrites; then
    /// that of a probe, where there are any.
    pub traces: Vec<Trace>,
    /// How many of these are of views.
    kept: usize,
    /// Short-term memory: embeddings of the stored view, plain `[sample][unit]`, in a unit that keeps them.
    pub memory: Vec<f32>,
}

/// What a unit keeps of one presentation.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    /// Activity after pool and transfer function.
    pub activity: Buffer,
    /// Which member of each max-pooling window won.
    pub winners: Vec<u8>,
    /// Error at the activity.
    pub error: Buffer,
    /// Error at the drive, gated.
    pub packet: Buffer,
    /// Where in its window each value of a pooled packet belongs.
    pub packet_winners: Vec<u8>,
    /// Non-zero values of the packet, for each sample.
    pub events: Vec<u32>,
}

impl Trace {
    /// The packets of `samples` samples, which lie like `layout`.
    pub(super) fn packets(&self, layout: PacketLayout, samples: usize) -> Packets<'_> {
        Packets {
            layout,
            values: &self.packet[..samples * layout.values().sample()],
            winners: &self.packet_winners[..samples * layout.winners()],
            events: &self.events[..samples],
        }
    }
}

impl Population {
    /// Buffers of a unit, as far as something reads or writes them; `traces` presentations are kept apart.
    pub(super) fn new(network: &Network, id: UnitId, traces: usize, provision: &Provision<'_>) -> Self {
        let Provision { samples, places, .. } = *provision;
        let unit = network.unit(id);
        let map = |projection| network.projection(projection).map;
        let halo = network.efferents(id).map(|p| pathway::activity_halo(map(p))).max().unwrap_or(0);
        let carried = network.feedback_from(id).map(|f| pathway::carry_halo(map(network.answer(f).partner)));
        let learned = network.afferents(id).filter(|&p| network.learns(p)).map(|p| pathway::learn_halo(map(p)));
        let inverted = network.feedback_from(id).map(|f| network.answer(f)).filter(|f| f.wiring == Wiring::Inverse);
        let halo = inverted.map(|f| pathway::carry_halo(f.map)).fold(halo, usize::max);
        let packet_halo = carried.chain(learned).max().unwrap_or(0);
        let whole = network.efferents(id).any(|p| pathway::reads_whole_vectors(map(p)));
        let narrow = unit.input && !whole;
        let layout = if narrow { Layout::input(unit.shape, halo) } else { Layout::new(unit.shape, halo) };
        let drive_layout = Layout::new(unit.drive, 0);
        let error_layout = Layout::new(unit.shape, 0);
        let mut readers = network.afferents(id).filter(|&p| network.learns(p)).map(map).chain(
            network.feedback_from(id).map(|f| network.answer(f)).filter(|f| f.wiring != Wiring::Inverse).map(|f| f.map),
        );
        let pooled = provision.arithmetic.errors == Errors::Events && readers.all(pathway::reads_pooled);
        let window = if let Pool::Max(side) = unit.pool
            && pooled
        {
            side
        } else {
            1
        };
        let packet_layout = PacketLayout { drive: Layout::new(unit.drive, packet_halo), window };
        let probed = places.contains(&Place::Activity(id, View::Probe));
        let zeros = |needed: bool, layout: Layout| Buffer::zeros(if needed { samples * layout.sample() } else { 0 });
        let trace = |views: &[View]| {
            let has = |place: fn(UnitId, View) -> Place| views.iter().any(|&view| places.contains(&place(id, view)));
            let (erring, learning) = (has(Place::Error), has(Place::Packet));
            Trace {
                activity: zeros(true, layout),
                winners: match unit.pool {
                    Pool::Max(_) if !unit.input => vec![0; samples * error_layout.sample()],
                    _ => Vec::new(),
                },
                error: zeros(erring, error_layout),
                packet: zeros(learning, packet_layout.values()),
                packet_winners: vec![0; if learning { samples * packet_layout.winners() } else { 0 }],
                events: vec![0; if learning { samples } else { 0 }],
            }
        };
        let views: &[&[View]] = if traces == 1 { &[&View::BOTH] } else { &[&[View::Stored], &[View::Current]] };
        let probe: &[&[View]] = if probed { &[&[View::Probe]] } else { &[] };
        let remembers = places.contains(&Place::Memory(id));
        Population {
            drive_layout,
            layout,
            error_layout,
            packet_layout,
            drive: zeros(!unit.input, drive_layout),
            traces: views.iter().chain(probe).map(|views| trace(views)).collect(),
            kept: views.len(),
            memory: vec![0.0; if remembers { samples * unit.shape.len() } else { 0 }],
        }
    }

    /// The drive of a presentation of `samples` samples, how it lies, and what firing makes of it.
    pub(super) fn firing(&mut self, unit: &Unit, view: View, samples: usize) -> ((&[f32], Layout), Firing<'_>) {
        let slot = self.slot(view);
        let trace = &mut self.traces[slot];
        let winners = trace.winners.len().min(samples * self.error_layout.sample());
        let firing = Firing {
            pool: unit.pool,
            transfer: unit.transfer,
            activity: &mut trace.activity[..samples * self.layout.sample()],
            layout: self.layout,
            winners: &mut trace.winners[..winners],
        };
        ((&self.drive[..samples * self.drive_layout.sample()], self.drive_layout), firing)
    }

    /// The error of a presentation, and what gating makes of it.
    pub(super) fn gating(&mut self, unit: &Unit, view: View, samples: usize, scale: f32) -> (&[f32], Gating<'_>) {
        let slot = self.slot(view);
        let trace = &mut self.traces[slot];
        let gating = Gating {
            pool: unit.pool,
            transfer: unit.transfer,
            activity: &trace.activity[..samples * self.layout.sample()],
            layout: self.layout,
            winners: &trace.winners[..trace.winners.len().min(samples * self.error_layout.sample())],
            scale,
            packet_layout: self.packet_layout,
            packets: &mut trace.packet[..samples * self.packet_layout.values().sample()],
            packet_winners: &mut trace.packet_winners[..samples * self.packet_layout.winners()],
            events: &mut trace.events[..samples],
        };
        (&trace.error[..samples * self.error_layout.sample()], gating)
    }

    /// The trace that holds a presentation.
    pub(super) fn trace(&self, view: View) -> &Trace {
        &self.traces[self.slot(view)]
    }

    /// The same, to write.
    pub(super) fn trace_mut(&mut self, view: View) -> &mut Trace {
        let slot = self.slot(view);
        &mut self.traces[slot]
    }

    /// The same; none of a probe where there are none.
    pub(super) fn trace_of(&mut self, view: View) -> Option<&mut Trace> {
        let slot = self.slot(view);
        self.traces.get_mut(slot)
    }

    /// The trace of a view, and that of a probe to write.
    pub(super) fn with_probe(&mut self, view: View) -> (&Trace, &mut Trace) {
        let (views, probe) = self.traces.split_at_mut(self.kept);
        (&views[(view as usize).min(self.kept - 1)], &mut probe[0])
    }

    /// Where a presentation is kept: views share a place where one overwrites the other.
    pub(super) fn slot(&self, view: View) -> usize {
        if view == View::Probe { self.kept } else { (view as usize).min(self.kept - 1) }
    }
}
