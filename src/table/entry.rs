//! The experiments of a table: found in files and folders, shortened on demand, measured against what their files ask.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::data::data_names;
use crate::document::Document;
use crate::error::{Error, Result};
use crate::simulation::{Experiment, Staging};

/// One row's experiment.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its file's name without the ending.
    pub name: String,
    /// The experiment as it is run, but for the seed.
    pub experiment: Experiment,
    /// Images that views are made of.
    pub images: Amount,
    /// `training.epochs`.
    pub epochs: Amount,
    /// Images that the read-out learns from, if it has data of its own.
    pub readout_images: Amount,
    /// `readout.epochs`.
    pub readout_epochs: Amount,
    /// The data that its file names, if it is run on others.
    pub asked_data: Option<String>,
    /// The row of the supervised encoder of the same circuit.
    pub supervised: Option<usize>,
}

/// How much of something is used, and how much the experiment's file asks for; none is all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// What the run takes.
    pub used: Option<u64>,
    /// What the file says.
    pub asked: Option<u64>,
}

impl Amount {
    /// Whether less is used than was asked for.
    pub fn is_reduced(&self) -> bool {
        match (self.used, self.asked) {
            (Some(used), Some(asked)) => used < asked,
            (used, None) => used.is_some(),
            (None, Some(_)) => false,
        }
    }
}

/// What a table changes in all its experiments.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Assignments as for [`Experiment::load`].
    pub set: Vec<String>,
    /// Images that views are made of, and as many for the read-out if it has data of its own.
    pub images: Option<u64>,
    /// Times that each block sees every image. Where a block is drawn for each batch, the experiment's total becomes
    /// this times the number of blocks, so that its rows can be compared with those of blocks that learn in turn. An
    /// experiment without training stays so.
    pub epochs: Option<u64>,
    /// Epochs of the read-out.
    pub readout_epochs: Option<u64>,
}

/// The experiments of files and of all files in folders, those of a folder by their names. A network without an
/// experiment is passed over in a folder.
///
/// # Errors
/// All faults of all files; two files of one name.
pub fn entries(sources: &[PathBuf], changes: &Changes) -> std::result::Result<Vec<Entry>, Vec<Error>> {
    let (mut entries, mut errors) = (Vec::<(PathBuf, Entry)>::new(), Vec::new());
    for source in sources {
        let files = if source.is_dir() { experiments_in(source) } else { Ok(vec![source.clone()]) };
        for file in files.unwrap_or_else(|error| {
            errors.push(error);
            Vec::new()
        }) {
            match Entry::load(&file, changes) {
                Err(error) => errors.push(error),
                Ok(entry) => match entries.iter().find(|(_, other)| other.name == entry.name) {
                    None => entries.push((file, entry)),
                    Some((other, _)) => {
                        let problem = format!("would be row {:?}, which {} is already", entry.name, other.display());
                        errors.push(Error::file(&file, problem, "name each file once, or rename one of them"));
                    }
                },
            }
        }
    }
    if errors.is_empty() { Ok(entries.into_iter().map(|(_, entry)| entry).collect()) } else { Err(errors) }
}

/// The experiment files of a folder, sorted by name.
fn experiments_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let mut files: Vec<PathBuf> = listed.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "ron") && !holds_network(file));
    files.sort();
    if files.is_empty() {
        return Err(Error::file(folder, "holds no experiment", "name a folder of experiment files, *.ron"));
    }
    Ok(files)
}

/// Whether a file holds a network alone; what cannot be read is left to whoever reads it.
fn holds_network(file: &Path) -> bool {
    Document::read(file).is_ok_and(|document| document.value_name("") == Some("Network"))
}

impl Entry {
    /// Reads an experiment file.
    fn load(file: &Path, changes: &Changes) -> Result<Entry> {
        let asked = Experiment::load(file, &[])?;
        let mut set = changes.set.clone();
        let mut experiment = Experiment::load(file, &set)?;
        if let Some(images) = changes.images {
            set.push(format!("data.images={images}"));
            // A read-out takes all images of a data set that has fewer.
            let most = experiment.readout().data.as_ref().map(|data| data.images().unwrap_or(usize::MAX) as u64);
            set.extend(most.map(|most| format!("readout.data.images={}", images.min(most))));
        }
        set.extend(changes.readout_epochs.map(|epochs| format!("readout.epochs={epochs}")));
        experiment = Experiment::load(file, &set)?;
        // The floor of a table stays untrained.
        if let Some(epochs) = changes.epochs.filter(|_| asked.training().epochs > 0) {
            let blocks = match experiment.learning().staging {
                Staging::Random { .. } => experiment.stages().len() as u64,
                Staging::EndToEnd | Staging::Greedy => 1,
            };
            set.push(format!("training.epochs={}", epochs.saturating_mul(blocks)));
            experiment = Experiment::load(file, &set)?;
        }
        let name = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        Ok(Entry::new(name, experiment, &asked))
    }

    /// The row of `experiment`, measured against what was asked.
    pub(super) fn new(name: String, experiment: Experiment, asked: &Experiment) -> Entry {
        let amount = |of: fn(&Experiment) -> Option<u64>| Amount { used: of(&experiment), asked: of(asked) };
        let asked_data = Some(data_names(asked)).filter(|names| *names != data_names(&experiment));
        Entry {
            name,
            images: amount(|experiment| experiment.source().images().map(|images| images as u64)),
            epochs: amount(|experiment| Some(experiment.training().epochs)),
            readout_images: amount(|experiment| Some(experiment.sources().get(1)?.images()? as u64)),
            readout_epochs: amount(|experiment| Some(experiment.readout().epochs)),
            asked_data,
            supervised: None,
            experiment,
        }
    }
}
