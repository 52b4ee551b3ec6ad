//! Ways to the same result, over circuits drawn at random: fast kernels and plain sums agree to rounding, and what is
//! taken in one beat, step by step, live, or on other threads has the same bits.

use std::fmt::Write;

use synlocal::kernels::arithmetic::Arithmetic;
use synlocal::locality::{Tally, Work};
use synlocal::rng::Rng;

use super::*;

/// Steps of each comparison.
const STEPS: u64 = 2;

/// A circuit of units above each other.
struct Drawing {
    rng: Rng,
    units: String,
    feedforward: String,
    /// Channels and side of each unit so far.
    known: Vec<(usize, usize)>,
    /// Whether each drives another.
    drives: Vec<bool>,
}

/// A drawn circuit and the values of one of its images.
struct Circuit {
    text: String,
    image: usize,
}

fn one<T: Copy>(rng: &mut Rng, choices: &[T]) -> T {
    choices[rng.below(choices.len())]
}

/// A circuit of every map, with skips; or a chain of what inverses can undo.
fn circuit(number: u64, chain: bool) -> Circuit {
    let mut rng = Stream::new(13).named("ways").at(number).rng();
    let (channels, side) = (one(&mut rng, &[1, 3, 16]), one(&mut rng, &[7, 8, 12]));
    let units = format!("\"u0\": Input(channels: {channels}, height: {side}, width: {side}), ");
    let (known, drives) = (vec![(channels, side)], vec![true]);
    let mut drawing = Drawing { rng, units, feedforward: String::new(), known, drives };
    for _ in 0..2 + drawing.rng.below(3) {
        drawing.unit(chain);
    }
    let tops: Vec<usize> = (0..drawing.known.len()).filter(|&unit| !drawing.drives[unit]).collect();
    for top in tops {
        let transfer = one(&mut drawing.rng, &["Linear", "Tanh"]);
        write!(drawing.units, "\"h{top}\": Unit(transfer: {transfer}), ").unwrap();
        drawing.join(top, &format!("h{top}"), "Dense(units: 9)");
    }
    let Drawing { units, feedforward, .. } = drawing;
    let text = format!("Network(units: {{{units}}}, feedforward: [{feedforward}])");
    Circuit { text, image: channels * side * side }
}

impl Drawing {
    fn unit(&mut self, chain: bool) {
        let (rng, last) = (&mut self.rng, self.known.len() - 1);
        let below = if chain || rng.below(3) > 0 { last } else { rng.below(last + 1) };
        let side = self.known[below].1;
        let channels = one(rng, &[1, 5, 16, 17, 17, 33]);
        let bias = one(rng, &["", ", bias: true"]);
        let (map, mut drive) = match rng.below(if chain { 4 } else { 7 }) {
            0..=4 => {
                let kernel = one(rng, &[1, 3, 3, 3, 5]);
                let stride = if kernel > 1 && side > 4 { one(rng, &[1, 1, 1, 2]) } else { 1 };
                let pad = if kernel > side { kernel / 2 } else { rng.below(kernel / 2 + 1) };
                let geometry = format!("kernel: {kernel}, stride: {stride}, pad: {pad}");
                (format!("Conv(channels: {channels}, {geometry}{bias})"), (side + 2 * pad - kernel) / stride + 1)
            }
            5 => (format!("Local(channels: {channels}, kernel: 3, pad: 1{bias})"), side),
            _ => {
                let stride = if side < 8 { one(rng, &[1, 2]) } else { 1 };
                let map = format!("TransposedConv(channels: {channels}, kernel: 3, stride: {stride}, pad: 1{bias})");
                (map, (side - 1) * stride + 1)
            }
        };
        let pools: &[(&str, usize)] =
            &[("", 1), ("", 1), ("pool: Max(2), ", 2), ("pool: Max(3), ", 3), ("pool: Mean(2), ", 2)];
        let (pool, size) = one(rng, pools);
        // A single map may be silent for good.
        let transfers = if channels > 1 { &["Linear", "HardTanh", "Tanh", "Relu"][..] } else { &["Tanh"] };
        let transfer = one(rng, transfers);
        let second = (0..last).find(|&other| other != below && self.known[other].1 == drive);
        let second = second.filter(|_| !chain && rng.below(2) == 0);
        let pool = if size <= drive { pool } else { "" };
        let name = format!("u{}", last + 1);
        write!(self.units, "\"{name}\": Unit({pool}transfer: {transfer}), ").unwrap();
        self.join(below, &name, &map);
        if let Some(second) = second {
            let kernel = one(&mut self.rng, &[1, 3]);
            self.join(second, &name, &format!("Conv(channels: {channels}, kernel: {kernel}, pad: {})", kernel / 2));
        }
        drive /= if pool.is_empty() { 1 } else { size };
        self.known.push((channels, drive));
        self.drives.push(false);
    }

    fn join(&mut self, below: usize, name: &str, map: &str) {
        write!(self.feedforward, "(from: \"u{below}\", to: \"{name}\", map: {map}), ").unwrap();
        self.drives[below] = true;
    }
}

/// A simulation at its start.
fn simulation(text: &str, learning: &Learning, arithmetic: Arithmetic) -> Simulation {
    let document = Document::new("test", text);
    let spec: NetworkSpec = document.parse().unwrap_or_else(|faults| panic!("{}", document.error(faults)));
    let learning = Learning { arithmetic, ..learning.clone() };
    let network = learning.teach(&spec).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    Simulation::new(network, learning, PAIRS, 3).unwrap()
}

/// Takes steps as `step` does, on views that follow from `seed`.
fn taken(mut simulation: Simulation, image: usize, seed: u64, step: impl Fn(&mut Simulation, Batch<'_>)) -> Simulation {
    for index in 0..STEPS {
        let (stored, current) = views(1000 * seed + index, PAIRS * image);
        step(&mut simulation, Batch::views(&stored, &current));
    }
    simulation
}

fn step(simulation: &mut Simulation, batch: Batch<'_>) {
    simulation.step(batch);
}

/// The largest of some magnitudes; what is no number is larger than any.
fn largest(values: impl Iterator<Item = f32>) -> f32 {
    values.fold(0.0, |largest, value| if value.abs() <= largest { largest } else { value.abs() })
}

/// Every lasting value of a simulation.
fn values(simulation: &Simulation) -> impl Iterator<Item = f32> {
    simulation.tensors().into_iter().flat_map(|tensor| simulation.get(&tensor.name).unwrap()).copied()
}

/// The largest distance between the lasting values of two simulations.
fn apart(one: &Simulation, other: &Simulation) -> f32 {
    largest(values(one).zip(values(other)).map(|(one, other)| one - other))
}

/// Demands that every arithmetic takes the circuit to where plain sums take it, from one of several batches: at a
/// threshold, a last bit may turn an error on or off. Gives those of which rounding tells that they went another way.
fn assert_ways_agree(what: &str, text: &str, image: usize, learning: &Learning) -> Vec<Arithmetic> {
    let mut others = Vec::new();
    for arithmetic in Arithmetic::ALL.into_iter().filter(|arithmetic| *arithmetic != Arithmetic::PLAIN) {
        let start = simulation(text, learning, Arithmetic::PLAIN);
        // No weight can come closer than to its last bit.
        let bit = f32::EPSILON * largest(values(&start));
        let mut seen = Vec::new();
        let agrees = (0..4).any(|seed| {
            let plain = taken(start.clone(), image, seed, step);
            let other = taken(simulation(text, learning, arithmetic), image, seed, step);
            let (change, apart) = (apart(&plain, &start), apart(&plain, &other));
            seen.push((change, apart));
            change > 0.0 && apart <= 1e-4 * change + bit
        });
        assert!(agrees, "{what} by {arithmetic}: (largest change, apart by) on each batch {seen:?}\n{text}");
        if seen.iter().any(|(_, apart)| *apart > 0.0) {
            others.push(arithmetic);
        }
    }
    others
}

/// Every rule, with the first circuits of the kind that it can teach and a loss for each.
fn taught() -> impl Iterator<Item = (String, Circuit, Learning)> {
    let rules = Rule::ALL.iter().copied().filter(|rule| *rule != Rule::Wired);
    rules.flat_map(|rule| {
        (0..20).map(move |number| {
            let mut learning = learning(rule, Optimizer::Sgd { rate: 0.1, momentum: 0.5 });
            let negatives = [Negatives::Stored(2), Negatives::All, Negatives::Stored(4)][number as usize % 3];
            let hinge = ContrastiveHinge { negatives, margins: (0.1, 2.5), ..ContrastiveHinge::default() };
            learning.loss = Loss::ContrastiveHinge(hinge);
            let circuit = circuit(number, learning.propagates_targets());
            (format!("circuit {number}, {rule:?}, {negatives:?}"), circuit, learning)
        })
    })
}

#[test]
fn every_arithmetic_leads_where_plain_sums_lead() {
    let mut others = Vec::new();
    for (what, Circuit { text, image }, learning) in taught() {
        others.extend(assert_ways_agree(&what, &text, image, &learning));
    }
    for arithmetic in Arithmetic::ALL.into_iter().filter(|arithmetic| *arithmetic != Arithmetic::PLAIN) {
        let circuits = others.iter().filter(|other| **other == arithmetic).count();
        assert!(8 * circuits > taught().count(), "{arithmetic} is another way in {circuits} circuits alone");
    }
}

#[test]
fn beats_steps_and_the_live_walk_give_the_same_bits_on_any_number_of_threads() {
    for (what, Circuit { text, image }, learning) in taught() {
        let start = simulation(&text, &learning, Arithmetic::default()).sharing();
        let after = |threads: usize, step: fn(&mut Simulation, Batch<'_>)| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            bits(&pool.install(|| taken(start.clone(), image, 0, step)))
        };
        let beats = after(1, step);
        assert!(beats != bits(&start), "{what}: nothing is learned\n{text}");
        let observed = after(1, |simulation, batch| {
            simulation.step_observed(batch, &mut |_, _| {});
        });
        assert!(beats == observed, "{what}, step by step\n{text}");
        let walked = after(1, |simulation, batch| {
            simulation.walk(batch);
        });
        assert!(beats == walked, "{what}, live\n{text}");
        assert!(beats == after(3, step), "{what}, on three threads\n{text}");
    }
}

/// The work of one step in the given arithmetic.
fn work(text: &str, learning: &Learning, arithmetic: Arithmetic, stored: &[f32], current: &[f32]) -> Tally {
    let mut simulation = simulation(text, learning, arithmetic);
    simulation.step(Batch::views(stored, current));
    simulation.state().work()
}

fn all(work: Work) -> u64 {
    work.done + work.skipped
}

/// Of sixteen places one wins, in maps that tiles suit and in maps that they do not.
const POOLED: &str = r#"Network(
    units: {
        "eye": Input(channels: 3, height: 16, width: 16),
        "v1": Unit(transfer: Tanh), "v2": Unit(pool: Max(4), transfer: HardTanh),
        "w1": Unit(transfer: Tanh), "w2": Unit(pool: Max(4), transfer: HardTanh), "head": Unit(),
    },
    feedforward: [
        (from: "eye", to: "v1", map: Conv(channels: 17, kernel: 3, pad: 1)),
        (from: "v1", to: "v2", map: Conv(channels: 33, kernel: 3, pad: 1)),
        (from: "eye", to: "w1", map: Conv(channels: 5, kernel: 3, pad: 1)),
        (from: "w1", to: "w2", map: Conv(channels: 7, kernel: 3, pad: 1)),
        (from: "v2", to: "head", map: Dense(units: 8)),
        (from: "w2", to: "head", map: Dense(units: 8)),
    ],
)"#;

#[test]
fn few_events_are_carried_and_learned_from_one_by_one_and_to_the_same_end() {
    let learning = learning(Rule::Urf, Optimizer::Sgd { rate: 0.1, momentum: 0.0 });
    let image = 3 * 16 * 16;
    assert_eq!(assert_ways_agree("few events", POOLED, image, &learning).len(), 3);
    let (stored, current) = views(0, PAIRS * image);
    let events = work(POOLED, &learning, Arithmetic::default(), &stored, &current);
    let plain = work(POOLED, &learning, Arithmetic::PLAIN, &stored, &current);
    let network = simulation(POOLED, &learning, Arithmetic::PLAIN).network().clone();
    for (id, edge) in network.feedback_ids().enumerate() {
        let ends = network.answer(edge);
        let name = network.unit(ends.from).name.as_str();
        let (few, whole) = (events.carry[id], plain.carry[id]);
        assert_eq!(all(few), all(whole), "{name}");
        if name != "head" {
            assert!(few.done > 0 && 10 * few.done < all(few), "{name}: {few:?} beside {whole:?}");
        }
    }
    for (edge, name) in ["v1->v2", "w1->w2"].into_iter().enumerate() {
        let learn = events.learn[2 * edge + 1];
        assert!(learn.done > 0 && 10 * learn.done < all(learn), "{name}: {learn:?}");
    }
}

#[test]
fn samples_that_satisfy_their_margins_ask_for_nothing() {
    let mut learning = learning(Rule::Bp, Optimizer::Sgd { rate: 0.1, momentum: 0.0 });
    // Views that are alike are near enough, and other images far enough.
    let negatives = Negatives::Stored(2);
    learning.loss =
        Loss::ContrastiveHinge(ContrastiveHinge { negatives, margins: (1e-3, 1e-3), ..ContrastiveHinge::default() });
    let image = 3 * 16 * 16;
    let (stored, mut current) = views(0, PAIRS * image);
    let awake = PAIRS / 3;
    current[awake * image..].copy_from_slice(&stored[awake * image..]);
    for arithmetic in Arithmetic::ALL {
        let tally = work(POOLED, &learning, arithmetic, &stored, &current);
        for work in tally.carry.iter().chain(&tally.learn) {
            let most = all(*work) * awake as u64 / PAIRS as u64;
            assert!(work.done > 0 && work.done <= most, "{arithmetic}: {work:?}, of which {most} may be done");
        }
    }
    let after = |arithmetic| {
        let mut simulation = simulation(POOLED, &learning, arithmetic);
        simulation.step(Batch::views(&stored, &current));
        simulation
    };
    let (start, plain) = (simulation(POOLED, &learning, Arithmetic::PLAIN), after(Arithmetic::PLAIN));
    for arithmetic in Arithmetic::ALL {
        let share = apart(&after(arithmetic), &plain) / apart(&start, &plain);
        assert!(share < 1e-3, "{arithmetic}: apart by {share} of the largest change");
    }
}
