//! Every kernel against a plain loop over f64, on every instruction set of this processor.

#[path = "kernels/carried.rs"]
mod carried;
#[path = "kernels/events.rs"]
mod events;
#[path = "kernels/fired.rs"]
mod fired;
#[path = "kernels/linear.rs"]
mod linear;
#[path = "kernels/oracle.rs"]
mod oracle;
#[path = "kernels/packets.rs"]
mod packets;
#[path = "kernels/pointwise.rs"]
mod pointwise;
#[path = "kernels/runs.rs"]
mod runs;
#[path = "kernels/tiles.rs"]
mod tiles;
#[path = "kernels/winograd.rs"]
mod winograd;

use oracle::{Conv, Exact, UNTOUCHED, dense_synapses, lay, values};
use proptest::prelude::*;
use runs::{Biases, RUNS, Run, batch, check_correlation, check_map, check_threads, scratched};
use synlocal::error::Error;
use synlocal::kernels::{
    Buffer, Correlation, Input, Isa, Layout, LocalCorrelation, Outcome, PacketLayout, Packets, Product, Sum,
    sum_over_positions, sum_over_samples,
};
use synlocal::shape::Shape;

/// Layouts of a population of each kind that may stand below a projection.
fn below(shape: Shape, halo: usize) -> Layout {
    if shape.channels <= 8 { Layout::input(shape, halo) } else { Layout::new(shape, halo) }
}

fn check_conv(conv: Conv, extra_halo: usize, run: Run) {
    let what = format!("{conv:?}");
    let input = below(conv.input, conv.pad + extra_halo);
    let drive = Layout::new(conv.drive(), extra_halo);
    let sizes = (conv.weights(), conv.samples);
    let product = Product::conv(input, drive, conv.kernel, conv.stride, conv.pad);
    assert_eq!(
        product.multiply_adds(),
        (conv.weights() * conv.drive().height * conv.drive().width) as u64,
        "{what}: multiply-adds"
    );
    check_map(&what, &product, (input, drive), sizes, Biases::Channels, run, |synapse| conv.synapses(synapse));

    let halo = Product::carry_halo(conv.kernel, conv.stride, conv.pad) + extra_halo;
    let (error, output) = (Layout::new(conv.drive(), halo), Layout::new(conv.input, extra_halo));
    let carry = Product::conv_carry(PacketLayout::whole(error), output, conv.kernel, conv.stride, conv.pad);
    assert_eq!(carry.multiply_adds(), product.multiply_adds(), "{what}: multiply-adds of the carry");
    check_map(&format!("carry of {what}"), &carry, (error, output), sizes, Biases::Channels, run, |synapse| {
        conv.synapses(|pre, weight, post| synapse(post, weight, pre));
    });

    let error = Layout::new(conv.drive(), extra_halo);
    let correlation = Correlation::conv(input, PacketLayout::whole(error), conv.kernel, conv.stride, conv.pad);
    assert_eq!(correlation.multiply_adds(), product.multiply_adds(), "{what}: multiply-adds of the correlation");
    let what = format!("correlation of {what}");
    let correlate = scratched(&correlation, conv.samples);
    check_correlation(&what, correlate, (input, error), sizes, run.silent, |synapse| conv.synapses(synapse));
}

fn check_local(conv: Conv, extra_halo: usize, run: Run) {
    let what = format!("locally connected {conv:?}");
    let input = below(conv.input, conv.pad + extra_halo);
    let (error, output) = (Layout::new(conv.drive(), extra_halo), Layout::new(conv.input, extra_halo));
    let (weights, sizes) = (conv.local_weights(), (conv.local_weights(), conv.samples));
    let product = Product::local(input, error, conv.kernel, conv.stride, conv.pad);
    assert_eq!(product.multiply_adds(), weights as u64, "{what}: multiply-adds");
    check_map(&what, &product, (input, error), sizes, Biases::Values, run, |synapse| conv.local_synapses(synapse));

    let carry = Product::local_carry(error, output, conv.kernel, conv.stride, conv.pad);
    assert_eq!(carry.multiply_adds(), weights as u64, "{what}: multiply-adds of the carry");
    check_map(&format!("carry of {what}"), &carry, (error, output), sizes, Biases::Channels, run, |synapse| {
        conv.local_synapses(|pre, weight, post| synapse(post, weight, pre));
    });

    let correlation = LocalCorrelation::new(input, error, conv.kernel, conv.stride, conv.pad);
    assert_eq!(correlation.multiply_adds(), weights as u64, "{what}: multiply-adds of the correlation");
    let correlate = |isa, input: &[f32], packets: Packets, change: &mut [f32]| {
        let mut scratch = vec![f32::NAN; correlation.scratch_len()];
        correlation.run(isa, input, packets, &mut scratch, change);
    };
    let what = format!("correlation of {what}");
    check_correlation(&what, correlate, (input, error), sizes, run.silent, |synapse| conv.local_synapses(synapse));
}

fn check_dense(shape: Shape, halo: usize, units: usize, samples: usize, run: Run) {
    let what = format!("dense {shape} -> {units}, {samples} samples");
    let (input, flat) = (below(shape, halo), Layout::new(Shape::flat(units), 0));
    let sizes = (shape.len() * units, samples);
    let product = Product::dense(input, flat);
    assert_eq!(product.multiply_adds(), (shape.len() * units) as u64, "{what}: multiply-adds");
    check_map(&what, &product, (input, flat), sizes, Biases::Channels, run, |synapse| {
        dense_synapses(shape.len(), units, samples, synapse);
    });

    let output = Layout::new(shape, halo);
    let carry = Product::dense_carry(flat, output);
    assert_eq!(carry.multiply_adds(), product.multiply_adds(), "{what}: multiply-adds of the carry");
    check_map(&format!("carry of {what}"), &carry, (flat, output), sizes, Biases::Channels, run, |synapse| {
        dense_synapses(shape.len(), units, samples, |pre, weight, post| synapse(post, weight, pre));
    });

    let correlation = Correlation::dense(input, flat);
    let what = format!("correlation of {what}");
    check_correlation(&what, scratched(&correlation, samples), (input, flat), sizes, run.silent, |synapse| {
        dense_synapses(shape.len(), units, samples, synapse);
    });
}

#[test]
fn a_convolution_equals_its_definition_for_every_kernel_stride_and_padding() {
    let mut index = 0;
    for kernel in 1..=7 {
        for stride in 1..=3 {
            for pad in 0..=3 {
                let conv = Conv { input: Shape::new(3, 9, 8), channels: 5, kernel, stride, pad, samples: 2 };
                check_conv(conv, index % 2, RUNS[index % RUNS.len()]);
                index += 1;
            }
        }
    }
}

#[test]
fn a_convolution_equals_its_definition_for_every_number_of_channels() {
    let channels = [1, 2, 3, 5, 16, 17, 32, 33, 48];
    for (i, &from) in channels.iter().enumerate() {
        for (j, &to) in channels.iter().enumerate() {
            let input = Shape::new(from, 3, 4);
            let conv = Conv { input, channels: to, kernel: 3, stride: 1, pad: 1, samples: 2 };
            check_conv(conv, 0, RUNS[(i + j) % RUNS.len()]);
        }
    }
}

#[test]
fn a_convolution_equals_its_definition_for_every_width_and_batch() {
    for width in 1..=19 {
        for (index, samples) in [1, 2, 7, 9, 17].into_iter().enumerate() {
            let input = Shape::new(2, 2, width);
            let conv = Conv { input, channels: 17, kernel: 3, stride: 1, pad: 1, samples };
            check_conv(conv, index % 2, RUNS[(width + index) % RUNS.len()]);
        }
    }
}

#[test]
fn a_convolution_equals_its_definition_where_it_is_cut_to_fit_caches() {
    let geometry = |channels, side, to, kernel, samples| Conv {
        input: Shape::new(channels, side, side),
        channels: to,
        kernel,
        stride: 1,
        pad: 1,
        samples,
    };
    // More afferents than one pass or task takes, forwards and back; maps of several strips; maps wider than a strip.
    check_conv(geometry(160, 3, 33, 3, 3), 0, RUNS[0]);
    check_conv(geometry(33, 3, 160, 3, 3), 1, RUNS[2]);
    check_conv(geometry(17, 19, 16, 3, 17), 0, RUNS[1]);
    check_conv(Conv { input: Shape::new(2, 3, 150), ..geometry(2, 3, 3, 2, 2) }, 0, RUNS[3]);
}

#[test]
fn a_locally_connected_map_equals_its_definition() {
    let mut index = 0;
    for kernel in 1..=5 {
        for stride in 1..=3 {
            for pad in 0..kernel {
                let conv = Conv { input: Shape::new(3, 6, 5), channels: 18, kernel, stride, pad, samples: 2 };
                check_local(conv, index % 2, RUNS[index % RUNS.len()]);
                index += 1;
            }
        }
    }
    let channels = [1, 2, 5, 16, 17, 33, 48];
    for (i, &from) in channels.iter().enumerate() {
        for (j, &to) in channels.iter().enumerate() {
            let samples = [1, 2, 7, 10, 23][(i + j) % 5];
            let conv = Conv { input: Shape::new(from, 3, 2), channels: to, kernel: 3, stride: 1, pad: 1, samples };
            check_local(conv, 0, RUNS[(i + j) % RUNS.len()]);
        }
    }
    // More afferents than one pass or task takes, forwards and back; more samples than a strip.
    let narrow = Conv { input: Shape::new(160, 3, 2), channels: 3, kernel: 3, stride: 1, pad: 1, samples: 3 };
    check_local(narrow, 0, RUNS[0]);
    check_local(Conv { input: Shape::new(3, 3, 2), channels: 160, ..narrow }, 1, RUNS[2]);
    check_local(Conv { input: Shape::new(3, 3, 4), channels: 17, samples: 150, ..narrow }, 0, RUNS[1]);
}

#[test]
fn a_dense_map_equals_its_definition() {
    let shapes = [
        Shape::flat(1),
        Shape::flat(48),
        Shape::new(3, 4, 5),
        Shape::new(17, 2, 3),
        Shape::new(33, 1, 7),
        Shape::new(150, 3, 3),
    ];
    for (i, shape) in shapes.into_iter().enumerate() {
        for (j, units) in [1, 5, 16, 17, 32, 33, 64].into_iter().enumerate() {
            for (k, samples) in [1, 2, 7, 9, 17].into_iter().enumerate() {
                check_dense(shape, (i + k) % 2, units, samples, RUNS[(i + j + k) % RUNS.len()]);
            }
        }
    }
    check_dense(Shape::flat(40), 0, 1400, 3, RUNS[0]);
    // More samples than a strip, more pixels than a task takes of a block; more passes than take turns.
    check_dense(Shape::new(17, 5, 7), 1, 21, 270, RUNS[1]);
    check_dense(Shape::new(32, 4, 4), 0, 8, 131, RUNS[2]);
    check_dense(Shape::flat(300), 0, 3, 257, RUNS[3]);
    check_dense(Shape::new(33, 2, 9), 0, 600, 12, RUNS[1]);
    check_dense(Shape::new(250, 4, 4), 0, 266, 3, RUNS[0]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_convolution_of_any_geometry_equals_its_definition(
        (channels_in, channels_out) in (1..=40usize, 1..=40usize),
        (height, width) in (1..=12usize, 1..=19usize),
        (kernel, stride, pad) in (1..=7usize, 1..=3usize, 0..=3usize),
        samples in 1..=10usize,
        extra_halo in 0..=2usize,
        run in 0..RUNS.len(),
    ) {
        prop_assume!(height.min(width) + 2 * pad >= kernel);
        let input = Shape::new(channels_in, height, width);
        let conv = Conv { input, channels: channels_out, kernel, stride, pad, samples };
        check_conv(conv, extra_halo, RUNS[run]);
    }

    #[test]
    fn a_locally_connected_map_of_any_geometry_equals_its_definition(
        (channels_in, channels_out) in (1..=20usize, 1..=40usize),
        (height, width) in (1..=6usize, 1..=7usize),
        (kernel, stride, pad) in (1..=4usize, 1..=3usize, 0..=3usize),
        samples in 1..=12usize,
        run in 0..RUNS.len(),
    ) {
        prop_assume!(height.min(width) + 2 * pad >= kernel);
        let input = Shape::new(channels_in, height, width);
        let conv = Conv { input, channels: channels_out, kernel, stride, pad, samples };
        check_local(conv, run % 2, RUNS[run]);
    }
}

#[test]
fn a_bias_learns_from_the_sum_of_its_error() {
    for (channels, height, width, halo, samples) in [(1, 1, 1, 0, 1), (17, 3, 5, 1, 7), (48, 4, 4, 0, 9)] {
        for silent in [false, true] {
            let layout = Layout::new(Shape::new(channels, height, width), halo);
            let (error, events) = batch("error", layout.shape.len(), samples, silent);
            let mut expected = vec![Exact::default(); channels];
            let mut each = vec![Exact::default(); layout.shape.len()];
            expected.iter_mut().chain(&mut each).for_each(|sum| sum.add(0.5));
            for (index, &value) in error.iter().enumerate() {
                let (channel, pixel) = (index / (height * width) % channels, index % (height * width));
                expected[channel].add(f64::from(value));
                each[pixel * channels + channel].add(f64::from(value));
            }
            let error = lay(layout, &error, 0.0);
            let packets = Packets { events: &events, ..Packets::of_values(layout, &error) };
            for isa in Isa::available() {
                let mut change = vec![0.5; channels];
                sum_over_positions(isa, packets, &mut change);
                for (got, expected) in change.iter().zip(&expected) {
                    assert!(expected.holds(*got), "{isa}: {got}, expected {expected:?}");
                }
                let mut change = vec![0.5; layout.shape.len()];
                sum_over_samples(isa, packets, &mut change);
                for (got, expected) in change.iter().zip(&each) {
                    assert!(expected.holds(*got), "{isa}: {got}, expected {expected:?}");
                }
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let input = Layout::new(Shape::new(20, 9, 11), 1);
    let drive = Layout::new(Shape::new(40, 9, 11), 1);
    let flat = Layout::new(Shape::flat(40), 0);
    let samples = 37;
    let x = lay(input, &values("x", input.shape.len() * samples), 0.0);
    let e = lay(drive, &values("e", drive.shape.len() * samples), 0.0);
    let d = lay(flat, &values("d", flat.shape.len() * samples), 0.0);
    let products = [
        (Product::conv(input, drive, 3, 1, 1), &x, drive, 40 * 20 * 9),
        (Product::conv_carry(PacketLayout::whole(drive), input, 3, 1, 1), &e, input, 40 * 20 * 9),
        (Product::local(input, drive, 3, 1, 1), &x, drive, 40 * 20 * 9 * 9 * 11),
        (Product::local_carry(drive, input, 3, 1, 1), &e, input, 40 * 20 * 9 * 9 * 11),
        (Product::dense(input, flat), &x, flat, 40 * input.shape.len()),
        (Product::dense_carry(flat, input), &d, input, 40 * input.shape.len()),
    ];
    let correlations = [
        (Correlation::conv(input, PacketLayout::whole(drive), 3, 1, 1), drive, &e, 40 * 20 * 9),
        (Correlation::dense(input, flat), flat, &d, 40 * input.shape.len()),
    ];
    let all = |isa: Isa| {
        let mut bits: Vec<u32> = Vec::new();
        for (product, from, to, weights) in &products {
            let mut packed = vec![0.0; product.packed_len()];
            product.pack(isa, &values("w", *weights), &mut packed);
            let mut output = Buffer::zeros(samples * to.sample());
            product.run(isa, &packed, Input::Values(from), None, Outcome::Sums(Sum::Replace, &mut output));
            bits.extend(output.iter().map(|value| value.to_bits()));
        }
        for (correlation, layout, error, weights) in &correlations {
            let mut scratch = vec![0.0; correlation.scratch_len(samples)];
            let mut change = vec![0.0; *weights];
            correlation.run(isa, &x, Packets::of_values(*layout, error), &mut scratch, &mut change);
            bits.extend(change.iter().map(|value| value.to_bits()));
        }
        let mut change = vec![0.0; 40 * 20 * 9 * 9 * 11];
        let local = LocalCorrelation::new(input, drive, 3, 1, 1);
        let packets = Packets::of_values(drive, &e);
        local.run(isa, &x, packets, &mut vec![0.0; local.scratch_len()], &mut change);
        bits.extend(change.iter().map(|value| value.to_bits()));
        let mut change = vec![0.0; drive.shape.channels];
        sum_over_positions(isa, packets, &mut change);
        bits.extend(change.iter().map(|value| value.to_bits()));
        bits
    };
    check_threads(all);
}

#[test]
fn a_layout_brings_back_what_it_took() {
    for (channels, height, width, halo) in [(1, 1, 1, 0), (3, 4, 5, 1), (17, 2, 3, 2), (48, 3, 1, 0)] {
        let shape = Shape::new(channels, height, width);
        for layout in [Layout::new(shape, halo), Layout::input(shape, halo)] {
            let plain = values("plain", shape.len());
            let mut sample = vec![UNTOUCHED; layout.sample()];
            layout.import(&plain, &mut sample);
            assert_eq!(oracle::places(layout).len(), layout.sample(), "{layout:?}");
            for (value, place) in sample.iter().zip(oracle::places(layout)) {
                match place {
                    oracle::Place::Value(index) => assert_eq!(*value, plain[index], "{layout:?}"),
                    _ => assert_eq!(*value, UNTOUCHED, "{layout:?}"),
                }
            }
            let mut back = vec![0.0; shape.len()];
            layout.export(&sample, &mut back);
            assert_eq!(back, plain, "{layout:?}");
        }
    }
}

#[test]
fn an_input_has_as_few_lanes_as_hold_its_channels() {
    let lanes = |channels| Layout::input(Shape::new(channels, 2, 2), 0).lanes;
    assert_eq!([1, 2, 3, 4, 5, 8, 9, 16, 17].map(lanes), [1, 2, 4, 4, 8, 8, 16, 16, 16]);
}

#[test]
fn an_instruction_set_is_found_by_its_name_or_refused_with_those_there_are() {
    for isa in Isa::available() {
        assert_eq!(Isa::named(&isa.to_string()).ok(), Some(isa));
    }
    assert_eq!(Isa::named("scalar").ok(), Some(Isa::SCALAR));
    let refused = Isa::named("abacus").expect_err("nobody computes with beads here");
    assert!(matches!(refused, Error::Usage { .. }));
    let message = refused.to_string();
    assert!(message.contains("\"abacus\"") && message.contains("scalar"), "{message}");
}
