//! The `data:` field of an experiment: which data set, where from, how much of it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Cifar100Labels, Dataset, cifar, idx, objects, stl10};
use crate::error::{Error, Result};
use crate::fault::Fault;

/// A data set as an experiment names it. Relative paths start at the experiment file's folder; without `images` or
/// `test_images`, all there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Source {
    /// CIFAR-10, binary version: 3x32x32, 10 classes, 50,000 and 10,000 images.
    Cifar10 {
        /// Folder of `data_batch_1.bin` to `_5.bin` and `test_batch.bin`, or the one that holds `cifar-10-batches-bin`.
        #[serde(default)]
        path: Option<PathBuf>,
        /// Take the first so many training images.
        #[serde(default)]
        images: Option<usize>,
        /// Take the first so many test images.
        #[serde(default)]
        test_images: Option<usize>,
    },
    /// CIFAR-100, binary version: 3x32x32, 100 classes in 20 groups, 50,000 and 10,000 images.
    Cifar100 {
        /// Folder of `train.bin` and `test.bin`, or the one that holds `cifar-100-binary`.
        #[serde(default)]
        path: Option<PathBuf>,
        /// Take the first so many training images.
        #[serde(default)]
        images: Option<usize>,
        /// Take the first so many test images.
        #[serde(default)]
        test_images: Option<usize>,
        /// Which of an image's two labels counts.
        #[serde(default)]
        labels: Cifar100Labels,
    },
    /// Grey images in the IDX format of MNIST and its kin, plain or gzipped; without a path, Debian's Fashion-MNIST.
    Idx {
        /// Folder of `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the two `t10k-` files.
        #[serde(default)]
        path: Option<PathBuf>,
        /// Take the first so many training images.
        #[serde(default)]
        images: Option<usize>,
        /// Take the first so many test images.
        #[serde(default)]
        test_images: Option<usize>,
    },
    /// STL-10, binary version: 3x96x96, 10 classes, 5,000 and 8,000 images, and 100,000 without labels.
    Stl10 {
        /// Folder of `train_X.bin`, `train_y.bin`, `test_X.bin`, `test_y.bin` and `unlabeled_X.bin`, or the one that
        /// holds `stl10_binary`.
        #[serde(default)]
        path: Option<PathBuf>,
        /// Take the first so many of the images that views are made of: unlabelled or training images.
        #[serde(default)]
        images: Option<usize>,
        /// Take the first so many test images.
        #[serde(default)]
        test_images: Option<usize>,
        /// Make views of the unlabelled images; the read-out learns from all training images.
        #[serde(default)]
        unlabelled: bool,
    },
    /// Solid objects in changing pose, place and light, drawn by the program itself: see [`objects`](super::objects).
    Objects {
        /// How many training images to draw.
        #[serde(default = "ten_thousand")]
        images: usize,
        /// How many test images to draw.
        #[serde(default = "two_thousand")]
        test_images: usize,
        /// Another seed is another world.
        #[serde(default)]
        seed: u64,
    },
}

/// Beyond this many drawn images memory (3 kB each) rather than patience is at stake.
const MOST_OBJECTS: usize = 1_000_000;

fn ten_thousand() -> usize {
    10_000
}

fn two_thousand() -> usize {
    2_000
}

impl Source {
    /// What reports call the data set.
    pub fn name(&self) -> &'static str {
        match self {
            Source::Cifar10 { .. } => "CIFAR-10",
            Source::Cifar100 { .. } => "CIFAR-100",
            Source::Idx { .. } => "IDX",
            Source::Stl10 { .. } => "STL-10",
            Source::Objects { .. } => "Objects",
        }
    }

    /// How many images views are made of, where the experiment or the published data set says it.
    pub fn images(&self) -> Option<usize> {
        match *self {
            Source::Objects { images, .. } => Some(images),
            Source::Cifar10 { images, .. } | Source::Cifar100 { images, .. } => Some(images.unwrap_or(50_000)),
            Source::Stl10 { images, unlabelled, .. } => {
                Some(images.unwrap_or(if unlabelled { 100_000 } else { 5_000 }))
            }
            Source::Idx { images, .. } => images,
        }
    }

    /// What no files could mend: counts of 0 or beyond memory.
    pub fn faults(&self) -> Vec<Fault> {
        let (images, test_images, most) = match *self {
            Source::Cifar10 { images, test_images, .. }
            | Source::Cifar100 { images, test_images, .. }
            | Source::Idx { images, test_images, .. }
            | Source::Stl10 { images, test_images, .. } => (images, test_images, usize::MAX),
            Source::Objects { images, test_images, .. } => (Some(images), Some(test_images), MOST_OBJECTS),
        };
        let mut faults = Vec::new();
        for (place, count) in [("images", images), ("test_images", test_images)] {
            match count {
                Some(0) => faults.push(Fault::new(place, "0 images are no data set", "ask for at least 1")),
                Some(count) if count > most => {
                    let remedy = format!("ask for at most {most}");
                    faults.push(Fault::new(place, format!("{count} drawn images would not fit in memory"), remedy));
                }
                _ => {}
            }
        }
        faults
    }

    /// The same data set without images that have no labels: a read-out needs none.
    pub fn labelled(&self) -> Source {
        match self {
            Source::Stl10 { path, test_images, unlabelled: true, .. } => {
                Source::Stl10 { path: path.clone(), images: None, test_images: *test_images, unlabelled: false }
            }
            source => source.clone(),
        }
    }

    /// The data set whose files lie in `folder`, all of it.
    ///
    /// # Errors
    /// `folder` holds the files of no known data set.
    pub fn in_folder(folder: &Path) -> Result<Source> {
        let holds = |names: &[&str]| names.iter().any(|name| folder.join(name).exists());
        let path = Some(folder.to_path_buf());
        if holds(&["data_batch_1.bin", "cifar-10-batches-bin"]) {
            Ok(Source::Cifar10 { path, images: None, test_images: None })
        } else if holds(&["train.bin", "cifar-100-binary"]) {
            Ok(Source::Cifar100 { path, images: None, test_images: None, labels: Cifar100Labels::default() })
        } else if holds(&["train_X.bin", "stl10_binary"]) {
            Ok(Source::Stl10 { path, images: None, test_images: None, unlabelled: false })
        } else if std::fs::read_dir(folder)
            .map_err(Error::io(folder))?
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with("train-images"))
        {
            Ok(Source::Idx { path, images: None, test_images: None })
        } else {
            Err(Error::file(
                folder,
                "holds no data set that is known by its files",
                "name a folder with CIFAR-10's data_batch_1.bin, CIFAR-100's train.bin, STL-10's train_X.bin, or IDX's \
                 train-images-idx3-ubyte",
            ))
        }
    }

    /// For each of `sources`, the one of `folders` to read it from, if any: the one that holds its files. One folder for
    /// one source is taken as it is.
    ///
    /// # Errors
    /// A folder holds none of the data sets, or the same as another.
    pub fn folders<'f>(sources: &[&Source], folders: &'f [PathBuf]) -> Result<Vec<Option<&'f Path>>> {
        if let ([_], [folder]) = (sources, folders) {
            return Ok(vec![Some(folder)]);
        }
        let mut given = vec![None; sources.len()];
        for folder in folders {
            let held = Source::in_folder(folder)?.name();
            let of_kind: Vec<usize> = (0..sources.len()).filter(|&index| sources[index].name() == held).collect();
            if of_kind.is_empty() {
                let names: Vec<&str> = sources.iter().map(|source| source.name()).collect();
                return Err(Error::file(
                    folder,
                    format!("holds {held}, but the experiment's data are {}", names.join(" and ")),
                    "leave that folder out, or change the data fields of the experiment",
                ));
            }
            for index in of_kind {
                if let Some(other) = given[index].replace(folder.as_path()) {
                    let problem = format!("holds {held}, and so does {}", other.display());
                    return Err(Error::file(folder, problem, "name one of them"));
                }
            }
        }
        Ok(given)
    }

    /// Reads or draws the data set. `base` is the folder of the experiment file, where relative paths start; `data`, a
    /// folder given on the command line, stands in for the written path.
    ///
    /// # Errors
    /// A file that is missing, of the wrong size or kind, or mislabelled; more images asked for than there are; a
    /// folder given for a data set that is drawn.
    pub fn load(&self, base: &Path, data: Option<&Path>) -> Result<Dataset> {
        if let Some(fault) = self.faults().into_iter().next() {
            return Err(Error::usage(format!("data.{}: {}", fault.place, fault.problem), fault.remedy));
        }
        let folder = |written: &Option<PathBuf>| match (data, written) {
            (Some(given), _) => Some(given.to_path_buf()),
            (None, Some(written)) => Some(base.join(written)),
            (None, None) => None,
        };
        match self {
            Source::Cifar10 { path, images, test_images } => {
                cifar::read_cifar10(self.name(), folder(path).as_deref(), *images, *test_images)
            }
            Source::Cifar100 { path, images, test_images, labels } => {
                cifar::read_cifar100(self.name(), folder(path).as_deref(), *images, *test_images, *labels)
            }
            Source::Idx { path, images, test_images } => {
                idx::read(self.name(), folder(path).as_deref(), *images, *test_images)
            }
            Source::Stl10 { path, images, test_images, unlabelled } => {
                stl10::read(self.name(), folder(path).as_deref(), *images, *test_images, *unlabelled)
            }
            Source::Objects { images, test_images, seed } => match data {
                None => Ok(objects::draw(self.name(), *images, *test_images, *seed)),
                Some(given) => Err(Error::usage(
                    format!("the data folder {} was given, but Objects are drawn, not read", given.display()),
                    "leave the folder out, or choose Cifar10, Cifar100, Idx or Stl10 in the experiment's data field",
                )),
            },
        }
    }
}
