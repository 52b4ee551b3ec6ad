//! Winograd's convolutions against plain loops. Their sums are reordered, so an output is judged by a share of the
//! largest one.

use proptest::prelude::*;
use synlocal::kernels::{Buffer, Input, Isa, Layout, Outcome, PacketLayout, Packets, Product, Sum, Winograd};
use synlocal::shape::Shape;

use crate::oracle::{Conv, Exact, UNTOUCHED, check, lay, values};
use crate::runs::{Biases, Map, RUNS, Run, check_map, judge};

/// A 3x3 convolution with a stride of 1.
fn conv(input: Shape, channels: usize, pad: usize, samples: usize) -> Conv {
    Conv { input, channels, kernel: 3, stride: 1, pad, samples }
}

/// The way there, and the way back.
fn ways(conv: Conv, extra_halo: usize) -> [(Winograd, Layout, Layout); 2] {
    let input = Layout::new(conv.input, conv.pad + extra_halo);
    let drive = Layout::new(conv.drive(), extra_halo);
    let (error, output) = (Layout::new(conv.drive(), extra_halo), Layout::new(conv.input, extra_halo));
    let there = Winograd::conv(input, drive, conv.pad);
    let back = Winograd::conv_carry(PacketLayout::whole(error), output, conv.pad);
    [(there, input, drive), (back, error, output)]
}

fn check_winograd(conv: Conv, extra_halo: usize, run: Run) {
    let what = format!("Winograd {conv:?}");
    let sizes = (conv.weights(), conv.samples);
    let [(there, input, drive), (back, error, output)] = ways(conv, extra_halo);
    check_map(&what, &there, (input, drive), sizes, Biases::Channels, run, |synapse| conv.synapses(synapse));
    check_map(&format!("carry of {what}"), &back, (error, output), sizes, Biases::Channels, run, |synapse| {
        conv.synapses(|pre, weight, post| synapse(post, weight, pre));
    });
    let product = Product::conv(input, drive, 3, 1, conv.pad);
    assert_eq!(there.multiply_adds(), product.multiply_adds(), "{what}: multiply-adds");
    assert_eq!(back.multiply_adds(), product.multiply_adds(), "{what}: multiply-adds of the carry");
}

#[test]
fn winograd_equals_its_definition_for_every_size_and_padding() {
    let mut index = 0;
    for height in 1..=13 {
        for width in 1..=13 {
            for pad in 0..=3 {
                if height.min(width) + 2 * pad >= 3 {
                    check_winograd(conv(Shape::new(17, height, width), 18, pad, 2), index % 3, RUNS[index / 3 % 4]);
                    index += 1;
                }
            }
        }
    }
}

#[test]
fn winograd_equals_its_definition_for_every_number_of_channels() {
    let channels = [1, 2, 16, 17, 32, 33, 48, 80, 144, 300];
    for (i, &from) in channels.iter().enumerate() {
        for (j, &to) in channels.iter().enumerate() {
            check_winograd(conv(Shape::new(from, 5, 3), to, 1, 1 + (i + 2 * j) % 3), 0, RUNS[(i + j) % 4]);
        }
    }
}

#[test]
fn winograd_equals_its_definition_for_every_batch() {
    for samples in 1..=40 {
        check_winograd(conv(Shape::new(20, 6, 5), 16, 1, samples), samples % 3, RUNS[samples % 4]);
        check_winograd(conv(Shape::new(16, 3, 4), 17, 1, samples), samples % 2, RUNS[samples / 2 % 4]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    // With sixteen channels there is always an output that is not small by chance.
    #[test]
    fn winograd_of_any_geometry_equals_its_definition(
        (channels_in, channels_out) in (16..=90usize, 16..=90usize),
        (height, width) in (1..=13usize, 1..=13usize),
        pad in 0..=3usize,
        samples in 1..=6usize,
        extra_halo in 0..=2usize,
        run in 0..RUNS.len(),
    ) {
        prop_assume!(height.min(width) + 2 * pad >= 3);
        check_winograd(conv(Shape::new(channels_in, height, width), channels_out, pad, samples), extra_halo, RUNS[run]);
    }
}

#[test]
fn winograd_errs_little_at_the_sizes_of_a_network() {
    for (from, side, to) in [(32, 32, 32), (64, 16, 64), (64, 8, 512)] {
        let conv = conv(Shape::new(from, side, side), to, 1, 2);
        let weights = values("weights", conv.weights());
        for (back, (map, input, output)) in ways(conv, 1).into_iter().enumerate() {
            let x = values("input", input.shape.len() * 2);
            let mut expected = vec![Exact::default(); output.shape.len() * 2];
            conv.synapses(|pre, weight, post| {
                let (from, to) = if back == 1 { (post, pre) } else { (pre, post) };
                expected[to].add(f64::from(x[from]) * f64::from(weights[weight]));
            });
            judge(5e-6, &mut expected);
            let x = lay(input, &x, 0.0);
            for isa in Isa::available() {
                let packed = map.packed(isa, &weights);
                let mut sums = lay(output, &vec![f32::NAN; expected.len()], UNTOUCHED);
                map.run(isa, &packed, Input::Values(&x), None, Outcome::Sums(Sum::Replace, &mut sums));
                check(&format!("{conv:?} on {isa}, back {back}"), output, &sums, &expected, UNTOUCHED);
            }
        }
    }
}

/// Sizes at which a group of tiles has some rows of a map, and some maps; and one whose channels are sliced.
fn cuts() -> [Conv; 4] {
    [
        conv(Shape::new(20, 19, 37), 40, 1, 5),
        conv(Shape::new(80, 4, 4), 16, 1, 37),
        conv(Shape::new(300, 5, 6), 48, 1, 11),
        conv(Shape::new(48, 6, 5), 300, 0, 11),
    ]
}

#[test]
fn winograd_gives_the_same_bits_on_any_number_of_threads_and_for_a_sample_alone() {
    for conv in cuts() {
        let weights = values("weights", conv.weights());
        for (map, input, output) in ways(conv, 0) {
            let x = lay(input, &values("input", input.shape.len() * conv.samples), 0.0);
            for isa in Isa::available() {
                let packed = map.packed(isa, &weights);
                let sums = |x: &[f32]| {
                    let mut sums = Buffer::zeros(x.len() / input.sample() * output.sample());
                    map.run(isa, &packed, Input::Values(x), None, Outcome::Sums(Sum::Replace, &mut sums));
                    sums
                };
                let alone: Vec<f32> = x.chunks(input.sample()).flat_map(|sample| sums(sample).to_vec()).collect();
                for threads in [1, 2, 4] {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
                    let together = pool.install(|| sums(&x));
                    assert!(*together == *alone, "{conv:?} on {isa}, {threads} threads: bits depend on the batch");
                }
            }
        }
    }
}

/// What a map makes of a batch in which one value is `odd`.
fn sums_with(isa: Isa, map: &impl Map, weights: &[f32], input: (&[f32], Layout), output: Layout, odd: f32) -> Vec<f32> {
    let (x, layout) = input;
    let mut x = x.to_vec();
    x[2 * layout.sample() + layout.offset(layout.shape.channels / 2, layout.shape.height / 2, 0)] = odd;
    let mut sums = vec![0.0; x.len() / layout.sample() * output.sample()];
    let packets = Packets::of_values(layout, &x);
    map.run(isa, &map.packed(isa, weights), Input::Packets(packets), None, Outcome::Sums(Sum::Replace, &mut sums));
    sums
}

#[test]
fn what_is_not_finite_stays_in_its_sample() {
    for conv in [conv(Shape::new(20, 9, 11), 40, 1, 5), conv(Shape::new(80, 4, 4), 16, 1, 7)] {
        let weights = values("weights", conv.weights());
        let [(there, input, drive), (back, error, output)] = ways(conv, 1);
        let product = Product::conv(input, drive, 3, 1, 1);
        let carry = Product::conv_carry(PacketLayout::whole(error), output, 3, 1, 1);
        for isa in Isa::available() {
            for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                check_stays(&there, &weights, (isa, odd), input, drive, conv.samples);
                check_stays(&product, &weights, (isa, odd), input, drive, conv.samples);
                check_stays(&back, &weights, (isa, odd), error, output, conv.samples);
                check_stays(&carry, &weights, (isa, odd), error, output, conv.samples);
            }
        }
    }
    let (input, flat) = (Layout::new(Shape::new(17, 3, 2), 0), Layout::new(Shape::flat(40), 0));
    let weights = values("weights", input.shape.len() * 40);
    for isa in Isa::available() {
        for odd in [f32::NAN, f32::INFINITY] {
            check_stays(&Product::dense(input, flat), &weights, (isa, odd), input, flat, 13);
            check_stays(&Product::dense_carry(flat, input), &weights, (isa, odd), flat, input, 13);
        }
    }
}

fn check_stays(map: &impl Map, weights: &[f32], (isa, odd): (Isa, f32), from: Layout, to: Layout, samples: usize) {
    let x = lay(from, &values("input", from.shape.len() * samples), 0.0);
    let plain = sums_with(isa, map, weights, (&x, from), to, 0.5);
    let touched = sums_with(isa, map, weights, (&x, from), to, odd);
    for (sample, (plain, touched)) in plain.chunks(to.sample()).zip(touched.chunks(to.sample())).enumerate() {
        if sample == 2 {
            assert!(touched.iter().any(|value| !value.is_finite()), "{odd} on {isa} is lost");
        } else {
            assert!(plain == touched, "{odd} on {isa} gets from sample 2 to sample {sample}");
        }
    }
}

#[test]
fn winograd_suits_where_it_pays() {
    let map = |channels, height, width| Layout::new(Shape::new(channels, height, width), 1);
    assert!(Winograd::suits(map(32, 32, 32), map(32, 32, 32), 3, 1));
    assert!(!Winograd::suits(map(32, 32, 32), map(32, 32, 32), 5, 1));
    assert!(!Winograd::suits(map(32, 32, 32), map(32, 16, 16), 3, 2));
    assert!(!Winograd::suits(Layout::input(Shape::new(3, 32, 32), 1), map(32, 32, 32), 3, 1));
    assert!(!Winograd::suits(map(32, 1, 1), map(32, 1, 1), 3, 1), "a tile of one pixel");
}
