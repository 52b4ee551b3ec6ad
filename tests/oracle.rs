//! Reference answers: every case is one step (or a few) of a circuit that plain PyTorch computed in float64.
//!
//! `SYNLOCAL_ORACLE_CASES=DIR cargo test --release oracle` runs the cases in `DIR` instead of those in the repository.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde_json::Value;
use synlocal::data::{Padding, Warp, deform};
use synlocal::document::Document;
use synlocal::learning::Rule;
use synlocal::locality::View;
use synlocal::loss::{
    BarlowTwins, ContrastiveHinge, ContrastiveHingeMean, CrossEntropy, L1Margin, L1Positive, Loss, MulticlassHinge,
    Negatives, NtXent, StoredView,
};
use synlocal::network::{Network, NetworkSpec, Wiring};
use synlocal::optimizer::Optimizer;
use synlocal::schedule::Step;
use synlocal::shape::Shape;
use synlocal::simulation::{Batch, Learning, Simulation, Staging, Targets};

/// Prints past the test runner, which shows what a passing test prints only when asked to.
macro_rules! say {
    ($($text:tt)*) => { writeln!(std::io::stderr(), $($text)*).unwrap() };
}

type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A case, or why it cannot be run yet.
type Supported<T> = Result<T, String>;

struct Case {
    spec: Value,
    tensors: Tensors,
}

impl Case {
    fn read(folder: &Path) -> Case {
        let spec = serde_json::from_str(&fs::read_to_string(folder.join("case.json")).unwrap()).unwrap();
        let bytes = fs::read(folder.join("tensors.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let floats = |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        let tensors =
            tensors.iter().map(|(name, t)| (name.to_string(), (t.shape().to_vec(), floats(t.data())))).collect();
        Case { spec, tensors }
    }

    fn text(&self, field: &str) -> &str {
        self.spec[field].as_str().unwrap_or_else(|| panic!("case.json lacks the text {field}"))
    }

    fn input(&self, name: &str) -> &[f32] {
        &self.tensors.get(&format!("in/{name}")).unwrap_or_else(|| panic!("no tensor in/{name}")).1
    }

    /// The class of each item, in a case with a supervised loss.
    fn labels(&self) -> Vec<u8> {
        let labels = self.tensors.get("in/labels");
        labels.map_or(Vec::new(), |(_, labels)| labels.iter().map(|&label| label as u8).collect())
    }

    fn pairs(&self) -> usize {
        self.spec["pairs"].as_u64().unwrap() as usize
    }
}

/// A circuit in the words of a circuit file, and how the case's parameters are called in it.
struct Circuit {
    network: Network,
    learning: Learning,
    /// From the case's projection (`v1`, `v1-v3`) to the names of the projection and of its feedback.
    names: BTreeMap<String, (String, String)>,
}

fn circuit(case: &Case, optimizer: Optimizer) -> Supported<Circuit> {
    let rule = match case.text("rule") {
        "bp" => Rule::Bp,
        "rf" => Rule::Rf,
        "urf" => Rule::Urf,
        "sign" => Rule::Sign,
        "dtp" => Rule::Dtp,
        other => return Err(format!("rule {other}")),
    };
    let loss = loss(&case.spec["loss"])?;
    let input: Vec<u64> = case.spec["input"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
    let mut units = format!("\"image\": Input(channels: {}, height: {}, width: {}),", input[0], input[1], input[2]);
    let mut projections = String::new();
    let mut names = BTreeMap::new();
    let mut below = "image".to_string();
    let text = |value: &Value| value.as_str().unwrap().to_string();
    let heads = case.spec["heads"].as_array();
    let mut blocks = String::new();
    for layer in case.spec["layers"].as_array().unwrap() {
        let name = text(&layer["name"]);
        units += &format!("\"{name}\": Unit({}),", unit(layer)?);
        let own = std::iter::once((name.clone(), below.clone(), layer));
        let also =
            layer["also"].as_array().into_iter().flatten().map(|more| (text(&more["name"]), text(&more["from"]), more));
        for (label, from, map) in own.chain(also) {
            let bias = case.tensors.contains_key(&format!("in/param/{label}.bias"));
            let projection = format!("{label} from {from}");
            projections +=
                &format!("(name: \"{projection}\", from: \"{from}\", to: \"{name}\", map: {}),", map_of(map, bias)?);
            names.insert(label, (projection, String::new()));
        }
        if let Some(head) = heads.and_then(|heads| heads.get(names.len() / 2)) {
            let label = text(&head["name"]);
            units += &format!("\"{label}\": Unit({}),", unit(head)?);
            let bias = case.tensors.contains_key(&format!("in/param/{label}.bias"));
            let projection = format!("{label} from {name}");
            projections +=
                &format!("(name: \"{projection}\", from: \"{name}\", to: \"{label}\", map: {}),", map_of(head, bias)?);
            blocks += &format!("(units: [\"{name}\"], head: \"{label}\"),");
            names.insert(label, (projection, String::new()));
        }
        below = name;
    }
    let text = format!("Network(units: {{{units}}}, feedforward: [{projections}], blocks: [{blocks}])");
    let spec: NetworkSpec =
        Document::new("case", text.as_str()).parse().unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    let staging = if heads.is_some() { Staging::Greedy } else { Staging::EndToEnd };
    // Inverses as good as stand still, so that targets are made by those that the case gives.
    let number = |field: &str| case.spec[field].as_f64().unwrap() as f32;
    let targets = (rule == Rule::Dtp).then(|| Targets {
        step: number("target_step"),
        noise: number("noise"),
        inverse_optimizer: Optimizer::Sgd { rate: 1e-30, momentum: 0.0 },
        ..Targets::default()
    });
    let learning = Learning { rule, loss, optimizer, staging, targets, ..Learning::default() };
    let network = Network::build(&spec, learning.teaching()).unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
    for (projection, feedback) in names.values_mut() {
        let answers = network.feedback().iter().find(|answer| network.projection(answer.partner).name == *projection);
        *feedback = answers.map_or_else(|| format!("{projection}: none"), |answer| answer.name.clone());
    }
    Ok(Circuit { network, learning, names })
}

fn unit(layer: &Value) -> Supported<String> {
    let steps: Vec<&str> = layer["then"].as_array().into_iter().flatten().map(|step| step.as_str().unwrap()).collect();
    let pool = |step: &str| {
        Some(format!(
            "pool: {}(2)",
            if step == "maxpool2" {
                "Max"
            } else if step == "avgpool2" {
                "Mean"
            } else {
                return None;
            }
        ))
    };
    let transfer = |step: &str| {
        let name = match step {
            "hardtanh" => "HardTanh",
            "tanh" => "Tanh",
            "relu" => "Relu",
            _ => return None,
        };
        Some(format!("transfer: {name}"))
    };
    let found = match steps.as_slice() {
        [] => Some(String::new()),
        [one] => pool(one).or_else(|| transfer(one)),
        [first, second] => match (pool(first), transfer(second), transfer(first)) {
            (Some(pool), Some(transfer), _) => Some(format!("{pool}, {transfer}")),
            // A maximum commutes with a function that never falls, and where that is flat no error passes.
            (None, None, Some(transfer)) if *second == "maxpool2" => Some(format!("pool: Max(2), {transfer}")),
            _ => None,
        },
        _ => None,
    };
    found.ok_or(format!("steps {steps:?}"))
}

fn map_of(layer: &Value, bias: bool) -> Supported<String> {
    let size = |map: &Value, field: &str, default: u64| map[field].as_u64().unwrap_or(default);
    if let conv = &layer["conv"]
        && conv.is_object()
    {
        let (channels, kernel) = (size(conv, "out", 0), size(conv, "kernel", 0));
        let (stride, pad) = (size(conv, "stride", 1), size(conv, "pad", 0));
        return Ok(format!("Conv(channels: {channels}, kernel: {kernel}, stride: {stride}, pad: {pad}, bias: {bias})"));
    }
    if layer["dense"].is_object() {
        return Ok(format!("Dense(units: {}, bias: {bias})", size(&layer["dense"], "out", 0)));
    }
    Err(format!("map of {}", layer["name"]))
}

fn loss(spec: &Value) -> Supported<Loss> {
    let number = |field: &str| spec[field].as_f64().unwrap() as f32;
    let margins = || (number("pos_margin"), number("neg_margin"));
    Ok(match spec["kind"].as_str().unwrap() {
        "contrastive_hinge" => Loss::ContrastiveHinge(ContrastiveHinge {
            negatives: spec["negatives"].as_u64().map_or(Negatives::All, |items| Negatives::Stored(items as usize)),
            margins: margins(),
            weight: Some(number("neg_weight")),
            gradient_block: Some(spec["stored"].as_bool().unwrap()),
        }),
        "contrastive_hinge_mean" => Loss::ContrastiveHingeMean(ContrastiveHingeMean { margins: margins() }),
        "l1_positive" => Loss::L1Positive(L1Positive {}),
        "l1_margin" => Loss::L1Margin(L1Margin {
            margin: number("margin"),
            gradient_block: spec["stored"].as_bool().unwrap_or(false),
        }),
        "nt_xent" => Loss::NtXent(NtXent { temperature: number("temperature") }),
        "barlow_twins" => {
            Loss::BarlowTwins(BarlowTwins { off_diagonal: number("off_diagonal"), scale: number("scale") })
        }
        "cross_entropy" => Loss::CrossEntropy(CrossEntropy {}),
        "multiclass_hinge" => Loss::MulticlassHinge(MulticlassHinge { off_class: number("off_class") }),
        other => return Err(format!("loss {other}")),
    })
}

impl Circuit {
    /// The engine's name of a parameter of the case, such as `v1.weight`.
    fn name(&self, parameter: &str) -> String {
        let (label, kind) = parameter.rsplit_once('.').unwrap();
        if let Some(label) = label.strip_suffix(".inverse") {
            return format!("{}.{}", self.names[label].1, if kind == "weight" { "inverse" } else { kind });
        }
        let (projection, feedback) = &self.names[label];
        format!("{}.{kind}", if kind == "feedback" { feedback } else { projection })
    }

    fn simulation(&self, case: &Case) -> Simulation {
        let mut simulation = Simulation::new(self.network.clone(), self.learning.clone(), case.pairs(), 0).unwrap();
        for (name, (_, values)) in &case.tensors {
            let Some(parameter) = name.strip_prefix("in/param/") else { continue };
            // No error passes below the lowest projection of a block, so that has no feedback in the engine.
            let name = self.name(parameter);
            if simulation.get(&name).is_some() {
                simulation.set(&name, values).unwrap();
            } else {
                assert!(parameter.ends_with(".feedback") && name.contains(": none"), "no place for {parameter}");
            }
        }
        simulation
    }
}

/// One step of each stage (all at once, or block by block): activities, errors, changes and loss.
fn learning_step(case: &Case) -> Supported<Tensors> {
    // With a rate of 1 learned feedback moves by the very derivative that the rule uses.
    let circuit = circuit(case, Optimizer::Sgd { rate: 1.0, momentum: 0.0 })?;
    let before = circuit.simulation(case);
    let network = &circuit.network;
    let mut after = Vec::new();
    let mut answers: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    let mut changes = BTreeMap::new();
    let both = circuit.learning.loss.stored_view() == StoredView::Learns;
    let mut stored: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    let labels = case.labels();
    let batch = Batch { labels: &labels, ..Batch::views(case.input("view0"), case.input("view1")) };
    if circuit.learning.loss.stored_view() == StoredView::Absent {
        // The step never shows that view; its activities are among the answers all the same.
        for unit in network.unit_ids().filter(|&unit| !network.unit(unit).input) {
            let values = stored.entry(format!("out/act/{}", network.unit(unit).name)).or_default();
            before.clone().encode(case.input("view0"), unit, values);
        }
    }
    let stages = before.stages().len();
    for stage in 0..stages {
        let mut seen = stored.clone();
        // What is below a block must be as it was.
        let mut one = before.clone();
        one.enter(stage);
        let found = one.step_observed(batch, &mut |step, state| match step {
            Step::Fire(unit, view) => {
                let values = state.activity(unit, view);
                seen.entry(format!("out/act/{}", network.unit(unit).name)).or_default().extend(values);
            }
            Step::Gate(unit, View::Current) => {
                let current = state.error(unit, View::Current);
                let stored = if both { Vec::new() } else { vec![0.0; current.len()] };
                let error = seen.entry(format!("out/error/{}", network.unit(unit).name)).or_insert(stored);
                error.extend(current);
            }
            Step::Gate(unit, View::Stored) => {
                // Errors of the stored view come first in the answers, but last in the plan.
                let error = seen.get_mut(&format!("out/error/{}", network.unit(unit).name)).unwrap();
                error.splice(0..0, state.error(unit, View::Stored));
            }
            Step::Learn(projection, ..) => {
                changes.insert(network.projection(projection).name.clone(), state.change(projection).to_vec());
            }
            _ => {}
        });
        answers.extend(seen);
        let block = if stages > 1 { format!("/{}", before.stages()[stage].name) } else { String::new() };
        answers.insert(format!("out/loss{block}"), vec![found.loss as f32]);
        after.push(one);
    }
    for parameter in case.tensors.keys().filter_map(|name| name.strip_prefix("out/delta/")) {
        let name = circuit.name(parameter);
        let (projection, kind) = name.rsplit_once('.').unwrap();
        let delta = match (kind, before.get(&name)) {
            ("feedback", Some(old)) => {
                let new = after.iter().map(|one| one.get(&name).unwrap());
                new.fold(vec![0.0; old.len()], |sum, new| {
                    sum.iter().zip(old.iter().zip(new)).map(|(sum, (old, new))| sum + (old - new)).collect()
                })
            }
            // The lowest projection's feedback carries nothing and is not kept; it would take the forward change.
            ("feedback", None) => {
                let label = parameter.strip_suffix(".feedback").unwrap();
                let weights = before.get(&circuit.name(&format!("{label}.weight"))).unwrap().len();
                changes[&circuit.names[label].0][..weights].to_vec()
            }
            _ => {
                let weights = before.get(&format!("{projection}.weight")).unwrap().len();
                let change = &changes[projection];
                if kind == "weight" { change[..weights].to_vec() } else { change[weights..].to_vec() }
            }
        };
        answers.insert(format!("out/delta/{parameter}"), delta);
    }
    Ok(answers.into_iter().map(|(name, values)| (name, (Vec::new(), values))).collect())
}

/// One step of difference target propagation: activities, targets, reconstructions, changes and losses.
fn target_propagation(case: &Case) -> Supported<Tensors> {
    let circuit = circuit(case, Optimizer::Sgd { rate: 1.0, momentum: 0.0 })?;
    let mut simulation = circuit.simulation(case);
    let network = &circuit.network;
    // The noise of an inverse is that of the unit below.
    let noise: Vec<_> = network
        .feedback()
        .iter()
        .filter(|feedback| feedback.wiring == Wiring::Inverse)
        .map(|feedback| (feedback.to, case.input(&format!("noise/{}", network.unit(feedback.from).name))))
        .collect();
    let mut answers: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    let mut changes: BTreeMap<String, Vec<f32>> = BTreeMap::new();
    let batch = Batch { noise: &noise, ..Batch::views(case.input("view0"), case.input("view1")) };
    let found = simulation.step_observed(batch, &mut |step, state| match step {
        Step::Fire(unit, View::Stored | View::Current) => {
            let values = state.activity(unit, step.view().unwrap());
            answers.entry(format!("out/act/{}", network.unit(unit).name)).or_default().extend(values);
        }
        Step::Gate(unit, view) if network.is_aimed(unit) => {
            let name = &network.unit(unit).name;
            let (activity, way) = (&answers[&format!("out/act/{name}")], state.error(unit, view));
            let first = if view == View::Stored { 0 } else { way.len() };
            let mut target = answers.get(&format!("out/target/{name}")).unwrap_or(activity).clone();
            target[first..].iter_mut().zip(&way).for_each(|(target, way)| *target -= way);
            let missed = way.iter().map(|way| f64::from(*way).powi(2)).sum::<f64>() / target.len() as f64;
            answers.insert(format!("out/target/{name}"), target);
            answers.entry(format!("out/local_loss/{name}")).or_insert(vec![0.0])[0] += missed as f32;
        }
        Step::Learn(projection, ..) => {
            changes.insert(network.projection(projection).name.clone(), state.change(projection).to_vec());
        }
        Step::LearnInverse(feedback, _) => {
            let ends = network.answer(feedback);
            changes.insert(ends.name.clone(), state.inverse_change(feedback).to_vec());
            let missed = state.reconstruction(feedback).unwrap() as f32;
            answers.insert(format!("out/reconstruction/{}", network.unit(ends.from).name), vec![missed]);
        }
        _ => {}
    });
    answers.insert("out/loss".into(), vec![found.loss as f32]);
    for (name, (_, reference)) in &case.tensors {
        let Some(parameter) = name.strip_prefix("out/delta/") else { continue };
        let own = circuit.name(parameter);
        let (projection, kind) = own.rsplit_once('.').unwrap();
        let change = &changes[projection];
        // Biases stand after weights.
        let delta = if kind == "bias" { &change[change.len() - reference.len()..] } else { &change[..reference.len()] };
        answers.insert(name.clone(), delta.to_vec());
    }
    Ok(answers.into_iter().map(|(name, values)| (name, (Vec::new(), values))).collect())
}

/// Several optimiser steps: the last weights and the loss of each step.
fn trajectory(case: &Case) -> Supported<Tensors> {
    let optimizer = &case.spec["optimizer"];
    let rate = optimizer["lr"].as_f64().unwrap() as f32;
    let optimizer = match optimizer["kind"].as_str().unwrap() {
        "sgd" => Optimizer::Sgd { rate, momentum: optimizer["momentum"].as_f64().unwrap_or(0.0) as f32 },
        "adam" => Optimizer::adam(rate),
        other => return Err(format!("optimizer {other}")),
    };
    let circuit = circuit(case, optimizer)?;
    let mut simulation = circuit.simulation(case);
    let mut losses = Vec::new();
    for step in 0..case.spec["steps"].as_u64().unwrap() {
        let views = (case.input(&format!("view0/{step}")), case.input(&format!("view1/{step}")));
        losses.push(simulation.step(Batch::views(views.0, views.1)).loss as f32);
    }
    let mut answers = Tensors::from([("out/losses".to_string(), (Vec::new(), losses))]);
    for parameter in case.tensors.keys().filter_map(|name| name.strip_prefix("out/param/")) {
        let values = match simulation.get(&circuit.name(parameter)) {
            Some(values) => values.to_vec(),
            None => unused_feedback(case, &circuit, &simulation, parameter),
        };
        answers.insert(format!("out/param/{parameter}"), (Vec::new(), values));
    }
    Ok(answers)
}

/// Feedback of the lowest projection carries nothing, so the engine does not keep it. Fixed feedback would be what it
/// was; learned feedback would differ from the forward weights by what it differed from them at first.
fn unused_feedback(case: &Case, circuit: &Circuit, simulation: &Simulation, parameter: &str) -> Vec<f32> {
    let label = parameter.strip_suffix(".feedback").unwrap();
    let first = case.input(&format!("param/{parameter}"));
    let first_weight = case.input(&format!("param/{label}.weight"));
    if circuit.learning.rule == Rule::Rf {
        return first.to_vec();
    }
    let weight = simulation.get(&circuit.name(&format!("{label}.weight"))).unwrap();
    first.iter().zip(weight).zip(first_weight).map(|((first, now), then)| first + (now - then)).collect()
}

/// The deformation of each image by given parameters.
fn deformation(case: &Case) -> Supported<Tensors> {
    let dims = &case.tensors["in/image"].0;
    let shape = Shape::new(dims[1], dims[2], dims[3]);
    let padding = match case.text("padding") {
        "zeros" => Padding::Zeros,
        "border" => Padding::Border,
        other => return Err(format!("padding {other}")),
    };
    let mut out = vec![0.0; case.input("image").len()];
    for (sample, (image, out)) in case.input("image").chunks(shape.len()).zip(out.chunks_mut(shape.len())).enumerate() {
        let affine = &case.input("affine")[sample * 6..][..6];
        let warp = Warp {
            affine: [affine[..3].try_into().unwrap(), affine[3..].try_into().unwrap()],
            saturation: case.input("saturation")[sample],
            hue: case.input("hue")[sample],
            flip: case.input("flip")[sample] > 0.5,
        };
        deform(image, shape, &warp, padding, out);
    }
    Ok(Tensors::from([("out/image".to_string(), (Vec::new(), out))]))
}

fn answer(case: &Case) -> Supported<Tensors> {
    match case.text("process") {
        "e2e" | "layerwise" => learning_step(case),
        "dtp" => target_propagation(case),
        "trajectory" => trajectory(case),
        "deformation" => deformation(case),
        other => Err(format!("process {other}")),
    }
}

/// Every tensor within 1e-4 of the largest reference value; the worst share of that allowance.
fn compare(name: &str, case: &Case, answers: &Tensors) -> (usize, f64) {
    let mut worst: f64 = 0.0;
    let expected: Vec<_> = case.tensors.iter().filter(|(key, _)| key.starts_with("out/")).collect();
    for (key, (_, reference)) in &expected {
        let Some((_, values)) = answers.get(*key) else { panic!("{name}: {key} was not computed") };
        assert_eq!(values.len(), reference.len(), "{name}: {key}");
        let largest = reference.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let difference = reference.iter().zip(values).fold(0.0f64, |most, (r, v)| {
            let difference = (f64::from(*r) - f64::from(*v)).abs();
            if difference.is_nan() { f64::INFINITY } else { most.max(difference) }
        });
        let allowed = 1e-4 * f64::from(largest) + 1e-7;
        assert!(difference <= allowed, "{name}: {key} differs by {difference:e}, allowed are {allowed:e}");
        worst = worst.max(difference / allowed);
    }
    (expected.len(), worst)
}

#[test]
fn the_oracle_cases_give_the_reference_answers() {
    let folder = std::env::var_os("SYNLOCAL_ORACLE_CASES")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracle/cases"), PathBuf::from);
    let mut folders: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("case.json").exists())
        .collect();
    folders.sort();
    assert!(!folders.is_empty(), "{} holds no cases", folder.display());
    let (mut cases, mut tensors, mut unsupported) = (0, 0, Vec::new());
    for folder in folders {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let case = Case::read(&folder);
        match answer(&case) {
            Ok(answers) => {
                let (count, worst) = compare(&name, &case, &answers);
                say!("{name}: {count} tensors, at worst {:.1} % of the allowed difference", 100.0 * worst);
                cases += 1;
                tensors += count;
            }
            Err(why) => unsupported.push(format!("{name} ({why})")),
        }
    }
    say!("{cases} cases with {tensors} tensors agree");
    assert!(unsupported.is_empty(), "cannot be run: {}", unsupported.join(", "));
}
