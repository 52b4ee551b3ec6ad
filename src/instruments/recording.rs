//! A recording: one learning step's figures, a line of the metrics file.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::locality::Work;

/// What one learning step was like. Weights are as the step used them; activity is that of the current view. Edges, units
/// and heads that rested in this step are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Which step of the run it was, counted from 1; a line of the metrics file that has none is an epoch's.
    pub step: u64,
    /// The block that learned, named by its top unit, where blocks learn apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<String>,
    /// Loss of the batch.
    pub loss: f64,
    /// Share of compared pairs whose hinge was active, 0 to 1.
    pub active: f64,
    /// Feedforward projections, by name.
    pub feedforward: IndexMap<String, ProjectionRecord>,
    /// Feedback projections, by name.
    pub feedback: IndexMap<String, FeedbackRecord>,
    /// Units, by name; inputs have nothing to tell.
    pub units: IndexMap<String, UnitRecord>,
    /// How the embeddings of each head are spread, by name.
    pub heads: IndexMap<String, Spread>,
}

/// What a feedforward projection was like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectionRecord {
    /// Euclidean length of the weights, biases left out.
    pub weights: f64,
    /// Euclidean length of the update, biases and all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<f64>,
    /// Degrees between the change that the rule asked for and that of back-propagation with the same weights and batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_angle: Option<f64>,
    /// Share of the post unit's packets that were events, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub density: Option<f64>,
    /// Multiply-adds of driving.
    pub drive: Work,
    /// Multiply-adds of learning.
    pub learn: Work,
}

/// What a feedback projection was like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeedbackRecord {
    /// Euclidean length of the weights; of the partner's, where those are transported.
    pub weights: f64,
    /// Degrees between the partner's weights and those through which errors travel; none where both are the same, and
    /// for inverses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alignment: Option<f64>,
    /// Share of the carried packets that were events, 0 to 1; none for inverses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub density: Option<f64>,
    /// Multiply-adds of carrying, or of an inverse at work.
    pub carry: Work,
    /// Mean square by which an inverse missed the perturbed activity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reconstruction: Option<f64>,
}

/// What a unit was like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UnitRecord {
    /// Share of the activity at 0.99 and beyond, either way; only where the transfer function is bounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saturated: Option<f64>,
    /// Share of the channels that say the same of every image.
    pub dead: f64,
}

/// How the embeddings of a head are spread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// How far those of the first 100 images lie apart.
    pub distances: Distances,
    /// How far the same images lie apart through first weights.
    pub untrained: Distances,
    /// Standard deviations of their dimensions over the batch.
    pub deviation: Deviation,
    /// Participation ratio: as many dimensions, equally used, would be spread alike. None if there is no spread at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<f64>,
    /// Whether they have collapsed: see [`Distances::have_collapsed_since`].
    pub collapsed: bool,
}

/// L1 distances between embeddings of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Distances {
    /// Mean over the two views of each image; none without a stored view.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub positive: Option<f64>,
    /// Mean over all pairs of different images, the stored view of one and the current view of the other; without a
    /// stored view, both current.
    pub negative: f64,
}

/// The standard deviations of many dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Deviation {
    /// The smallest.
    pub least: f64,
    /// The middle one.
    pub median: f64,
    /// The largest.
    pub most: f64,
}

impl Recording {
    /// The heads whose embeddings have collapsed.
    pub fn collapsed(&self) -> impl Iterator<Item = &str> {
        self.heads.iter().filter(|(_, spread)| spread.collapsed).map(|(head, _)| head.as_str())
    }

    /// The heads whose embeddings had collapsed when they were last recorded.
    pub fn collapsed_at_last(recordings: &[Recording]) -> Vec<String> {
        let mut last = IndexMap::new();
        for recording in recordings {
            last.extend(&recording.heads);
        }
        last.into_iter().filter(|(_, spread)| spread.collapsed).map(|(head, _)| head.clone()).collect()
    }
}
