//! Heads that predict the unit below them, and heads that name classes: what a circuit does with them, and which ones
//! it refuses.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use synlocal::Error;
use synlocal::document::Document;
use synlocal::kernels::Isa;
use synlocal::learning::Rule;
use synlocal::loss::{Clapp, Comparison, Embeddings, Errors, Labels, Loss, Negatives, StoredView, Workspace};
use synlocal::network::{Network, NetworkSpec, Teaching, Wiring};
use synlocal::optimizer::Optimizer;
use synlocal::rng::Stream;
use synlocal::simulation::{Batch, Experiment, Folders, Learning, Position, Simulation, Trainer};

/// Two predictions, one of them over space; the upper one's error reaches the unit that the lower one predicts.
const TWO_PREDICTIONS: &str = r#"Network(
    units: {
        "retina": Input(channels: 2, height: 5, width: 4),
        "v1": Unit(transfer: Tanh), "v1 to come": Unit(),
        "v2": Unit(transfer: Tanh), "v2 to come": Unit(),
    },
    feedforward: [
        (from: "retina", to: "v1", map: Conv(channels: 3, kernel: 3, pad: 1, bias: true), init: Uniform(bound: 0.7)),
        (from: "v1", to: "v1 to come", map: Conv(channels: 3, kernel: 1), init: Uniform(bound: 1.5)),
        (from: "v1", to: "v2", map: Dense(units: 6, bias: true), init: Uniform(bound: 0.3)),
        (from: "v2", to: "v2 to come", map: Dense(units: 6), init: Uniform(bound: 1.0)),
    ],
)"#;

const PAIRS: usize = 5;

/// The loss of both heads, with short-term memory as `before` would fill it.
fn loss_of(before: &Simulation, now: &Simulation, stored: &[f32], current: &[f32]) -> Comparison {
    let mut sum = Comparison::default();
    let encode = |simulation: &Simulation, images: &[f32], unit| {
        let mut embeddings = Vec::new();
        simulation.clone().encode(images, simulation.network().find(unit).unwrap(), &mut embeddings);
        embeddings
    };
    for (below, head) in [("v1", "v1 to come"), ("v2", "v2 to come")] {
        let network = now.network();
        let (memory, prediction) = (encode(before, stored, below), encode(now, current, head));
        let (mut stored_error, mut error) = (vec![0.0; memory.len()], vec![0.0; prediction.len()]);
        let seen = Embeddings {
            shape: network.unit(network.find(head).unwrap()).shape,
            stored: &memory,
            current: &prediction,
            labels: Labels::default(),
        };
        let errors = Errors { stored: Some(&mut stored_error), current: &mut error };
        sum.add(now.learning().loss.compare(seen, errors, &mut Workspace::default()));
    }
    sum
}

#[test]
fn a_step_of_clapp_is_the_derivative_that_finite_differences_give() {
    const STEP: f32 = 0.01;
    let mut first_changes = Vec::new();
    for (negatives, gradient_block) in
        [(Negatives::Stored(1), None), (Negatives::Stored(1), Some(false)), (Negatives::All, None)]
    {
        let loss = Loss::Clapp(Clapp { negatives, weight: 0.5, gradient_block });
        let optimizer = Optimizer::Sgd { rate: 1.0, momentum: 0.0 };
        let learning = Learning { rule: Rule::Bp, loss: loss.clone(), optimizer, ..Learning::default() };
        let spec: NetworkSpec = Document::new("test", TWO_PREDICTIONS).parse().expect("the circuit is legal RON");
        let network = Network::build(&spec, Teaching::wired(Wiring::Transported)).expect("the circuit is legal");
        let simulation = Simulation::new(network, learning, PAIRS, 6).unwrap();
        let mut rng = Stream::new(9).rng();
        let mut view = || (0..PAIRS * 40).map(|_| rng.uniform()).collect::<Vec<f32>>();
        let (stored, current) = (view(), view());
        let mut stepped = simulation.clone();
        let found = stepped.step(Batch::views(&stored, &current));
        let expected = loss_of(&simulation, &simulation, &stored, &current);
        assert_eq!((found.active, found.pairs), (expected.active, expected.pairs));
        assert!((found.loss - expected.loss).abs() < 1e-5, "{found:?}, {expected:?}");
        assert!(0 < found.active && found.active < found.pairs, "{found:?}");

        let slope = |name: &str, place: usize| {
            let at = |steps: f32| {
                let mut moved = simulation.clone();
                let mut weights = moved.get(name).unwrap().to_vec();
                weights[place] += steps * STEP;
                moved.set(name, &weights).unwrap();
                // Memory that is a constant stays as it was.
                let before = if loss.stored_view() == StoredView::Learns { &moved } else { &simulation };
                let at = loss_of(before, &moved, &stored, &current);
                (at.active == found.active).then_some(at.loss)
            };
            let (near, far) = (at(1.0)? - at(-1.0)?, at(2.0)? - at(-2.0)?);
            Some((8.0 * near - far) / (12.0 * f64::from(STEP)))
        };
        for name in
            ["retina->v1.weight", "retina->v1.bias", "v1->v1 to come.weight", "v1->v2.weight", "v2->v2 to come.weight"]
        {
            let (old, new) = (simulation.get(name).unwrap(), stepped.get(name).unwrap());
            let change: Vec<f64> = old.iter().zip(new).map(|(old, new)| f64::from(old - new)).collect();
            let scale = change.iter().fold(0.0f64, |most, change| most.max(change.abs()));
            let mut checked = 0;
            for (place, change) in change.iter().enumerate() {
                let Some(slope) = slope(name, place) else { continue };
                assert!((slope - change).abs() < 2e-3 * scale, "{loss:?}, {name}[{place}]: {change}, slope {slope}");
                checked += 1;
            }
            assert!(2 * checked > change.len(), "{loss:?}, {name}: {checked} of {} could be checked", change.len());
        }
        first_changes.push(stepped.get("retina->v1.weight").unwrap().to_vec());
    }
    assert_ne!(first_changes[0], first_changes[1], "what the stored view learns makes a difference");
}

/// The quick start's experiment on a small circuit.
fn experiment(units: &str, feedforward: &str, learning: &str) -> Result<Experiment, Error> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks/quickstart.ron");
    let network = format!(
        r#"network=Network(
            units: {{ "retina": Input(channels: 3, height: 32, width: 32), {units} }},
            feedforward: [(from: "retina", to: "v1", map: Conv(channels: 4, kernel: 8, stride: 8)), {feedforward}],
        )"#
    );
    let set = [
        network,
        format!("learning=(rule: Urf, optimizer: Adam(rate: 1e-3), {learning})"),
        "data=Objects(images: 32, test_images: 8)".to_string(),
        "training=(pairs: 16, epochs: 1)".to_string(),
    ];
    Experiment::load(&file, &set)
}

const UNITS: &str = r#""v1": Unit(transfer: HardTanh), "v2": Unit(transfer: Tanh), "head": Unit()"#;

/// `v2` has 12 units and drives a head of as many as given.
fn dense(head: usize) -> String {
    format!(r#"(from: "v1", to: "v2", map: Dense(units: 12)), (from: "v2", to: "head", map: Dense(units: {head}))"#)
}

#[test]
fn every_loss_trains_a_circuit_that_suits_it() {
    for loss in Loss::all() {
        let learning = format!("loss: {}()", loss.name());
        let experiment = experiment(UNITS, &dense(12), &learning).unwrap_or_else(|error| panic!("{error}"));
        let dataset = experiment.load_data(&Folders::default()).unwrap_or_else(|error| panic!("{error}")).learned;
        let simulation = experiment.simulation(Isa::best());
        let start = simulation.get("retina->v1.weight").unwrap().to_vec();
        let (views, training) = (*experiment.views(), experiment.training().clone());
        let mut trainer = Trainer::new(simulation, &dataset, views, training, Position::default()).unwrap();
        let mut losses = Vec::new();
        let outcome =
            trainer.run(&AtomicBool::new(false), &mut |progress| losses.push(progress.found.loss), &mut |_, _| Ok(()));
        assert!(outcome.unwrap().complete, "{loss:?}");
        assert!(losses.len() == 2 && losses.iter().all(|loss| *loss > 0.0), "{loss:?}: {losses:?}");
        assert_ne!(trainer.simulation().get("retina->v1.weight").unwrap(), start, "{loss:?}");
    }
}

fn refusal(units: &str, feedforward: &str, learning: &str) -> String {
    experiment(units, feedforward, learning).expect_err(learning).to_string()
}

#[test]
fn a_head_that_cannot_predict_what_is_below_it_is_a_fault() {
    let (clapp, learns) = ("loss: Clapp()", "loss: Clapp(gradient_block: false)");
    let says = |message: String, parts: &[&str]| {
        assert_eq!(message.matches("error: Clapp: head").count(), 1, "{message}");
        for part in parts {
            assert!(message.contains(part), "{part}\nis not in\n{message}");
        }
    };
    says(
        refusal(UNITS, &dense(11), clapp),
        &[r#"Clapp: head "head" is 11, but "v2", which it has to predict, is 12"#, "drive it by Dense(units: 12)"],
    );
    let onto_maps = r#"(from: "v1", to: "v2", map: Conv(channels: 5, kernel: 1)),
        (from: "v2", to: "head", map: Dense(units: 80))"#;
    says(
        refusal(UNITS, onto_maps, clapp),
        &["is 80, but \"v2\"", "is 5x4x4", "drive it by Conv(channels: 5, kernel: 1)"],
    );
    let both = r#"(from: "v1", to: "v2", map: Dense(units: 12)), (from: "v2", to: "head", map: Dense(units: 12)),
        (from: "v1", to: "head", map: Dense(units: 12))"#;
    says(refusal(UNITS, both, clapp), &["2 projections end in it", "leave it the projection"]);
    says(
        refusal(r#""v1": Unit()"#, "", &format!("{clapp}, heads: [\"v1\"]")),
        &[r#"head "v1" would predict "retina", which is an input"#, "put a unit that learns between"],
    );
    let rivals = r#"(from: "v1", to: "v2", map: Conv(channels: 4, kernel: 1)),
        (from: "v1", to: "head", map: Conv(channels: 4, kernel: 1))"#;
    says(
        refusal(UNITS, rivals, learns),
        &[r#"head "head" and head "v2" would both teach the stored view of "v1""#, "set gradient_block: true"],
    );
    experiment(UNITS, rivals, clapp).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_supervised_loss_asks_for_a_unit_for_each_class() {
    for loss in ["CrossEntropy", "MulticlassHinge"] {
        let fitting = |units| {
            experiment(UNITS, &dense(units), &format!("loss: {loss}()")).unwrap().load_data(&Folders::default())
        };
        assert!(fitting(10).is_ok());
        let said = fitting(9).expect_err("nine units for ten classes").to_string();
        assert!(said.contains(&format!("{loss}: Objects has 10 classes, but head \"head\" has 9 units")), "{said}");
        assert!(said.contains("at least 10 units"), "{said}");
    }
    assert!(experiment(UNITS, &dense(9), "loss: NtXent()").unwrap().load_data(&Folders::default()).is_ok());
}
