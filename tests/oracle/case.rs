//! A case of the oracle, and the circuit that it describes in neutral terms, built as a circuit file builds one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::SafeTensors;
use serde_json::Value;
use synlocal::document::Document;
use synlocal::learning::Rule;
use synlocal::loss::{
    BarlowTwins, ContrastiveHinge, ContrastiveHingeMean, CrossEntropy, L1Margin, L1Positive, Loss, MulticlassHinge,
    Negatives, NtXent,
};
use synlocal::network::{Network, NetworkSpec};
use synlocal::optimizer::Optimizer;
use synlocal::simulation::{Learning, Simulation, Staging, Targets};

pub(crate) type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A case, or why it cannot be run.
pub(crate) type Supported<T> = Result<T, String>;

pub(crate) struct Case {
    pub(crate) spec: Value,
    pub(crate) tensors: Tensors,
}

impl Case {
    pub(crate) fn read(folder: &Path) -> Case {
        let spec = serde_json::from_str(&fs::read_to_string(folder.join("case.json")).unwrap()).unwrap();
        let bytes = fs::read(folder.join("tensors.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let floats = |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        let tensors =
            tensors.iter().map(|(name, t)| (name.to_string(), (t.shape().to_vec(), floats(t.data())))).collect();
        Case { spec, tensors }
    }

    pub(crate) fn text(&self, field: &str) -> &str {
        self.spec[field].as_str().unwrap_or_else(|| panic!("case.json lacks the text {field}"))
    }

    pub(crate) fn input(&self, name: &str) -> &[f32] {
        &self.tensors.get(&format!("in/{name}")).unwrap_or_else(|| panic!("no tensor in/{name}")).1
    }

    /// The class of each item, in a case with a supervised loss.
    pub(crate) fn labels(&self) -> Vec<u8> {
        let labels = self.tensors.get("in/labels");
        labels.map_or(Vec::new(), |(_, labels)| labels.iter().map(|&label| label as u8).collect())
    }

    pub(crate) fn pairs(&self) -> usize {
        self.spec["pairs"].as_u64().unwrap() as usize
    }
}

/// A circuit in the words of a circuit file, and how the case's parameters are called in it.
pub(crate) struct Circuit {
    pub(crate) network: Network,
    pub(crate) learning: Learning,
    /// From the case's projection (`v1`, `v1-v3`) to the names of the projection and of its feedback.
    pub(crate) names: BTreeMap<String, (String, String)>,
}

pub(crate) fn circuit(case: &Case, optimizer: Optimizer) -> Supported<Circuit> {
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

pub(crate) fn unit(layer: &Value) -> Supported<String> {
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

pub(crate) fn map_of(layer: &Value, bias: bool) -> Supported<String> {
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

pub(crate) fn loss(spec: &Value) -> Supported<Loss> {
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
    pub(crate) fn name(&self, parameter: &str) -> String {
        let (label, kind) = parameter.rsplit_once('.').unwrap();
        if let Some(label) = label.strip_suffix(".inverse") {
            return format!("{}.{}", self.names[label].1, if kind == "weight" { "inverse" } else { kind });
        }
        let (projection, feedback) = &self.names[label];
        format!("{}.{kind}", if kind == "feedback" { feedback } else { projection })
    }

    pub(crate) fn simulation(&self, case: &Case) -> Simulation {
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
