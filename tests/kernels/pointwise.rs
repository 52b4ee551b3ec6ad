//! Firing and gating against plain loops.

use synlocal::kernels::{Firing, Gating, Isa, Layout, PacketLayout, Pool, Sum, Transfer, fire, gate, pointwise};
use synlocal::shape::Shape;

use super::oracle::{Exact, Place, UNTOUCHED, check, lay, places, values};

pub(crate) const TRANSFERS: [Transfer; 4] = [Transfer::Linear, Transfer::HardTanh, Transfer::Tanh, Transfer::Relu];
const POOLS: [Pool; 8] =
    [Pool::None, Pool::Max(1), Pool::Max(2), Pool::Max(3), Pool::Max(16), Pool::Mean(1), Pool::Mean(2), Pool::Mean(3)];

/// Pooled drives with the winners' places, from plain order to plain order.
fn pooled(pool: Pool, shape: Shape, drive: &[f32]) -> (Shape, Vec<f64>, Vec<u8>) {
    let size = pool.size();
    let to = Shape::new(shape.channels, shape.height / size, shape.width / size);
    let (mut values, mut winners) = (Vec::new(), Vec::new());
    for map in drive.chunks(shape.height * shape.width) {
        for row in 0..to.height {
            for column in 0..to.width {
                let window: Vec<f64> = (0..size * size)
                    .map(|place| (row * size + place / size) * shape.width + column * size + place % size)
                    .map(|index| f64::from(map[index]))
                    .collect();
                let largest = window.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let winner = window.iter().position(|&value| value == largest).expect("a window has a largest value");
                values.push(match pool {
                    Pool::Mean(_) => window.iter().sum::<f64>() / window.len() as f64,
                    _ => largest,
                });
                winners.push(winner as u8);
            }
        }
    }
    (to, values, winners)
}

/// Winners as they lie in memory: like the pooled map, one byte a value.
pub(crate) fn lay_bytes(layout: Layout, plain: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for sample in plain.chunks(layout.shape.len().max(1)) {
        for place in places(layout) {
            bytes.push(match place {
                Place::Value(index) => sample[index],
                _ => 0,
            });
        }
    }
    bytes
}

/// Drives with plenty of ties and of values beyond the limits of hardtanh.
pub(crate) fn drives(len: usize) -> Vec<f32> {
    values("drive", len).into_iter().map(|value| (value * 12.0).round() / 8.0).collect()
}

/// A population without a pool.
fn unpooled(transfer: Transfer, activity: &mut [f32], layout: Layout) -> Firing<'_> {
    Firing { pool: Pool::None, transfer, activity, layout, winners: &mut [] }
}

#[test]
fn fire_pools_and_transfers() {
    for pool in POOLS {
        for transfer in TRANSFERS {
            for (channels, height, width, samples) in [(1, 16, 17, 1), (17, 18, 16, 2), (32, 17, 19, 3)] {
                let shape = Shape::new(channels, height, width);
                let drive = drives(shape.len() * samples);
                let (to, values, winners) = pooled(pool, shape, &drive);
                let expected: Vec<Exact> = values
                    .iter()
                    .map(|&drive| {
                        let value = match transfer {
                            Transfer::Linear => drive,
                            Transfer::HardTanh => drive.clamp(-1.0, 1.0),
                            Transfer::Tanh => drive.tanh(),
                            Transfer::Relu => drive.max(0.0),
                        };
                        Exact { value, magnitude: drive.abs() }
                    })
                    .collect();
                for isa in Isa::available() {
                    let what = format!("{pool:?} {transfer:?} of {samples} x {shape} on {isa}");
                    let (from, layout) = (Layout::new(shape, samples % 2), Layout::new(to, samples - 1));
                    let untouched = vec![f32::NAN; to.len() * samples];
                    let mut activity = lay(layout, &untouched, UNTOUCHED);
                    let flat = Layout { halo: 0, ..layout };
                    let bytes = if matches!(pool, Pool::Max(_)) { flat.sample() * samples } else { 0 };
                    let mut got = vec![99; bytes];
                    let drive = lay(from, &drive, UNTOUCHED);
                    let firing = Firing { pool, transfer, activity: &mut activity, layout, winners: &mut got };
                    fire(isa, &drive, from, firing);
                    check(&what, layout, &activity, &expected, UNTOUCHED);
                    if bytes > 0 {
                        assert!(got == lay_bytes(flat, &winners), "{what}: winners");
                    }
                }
            }
        }
    }
}

#[test]
fn gate_multiplies_by_the_gain_and_sends_to_the_winners() {
    for pool in POOLS {
        for transfer in TRANSFERS {
            for (channels, height, width, samples) in [(1, 16, 17, 1), (17, 18, 16, 2), (32, 17, 19, 3)] {
                let shape = Shape::new(channels, height, width);
                let size = pool.size();
                let (to, _, winners) = pooled(pool, shape, &drives(shape.len() * samples));
                // Activities on and beyond the limits, errors that are sometimes zero, one sample without any.
                let activity: Vec<f32> =
                    drives(to.len() * samples).iter().map(|value| value.clamp(-1.0, 1.0)).collect();
                let mut error: Vec<f32> = values("error", to.len() * samples);
                error.iter_mut().step_by(5).for_each(|value| *value = 0.0);
                error[to.len() * (samples - 1)..].fill(if samples > 1 { 0.0 } else { 0.5 });

                let mut expected = vec![Exact::default(); shape.len() * samples];
                let mut counts = vec![0; samples];
                for (index, &error) in error.iter().enumerate() {
                    let a = f64::from(activity[index]);
                    let gain = match transfer {
                        Transfer::Linear => 1.0,
                        Transfer::HardTanh => f64::from(-1.0 < a && a < 1.0),
                        Transfer::Tanh => 1.0 - a * a,
                        Transfer::Relu => f64::from(a > 0.0),
                    };
                    let (map, row, column) =
                        (index / (to.height * to.width), index / to.width % to.height, index % to.width);
                    for place in 0..size * size {
                        let share = match pool {
                            Pool::None => 1.0,
                            Pool::Max(_) => f64::from(place == usize::from(winners[index])),
                            Pool::Mean(_) => 1.0 / (size * size) as f64,
                        };
                        let (y, x) = (row * size + place / size, column * size + place % size);
                        let value = 0.25 * f64::from(error) * gain * share;
                        expected[(map * height + y) * width + x] = Exact { value, magnitude: f64::from(error.abs()) };
                        counts[index / to.len()] += u32::from(value != 0.0);
                    }
                }
                for isa in Isa::available() {
                    let what = format!("{pool:?} {transfer:?} of {samples} x {shape} on {isa}");
                    let (here, above) = (Layout::new(to, 1), Layout::new(to, samples - 1));
                    let layout = Layout::new(shape, 2);
                    let mut packet = lay(layout, &vec![f32::NAN; shape.len() * samples], UNTOUCHED);
                    let mut events = vec![99; samples];
                    let winners = match pool {
                        Pool::Max(_) => lay_bytes(Layout { halo: 0, ..here }, &winners),
                        _ => Vec::new(),
                    };
                    let (activity, error) = (lay(here, &activity, 0.0), lay(above, &error, 0.0));
                    let gating = Gating {
                        pool,
                        transfer,
                        activity: &activity,
                        layout: here,
                        winners: &winners,
                        scale: 0.25,
                        packet_layout: PacketLayout::whole(layout),
                        packets: &mut packet,
                        packet_winners: &mut [],
                        events: &mut events,
                    };
                    gate(isa, &error, above, gating);
                    check(&what, layout, &packet, &expected, UNTOUCHED);
                    assert_eq!(events, counts, "{what}: events");
                }
            }
        }
    }
}

#[test]
fn a_relay_hands_every_value_on_and_leaves_the_halo_alone() {
    for (channels, height, width, samples) in [(1, 1, 1, 1), (16, 3, 5, 2), (33, 4, 3, 3)] {
        let shape = Shape::new(channels, height, width);
        let given = values("relayed", shape.len() * samples);
        let before = values("before", shape.len() * samples);
        let (from, to) = (Layout::new(shape, 1), Layout::new(shape, samples - 1));
        for isa in Isa::available() {
            for sum in [Sum::Replace, Sum::Add] {
                let terms = given.iter().zip(&before).map(|(given, before)| {
                    let mut exact = Exact::default();
                    exact.add(0.5 * f64::from(*given));
                    exact.add(if sum == Sum::Add { f64::from(*before) } else { 0.0 });
                    exact
                });
                let mut out = lay(to, &before, UNTOUCHED);
                pointwise::relay(isa, 0.5, (&lay(from, &given, f32::NAN), from), (&mut out, to), sum);
                check(&format!("{sum:?} of {shape} on {isa}"), to, &out, &terms.collect::<Vec<_>>(), UNTOUCHED);
            }
        }
    }
}

#[test]
fn the_first_of_equal_drives_wins() {
    let (from, to) = (Layout::new(Shape::new(16, 2, 2), 0), Layout::new(Shape::new(16, 1, 1), 0));
    for isa in Isa::available() {
        for (drive, winner) in [([0.5; 4], 0), ([0.0, 2.0, 2.0, 2.0], 1), ([-1.0, -2.0, -0.5, -0.5], 2)] {
            let drive = lay(from, &drive.repeat(16), 0.0);
            let (mut activity, mut winners) = (vec![0.0; 16], vec![9; 16]);
            let (pool, transfer) = (Pool::Max(2), Transfer::Linear);
            let firing = Firing { pool, transfer, activity: &mut activity, layout: to, winners: &mut winners };
            fire(isa, &drive, from, firing);
            assert_eq!(winners, [winner; 16], "{isa}");
        }
    }
}

#[test]
fn tanh_is_right_to_a_few_units_of_the_last_place() {
    let layout = Layout::new(Shape::new(16, 1, 1), 0);
    let drive: Vec<f32> = (-160_000..160_000).map(|step| step as f32 / 16_000.0 + 1e-6).collect();
    for isa in Isa::available() {
        let mut activity = vec![0.0; drive.len()];
        fire(isa, &drive, layout, unpooled(Transfer::Tanh, &mut activity, layout));
        for (drive, activity) in drive.iter().zip(&activity) {
            let exact = f64::from(*drive).tanh();
            let error = (f64::from(*activity) - exact).abs() / exact.abs();
            assert!(error < 5e-7, "{isa}: tanh {drive} is {activity}, expected {exact}");
            assert!(activity.abs() <= 1.0, "{isa}: tanh {drive} is {activity}");
        }
    }
}

#[test]
fn a_drive_that_is_not_a_number_stays_one() {
    let layout = Layout::new(Shape::new(16, 1, 1), 0);
    for isa in Isa::available() {
        for transfer in TRANSFERS {
            let mut activity = vec![0.0; 16];
            fire(isa, &[f32::NAN; 16], layout, unpooled(transfer, &mut activity, layout));
            assert!(activity.iter().all(|value| value.is_nan()), "{transfer:?} on {isa}: {activity:?}");
        }
    }
}
