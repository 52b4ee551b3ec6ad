//! A population that fires while its drive is computed does what it does with a drive that is there.

use synlocal::kernels::{Buffer, Firing, Input, Isa, Layout, Outcome, Packets, Pool, Product, Sum, Winograd, fire};
use synlocal::shape::Shape;

use crate::oracle::{Conv, UNTOUCHED, lay, values};
use crate::pointwise::TRANSFERS;
use crate::runs::{Map, batch};

/// Checks bits for a pool and every transfer function, with and without a bias and silent samples.
fn check_fired(
    what: &str,
    map: &impl Map,
    (input, drive): (Layout, Layout),
    (weights, biases): (usize, usize),
    (samples, pool): (usize, Pool),
) {
    let weights = values("weights", weights);
    let bias = values("bias", biases);
    let size = pool.size();
    let Shape { channels, height, width } = drive.shape;
    let layout = Layout::new(Shape::new(channels, height / size, width / size), samples % 2);
    let winners = if let Pool::Max(_) = pool { Layout { halo: 0, ..layout }.sample() * samples } else { 0 };
    for (bias, silent) in [(None, false), (Some(&bias[..]), true)] {
        let (x, events) = batch("input", input.shape.len(), samples, silent);
        let x = lay(input, &x, 0.0);
        let packets = Packets { events: &events, ..Packets::of_values(input, &x) };
        for transfer in TRANSFERS {
            for isa in Isa::available() {
                let packed = map.packed(isa, &weights);
                let fired = |then: &dyn Fn(Firing)| {
                    let untouched = vec![f32::NAN; layout.shape.len() * samples];
                    let (mut activity, mut winners) = (lay(layout, &untouched, UNTOUCHED), vec![99; winners]);
                    then(Firing { pool, transfer, activity: &mut activity, layout, winners: &mut winners });
                    (activity, winners)
                };
                let apart = fired(&|firing| {
                    let mut sums = Buffer::zeros(drive.sample() * samples);
                    map.run(isa, &packed, Input::Packets(packets), bias, Outcome::Sums(Sum::Replace, &mut sums));
                    fire(isa, &sums, drive, firing);
                });
                for input in [Input::Packets(packets), Input::Values(&x)] {
                    let at_once = fired(&|firing| map.run(isa, &packed, input, bias, Outcome::Fired(firing)));
                    let what = format!("{what}, {pool:?} {transfer:?} on {isa}, silent samples {silent}");
                    assert!(*at_once.0 == *apart.0, "{what}: activity");
                    assert!(at_once.1 == apart.1, "{what}: winners");
                }
            }
        }
    }
}

const POOLS: [Pool; 9] = [
    Pool::None,
    Pool::Max(1),
    Pool::Max(2),
    Pool::Max(3),
    Pool::Max(4),
    Pool::Mean(1),
    Pool::Mean(2),
    Pool::Mean(3),
    Pool::Mean(4),
];

#[test]
fn a_convolution_fires_as_its_drive_would() {
    for pool in POOLS {
        for (from, height, width, to, pad, samples) in
            [(17, 9, 11, 33, 1, 5), (16, 4, 5, 16, 1, 13), (32, 8, 8, 40, 0, 2), (80, 6, 7, 17, 2, 3)]
        {
            let conv =
                Conv { input: Shape::new(from, height, width), channels: to, kernel: 3, stride: 1, pad, samples };
            let (input, drive) = (Layout::new(conv.input, pad), Layout::new(conv.drive(), 0));
            let (what, sizes) = (format!("{conv:?}"), (conv.weights(), to));
            let product = Product::conv(input, drive, 3, 1, pad);
            check_fired(&what, &product, (input, drive), sizes, (samples, pool));
            let product = Product::local(input, drive, 3, 1, pad);
            let sizes_of_local = (conv.local_weights(), drive.shape.len());
            check_fired(&format!("local {what}"), &product, (input, drive), sizes_of_local, (samples, pool));
            if Winograd::fires(pool) {
                let winograd = Winograd::conv(input, drive, pad);
                check_fired(&format!("Winograd {what}"), &winograd, (input, drive), sizes, (samples, pool));
            }
        }
    }
}

#[test]
fn a_dense_map_fires_as_its_drive_would() {
    for pool in [Pool::None, Pool::Max(1), Pool::Mean(1)] {
        for (shape, units, samples) in [(Shape::new(3, 4, 5), 17, 1), (Shape::flat(48), 64, 23)] {
            let (input, flat) = (Layout::new(shape, 0), Layout::new(Shape::flat(units), 0));
            let product = Product::dense(input, flat);
            let sizes = (shape.len() * units, units);
            check_fired(&format!("dense {shape} -> {units}"), &product, (input, flat), sizes, (samples, pool));
        }
    }
}

#[test]
fn tiles_fire_pools_that_share_them_evenly() {
    let fires: Vec<Pool> = POOLS.into_iter().filter(|pool| Winograd::fires(*pool)).collect();
    let shared = |pool: &Pool| !matches!(pool, Pool::Max(3) | Pool::Mean(3));
    assert_eq!(fires, POOLS.into_iter().filter(shared).collect::<Vec<_>>());
}
