//! Reading published data sets: what is read, and what is said when it cannot be.

use std::fs;
use std::io::Write;
use std::path::Path;

use synlocal::data::{Cifar100Labels, Dataset, Source};
use synlocal::shape::Shape;
use tempfile::TempDir;

/// Records of `labels` label bytes and 3072 pixels that repeat the record's number.
fn records(count: usize, labels: &dyn Fn(usize) -> Vec<u8>) -> Vec<u8> {
    (0..count).flat_map(|index| [labels(index), vec![index as u8; 3072]].concat()).collect()
}

fn cifar10() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for batch in 1..=5 {
        let bytes = records(3, &|index| vec![batch + index as u8]);
        fs::write(folder.path().join(format!("data_batch_{batch}.bin")), bytes).unwrap();
    }
    fs::write(folder.path().join("test_batch.bin"), records(2, &|_| vec![9])).unwrap();
    folder
}

fn load10(folder: &Path, images: Option<usize>) -> Result<Dataset, String> {
    let source = Source::Cifar10 { path: Some(folder.to_path_buf()), images, test_images: None };
    source.load(Path::new("/"), None).map_err(|error| error.to_string())
}

/// Every one of `words` stands in the message.
fn says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "`{word}` is missing in: {message}");
    }
}

#[test]
fn cifar10_is_read_batch_after_batch() {
    let folder = cifar10();
    let dataset = load10(folder.path(), None).unwrap();
    assert_eq!((dataset.train.len(), dataset.test.len()), (15, 2));
    assert_eq!(dataset.shape, Shape::new(3, 32, 32));
    let labels: Vec<usize> = (0..15).map(|index| dataset.train.label(index)).collect();
    assert_eq!(labels, [1, 2, 3, 2, 3, 4, 3, 4, 5, 4, 5, 6, 5, 6, 7]);
    assert!(dataset.train.image(5).iter().all(|&byte| byte == 2));
    assert_eq!(dataset.classes[9], "9");
    fs::write(folder.path().join("batches.meta.txt"), "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n").unwrap();
    assert_eq!(load10(folder.path(), None).unwrap().classes[9], "j");
    fs::write(folder.path().join("batches.meta.txt"), "a\nb\n").unwrap();
    says(&load10(folder.path(), None).unwrap_err(), &["batches.meta.txt", "2 class names", "10"]);
}

#[test]
fn pixels_become_floats_between_0_and_1_in_planar_order() {
    let folder = cifar10();
    let mut bytes = records(3, &|_| vec![0]);
    (bytes[1], bytes[2], bytes[1 + 1024], bytes[1 + 2048]) = (255, 51, 102, 204);
    fs::write(folder.path().join("data_batch_1.bin"), bytes).unwrap();
    let dataset = load10(folder.path(), None).unwrap();
    let mut floats = vec![f32::NAN; 3072];
    dataset.train.floats(0, &mut floats);
    assert_eq!([floats[0], floats[1], floats[1024], floats[2048], floats[3]], [1.0, 0.2, 0.4, 0.8, 0.0]);
}

#[test]
fn the_first_images_are_taken_and_more_than_there_are_is_an_error() {
    let folder = cifar10();
    let dataset = load10(folder.path(), Some(4)).unwrap();
    assert_eq!((dataset.train.len(), dataset.train.label(3)), (4, 2));
    says(&load10(folder.path(), Some(16)).unwrap_err(), &["16 training images", "15"]);
    says(&load10(folder.path(), Some(0)).unwrap_err(), &["data.images", "0 images", "at least 1"]);
    let source = Source::Cifar10 { path: Some(folder.path().into()), images: None, test_images: Some(3) };
    says(&source.load(Path::new("/"), None).unwrap_err().to_string(), &["3 test images", "2"]);
}

#[test]
fn relative_paths_start_at_the_base_and_a_given_folder_wins() {
    let folder = cifar10();
    let (base, name) = (folder.path().parent().unwrap(), folder.path().file_name().unwrap());
    let source = |path: &str| Source::Cifar10 { path: Some(path.into()), images: None, test_images: None };
    source(name.to_str().unwrap()).load(base, None).unwrap();
    source("nowhere").load(base, Some(folder.path())).unwrap();
    let error = source("nowhere").load(base, None).unwrap_err().to_string();
    says(&error, &[base.join("nowhere").to_str().unwrap(), "no such folder", "https://", "--data"]);
}

#[test]
fn the_folder_that_holds_the_usual_folder_will_do() {
    let outer = tempfile::tempdir().unwrap();
    fs::rename(cifar10().keep(), outer.path().join("cifar-10-batches-bin")).unwrap();
    assert_eq!(load10(outer.path(), None).unwrap().train.len(), 15);
}

#[test]
fn without_any_path_the_message_says_how_to_get_the_data() {
    let source: Source = ron::from_str("Cifar10()").unwrap();
    says(&source.load(Path::new("/"), None).unwrap_err().to_string(), &["CIFAR-10", "path:", "--data", "https://"]);
}

#[test]
fn a_missing_batch_is_named() {
    let folder = cifar10();
    fs::remove_file(folder.path().join("data_batch_4.bin")).unwrap();
    says(&load10(folder.path(), Some(1)).unwrap_err(), &["data_batch_4.bin", "no such file", "https://"]);
}

#[test]
fn a_truncated_file_is_named_with_both_sizes() {
    let folder = cifar10();
    let path = folder.path().join("data_batch_2.bin");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..9218]).unwrap();
    says(&load10(folder.path(), None).unwrap_err(), &["data_batch_2.bin", "9218 bytes", "30730000", "3073"]);
    // Cut between two records, only the other batches can tell.
    fs::write(&path, &whole[..6146]).unwrap();
    says(&load10(folder.path(), None).unwrap_err(), &["data_batch_2.bin", "6146 bytes", "9219"]);
    fs::write(&path, "").unwrap();
    says(&load10(folder.path(), None).unwrap_err(), &["data_batch_2.bin", "0 bytes", "30730000"]);
}

#[test]
fn a_file_that_is_too_long_is_named_with_both_sizes() {
    let folder = cifar10();
    let file = fs::File::create(folder.path().join("test_batch.bin")).unwrap();
    file.set_len(3073 * 10_001).unwrap();
    says(&load10(folder.path(), None).unwrap_err(), &["test_batch.bin", "30733073 bytes", "30730000"]);
}

#[test]
fn a_label_out_of_range_is_named_with_its_record() {
    let folder = cifar10();
    fs::write(folder.path().join("data_batch_5.bin"), records(3, &|index| vec![9 + index as u8])).unwrap();
    says(&load10(folder.path(), None).unwrap_err(), &["data_batch_5.bin", "record 1", "label 10", "0 to 9"]);
}

#[test]
fn cifar100_is_read_under_either_labelling() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("cifar-100-binary");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("train.bin"), records(4, &|index| vec![index as u8, 90 + index as u8])).unwrap();
    fs::write(folder.join("test.bin"), records(1, &|_| vec![19, 99])).unwrap();
    let names: String = (0..20).map(|name| format!("group {name}\n")).collect();
    fs::write(folder.join("coarse_label_names.txt"), names).unwrap();
    let load = |labels: Cifar100Labels| {
        let path = Some(outer.path().to_path_buf());
        Source::Cifar100 { path, images: None, test_images: None, labels }.load(Path::new("/"), None).unwrap()
    };
    let (fine, coarse) = (load(Cifar100Labels::Fine), load(Cifar100Labels::Coarse));
    assert_eq!((fine.train.label(2), fine.test.label(0), fine.classes.len()), (92, 99, 100));
    assert_eq!((coarse.train.label(2), coarse.test.label(0), coarse.classes[19].as_str()), (2, 19, "group 19"));
    assert!(fine.train.image(3).iter().all(|&byte| byte == 3));
}

fn idx(magic: u32, sizes: &[u32], body: &[u8]) -> Vec<u8> {
    let words = [&[magic], sizes].concat();
    [words.iter().flat_map(|word| word.to_be_bytes()).collect(), body.to_vec()].concat()
}

/// Three training and two test images of 2x3 pixels, numbered through, labels 0, 4, 1 and 4, 0.
fn idx_folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| fs::write(folder.path().join(name), bytes).unwrap();
    write("train-images-idx3-ubyte", idx(0x803, &[3, 2, 3], &(0..18).collect::<Vec<u8>>()));
    write("train-labels-idx1-ubyte", idx(0x801, &[3], &[0, 4, 1]));
    write("t10k-images-idx3-ubyte", idx(0x803, &[2, 2, 3], &[7; 12]));
    write("t10k-labels-idx1-ubyte", idx(0x801, &[2], &[4, 0]));
    folder
}

fn load_idx(folder: &Path, images: Option<usize>) -> Result<Dataset, String> {
    let source = Source::Idx { path: Some(folder.to_path_buf()), images, test_images: None };
    source.load(Path::new("/"), None).map_err(|error| error.to_string())
}

#[test]
fn idx_files_are_read_plain_gzipped_and_under_both_spellings() {
    let folder = idx_folder();
    let plain = load_idx(folder.path(), None).unwrap();
    assert_eq!(plain.shape, Shape::new(1, 2, 3));
    assert_eq!((plain.train.image(1), plain.train.label(1)), (&[6, 7, 8, 9, 10, 11][..], 4));
    assert_eq!((plain.classes.len(), plain.test.label(0)), (5, 4));
    let from = folder.path().join("train-images-idx3-ubyte");
    let file = fs::File::create(folder.path().join("train-images.idx3-ubyte.gz")).unwrap();
    let mut zip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    zip.write_all(&fs::read(&from).unwrap()).unwrap();
    zip.finish().unwrap();
    fs::remove_file(&from).unwrap();
    let labels = folder.path().join("t10k-labels-idx1-ubyte");
    fs::rename(labels, folder.path().join("t10k-labels.idx1-ubyte")).unwrap();
    let mixed = load_idx(folder.path(), None).unwrap();
    assert_eq!((&mixed.train, &mixed.test), (&plain.train, &plain.test));
    assert_eq!(load_idx(folder.path(), Some(2)).unwrap().train.len(), 2);
    says(&load_idx(folder.path(), Some(4)).unwrap_err(), &["4 training images", "3"]);
}

#[test]
fn each_fault_of_an_idx_file_is_named_with_both_numbers() {
    let broken = |name: &str, bytes: Vec<u8>, words: &[&str]| {
        let folder = idx_folder();
        fs::write(folder.path().join(name), bytes).unwrap();
        let message = load_idx(folder.path(), None).unwrap_err();
        says(&message, &[&[name, "apt-get install dataset-fashion-mnist"], words].concat());
    };
    let images = "train-images-idx3-ubyte";
    broken(images, idx(0x801, &[30], &[0; 30]), &["0x00000801", "0x00000803"]);
    broken(images, idx(0xD03, &[3, 2, 3], &[0; 72]), &["0x00000d03", "0x00000803"]);
    broken(images, idx(0x803, &[3, 2, 3], &[0; 17]), &["33 bytes", "34"]);
    broken(images, idx(0x803, &[3, 2, 3], &[0; 30]), &["46 bytes", "34"]);
    broken(images, vec![0, 0, 8], &["3 bytes", "16"]);
    broken(images, idx(0x803, &[u32::MAX; 3], &[0; 9]), &["4294967295"]);
    broken(images, idx(0x803, &[3, 0, 3], &[]), &["0x3"]);
    broken("train-labels-idx1-ubyte", idx(0x801, &[2], &[0, 1]), &["2 labels", "3 images"]);
    broken("t10k-labels-idx1-ubyte", idx(0x801, &[2], &[0, 5]), &["label 1 is 5", "0 to 4"]);
    broken("t10k-images-idx3-ubyte", idx(0x803, &[2, 3, 2], &[7; 12]), &["1x3x2", "1x2x3"]);
}

#[test]
fn a_damaged_archive_is_named() {
    let folder = idx_folder();
    fs::remove_file(folder.path().join("train-images-idx3-ubyte")).unwrap();
    fs::write(folder.path().join("train-images-idx3-ubyte.gz"), b"not a gzip file at all").unwrap();
    says(&load_idx(folder.path(), None).unwrap_err(), &["train-images-idx3-ubyte.gz", "cannot be read"]);
}

#[test]
fn debians_fashion_mnist_is_found_by_itself() {
    if !Path::new("/usr/share/datasets/fashion-mnist").is_dir() {
        println!("SKIPPED: the Debian package dataset-fashion-mnist is not installed");
        return;
    }
    let source: Source = ron::from_str("Idx()").unwrap();
    let dataset = source.load(Path::new("/"), None).unwrap();
    assert_eq!((dataset.train.len(), dataset.test.len()), (60_000, 10_000));
    assert_eq!((dataset.shape, dataset.classes.len()), (Shape::new(1, 28, 28), 10));
    // Its first training image is an ankle boot, class 9, and every class comes 6,000 times.
    assert_eq!(dataset.train.label(0), 9);
    assert_eq!((0..60_000).filter(|&index| dataset.train.label(index) == 3).count(), 6000);
}

#[test]
fn a_source_is_written_with_defaults_and_its_counts_are_checked() {
    let read = |text: &str| ron::from_str::<Source>(text).unwrap();
    assert_eq!(read("Objects()"), Source::Objects { images: 10_000, test_images: 2_000, seed: 0 });
    assert!(read("Objects()").faults().is_empty());
    let places = |text: &str| read(text).faults().into_iter().map(|fault| fault.place).collect::<Vec<_>>();
    assert_eq!(places("Objects(images: 0, test_images: 1000000000)"), ["images", "test_images"]);
    assert_eq!(places("Idx(images: Some(0))"), ["images"]);
    assert!(ron::from_str::<Source>("Objects(image: 5)").is_err());
    let plain = ron::Options::default().with_default_extension(ron::extensions::Extensions::IMPLICIT_SOME);
    let expected = Source::Idx { path: Some("digits".into()), images: Some(5), test_images: None };
    assert_eq!(plain.from_str::<Source>(r#"Idx(path: "digits", images: 5)"#).unwrap(), expected);
    let names = ["Cifar10()", "Cifar100(labels: Coarse)", "Idx()", "Objects()"].map(|text| read(text).name());
    assert_eq!(names, ["CIFAR-10", "CIFAR-100", "IDX", "Objects"]);
}

#[test]
fn a_folder_for_drawn_objects_is_refused() {
    let source: Source = ron::from_str("Objects(images: 1, test_images: 1)").unwrap();
    let error = source.load(Path::new("/"), Some(Path::new("photos"))).unwrap_err().to_string();
    says(&error, &["photos", "drawn, not read"]);
}
