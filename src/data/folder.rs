//! Where the files of a published data set lie and how they are got: one place for the errors that every reader shares.

use std::fs;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};

/// A folder of data files, and what to tell whoever lacks one of them.
pub(super) struct Folder {
    path: PathBuf,
    remedy: &'static str,
}

impl Folder {
    /// The folder at `path`, or its usual sub-folder where there is one.
    pub(super) fn open(path: &Path, usual: &str, remedy: &'static str) -> Result<Self> {
        let nested = path.join(usual);
        let path = if !usual.is_empty() && nested.is_dir() { nested } else { path.to_path_buf() };
        if path.is_dir() {
            Ok(Folder { path, remedy })
        } else {
            let problem = if path.exists() { "is a file, not a folder" } else { "there is no such folder" };
            Err(Error::file(path, problem, remedy))
        }
    }

    /// The first of `spellings` that is there.
    pub(super) fn find(&self, spellings: &[&str]) -> Result<PathBuf> {
        match spellings.iter().map(|name| self.path.join(name)).find(|path| path.is_file()) {
            Some(path) => Ok(path),
            None => Err(self.fault(self.path.join(spellings[0]), "there is no such file")),
        }
    }

    /// The names in a file of one class a line; numbers where there is no such file.
    pub(super) fn classes(&self, name: &str, count: usize) -> Result<Vec<String>> {
        let path = self.path.join(name);
        if !path.is_file() {
            return Ok(numbered(count));
        }
        let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
        let names: Vec<String> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Into::into).collect();
        if names.len() == count {
            Ok(names)
        } else {
            let problem = format!("{} class names, expected {count}", names.len());
            Err(self.fault(path, problem))
        }
    }

    /// A file of this data set that is not what it should be.
    pub(super) fn fault(&self, file: impl AsRef<Path>, problem: impl Into<String>) -> Error {
        Error::file(file, problem, self.remedy)
    }

    /// Where the folder is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// The folder of the data set `name`, which must be said.
pub(super) fn open(name: &str, path: Option<&Path>, usual: &str, remedy: &'static str) -> Result<Folder> {
    match path {
        Some(path) => Folder::open(path, usual, remedy),
        None => Err(Error::usage(format!("nothing says where {name} lies"), remedy)),
    }
}

/// Classes without names of their own.
pub(super) fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|class| class.to_string()).collect()
}

/// A file to read from, through gunzip where its name ends in `.gz`.
pub(super) fn reader(path: &Path) -> Result<Box<dyn Read>> {
    let file = BufReader::new(fs::File::open(path).map_err(Error::io(path))?);
    let zipped = path.extension().is_some_and(|extension| extension == "gz");
    Ok(if zipped { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// How many of the `found` images to take when `asked` are wanted.
pub(super) fn count(asked: Option<usize>, found: usize, what: &str, file: &Path) -> Result<usize> {
    match asked {
        Some(asked) if asked > found => Err(Error::file(
            file,
            format!("{asked} {what} images were asked for, but there are {found}"),
            format!("ask for at most {found}, or leave the number out to take them all"),
        )),
        Some(asked) => Ok(asked),
        None => Ok(found),
    }
}
