//! Floors: what a read-out stands beside, found once for all runs that share it.

use crate::evaluate::Accuracy;
use crate::kernels::Isa;
use crate::report::Summary;
use crate::simulation::Experiment;

/// What an encoder stands beside, which is the same for every way of learning.
#[derive(Debug, Clone, PartialEq)]
pub struct Floors {
    /// What they depend on: see [`Floors::digest`].
    pub digest: String,
    /// Read-out of the encoder with its first weights.
    pub untrained: Accuracy,
    /// Read-out of raw pixels.
    pub pixels: Accuracy,
}

impl Floors {
    /// A digest of all that the floors of an experiment depend on when it is read out on the data set with the digest
    /// `dataset`: feedforward circuit, seed, read-out, images and rounding. Equal digests, equal floors.
    pub fn digest(experiment: &Experiment, dataset: &str, isa: Isa) -> String {
        let (network, training) = (experiment.network(), experiment.training());
        let circuit = (network.units(), network.feedforward(), experiment.readout_unit(), experiment.readout());
        let text = format!(
            "{:?}",
            (env!("CARGO_PKG_VERSION"), circuit, training.seed, training.pairs, dataset, isa.to_string())
        );
        blake3::hash(text.as_bytes()).to_hex()[..16].to_string()
    }
}

impl From<&Summary> for Floors {
    fn from(summary: &Summary) -> Floors {
        Floors { digest: summary.floors.clone(), untrained: summary.untrained.clone(), pixels: summary.pixels.clone() }
    }
}
