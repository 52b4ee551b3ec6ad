//! Instruments: what they say is true, and they leave the step as it is.

#[path = "instruments/measures.rs"]
mod measures;
#[path = "instruments/runs.rs"]
mod runs;

use std::collections::BTreeSet;
use std::path::Path;

use synlocal::instruments::{Recorder, Recording};
use synlocal::kernels::{EventCarry, EventCorrelation, Isa};
use synlocal::locality::{Slot, View};
use synlocal::rng::Stream;
use synlocal::simulation::{Batch, Experiment, Simulation};

const PAIRS: usize = 12;

/// The quick start with instruments, changed by `set`.
fn experiment(set: &[&str]) -> Experiment {
    load(set).unwrap_or_else(|error| panic!("{error}"))
}

fn load(set: &[&str]) -> synlocal::Result<Experiment> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks/quickstart.ron");
    let pairs = format!("training.pairs={PAIRS}");
    let set = ["instruments=(every: 1)", &pairs].into_iter().chain(set.iter().copied());
    Experiment::load(&file, &set.map(String::from).collect::<Vec<_>>())
}

struct Bench {
    simulation: Simulation,
    recorder: Recorder,
    image: usize,
    step: u64,
}

impl Bench {
    fn new(experiment: &Experiment) -> Bench {
        let isa = Isa::from_environment().unwrap();
        Bench {
            simulation: experiment.simulation(isa).sharing(),
            recorder: Recorder::new(experiment, isa).expect("the experiment has instruments"),
            image: experiment.input_shape().len(),
            step: 0,
        }
    }

    /// Two views of random images, the second a bit of noise away from the first.
    fn views(&self, step: u64) -> (Vec<f32>, Vec<f32>) {
        let mut rng = Stream::new(3).at(step).rng();
        let stored: Vec<f32> = (0..PAIRS * self.image).map(|_| rng.uniform()).collect();
        let current = stored.iter().map(|value| value + 0.1 * rng.uniform()).collect();
        (stored, current)
    }

    fn record(&mut self) -> Recording {
        self.step += 1;
        let (stored, current) = self.views(self.step);
        let batch = Batch::views(&stored, &current);
        self.recorder.step(&mut self.simulation, batch, self.step).unwrap().1
    }

    fn get(&self, name: &str) -> Vec<f32> {
        self.simulation.get(name).unwrap_or_else(|| panic!("there is no {name}")).to_vec()
    }
}

/// The textbook angle, in degrees.
fn arc_cosine(one: &[f32], other: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
    (dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()).acos().to_degrees()
}

/// Feedback of the whole circuit with one wiring and these first weights.
fn feedback(wiring: &str, init: &str) -> String {
    let ends = [("head", "v3"), ("v3", "v2"), ("v2", "v1")];
    let edges = ends.map(|(from, to)| format!("(from: \"{from}\", to: \"{to}\", wiring: {wiring}{init})"));
    format!("network.feedback=[{}]", edges.join(","))
}

#[test]
fn a_recorded_step_is_the_step_itself() {
    for rule in ["Urf", "Dtp"] {
        let experiment = experiment(&[&format!("learning.rule={rule}")]);
        let mut bench = Bench::new(&experiment);
        let mut plain = bench.simulation.clone();
        for step in 1..=3 {
            let recording = bench.record();
            let (stored, current) = bench.views(step);
            assert_eq!(plain.step(Batch::views(&stored, &current)).loss, recording.loss, "{rule}");
        }
        assert_eq!(plain.state().work(), bench.simulation.state().work(), "{rule}");
        for tensor in plain.tensors() {
            let slot = tensor.slot;
            assert_eq!(plain.state().values(slot), bench.simulation.state().values(slot), "{rule}: {}", tensor.name);
        }
    }
}

#[test]
fn back_propagation_asks_for_what_back_propagation_asks_for() {
    // So does learned feedback that starts as a copy, and stays one.
    let copies = feedback("Learned", ", init: Symmetric");
    for set in [["learning.rule=Bp", "learning.loss.negatives=All"], ["learning.rule=Wired", copies.as_str()]] {
        let mut bench = Bench::new(&experiment(&set));
        for _ in 0..3 {
            let recording = bench.record();
            for (edge, projection) in &recording.feedforward {
                assert_eq!(projection.update_angle, Some(0.0), "{set:?}: {edge}");
            }
            for (edge, feedback) in &recording.feedback {
                let own = set[0] == "learning.rule=Wired";
                assert_eq!(feedback.alignment, own.then_some(0.0), "{set:?}: {edge}");
            }
        }
    }
}

#[test]
fn random_feedback_is_square_to_the_weights_and_misleads_all_but_the_top() {
    let recording = Bench::new(&experiment(&["learning.rule=Rf"])).record();
    assert_eq!(recording.feedback.keys().collect::<Vec<_>>(), ["v2->v1", "v3->v2", "head->v3"]);
    for (edge, feedback) in &recording.feedback {
        let angle = feedback.alignment.unwrap();
        assert!((85.0..95.0).contains(&angle), "{edge}: {angle}");
    }
    let angle = |edge: &str| recording.feedforward[edge].update_angle.unwrap();
    // The head's error comes from the loss, and through no feedback.
    assert_eq!(angle("v3->head"), 0.0);
    for edge in ["retina->v1", "v1->v2", "v2->v3"] {
        assert!((60.0..120.0).contains(&angle(edge)), "{edge}: {}", angle(edge));
    }
}

#[test]
fn learned_feedback_keeps_its_first_distance_from_the_weights() {
    let set = ["learning.rule=Urf", "learning.optimizer=Sgd(rate: 0.05)"];
    let mut bench = Bench::new(&experiment(&set));
    let names = [("v2->v1", "v1->v2"), ("v3->v2", "v2->v3"), ("head->v3", "v3->head")];
    let first =
        names.map(|(back, forth)| (bench.get(&format!("{back}.feedback")), bench.get(&format!("{forth}.weight"))));
    let mut at_first = None;
    for _ in 0..5 {
        // The recording is of the weights that the step begins with.
        let weights = names.map(|(_, forth)| bench.get(&format!("{forth}.weight")));
        let recording = bench.record();
        for ((name, weights), (first_back, first_forth)) in names.iter().zip(&weights).zip(&first) {
            let gap = first_back.iter().zip(first_forth).map(|(back, forth)| back - forth);
            let expected: Vec<f32> = weights.iter().zip(gap).map(|(weight, gap)| weight + gap).collect();
            let (expected, found) = (arc_cosine(weights, &expected), recording.feedback[name.0].alignment.unwrap());
            assert!((expected - found).abs() < 1e-3, "{name:?}: {found}, expected {expected}");
        }
        at_first.get_or_insert(recording.feedback);
    }
    let (now, then) = (bench.record().feedback, at_first.unwrap());
    assert!(now["head->v3"].alignment < then["head->v3"].alignment, "what both learned is common to both");
}

#[test]
fn errors_through_signs_are_set_against_the_weights() {
    let mut bench = Bench::new(&experiment(&["learning.rule=Sign"]));
    let signs: Vec<f32> = bench.get("v3->v2.feedback").iter().map(|weight| weight.signum()).collect();
    let expected = arc_cosine(&bench.get("v2->v3.weight"), &signs);
    let found = bench.record().feedback["v3->v2"].alignment.unwrap();
    assert!((expected - found).abs() < 1e-3, "{found}, expected {expected}");
}

#[test]
fn densities_and_work_are_what_a_count_of_events_gives() {
    // Margins that leave some images without an error: half of the positive pairs are within theirs, and no negative.
    let distances = Bench::new(&experiment(&["learning.rule=Urf"])).record().heads["head"].distances;
    let (positive, negative) = (distances.positive.unwrap(), distances.negative / 2.0);
    let loss = format!("learning.loss=ContrastiveHinge(negatives: Stored(2), margins: ({positive}, {negative}))");
    // Densities from which on events are no longer the faster way to learn from pooled packets and to carry them.
    let ways = [
        ("Direct", EventCorrelation::DENSEST, EventCarry::DENSEST),
        ("Winograd", EventCorrelation::DENSEST_POOLED_BESIDE_TILES, EventCarry::DENSEST_BESIDE_TILES),
    ];
    for (negatives, (way, learning, carrying)) in
        ["Stored(2)", "All"].into_iter().flat_map(|of| ways.map(|way| (of, way)))
    {
        let negatives = format!("learning.loss.negatives={negatives}");
        let way = format!("learning.arithmetic.convolution={way}");
        let experiment = experiment(&["learning.rule=Urf", &loss, &negatives, &way]);
        let views = if negatives.ends_with("All") { &View::BOTH[..] } else { &[View::Current] };
        let mut bench = Bench::new(&experiment);
        let recording = bench.record();
        let (network, state) = (experiment.network(), bench.simulation.state());
        // Of a unit's packets: the share of events, and how many images had none.
        let count = |name: &str| {
            let unit = network.find(name).unwrap();
            let packets: Vec<Vec<f32>> = views.iter().map(|&view| state.packet(unit, view)).collect();
            let (all, len) = (packets.concat(), network.unit(unit).drive.len());
            assert_eq!(all.len(), views.len() * PAIRS * len, "{name}");
            let events = all.iter().filter(|&&value| value != 0.0).count();
            let silent = all.chunks(len).filter(|packet| packet.iter().all(|&value| value == 0.0)).count();
            (events as f64 / all.len() as f64, silent as u64)
        };
        let lines = experiment.stages()[0].plan.lines(network);
        let planned = |verb: &str, edge: &str| {
            let lines = lines.iter().filter(|line| line.verb == verb && line.subject == edge);
            PAIRS as u64 * lines.map(|line| line.multiply_adds).sum::<u64>()
        };
        // What a unit's packets take at `each` multiply-adds an image: between convolved units, those of single events where
        // these are few; else all of the images that have any.
        let taken = |edge: &str, unit: &str, each: u64, densest: f64| {
            let len = network.unit(network.find(unit).unwrap()).drive.len();
            let of_view = |&view: &View| {
                let packets = state.packet(network.find(unit).unwrap(), view);
                let counts = packets.chunks(len).map(|packet| packet.iter().filter(|&&value| value != 0.0).count());
                let counts: Vec<usize> = counts.filter(|&count| count > 0).collect();
                let (events, places) = (counts.iter().sum::<usize>(), counts.len() * len);
                let few = (events as f64) < densest * places as f64;
                let single = ["v1->v2", "v2->v3", "v2->v1", "v3->v2"].contains(&edge) && few;
                if single { events as u64 * each / len as u64 } else { counts.len() as u64 * each }
            };
            views.iter().map(of_view).sum::<u64>()
        };
        let mut skipped = 0;
        for (edge, projection) in &recording.feedforward {
            let (density, silent) = count(edge.split("->").last().unwrap());
            assert_eq!(projection.density, Some(density), "{edge}");
            assert_eq!((projection.drive.done, projection.drive.skipped), (planned("drive", edge), 0), "{edge}");
            let learn = planned("learn", edge);
            let done = taken(edge, edge.split("->").last().unwrap(), learn / (views.len() * PAIRS) as u64, learning);
            assert_eq!((projection.learn.done, projection.learn.skipped), (done, learn - done), "{edge}");
            skipped += silent;
        }
        for (edge, feedback) in &recording.feedback {
            let (density, _) = count(edge.split("->").next().unwrap());
            assert_eq!(feedback.density, Some(density), "{edge}");
            let carry = planned("carry", edge);
            let done = taken(edge, edge.split("->").next().unwrap(), carry / (views.len() * PAIRS) as u64, carrying);
            assert_eq!((feedback.carry.done, feedback.carry.skipped), (done, carry - done), "{edge}");
        }
        assert_eq!((recording.feedforward.len(), recording.feedback.len()), (4, 3));
        assert!(skipped > 0, "no image was without error");
    }
}

#[test]
fn saturated_and_dead_units_are_those_of_the_current_view() {
    let mut bench = Bench::new(&experiment(&["network.units.v2=Unit(pool: Max(2), transfer: Relu)"]));
    // Three channels of v1 are driven far out, two never; the first of v2 hears of the former that it should be silent.
    let mut weights = bench.get("retina->v1.weight");
    weights[..3 * 27].fill(10.0);
    weights[3 * 27..5 * 27].fill(0.0);
    bench.simulation.set("retina->v1.weight", &weights).unwrap();
    let mut weights = bench.get("v1->v2.weight");
    weights[..3 * 9].fill(-100.0);
    bench.simulation.set("v1->v2.weight", &weights).unwrap();
    let units = bench.record().units;
    let (network, state) = (bench.simulation.network(), bench.simulation.state());
    let count = |name: &str| {
        let unit = network.find(name).unwrap();
        let activity = state.activity(unit, View::Current);
        let (len, channels) = (network.unit(unit).shape.len(), network.unit(unit).shape.channels);
        let saturated = activity.iter().filter(|value| value.abs() >= 0.99).count() as f64 / activity.len() as f64;
        let channel = |sample: &[f32], channel: usize| sample[channel * len / channels..][..len / channels].to_vec();
        let same = |&own: &usize| activity.chunks(len).all(|sample| channel(sample, own) == channel(&activity, own));
        (saturated, (0..channels).filter(same).count() as f64 / channels as f64)
    };
    let (saturated, dead) = count("v1");
    assert_eq!((units["v1"].saturated, units["v1"].dead), (Some(saturated), dead));
    assert!(saturated >= 3.0 / 16.0 && dead == 5.0 / 16.0, "{saturated}, {dead}");
    let (_, dead) = count("v2");
    assert_eq!((units["v2"].saturated, units["v2"].dead), (None, dead));
    assert!((1.0 / 32.0..0.5).contains(&dead), "{dead}");
    assert_eq!((units["head"].saturated, units["head"].dead), (None, 0.0));
    assert_eq!(units.keys().collect::<Vec<_>>(), ["v1", "v2", "v3", "head"]);
}

#[test]
fn an_update_is_as_long_as_the_way_that_the_weights_went() {
    let mut bench = Bench::new(&experiment(&["network.feedforward[1].map.bias=true"]));
    for _ in 0..2 {
        let (before, bias) = (bench.get("v1->v2.weight"), bench.get("v1->v2.bias"));
        let recording = bench.record();
        let length = |values: &[f32]| values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        let close = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-4, "{found}, {expected}");
        close(recording.feedforward["v1->v2"].weights, length(&before));
        let after = [bench.get("v1->v2.weight"), bench.get("v1->v2.bias")].concat();
        let way: Vec<f32> = [before, bias].concat().iter().zip(&after).map(|(before, after)| before - after).collect();
        close(recording.feedforward["v1->v2"].update.unwrap(), length(&way));
    }
}

#[test]
fn inverses_have_a_reconstruction_loss_and_no_angle() {
    let mut bench = Bench::new(&experiment(&["learning.rule=Dtp"]));
    let recording = bench.record();
    let network = bench.simulation.network();
    for (id, feedback) in network.feedback_ids().zip(network.feedback()) {
        let record = &recording.feedback[&feedback.name];
        assert_eq!(record.alignment, None, "{}", feedback.name);
        assert_eq!(record.reconstruction, bench.simulation.state().reconstruction(id), "{}", feedback.name);
    }
    assert_eq!(recording.feedback.values().filter(|record| record.reconstruction > Some(0.0)).count(), 2);
    assert!(recording.feedforward.values().all(|projection| projection.update_angle.is_some()));
}

#[test]
fn a_block_that_rests_is_left_out() {
    let blocks = r#"network.blocks=[(units: ["v1"], head: "h1"), (units: ["v2", "v3"], head: "head")]"#;
    let side = r#"network.units.h1=Unit()"#;
    let conv = |from, to| format!("(from: \"{from}\", to: \"{to}\", map: Conv(channels: 8, kernel: 3, pad: 1))");
    let dense = |from, to| format!("(from: \"{from}\", to: \"{to}\", map: Dense(units: 8))");
    let edges = [conv("retina", "v1"), dense("v1", "h1"), conv("v1", "v2"), conv("v2", "v3"), dense("v3", "head")];
    let edges = format!("network.feedforward=[{}]", edges.join(", "));
    let mut bench = Bench::new(&experiment(&[blocks, side, &edges, "learning.staging=Greedy", "learning.rule=Bp"]));
    for (stage, block, units, learning, driving, feedback) in [
        (0, "v1", &["v1", "h1"][..], &["retina->v1", "v1->h1"][..], &[][..], &["h1->v1"][..]),
        (
            1,
            "v3",
            &["v1", "v2", "v3", "head"],
            &["v1->v2", "v2->v3", "v3->head"],
            &["retina->v1"],
            &["v3->v2", "head->v3"],
        ),
    ] {
        bench.simulation.enter(stage);
        let recording = bench.record();
        assert_eq!(recording.block.as_deref(), Some(block));
        let mut names: Vec<&str> = recording.units.keys().map(String::as_str).collect();
        names.sort_by_key(|name| units.iter().position(|unit| unit == name));
        assert_eq!(names, units);
        assert_eq!(recording.heads.len(), 1);
        let sorted = |names: Vec<&str>| names.into_iter().map(String::from).collect::<BTreeSet<String>>();
        let edges: BTreeSet<String> = recording.feedforward.keys().cloned().collect();
        assert_eq!(edges, sorted([driving, learning].concat()), "{block}");
        let answers: BTreeSet<String> = recording.feedback.keys().cloned().collect();
        assert_eq!(answers, sorted(feedback.to_vec()), "{block}");
        for (edge, projection) in &recording.feedforward {
            let learns = learning.contains(&edge.as_str());
            assert_eq!(projection.update_angle, learns.then_some(0.0), "{block}: {edge}");
            assert_eq!(projection.update.is_some(), learns, "{block}: {edge}");
        }
    }
}

#[test]
fn recordings_do_not_depend_on_the_number_of_threads() {
    let experiment = experiment(&["learning.rule=Urf"]);
    let lines = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut bench = Bench::new(&experiment);
        (0..3).map(|_| serde_json::to_string(&pool.install(|| bench.record())).unwrap()).collect::<Vec<_>>()
    };
    let one = lines(1);
    assert_eq!(one, lines(2));
    assert_eq!(one, lines(4));
}

#[test]
fn a_recording_is_the_same_read_again() {
    let recording = Bench::new(&experiment(&["learning.rule=Rf"])).record();
    let line = serde_json::to_string(&recording).unwrap();
    assert_eq!(serde_json::from_str::<Recording>(&line).unwrap(), recording);
    assert!(!line.contains("null"), "{line}");
}

#[test]
fn an_experiment_without_instruments_has_none() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks/quickstart.ron");
    let experiment = Experiment::load(&file, &[]).unwrap();
    assert!(experiment.instruments().is_none() && Recorder::new(&experiment, Isa::best()).is_none());
    assert_eq!(load(&["instruments=()"]).unwrap().instruments().unwrap().every, 10);
}

#[test]
fn instruments_that_cannot_be_are_refused() {
    let never = load(&["instruments=(every: 0)"]).unwrap_err().to_string();
    assert!(never.contains("every 0 steps") && never.contains("at least 1"), "{never}");
    // Back-propagation would add feedback of that name.
    let taken = r#"network.feedforward[1].name="v2->v1""#;
    let named = r#"network.feedback=[(from: "v2", to: "v1", name: "back")]"#;
    assert!(load(&[taken, named, "instruments=None"]).is_ok());
    let taken = load(&[taken, named]).unwrap_err().to_string();
    assert!(taken.contains("two projections are called `v2->v1`") && taken.contains("remove instruments"), "{taken}");
}

#[test]
fn a_reference_begins_with_the_same_first_weights() {
    let experiment = experiment(&["learning.rule=Sign"]);
    let isa = Isa::from_environment().unwrap();
    let (simulation, reference) = (experiment.simulation(isa), experiment.reference(isa).unwrap());
    let weights = |simulation: &Simulation| -> Vec<(Slot, Vec<f32>)> {
        simulation.forward_weights().map(|(slot, values)| (slot, values.to_vec())).collect()
    };
    assert_eq!(weights(&simulation), weights(&reference));
}
