//! Distances of embeddings: histograms against hand-counted pairs, and what the program leaves in a run directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use synlocal::distances::{Distances, HeadDistances, ViewPairs, measure};
use synlocal::kernels::Isa;
use synlocal::simulation::Experiment;

fn experiment(assignments: &[&str]) -> Experiment {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks/quickstart.ron");
    let small = ["data=Objects(images: 100, test_images: 10)", "training.pairs=30"];
    let set: Vec<String> = small.iter().chain(assignments).map(ToString::to_string).collect();
    Experiment::load(&file, &set).unwrap()
}

/// Distances of an untrained encoder, in both roles.
fn untrained(experiment: &Experiment, images: usize) -> HeadDistances {
    let dataset = experiment.load_data(&[]).unwrap().learned;
    let views = ViewPairs::draw(experiment, &dataset, images).unwrap();
    let mut simulation = experiment.simulation(Isa::best());
    let mut heads = measure(experiment, &mut simulation.clone(), &mut simulation, &views).unwrap();
    assert_eq!(heads.len(), 1);
    heads.remove(0)
}

#[test]
fn pairs_are_counted_where_they_lie() {
    // Positive pairs are 1 and 3 apart, negative ones 1 (second stored, first current) and 5.
    let found = Distances::of(&[0.0, 0.0, 1.0, 1.0], &[0.0, 1.0, 4.0, 1.0], 2, Some((1.0, 3.0)));
    assert_eq!((found.positive.pairs, found.negative.pairs), (2, 2));
    assert_eq!((found.positive.mean, found.negative.mean), (2.0, 3.0));
    assert_eq!((found.positive_within, found.negative_beyond), (Some(0.5), Some(0.5)));
    let bin = |distance: f64| found.edges.iter().rposition(|&edge| edge <= distance).unwrap();
    for (histogram, near, far) in [(&found.positive, 1.0, 3.0), (&found.negative, 1.0, 5.0)] {
        let filled: Vec<usize> = (0..histogram.counts.len()).filter(|&bin| histogram.counts[bin] > 0).collect();
        assert_eq!(filled, [bin(near), bin(far)]);
        assert_eq!(histogram.counts.len() + 1, found.edges.len());
    }
    assert_eq!((found.edges[0], found.edges.last().unwrap() > &5.0), (0.0, true));
    let unmargined = Distances::of(&[0.0, 1.0], &[0.0, 1.0], 1, None);
    assert_eq!((unmargined.positive_within, unmargined.negative_beyond), (None, None));
}

#[test]
fn every_pair_is_in_a_histogram_and_views_alike_are_at_no_distance() {
    let found = untrained(&experiment(&[]), 70);
    for (histogram, pairs) in [(&found.before.positive, 70), (&found.before.negative, 70 * 69)] {
        assert_eq!((histogram.pairs, histogram.counts.iter().sum::<u64>()), (pairs, pairs));
    }
    assert_eq!((found.head.as_str(), found.units, found.margins), ("head", 64, Some((1.0, 3.0))));
    assert_eq!(found.before, found.after, "nothing was learned");

    let still = "views=Deform(affine: 0.0, saturation: 1.0, hue: 0.0, flip: 0.0)";
    let alike = untrained(&experiment(&[still]), 40).before;
    assert_eq!((alike.positive.mean, alike.positive.counts[0], alike.positive_within), (0.0, 40, Some(1.0)));
    assert!(alike.negative.mean > 0.0);
}

#[test]
fn figures_do_not_depend_on_threads_and_collapse_is_seen() {
    let experiment = experiment(&[]);
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| untrained(&experiment, 50))
    };
    assert_eq!(on(1), on(4));
    let collapsed = Distances::of(&[2.0; 12], &[2.0; 12], 3, Some((1.0, 3.0)));
    assert_eq!(
        (collapsed.negative.mean, collapsed.positive_within, collapsed.negative_beyond),
        (0.0, Some(1.0), Some(0.0))
    );
    assert!(collapsed.edges.last().unwrap() >= &3.0, "the margins are on the axis");
}

struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn ends(&self, code: i32, args: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_synlocal"));
        let output = command.args(args).current_dir(self.folder.path()).output().unwrap();
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert_eq!(output.status.code(), Some(code), "{args:?}: {err}");
        if code == 0 { out } else { err }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

#[test]
fn the_program_leaves_numbers_and_a_picture_that_a_new_run_replaces() {
    let bench = Bench { folder: tempfile::tempdir().unwrap() };
    fs::write(bench.path("run.ron"), experiment(&["training.epochs=4", "readout.epochs=1"]).text()).unwrap();
    bench.ends(0, &["train", "run.ron", "--out", "run"]);
    let table = bench.ends(0, &["distances", "run"]);
    assert!(table.contains("100 positive") && table.contains("9900 negative"), "{table}");
    let text = fs::read_to_string(bench.path("run/distances.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&report["images"], &report["epoch"], &report["name"]), (&100.into(), &4.into(), &"run".into()));
    let head = &report["heads"][0];
    assert_ne!(head["before"], head["after"]);
    for phase in ["before", "after"] {
        let counts = head[phase]["negative"]["counts"].as_array().unwrap();
        assert_eq!(counts.iter().map(|count| count.as_u64().unwrap()).sum::<u64>(), 9900);
        assert_eq!(counts.len() + 1, head[phase]["edges"].as_array().unwrap().len());
    }
    let picture = fs::read_to_string(bench.path("run/distances.svg")).unwrap();
    assert_eq!(picture.matches("stroke-dasharray").count(), 4, "two margins in two panels");
    assert!(picture.contains("head, untrained") && picture.ends_with("</svg>\n"), "{picture}");
    bench.ends(0, &["distances", "run", "--images", "20", "--threads", "1"]);
    let refused = bench.ends(2, &["distances", "run", "--images", "101"]);
    assert!(refused.contains("100 images") && refused.contains("use 2 to 100"), "{refused}");
    bench.ends(0, &["train", "run.ron", "--out", "run", "--force"]);
    assert!(!bench.path("run/distances.json").exists());
}
