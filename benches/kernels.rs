//! Speed of each kernel at the shapes of CONV6, batch 250, on the widest instruction set (or that of `SYNLOCAL_ISA`);
//! `RAYON_NUM_THREADS` sets the threads. Elements are floating-point operations, two for each multiply-add of the
//! definition; for `fire` and `gate`, floats of drive, for `relay`, of what it carries. Before it is timed, each kernel is run on two samples and
//! compared with a plain loop.

#[path = "../tests/kernels/oracle.rs"]
mod oracle;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use oracle::{Conv, Exact, UNTOUCHED, check, dense_synapses, lay, values};
use std::time::Duration;
use synlocal::kernels::pointwise::relay;
use synlocal::kernels::{
    Buffer, Correlation, Firing, Gating, Input, Isa, Layout, LocalCorrelation, Outcome, PacketLayout, Packets, Pool,
    Product, Sum, Transfer, fire, gate,
};
use synlocal::shape::Shape;

const SAMPLES: usize = 250;
const CHECKED: usize = 2;

/// A convolution of CONV6, 3x3 with padding 1, and what its population does with the drive.
struct Block {
    name: &'static str,
    input: Layout,
    channels: usize,
    pool: Pool,
    transfer: Transfer,
}

fn conv6() -> [Block; 5] {
    let block = |name, input: Layout, channels, pool, transfer| Block { name, input, channels, pool, transfer };
    let maps = |channels, side| Layout::new(Shape::new(channels, side, side), 1);
    let (pooled, clamped) = ((Pool::Max(2), Transfer::Linear), (Pool::None, Transfer::HardTanh));
    [
        block("A", Layout::input(Shape::new(3, 32, 32), 1), 32, clamped.0, clamped.1),
        block("B", maps(32, 32), 32, pooled.0, pooled.1),
        block("C", maps(32, 16), 64, clamped.0, clamped.1),
        block("D", maps(64, 16), 64, pooled.0, pooled.1),
        block("E", maps(64, 8), 512, pooled.0, pooled.1),
    ]
}

/// A batch of random values.
fn batch(name: &str, layout: Layout, samples: usize) -> Buffer {
    lay(layout, &values(name, layout.shape.len() * samples), 0.0)
}

fn isa() -> Isa {
    Isa::from_environment().expect("SYNLOCAL_ISA names an instruction set of this processor")
}

/// Every synapse of a map over some samples: calls with indices (input, weight, drive).
type Synapses<'a> = &'a dyn Fn(usize, &mut dyn FnMut(usize, usize, usize));

/// A correlation of input and packets that adds to a change.
type Correlate<'a> = &'a mut dyn FnMut(&[f32], Packets, &mut [f32]);

fn time_product(
    group: &mut BenchmarkGroup<WallTime>,
    name: &str,
    product: &Product,
    (input, output): (Layout, Layout),
    weights: usize,
    synapses: Synapses,
) {
    let isa = isa();
    let weights = values("weights", weights);
    let mut packed = Buffer::zeros(product.packed_len());
    product.pack(isa, &weights, &mut packed);

    let x = values("input", input.shape.len() * CHECKED);
    let mut expected = vec![Exact::default(); output.shape.len() * CHECKED];
    synapses(CHECKED, &mut |pre, weight, post| expected[post].add(f64::from(x[pre]) * f64::from(weights[weight])));
    let mut got = lay(output, &vec![0.0; expected.len()], UNTOUCHED);
    product.run(isa, &packed, Input::Values(&lay(input, &x, 0.0)), None, Outcome::Sums(Sum::Replace, &mut got));
    check(name, output, &got, &expected, UNTOUCHED);

    let x = batch("input", input, SAMPLES);
    let mut output = Buffer::zeros(output.sample() * SAMPLES);
    group.throughput(Throughput::Elements(2 * product.multiply_adds() * SAMPLES as u64));
    group.bench_function(name, |bencher| {
        bencher.iter(|| {
            product.run(isa, &packed, Input::Values(&x), None, Outcome::Sums(Sum::Replace, &mut output));
        });
    });
}

fn time_correlation(
    group: &mut BenchmarkGroup<WallTime>,
    name: &str,
    multiply_adds: u64,
    correlate: Correlate,
    (input, error): (Layout, Layout),
    weights: usize,
    synapses: Synapses,
) {
    let mut change = vec![0.0; weights];

    let (x, e) = (values("input", input.shape.len() * CHECKED), values("error", error.shape.len() * CHECKED));
    let mut expected = vec![Exact::default(); weights];
    synapses(CHECKED, &mut |pre, weight, post| expected[weight].add(f64::from(x[pre]) * f64::from(e[post])));
    correlate(&lay(input, &x, 0.0), Packets::of_values(error, &lay(error, &e, 0.0)), &mut change);
    for (got, expected) in change.iter().zip(&expected) {
        assert!(expected.holds(*got), "{name}: {got}, expected {expected:?}");
    }

    let (x, e) = (batch("input", input, SAMPLES), batch("error", error, SAMPLES));
    let packets = Packets::of_values(error, &e);
    group.throughput(Throughput::Elements(2 * multiply_adds * SAMPLES as u64));
    group.bench_function(name, |bencher| bencher.iter(|| correlate(&x, packets, &mut change)));
}

/// The same for a correlation whose weights are shared over positions, or whose error is flat.
fn time_shared(
    group: &mut BenchmarkGroup<WallTime>,
    name: &str,
    correlation: &Correlation,
    layouts: (Layout, Layout),
    weights: usize,
    synapses: Synapses,
) {
    let mut scratch = Buffer::zeros(correlation.scratch_len(SAMPLES));
    let correlate = &mut |input: &[f32], packets: Packets, change: &mut [f32]| {
        correlation.run(isa(), input, packets, &mut scratch, change);
    };
    time_correlation(group, name, correlation.multiply_adds(), correlate, layouts, weights, synapses);
}

/// The locally connected map that would stand in CONV6 between 32 maps of 16x16.
fn local() -> (Conv, Layout, Layout) {
    let input = Shape::new(32, 16, 16);
    let conv = Conv { input, channels: 32, kernel: 3, stride: 1, pad: 1, samples: CHECKED };
    (conv, Layout::new(input, 1), Layout::new(conv.drive(), 0))
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(1));
    group
}

/// The head of CONV6: 8192 -> 64 without a halo, as the embedding reads the last block.
fn head() -> (Layout, Layout) {
    (Layout::new(Shape::new(512, 4, 4), 0), Layout::new(Shape::flat(64), 0))
}

fn drive(criterion: &mut Criterion) {
    let mut group = group(criterion, "drive");
    for Block { name, input, channels, .. } in conv6() {
        let conv = Conv { input: input.shape, channels, kernel: 3, stride: 1, pad: 1, samples: CHECKED };
        let drive = Layout::new(conv.drive(), 0);
        let product = Product::conv(input, drive, 3, 1, 1);
        time_product(&mut group, name, &product, (input, drive), conv.weights(), &|_, synapse| conv.synapses(synapse));
    }
    let (conv, input, drive) = local();
    let product = Product::local(input, drive, 3, 1, 1);
    time_product(&mut group, "local", &product, (input, drive), conv.local_weights(), &|_, synapse| {
        conv.local_synapses(synapse);
    });
    let (input, flat) = head();
    let weights = input.shape.len() * 64;
    time_product(&mut group, "head", &Product::dense(input, flat), (input, flat), weights, &|samples, synapse| {
        dense_synapses(input.shape.len(), 64, samples, synapse);
    });
}

fn carry(criterion: &mut Criterion) {
    let mut group = group(criterion, "carry");
    for Block { name, input, channels, .. } in conv6() {
        let conv = Conv { input: input.shape, channels, kernel: 3, stride: 1, pad: 1, samples: CHECKED };
        let (error, output) = (Layout::new(conv.drive(), 1), Layout::new(input.shape, 0));
        let product = Product::conv_carry(PacketLayout::whole(error), output, 3, 1, 1);
        time_product(&mut group, name, &product, (error, output), conv.weights(), &|_, synapse| {
            conv.synapses(|pre, weight, post| synapse(post, weight, pre));
        });
    }
    let (conv, output, error) = local();
    let product = Product::local_carry(error, output, 3, 1, 1);
    time_product(&mut group, "local", &product, (error, output), conv.local_weights(), &|_, synapse| {
        conv.local_synapses(|pre, weight, post| synapse(post, weight, pre));
    });
    let (output, flat) = head();
    let weights = output.shape.len() * 64;
    time_product(
        &mut group,
        "head",
        &Product::dense_carry(flat, output),
        (flat, output),
        weights,
        &|samples, synapse| {
            dense_synapses(output.shape.len(), 64, samples, |pre, weight, post| synapse(post, weight, pre));
        },
    );
}

fn learn(criterion: &mut Criterion) {
    let mut group = group(criterion, "learn");
    for Block { name, input, channels, .. } in conv6() {
        let conv = Conv { input: input.shape, channels, kernel: 3, stride: 1, pad: 1, samples: CHECKED };
        let error = Layout::new(conv.drive(), 1);
        let correlation = Correlation::conv(input, PacketLayout::whole(error), 3, 1, 1);
        time_shared(&mut group, name, &correlation, (input, error), conv.weights(), &|_, synapse| {
            conv.synapses(synapse);
        });
    }
    let (conv, input, error) = local();
    let correlation = LocalCorrelation::new(input, error, 3, 1, 1);
    let mut scratch = Buffer::zeros(correlation.scratch_len());
    let correlate = &mut |input: &[f32], packets: Packets, change: &mut [f32]| {
        correlation.run(isa(), input, packets, &mut scratch, change);
    };
    let (work, weights) = (correlation.multiply_adds(), conv.local_weights());
    time_correlation(&mut group, "local", work, correlate, (input, error), weights, &|_, synapse| {
        conv.local_synapses(synapse);
    });
    let (input, flat) = head();
    let weights = input.shape.len() * 64;
    time_shared(&mut group, "head", &Correlation::dense(input, flat), (input, flat), weights, &|samples, synapse| {
        dense_synapses(input.shape.len(), 64, samples, synapse);
    });
}

/// Drive, activity and winners of a block, and what [`fire`] makes of a random drive.
struct Fired {
    drive_layout: Layout,
    layout: Layout,
    drive: Buffer,
    activity: Buffer,
    winners: Vec<u8>,
}

impl Fired {
    fn new(block: &Block) -> Fired {
        let Shape { height, width, .. } = block.input.shape;
        let size = block.pool.size();
        let drive_layout = Layout::new(Shape::new(block.channels, height, width), 0);
        let layout = Layout::new(Shape::new(block.channels, height / size, width / size), 1);
        let winners = if let Pool::Max(_) = block.pool { layout.shape.len() * SAMPLES } else { 0 };
        let mut fired = Fired {
            drive_layout,
            layout,
            drive: batch("drive", drive_layout, SAMPLES),
            activity: Buffer::zeros(layout.sample() * SAMPLES),
            winners: vec![0; winners],
        };
        fired.fire(block);
        let expected: Vec<Exact> = values("drive", drive_layout.shape.len() * CHECKED)
            .chunks(height * width)
            .flat_map(|map| {
                let windows = (0..height / size * (width / size)).map(move |window| {
                    let (row, column) = (window / (width / size), window % (width / size));
                    let places = (0..size * size).map(|place| (place / size, place % size));
                    let drives = places.map(|(y, x)| f64::from(map[(row * size + y) * width + column * size + x]));
                    drives.fold(f64::NEG_INFINITY, f64::max)
                });
                windows.map(|value| Exact { value, magnitude: 0.0 }).collect::<Vec<_>>()
            })
            .collect();
        check(block.name, layout, &fired.activity[..layout.sample() * CHECKED], &expected, 0.0);
        fired
    }

    fn fire(&mut self, block: &Block) {
        let Fired { drive_layout, layout, drive, activity, winners } = self;
        let (pool, transfer) = (block.pool, block.transfer);
        fire(isa(), drive, *drive_layout, Firing { pool, transfer, activity, layout: *layout, winners });
    }
}

fn fire_and_gate(criterion: &mut Criterion) {
    let mut firing = group(criterion, "fire");
    for block in conv6() {
        let mut fired = Fired::new(&block);
        firing.throughput(Throughput::Elements((fired.drive_layout.shape.len() * SAMPLES) as u64));
        firing.bench_function(block.name, |bencher| bencher.iter(|| fired.fire(&block)));
    }
    firing.finish();
    let mut gating = group(criterion, "gate");
    for block in conv6() {
        let Fired { layout, activity, winners, drive_layout, .. } = Fired::new(&block);
        let error_layout = Layout { halo: 0, ..layout };
        let packet_layout = Layout { halo: 1, ..drive_layout };
        let error = batch("error", error_layout, SAMPLES);
        let mut packet = Buffer::zeros(packet_layout.sample() * SAMPLES);
        let mut events = vec![0; SAMPLES];
        let mut pass = |events: &mut [u32]| {
            let gating = Gating {
                pool: block.pool,
                transfer: block.transfer,
                activity: &activity,
                layout,
                winners: &winners,
                scale: 1.0,
                packet_layout: PacketLayout::whole(packet_layout),
                packets: &mut packet,
                packet_winners: &mut [],
                events,
            };
            gate(isa(), &error, error_layout, gating);
        };
        pass(&mut events);
        let expected = error.iter().filter(|&&error| error != 0.0).count() as u32;
        assert_eq!(events.iter().sum::<u32>(), expected, "{}: every error inside the limits is an event", block.name);
        gating.throughput(Throughput::Elements((drive_layout.shape.len() * SAMPLES) as u64));
        gating.bench_function(block.name, |bencher| bencher.iter(|| pass(&mut events)));
    }
}

fn relays(criterion: &mut Criterion) {
    let mut group = group(criterion, "relay");
    for block in conv6().into_iter().skip(1) {
        let (from, to) = (block.input, Layout { halo: 0, ..block.input });
        let plain = values("values", from.shape.len() * SAMPLES);
        let (laid, mut out) = (lay(from, &plain, 0.0), Buffer::zeros(to.sample() * SAMPLES));
        relay(isa(), 0.5, (&laid, from), (&mut out, to), Sum::Replace);
        let half: Vec<f32> = plain.iter().map(|value| 0.5 * value).collect();
        assert!(*out == *lay(to, &half, 0.0), "{}: half of every value arrives", block.name);
        group.throughput(Throughput::Elements((from.shape.len() * SAMPLES) as u64));
        group.bench_function(block.name, |bencher| {
            bencher.iter(|| relay(isa(), 0.5, (&laid, from), (&mut out, to), Sum::Replace));
        });
    }
}

criterion_group!(benches, drive, carry, learn, fire_and_gate, relays);
criterion_main!(benches);
