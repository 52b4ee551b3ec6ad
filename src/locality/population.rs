//! The buffers of one unit: what it receives, what it says, what it is told.

use crate::kernels::product::Product;
use crate::kernels::{Buffer, Layout, Pool};
use crate::locality::View;
use crate::network::{LinearMap, Network, UnitId};

/// One unit's part of the state, for a batch.
#[derive(Debug, Clone)]
pub(super) struct Population {
    /// Layout of the drive, at the resolution before pooling.
    pub drive_layout: Layout,
    /// Layout of the activity; its halo serves the widest padding among the projections that read it.
    pub layout: Layout,
    /// Layout of the error at the activity.
    pub error_layout: Layout,
    /// Layout of the packet, at the resolution of the drive; its halo serves the feedback that carries it.
    pub packet_layout: Layout,
    /// Summed input, overwritten by each presentation.
    pub drive: Buffer,
    /// One trace for each presentation that must be kept apart: both, or one that the current view overwrites.
    pub traces: Vec<Trace>,
    /// Embeddings, for a unit on which a loss acts.
    pub embedding: Option<Embedding>,
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
    /// Non-zero values of the packet, for each sample.
    pub events: Vec<u32>,
}

/// Plain `[sample][unit]` embeddings of a unit on which a loss acts.
#[derive(Debug, Clone)]
pub(super) struct Embedding {
    /// Of the stored view: short-term memory.
    pub stored: Vec<f32>,
    /// Of the current view.
    pub current: Vec<f32>,
    /// Errors of the stored view, where it learns.
    pub stored_error: Vec<f32>,
    /// Errors of the current view.
    pub current_error: Vec<f32>,
}

impl Population {
    /// Buffers for `samples` samples of a unit; `traces` presentations are kept apart.
    pub(super) fn new(network: &Network, id: UnitId, samples: usize, traces: usize) -> Self {
        let unit = network.unit(id);
        let padding = network.efferents(id).map(|p| match network.projection(p).map {
            LinearMap::Conv { pad, .. } => pad,
            LinearMap::Dense { .. } => 0,
        });
        let halo = padding.max().unwrap_or(0);
        let carried = network.feedback_from(id).map(|f| match network.projection(network.answer(f).partner).map {
            LinearMap::Conv { kernel, stride, pad, .. } => Product::carry_halo(kernel, stride, pad),
            LinearMap::Dense { .. } => 0,
        });
        let packet_halo = carried.max().unwrap_or(0);
        let layout = if unit.input { Layout::input(unit.shape, halo) } else { Layout::new(unit.shape, halo) };
        let drive_layout = Layout::new(unit.drive, 0);
        let error_layout = Layout::new(unit.shape, 0);
        let packet_layout = Layout::new(unit.drive, packet_halo);
        let learns = network.needs_error(id);
        let is_head = network.heads().contains(&id);
        let zeros = |needed: bool, layout: Layout| Buffer::zeros(if needed { samples * layout.sample() } else { 0 });
        let trace = || Trace {
            activity: zeros(true, layout),
            winners: match unit.pool {
                Pool::Max(_) if !unit.input => vec![0; samples * error_layout.sample()],
                _ => Vec::new(),
            },
            error: zeros(learns, error_layout),
            packet: zeros(learns, packet_layout),
            events: vec![0; if learns { samples } else { 0 }],
        };
        let plain = |needed: bool| vec![0.0; if needed { samples * unit.shape.len() } else { 0 }];
        Population {
            drive_layout,
            layout,
            error_layout,
            packet_layout,
            drive: zeros(!unit.input, drive_layout),
            traces: (0..traces).map(|_| trace()).collect(),
            embedding: is_head.then(|| Embedding {
                stored: plain(true),
                current: plain(true),
                stored_error: plain(traces == 2),
                current_error: plain(true),
            }),
        }
    }

    /// The trace that holds a presentation.
    pub(super) fn trace(&self, view: View) -> &Trace {
        &self.traces[slot(&self.traces, view)]
    }

    /// The same, to write.
    pub(super) fn trace_mut(&mut self, view: View) -> &mut Trace {
        let slot = slot(&self.traces, view);
        &mut self.traces[slot]
    }
}

/// Where a presentation is kept: where one overwrites the other they share a place.
pub(super) fn slot(traces: &[Trace], view: View) -> usize {
    (view as usize).min(traces.len() - 1)
}
