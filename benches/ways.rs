//! Ways to the same result beside each other, at the shapes of CONV6, batch 250: `drive/X/{direct,winograd}`, and for
//! errors at one place in four `carry/X/{direct,winograd,events}` and `learn/X/{dense,winograd,events}`;
//! `carry/X/events-16` and `learn/X/events-16` meet one place in sixteen. Elements are floating-point operations of the
//! definition, two for each multiply-add, whether or not anybody computes them. Before a way is timed, it is compared
//! with the direct one (which `kernels` compares with a plain loop).

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use synlocal::kernels::{
    Buffer, Correlation, EventCarry, EventCorrelation, Input, Isa, Layout, Outcome, PacketLayout, Packets, Product,
    Sum, Winograd, WinogradCorrelation,
};
use synlocal::rng::Stream;
use synlocal::shape::Shape;

const SAMPLES: usize = 250;
/// How far a way may be from the direct one, as a share of the largest value.
const CLOSE: f32 = 1e-5;

/// A layer of CONV6 that has 16 channels or more below, 3x3 with padding 1.
struct Layer {
    name: &'static str,
    input: Layout,
    error: PacketLayout,
    weights: Vec<f32>,
}

fn layers() -> Vec<Layer> {
    let layer = |name, from: usize, side: usize, to: usize, window| {
        let drive = Layout::new(Shape::new(to, side, side), 1);
        Layer {
            name,
            input: Layout::new(Shape::new(from, side, side), 1),
            error: PacketLayout { drive, window },
            weights: values("weights", to * from * 9),
        }
    };
    vec![layer("B", 32, 32, 32, 2), layer("C", 32, 16, 64, 1), layer("D", 64, 16, 64, 2), layer("E", 64, 8, 512, 2)]
}

impl Layer {
    fn activity(&self) -> Buffer {
        lay(self.input, &values("activity", self.input.shape.len() * SAMPLES))
    }

    /// Operations of a batch.
    fn work(&self) -> Throughput {
        Throughput::Elements((2 * self.weights.len() * self.error.drive.shape.height.pow(2) * SAMPLES) as u64)
    }
}

/// Errors at one place in `one_in` of a layer's drive.
struct Errors {
    layout: PacketLayout,
    values: Buffer,
    winners: Vec<u8>,
    events: Vec<u32>,
}

impl Errors {
    fn new(layer: &Layer, one_in: usize) -> Errors {
        let (layout, lying) = (layer.error, layer.error.values());
        // A pooled packet has one value in four to begin with.
        let kept = one_in / layout.window.pow(2);
        let mut plain = values("errors", lying.shape.len() * SAMPLES);
        let chosen = values("chosen", plain.len());
        let share = 2.0 / kept as f32 - 1.0;
        plain.iter_mut().zip(&chosen).filter(|(_, chosen)| **chosen >= share).for_each(|(value, _)| *value = 0.0);
        let members = layout.window.pow(2) as f32;
        let winners = values("winners", layout.winners() * SAMPLES);
        Errors {
            layout,
            values: lay(lying, &plain),
            winners: winners.iter().map(|value| (0.5 * (value + 1.0) * members) as u8).collect(),
            events: plain.chunks(lying.shape.len()).map(|s| s.iter().filter(|v| **v != 0.0).count() as u32).collect(),
        }
    }

    fn packets(&self) -> Packets<'_> {
        Packets { layout: self.layout, values: &self.values, winners: &self.winners, events: &self.events }
    }
}

/// Uniform values on [-1, 1), the same for the same name.
fn values(name: &str, len: usize) -> Vec<f32> {
    let mut rng = Stream::new(7).named(name).rng();
    (0..len).map(|_| rng.between(-1.0, 1.0)).collect()
}

/// A batch as it lies in memory.
fn lay(layout: Layout, plain: &[f32]) -> Buffer {
    let mut batch = Buffer::zeros(plain.len() / layout.shape.len() * layout.sample());
    let samples = batch.chunks_exact_mut(layout.sample()).zip(plain.chunks_exact(layout.shape.len()));
    samples.for_each(|(sample, plain)| layout.import(plain, sample));
    batch
}

fn isa() -> Isa {
    Isa::from_environment().expect("SYNLOCAL_ISA names an instruction set of this processor")
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    group
}

/// Compares what a way gives with what the direct one gives, then times it.
fn time(group: &mut BenchmarkGroup<WallTime>, name: &str, expected: &[f32], way: &mut dyn FnMut(&mut [f32])) {
    let mut got = Buffer::zeros(expected.len());
    way(&mut got);
    let largest = expected.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() <= CLOSE * largest, "{name}: {got}, expected {expected}");
    }
    group.bench_function(name, |bencher| bencher.iter(|| way(&mut got)));
}

fn packed(len: usize, pack: impl Fn(&mut [f32])) -> Buffer {
    let mut packed = Buffer::zeros(len);
    pack(&mut packed);
    packed
}

fn drive(criterion: &mut Criterion) {
    for layer in layers() {
        let mut group = group(criterion, &format!("drive/{}", layer.name));
        let (activity, drive) = (layer.activity(), Layout { halo: 0, ..layer.error.drive });
        let (product, tiles) = (Product::conv(layer.input, drive, 3, 1, 1), Winograd::conv(layer.input, drive, 1));
        let plain = packed(product.packed_len(), |packed| product.pack(isa(), &layer.weights, packed));
        let tiled = packed(tiles.packed_len(), |packed| tiles.pack(isa(), &layer.weights, packed));
        group.throughput(layer.work());
        let direct = &mut |drive: &mut [f32]| {
            product.run(isa(), &plain, Input::Values(&activity), None, Outcome::Sums(Sum::Replace, drive));
        };
        let expected = packed(drive.sample() * SAMPLES, |drive| {
            product.run(isa(), &plain, Input::Values(&activity), None, Outcome::Sums(Sum::Replace, drive));
        });
        time(&mut group, "direct", &expected, direct);
        time(&mut group, "winograd", &expected, &mut |drive| {
            tiles.run(isa(), &tiled, Input::Values(&activity), None, Outcome::Sums(Sum::Replace, drive));
        });
    }
}

fn carry(criterion: &mut Criterion) {
    for layer in layers() {
        let mut group = group(criterion, &format!("carry/{}", layer.name));
        let below = Layout { halo: 0, ..layer.input };
        let product = Product::conv_carry(layer.error, below, 3, 1, 1);
        let tiles = Winograd::conv_carry(layer.error, below, 1);
        let by_events = EventCarry::new(layer.error, below, 1);
        let plain = packed(product.packed_len(), |packed| product.pack(isa(), &layer.weights, packed));
        let tiled = packed(tiles.packed_len(), |packed| tiles.pack(isa(), &layer.weights, packed));
        group.throughput(layer.work());
        for (one_in, suffix) in [(4, ""), (16, "-16")] {
            let errors = Errors::new(&layer, one_in);
            let packets = errors.packets();
            let direct = |error: &mut [f32]| {
                product.run(isa(), &plain, Input::Packets(packets), None, Outcome::Sums(Sum::Replace, error));
            };
            let expected = packed(below.sample() * SAMPLES, direct);
            if one_in == 4 {
                time(&mut group, "direct", &expected, &mut |error| direct(error));
                time(&mut group, "winograd", &expected, &mut |error| {
                    tiles.run(isa(), &tiled, Input::Packets(packets), None, Outcome::Sums(Sum::Replace, error));
                });
            }
            time(&mut group, &format!("events{suffix}"), &expected, &mut |error| {
                by_events.run(isa(), &plain, packets, Sum::Replace, error);
            });
        }
    }
}

fn learn(criterion: &mut Criterion) {
    for layer in layers() {
        let mut group = group(criterion, &format!("learn/{}", layer.name));
        let activity = layer.activity();
        let dense = Correlation::conv(layer.input, layer.error, 3, 1, 1);
        let by_events = EventCorrelation::new(layer.input, layer.error, 1, 1);
        let tiles = WinogradCorrelation::new(layer.input, layer.error, 1);
        let lens = [dense.scratch_len(SAMPLES), by_events.scratch_len(SAMPLES), tiles.scratch_len(SAMPLES)];
        let mut scratch = Buffer::zeros(lens.into_iter().fold(0, usize::max));
        group.throughput(layer.work());
        for (one_in, suffix) in [(4, ""), (16, "-16")] {
            let errors = Errors::new(&layer, one_in);
            let packets = errors.packets();
            let mut expected = vec![0.0; layer.weights.len()];
            dense.run(isa(), &activity, packets, &mut scratch, &mut expected);
            // Changes add up, so each way begins with none.
            if one_in == 4 {
                time(&mut group, "dense", &expected, &mut |change| {
                    change.fill(0.0);
                    dense.run(isa(), &activity, packets, &mut scratch, change);
                });
                time(&mut group, "winograd", &expected, &mut |change| {
                    change.fill(0.0);
                    tiles.run(isa(), &activity, packets, &mut scratch, change);
                });
            }
            time(&mut group, &format!("events{suffix}"), &expected, &mut |change| {
                change.fill(0.0);
                by_events.run(isa(), &activity, packets, &mut scratch, change);
            });
        }
    }
}

criterion_group!(benches, drive, carry, learn);
criterion_main!(benches);
