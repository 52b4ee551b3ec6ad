//! The read-out: how much of a unit it takes, and whether that has room.

use std::path::Path;

use synlocal::data::Images;
use synlocal::evaluate::{Accuracy, Features, read_out, read_out_unit};
use synlocal::kernels::Isa;
use synlocal::rng::Stream;
use synlocal::shape::Shape;
use synlocal::simulation::{Experiment, Folders, Readout};

fn load(network: &str, set: &[&str]) -> Experiment {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks").join(network);
    let set: Vec<String> = set.iter().map(|set| set.to_string()).collect();
    Experiment::load(&file, &set).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn large_maps_are_pooled_as_little_as_will_do() {
    let conv6 = load("conv6-gll-bp.ron", &[]);
    let features = |readout: &Readout| -> Vec<usize> {
        let tops = conv6.block_tops();
        tops.iter().map(|top| readout.pooled(conv6.network().unit(*top).shape).len()).collect()
    };
    // 32 maps of 32x32, 32 of 16x16, 64 of 16x16, 64 of 8x8, 512 of 4x4.
    assert_eq!(features(conv6.readout()), [8192, 8192, 4096, 4096, 8192]);
    let pool = |side| Readout { pool: Some(side), ..Readout::default() };
    assert_eq!(features(&pool(1)), [32768, 8192, 16384, 4096, 8192]);
    assert_eq!(features(&pool(3)), [3200, 800, 1600, 256, 512], "whole windows alone count");
    assert_eq!(features(&pool(99)), [32, 32, 64, 64, 512], "no window is larger than a map");
    assert_eq!(Readout::default().pooled(Shape::flat(70_000)), Shape::flat(70_000), "what has no maps stays");
}

#[test]
fn vgg6_is_read_out_below_the_pools_of_its_heads() {
    let files = ["untrained", "e2e-bp-clapp", "e2e-bp", "e2e-rf", "e2e-urf"].map(|name| (name, 0));
    let blocks = ["gll-bp-clapp", "gll-bp", "gll-rf", "gll-urf", "rll-bp", "rll-rf", "rll-urf"].map(|name| (name, 6));
    for (name, blocks) in files.into_iter().chain(blocks) {
        let experiment = load(&format!("table2/{name}.ron"), &[]);
        let features = |unit| experiment.readout().pooled(experiment.network().unit(unit).shape).len();
        let top = experiment.network().unit(experiment.readout_unit());
        // The paper's head and read-out see 2x2 means of 1024x4x4 values.
        assert_eq!((top.name.as_str(), features(experiment.readout_unit())), ("v6", 4096), "{name}");
        let tops = experiment.block_tops();
        assert_eq!(tops.last().copied().filter(|top| *top != experiment.readout_unit()), None, "{name}");
        // 128 maps of 64x64, 256 of 32x32 twice, 512 of 16x16, 1024 of 8x8 and of 4x4.
        let of_each: Vec<usize> = tops.into_iter().map(features).collect();
        assert_eq!(of_each, [8192, 6400, 6400, 8192, 4096, 4096][..blocks], "{name}");
    }
}

#[test]
fn a_pooled_read_out_finds_what_it_finds_in_a_unit_that_pools() {
    // The unit "mean" hands on what "v1" does, each value through a synapse of weight 1, and pools it itself.
    let network = r#"network=Network(
        units: {
            "retina": Input(channels: 3, height: 32, width: 32), "v1": Unit(pool: Max(4), transfer: HardTanh),
            "mean": Unit(pool: Mean(2)), "head": Unit(),
        },
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
            (from: "v1", to: "mean", map: Conv(channels: 4, kernel: 1), plastic: false),
            (from: "mean", to: "head", map: Dense(units: 8)),
        ],
    )"#;
    let experiment =
        load("quickstart.ron", &[network, "data=Objects(images: 200, test_images: 100)", "training.pairs=50"]);
    let dataset = experiment.load_data(&Folders::default()).unwrap().learned;
    let mut simulation = experiment.simulation(Isa::best());
    let identity: Vec<f32> = (0..16).map(|synapse| if synapse % 5 == 0 { 1.0 } else { 0.0 }).collect();
    simulation.set("v1->mean.weight", &identity).unwrap();
    let mut read = |unit: &str, pool| {
        let unit = experiment.network().find(unit).unwrap();
        let settings = Readout { pool: Some(pool), epochs: 5, ..Readout::default() };
        read_out_unit(&mut simulation, unit, &dataset, &settings, 1, &mut |_| Ok(())).unwrap()
    };
    assert_eq!(read("v1", 2), read("mean", 1));
    assert_ne!(read("v1", 2), read("v1", 1));
}

#[test]
fn features_that_have_no_room_are_refused_before_training() {
    let images = load("quickstart.ron", &["data=Objects(images: 1500, test_images: 500)"])
        .load_data(&Folders::default())
        .unwrap()
        .learned;
    let wide = ["readout.pool=1", "network.feedforward[0].map.channels=65536", "network.units[\"v1\"].pool=None"];
    let experiment = load("quickstart.ron", &wide);
    let v1 = experiment.network().find("v1").unwrap();
    let refused = experiment.check_features(&[v1], &images).unwrap_err().to_string();
    let what = format!("reading v1 out, with {} features of each of 2000 images", 65536 * 32 * 32);
    assert!(refused.contains(&what) && refused.contains("readout: (pool: 4)"), "{refused}");
}

#[test]
fn a_pool_of_nothing_and_a_classifier_that_never_learns_are_faults() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks/quickstart.ron");
    let set = ["readout.pool=0".to_string(), "readout.epochs=0".to_string()];
    let message = Experiment::load(&file, &set).unwrap_err().to_string();
    for words in ["windows of 0x0 have no mean", "use at least 1", "a classifier that never learns", "such as 50"] {
        assert!(message.contains(words), "{message}");
    }
}

/// 60 images of 1x5x5 noise, where `mark` may brighten the pixel of the image's label.
fn noise(name: &str, labels: impl Fn(usize) -> u8, mark: u8) -> Features {
    let mut rng = Stream::new(1).named(name).rng();
    let labels: Vec<u8> = (0..60).map(labels).collect();
    let mut pixels: Vec<u8> = (0..60 * 25).map(|_| (f32::from(mark) / 16.0 * rng.uniform()) as u8).collect();
    for (pixels, &label) in pixels.chunks_mut(25).zip(&labels) {
        pixels[usize::from(label)] += mark / 2;
    }
    Features::pixels(&Images::new(Shape::new(1, 5, 5), pixels, labels), Shape::new(1, 5, 5))
}

fn read(isa: Isa, train: &Features, test: &Features, classes: usize) -> Accuracy {
    let settings = Readout { epochs: 40, batch: 16, rate: 0.05, ..Readout::default() };
    read_out(isa, train, test, classes, &settings, 1, &mut |_| Ok(())).unwrap()
}

#[test]
fn a_label_that_one_feature_tells_is_found_on_every_instruction_set() {
    for classes in [2, 3, 10, 25] {
        let label = |image: usize| (image * 7 % classes) as u8;
        let (train, test) = (noise("train", label, 200), noise("test", label, 200));
        for isa in Isa::available() {
            let found = read(isa, &train, &test, classes);
            let all = Accuracy { features: 25, train_accuracy: 100.0, test_accuracy: 100.0 };
            assert_eq!(found, all, "{classes} classes on {isa}");
        }
    }
}

#[test]
fn where_features_are_silent_biases_find_the_commonest_label() {
    let label = |image: usize| if image.is_multiple_of(4) { (image / 4 % 3) as u8 } else { 3 };
    let dark = noise("dark", label, 0);
    for isa in Isa::available() {
        let found = read(isa, &dark, &dark, 4);
        assert_eq!((found.train_accuracy, found.test_accuracy), (75.0, 75.0), "{isa}");
    }
}
