//! Faults of sizes, shapes and first weights.

use synlocal::network::Wiring;
use synlocal::shape::Shape;

use crate::{CHAIN, UNITS, assert_says, build, fault, faults_of, network};

#[test]
fn converging_shapes_that_differ_name_both_and_what_to_change() {
    let units = r#""eye": Input(channels: 3, height: 4, width: 4), "v1": Unit(), "v2": Unit()"#;
    let into = |skip: &str, map: &str| {
        let forward = format!(
            r#"(from: "eye", to: "v1", map: Conv(channels: 2, kernel: 1)),
        (from: "eye", to: "v2", map: {skip}),
        (from: "v1", to: "v2", map: {map})"#
        );
        fault(units, &forward, "", Some(Wiring::Fixed))
    };
    let skip = "Conv(channels: 8, kernel: 1)";
    for (map, problem, marked, remedy) in [
        (
            "Conv(channels: 8, kernel: 5, pad: 1)",
            "projection v1->v2: kernel 5 with padding 1 turns 4x4 into 2x2, but v2 expects 4x4 from eye->v2",
            "Conv(channels: 8, kernel: 5, pad: 1)",
            "use padding 2",
        ),
        (
            "Conv(channels: 6, kernel: 5, pad: 1)",
            "projection v1->v2: kernel 5 with padding 1 turns 4x4 into 2x2, but v2 expects 4x4 from eye->v2",
            "Conv(channels: 6, kernel: 5, pad: 1)",
            "use padding 2 and channels: 8",
        ),
        (
            "Conv(channels: 8, kernel: 2)",
            "projection v1->v2: kernel 2 with padding 0 turns 4x4 into 3x3, but v2 expects 4x4 from eye->v2",
            "Conv(channels: 8, kernel: 2)",
            "use kernel 1",
        ),
        (
            "Conv(channels: 8, kernel: 3, stride: 2, pad: 1)",
            "projection v1->v2: kernel 3 with padding 1 and stride 2 turns 4x4 into 2x2, but v2 expects 4x4 from eye->v2",
            "Conv(channels: 8, kernel: 3, stride: 2, pad: 1)",
            "use stride 1",
        ),
        (
            "TransposedConv(channels: 8, kernel: 3, stride: 2, pad: 1)",
            "projection v1->v2: kernel 3 with padding 1 and stride 2 turns 4x4 into 7x7, but v2 expects 4x4 from eye->v2",
            "TransposedConv(channels: 8, kernel: 3, stride: 2, pad: 1)",
            "use stride 1",
        ),
        (
            "Conv(channels: 6, kernel: 3, pad: 1)",
            "projection v1->v2: makes 6 channels, but v2 expects 8 from eye->v2",
            "6",
            "use channels: 8",
        ),
        (
            "Dense(units: 9)",
            "projection v1->v2: makes 9 units, but v2 expects 8x4x4 from eye->v2",
            "9",
            "use a Conv that makes 8x4x4, or make eye->v2 a Dense, too",
        ),
    ] {
        assert_says(&into(skip, map), problem, marked, remedy);
    }
    assert_says(
        &into("Dense(units: 8)", "Dense(units: 9)"),
        "projection v1->v2: makes 9 units, but v2 expects 8 from eye->v2",
        "9",
        "use units: 8",
    );
}

#[test]
fn the_shape_that_most_projections_make_is_the_standard() {
    let units = r#""a": Input(channels: 1, height: 9, width: 9), "b": Unit()"#;
    let forward = r#"(from: "a", to: "b", map: Conv(channels: 1, kernel: 5), name: "odd"),
        (from: "a", to: "b", map: Conv(channels: 1, kernel: 3), name: "one"),
        (from: "a", to: "b", map: Conv(channels: 1, kernel: 1, stride: 1), name: "two", plastic: true)"#;
    let forward = forward.replace("kernel: 1, stride: 1", "kernel: 3, stride: 1");
    let message = fault(units, &forward, "", None);
    assert!(
        message.contains("projection odd: kernel 5 with padding 0 turns 9x9 into 5x5, but b expects 7x7 from one"),
        "{message}"
    );
    assert!(message.contains("help: use padding 1\n"), "{message}");
}

#[test]
fn sizes_that_cannot_be_are_faults() {
    let chain = |map: &str| CHAIN.replacen("Conv(channels: 4, kernel: 3, pad: 1)", map, 1);
    for (map, problem, marked, remedy) in [
        ("Conv(channels: 0, kernel: 3)", "projection eye->v1: channels is 0", "0", "use 1 or more"),
        ("Conv(channels: 4, kernel: 0)", "projection eye->v1: kernel is 0", "0", "use 1 or more"),
        ("Conv(channels: 4, kernel: 3, stride: 0)", "projection eye->v1: stride is 0", "0", "use 1 or more"),
        ("Dense(units: 0)", "projection eye->v1: units is 0", "0", "use 1 or more"),
        ("Dense(units: 65537)", "projection eye->v1: units is 65537", "65537", "use 65536 or less"),
        (
            "Conv(channels: 4, kernel: 18446744073709551615)",
            "projection eye->v1: kernel is 18446744073709551615",
            "18446744073709551615",
            "use 65536 or less",
        ),
        (
            "Conv(channels: 4, kernel: 3, pad: 3)",
            "projection eye->v1: with padding 3, a kernel of 3 meets nothing but padding at the edge",
            "3",
            "use padding 2 or less",
        ),
        (
            "Conv(channels: 4, kernel: 3, pad: 18446744073709551615)",
            "projection eye->v1: with padding 18446744073709551615, a kernel of 3 meets nothing but padding at the edge",
            "18446744073709551615",
            "use padding 2 or less",
        ),
        (
            "Conv(channels: 4, kernel: 11, pad: 1)",
            "projection eye->v1: kernel 11 is larger than the 8x8 maps of eye with padding 1, 10x10",
            "11",
            "use kernel 10 or smaller",
        ),
        ("Local(channels: 4, kernel: 3, stride: 0)", "projection eye->v1: stride is 0", "0", "use 1 or more"),
        (
            "Local(channels: 4, kernel: 3, pad: 4)",
            "projection eye->v1: with padding 4, a kernel of 3 meets nothing but padding at the edge",
            "4",
            "use padding 2 or less",
        ),
        (
            "Local(channels: 4, kernel: 9)",
            "projection eye->v1: kernel 9 is larger than the 8x8 maps of eye with padding 0, 8x8",
            "9",
            "use kernel 8 or smaller",
        ),
        (
            "Local(channels: 65536, kernel: 8, pad: 4)",
            "projection eye->v1: has 1019215872 weights",
            "Local(channels: 65536, kernel: 8, pad: 4)",
            "stay below 268435456",
        ),
        (
            "TransposedConv(channels: 4, kernel: 3, stride: 2, pad: 3)",
            "projection eye->v1: with padding 3, a kernel of 3 meets nothing but padding at the edge",
            "3",
            "use padding 2 or less",
        ),
        (
            "TransposedConv(channels: 4, kernel: 3, stride: 2, output_pad: 2)",
            "projection eye->v1: an output padding of 2 is not less than the stride, 2",
            "2",
            "use output_pad 1 or less",
        ),
        (
            "TransposedConv(channels: 4, kernel: 3, output_pad: 1)",
            "projection eye->v1: an output padding of 1 is not less than the stride, 1",
            "1",
            "leave output_pad out",
        ),
        (
            "TransposedConv(channels: 4, kernel: 12, pad: 10)",
            "projection eye->v1: padding 10 at each side cuts off all of 19x19, to which kernel 12 spreads the 8x8 maps of \
             eye",
            "10",
            "use padding 9 or less",
        ),
    ] {
        assert_says(&fault(UNITS, &chain(map), "", Some(Wiring::Fixed)), problem, marked, remedy);
    }
    let units = UNITS.replace("channels: 3, height: 8", "channels: 0, height: 8");
    assert_says(&fault(&units, CHAIN, "", Some(Wiring::Fixed)), "input eye: channels is 0", "0", "use 1 or more");
    let units = UNITS.replace("channels: 3, height: 8, width: 8", "channels: 65536, height: 65536, width: 8");
    let message = fault(&units, CHAIN, "", Some(Wiring::Fixed));
    let problem = "input eye: makes 65536x65536x8, 34359738368 values a sample";
    assert_says(&message, problem, "\"eye\"", "stay below 268435456");
    let text = network(
        &units.replace("65536, width: 8", "64, width: 64"),
        &chain("Conv(channels: 65536, kernel: 2, stride: 1, pad: 1)"),
        "",
    );
    let (message, count) = faults_of(&text, Some(Wiring::Fixed), None);
    assert_eq!(count, 1, "{message}");
    assert!(message.contains("projection eye->v1: makes 65536x65x65, 276889600 values a sample"), "{message}");
}

#[test]
fn pools_must_fit_the_drive() {
    for (pool, problem, remedy) in [
        ("Max(0)", "unit v1 pools over windows of 0x0", "use 1 to 16, or leave the pool out"),
        ("Mean(17)", "unit v1 pools over windows of 17x17", "use 1 to 16, or leave the pool out"),
        ("Max(9)", "unit v1: a pool of 9x9 is larger than its drive, 8x8", "use a pool of 8 or smaller"),
    ] {
        let units = UNITS.replace("\"v1\": Unit()", &format!("\"v1\": Unit(pool: {pool})"));
        assert_says(&fault(&units, CHAIN, "", Some(Wiring::Fixed)), problem, pool, remedy);
    }
    let units = UNITS.replace("\"head\": Unit()", "\"head\": Unit(pool: Max(2))");
    let message = fault(&units, CHAIN, "", Some(Wiring::Fixed));
    assert_says(&message, "unit head: a pool of 2x2 is larger than its drive, 1x1", "Max(2)", "leave the pool out");
}

#[test]
fn a_density_is_a_share_of_the_synapses() {
    for (density, shown) in [("0.0", "0"), ("1.5", "1.5"), ("-0.1", "-0.1"), ("NaN", "NaN")] {
        let forward = CHAIN.replace("units: 10)", &format!("units: 10), density: {density}"));
        let problem = format!("projection v2->head: its density is {shown}, which is no share of the synapses");
        let message = fault(UNITS, &forward, "", Some(Wiring::Fixed));
        assert_says(&message, &problem, density, "use a number above 0 and up to 1");
    }
}

#[test]
fn first_weights_follow_a_law_that_draws_something() {
    for (init, marked, shown) in [
        ("Uniform(bound: 0.0)", "0.0", "0"),
        ("Uniform(bound: inf)", "inf", "inf"),
        ("Normal(deviation: -0.5)", "-0.5", "-0.5"),
        ("Normal(deviation: NaN)", "NaN", "NaN"),
    ] {
        let problem = format!("{shown} is not a positive number");
        let forward = CHAIN.replace("units: 10)", &format!("units: 10), init: {init}"));
        let message = fault(UNITS, &forward, "", Some(Wiring::Fixed));
        assert_says(&message, &problem, marked, "use a finite value above 0");
        let feedback = format!("(from: \"v2\", to: \"v1\", init: {init})");
        let message = fault(UNITS, CHAIN, &feedback, Some(Wiring::Fixed));
        assert_says(&message, &problem, marked, "use a finite value above 0");
    }
    let forward = CHAIN.replace("units: 10)", "units: 10), init: Symmetric");
    assert_says(
        &fault(UNITS, &forward, "", Some(Wiring::Fixed)),
        "projection v2->head cannot start as a copy of itself: Symmetric copies the forward weights",
        "Symmetric",
        "use Kaiming, or give Symmetric to a feedback projection",
    );
}

#[test]
fn a_relay_between_shapes_that_differ_names_both() {
    let units = r#""eye": Input(channels: 3, height: 4, width: 4), "v1": Unit(), "v2": Unit(pool: Mean(2))"#;
    let into = |lower: &str, map: &str| {
        let forward = format!(
            r#"(from: "eye", to: "v1", map: {lower}),
        (from: "eye", to: "v2", map: {map}),
        (from: "v1", to: "v2", map: OneToOne)"#
        );
        fault(units, &forward, "", Some(Wiring::Fixed))
    };
    let conv = "Conv(channels: 8, kernel: 1)";
    assert_says(
        &into("Conv(channels: 6, kernel: 3)", conv),
        "projection v1->v2: hands on 6x2x2 one to one, but v2 expects 8x4x4 from eye->v2",
        "OneToOne",
        "use a Conv that makes 8x4x4, or make eye->v2 one that makes 6x2x2",
    );
    // The pool comes after the drives have met: 8x4x4 is what the relay has to bring, not 8x2x2.
    let sound = format!(
        r#"(from: "eye", to: "v1", map: {conv}), (from: "eye", to: "v2", map: {conv}),
        (from: "v1", to: "v2", map: OneToOne)"#
    );
    let network = build(&network(units, &sound, ""), Some(Wiring::Fixed));
    let v2 = network.unit(network.find("v2").expect("a unit of the circuit"));
    assert_eq!((v2.drive, v2.shape), (Shape::new(8, 4, 4), Shape::new(8, 2, 2)));
    let flat = r#""eye": Input(channels: 3, height: 4, width: 4), "v1": Unit(), "v2": Unit()"#;
    let forward = r#"(from: "eye", to: "v1", map: Dense(units: 5)), (from: "eye", to: "v2", map: Dense(units: 6)),
        (from: "v1", to: "v2", map: OneToOne)"#;
    assert_says(
        &fault(flat, forward, "", Some(Wiring::Fixed)),
        "projection v1->v2: hands on 5 one to one, but v2 expects 6 from eye->v2",
        "OneToOne",
        "use a Dense that makes 6, or make eye->v2 one that makes 5",
    );
}

#[test]
fn a_relay_takes_nothing_that_is_said_of_weights() {
    let chain = |rest: &str| {
        let forward = CHAIN.replace(
            r#"to: "v2", map: Conv(channels: 4, kernel: 3, pad: 1)"#,
            &format!(r#"to: "v2", map: OneToOne, {rest}"#),
        );
        fault(UNITS, &forward, "", Some(Wiring::Fixed))
    };
    for (rest, problem, marked, remedy) in [
        ("plastic: true", "is to learn", "true", "remove plastic"),
        ("density: 0.5", "is given a density of synapses", "0.5", "remove density"),
        ("init: Uniform(bound: 0.5)", "is given first weights", "Uniform(bound: 0.5)", "remove init"),
    ] {
        let problem = format!("projection v1->v2 {problem}, but one to one it has no weights");
        assert_says(&chain(rest), &problem, marked, remedy);
    }
    let relay =
        CHAIN.replace(r#""v2", map: Conv(channels: 4, kernel: 3, pad: 1)"#, r#""v2", map: OneToOne, plastic: false"#);
    let network = build(&network(UNITS, &relay, ""), Some(Wiring::Fixed));
    let learns: Vec<bool> = network.projection_ids().map(|id| network.learns(id)).collect();
    assert_eq!(learns, [true, false, true]);
    assert_says(
        &fault(UNITS, &relay, r#"(from: "v2", to: "v1", init: Normal(deviation: 0.5))"#, Some(Wiring::Fixed)),
        "feedback v2->v1 is given first weights, but what it answers is one to one and has none",
        "Normal(deviation: 0.5)",
        "remove init",
    );
    assert_says(
        &fault(UNITS, &relay, r#"(from: "v2", to: "v1", map: Dense(units: 9))"#, Some(Wiring::Fixed)),
        "feedback v2->v1 is dense, 9 units, but v1->v2, which it answers, is one to one",
        "Dense(units: 9)",
        "remove map: feedback has its partner's geometry",
    );
}
