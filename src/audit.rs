//! The audit: does each weight of a circuit change only by what its synapse can see?

mod finding;

pub use finding::{
    Angle, Audit, Breach, Checks, Evidence, Fence, Finding, Kind, Method, Node, Part, Remembered, Row, Source, Update,
    Verdict,
};

use crate::error::Result;
use crate::kernels::Isa;
use crate::lint::Policy;
use crate::simulation::Experiment;

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

/// The circuit that is audited, as it runs.
pub trait Subject: Sync {}

/// The engine of this crate.
#[derive(Debug, Clone, Copy)]
pub struct Engine;

impl Subject for Engine {}

/// Audits the circuit of an experiment.
///
/// # Errors
/// None yet.
pub fn audit(experiment: &Experiment, options: &Options, _subject: &dyn Subject) -> Result<Audit> {
    let mut audit = read(experiment, &options.policy)?;
    (audit.run, audit.checks.pairs) = (options.run, options.pairs);
    Ok(audit)
}

/// The part of an audit that reads the plan and runs nothing.
///
/// # Errors
/// None yet.
// Stands in until the auditor comes: it reads units and projections off the network, and finds weights that are
// transported.
pub fn read(experiment: &Experiment, policy: &Policy) -> Result<Audit> {
    use crate::lint::{Constraint, Lint};
    use crate::network::Wiring;
    let network = experiment.network();
    let name = |unit: crate::network::UnitId| network.unit(unit).name.clone();
    let apart = experiment.learning().staging.is_blockwise();
    let units = network.unit_ids().map(|id| {
        let unit = network.unit(id);
        let block =
            network.blocks().iter().filter(|_| apart).find(|block| block.head == id || block.units.contains(&id));
        Node {
            name: unit.name.clone(),
            shape: [unit.shape.channels, unit.shape.height, unit.shape.width],
            input: unit.input,
            head: network.heads().contains(&id),
            block: block.map(|block| name(block.top())),
        }
    });
    let part = |kind, name: &str| Part { kind, name: name.to_string() };
    let word = |text: String| text.split([' ', '{', '(']).next().unwrap_or_default().to_string();
    let mut rows: Vec<Row> = Vec::new();
    for id in network.projection_ids() {
        let ends = network.projection(id);
        rows.push(Row {
            part: part(Kind::Feedforward, &ends.name),
            from: Some(name(ends.from)),
            to: Some(name(ends.to)),
            partner: None,
            plastic: network.learns(id),
            detail: word(format!("{:?}", ends.map)),
            verdicts: Default::default(),
        });
    }
    let level = policy.level(Lint::WeightTransport);
    let mut findings = Vec::new();
    for id in network.feedback_ids() {
        let ends = network.answer(id);
        let mut row = Row {
            part: part(Kind::Feedback, &ends.name),
            from: Some(name(ends.from)),
            to: Some(name(ends.to)),
            partner: Some(network.projection(ends.partner).name.clone()),
            plastic: false,
            detail: format!("{:?}", ends.wiring),
            verdicts: Default::default(),
        };
        if ends.wiring == Wiring::Transported {
            row.verdicts[2].own = Some(level);
            findings.push(Finding {
                lint: Lint::WeightTransport,
                constraint: Constraint::Asymmetry,
                level,
                part: row.part.clone(),
                message: format!("errors travel through the weights of {}", network.projection(ends.partner).name),
                path: Vec::new(),
                reaches: Vec::new(),
                evidence: Vec::new(),
                remedy: "use wiring: Fixed or Learned".to_string(),
            });
        }
        rows.push(row);
    }
    for &head in network.heads() {
        rows.push(Row {
            part: part(Kind::Loss, &name(head)),
            from: None,
            to: None,
            partner: None,
            plastic: false,
            detail: word(format!("{:?}", experiment.learning().loss)),
            verdicts: Default::default(),
        });
    }
    let optimizer = word(format!("{:?}", experiment.learning().optimizer));
    rows.push(Row {
        part: part(Kind::Optimizer, &optimizer),
        from: None,
        to: None,
        partner: None,
        plastic: false,
        detail: String::new(),
        verdicts: Default::default(),
    });
    Ok(Audit {
        schema: 1,
        clean: !findings.iter().any(Finding::is_denied),
        policy: policy.clone(),
        run: false,
        stages: experiment.stages().into_iter().map(|stage| stage.name).collect(),
        units: units.collect(),
        rows,
        findings,
        updates: Vec::new(),
        checks: Checks::default(),
        angles: Vec::new(),
        memories: Vec::new(),
        fences: Vec::new(),
        breaches: Vec::new(),
        disagreements: Vec::new(),
    })
}
