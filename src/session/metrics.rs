//! The metrics of a run: one JSON object a line, one line an epoch, so that a run can be followed while it learns.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::simulation::{Epoch, RunDirectory, write_atomically};

/// The metrics file of a run; it comes with the first epoch.
pub(super) struct Metrics {
    path: PathBuf,
}

impl Metrics {
    pub(super) fn of(directory: &RunDirectory) -> Metrics {
        Metrics { path: directory.metrics() }
    }

    pub(super) fn append(&self, epoch: &Epoch) -> Result<()> {
        let line = self.line(epoch)?;
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path).map_err(Error::io(&self.path))?;
        file.write_all(line.as_bytes()).map_err(Error::io(&self.path))
    }

    /// The epochs that the metrics tell of, up to the first line that is no epoch.
    pub(super) fn epochs(&self) -> Result<Vec<Epoch>> {
        match fs::read_to_string(&self.path) {
            Ok(text) => Ok(text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(Error::io(&self.path)(error)),
        }
    }

    /// Drops lines that are torn, or of epochs after `last`, which the checkpoint does not hold: they will be run again.
    pub(super) fn forget_after(&self, last: u64) -> Result<()> {
        let epochs = self.epochs()?;
        let kept = epochs.iter().filter(|epoch| epoch.epoch <= last);
        let lines = kept.map(|epoch| self.line(epoch)).collect::<Result<String>>()?;
        if self.path.exists() { write_atomically(&self.path, lines.as_bytes()) } else { Ok(()) }
    }

    fn line(&self, epoch: &Epoch) -> Result<String> {
        serde_json::to_string(epoch)
            .map(|line| line + "\n")
            .map_err(|error| Error::file(&self.path, format!("cannot be written as JSON: {error}"), "report this"))
    }
}
