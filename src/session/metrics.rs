//! The metrics of a run: one JSON object a line, so that a run can be followed while it learns. Each epoch has a line,
//! and each recording of the instruments, which is told by its `step`.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::instruments::Recording;
use crate::simulation::{Epoch, Position, RunDirectory, write_atomically};

/// The metrics file of a run; it comes with the first line.
pub(super) struct Metrics {
    path: PathBuf,
}

/// What a line tells of.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Recording(Box<Recording>),
    Epoch(Epoch),
}

impl Metrics {
    pub(super) fn of(directory: &RunDirectory) -> Metrics {
        Metrics { path: directory.metrics() }
    }

    pub(super) fn append(&self, line: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(line)
            .map_err(|error| Error::file(&self.path, format!("cannot be written as JSON: {error}"), "report this"))?;
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path).map_err(Error::io(&self.path))?;
        file.write_all((text + "\n").as_bytes()).map_err(Error::io(&self.path))
    }

    /// The epochs and the recordings that the metrics tell of.
    pub(super) fn read(&self) -> Result<(Vec<Epoch>, Vec<Recording>)> {
        let (mut epochs, mut recordings) = (Vec::new(), Vec::new());
        for (_, line) in lines(&self.text()?) {
            match line {
                Line::Epoch(epoch) => epochs.push(epoch),
                Line::Recording(recording) => recordings.push(*recording),
            }
        }
        Ok((epochs, recordings))
    }

    /// Drops lines that are torn, or of epochs and steps after `last` and its `updates`, which the checkpoint does not
    /// hold: they will be run again.
    pub(super) fn forget_after(&self, last: &Position, updates: u64) -> Result<()> {
        let text = self.text()?;
        let kept = lines(&text).filter(|(_, line)| match line {
            Line::Epoch(epoch) => epoch.epoch <= last.epoch,
            Line::Recording(recording) => recording.step <= updates,
        });
        let kept: String = kept.flat_map(|(text, _)| [text, "\n"]).collect();
        if self.path.exists() { write_atomically(&self.path, kept.as_bytes()) } else { Ok(()) }
    }

    fn text(&self) -> Result<String> {
        match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            text => text.map_err(Error::io(&self.path)),
        }
    }
}

/// The lines of metrics up to the first one that tells of nothing known.
fn lines(text: &str) -> impl Iterator<Item = (&str, Line)> {
    text.lines().map_while(|text| Some((text, serde_json::from_str(text).ok()?)))
}
