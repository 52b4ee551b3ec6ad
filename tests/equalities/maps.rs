//! Linear maps inside circuits: their definitions in plain loops, numbers made by hand, and the laws that hold between
//! one map and another.

use proptest::prelude::*;
use synlocal::shape::Shape;

use super::relays::RELAYS;
use super::*;

pub(super) fn build(text: &str, wiring: Option<Wiring>) -> Network {
    let document = Document::new("test", text);
    let spec: NetworkSpec = document.parse().unwrap_or_else(|faults| panic!("{}", document.error(faults)));
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
pub(super) const TRANSPOSED: &str = r#"Network(
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

/// Locally connected maps in the middle, from the input, and into a pool, with strides that leave columns over.
pub(super) const LOCAL: &str = r#"Network(
    units: {
        "eye": Input(channels: 2, height: 7, width: 7),
        "v1": Unit(transfer: Tanh), "v2": Unit(pool: Mean(2), transfer: Tanh), "v3": Unit(transfer: Tanh), "head": Unit(),
    },
    feedforward: [
        (from: "eye", to: "v1", map: Local(channels: 6, kernel: 3, pad: 1, bias: true)),
        (from: "v1", to: "v2", map: Local(channels: 18, kernel: 3, pad: 1)),
        (from: "eye", to: "v2", map: Conv(channels: 18, kernel: 1)),
        (from: "v2", to: "v3", map: Local(channels: 5, kernel: 2, stride: 2, pad: 1, bias: true)),
        (from: "v3", to: "head", map: Dense(units: 8)),
    ],
)"#;

/// Every kind of map, sparse.
pub(super) const SPARSE: &str = r#"Network(
    units: {
        "eye": Input(channels: 2, height: 7, width: 7),
        "v1": Unit(transfer: Tanh), "v2": Unit(transfer: Tanh), "v3": Unit(transfer: Tanh), "head": Unit(transfer: Tanh),
    },
    feedforward: [
        (from: "eye", to: "v1", map: Conv(channels: 20, kernel: 3, pad: 1, bias: true), density: 0.4),
        (from: "v1", to: "v2", map: Local(channels: 9, kernel: 3, stride: 2, pad: 1, bias: true), density: 0.2),
        (from: "v2", to: "v3", map: TransposedConv(channels: 5, kernel: 3, stride: 2, pad: 1), density: 0.7),
        (from: "v3", to: "head", map: Dense(units: 40, bias: true), density: 0.1),
    ],
)"#;

const MAPS: [&str; 4] = [TRANSPOSED, LOCAL, SPARSE, RELAYS];

pub(super) const SMALL: usize = 2 * 7 * 7;

#[test]
fn every_map_learns_the_derivative_that_finite_differences_give() {
    for text in MAPS {
        let network = build(text, Some(Wiring::Transported));
        assert_steps_are_slopes(&Simulation::new(network, differentiable(Negatives::All), PAIRS, 2).unwrap(), SMALL);
    }
}

/// A circuit of three maps; `name` stands for the kind of all but the last.
fn chain(name: &str) -> String {
    format!(
        r#"Network(
            units: {{
                "eye": Input(channels: 2, height: 7, width: 7),
                "v1": Unit(transfer: Tanh), "v2": Unit(pool: Mean(2), transfer: Tanh), "head": Unit(),
            }},
            feedforward: [
                (from: "eye", to: "v1", map: {name}(channels: 17, kernel: 3, stride: 2, pad: 1, bias: true)),
                (from: "v1", to: "v2", map: {name}(channels: 5, kernel: 2, pad: 1, bias: true)),
                (from: "v2", to: "head", map: Dense(units: 8)),
            ],
        )"#
    )
}

/// Weights of a convolution, and those of the locally connected map that has them at every position.
fn at_every_position(weights: &[f32], dims: &[usize], positions: usize) -> Vec<f32> {
    let [out, from, kernel, _] = dims[..] else { panic!("{dims:?} of a convolution") };
    let mut local = Vec::new();
    for _ in 0..positions {
        for tap in 0..kernel * kernel {
            for channel in 0..from {
                local.extend((0..out).map(|out| weights[(out * from + channel) * kernel * kernel + tap]));
            }
        }
    }
    local
}

#[test]
fn a_locally_connected_map_with_equal_weights_everywhere_is_a_convolution() {
    let mut learning = learning(Rule::Bp, Optimizer::Sgd { rate: 1.0, momentum: 0.0 });
    learning.loss = differentiable(Negatives::All).loss;
    let new = |name: &str| {
        Simulation::new(build(&chain(name), Some(Wiring::Transported)), learning.clone(), PAIRS, 6).unwrap()
    };
    let (conv, mut local) = (new("Conv"), new("Local"));
    let positions = [("eye->v1", 4 * 4), ("v1->v2", 5 * 5)];
    for tensor in conv.tensors() {
        let values = conv.get(&tensor.name).unwrap().to_vec();
        let at = positions.iter().find(|(name, _)| tensor.name.starts_with(name));
        let values = match at {
            Some((_, positions)) if tensor.name.ends_with("bias") => values.repeat(*positions),
            Some((_, positions)) => at_every_position(&values, &tensor.dims, *positions),
            None => values,
        };
        local.set(&tensor.name, &values).unwrap();
    }
    let (mut conv, mut local) = (conv.keeping(), local.keeping());
    let before = (conv.clone(), local.clone());
    let (stored, current) = views(0, PAIRS * SMALL);
    let losses = [&mut conv, &mut local].map(|simulation| simulation.step(Batch::views(&stored, &current)).loss);
    assert!((losses[0] - losses[1]).abs() < 1e-5, "{losses:?}");
    let close = |one: &[f32], other: &[f32], what: &str| {
        assert_eq!(one.len(), other.len(), "{what}");
        for (a, b) in one.iter().zip(other) {
            assert!((a - b).abs() < 1e-5, "{what}: {a} and {b}");
        }
    };
    for unit in conv.network().unit_ids().skip(1) {
        let error = |simulation: &Simulation| simulation.state().error(unit, synlocal::locality::View::Current);
        assert!(error(&conv).iter().any(|error| *error != 0.0));
        close(&error(&conv), &error(&local), "errors");
    }
    // What a shared weight learns is what all of its copies learn together.
    for (name, positions) in positions {
        for kind in ["weight", "bias"] {
            let name = format!("{name}.{kind}");
            let change = |before: &Simulation, after: &Simulation| -> Vec<f32> {
                let values = before.get(&name).unwrap().iter().zip(after.get(&name).unwrap());
                values.map(|(before, after)| before - after).collect()
            };
            let (shared, own) = (change(&before.0, &conv), change(&before.1, &local));
            let each = own.len() / positions;
            let together: Vec<f32> = (0..each).map(|weight| own.iter().skip(weight).step_by(each).sum()).collect();
            let dims = conv.tensors();
            let dims = dims.into_iter().find(|tensor| tensor.name == name).unwrap().dims;
            let shared = if kind == "weight" { at_every_position(&shared, &dims, 1) } else { shared };
            close(&shared, &together, &name);
        }
    }
}

/// Demands that fixed feedback which copies the forward weights takes the first step of back-propagation, bit by bit.
fn assert_copies_propagate_back(text: &str, feedback: &[(&str, &str)]) {
    let listed: String = feedback
        .iter()
        .map(|(from, to)| format!("(from: \"{from}\", to: \"{to}\", wiring: Fixed, init: Symmetric),"))
        .collect();
    let written = text.trim_end().trim_end_matches(')').to_string() + &format!("feedback: [{listed}])");
    let new = |network| Simulation::new(network, learning(Rule::Bp, SGD), PAIRS, 3).unwrap();
    let (mut bp, mut rf) = (new(build(text, Some(Wiring::Transported))), new(build(&written, None)));
    let start = forward_bits(&bp);
    assert_eq!(start, forward_bits(&rf));
    for simulation in [&mut bp, &mut rf] {
        let (stored, current) = views(0, PAIRS * SMALL);
        simulation.step(Batch::views(&stored, &current));
    }
    assert_eq!(forward_bits(&bp), forward_bits(&rf));
    for ((name, before), (_, after)) in start.iter().zip(forward_bits(&bp)) {
        assert_ne!(*before, after, "{name} did not learn");
    }
}

#[test]
fn fixed_feedback_equal_to_the_forward_weights_is_back_propagation_through_every_map() {
    let ways = [("head", "v3"), ("v3", "v2"), ("v2", "v1")];
    for text in [TRANSPOSED, LOCAL, SPARSE] {
        assert_copies_propagate_back(text, &ways);
    }
}

/// Three steps with Adam on `threads` threads.
pub(super) fn after_steps(text: &str, rule: Rule, isa: Isa, threads: usize) -> Simulation {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let network = build(text, rule.credit().wiring());
        let mut simulation = Simulation::on(isa, network, learning(rule, Optimizer::adam(1e-3)), 23, 1).sharing();
        for step in 0..3 {
            let (stored, current) = views(step, 23 * SMALL);
            simulation.step(Batch::views(&stored, &current));
        }
        simulation
    })
}

#[test]
fn any_number_of_threads_gives_every_map_the_same_bits() {
    for text in MAPS {
        for isa in Isa::available() {
            let one = bits(&after_steps(text, Rule::Urf, isa, 1));
            assert_eq!(one, bits(&after_steps(text, Rule::Urf, isa, 2)), "{isa}");
            assert_eq!(one, bits(&after_steps(text, Rule::Urf, isa, 4)), "{isa}");
        }
    }
}

#[test]
fn instruction_sets_agree_on_every_map_to_rounding() {
    for text in MAPS {
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
