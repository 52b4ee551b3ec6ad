//! Linear maps inside circuits: their definitions in plain loops, numbers made by hand, and the laws that hold between
//! one map and another.

use proptest::prelude::*;
use synlocal::shape::Shape;

use super::*;

fn build(text: &str, wiring: Option<Wiring>) -> Network {
    let document = Document::new("test", text);
    let spec: NetworkSpec = document.parse().unwrap_or_else(|faults| panic!("{}", document.error(faults, false)));
    Network::build(&spec, Teaching { wiring, ..Teaching::default() })
        .unwrap_or_else(|faults| panic!("{text}: {faults:?}"))
}

/// A simulation of an input and one unit that hears it through `projection`, the text of a map and what stands beside
/// it.
fn one_map(input: Shape, projection: &str) -> Simulation {
    let Shape { channels, height, width } = input;
    let text = format!(
        r#"Network(
            units: {{"eye": Input(channels: {channels}, height: {height}, width: {width}), "v1": Unit()}},
            feedforward: [(from: "eye", to: "v1", map: {projection})],
        )"#
    );
    Simulation::new(build(&text, None), learning(Rule::Wired, SGD), 3, 1).unwrap()
}

/// What the unit of [`one_map`] makes of `images`, with these weights and biases.
fn driven(simulation: &mut Simulation, images: &[f32], weights: &[f32], bias: &[f32]) -> Vec<f32> {
    simulation.set("eye->v1.weight", weights).unwrap();
    if !bias.is_empty() {
        simulation.set("eye->v1.bias", bias).unwrap();
    }
    let mut features = Vec::new();
    let unit = simulation.network().find("v1").unwrap();
    simulation.encode(images, unit, &mut features);
    features
}

#[test]
fn a_transposed_convolution_spreads_each_value_over_its_window() {
    let weights = [1.0, 10.0, 100.0, 1000.0];
    let of = |rest: &str, bias: &[f32]| {
        let map = format!("TransposedConv(channels: 1, kernel: 2{rest})");
        driven(&mut one_map(Shape::new(1, 2, 2), &map), &[1.0, 2.0, 3.0, 4.0], &weights, bias)
    };
    assert_eq!(of("", &[]), [1.0, 12.0, 20.0, 103.0, 1234.0, 2040.0, 300.0, 3400.0, 4000.0]);
    assert_eq!(of(", pad: 1", &[]), [1234.0]);
    let apart = [
        [1.0, 10.0, 2.0, 20.0],
        [100.0, 1000.0, 200.0, 2000.0],
        [3.0, 30.0, 4.0, 40.0],
        [300.0, 3000.0, 400.0, 4000.0],
    ];
    assert_eq!(of(", stride: 2", &[]), apart.as_flattened());
    // One row and column more, which no window reaches: bias alone.
    let more = of(", stride: 2, output_pad: 1, bias: true", &[0.5]);
    for (place, value) in more.into_iter().enumerate() {
        let (row, column) = (place / 5, place % 5);
        let reached = apart.get(row).and_then(|row| row.get(column));
        assert_eq!(value, reached.unwrap_or(&0.0) + 0.5, "row {row}, column {column}");
    }
}

/// A transposed convolution written as its definition: `[in][out][row][column]` weights, each value added over its
/// window.
fn spread(input: Shape, drive: Shape, (kernel, stride, pad): (usize, usize, usize), x: &[f32], w: &[f32]) -> Vec<f64> {
    let mut sums = vec![0.0; drive.len()];
    for from in 0..input.channels {
        for to in 0..drive.channels {
            for (row, column) in (0..input.height).flat_map(|row| (0..input.width).map(move |column| (row, column))) {
                for (down, right) in (0..kernel).flat_map(|down| (0..kernel).map(move |right| (down, right))) {
                    let (y, x_place) =
                        ((row * stride + down).wrapping_sub(pad), (column * stride + right).wrapping_sub(pad));
                    if y < drive.height && x_place < drive.width {
                        let value = x[(from * input.height + row) * input.width + column];
                        let weight = w[((from * drive.channels + to) * kernel + down) * kernel + right];
                        sums[(to * drive.height + y) * drive.width + x_place] += f64::from(value) * f64::from(weight);
                    }
                }
            }
        }
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_transposed_convolution_of_any_geometry_equals_its_definition(
        (channels_in, channels_out) in (1..=20usize, 1..=20usize),
        (height, width) in (1..=6usize, 1..=7usize),
        (kernel, stride) in (1..=5usize, 1..=3usize),
        (pad, output_pad) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
    ) {
        let (pad, output_pad) = (pad.index(kernel), output_pad.index(stride));
        let side = |extent: usize| ((extent - 1) * stride + kernel + output_pad).checked_sub(2 * pad);
        prop_assume!(side(height.min(width)).is_some_and(|side| side > 0));
        let map = format!(
            "TransposedConv(channels: {channels_out}, kernel: {kernel}, stride: {stride}, pad: {pad}, output_pad: {output_pad})"
        );
        let input = Shape::new(channels_in, height, width);
        let mut simulation = one_map(input, &map);
        let drive = simulation.network().units()[1].drive;
        prop_assert_eq!(Some(drive.height), side(height));
        prop_assert_eq!(Some(drive.width), side(width));
        let mut rng = Stream::new(3).rng();
        let mut draw = |len: usize| (0..len).map(|_| rng.between(-1.0, 1.0)).collect::<Vec<f32>>();
        let (images, weights) = (draw(2 * input.len()), draw(channels_in * channels_out * kernel * kernel));
        let got = driven(&mut simulation, &images, &weights, &[]);
        let expected: Vec<f64> = images
            .chunks(input.len())
            .flat_map(|image| spread(input, drive, (kernel, stride, pad), image, &weights))
            .collect();
        prop_assert_eq!(got.len(), expected.len());
        for (got, expected) in got.iter().zip(&expected) {
            prop_assert!((f64::from(*got) - expected).abs() < 1e-4, "{} instead of {}", got, expected);
        }
    }
}

/// Transposed convolutions in the middle, from the input, and into a pool, with strides that leave rows over.
const TRANSPOSED: &str = r#"Network(
    units: {
        "eye": Input(channels: 2, height: 7, width: 7),
        "v1": Unit(transfer: Tanh), "v2": Unit(transfer: Tanh), "v3": Unit(pool: Max(2), transfer: HardTanh), "head": Unit(),
    },
    feedforward: [
        (from: "eye", to: "v1", map: Conv(channels: 6, kernel: 3, stride: 2, pad: 1, bias: true)),
        (from: "v1", to: "v2", map: TransposedConv(channels: 18, kernel: 3, stride: 2, pad: 1, output_pad: 1, bias: true)),
        (from: "eye", to: "v2", map: TransposedConv(channels: 18, kernel: 2, bias: true)),
        (from: "v2", to: "v3", map: TransposedConv(channels: 5, kernel: 4, stride: 3, pad: 2)),
        (from: "v3", to: "head", map: Dense(units: 8)),
    ],
)"#;

const SMALL: usize = 2 * 7 * 7;

#[test]
fn transposed_convolutions_learn_the_derivative_that_finite_differences_give() {
    let network = build(TRANSPOSED, Some(Wiring::Transported));
    assert_steps_are_slopes(&Simulation::new(network, differentiable(Negatives::All), PAIRS, 2).unwrap(), SMALL);
}

/// Three steps with Adam on `threads` threads.
fn after_steps(text: &str, rule: Rule, isa: Isa, threads: usize) -> Simulation {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let network = build(text, rule.credit().wiring());
        let mut simulation = Simulation::on(isa, network, learning(rule, Optimizer::adam(1e-3)), 23, 1);
        for step in 0..3 {
            let (stored, current) = views(step, 23 * SMALL);
            simulation.step(Batch::views(&stored, &current));
        }
        simulation
    })
}

#[test]
fn any_number_of_threads_gives_every_map_the_same_bits() {
    for text in [TRANSPOSED] {
        for isa in Isa::available() {
            let one = bits(&after_steps(text, Rule::Urf, isa, 1));
            assert_eq!(one, bits(&after_steps(text, Rule::Urf, isa, 2)), "{isa}");
            assert_eq!(one, bits(&after_steps(text, Rule::Urf, isa, 4)), "{isa}");
        }
    }
}

#[test]
fn instruction_sets_agree_on_every_map_to_rounding() {
    for text in [TRANSPOSED] {
        let step = |isa| {
            let network = build(text, Some(Wiring::Transported));
            let mut simulation = Simulation::on(isa, network, learning(Rule::Bp, SGD), PAIRS, 1);
            let (stored, current) = views(0, PAIRS * SMALL);
            simulation.step(Batch::views(&stored, &current));
            simulation
        };
        let plain = step(Isa::SCALAR);
        for isa in Isa::available() {
            let other = step(isa);
            for (name, _) in forward_bits(&plain) {
                for (a, b) in plain.get(&name).unwrap().iter().zip(other.get(&name).unwrap()) {
                    assert!((a - b).abs() < 2e-5, "{isa}, {name}: {a} and {b}");
                }
            }
        }
    }
}
