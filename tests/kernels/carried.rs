//! What a convolution carries event by event, against plain loops.

use proptest::prelude::*;
use synlocal::kernels::{Buffer, EventCarry, Isa, Layout, PacketLayout, Packets, Product, Sum};
use synlocal::shape::Shape;

use crate::oracle::{Conv, Exact, UNTOUCHED, check, lay, values};
use crate::packets::Errors;
use crate::runs::Map;

/// The convolution with a padding of `pad` whose drive has this shape.
fn conv(below: usize, drive: Shape, pad: usize, samples: usize) -> Conv {
    let side = |length: usize| length + 2 - 2 * pad;
    let input = Shape::new(below, side(drive.height), side(drive.width));
    Conv { input, channels: drive.channels, kernel: 3, stride: 1, pad, samples }
}

/// Its way back for packets in windows of this side: with the weights as it reads them, and the layouts at its two ends.
fn way_back(conv: Conv, window: usize, extra_halo: usize) -> (EventCarry, Vec<f32>, Layout, Layout) {
    let drive = Layout::new(conv.drive(), Product::carry_halo(3, 1, conv.pad) + extra_halo);
    let output = Layout::new(conv.input, extra_halo);
    let packets = PacketLayout { drive, window };
    let packed =
        Product::conv_carry(packets, output, 3, 1, conv.pad).packed(Isa::SCALAR, &values("weights", conv.weights()));
    (EventCarry::new(packets, output, conv.pad), packed, drive, output)
}

/// Compares the carry of errors of this density in windows of this side with its definition.
fn check_carry(conv: Conv, window: usize, density: f64, extra_halo: usize, silent: bool) {
    let (carry, packed, drive, output) = way_back(conv, window, extra_halo);
    let errors = Errors::new(drive, window, conv.samples, density, silent);
    let weights = values("weights", conv.weights());
    let before = values("before", conv.input.len() * conv.samples);
    for sum in [Sum::Replace, Sum::Add] {
        let mut expected = vec![Exact::default(); before.len()];
        if sum == Sum::Add {
            expected.iter_mut().zip(&before).for_each(|(expected, before)| expected.add(f64::from(*before)));
        }
        conv.synapses(|pre, weight, post| {
            if errors.plain[post] != 0.0 {
                expected[pre].add(f64::from(errors.plain[post]) * f64::from(weights[weight]));
            }
        });
        for isa in Isa::available() {
            let what = format!("carry of {conv:?} in windows of {window} at density {density} on {isa}, {sum:?}");
            let carried = |packets: Packets| {
                let start = if sum == Sum::Add { before.clone() } else { vec![f32::NAN; before.len()] };
                let mut sums = lay(output, &start, UNTOUCHED);
                carry.run(isa, &packed, packets, sum, &mut sums);
                sums
            };
            let got = carried(errors.pooled());
            check(&what, output, &got, &expected, UNTOUCHED);
            let uncounted = Packets { events: &[], ..errors.pooled() };
            assert!(*carried(uncounted) == *got, "{what}: skipping silent samples changes bits");
            if window == 1 {
                let laid = lay(drive, &errors.plain, f32::NAN);
                let amid_nothing = Packets { values: &laid, ..errors.pooled() };
                assert!(*carried(amid_nothing) == *got, "{what}: what is around the error is read");
            }
        }
    }
}

const DENSITIES: [f64; 4] = [0.0, 0.02, 0.25, 1.0];

#[test]
fn events_carry_what_the_definition_says_for_every_density_window_and_padding() {
    let mut index = 0;
    for density in DENSITIES {
        for window in 1..=3 {
            for pad in 0..=3 {
                // Rows and columns are left over by windows of two and of three.
                let drive = Shape::new(33, 11, 7 + 2 * (index % 2));
                check_carry(conv(17, drive, pad, 1 + index % 5), window, density, index % 3, index % 2 == 0);
                index += 1;
            }
        }
    }
}

#[test]
fn events_carry_what_the_definition_says_for_every_number_of_channels() {
    for (i, above) in [1, 16, 17, 33, 48, 70].into_iter().enumerate() {
        for (j, below) in [1, 16, 17, 32, 33, 48].into_iter().enumerate() {
            let conv = conv(below, Shape::new(above, 5, 7), 1, 1 + (i + j) % 4);
            check_carry(conv, 1 + (i + j) % 3, DENSITIES[1 + (i + 2 * j) % 3], 0, (i + j) % 2 == 0);
        }
    }
}

#[test]
fn events_carry_what_the_definition_says_in_tiles_of_samples_and_of_rows() {
    for window in 1..=3 {
        check_carry(conv(20, Shape::new(33, 4, 4), 1, 57), window, 0.3, 0, true);
        check_carry(conv(17, Shape::new(16, 34, 40), 0, 3), window, 0.1, 1, true);
        // A tile that one row of windows overfills.
        check_carry(conv(16, Shape::new(5, 7, 300), 1, 2), window, 0.25, 0, false);
    }
}

#[test]
fn a_map_of_one_window_is_carried() {
    for window in 1..=3 {
        for pad in 0..=1 {
            check_carry(conv(17, Shape::new(20, window, window), pad, 5), window, 0.5, 1, true);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn events_of_any_geometry_carry_what_the_definition_says(
        (above, below) in (1..=80usize, 1..=50usize),
        (height, width) in (5..=20usize, 5..=20usize),
        pad in 0..=3usize,
        window in 1..=4usize,
        samples in 1..=8usize,
        density in 0.0..=1.0f64,
        extra_halo in 0..=2usize,
        silent: bool,
    ) {
        check_carry(conv(below, Shape::new(above, height, width), pad, samples), window, density, extra_halo, silent);
    }
}

#[test]
fn events_carry_the_same_bits_on_any_number_of_threads_and_for_a_sample_alone() {
    for (below, drive, window, samples) in
        [(33, Shape::new(70, 9, 11), 2, 37), (20, Shape::new(16, 34, 40), 1, 5), (17, Shape::new(48, 4, 4), 3, 41)]
    {
        let conv = conv(below, drive, 1, samples);
        let (carry, packed, drive, output) = way_back(conv, window, 0);
        let errors = Errors::new(drive, window, samples, 0.3, true);
        let packets = errors.pooled();
        for isa in Isa::available() {
            let sums = |packets: Packets| {
                let mut sums = Buffer::zeros(packets.samples() * output.sample());
                carry.run(isa, &packed, packets, Sum::Replace, &mut sums);
                sums
            };
            let (len, winners) = (packets.layout.values().sample(), packets.layout.winners());
            let one = |sample: usize| Packets {
                values: &packets.values[sample * len..][..len],
                winners: &packets.winners[sample * winners..][..winners],
                events: &packets.events[sample..=sample],
                ..packets
            };
            let alone: Vec<f32> = (0..samples).flat_map(|sample| sums(one(sample)).to_vec()).collect();
            for threads in [1, 2, 4] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
                let together = pool.install(|| sums(packets));
                assert!(*together == *alone, "{conv:?} on {isa}, {threads} threads: bits depend on the batch");
            }
        }
    }
}

#[test]
fn an_event_that_is_not_finite_reaches_its_window_and_nothing_else() {
    let conv = conv(17, Shape::new(33, 9, 11), 1, 5);
    let (carry, packed, drive, output) = way_back(conv, 1, 1);
    let errors = Errors::new(drive, 1, conv.samples, 0.2, false);
    let (sample, channel, row, column) = (2, 20, 4, 6);
    let at = ((sample * drive.shape.channels + channel) * drive.shape.height + row) * drive.shape.width + column;
    for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for isa in Isa::available() {
            let carried = |value: f32| {
                let mut plain = errors.plain.clone();
                plain[at] = value;
                let laid = lay(drive, &plain, 0.0);
                let mut sums = Buffer::zeros(conv.samples * output.sample());
                carry.run(isa, &packed, Packets::of_values(drive, &laid), Sum::Replace, &mut sums);
                let mut all = vec![0.0; conv.samples * conv.input.len()];
                for (sums, all) in sums.chunks(output.sample()).zip(all.chunks_mut(conv.input.len())) {
                    output.export(sums, all);
                }
                all
            };
            for (place, (usual, got)) in carried(0.0).into_iter().zip(carried(odd)).enumerate() {
                let (height, width) = (conv.input.height, conv.input.width);
                let (y, x) = (place / width % height, place % width);
                let met = place / conv.input.len() == sample && y.abs_diff(row) <= 1 && x.abs_diff(column) <= 1;
                assert_eq!(!got.is_finite(), met, "{odd} on {isa} at {place}: {got}");
                assert!(met || got == usual, "{odd} on {isa} at {place}: {got} instead of {usual}");
            }
        }
    }
}

#[test]
fn events_are_carried_back_by_kernels_of_three_without_a_stride() {
    assert!(EventCarry::suits(3, 1));
    assert!(!EventCarry::suits(3, 2) && !EventCarry::suits(5, 1) && !EventCarry::suits(1, 1));
}
