//! IDX files, the format of MNIST and its kin: a magic number that says type and dimensions, the sizes as big-endian
//! words, then bytes. Plain or gzipped, under either of their two spellings.

use std::io::{self, Read};
use std::path::Path;

use super::folder::{self, Folder};
use super::{Dataset, Images};
use crate::error::Result;
use crate::shape::Shape;

/// Where Debian's package `dataset-fashion-mnist` puts its files.
const DEBIAN: &str = "/usr/share/datasets/fashion-mnist";

const GET: &str = "run `apt-get install dataset-fashion-mnist`, or get the four files from \
                   https://github.com/zalandoresearch/fashion-mnist and name their folder as path: in the data field or \
                   with --data";

/// The data set in the folder at `path`, or Debian's Fashion-MNIST.
pub(super) fn read(
    name: &str,
    path: Option<&Path>,
    images: Option<usize>,
    test_images: Option<usize>,
) -> Result<Dataset> {
    let folder = Folder::open(path.unwrap_or(Path::new(DEBIAN)), "", GET)?;
    let (train, classes) = pair(&folder, "train", images, "training", None)?;
    let (test, _) = pair(&folder, "t10k", test_images, "test", Some((train.shape(), classes)))?;
    Ok(Dataset::new(name, folder::numbered(classes), train, test))
}

/// Images and labels of one half, and how many classes its labels name. The test half must show the shape and no other
/// classes than the training half did.
fn pair(
    folder: &Folder,
    half: &str,
    asked: Option<usize>,
    what: &str,
    known: Option<(Shape, usize)>,
) -> Result<(Images, usize)> {
    let spelt = |content: &str, format: &str| {
        let spellings = ["-", "."].map(|dot| format!("{half}-{content}{dot}{format}-ubyte"));
        let [hyphen, dot] = &spellings;
        folder.find(&[hyphen, &format!("{hyphen}.gz"), dot, &format!("{dot}.gz")])
    };
    let (image_file, label_file) = (spelt("images", "idx3")?, spelt("labels", "idx1")?);
    let ([images, height, width], mut pixels) = contents::<3>(folder, &image_file)?;
    let ([labels_found], mut labels) = contents::<1>(folder, &label_file)?;
    if images != labels_found {
        let problem = format!("{labels_found} labels, but {} holds {images} images", image_file.display());
        return Err(folder.fault(label_file, problem));
    }
    let shape = Shape::new(1, height, width);
    if shape.len() == 0 || images == 0 {
        return Err(folder.fault(image_file, format!("{images} images of {height}x{width} pixels hold nothing")));
    }
    let classes = match known {
        None => labels.iter().copied().max().map_or(0, |label| usize::from(label) + 1),
        Some((known, _)) if known != shape => {
            return Err(folder.fault(image_file, format!("images of {shape}, but the training images are {known}")));
        }
        Some((_, classes)) => classes,
    };
    if let Some(index) = labels.iter().position(|&label| usize::from(label) >= classes) {
        let problem = format!("label {index} is {}, expected 0 to {}", labels[index], classes - 1);
        return Err(folder.fault(label_file, problem));
    }
    let take = folder::count(asked, images, what, &image_file)?;
    pixels.truncate(take * shape.len());
    labels.truncate(take);
    Ok((Images::new(shape, pixels, labels), classes))
}

/// Sizes and bytes of one file of `DIMENSIONS` dimensions.
fn contents<const DIMENSIONS: usize>(folder: &Folder, file: &Path) -> Result<([usize; DIMENSIONS], Vec<u8>)> {
    let mut reader = folder::reader(file)?;
    let mut bytes = Vec::new();
    let header = 4 * (1 + DIMENSIONS);
    // A damaged archive shows as an error of the reader.
    let damaged = |error: std::io::Error| folder.fault(file, format!("cannot be read: {error}"));
    reader.by_ref().take(header as u64).read_to_end(&mut bytes).map_err(damaged)?;
    if bytes.len() < header {
        return Err(folder.fault(file, format!("{} bytes, expected at least the {header} of a header", bytes.len())));
    }
    let word = |place: usize| u32::from_be_bytes([0, 1, 2, 3].map(|byte| bytes[4 * place + byte]));
    let expected = 0x0800 + DIMENSIONS as u32;
    if word(0) != expected {
        let problem = format!(
            "magic number {:#010x}, expected {expected:#010x}: unsigned bytes in {DIMENSIONS} dimension{}",
            word(0),
            if DIMENSIONS == 1 { "" } else { "s" }
        );
        return Err(folder.fault(file, problem));
    }
    let sizes: [usize; DIMENSIONS] = std::array::from_fn(|dimension| word(1 + dimension) as usize);
    let body = sizes.iter().try_fold(1u64, |product, &size| product.checked_mul(size as u64));
    let Some(body) = body.filter(|&body| body < u64::MAX / 2) else {
        return Err(folder.fault(file, format!("its header claims {sizes:?} bytes, more than any file holds")));
    };
    bytes.clear();
    reader.by_ref().take(body).read_to_end(&mut bytes).map_err(damaged)?;
    let excess = io::copy(&mut reader, &mut io::sink()).map_err(damaged)?;
    if excess > 0 || bytes.len() as u64 != body {
        let (found, expected) = (bytes.len() as u64 + excess + header as u64, body + header as u64);
        return Err(folder.fault(file, format!("{found} bytes, expected {expected}: a header for {sizes:?}")));
    }
    Ok((sizes, bytes))
}
