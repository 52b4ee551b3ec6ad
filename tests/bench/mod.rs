//! A folder for one test, in which the program is run.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The folder; it goes when the test ends.
pub(crate) struct Bench(TempDir);

impl Bench {
    /// An empty one.
    pub(crate) fn empty() -> Bench {
        Bench(tempfile::tempdir().unwrap())
    }

    /// Where a file of the folder lies.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and the folders that it lies in.
    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs the program and expects an exit code, and no panic; what was printed and what was said.
    pub(crate) fn ends(&self, code: i32, args: &[&str]) -> [String; 2] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synlocal"));
        let output = command.args(args).current_dir(self.0.path()).stdin(Stdio::null()).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {err}");
        assert!(!err.contains("panicked"), "{args:?}: {err}");
        [out, err]
    }

    /// Reads a JSON file.
    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&fs::read_to_string(self.path(name)).unwrap()).unwrap()
    }
}
