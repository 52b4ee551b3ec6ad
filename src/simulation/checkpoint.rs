//! Checkpoints: all lasting vectors of a run and its place in time, as one safetensors file.
//!
//! The file is written beside its place and moved there, so that it is either the old or the new one; it holds no
//! clock time and no thread count, so that equal runs leave equal files.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};
use serde::{Deserialize, Serialize};

use super::Simulation;
use crate::error::{Error, Result};
use crate::loss::Comparison;

/// The one metadata key; several would come out in random order.
const KEY: &str = "synlocal";

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Position {
    /// Whole epochs done.
    pub epoch: u64,
    /// Batches of the next epoch done.
    pub batch: u64,
    /// What the comparisons of those batches found, for each stage.
    pub found: Vec<Found>,
}

/// What the batches of one stage found since the epoch began.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Found {
    /// Batches from which the stage learned.
    pub batches: u64,
    /// The sum of their comparisons.
    pub sum: Comparison,
    /// Multiply-adds done for them.
    pub multiply_adds: u64,
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    experiment: String,
    updates: u64,
    updates_of_each: Vec<u64>,
    epoch: u64,
    batch: u64,
    found: Vec<FoundBits>,
}

/// [`Found`] as it is written: decimal digits might not bring the loss back.
#[derive(Serialize, Deserialize)]
struct FoundBits {
    batches: u64,
    loss_bits: u64,
    active: u64,
    pairs: u64,
    multiply_adds: u64,
}

impl FoundBits {
    fn new(found: &Found) -> Self {
        let Found { batches, sum: Comparison { loss, active, pairs }, multiply_adds } = *found;
        FoundBits { batches, loss_bits: loss.to_bits(), active, pairs, multiply_adds }
    }

    fn found(&self) -> Found {
        let FoundBits { batches, loss_bits, active, pairs, multiply_adds } = *self;
        Found { batches, sum: Comparison { loss: f64::from_bits(loss_bits), active, pairs }, multiply_adds }
    }
}

impl Simulation {
    /// Writes a checkpoint. `experiment` is the digest of the experiment that the run follows.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, path: &Path, experiment: &str, position: &Position) -> Result<()> {
        let metadata = Metadata {
            experiment: experiment.to_string(),
            updates: self.state.updates(),
            updates_of_each: self.state.updates_of_each(),
            epoch: position.epoch,
            batch: position.batch,
            found: position.found.iter().map(FoundBits::new).collect(),
        };
        let tensors = self.tensors();
        let bytes: Vec<Vec<u8>> = tensors
            .iter()
            .map(|tensor| self.state.values(tensor.slot).iter().flat_map(|value| value.to_le_bytes()).collect())
            .collect();
        let unwritable =
            |problem: String| Error::file(path, problem, "report this: a checkpoint must always be writable");
        let views = tensors
            .iter()
            .zip(&bytes)
            .map(|(tensor, bytes)| Ok((tensor.name.as_str(), TensorView::new(Dtype::F32, tensor.dims.clone(), bytes)?)))
            .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>()
            .map_err(|error| unwritable(error.to_string()))?;
        let text = serde_json::to_string(&metadata).map_err(|error| unwritable(error.to_string()))?;
        let file = serialize(views, Some(HashMap::from([(KEY.to_string(), text)])))
            .map_err(|error| unwritable(error.to_string()))?;
        super::run::write_atomically(path, &file)
    }

    /// Restores a checkpoint and says where its run stood. Nothing is changed unless all of it fits.
    ///
    /// # Errors
    /// The file cannot be read, is no checkpoint, or is one of another experiment or network.
    pub fn load(&mut self, path: &Path, experiment: &str) -> Result<Position> {
        let file = std::fs::read(path).map_err(Error::io(path))?;
        let broken = |problem: String| {
            Error::file(path, format!("is not a whole checkpoint: {problem}"), "take another checkpoint, or train anew")
        };
        let tensors = SafeTensors::deserialize(&file).map_err(|error| broken(error.to_string()))?;
        let (_, header) = SafeTensors::read_metadata(&file).map_err(|error| broken(error.to_string()))?;
        let text = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let text = text.ok_or_else(|| broken(format!("it lacks the metadata key {KEY:?}")))?;
        let metadata: Metadata = serde_json::from_str(text).map_err(|error| broken(error.to_string()))?;
        if metadata.experiment != experiment {
            return Err(Error::file(
                path,
                format!("belongs to experiment {}, not to {experiment}", metadata.experiment),
                "use the checkpoint with the experiment.ron beside it",
            ));
        }
        let wanted = self.tensors();
        let mut restored = Vec::with_capacity(wanted.len());
        for tensor in wanted {
            let found = tensors.tensor(&tensor.name).map_err(|_| broken(format!("it lacks {}", tensor.name)))?;
            if found.dtype() != Dtype::F32 || found.shape() != tensor.dims {
                return Err(broken(format!(
                    "{} is {:?} of {:?}, but the network has F32 of {:?}",
                    tensor.name,
                    found.dtype(),
                    found.shape(),
                    tensor.dims
                )));
            }
            let values =
                found.data().chunks_exact(4).map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
            restored.push((tensor.slot, values.collect::<Vec<f32>>()));
        }
        self.state.set(restored.iter().map(|(slot, values)| (*slot, values.as_slice())))?;
        self.state.set_updates(metadata.updates, &metadata.updates_of_each);
        Ok(Position {
            epoch: metadata.epoch,
            batch: metadata.batch,
            found: metadata.found.iter().map(FoundBits::found).collect(),
        })
    }
}
