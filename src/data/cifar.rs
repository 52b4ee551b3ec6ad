//! CIFAR-10 and CIFAR-100 in their binary version: files of records, each one or two label bytes and then 3,072 pixel
//! bytes, red plane first. A file is judged by its size before it is read.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::folder::{self, Folder};
use super::{Dataset, Images};
use crate::error::{Error, Result};
use crate::shape::Shape;

/// Which of the two labels of a CIFAR-100 image counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Cifar100Labels {
    /// 100 classes of objects.
    #[default]
    Fine,
    /// 20 groups of five classes each.
    Coarse,
}

const SHAPE: Shape = Shape::new(3, 32, 32);

const GET_CIFAR10: &str = "get the binary version from https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz, unpack \
                           it, and name its folder as path: in the data field or with --data";

const GET_CIFAR100: &str = "get the binary version from https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz, \
                            unpack it, and name its folder as path: in the data field or with --data";

/// How the records of one data set look.
struct Records {
    /// Label bytes before the pixels, and which of them counts.
    labels: usize,
    label: usize,
    /// Labels lie below this.
    classes: usize,
}

impl Records {
    fn size(&self) -> usize {
        self.labels + SHAPE.len()
    }

    /// Whole records in each of `files`, which are equally long in every published version and hold at most `most`.
    fn counts(&self, folder: &Folder, files: &[PathBuf], most: usize) -> Result<Vec<usize>> {
        let mut counts = Vec::new();
        for file in files {
            let found = fs::metadata(file).map_err(Error::io(file))?.len();
            let (size, expected) = (self.size() as u64, (self.size() * most) as u64);
            if found == 0 || found % size != 0 || found > expected {
                let problem = format!("{found} bytes, expected {expected}: {most} records of {size} bytes");
                return Err(folder.fault(file, problem));
            }
            counts.push((found / size) as usize);
        }
        let longest = counts.iter().copied().max().unwrap_or(0);
        if let Some(short) = counts.iter().position(|&count| count < longest) {
            let (found, expected) = (counts[short] * self.size(), longest * self.size());
            let problem = format!("{found} bytes, expected {expected} like the other batches");
            return Err(folder.fault(&files[short], problem));
        }
        Ok(counts)
    }

    /// The first `asked` images of `files`, or all.
    fn read(
        &self,
        folder: &Folder,
        files: &[PathBuf],
        most: usize,
        asked: Option<usize>,
        what: &str,
    ) -> Result<Images> {
        let counts = self.counts(folder, files, most)?;
        let total = folder::count(asked, counts.iter().sum(), what, folder.path())?;
        let (mut pixels, mut labels) = (Vec::with_capacity(total * SHAPE.len()), Vec::with_capacity(total));
        for (file, count) in files.iter().zip(counts) {
            let take = count.min(total - labels.len());
            let mut bytes = Vec::new();
            let limit = (take * self.size()) as u64;
            fs::File::open(file).and_then(|f| f.take(limit).read_to_end(&mut bytes)).map_err(Error::io(file))?;
            for (index, record) in bytes.chunks_exact(self.size()).enumerate() {
                let label = record[self.label];
                if usize::from(label) >= self.classes {
                    let problem = format!("record {index} has label {label}, expected 0 to {}", self.classes - 1);
                    return Err(folder.fault(file, problem));
                }
                labels.push(label);
                pixels.extend_from_slice(&record[self.labels..]);
            }
        }
        if labels.len() != total {
            let problem = format!("{} images could be read, expected {total}: a file shrank meanwhile", labels.len());
            return Err(folder.fault(folder.path(), problem));
        }
        Ok(Images::new(SHAPE, pixels, labels))
    }
}

/// CIFAR-10 from the folder at `path`.
pub(super) fn read_cifar10(
    name: &str,
    path: Option<&Path>,
    images: Option<usize>,
    test_images: Option<usize>,
) -> Result<Dataset> {
    let folder = folder::open(name, path, "cifar-10-batches-bin", GET_CIFAR10)?;
    let records = Records { labels: 1, label: 0, classes: 10 };
    let batches: Vec<PathBuf> =
        (1..=5).map(|batch| folder.find(&[&format!("data_batch_{batch}.bin")])).collect::<Result<_>>()?;
    let train = records.read(&folder, &batches, 10_000, images, "training")?;
    let test = records.read(&folder, &[folder.find(&["test_batch.bin"])?], 10_000, test_images, "test")?;
    Ok(Dataset::new(name, folder.classes("batches.meta.txt", records.classes)?, train, test))
}

/// CIFAR-100 from the folder at `path`, under one of its two labellings.
pub(super) fn read_cifar100(
    name: &str,
    path: Option<&Path>,
    images: Option<usize>,
    test_images: Option<usize>,
    labels: Cifar100Labels,
) -> Result<Dataset> {
    let folder = folder::open(name, path, "cifar-100-binary", GET_CIFAR100)?;
    let (label, classes, names) = match labels {
        Cifar100Labels::Coarse => (0, 20, "coarse_label_names.txt"),
        Cifar100Labels::Fine => (1, 100, "fine_label_names.txt"),
    };
    let records = Records { labels: 2, label, classes };
    let train = records.read(&folder, &[folder.find(&["train.bin"])?], 50_000, images, "training")?;
    let test = records.read(&folder, &[folder.find(&["test.bin"])?], 10_000, test_images, "test")?;
    Ok(Dataset::new(name, folder.classes(names, classes)?, train, test))
}
