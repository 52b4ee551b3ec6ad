//! The audit: does each weight of a circuit change only by what its synapse can see?
//!
//! It judges the plan that runs, never what a rule says of itself, and it has three kinds of evidence. *Static*: what the
//! plan's steps declare to read and write is held against the law of each verb and followed to its ends; the arithmetic
//! of loss and optimiser is followed by running it on numbers that remember what was done to them. *Interventional*:
//! before each step everything that it does not declare to read is filled with what is no number; one item, neuron or
//! weight is disturbed inside a step; one quantity, or all items but one, are disturbed in a whole update.
//! *Types*: the compiler keeps fences, and a circuit that goes through the one named hole in them is listed.
//!
//! What data flow says can be reached and what moves in a run must be the same. Where they are not, the audit has found
//! a fault of the engine or of itself, and says so.

mod arithmetic;
mod bench;
mod blind;
mod compare;
mod convict;
mod disturb;
mod embeddings;
mod finding;
mod flow;
mod items;
mod judge;
mod law;
mod memory;
mod probe;
mod structure;
mod subject;
mod symmetry;

pub use finding::{
    Angle, Audit, Breach, Checks, Evidence, Fence, Finding, Kind, Method, Node, Part, Remembered, Row, Source, Update,
    Verdict,
};
pub use subject::{Engine, Hand, Subject};

use bench::Bench;
use blind::{Blinded, Trio};
use disturb::Disturbed;
use flow::{Flow, in_words, step_in_words};
use judge::{Drafts, name_of};

use crate::error::Result;
use crate::kernels::Isa;
use crate::lint::{Constraint, Level, Lint, Policy};
use crate::locality::{self, Place};
use crate::network::{LinearMap, Network, Wiring};
use crate::schedule::Step;
use crate::simulation::{Experiment, Stage};

/// How an audit is made.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is held against the circuit.
    pub policy: Policy,
    /// Whether to run the circuit, or only to read its plan.
    pub run: bool,
    /// Pairs of views in a batch where it is run.
    pub pairs: usize,
    /// Instruction set.
    pub isa: Isa,
}

/// The version of [`Audit`]'s form.
const SCHEMA: u32 = 1;

/// Lints that are judged by what errors and weights are, not by who reads what: no plan tells.
const OF_RUNS: [Lint; 2] = [Lint::SignedError, Lint::MixedSigns];

/// Pairs of views that tell enough where a plan does not.
const PAIRS: usize = 12;

/// Reads the plan of `experiment`, as `train` does before it starts. It is run only where the policy denies what no plan
/// tells, so that nothing that is denied goes by unjudged.
///
/// # Errors
/// As for [`audit`].
pub fn read(experiment: &Experiment, policy: &Policy) -> Result<Audit> {
    let run = OF_RUNS.iter().any(|&lint| policy.level(lint) == Level::Deny);
    let options = Options { policy: policy.clone(), run, pairs: PAIRS, isa: Isa::best() };
    audit(experiment, &options, &Engine)
}

/// Audits the circuit of `experiment` under the engine `subject`.
///
/// # Errors
/// There is no room in memory for a batch, or the circuit loses its numbers within a few updates.
pub fn audit(experiment: &Experiment, options: &Options, subject: &dyn Subject) -> Result<Audit> {
    let network = experiment.network();
    let learning = experiment.learning();
    let stages = experiment.stages();
    let flows = flows(network, &stages, subject);
    let (mut drafts, mut memories) = (Drafts::default(), Vec::new());
    for flow in &flows {
        structure::read(flow, learning, experiment.training().pairs, &mut drafts);
        let loss = subject.loss(&learning.loss);
        memories.extend(arithmetic::read(experiment, loss, flow, options.policy.memory, &mut drafts));
    }
    let mut checks = Checks { steps: flows.iter().map(|flow| flow.steps.len()).sum(), ..Checks::default() };
    let (mut angles, mut disagreements) = (Vec::new(), Vec::new());
    let mut rows: Vec<Vec<disturb::Row>> = vec![Vec::new(); flows.len()];
    let breaches = breaches(network, &flows);
    if options.run {
        let bench = Bench::new(experiment, subject, options.isa, options.pairs)?;
        let start = bench.simulation();
        angles = symmetry::measure(&bench, &flows, start.clone(), &mut drafts)?;
        let mut trio = Trio::new(start.clone());
        let mut disturbed = start;
        for (stage, flow) in flows.iter().enumerate() {
            let mut blinded = Blinded::default();
            disturbed.enter(stage);
            trio.go(&bench, flow, stage, &mut blinded);
            for lie in blinded.lies.iter_mut().filter(|lie| lie.writes) {
                lie.locate(&bench, flow, disturbed.clone());
            }
            convict::of_steps(flow, &blinded, learning.optimizer.name(), &mut drafts);
            let apart = items::compare(&bench, flow, &disturbed, &mut drafts);
            checks.disturbed += usize::from(apart > 0);
            checks.compared += apart;
            let Disturbed { rows: found, compared: pairs, untested, disagreements: new } =
                disturb::disturb(&bench, flow, disturbed.clone());
            convict::of_updates(flow, &found, &mut drafts);
            let compared = compare::run(&bench, flow, &mut disturbed, &mut drafts);
            checks.probed += compared.probes;
            disagreements.extend(compared.disagreements);
            checks.blinded += blinded.steps;
            checks.probed += blinded.probes;
            checks.disturbed += found.len();
            checks.compared += pairs;
            checks.untested += untested;
            disagreements.extend(new);
            rows[stage] = found;
        }
        checks.pairs = options.pairs;
    }
    for breach in &breaches {
        let part = Part { kind: Kind::Feedback, name: breach.feedback.clone() };
        let text = format!("goes through the breach `{}` of the types that fence weights in", breach.name);
        drafts.support(Lint::WeightTransport, &part, Method::Types, text);
    }
    let updates = updates(&flows, &rows);
    let findings = drafts.findings(network, &options.policy);
    let denied = findings.iter().any(Finding::is_denied);
    Ok(Audit {
        schema: SCHEMA,
        clean: !denied && disagreements.is_empty(),
        policy: options.policy.clone(),
        run: options.run,
        stages: flows.iter().map(|flow| flow.stage.clone()).collect(),
        units: nodes(network, &stages),
        rows: verdicts(experiment, &flows, &findings),
        findings,
        updates,
        checks,
        angles,
        memories,
        fences: FENCES.to_vec(),
        breaches,
        disagreements,
    })
}

/// The plan of each stage as the subject runs it.
fn flows<'a>(network: &'a Network, stages: &[Stage], subject: &dyn Subject) -> Vec<Flow<'a>> {
    let keeps_stored = stages.iter().any(|stage| stage.plan.keeps_stored(network));
    let flow = |stage: &Stage| {
        let steps = subject.plan(network, stage.plan.steps());
        let declared = steps.iter().map(|step| subject.access(step, network)).collect();
        Flow::new(network, stage.name.clone(), steps, declared, keeps_stored)
    };
    stages.iter().map(flow).collect()
}

/// What the compiler refuses; the documentation of [`locality`] has an attempt at each, which its tests demand to fail.
const FENCES: [Fence; 6] = [
    Fence { forbids: "a rule that swaps the two ends of a synapse", error: "E0308" },
    Fence { forbids: "a rule that makes up a signal", error: "E0451" },
    Fence { forbids: "a rule that asks for a third unit", error: "E0599" },
    Fence { forbids: "a rule that looks at weights", error: "E0599" },
    Fence { forbids: "forward weights that carry an error", error: "E0599" },
    Fence { forbids: "anything outside the engine that opens a door of the state", error: "E0624" },
];

/// Feedback that goes through a named hole in the fences.
fn breaches(network: &Network, flows: &[Flow<'_>]) -> Vec<Breach> {
    let carried = |id| {
        flows.iter().any(|flow| flow.steps.iter().any(|step| matches!(step, Step::Carry(other, ..) if *other == id)))
    };
    let lent = network.feedback_ids().filter(|&id| {
        let ends = network.answer(id);
        ends.wiring == Wiring::Transported && ends.map.has_weights() && carried(id)
    });
    let breach = locality::Breach::WEIGHT_TRANSPORT.name();
    lent.map(|id| Breach { name: breach, feedback: network.answer(id).name.clone() }).collect()
}

fn nodes(network: &Network, stages: &[Stage]) -> Vec<Node> {
    let node = |id| {
        let unit = network.unit(id);
        let block = network.blocks().iter().find(|block| block.units.contains(&id) || block.head == id);
        Node {
            name: unit.name.clone(),
            shape: [unit.shape.channels, unit.shape.height, unit.shape.width],
            input: unit.input,
            head: stages.iter().any(|stage| stage.heads.contains(&id)),
            block: block.map(|block| network.unit(block.top()).name.clone()),
        }
    };
    network.unit_ids().map(node).collect()
}

/// For every update what reaches it, and whether it moved when that was disturbed.
fn updates(flows: &[Flow<'_>], rows: &[Vec<disturb::Row>]) -> Vec<Update> {
    let update = |flow: &Flow<'_>, rows: &[disturb::Row], update: Place| {
        let source = |(place, path): (Place, Vec<usize>)| {
            let mut tried = rows.iter().filter(|row| row.place == place).peekable();
            let moved = tried.peek().is_some().then(|| tried.any(|row| row.moved.contains_key(&update)));
            let path = path.into_iter().map(|step| step_in_words(flow.steps[step], flow.network)).collect();
            Source { what: in_words(place, flow.network), path, moved }
        };
        Update {
            projection: name_of(update, flow.network),
            stage: flow.stage.clone(),
            sources: flow.sources(update).into_iter().map(source).collect(),
        }
    };
    let of_stage = |(flow, rows): (&Flow<'_>, &Vec<disturb::Row>)| -> Vec<Update> {
        flow.updates().into_iter().map(|place| update(flow, rows, place)).collect()
    };
    flows.iter().zip(rows).flat_map(of_stage).collect()
}

/// Every part of the circuit with the gravest finding about it, and the gravest that its update hears of.
fn verdicts(experiment: &Experiment, flows: &[Flow<'_>], findings: &[Finding]) -> Vec<Row> {
    let network = experiment.network();
    let unit = |id| Some(network.unit(id).name.clone());
    let learned: Vec<String> =
        flows.iter().flat_map(|flow| flow.updates().into_iter().map(|update| name_of(update, network))).collect();
    let forward = network.feedforward().iter().map(|ends| Row {
        part: Part { kind: Kind::Feedforward, name: ends.name.clone() },
        from: unit(ends.from),
        to: unit(ends.to),
        partner: None,
        plastic: learned.contains(&ends.name),
        detail: kind_of(ends.map).to_string(),
        verdicts: Default::default(),
    });
    let back = network.feedback().iter().map(|ends| Row {
        part: Part { kind: Kind::Feedback, name: ends.name.clone() },
        from: unit(ends.from),
        to: unit(ends.to),
        partner: Some(network.projection(ends.partner).name.clone()),
        plastic: ends.wiring == Wiring::Inverse && learned.contains(&ends.name),
        detail: format!("{:?}", ends.wiring),
        verdicts: Default::default(),
    });
    let other = |kind, name: String, detail: String| Row {
        part: Part { kind, name },
        from: None,
        to: None,
        partner: None,
        plastic: false,
        detail,
        verdicts: Default::default(),
    };
    let learning = experiment.learning();
    let mut heads: Vec<String> = Vec::new();
    for step in flows.iter().flat_map(|flow| &flow.steps) {
        let Step::Compare { unit, .. } = *step else { continue };
        let name = &network.unit(unit).name;
        if !heads.contains(name) {
            heads.push(name.clone());
        }
    }
    let losses = heads.into_iter().map(|head| other(Kind::Loss, head, learning.loss.name().to_string()));
    let judged = network.units().iter().filter(|unit| {
        findings.iter().any(|finding| finding.part.kind == Kind::Unit && finding.part.name == unit.name)
    });
    let units = judged.map(|unit| other(Kind::Unit, unit.name.clone(), format!("{:?}", unit.transfer)));
    let mut optimizers = vec![learning.optimizer.name().to_string()];
    if learning.propagates_targets() {
        optimizers.push(arithmetic::name_of_inverse(learning.targets().inverse_optimizer.name()));
    }
    let optimizers = optimizers.into_iter().map(|name| other(Kind::Optimizer, name, String::new()));
    let mut rows: Vec<Row> = forward.chain(back).chain(losses).chain(units).chain(optimizers).collect();
    for row in &mut rows {
        for (constraint, verdict) in Constraint::ALL.into_iter().zip(&mut row.verdicts) {
            let found = || findings.iter().filter(move |finding| finding.constraint == constraint);
            verdict.own = found().filter(|finding| finding.part == row.part).map(|finding| finding.level).max();
            let hears = |finding: &&Finding| {
                finding.part != row.part && row.plastic && finding.reaches.contains(&row.part.name)
            };
            verdict.heard = found().filter(hears).map(|finding| finding.level).max();
        }
    }
    rows
}

fn kind_of(map: LinearMap) -> &'static str {
    match map {
        LinearMap::Dense { .. } => "Dense",
        LinearMap::Conv { .. } => "Conv",
        LinearMap::Local { .. } => "Local",
        LinearMap::TransposedConv { .. } => "TransposedConv",
        LinearMap::OneToOne => "OneToOne",
    }
}
