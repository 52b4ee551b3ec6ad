//! The data of an experiment: what it learns from and, where that is another data set, what it is read out on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Experiment, check_input, heads, trainer};
use crate::data::{Dataset, Source};
use crate::error::{Error, Result};

/// The data of an experiment in memory, shown in the size of its views.
#[derive(Debug)]
pub struct Datasets {
    /// What views are made of.
    pub learned: Dataset,
    /// What the encoder is read out on, if that is another.
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

/// Folders that stand in for the paths that an experiment names.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Folders {
    learned: Option<PathBuf>,
    second: Option<PathBuf>,
}

impl Folders {
    /// The folders for the data of `experiment` among those `given`.
    ///
    /// # Errors
    /// As for [`Source::folders`].
    pub fn of(experiment: &Experiment, given: &[PathBuf]) -> Result<Folders> {
        let found = Source::folders(&experiment.sources(), given)?;
        let folder = |index: usize| found.get(index).copied().flatten().map(Path::to_path_buf);
        Ok(Folders { learned: folder(0), second: folder(1) })
    }

    /// These, and those of `other` for what these leave open.
    pub fn or(self, other: Folders) -> Folders {
        Folders { learned: self.learned.or(other.learned), second: self.second.or(other.second) }
    }

    /// The same, from wherever the program works.
    ///
    /// # Errors
    /// The working directory is gone.
    pub fn absolute(&self) -> Result<Folders> {
        let absolute = |folder: &Option<PathBuf>| {
            folder.as_ref().map(|folder| std::path::absolute(folder).map_err(Error::io(folder))).transpose()
        };
        Ok(Folders { learned: absolute(&self.learned)?, second: absolute(&self.second)? })
    }
}

impl Experiment {
    /// What the encoder learns from and, where that is another data set, what it is read out on.
    pub fn sources(&self) -> Vec<&Source> {
        [self.source()].into_iter().chain(self.second_source()).collect()
    }

    /// What the encoder is read out on, if that is not what it learns from.
    fn second_source(&self) -> Option<&Source> {
        self.readout().data.as_ref().filter(|&data| *data != self.source().labelled())
    }

    /// Reads or draws what the encoder learns from and is read out on, from `folders` or from where the experiment says.
    ///
    /// # Errors
    /// As for [`Experiment::load_learned`]; also if the images or features of a read-out do not fit the network's input
    /// or the memory.
    pub fn load_data(&self, folders: &Folders) -> Result<Datasets> {
        let learned = self.load_learned(folders)?;
        let second = self.second_source().map(|_| self.load_readout(folders)).transpose()?;
        let datasets = Datasets { learned, second };
        self.check_readout(datasets.read_out())?;
        Ok(datasets)
    }

    /// Reads or draws what the encoder learns from, and nothing else.
    ///
    /// # Errors
    /// As for [`Source::load`]; also if the images do not fit the network's input, the views, the batch or the memory,
    /// or if the loss learns from labels and these do not fit the heads.
    pub fn load_learned(&self, folders: &Folders) -> Result<Dataset> {
        let learned = self.source().load(self.base(), folders.learned.as_deref())?.seen_through(self.views());
        self.check_learned(&learned)?;
        Ok(learned)
    }

    /// Whether the encoder can learn from views of `learned`.
    fn check_learned(&self, learned: &Dataset) -> Result<()> {
        check_input(self.network(), learned)?;
        heads::check_labels(self.network(), &self.learning().loss, learned)?;
        trainer::check(self.learning(), self.training(), self.views(), learned)?;
        self.check_memory(self.training().pairs)
    }

    /// Reads or draws what the encoder is read out on, without the images that a read-out has no use for.
    ///
    /// # Errors
    /// As for [`Source::load`]; also if the images do not fit the network's input.
    pub fn load_readout(&self, folders: &Folders) -> Result<Dataset> {
        let (source, folder) = match self.second_source() {
            Some(second) => (second, &folders.second),
            None => (self.source(), &folders.learned),
        };
        let dataset = source.labelled().load(self.base(), folder.as_deref())?.seen_through(self.views());
        self.check_shown(&dataset)?;
        Ok(dataset)
    }

    /// Whether images to be read out on can be shown to the encoder.
    fn check_shown(&self, dataset: &Dataset) -> Result<()> {
        check_input(self.network(), dataset).map_err(|error| {
            Error::usage(format!("the read-out: {error}"), "or read out on images that are shown in the input's shape")
        })
    }

    /// Whether features of `dataset` have room.
    fn check_readout(&self, dataset: &Dataset) -> Result<()> {
        let units: Vec<_> = self.block_tops().into_iter().chain([self.readout_unit()]).collect();
        self.check_features(&units, dataset)
    }

    /// The data sets that [`Experiment::load_data`] takes, and what is to be done with each.
    fn wants<'a>(&'a self, folders: &'a Folders) -> Vec<(Wanted<'a>, Purpose)> {
        let wanted =
            |source, folder: &'a Option<PathBuf>| Wanted { source, base: self.base(), folder: folder.as_deref() };
        let learned = wanted(self.source().clone(), &folders.learned);
        match self.second_source() {
            None => vec![(learned, Purpose::Both)],
            Some(second) => {
                vec![(learned, Purpose::Learning), (wanted(second.labelled(), &folders.second), Purpose::ReadOut)]
            }
        }
    }

    /// Whether a data set suits its purpose.
    fn check_data(&self, dataset: &Dataset, purpose: Purpose) -> Result<()> {
        match purpose {
            Purpose::Learning => self.check_learned(dataset),
            Purpose::ReadOut => self.check_shown(dataset).and_then(|()| self.check_readout(dataset)),
            Purpose::Both => self.check_learned(dataset).and_then(|()| self.check_readout(dataset)),
        }
    }

    /// The data set in `folder` as this experiment would read it out: as its own field says if that is of its kind.
    ///
    /// # Errors
    /// As for [`Source::in_folder`] and [`Source::load`].
    pub fn load_from(&self, folder: &Path) -> Result<Dataset> {
        let (found, own) = (Source::in_folder(folder)?, self.second_source().unwrap_or(self.source()));
        let source = if found.name() == own.name() { own } else { &found };
        Ok(source.labelled().load(folder, Some(folder))?.seen_through(self.views()))
    }
}

/// A data set before it is read or drawn.
#[derive(Debug, PartialEq)]
struct Wanted<'a> {
    source: Source,
    base: &'a Path,
    folder: Option<&'a Path>,
}

/// What an experiment does with a data set.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Learning,
    ReadOut,
    Both,
}

/// What stands against the data of several experiments, each to be taken from its folders: reasons, each with the
/// experiment, counted from 0, that it concerns. A data set that several ask for is read or drawn once; none is kept.
pub fn data_faults(asked: &[(Experiment, Folders)]) -> Vec<(usize, String)> {
    let mut sets: Vec<(Wanted<'_>, Vec<(usize, Purpose)>)> = Vec::new();
    for (index, (experiment, folders)) in asked.iter().enumerate() {
        for (wanted, purpose) in experiment.wants(folders) {
            match sets.iter_mut().find(|(known, _)| *known == wanted) {
                Some((_, users)) => users.push((index, purpose)),
                None => sets.push((wanted, vec![(index, purpose)])),
            }
        }
    }
    let mut faults = Vec::new();
    for (Wanted { source, base, folder }, users) in sets {
        match source.load(base, folder) {
            Err(error) => faults.extend(users.into_iter().map(|(index, _)| (index, error.to_string()))),
            Ok(mut dataset) => {
                for (index, purpose) in users {
                    let experiment = &asked[index].0;
                    dataset = dataset.seen_through(experiment.views());
                    faults
                        .extend(experiment.check_data(&dataset, purpose).err().map(|error| (index, error.to_string())));
                }
            }
        }
    }
    faults
}
