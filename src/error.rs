//! Everything that can go wrong, in one type. A message names the unit, projection or file, the numbers on both
//! sides, and what to do about it; the command line prints it as it stands and turns it into an exit code.

use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Any failure of the library.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One or more faults in a circuit or experiment file, already rendered with line, caret and remedy.
    #[error("{plain}")]
    Circuit {
        /// For files and pipes.
        plain: String,
        /// The same with colours, for a terminal.
        coloured: String,
    },
    /// A file is not what it should be: a truncated data set, a checkpoint of another network.
    #[error("{}: {}; {}", printable(file.display()), printable(problem), printable(remedy))]
    File {
        /// The file or directory at fault.
        file: PathBuf,
        /// What was found and what was expected.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// The operating system refused.
    #[error("{}: {source}", printable(path.display()))]
    Io {
        /// The file or directory that was asked for.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A run that cannot go on: its numbers are no longer finite.
    #[error("{}; {}", printable(problem), printable(remedy))]
    Diverged {
        /// What happened, and when.
        problem: String,
        /// What to change.
        remedy: String,
    },
    /// A circuit that breaks what its own experiment denies.
    #[error("{}; {}", printable(problem), printable(remedy))]
    Denied {
        /// What it breaks, and where.
        problem: String,
        /// Where to read on, and what to change.
        remedy: String,
    },
    /// What a watcher of progress answers that wants no more: no failure, but an end.
    #[error("stopped on request")]
    Stopped,
    /// A flag, argument or call that cannot be meant: exit code 2 on the command line.
    #[error("{}; {}", printable(problem), printable(remedy))]
    Usage {
        /// What is wrong with it.
        problem: String,
        /// What to say instead.
        remedy: String,
    },
}

/// The result of anything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Ties an operating system's error to the path that it was about.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.as_ref().to_path_buf();
        move |source| Error::Io { path, source }
    }

    /// A file that is not what it should be.
    pub fn file(file: impl AsRef<Path>, problem: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::File { file: file.as_ref().to_path_buf(), problem: problem.into(), remedy: remedy.into() }
    }

    /// A request that cannot be meant.
    pub fn usage(problem: impl Into<String>, remedy: impl Into<String>) -> Error {
        Error::Usage { problem: problem.into(), remedy: remedy.into() }
    }
}

/// A text with its control characters written out: names come from files, and could steer a terminal.
pub(crate) fn printable(text: impl Display) -> String {
    let turns = |c| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut shown = String::new();
    for c in text.to_string().chars() {
        match c.is_control() || turns(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}
