//! Memory: whether an experiment has room for what it will hold, asked before hours of work depend on it.

use super::Experiment;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::locality::State;
use crate::network::UnitId;

impl Experiment {
    /// Whether a simulation for batches of `pairs` has room in the machine's memory, as far as the system tells.
    ///
    /// # Errors
    /// It has not, naming both sizes.
    pub fn check_memory(&self, pairs: usize) -> Result<()> {
        let remedy = "lower training.pairs, or the units of the largest populations and projections";
        // Instruments keep a second simulation, to set the first one against.
        let simulations = if self.instruments().is_some() { 2 } else { 1 };
        check(simulations * self.state(pairs), &format!("{pairs} pairs need"), remedy)
    }

    /// Whether so many simulations for batches of `pairs` have room beside each other.
    ///
    /// # Errors
    /// They have not, naming both sizes and the remedy.
    pub fn check_memory_of(&self, simulations: u128, pairs: usize, remedy: &str) -> Result<()> {
        let needs = format!("{simulations} copies of the circuit for {pairs} pairs need");
        check(simulations * self.state(pairs), &needs, remedy)
    }

    /// Whether the features of all images of `dataset` have room beside a simulation, for each of `units` and for
    /// pixels in turn.
    ///
    /// # Errors
    /// They have not, naming the largest.
    pub fn check_features(&self, units: &[UnitId], dataset: &Dataset) -> Result<()> {
        let units = units.iter().map(|&unit| self.network().unit(unit));
        let features = units.map(|unit| (self.readout().pooled(unit.shape).len(), unit.name.as_str()));
        let Some((most, name)) = features.chain([(dataset.shape.len(), "pixels")]).max() else { return Ok(()) };
        let images = dataset.train.len() + dataset.test.len();
        let needed = self.state(self.training().pairs) + 4 * images as u128 * most as u128;
        let what = format!("reading {name} out, with {most} features of each of {images} images, needs");
        check(needed, &what, "take fewer images, or pool the features: readout: (pool: 4)")
    }

    /// Bytes of a simulation.
    fn state(&self, pairs: usize) -> u128 {
        let keep_stored = self.stages().iter().any(|stage| stage.plan.keeps_stored(self.network()));
        State::estimate(self.network(), pairs, keep_stored)
    }
}

fn check(needed: u128, what: &str, remedy: &str) -> Result<()> {
    match free() {
        Some(free) if needed > free => Err(Error::usage(
            format!("{what} about {} MB of memory, but {} MB are free", needed >> 20, free >> 20),
            remedy,
        )),
        _ => Ok(()),
    }
}

/// Bytes that the system could still hand out.
fn free() -> Option<u128> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u128 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
