//! Which ways to the same result an experiment asks for, and what is taken in one go.

mod bench;

use std::path::Path;

use bench::Bench;
use synlocal::kernels::arithmetic::{Arithmetic, Convolution, Errors};
use synlocal::kernels::{Isa, Sum};
use synlocal::locality::View;
use synlocal::rng::Stream;
use synlocal::schedule::Step;
use synlocal::simulation::{Batch, Experiment};

/// Two units with one afferent and one with two.
const CIRCUIT: &str = r#"Experiment(
    network: Network(
        units: {
            "retina": Input(channels: 3, height: 32, width: 32), "v1": Unit(pool: Max(4)), "v2": Unit(), "head": Unit(),
        },
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
            (from: "v1", to: "v2", map: Conv(channels: 8, kernel: 3, pad: 1)),
            (from: "v1", to: "head", map: Dense(units: 8)),
            (from: "v2", to: "head", map: Dense(units: 8)),
        ],
    ),
    learning: (rule: Urf, loss: ContrastiveHinge(margins: (0.1, 1.0)), optimizer: Adam(rate: 1e-3)),
    data: Objects(images: 16, test_images: 16),
    training: (pairs: 8, epochs: 1),
    readout: (epochs: 1, batch: 16),
)"#;

fn bench() -> Bench {
    let bench = Bench::empty();
    bench.write("circuit.ron", CIRCUIT);
    bench
}

fn arithmetic(file: &Path, set: &[&str]) -> Arithmetic {
    let set: Vec<String> = set.iter().map(|set| set.to_string()).collect();
    Experiment::load(file, &set).unwrap_or_else(|error| panic!("{error}")).learning().arithmetic
}

#[test]
fn a_file_says_which_ways_kernels_take() {
    let bench = bench();
    let file = bench.path("circuit.ron");
    let fast = Arithmetic { convolution: Convolution::Winograd, errors: Errors::Events };
    assert_eq!(arithmetic(&file, &[]), fast);
    assert_eq!(
        arithmetic(&file, &["learning.arithmetic=(errors: Dense)"]),
        Arithmetic { errors: Errors::Dense, ..fast }
    );
    let plain = ["learning.arithmetic.errors=Dense", "learning.arithmetic.convolution=Direct"];
    assert_eq!(arithmetic(&file, &plain), Arithmetic::PLAIN);
    let [_, said] = bench.ends(1, &["plan", "circuit.ron", "--set", "learning.arithmetic.errors=Sparse"]);
    assert!(said.contains("Sparse") && said.contains("Dense"), "{said}");
}

#[test]
fn flags_choose_the_ways_of_a_run_and_of_its_readings() {
    let bench = bench();
    bench.ends(0, &["train", "circuit.ron", "--direct", "--out", "direct"]);
    bench.ends(0, &["train", "circuit.ron", "--direct", "--dense", "--out", "plain"]);
    let kept = |run: &str| arithmetic(&bench.path(run).join("experiment.ron"), &[]);
    assert_eq!(kept("direct"), Arithmetic { convolution: Convolution::Direct, ..Arithmetic::default() });
    assert_eq!(kept("plain"), Arithmetic::PLAIN);
    let digest = |run: &str| bench.json(&format!("{run}/summary.json"))["experiment"].clone();
    assert_ne!(digest("direct"), digest("plain"), "runs that round otherwise are told apart");
    bench.ends(0, &["evaluate", "direct", "--dense"]);
    bench.ends(0, &["distances", "direct", "--dense"]);
    bench.ends(0, &["table", "circuit.ron", "--dense", "--seeds", "1", "--out", "table"]);
    assert_eq!(kept("table/circuit/seed-1").errors, Errors::Dense);
    // A run goes on as it began.
    let [_, said] = bench.ends(2, &["train", "--resume", "direct", "--dense"]);
    assert!(said.contains("--dense"), "{said}");
}

#[test]
fn what_one_projection_brings_is_used_in_the_same_beat() {
    let bench = bench();
    let experiment = Experiment::load(&bench.path("circuit.ron"), &[]).unwrap_or_else(|error| panic!("{error}"));
    let network = experiment.network();
    let plan = &experiment.stages()[0].plan;
    assert_eq!(plan.beats().collect::<Vec<_>>().concat(), plan.steps(), "every step is in one beat, in its turn");
    let double: Vec<&[Step]> = plan.beats().filter(|beat| beat.len() > 1).collect();
    let of = |name: &str, view| {
        let unit = network.find(name).unwrap();
        let afferent = network.afferents(unit).next().unwrap();
        [Step::Drive(afferent, view, Sum::Replace), Step::Fire(unit, view)]
    };
    let mut expected: Vec<[Step; 2]> =
        View::BOTH.into_iter().flat_map(|view| [of("v1", view), of("v2", view)]).collect();
    // The error of v1 comes from two units, that of v2 from one.
    let v2 = network.find("v2").unwrap();
    let feedback = network.feedback_ids().find(|&id| network.answer(id).to == v2).unwrap();
    expected.push([Step::Carry(feedback, View::Current, Sum::Replace), Step::Gate(v2, View::Current)]);
    assert_eq!(double, expected);

    let mut simulation = experiment.simulation(Isa::best());
    let mut rng = Stream::new(1).rng();
    let images: Vec<f32> = (0..4 * experiment.input_shape().len()).map(|_| rng.uniform()).collect();
    let mut watched = Vec::new();
    simulation.step_watched(Batch::views(&images, &images), &mut |beat, _| watched.push(beat.to_vec()));
    assert_eq!(watched, plan.beats().map(<[Step]>::to_vec).collect::<Vec<_>>());
}
