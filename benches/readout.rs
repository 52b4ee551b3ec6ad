//! The classifier of a read-out at CONV6's shapes, 8192 features and ten classes: `read-out/epoch`, in images a second, for
//! batches of 500 in an order of chance; 2000 images fill 66 MB, which no cache holds. Before it is timed, the change of a
//! few images is compared with a plain loop in double precision.

use std::time::Duration;

use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use synlocal::kernels::{Buffer, Isa, Linear};
use synlocal::optimizer::Optimizer;
use synlocal::rng::Stream;

const FEATURES: usize = 8192;
const CLASSES: usize = 10;
const IMAGES: usize = 2000;
const BATCH: usize = 500;
const CHECKED: usize = 40;

/// Rows of `FEATURES` values on [-scale, scale).
fn rows(name: &str, count: usize, scale: f32) -> Buffer {
    let mut rng = Stream::new(1).named(name).rng();
    let width = Linear::width(FEATURES);
    let mut rows = Buffer::zeros(count * width);
    rows.chunks_mut(width).for_each(|row| row[..FEATURES].fill_with(|| rng.between(-scale, scale)));
    rows
}

/// Turns outputs into the derivative of the cross-entropy with the label `image % CLASSES`.
fn err(image: usize, outputs: &mut [f32]) {
    outputs.iter_mut().for_each(|output| *output = output.exp());
    let sum: f32 = outputs.iter().sum();
    outputs.iter_mut().for_each(|share| *share /= sum);
    outputs[image % CLASSES] -= 1.0;
}

/// The same change in double precision, as `[class][feature]`.
fn change(features: &[f32], weights: &[f32], images: &[usize]) -> Vec<f64> {
    let width = Linear::width(FEATURES);
    let mut change = vec![0.0; CLASSES * FEATURES];
    for &image in images {
        let row = &features[image * width..][..FEATURES];
        let logit = |weights: &[f32]| row.iter().zip(weights).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum::<f64>();
        let shares: Vec<f64> = weights.chunks(width).map(|weights| logit(weights).exp()).collect();
        for (class, change) in change.chunks_mut(FEATURES).enumerate() {
            let error = shares[class] / shares.iter().sum::<f64>() - if image % CLASSES == class { 1.0 } else { 0.0 };
            change.iter_mut().zip(row).for_each(|(change, &x)| *change += error * f64::from(x));
        }
    }
    change
}

fn epoch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read-out");
    group.sampling_mode(SamplingMode::Flat).measurement_time(Duration::from_secs(1));
    let isa = Isa::from_environment().expect("SYNLOCAL_ISA names an instruction set of this processor");
    let map = Linear::new(FEATURES, CLASSES);
    let (features, mut weights) = (rows("features", IMAGES, 1.0), rows("weights", CLASSES, 0.01));
    let mut order: Vec<usize> = (0..IMAGES).collect();
    Stream::new(1).named("order").rng().shuffle(&mut order);
    let mut changes = Buffer::zeros(map.changes());
    map.learn(isa, &weights, &features, &order[..CHECKED], &err, &mut changes);
    let expected = change(&features, &weights, &order[..CHECKED]);
    let found = changes.chunks(Linear::width(FEATURES)).flat_map(|row| &row[..FEATURES]);
    for (&found, expected) in found.zip(&expected) {
        assert!((f64::from(found) - expected).abs() < 1e-4, "read-out/epoch: {found}, expected {expected}");
    }
    // So slow that weights stay what they are however long this is timed.
    let optimizer = Optimizer::adam(1e-7);
    let mut moments = optimizer.moments(weights.len());
    let mut step = 0;
    group.throughput(Throughput::Elements(IMAGES as u64));
    group.bench_function("epoch", |bencher| {
        bencher.iter(|| {
            for images in order.chunks(BATCH) {
                step += 1;
                map.learn(isa, &weights, &features, images, &err, &mut changes);
                let update = &mut changes[..map.weights()];
                optimizer.update(isa, step, &mut moments, update);
                weights.iter_mut().zip(&*update).for_each(|(weight, update)| *weight -= update);
            }
        });
    });
}

criterion_group!(benches, epoch);
criterion_main!(benches);
