//! A run directory: one training run on disk, whole at every moment, owned by one process at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

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
    /// The folder given with `--data`, if any.
    pub data: Option<PathBuf>,
}

/// An open run directory; the lock on it is held until it is dropped.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    _lock: File,
}

impl RunDirectory {
    /// Starts a run in `path`, which must not hold one yet. With `force`, a run that is there is removed, unless
    /// another process is at work on it.
    ///
    /// # Errors
    /// The directory holds a run or foreign files, is in use, or cannot be written.
    pub fn create(path: &Path, experiment: &str, manifest: &Manifest, force: bool) -> Result<RunDirectory> {
        fs::create_dir_all(path).map_err(Error::io(path))?;
        let run = RunDirectory { path: path.to_path_buf(), _lock: lock(path)? };
        let holds = |file: &Path| file.exists();
        let shown = path.display();
        if holds(&run.manifest()) {
            if !force {
                let (state, remedy) = if holds(&run.summary()) {
                    ("a complete run", "choose another --out, or --force to replace it".to_string())
                } else {
                    ("an unfinished run", format!("go on with --resume {shown}, or --force to start anew"))
                };
                return Err(Error::file(path, format!("holds {state}"), remedy));
            }
            for file in [run.manifest(), run.experiment(), run.metrics(), run.checkpoint(), run.summary()] {
                if holds(&file) {
                    fs::remove_file(&file).map_err(Error::io(&file))?;
                }
            }
        } else if fs::read_dir(path).map_err(Error::io(path))?.flatten().any(|entry| entry.file_name() != LOCK) {
            return Err(Error::file(
                path,
                "holds files that are not a run's",
                "choose an empty or new folder as --out",
            ));
        }
        write_atomically(&run.experiment(), experiment.as_bytes())?;
        write_json(&run.manifest(), manifest)?;
        Ok(run)
    }

    /// Opens a run that was started before.
    ///
    /// # Errors
    /// There is no run, another process is at work on it, or its files cannot be read.
    pub fn open(path: &Path) -> Result<(RunDirectory, Manifest)> {
        let file = path.join(MANIFEST);
        if !file.exists() {
            return Err(Error::file(
                path,
                format!("is not a run directory: it has no {MANIFEST}"),
                "name one that `synlocal train` made",
            ));
        }
        let run = RunDirectory { path: path.to_path_buf(), _lock: lock(path)? };
        let manifest = read_manifest(path)?;
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
        self.path.join("metrics.jsonl")
    }

    /// The latest checkpoint.
    pub fn checkpoint(&self) -> PathBuf {
        checkpoint_of(&self.path)
    }

    /// The result as a picture.
    pub fn picture(&self) -> PathBuf {
        self.path.join("result.svg")
    }

    /// The result; it is there when the run is complete.
    pub fn summary(&self) -> PathBuf {
        self.path.join("summary.json")
    }

    fn manifest(&self) -> PathBuf {
        self.path.join(MANIFEST)
    }
}

/// Where a run directory keeps its experiment, complete in one file.
pub fn experiment_of(run: &Path) -> PathBuf {
    run.join("experiment.ron")
}

/// Where a run directory keeps its latest checkpoint.
pub fn checkpoint_of(run: &Path) -> PathBuf {
    run.join("checkpoint.safetensors")
}

const MANIFEST: &str = "run.json";
const LOCK: &str = "run.lock";

/// Reads what a run directory says about its origin.
///
/// # Errors
/// There is no run, or its manifest is damaged.
pub fn read_manifest(path: &Path) -> Result<Manifest> {
    let file = path.join(MANIFEST);
    let text = fs::read_to_string(&file).map_err(|_| {
        Error::file(
            path,
            format!("is not a run directory: it has no {MANIFEST}"),
            "name one that `synlocal train` made",
        )
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

/// Writes a file so that its place holds the old or the new content, never a part.
pub(crate) fn write_atomically(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(Error::io(folder))?;
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
