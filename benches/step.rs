//! One learning step of 250 pairs of random views, in pairs a second: `step/e2e-bp-few` and so on. A name says what
//! learns (all of CONV6 end to end, one of its layers alone, or the thesis's network by target propagation), by which
//! rule, and against how many negatives: `few` stored ones, or `all`. `step/forward` shows both views and learns nothing.
//! Before a case is timed, what it finds is compared with the same by plain sums over everything.

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use synlocal::kernels::Isa;
use synlocal::rng::Stream;
use synlocal::simulation::{Batch, Experiment, Simulation};

const PAIRS: usize = 250;

/// Name, file, what is changed in it, and the stage that learns.
const CASES: [(&str, &str, &[&str], usize); 9] = [
    ("e2e-bp-few", "conv6-e2e-bp", &[], 0),
    ("e2e-bp-all", "conv6-e2e-bp", &["learning.loss.negatives=All"], 0),
    ("e2e-rf-few", "conv6-e2e-rf", &[], 0),
    ("e2e-urf-few", "conv6-e2e-urf", &[], 0),
    ("layer0-bp-few", "conv6-gll-bp", &[], 0),
    ("layer2-bp-few", "conv6-gll-bp", &[], 2),
    ("layer4-bp-few", "conv6-gll-bp", &[], 4),
    ("layer4-urf-few", "conv6-gll-urf", &[], 4),
    ("dtp-few", "thesis-dtp", &[], 0),
];
/// What makes an experiment one of plain sums over everything.
const PLAIN: &str = "learning.arithmetic=(convolution: Direct, errors: Dense)";
/// How far the two may be apart, in proportion.
const CLOSE: f64 = 1e-3;

fn load(file: &str, set: &[&str]) -> Experiment {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("networks/{file}.ron"));
    let set: Vec<String> = set.iter().map(|set| set.to_string()).collect();
    Experiment::load(&file, &set).expect("the experiment is legal")
}

fn simulation(experiment: &Experiment) -> Simulation {
    let isa = Isa::from_environment().expect("SYNLOCAL_ISA names an instruction set of this processor");
    experiment.simulation_for(isa, PAIRS)
}

/// Both views, one after the other.
fn views(experiment: &Experiment) -> Vec<f32> {
    let mut rng = Stream::new(1).rng();
    (0..2 * PAIRS * experiment.input_shape().len()).map(|_| rng.uniform()).collect()
}

fn steps(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(PAIRS as u64)).sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_secs(1));
    let experiment = load("conv6-e2e-bp", &[]);
    let (images, head) = (views(&experiment), experiment.network().heads()[0]);
    group.bench_function("forward", |bencher| {
        let mut simulation = simulation(&experiment);
        let mut plain = Vec::new();
        self::simulation(&load("conv6-e2e-bp", &[PLAIN])).encode(&images, head, &mut plain);
        let mut features = Vec::with_capacity(plain.len());
        simulation.encode(&images, head, &mut features);
        let most = plain.iter().fold(0.0, |most: f32, value| most.max(value.abs()));
        for (value, plain) in features.iter().zip(&plain) {
            assert!(f64::from((value - plain).abs()) < CLOSE * f64::from(most), "{value}, by plain sums {plain}");
        }
        bencher.iter(|| {
            features.clear();
            simulation.encode(&images, head, &mut features);
            black_box(features.last());
        });
    });
    for (name, file, set, stage) in CASES {
        let experiment = load(file, set);
        let images = views(&experiment);
        let (stored, current) = images.split_at(images.len() / 2);
        let batch = Batch::views(stored, current);
        group.bench_function(name, |bencher| {
            let first = |experiment: &Experiment| {
                let mut simulation = simulation(experiment);
                simulation.enter(stage);
                let found = simulation.step(batch);
                (simulation, found)
            };
            let (_, plain) = first(&load(file, &[set, &[PLAIN]].concat()));
            let (mut simulation, found) = first(&experiment);
            assert!(found.active > 0, "{name}: random views leave active pairs");
            let apart = (found.loss - plain.loss).abs() / plain.loss;
            assert!(apart < CLOSE, "{name}: loss {}, by plain sums {}", found.loss, plain.loss);
            bencher.iter(|| black_box(simulation.step(batch)));
        });
    }
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
