//! STL-10 in its binary version: files of images, red plane first and each plane column after column, and files of
//! labels, which count from 1. Its largest part, 100,000 images, has no labels.

use std::fs;
use std::io::Read;
use std::path::Path;

use rayon::prelude::*;

use super::folder::{self, Folder};
use super::{Dataset, Images};
use crate::error::{Error, Result};
use crate::shape::Shape;

const SIDE: usize = 96;
const SHAPE: Shape = Shape::new(3, SIDE, SIDE);
const CLASSES: usize = 10;

const GET: &str = "get the binary version from https://cs.stanford.edu/~acoates/stl10/stl10_binary.tar.gz, unpack it, and \
                   name its folder as path: in the data field or with --data";

/// STL-10 from the folder at `path`. `images` counts those that views are made of: the unlabelled ones if they are
/// wanted, else the labelled training images.
pub(super) fn read(
    name: &str,
    path: Option<&Path>,
    images: Option<usize>,
    test_images: Option<usize>,
    unlabelled: bool,
) -> Result<Dataset> {
    let folder = folder::open(name, path, "stl10_binary", GET)?;
    let labelled = if unlabelled { None } else { images };
    let train = labelled_images(&folder, "train", 5_000, labelled, "training")?;
    let test = labelled_images(&folder, "test", 8_000, test_images, "test")?;
    let dataset = Dataset::new(name, folder.classes("class_names.txt", CLASSES)?, train, test);
    if !unlabelled {
        return Ok(dataset);
    }
    let pixels = pixels(&folder, "unlabeled_X.bin", 100_000, images, "unlabelled")?;
    Ok(dataset.with_unlabelled(Images::unlabelled(SHAPE, pixels)))
}

/// One half of the labelled images: all, or the first `asked`.
fn labelled_images(folder: &Folder, half: &str, most: usize, asked: Option<usize>, what: &str) -> Result<Images> {
    let image_file = format!("{half}_X.bin");
    let label_file = folder.find(&[&format!("{half}_y.bin")])?;
    let images = count(folder, &image_file, most)?;
    let found = fs::metadata(&label_file).map_err(Error::io(&label_file))?.len();
    if found != images as u64 {
        let problem = format!("{found} bytes, expected {images}: a label for each image of {image_file}");
        return Err(folder.fault(label_file, problem));
    }
    let pixels = pixels(folder, &image_file, most, asked, what)?;
    let mut labels = fs::read(&label_file).map_err(Error::io(&label_file))?;
    labels.truncate(pixels.len() / SHAPE.len());
    if let Some(index) = labels.iter().position(|label| !(1..=CLASSES as u8).contains(label)) {
        let problem = format!("label {index} is {}, expected 1 to {CLASSES}", labels[index]);
        return Err(folder.fault(label_file, problem));
    }
    if labels.len() * SHAPE.len() != pixels.len() {
        return Err(folder.fault(label_file, "shrank while it was read"));
    }
    labels.iter_mut().for_each(|label| *label -= 1);
    Ok(Images::new(SHAPE, pixels, labels))
}

/// How many whole images a file holds; `most` in the published one.
fn count(folder: &Folder, name: &str, most: usize) -> Result<usize> {
    let file = folder.find(&[name])?;
    let found = fs::metadata(&file).map_err(Error::io(&file))?.len();
    let (size, expected) = (SHAPE.len() as u64, (SHAPE.len() * most) as u64);
    if found == 0 || found % size != 0 || found > expected {
        let problem = format!("{found} bytes, expected {expected}: {most} images of {size} bytes");
        return Err(folder.fault(file, problem));
    }
    Ok((found / size) as usize)
}

/// The first `asked` images of a file, or all, row after row; the rest of the file is not read.
fn pixels(folder: &Folder, name: &str, most: usize, asked: Option<usize>, what: &str) -> Result<Vec<u8>> {
    let file = folder.find(&[name])?;
    let take = folder::count(asked, count(folder, name, most)?, what, &file)? * SHAPE.len();
    let mut pixels = Vec::with_capacity(take);
    fs::File::open(&file).and_then(|f| f.take(take as u64).read_to_end(&mut pixels)).map_err(Error::io(&file))?;
    if pixels.len() != take {
        let problem = format!("{} bytes could be read, expected {take}: it shrank meanwhile", pixels.len());
        return Err(folder.fault(file, problem));
    }
    pixels.par_chunks_exact_mut(SIDE * SIDE).for_each(transpose);
    Ok(pixels)
}

/// Turns columns into rows, in place.
fn transpose(plane: &mut [u8]) {
    for row in 1..SIDE {
        for column in 0..row {
            plane.swap(row * SIDE + column, column * SIDE + row);
        }
    }
}
