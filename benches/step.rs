//! One learning step of each rule on CONV6, 50 pairs of random views: `step/Bp`, `step/Rf`, and so on, in pairs a
//! second.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use synlocal::kernels::Isa;
use synlocal::learning::Rule;
use synlocal::rng::Stream;
use synlocal::simulation::{Batch, Experiment};

const PAIRS: usize = 50;

fn steps(criterion: &mut Criterion) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks/conv6-e2e-bp.ron");
    let mut group = criterion.benchmark_group("step");
    group.throughput(Throughput::Elements(PAIRS as u64)).sample_size(10);
    // `Wired` leaves the wiring to the circuit, and this circuit lists none.
    for rule in Rule::ALL.iter().filter(|rule| rule.credit().wiring().is_some()) {
        let set = [format!("learning.rule={}", rule.name())];
        let experiment = Experiment::load(&file, &set).expect("the experiment is legal");
        let mut simulation = experiment.simulation_for(Isa::best(), PAIRS);
        let mut rng = Stream::new(1).rng();
        let mut view = || (0..PAIRS * experiment.input_shape().len()).map(|_| rng.uniform()).collect::<Vec<f32>>();
        let (stored, current) = (view(), view());
        let first = simulation.step(Batch::views(&stored, &current));
        assert!(first.loss.is_finite() && first.active > 0, "a step on random views has a loss and active pairs");
        group.bench_function(rule.name(), |bencher| {
            bencher.iter(|| black_box(simulation.step(Batch::views(&stored, &current))));
        });
    }
    group.finish();
}

criterion_group!(benches, steps);
criterion_main!(benches);
