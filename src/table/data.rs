//! The data of a series: which folder is for which experiment, and whether all are there before hours of work depend on
//! them.

use std::path::PathBuf;

use super::Series;
use crate::data::Source;
use crate::error::{Error, Result};
use crate::simulation::{Experiment, Folders, data_faults, holds_run, read_manifest, summary_of};

impl Series {
    /// Whether the data of all runs that are not complete are there and suit them. Each data set is read or drawn once.
    ///
    /// # Errors
    /// Each reason why some runs could not begin, with the rows that it concerns; a folder holds the run of another
    /// experiment.
    pub fn check_data(&self) -> std::result::Result<(), Vec<Error>> {
        let mut runs = self.experiments().map_err(|error| vec![error])?;
        runs.retain(|(entry, seed, _)| !summary_of(&self.folder(*entry, *seed)).exists());
        let (mut rows, mut asked, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        for (entry, seed, experiment) in runs {
            match self.folders(entry, seed, &experiment) {
                Ok(folders) => {
                    rows.push(entry);
                    asked.push((experiment, folders));
                }
                Err(error) => faults.push((entry, error.to_string())),
            }
        }
        faults.extend(data_faults(&asked).into_iter().map(|(run, reason)| (rows[run], reason)));
        if faults.is_empty() { Ok(()) } else { Err(self.by_reason(faults)) }
    }

    /// The folders from which a run takes its data, or goes on to take them.
    fn folders(&self, entry: usize, seed: u64, experiment: &Experiment) -> Result<Folders> {
        let (given, run) = (Folders::of(experiment, &data_of(experiment, &self.data))?, self.folder(entry, seed));
        Ok(if holds_run(&run) { given.or(read_manifest(&run)?.folders) } else { given })
    }

    /// One error for each reason, which names each row once.
    fn by_reason(&self, faults: Vec<(usize, String)>) -> Vec<Error> {
        let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
        for (row, reason) in faults {
            let name = self.entries[row].name.as_str();
            match reasons.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, names)) if names.contains(&name) => (),
                Some((_, names)) => names.push(name),
                None => reasons.push((reason, vec![name])),
            }
        }
        let error = |(reason, names): (String, Vec<&str>)| {
            Error::usage(reason, format!("or leave out what asks for it: {}", names.join(", ")))
        };
        reasons.into_iter().map(error).collect()
    }
}

/// What an experiment learns from and, if that is another data set, what it is read out on.
pub(super) fn data_names(experiment: &Experiment) -> String {
    experiment.sources().iter().map(|source| source.name()).collect::<Vec<_>>().join(" -> ")
}

/// The folders that hold data of an experiment.
pub(super) fn data_of(experiment: &Experiment, folders: &[PathBuf]) -> Vec<PathBuf> {
    let holds = |folder: &&PathBuf| {
        let held = Source::in_folder(folder);
        held.is_ok_and(|held| experiment.sources().iter().any(|source| source.name() == held.name()))
    };
    folders.iter().filter(holds).cloned().collect()
}
