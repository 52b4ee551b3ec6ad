//! Settings of the read-out: which unit, how much of it, how long.

use serde::{Deserialize, Serialize};

use crate::data::Source;
use crate::fault::Fault;
use crate::shape::Shape;

/// The linear classifier on frozen features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Readout {
    /// What the classifier learns from and is tested on, if not the data that the encoder learned from.
    pub data: Option<Source>,
    /// Unit that is read out; by default the one below the last head, or what it relays if only heads hear it.
    pub unit: Option<String>,
    /// Side of the windows over which the classifier is shown the mean of each map, at most the whole map. By default
    /// the smallest that leaves [`Readout::MOST_FEATURES`] or fewer; 1 shows the maps as they are.
    pub pool: Option<usize>,
    /// Times that every training image is seen.
    pub epochs: u64,
    /// Images of a batch.
    pub batch: usize,
    /// Adam's learning rate.
    pub rate: f32,
}

impl Default for Readout {
    fn default() -> Self {
        Readout { data: None, unit: None, pool: None, epochs: 50, batch: 500, rate: 1e-3 }
    }
}

impl Readout {
    /// Features of an image that a read-out takes unless it is told how to pool: as many as CONV6's last block has. Its
    /// first has four times as many, with which 60,000 images would fill 8 gigabytes.
    pub const MOST_FEATURES: usize = 8192;

    /// Side of the pooling windows for a unit of this shape.
    pub fn window(&self, shape: Shape) -> usize {
        let whole = shape.height.min(shape.width);
        let fits = |side: &usize| pooled(shape, *side).len() <= Readout::MOST_FEATURES;
        self.pool.map_or_else(|| (1..whole).find(fits).unwrap_or(whole), |side| side.clamp(1, whole))
    }

    /// What is left of a unit of this shape.
    pub fn pooled(&self, shape: Shape) -> Shape {
        pooled(shape, self.window(shape))
    }

    /// What is wrong with a classifier that learns for so many epochs.
    pub fn epochs_fault(epochs: u64) -> Option<Fault> {
        let problem = "a classifier that never learns says nothing of its features";
        (epochs == 0).then(|| Fault::new("epochs", problem, "use at least 1, such as 50"))
    }

    /// What is wrong with the settings' numbers.
    pub(super) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if self.pool == Some(0) {
            let remedy = "use at least 1, which pools nothing, or leave it out";
            faults.push(Fault::new("pool", "windows of 0x0 have no mean", remedy));
        }
        faults.extend(Readout::epochs_fault(self.epochs));
        if self.batch == 0 {
            faults.push(Fault::new("batch", "a batch of 0 images teaches nothing", "use at least 1, such as 500"));
        }
        faults.extend(Fault::unless_positive("rate", self.rate));
        let of_data = self.data.iter().flat_map(Source::faults);
        faults.extend(of_data.map(|fault| fault.within("data")));
        if matches!(self.data, Some(Source::Stl10 { unlabelled: true, .. })) {
            let remedy = "leave unlabelled out, with which images alone count that have labels";
            faults.push(Fault::new("data.unlabelled", "a read-out learns from labels", remedy));
        }
        faults
    }
}

/// Whole windows alone count, as in the pools of a network.
fn pooled(shape: Shape, side: usize) -> Shape {
    Shape::new(shape.channels, shape.height / side, shape.width / side)
}
