//! What a step does beside its kernels, at CONV6's shapes: `compare/few` and `compare/all`, in pairs of items a second,
//! for 250 embeddings of 64 values; `apply/adam`, in weights a second, for the 524,288 of the head. Before it is timed,
//! each is compared with a plain loop in double precision.

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use synlocal::kernels::Isa;
use synlocal::loss::{ContrastiveHinge, Embeddings, Errors, Loss, Negatives, Workspace};
use synlocal::optimizer::Optimizer;
use synlocal::rng::Stream;
use synlocal::shape::Shape;

const ITEMS: usize = 250;
const UNITS: usize = 64;
const WEIGHTS: usize = 8192 * 64;

fn values(name: &str, len: usize) -> Vec<f32> {
    let mut rng = Stream::new(1).named(name).rng();
    (0..len).map(|_| 0.1 * (rng.uniform() - 0.5)).collect()
}

/// The contrastive hinge on all pairs, or on each item and those seen up to `few` before it.
fn hinge(stored: &[f32], current: &[f32], (near, far): (f64, f64), few: Option<usize>) -> f64 {
    let weight = few.map_or(1.0, |few| 1.0 / (few as f64 + 1.0));
    let mut loss = 0.0;
    for (i, a) in stored.chunks(UNITS).enumerate() {
        for (j, y) in current.chunks(UNITS).enumerate() {
            let distance: f64 = a.iter().zip(y).map(|(&a, &y)| f64::from(a - y).abs()).sum();
            loss += match few {
                _ if i == j => (distance - near).max(0.0),
                Some(few) if i > j || j - i > few => 0.0,
                _ => weight * (far - distance).max(0.0),
            };
        }
    }
    loss
}

fn compare(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compare");
    group.sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(1));
    let (stored, current) = (values("stored", ITEMS * UNITS), values("current", ITEMS * UNITS));
    for (name, negatives, few) in [("few", Negatives::Stored(4), Some(4)), ("all", Negatives::All, None)] {
        let loss = Loss::ContrastiveHinge(ContrastiveHinge { negatives, ..ContrastiveHinge::default() });
        let mut errors = [vec![0.0; ITEMS * UNITS], vec![0.0; ITEMS * UNITS]];
        let mut workspace = Workspace::default();
        let mut pass = || {
            let [of_stored, of_current] = &mut errors;
            let seen =
                Embeddings { shape: Shape::flat(UNITS), stored: &stored, current: &current, labels: [][..].into() };
            let told = Errors { stored: few.is_none().then_some(of_stored.as_mut_slice()), current: of_current };
            loss.compare(seen, told, &mut workspace)
        };
        let (found, expected) = (pass().loss, hinge(&stored, &current, (1.0, 3.0), few));
        assert!((found - expected).abs() < 1e-5 * expected, "compare/{name}: {found}, expected {expected}");
        group.throughput(Throughput::Elements(few.map_or(ITEMS * ITEMS, |few| ITEMS * (few + 1)) as u64));
        group.bench_function(name, |bencher| bencher.iter(&mut pass));
    }
}

fn apply(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("apply");
    group.sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(1));
    let isa = Isa::from_environment().expect("SYNLOCAL_ISA names an instruction set of this processor");
    let optimizer = Optimizer::adam(1e-4);
    let mut moments = optimizer.moments(WEIGHTS);
    let mut change = values("change", WEIGHTS);
    let asked = change.clone();
    optimizer.update(isa, 1, &mut moments, &mut change);
    for (&update, &asked) in change.iter().zip(&asked) {
        // Adam's first update is the rate with the change's sign, but for epsilon.
        let expected = 1e-4 * f64::from(asked) / (f64::from(asked).abs() + 1e-8);
        assert!((f64::from(update) - expected).abs() < 1e-9, "apply/adam: {update}, expected {expected}");
    }
    let mut step = 1;
    group.throughput(Throughput::Elements(WEIGHTS as u64));
    group.bench_function("adam", |bencher| {
        bencher.iter(|| {
            step += 1;
            change.copy_from_slice(&asked);
            optimizer.update(isa, step, &mut moments, &mut change);
        });
    });
}

criterion_group!(benches, compare, apply);
criterion_main!(benches);
