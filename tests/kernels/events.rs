//! What a convolution learns event by event, against plain loops.

use proptest::prelude::*;
use synlocal::kernels::{EventCorrelation, Isa, Layout, PacketLayout, Packets};
use synlocal::shape::Shape;

use crate::oracle::{Conv, Exact, lay, values};
use crate::packets::Errors;
use crate::runs::check_threads;

/// Compares the correlation with errors of this density in windows of this side with its definition.
fn check_events(conv: Conv, window: usize, density: f64, extra_halo: usize, silent: bool) {
    let what = format!("{conv:?} in windows of {window} at density {density}");
    let samples = conv.samples;
    let input = Layout::new(conv.input, conv.pad + extra_halo);
    let drive = Layout::new(conv.drive(), extra_halo);
    let errors = Errors::new(drive, window, samples, density, silent);
    let x = values("input", input.shape.len() * samples);
    let before = values("change", conv.weights());
    let mut expected = vec![Exact::default(); before.len()];
    expected.iter_mut().zip(&before).for_each(|(expected, before)| expected.add(f64::from(*before)));
    conv.synapses(|pre, weight, post| {
        if errors.plain[post] != 0.0 {
            expected[weight].add(f64::from(x[pre]) * f64::from(errors.plain[post]));
        }
    });
    let x = lay(input, &x, 0.0);
    let correlation = EventCorrelation::new(input, PacketLayout { drive, window }, conv.stride, conv.pad);
    for isa in Isa::available() {
        let change = |packets: Packets, anything: f32| {
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
        let uncounted = Packets { events: &[], ..errors.pooled() };
        assert!(change(uncounted, f32::NAN) == got, "{what} on {isa}: skipping silent samples changes bits");
    }
}

const DENSITIES: [f64; 5] = [0.0, 0.02, 0.25, 0.7, 1.0];

#[test]
fn events_teach_what_the_definition_says_for_every_density_stride_and_padding() {
    let mut index = 0;
    for density in DENSITIES {
        for window in 1..=3 {
            for stride in 1..=3 {
                for pad in 0..=2 {
                    let input = Shape::new(17, 11, 10);
                    let conv = Conv { input, channels: 33, kernel: 3, stride, pad, samples: 1 + index % 5 };
                    check_events(conv, window, density, index % 3, index % 2 == 0);
                    index += 1;
                }
            }
        }
    }
}

#[test]
fn events_teach_what_the_definition_says_for_every_number_of_channels() {
    for (i, from) in [1, 16, 17, 33, 48].into_iter().enumerate() {
        for (j, to) in [1, 16, 33, 70, 150].into_iter().enumerate() {
            let input = Shape::new(from, 6, 7);
            let conv = Conv { input, channels: to, kernel: 3, stride: 1, pad: 1, samples: 3 };
            check_events(conv, 1 + (i + j) % 3, DENSITIES[1 + (i + 2 * j) % 4], 0, (i + j) % 2 == 0);
        }
    }
}

#[test]
fn events_teach_what_the_definition_says_in_tiles_of_samples_and_of_rows() {
    for window in 1..=3 {
        let conv = Conv { input: Shape::new(33, 4, 4), channels: 20, kernel: 3, stride: 1, pad: 1, samples: 57 };
        check_events(conv, window, 0.3, 0, true);
        let conv = Conv { input: Shape::new(17, 34, 40), channels: 16, samples: 3, ..conv };
        check_events(conv, window, 0.25, 1, true);
        // A tile that one row of windows overfills.
        let conv = Conv { input: Shape::new(40, 9, 150), channels: 5, samples: 2, ..conv };
        check_events(conv, window, 0.25, 0, false);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn events_of_any_geometry_teach_what_the_definition_says(
        (channels_in, channels_out) in (1..=50usize, 1..=80usize),
        (height, width) in (6..=20usize, 6..=20usize),
        (stride, pad) in (1..=2usize, 0..=2usize),
        window in 1..=3usize,
        samples in 1..=8usize,
        density in 0.0..=1.0f64,
        extra_halo in 0..=2usize,
        silent: bool,
    ) {
        let input = Shape::new(channels_in, height + 2, width + 2);
        let conv = Conv { input, channels: channels_out, kernel: 3, stride, pad, samples };
        check_events(conv, window, density, extra_halo, silent);
    }
}

#[test]
fn any_number_of_threads_learns_the_same_bits_from_events() {
    for (from, height, width, to, window, samples) in [(20, 9, 11, 70, 2, 37), (33, 34, 40, 16, 1, 5)] {
        let (input, drive) =
            (Layout::new(Shape::new(from, height, width), 1), Layout::new(Shape::new(to, height, width), 1));
        let errors = Errors::new(drive, window, samples, 0.3, true);
        let x = lay(input, &values("input", input.shape.len() * samples), 0.0);
        let correlation = EventCorrelation::new(input, PacketLayout { drive, window }, 1, 1);
        check_threads(|isa| {
            let mut change = vec![0.0; to * from * 9];
            let mut scratch = vec![f32::NAN; correlation.scratch_len(samples)];
            correlation.run(isa, &x, errors.pooled(), &mut scratch, &mut change);
            change
        });
    }
}

#[test]
fn events_suit_a_kernel_of_three_on_whole_vectors() {
    let maps = Shape::new(3, 8, 8);
    assert!(EventCorrelation::suits(Layout::new(maps, 1), 3));
    assert!(!EventCorrelation::suits(Layout::new(maps, 1), 5));
    assert!(!EventCorrelation::suits(Layout::input(maps, 1), 3));
}
