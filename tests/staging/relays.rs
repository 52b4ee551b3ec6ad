//! Blocks whose heads see a pool: a relay stands between, which goes when the head goes.

use synlocal::learning::Rule;
use synlocal::simulation::Experiment;

use crate::{assert_within, bits, experiment, projection, rules, simulation, step};

/// Two blocks, each with a relay into a mean pool before its head, and a pool between the blocks that relays, too.
const BLOCKS: &str = r#"Network(
    units: {
        "retina": Input(channels: 3, height: 32, width: 32),
        "v1": Unit(pool: Max(4), transfer: HardTanh), "p1": Unit(pool: Mean(2)), "h1": Unit(),
        "v2": Unit(transfer: HardTanh), "small": Unit(pool: Max(2)), "p2": Unit(pool: Mean(2)), "h2": Unit(),
        "v3": Unit(transfer: Tanh), "mean": Unit(pool: Mean(2)), "h3": Unit(),
    },
    feedforward: [
        (from: "retina", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
        (from: "v1", to: "p1", map: OneToOne),
        (from: "p1", to: "h1", map: Dense(units: 8)),
        (from: "v1", to: "v2", map: Conv(channels: 6, kernel: 3, pad: 1)),
        (from: "v2", to: "small", map: OneToOne),
        (from: "small", to: "p2", map: OneToOne),
        (from: "p2", to: "h2", map: Dense(units: 8)),
        (from: "small", to: "v3", map: Conv(channels: 5, kernel: 3, pad: 1)),
        (from: "v3", to: "mean", map: OneToOne),
        (from: "mean", to: "h3", map: Dense(units: 8)),
    ],
    blocks: [
        (units: ["v1", "p1"], head: "h1"),
        (units: ["v2", "small", "p2"], head: "h2"),
        (units: ["v3", "mean"], head: "h3"),
    ],
)"#;

const OWN: [[&str; 2]; 3] = [["p1->h1", "retina->v1"], ["p2->h2", "v1->v2"], ["mean->h3", "small->v3"]];

fn read_out(experiment: &Experiment) -> &str {
    &experiment.network().unit(experiment.readout_unit()).name
}

#[test]
fn relays_that_only_heads_hear_are_not_read_out() {
    let greedy = experiment(BLOCKS, "Greedy", Rule::Urf, 1);
    let tops: Vec<&str> = greedy.block_tops().into_iter().map(|top| greedy.network().unit(top).name.as_str()).collect();
    // The next block builds on "small", though it is a relay.
    assert_eq!(tops, ["v1", "small", "v3"]);
    assert_eq!(read_out(&greedy), "v3");
    let stages: Vec<String> = greedy.stages().into_iter().map(|stage| stage.name).collect();
    assert_eq!(stages, tops);
    assert_eq!(read_out(&experiment(BLOCKS, "EndToEnd", Rule::Urf, 1)), "v3");
    let plain = BLOCKS.split("    blocks:").next().unwrap().to_string() + ")";
    assert_eq!(read_out(&experiment(&plain, "EndToEnd", Rule::Urf, 1)), "v3");
    // A relay from an input is no encoder: what is below the head of such a circuit is the relay.
    let pixels = r#"Network(
        units: { "retina": Input(channels: 3, height: 32, width: 32), "mean": Unit(pool: Mean(4)), "head": Unit() },
        feedforward: [(from: "retina", to: "mean", map: OneToOne), (from: "mean", to: "head", map: Dense(units: 8))],
    )"#;
    assert_eq!(read_out(&experiment(pixels, "EndToEnd", Rule::Urf, 1)), "mean");
}

#[test]
fn blocks_with_relays_change_their_own_weights_and_no_other() {
    for rule in rules() {
        let start = simulation(&experiment(BLOCKS, "Greedy", rule, 1));
        let before = bits(&start);
        for (stage, own) in OWN.iter().enumerate() {
            let mut one = start.clone();
            step(&mut one, stage, 0);
            for (name, after) in bits(&one) {
                let of = projection(&name);
                let learns = own.contains(&of);
                if name.ends_with(".weight") {
                    assert_eq!(before[&name] != after, learns, "{rule:?}, stage {stage}: {name}");
                }
            }
        }
    }
}

#[test]
fn a_greedy_stage_learns_as_its_block_would_alone() {
    let blocks = simulation(&experiment(BLOCKS, "Greedy", Rule::Urf, 1));
    let alone = r#"Network(
        units: {
            "retina": Input(channels: 3, height: 32, width: 32),
            "v1": Unit(pool: Max(4), transfer: HardTanh), "p1": Unit(pool: Mean(2)), "h1": Unit(),
        },
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
            (from: "v1", to: "p1", map: OneToOne),
            (from: "p1", to: "h1", map: Dense(units: 8)),
        ],
    )"#;
    let (mut all, mut one) = (blocks.clone(), simulation(&experiment(alone, "EndToEnd", Rule::Urf, 1)));
    for number in 0..3 {
        assert_eq!(step(&mut all, 0, number), step(&mut one, 0, number));
    }
    assert_within(&bits(&one), &bits(&all), "block 1");
}
