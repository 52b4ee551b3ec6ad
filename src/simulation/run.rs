//! A run directory: one training run on disk, whole at every moment, owned by one process at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Folders;
use crate::error::{Error, Result};

/// What a run needs to know about its origin, beside its experiment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the program that started the run.
    pub version: String,
    /// Digest of the experiment.
    pub experiment: String,
    /// Name of the experiment: its file's name without the ending.
    pub name: String,
    /// The folder that relative paths of the experiment start from.
    pub base: PathBuf,
    /// The folders given with `--data`.
    #[serde(default)]
    pub folders: Folders,
    /// Digest of the images and labels that it learns from and is tested on.
    pub dataset: String,
    /// Instruction set of the kernels: another one rounds otherwise.
    pub isa: String,
    /// What an audit of its plan said when it began, in one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<String>,
}

/// An open run directory; the lock on it is held until it is dropped.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    _lock: File,
}

impl RunDirectory {
    /// Whether a run could be started in `path`; nothing is written.
    ///
    /// # Errors
    /// The directory holds foreign files, or a run that `force` does not allow to replace.
    pub fn check(path: &Path, force: bool) -> Result<()> {
        let entries = match fs::read_dir(path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Err(Error::file(path, "is not a folder", "choose another --out"));
            }
            Err(source) => return Err(Error::Io { path: path.to_path_buf(), source }),
        };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !FILES.contains(&name.as_str()) && name != LOCK && !name.starts_with(UNFINISHED) {
                let problem = format!("holds {name:?}, which is not a run's");
                return Err(Error::file(path, problem, "choose an empty or new folder as --out"));
            }
        }
        if path.join(LOCK).exists() {
            lock(path)?;
        }
        if force || !holds_run(path) {
            return Ok(());
        }
        let shown = path.display();
        let (state, remedy) = if summary_of(path).exists() {
            ("a complete run", "choose another --out, or --force to replace it".to_string())
        } else {
            ("an unfinished run", format!("go on with --resume {shown}, or --force to start anew"))
        };
        Err(Error::file(path, format!("holds {state}"), remedy))
    }

    /// Starts a run in `path`, which must not hold one yet. With `force`, a run that is there is removed, unless
    /// another process is at work on it.
    ///
    /// # Errors
    /// As for [`RunDirectory::check`]; also if the directory is in use or cannot be written.
    pub fn create(path: &Path, experiment: &str, manifest: &Manifest, force: bool) -> Result<RunDirectory> {
        RunDirectory::check(path, force)?;
        fs::create_dir_all(path).map_err(Error::io(path))?;
        let run = RunDirectory { path: path.to_path_buf(), _lock: lock(path)? };
        run.sweep()?;
        for file in FILES.iter().map(|name| path.join(name)).filter(|file| file.exists()) {
            fs::remove_file(&file).map_err(Error::io(&file))?;
        }
        // The manifest comes last: with it, all that a run needs is there.
        write_atomically(&run.experiment(), experiment.as_bytes())?;
        write_json(&path.join(MANIFEST), manifest)?;
        Ok(run)
    }

    /// Removes what a process left that was killed while it wrote.
    fn sweep(&self) -> Result<()> {
        let entries = fs::read_dir(&self.path).map_err(Error::io(&self.path))?;
        for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(UNFINISHED)) {
            fs::remove_file(entry.path()).map_err(Error::io(entry.path()))?;
        }
        Ok(())
    }

    /// Opens a run that was started before.
    ///
    /// # Errors
    /// There is no run, another process is at work on it, or its files cannot be read.
    pub fn open(path: &Path) -> Result<(RunDirectory, Manifest)> {
        let manifest = read_manifest(path)?;
        let run = RunDirectory { path: path.to_path_buf(), _lock: lock(path)? };
        run.sweep()?;
        Ok((run, manifest))
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The experiment as it is run, complete in one file.
    pub fn experiment(&self) -> PathBuf {
        experiment_of(&self.path)
    }

    /// Metrics, one JSON object a line.
    pub fn metrics(&self) -> PathBuf {
        self.path.join(METRICS)
    }

    /// The latest checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        checkpoint_of(&self.path)
    }

    /// The result as a picture.
    pub fn picture(&self) -> PathBuf {
        self.path.join(PICTURE)
    }

    /// What the instruments recorded, as a picture; only if they recorded anything.
    pub fn instruments(&self) -> PathBuf {
        self.path.join(INSTRUMENTS)
    }

    /// The result; it is there when the run is complete.
    pub fn summary(&self) -> PathBuf {
        summary_of(&self.path)
    }
}

/// Where a run directory keeps its experiment, complete in one file.
pub fn experiment_of(run: &Path) -> PathBuf {
    run.join(EXPERIMENT)
}

/// Where a run directory keeps its latest checkpoint.
pub fn checkpoint_of(run: &Path) -> PathBuf {
    run.join(CHECKPOINT)
}

/// Where a run directory keeps its result, once it is complete.
pub fn summary_of(run: &Path) -> PathBuf {
    run.join(SUMMARY)
}

/// Where a run directory keeps the distances of its embeddings, as numbers and as a picture, once they were measured.
pub fn distances_of(run: &Path) -> [PathBuf; 2] {
    [run.join(DISTANCES), run.join(DISTANCES_PICTURE)]
}

/// Whether a run was started in this folder.
pub fn holds_run(path: &Path) -> bool {
    path.join(MANIFEST).exists()
}

const EXPERIMENT: &str = "experiment.ron";
const METRICS: &str = "metrics.jsonl";
const CHECKPOINT: &str = "checkpoint.safetensors";
const SUMMARY: &str = "summary.json";
const PICTURE: &str = "result.svg";
const INSTRUMENTS: &str = "instruments.svg";
const DISTANCES: &str = "distances.json";
const DISTANCES_PICTURE: &str = "distances.svg";
const MANIFEST: &str = "run.json";
const LOCK: &str = "run.lock";
/// All that a run leaves but its lock; what tells most of its state goes first when a run is replaced.
const FILES: [&str; 9] =
    [SUMMARY, PICTURE, INSTRUMENTS, DISTANCES, DISTANCES_PICTURE, METRICS, CHECKPOINT, EXPERIMENT, MANIFEST];
/// How names of files begin that are being written.
const UNFINISHED: &str = ".synlocal-";

/// Reads what a run directory says about its origin.
///
/// # Errors
/// There is no run, or its manifest is damaged.
pub fn read_manifest(path: &Path) -> Result<Manifest> {
    let file = path.join(MANIFEST);
    let text = fs::read_to_string(&file).map_err(|source| match source.kind() {
        ErrorKind::NotFound => {
            let problem = format!("is not a run directory: it has no {MANIFEST}");
            Error::file(path, problem, "name one that `synlocal train` made")
        }
        _ => Error::Io { path: file.clone(), source },
    })?;
    serde_json::from_str(&text).map_err(|error| Error::file(&file, format!("is damaged: {error}"), "train anew"))
}

fn lock(path: &Path) -> Result<File> {
    let name = path.join(LOCK);
    let file = OpenOptions::new().create(true).append(true).open(&name).map_err(Error::io(&name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Error::file(path, "is in use by another process", "wait for it, stop it, or choose another --out"))
        }
        Err(TryLockError::Error(source)) => Err(Error::Io { path: name, source }),
    }
}

/// The folder in which a file is to be made.
///
/// # Errors
/// It is not there, or the file's place is taken by a folder.
pub(crate) fn folder_for(path: &Path) -> Result<&Path> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(Error::file(folder, "no such folder to write to", "make it, or name another"));
    }
    if path.is_dir() {
        return Err(Error::file(path, "is a folder, not a file to write", "name a file in it"));
    }
    Ok(folder)
}

/// Writes a file so that its place holds the old or the new content, never a part.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    let folder = folder_for(path)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    // As readable as any file that the user makes, not as private as temporary files are.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(Error::io(folder))?;
    file.write_all(content).and_then(|()| file.as_file().sync_all()).map_err(Error::io(path))?;
    file.persist(path).map_err(|error| Error::Io { path: path.to_path_buf(), source: error.error })?;
    Ok(())
}

/// Writes a value as JSON for people and machines, atomically.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::file(path, format!("cannot be written as JSON: {error}"), "report this"))?;
    text.push('\n');
    write_atomically(path, text.as_bytes())
}
