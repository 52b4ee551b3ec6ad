//! STL-10: how its files are read, what is said when they cannot be, and which of its images serve which purpose.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use synlocal::data::{Dataset, Source};
use synlocal::evaluate::{Features, read_out, read_out_unit};
use synlocal::kernels::Isa;
use synlocal::report::DataSummary;
use synlocal::shape::Shape;
use synlocal::simulation::{Experiment, Position, Trainer};
use tempfile::TempDir;

const IMAGE: usize = 3 * 96 * 96;

/// Images of which each repeats its number.
fn images(first: u8, count: u8) -> Vec<u8> {
    (first..first + count).flat_map(|value| [value; IMAGE]).collect()
}

/// Six training images with labels 1, 3, 5, 7, 9, 10, four test images of class 2, nine images without labels.
fn stl10() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write("train_X.bin", &images(10, 6));
    write("train_y.bin", &[1, 3, 5, 7, 9, 10]);
    write("test_X.bin", &images(20, 4));
    write("test_y.bin", &[2; 4]);
    write("unlabeled_X.bin", &images(30, 9));
    folder
}

fn load(folder: &Path, images: Option<usize>, unlabelled: bool) -> Result<Dataset, String> {
    let source = Source::Stl10 { path: Some(folder.to_path_buf()), images, test_images: None, unlabelled };
    source.load(Path::new("/"), None).map_err(|error| error.to_string())
}

/// Every one of `words` stands in the message.
fn says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "`{word}` is missing in: {message}");
    }
}

#[test]
fn columns_of_the_file_become_rows_of_the_image() {
    let folder = stl10();
    let mut bytes = images(0, 6);
    // The second image: its red pixel in row 1, column 2, and its blue one in row 95, column 0.
    (bytes[IMAGE + 2 * 96 + 1], bytes[IMAGE + 2 * 9216 + 95]) = (200, 100);
    fs::write(folder.path().join("train_X.bin"), bytes).unwrap();
    let dataset = load(folder.path(), None, false).unwrap();
    assert_eq!(dataset.shape, Shape::new(3, 96, 96));
    let image = dataset.train.image(1);
    assert_eq!((image[96 + 2], image[2 * 9216 + 95 * 96]), (200, 100));
    assert_eq!(image.iter().filter(|&&byte| byte != 1).count(), 2);
}

#[test]
fn labels_count_from_0_and_classes_have_names_if_the_folder_knows_them() {
    let folder = stl10();
    let dataset = load(folder.path(), None, false).unwrap();
    let labels: Vec<usize> = (0..6).map(|index| dataset.train.label(index)).collect();
    assert_eq!(labels, [0, 2, 4, 6, 8, 9]);
    assert_eq!((dataset.test.len(), dataset.test.label(3), dataset.classes[9].as_str()), (4, 1, "9"));
    fs::write(folder.path().join("class_names.txt"), "airplane\nb\nc\nd\ne\nf\ng\nh\ni\ntruck\n").unwrap();
    assert_eq!(load(folder.path(), None, false).unwrap().classes[9], "truck");
}

#[test]
fn views_are_made_of_unlabelled_images_if_they_are_wanted() {
    let folder = stl10();
    let labelled = load(folder.path(), Some(2), false).unwrap();
    assert_eq!((labelled.viewed().len(), labelled.train.len()), (2, 2));
    assert!(labelled.viewed().is_labelled() && labelled.unlabelled.is_none());
    let both = load(folder.path(), Some(7), true).unwrap();
    assert_eq!((both.viewed().len(), both.train.len(), both.test.len()), (7, 6, 4));
    assert!(!both.viewed().is_labelled() && both.train.is_labelled());
    assert_eq!(both.viewed().image(6)[0], 36);
    assert_ne!(both.digest(), load(folder.path(), Some(6), true).unwrap().digest());
    says(&load(folder.path(), Some(7), false).unwrap_err(), &["7 training images", "6"]);
    says(&load(folder.path(), Some(10), true).unwrap_err(), &["unlabeled_X.bin", "10 unlabelled images", "9"]);
}

#[test]
#[should_panic]
fn an_image_without_a_label_is_not_given_one() {
    load(stl10().path(), None, true).unwrap().viewed().label(0);
}

#[test]
fn what_is_not_asked_for_need_not_be_there() {
    let folder = stl10();
    fs::remove_file(folder.path().join("unlabeled_X.bin")).unwrap();
    says(&load(folder.path(), None, true).unwrap_err(), &["unlabeled_X.bin", "no such file", "https://"]);
    let wanted =
        Source::Stl10 { path: Some(folder.path().into()), images: Some(8), test_images: Some(3), unlabelled: true };
    let found = wanted.labelled().load(Path::new("/"), None).unwrap();
    assert_eq!((found.train.len(), found.test.len()), (6, 3));
    fs::remove_file(folder.path().join("test_y.bin")).unwrap();
    says(&load(folder.path(), None, false).unwrap_err(), &["test_y.bin", "no such file", "https://"]);
}

#[test]
fn the_folder_is_found_by_its_files_and_by_its_usual_name() {
    let folder = stl10();
    let found = Source::in_folder(folder.path()).unwrap();
    assert_eq!((found.name(), found.labelled()), ("STL-10", found.clone()));
    let outer = tempfile::tempdir().unwrap();
    fs::rename(folder.keep(), outer.path().join("stl10_binary")).unwrap();
    assert_eq!(Source::in_folder(outer.path()).unwrap().load(outer.path(), None).unwrap().train.len(), 6);
    let nowhere: Source = ron::from_str("Stl10()").unwrap();
    says(&nowhere.load(Path::new("/"), None).unwrap_err().to_string(), &["STL-10", "path:", "--data", "https://"]);
}

#[test]
fn each_fault_of_a_file_is_named_with_both_numbers() {
    let broken = |name: &str, bytes: &[u8], words: &[&str]| {
        let folder = stl10();
        fs::write(folder.path().join(name), bytes).unwrap();
        let message = load(folder.path(), None, true).unwrap_err();
        says(&message, &[&[name, "https://cs.stanford.edu/~acoates/stl10"], words].concat());
    };
    broken("train_X.bin", &images(0, 6)[1..], &["165887 bytes", "138240000", "5000 images of 27648"]);
    broken("train_X.bin", &images(0, 5), &["train_y.bin", "6 bytes", "expected 5"]);
    broken("test_X.bin", &[], &["0 bytes", "221184000"]);
    broken("unlabeled_X.bin", &[0; 5], &["5 bytes", "2764800000", "100000 images"]);
    broken("train_y.bin", &[1; 7], &["7 bytes", "6", "train_X.bin"]);
    broken("train_y.bin", &[1, 2, 0, 1, 1, 1], &["label 2 is 0", "1 to 10"]);
    broken("test_y.bin", &[10, 11, 1, 1], &["label 1 is 11", "1 to 10"]);
    let folder = stl10();
    let file = fs::File::create(folder.path().join("test_X.bin")).unwrap();
    file.set_len(IMAGE as u64 * 8001).unwrap();
    says(&load(folder.path(), None, false).unwrap_err(), &["test_X.bin", "221211648 bytes", "221184000"]);
}

/// An encoder of 8x8 pixels on images of 96x96.
const SMALL: &str = r#"Experiment(
    network: Network(
        units: {
            "retina": Input(channels: 3, height: 8, width: 8),
            "v1": Unit(transfer: HardTanh),
            "head": Unit(),
        },
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 2, kernel: 3, pad: 1)),
            (from: "v1", to: "head", map: Dense(units: 4)),
        ],
    ),
    learning: (rule: Urf),
    data: Stl10(path: "stl10", unlabelled: true),
    views: SimClr(size: 8),
    training: (pairs: 4, epochs: 3),
    readout: (epochs: 1),
)
"#;

#[test]
fn an_encoder_learns_from_unlabelled_views_and_is_read_out_on_whole_labelled_images_of_their_size() {
    let folder = tempfile::tempdir().unwrap();
    fs::rename(stl10().keep(), folder.path().join("stl10")).unwrap();
    let file = folder.path().join("small.ron");
    fs::write(&file, SMALL).unwrap();
    let experiment = Experiment::load(&file, &[]).unwrap();
    let dataset = experiment.load_data(&[]).unwrap().learned;
    assert_eq!(dataset.shape, Shape::new(3, 8, 8));
    let simulation = experiment.simulation(Isa::from_environment().unwrap());
    let training = experiment.training().clone();
    let mut trainer = Trainer::new(simulation, &dataset, *experiment.views(), training, Position::default()).unwrap();
    trainer.run(&AtomicBool::new(false), &mut |_| {}, &mut |_, _| Ok(())).unwrap();
    // Nine images without labels make two batches of four an epoch; six with labels would make one.
    assert_eq!(trainer.simulation().state().updates(), 6);
    let mut simulation = trainer.into_simulation();
    let unit = experiment.readout_unit();
    let accuracy = read_out_unit(&mut simulation, unit, &dataset, experiment.readout(), 1, &mut |_| Ok(())).unwrap();
    assert_eq!(accuracy.features, 2 * 8 * 8);
    let [train, test] = [&dataset.train, &dataset.test].map(|images| Features::pixels(images, dataset.shape));
    let isa = simulation.state().isa();
    let pixels = read_out(isa, &train, &test, 10, experiment.readout(), 1, &mut |_| Ok(())).unwrap();
    assert_eq!(pixels.features, 3 * 8 * 8);
    let mut shown = [f32::NAN; 192];
    dataset.train.shown(4, dataset.shape, &mut Default::default(), &mut shown);
    assert!(shown.iter().all(|value| (value - 14.0 / 255.0).abs() < 1e-6), "{shown:?}");
    let summary = DataSummary::from(&dataset);
    assert_eq!(summary.to_string(), "9 unlabelled, 6 training and 4 test images of STL-10");

    let wrong = Experiment::load(&file, &["views.size=9".to_string()]).unwrap().load_data(&[]).unwrap_err();
    says(&wrong.to_string(), &["STL-10", "3x9x9", "\"retina\"", "3x8x8", "size of the views"]);
    let wrong = Experiment::load(&file, &["training.pairs=10".to_string()]).unwrap().load_data(&[]).unwrap_err();
    says(&wrong.to_string(), &["10 pairs", "9 unlabelled images"]);
}
