//! What a convolution learns by Winograd's tiles, against plain loops. Sums are reordered, so a change is judged by a
//! share of the largest one.

use proptest::prelude::*;
use synlocal::kernels::{Isa, Layout, PacketLayout, Packets, WinogradCorrelation};
use synlocal::shape::Shape;

use crate::oracle::{Conv, Exact, lay, values};
use crate::packets::Errors;
use crate::runs::{check_threads, judge};

/// A 3x3 convolution with a stride of 1.
fn conv(input: Shape, channels: usize, pad: usize, samples: usize) -> Conv {
    Conv { input, channels, kernel: 3, stride: 1, pad, samples }
}

/// Compares what errors of this density in windows of this side teach with its definition, of whose largest change the
/// error may be a share.
fn check_tiles(conv: Conv, window: usize, density: f64, extra_halo: usize, silent: bool, share: f64) {
    let what = format!("{conv:?} in windows of {window} at density {density}");
    let samples = conv.samples;
    let input = Layout::new(conv.input, conv.pad + extra_halo);
    let drive = Layout::new(conv.drive(), extra_halo);
    let errors = Errors::new(drive, window, samples, density, silent);
    let x = values("input", input.shape.len() * samples);
    let before = values("change", conv.weights());
    let mut expected = vec![Exact::default(); before.len()];
    conv.synapses(|pre, weight, post| {
        if errors.plain[post] != 0.0 {
            expected[weight].add(f64::from(x[pre]) * f64::from(errors.plain[post]));
        }
    });
    judge(share, &mut expected);
    expected.iter_mut().zip(&before).for_each(|(expected, before)| expected.add(f64::from(*before)));
    let x = lay(input, &x, 0.0);
    for isa in Isa::available() {
        let change = |packets: Packets, anything: f32| {
            let correlation = WinogradCorrelation::new(input, packets.layout, conv.pad);
            let mut change = before.clone();
            let mut scratch = vec![anything; correlation.scratch_len(samples)];
            correlation.run(isa, &x, packets, &mut scratch, &mut change);
            change
        };
        let got = change(errors.pooled(), f32::NAN);
        for (index, (&got, expected)) in got.iter().zip(&expected).enumerate() {
            assert!(expected.holds(got), "{what} on {isa}: weight {index} is {got}, expected {expected:?}");
        }
        assert!(change(errors.pooled(), 3.0) == got, "{what} on {isa}: the scratch matters");
        assert!(change(errors.whole(), f32::NAN) == got, "{what} on {isa}: whole packets teach other bits");
        let uncounted = Packets { events: &[], ..errors.pooled() };
        assert!(change(uncounted, f32::NAN) == got, "{what} on {isa}: skipping silent samples changes bits");
    }
}

const DENSITIES: [f64; 4] = [0.0, 0.02, 0.4, 1.0];

#[test]
fn tiles_teach_what_the_definition_says_for_every_size_and_padding() {
    let mut index = 0;
    for height in 1..=11 {
        for width in 1..=11 {
            for pad in 0..=3 {
                let side = |length: usize| (length + 2 * pad).saturating_sub(2);
                let window = 1 + index % 3;
                if side(height).min(side(width)) >= window {
                    let conv = conv(Shape::new(17, height, width), 18, pad, 1 + index % 4);
                    check_tiles(conv, window, DENSITIES[2 + index % 2], index % 3, index.is_multiple_of(2), 1e-5);
                }
                index += 1;
            }
        }
    }
}

#[test]
fn tiles_teach_what_the_definition_says_for_every_number_of_channels() {
    let channels = [1, 16, 17, 32, 33, 48, 64, 80, 150];
    for (i, &from) in channels.iter().enumerate() {
        for (j, &to) in channels.iter().enumerate() {
            let conv = conv(Shape::new(from, 5, 6), to, 1, 1 + (i + 2 * j) % 3);
            check_tiles(conv, 1 + (i + j) % 2, DENSITIES[1 + (i + 2 * j) % 3], 0, (i + j).is_multiple_of(2), 1e-5);
        }
    }
}

#[test]
fn tiles_teach_what_the_definition_says_for_every_batch_and_density() {
    for samples in 0..=40 {
        let (window, density) = (1 + samples % 2, DENSITIES[samples % 4]);
        check_tiles(conv(Shape::new(20, 6, 5), 16, 1, samples), window, density, samples % 3, true, 1e-5);
        check_tiles(conv(Shape::new(16, 4, 4), 33, 1, samples), window, density, samples % 2, false, 1e-5);
    }
    // Groups that end within a map, maps of one group, and rows that one group does not hold.
    for (height, width) in [(19, 37), (34, 17), (5, 300)] {
        check_tiles(conv(Shape::new(20, height, width), 40, 1, 4), 2, 0.7, 0, true, 1e-5);
    }
}

#[test]
fn tiles_err_little_at_the_sizes_of_a_network() {
    for (from, side, to, window) in [(32, 32, 32, 2), (32, 16, 64, 1), (64, 16, 64, 2), (64, 8, 512, 2)] {
        check_tiles(conv(Shape::new(from, side, side), to, 1, 3), window, 1.0, 1, false, 5e-6);
    }
    check_tiles(conv(Shape::new(16, 8, 8), 16, 1, 250), 2, 1.0, 0, true, 5e-6);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    // With sixteen channels there is always a change that is not small by chance.
    #[test]
    fn tiles_of_any_geometry_teach_what_the_definition_says(
        (channels_in, channels_out) in (16..=90usize, 16..=90usize),
        (height, width) in (3..=14usize, 3..=14usize),
        pad in 0..=3usize,
        window in 1..=3usize,
        samples in 1..=7usize,
        density in 0.0..=1.0f64,
        extra_halo in 0..=2usize,
        silent: bool,
    ) {
        prop_assume!(height.min(width) + 2 * pad >= 2 + window);
        let conv = conv(Shape::new(channels_in, height, width), channels_out, pad, samples);
        check_tiles(conv, window, density, extra_halo, silent, 1e-5);
    }
}

#[test]
fn any_number_of_threads_learns_the_same_bits_from_tiles() {
    for (from, height, width, to, window, samples) in
        [(20, 9, 11, 70, 2, 37), (33, 34, 40, 16, 1, 5), (80, 4, 4, 90, 2, 61)]
    {
        let (input, drive) =
            (Layout::new(Shape::new(from, height, width), 1), Layout::new(Shape::new(to, height, width), 1));
        let errors = Errors::new(drive, window, samples, 0.6, true);
        let x = lay(input, &values("input", input.shape.len() * samples), 0.0);
        let correlation = WinogradCorrelation::new(input, PacketLayout { drive, window }, 1);
        check_threads(|isa| {
            let mut change = vec![0.0; to * from * 9];
            let mut scratch = vec![f32::NAN; correlation.scratch_len(samples)];
            correlation.run(isa, &x, errors.pooled(), &mut scratch, &mut change);
            change
        });
    }
}
