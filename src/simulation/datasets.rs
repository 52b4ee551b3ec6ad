//! The data of an experiment: what it learns from and, where that is another data set, what it is read out on.

use std::path::PathBuf;

use super::{Experiment, check_input, heads, trainer};
use crate::data::{Dataset, Source};
use crate::error::Result;

/// The data of an experiment in memory, shown in the size of its views.
#[derive(Debug)]
pub struct Datasets {
    /// What views are made of.
    pub learned: Dataset,
    /// What `readout.data` names, if it names anything.
    second: Option<Dataset>,
}

impl Datasets {
    /// What the encoder is read out on.
    pub fn read_out(&self) -> &Dataset {
        self.second.as_ref().unwrap_or(&self.learned)
    }

    /// What the encoder is read out on, if that is not what it learned from.
    pub fn second(&self) -> Option<&Dataset> {
        self.second.as_ref()
    }

    /// A digest of all images and labels: equal data, equal digests.
    pub fn digest(&self) -> String {
        match &self.second {
            None => self.learned.digest(),
            Some(second) => {
                let both = self.learned.digest() + &second.digest();
                blake3::hash(both.as_bytes()).to_hex()[..16].to_string()
            }
        }
    }
}

impl Experiment {
    /// What the encoder learns from and, where that is another data set, what it is read out on.
    pub fn sources(&self) -> Vec<&Source> {
        [self.source()].into_iter().chain(&self.readout().data).collect()
    }

    /// What the encoder is read out on, without the images that a read-out has no use for.
    pub fn readout_source(&self) -> Source {
        self.readout().data.as_ref().unwrap_or(self.source()).labelled()
    }

    /// Reads or draws the data. Each data set is read from the one of `folders` that holds its files, else from the path
    /// that the experiment names.
    ///
    /// # Errors
    /// As for [`Source::load`] and [`Source::folders`]; also if images do not fit the network's input, the views, the
    /// batch or the memory, or if the loss learns from labels and these do not fit the heads.
    pub fn load_data(&self, folders: &[PathBuf]) -> Result<Datasets> {
        let given = Source::folders(&self.sources(), folders)?;
        let learned = self.source().load(self.base(), given[0])?.seen_through(self.views());
        check_input(self.network(), &learned)?;
        heads::check_labels(self.network(), &self.learning().loss, &learned)?;
        trainer::check(self.learning(), self.training(), self.views(), &learned)?;
        self.check_memory(self.training().pairs)?;
        let second = match &self.readout().data {
            None => None,
            Some(source) => {
                let second = source.labelled().load(self.base(), given[1])?.seen_through(self.views());
                check_input(self.network(), &second)?;
                Some(second)
            }
        };
        let datasets = Datasets { learned, second };
        let units: Vec<_> = self.block_tops().into_iter().chain([self.readout_unit()]).collect();
        self.check_features(&units, datasets.read_out())?;
        Ok(datasets)
    }
}
