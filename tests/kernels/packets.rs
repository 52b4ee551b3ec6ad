//! Packets at the resolution of a pooled map are what they stand for.

use synlocal::kernels::{
    Buffer, Correlation, Firing, Gating, Input, Isa, Layout, Outcome, PacketLayout, Packets, Pool, Product, Sum,
    Winograd, fire, gate, sum_over_positions,
};
use synlocal::rng::Stream;
use synlocal::shape::Shape;

use crate::oracle::{Exact, UNTOUCHED, lay, values};
use crate::pointwise::{TRANSFERS, drives, lay_bytes};
use crate::runs::Map;

/// The same errors at a drive, in plain order and laid out both ways.
pub(crate) struct Errors {
    pub(crate) plain: Vec<f32>,
    whole: Layout,
    window: usize,
    spread: Buffer,
    values: Buffer,
    winners: Vec<u8>,
    events: Vec<u32>,
}

impl Errors {
    /// Random errors of which a share is not 0, one in each window; every third sample is silent if so asked.
    pub(crate) fn new(drive: Layout, window: usize, samples: usize, density: f64, silent: bool) -> Errors {
        let Shape { channels, height, width } = drive.shape;
        let stored = Layout::new(Shape::new(channels, height / window, width / window), 0);
        let mut rng = Stream::new(11).named("errors").rng();
        let mut plain = vec![0.0; drive.shape.len() * samples];
        let (mut values, mut places) = (Vec::new(), Vec::new());
        let mut events = vec![0; samples];
        for (index, map) in plain.chunks_mut(height * width).enumerate() {
            let sample = index / channels;
            for row in 0..stored.shape.height {
                for column in 0..stored.shape.width {
                    let there = f64::from(rng.between(0.0, 1.0)) < density && !(silent && sample.is_multiple_of(3));
                    let value = if there { rng.between(0.1, 1.0) * rng.between(-1.0, 1.0).signum() } else { 0.0 };
                    let (down, right) = (rng.below(window), rng.below(window));
                    map[(row * window + down) * width + column * window + right] = value;
                    values.push(value);
                    places.push((down * window + right) as u8);
                    events[sample] += u32::from(there);
                }
            }
        }
        let winners = if window > 1 { lay_bytes(stored, &places) } else { Vec::new() };
        let (spread, values) = (lay(drive, &plain, 0.0), lay(stored, &values, 0.0));
        Errors { plain, whole: drive, window, spread, values, winners, events }
    }

    /// As large as the drive.
    pub(crate) fn whole(&self) -> Packets<'_> {
        Packets { events: &self.events, ..Packets::of_values(self.whole, &self.spread) }
    }

    /// One value a window.
    pub(crate) fn pooled(&self) -> Packets<'_> {
        let layout = PacketLayout { drive: self.whole, window: self.window };
        match self.window {
            1 => self.whole(),
            _ => Packets { layout, values: &self.values, winners: &self.winners, events: &self.events },
        }
    }
}

#[test]
fn a_gate_into_pooled_packets_says_what_it_says_into_whole_ones() {
    for (window, channels, height, width, samples) in
        [(2, 17, 8, 9, 3), (2, 16, 7, 6, 1), (3, 33, 10, 11, 2), (16, 16, 17, 16, 2)]
    {
        let drive = Layout::new(Shape::new(channels, height, width), 1);
        let here = Layout::new(Shape::new(channels, height / window, width / window), 1);
        // The largest of many drives would always be beyond the limits of hardtanh.
        let scale = if window > 3 { 0.5 } else { 1.0 };
        let plain: Vec<f32> = drives(drive.shape.len() * samples).iter().map(|drive| scale * drive).collect();
        let laid = lay(drive, &plain, 0.0);
        let mut errors = values("error", here.shape.len() * samples);
        errors.iter_mut().step_by(5).for_each(|value| *value = 0.0);
        errors[here.shape.len() * (samples - 1)..].fill(if samples > 1 { 0.0 } else { 0.5 });
        let above = Layout { halo: 0, ..here };
        let errors = lay(above, &errors, 0.0);
        for isa in Isa::available() {
            for transfer in TRANSFERS {
                let what = format!("windows of {window} of {samples} x {} {transfer:?} on {isa}", drive.shape);
                let pool = Pool::Max(window);
                let (mut activity, mut won) =
                    (Buffer::zeros(here.sample() * samples), vec![0; above.sample() * samples]);
                let winners = &mut won;
                fire(isa, &laid, drive, Firing { pool, transfer, activity: &mut activity, layout: here, winners });
                let made = |layout: PacketLayout| {
                    let mut values = vec![UNTOUCHED; layout.values().sample() * samples];
                    let (mut winners, mut events) = (vec![99; layout.winners() * samples], vec![99; samples]);
                    let gating = Gating {
                        pool,
                        transfer,
                        activity: &activity,
                        layout: here,
                        winners: &won,
                        scale: 0.5,
                        packet_layout: layout,
                        packets: &mut values,
                        packet_winners: &mut winners,
                        events: &mut events,
                    };
                    gate(isa, &errors, above, gating);
                    let mut plain = vec![f32::NAN; drive.shape.len() * samples];
                    for (sample, plain) in plain.chunks_mut(drive.shape.len()).enumerate() {
                        let values = &values[sample * layout.values().sample()..][..layout.values().sample()];
                        let winners = &winners[sample * layout.winners()..][..layout.winners()];
                        layout.export(values, winners, plain);
                    }
                    (plain, events)
                };
                let (whole, counted) = made(PacketLayout::whole(drive));
                let (pooled, events) = made(PacketLayout { drive, window });
                assert!(whole.iter().any(|value| *value != 0.0), "{what}: something is gated");
                assert!(whole == pooled, "{what}: packets");
                assert_eq!(counted, events, "{what}: events");
            }
        }
    }
}

/// Drives with rows and columns that fill their windows, and with some that do not.
const SIZES: [(usize, usize); 7] = [(8, 8), (9, 11), (7, 5), (12, 6), (6, 13), (3, 3), (34, 17)];

#[test]
fn a_carry_of_pooled_packets_has_the_bits_of_that_of_whole_ones() {
    for (index, (height, width)) in SIZES.into_iter().enumerate() {
        for window in [2, 3] {
            for (channels, to, pad) in [(17, 33, 1), (33, 16, 0), (80, 17, 2), (300, 20, 1)] {
                let drive = Layout::new(Shape::new(channels, height, width), 2);
                let errors = Errors::new(drive, window, 7, 0.4, index % 2 == 0);
                let side = |length: usize| length + 2 - 2 * pad;
                let output = Layout::new(Shape::new(to, side(height), side(width)), index % 2);
                let layout = PacketLayout { drive, window };
                let weights = values("weights", channels * to * 9);
                let what = format!("{} -> {} in windows of {window}", drive.shape, output.shape);
                let whole = Product::conv_carry(PacketLayout::whole(drive), output, 3, 1, pad);
                check_same(&what, (&whole, &Product::conv_carry(layout, output, 3, 1, pad)), &weights, &errors, output);
                let whole = Winograd::conv_carry(PacketLayout::whole(drive), output, pad);
                check_same(&what, (&whole, &Winograd::conv_carry(layout, output, pad)), &weights, &errors, output);
            }
        }
    }
    // Another kernel, with a stride.
    let (drive, output) = (Layout::new(Shape::new(20, 9, 7), 2), Layout::new(Shape::new(18, 19, 15), 0));
    let errors = Errors::new(drive, 2, 40, 0.4, true);
    let whole = Product::conv_carry(PacketLayout::whole(drive), output, 5, 2, 1);
    let pooled = Product::conv_carry(PacketLayout { drive, window: 2 }, output, 5, 2, 1);
    check_same("kernel 5, stride 2", (&whole, &pooled), &values("weights", 20 * 18 * 25), &errors, output);
}

fn check_same<M: Map>(what: &str, (whole, pooled): (&M, &M), weights: &[f32], errors: &Errors, output: Layout) {
    let samples = errors.whole().samples();
    let before = values("before", output.shape.len() * samples);
    for isa in Isa::available() {
        for sum in [Sum::Replace, Sum::Add] {
            let sums = |map: &M, packets| {
                let mut sums = lay(output, &before, UNTOUCHED);
                map.run(isa, &map.packed(isa, weights), Input::Packets(packets), None, Outcome::Sums(sum, &mut sums));
                sums
            };
            let expected = sums(whole, errors.whole());
            assert!(*sums(pooled, errors.pooled()) == *expected, "{what} on {isa}, {sum:?}");
            let uncounted = Packets { events: &[], ..errors.pooled() };
            assert!(*sums(pooled, uncounted) == *expected, "{what} on {isa}, {sum:?}: counting events changes bits");
        }
    }
}

#[test]
fn a_correlation_with_pooled_packets_has_the_bits_of_that_with_whole_ones() {
    for (index, (height, width)) in SIZES.into_iter().enumerate() {
        for (window, kernel, stride, pad) in [(2, 3, 1, 1), (3, 3, 1, 0), (2, 5, 2, 1), (3, 3, 2, 2)] {
            let (from, to, samples) = ([1, 16, 33][index % 3], [33, 17, 70][index / 2 % 3], [1, 7, 20][index % 3]);
            let side = |length: usize| (length - 1) * stride + kernel - 2 * pad;
            let input = Layout::input(Shape::new(from, side(height), side(width)), pad);
            let drive = Layout::new(Shape::new(to, height, width), index % 2);
            let errors = Errors::new(drive, window, samples, 0.4, index % 2 == 0);
            let x = lay(input, &values("input", input.shape.len() * samples), 0.0);
            for isa in Isa::available() {
                let change = |layout, packets| {
                    let correlation = Correlation::conv(input, layout, kernel, stride, pad);
                    let mut scratch = vec![f32::NAN; correlation.scratch_len(samples)];
                    let mut change = values("change", to * from * kernel * kernel);
                    correlation.run(isa, &x, packets, &mut scratch, &mut change);
                    change
                };
                let whole = change(PacketLayout::whole(drive), errors.whole());
                let layout = PacketLayout { drive, window };
                let what = format!("{} -> {}, kernel {kernel}, stride {stride} on {isa}", input.shape, drive.shape);
                assert!(change(layout, errors.pooled()) == whole, "{what}");
                let uncounted = Packets { events: &[], ..errors.pooled() };
                assert!(change(layout, uncounted) == whole, "{what}: counting events changes bits");
            }
        }
    }
}

#[test]
fn a_bias_learns_from_pooled_packets() {
    for (window, channels, height, width, samples) in [(2, 17, 9, 8, 7), (3, 40, 10, 11, 3)] {
        let errors = Errors::new(Layout::new(Shape::new(channels, height, width), 1), window, samples, 0.5, true);
        let mut expected = vec![Exact::default(); channels];
        for (index, map) in errors.plain.chunks(height * width).enumerate() {
            map.iter().for_each(|value| expected[index % channels].add(f64::from(*value)));
        }
        for isa in Isa::available() {
            let mut change = vec![0.0; channels];
            sum_over_positions(isa, errors.pooled(), &mut change);
            for (got, expected) in change.iter().zip(&expected) {
                assert!(expected.holds(*got), "{isa}: {got}, expected {expected:?}");
            }
        }
    }
}

#[test]
fn a_density_is_the_share_of_events_in_samples_that_have_any() {
    let layout = Layout::new(Shape::new(2, 4, 4), 0);
    let values = vec![0.0; layout.sample() * 3];
    let packets = Packets { events: &[8, 0, 4], ..Packets::of_values(layout, &values) };
    assert_eq!(packets.density(), 12.0 / 64.0);
    assert_eq!(Packets { events: &[0; 3], ..packets }.density(), 0.0);
    assert_eq!(Packets { events: &[], ..packets }.density(), 1.0);
}
