//! Networks: units joined by feedforward projections, which drive activity, and by feedback projections, which carry
//! errors. What runs above this layer finds a network sound: every fault was reported when it was built.

mod blocks;
mod certainty;
mod check;
mod diagram;
mod feedback;
mod geometry;
mod inverse;
mod projection;
mod spec;
mod unit;
mod ways;

use petgraph::Direction::{self, Incoming, Outgoing};
use petgraph::graph::{DiGraph, NodeIndex};
use smallvec::SmallVec;

pub use blocks::Block;
pub use projection::{Feedback, FeedbackId, Init, LinearMap, Projection, ProjectionId, Wiring};
pub use spec::{BlockSpec, FeedbackSpec, NetworkSource, NetworkSpec, Opened, ProjectionSpec, UnitSpec};
pub use unit::{Unit, UnitId};

use crate::document::Doubts;
use crate::fault::Fault;
use blocks::Division;
use diagram::Diagram;
use inverse::Wish;

/// What an edge of a network's graph stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// A feedforward projection, from the pre to the post unit.
    Feedforward(ProjectionId),
    /// A feedback projection, from the upper to the lower unit.
    Feedback(FeedbackId),
}

impl Edge {
    fn feedforward(self) -> Option<ProjectionId> {
        if let Edge::Feedforward(id) = self { Some(id) } else { None }
    }

    fn feedback(self) -> Option<FeedbackId> {
        if let Edge::Feedback(id) = self { Some(id) } else { None }
    }
}

/// What a way of learning asks of a network's wiring.
#[derive(Debug, Clone, Copy, Default)]
pub struct Teaching<'a> {
    /// Given one, each projection through which an error has to travel down gets a feedback projection unless one is
    /// written, and those that name no wiring take it.
    pub wiring: Option<Wiring>,
    /// The units on which the loss acts; by default the heads of the blocks that learn, or all units that project
    /// nowhere where there are no blocks.
    pub heads: Option<&'a [String]>,
    /// Whether each block learns from its own head, and no error from another's.
    pub blockwise: bool,
    /// Given one, units learn from targets (difference target propagation): feedback from heads tells them through this
    /// wiring, all other feedback is an inverse.
    pub top: Option<Wiring>,
}

impl Teaching<'_> {
    /// All at once, through feedback of one wiring.
    pub fn wired(wiring: Wiring) -> Self {
        Teaching { wiring: Some(wiring), ..Teaching::default() }
    }
}

/// A sound network.
#[derive(Debug, Clone)]
pub struct Network {
    units: Vec<Unit>,
    feedforward: Vec<Projection>,
    feedback: Vec<Feedback>,
    graph: DiGraph<UnitId, Edge>,
    /// The feedback that answers each feedforward projection.
    answers: Vec<Option<FeedbackId>>,
    inputs: SmallVec<[UnitId; 1]>,
    heads: SmallVec<[UnitId; 1]>,
    blocks: Vec<Block>,
    /// Whether units learn from targets.
    aimed: bool,
    /// Whether an error can arrive at each unit.
    reached: Vec<bool>,
    needs_error: Vec<bool>,
}

impl Network {
    /// Builds a network from its description, with shapes inferred along the graph; or finds all that is wrong with
    /// it, at places relative to the description.
    pub fn build(spec: &NetworkSpec, teaching: Teaching<'_>) -> std::result::Result<Network, Vec<Fault>> {
        Network::examine(spec, &Doubts::default(), teaching)
    }

    /// As [`Network::build`] for a description of which some may be doubtful. What might only follow from that is no
    /// fault; but where there are doubts there is no network, be there faults or none.
    pub fn examine(
        spec: &NetworkSpec,
        doubts: &Doubts,
        teaching: Teaching<'_>,
    ) -> std::result::Result<Network, Vec<Fault>> {
        let mut faults = check::numbers(spec, doubts);
        let diagram = Diagram::draw(spec, doubts, &mut faults);
        let mut division = Division::draw(&diagram, teaching.blockwise, &mut faults);
        let heads = division.heads(&diagram, teaching.heads, &mut faults);
        let units = geometry::units(&diagram, &mut faults);
        let (feedback, reached) = feedback::answers(&diagram, &division, teaching, &heads, &mut faults);
        faults.retain(|fault| !doubts.cover(&fault.place));
        if !(faults.is_empty() && doubts.is_empty()) {
            return Err(faults);
        }
        let mut network = Network::assemble(units, diagram.projections(), feedback, heads, reached);
        network.blocks = division.blocks;
        let tops: Vec<UnitId> = network.blocks.iter().map(|block| network.below_relays(block.top)).collect();
        network.blocks.iter_mut().zip(tops).for_each(|(block, top)| block.top = top);
        network.aimed = teaching.top.is_some();
        let wishes = spec.feedback.iter().map(|spec| Wish { map: spec.map, transfer: spec.transfer });
        inverse::shape(&mut network, &wishes.collect::<Vec<_>>(), &mut faults);
        if faults.is_empty() { Ok(network) } else { Err(faults) }
    }

    fn assemble(
        units: Vec<Unit>,
        feedforward: Vec<Projection>,
        feedback: Vec<Feedback>,
        heads: SmallVec<[UnitId; 1]>,
        reached: Vec<bool>,
    ) -> Network {
        let mut graph = DiGraph::with_capacity(units.len(), feedforward.len() + feedback.len());
        let mut answers = vec![None; feedforward.len()];
        let node = |unit: UnitId| NodeIndex::new(unit.0);
        for index in 0..units.len() {
            graph.add_node(UnitId(index));
        }
        for (index, projection) in feedforward.iter().enumerate() {
            graph.add_edge(node(projection.from), node(projection.to), Edge::Feedforward(ProjectionId(index)));
        }
        for (index, answer) in feedback.iter().enumerate() {
            graph.add_edge(node(answer.from), node(answer.to), Edge::Feedback(FeedbackId(index)));
            answers[answer.partner.0] = Some(FeedbackId(index));
        }
        let mut needs_error = vec![false; units.len()];
        for projection in feedforward.iter().filter(|projection| projection.plastic && reached[projection.to.0]) {
            needs_error[projection.to.0] = true;
        }
        // Each pass takes the need one feedback projection further up.
        while let Some(answer) = feedback.iter().find(|answer| needs_error[answer.to.0] && !needs_error[answer.from.0])
        {
            needs_error[answer.from.0] = true;
        }
        let inputs = (0..units.len()).map(UnitId).filter(|unit| units[unit.0].input).collect();
        Network {
            units,
            feedforward,
            feedback,
            graph,
            answers,
            inputs,
            heads,
            blocks: Vec::new(),
            aimed: false,
            reached,
            needs_error,
        }
    }

    /// What begins or ends in a unit, in declaration order: the graph itself promises no order.
    fn ends<T: Ord>(
        &self,
        unit: UnitId,
        way: Direction,
        kind: impl Fn(Edge) -> Option<T>,
    ) -> smallvec::IntoIter<[T; 4]> {
        let edges = self.graph.edges_directed(NodeIndex::new(unit.0), way);
        let mut ends: SmallVec<[T; 4]> = edges.filter_map(|edge| kind(*edge.weight())).collect();
        ends.sort_unstable();
        ends.into_iter()
    }

    /// All units, in declaration order.
    pub fn units(&self) -> &[Unit] {
        &self.units
    }

    /// All feedforward projections, in declaration order.
    pub fn feedforward(&self) -> &[Projection] {
        &self.feedforward
    }

    /// All feedback projections: those that were written, then those that the learning rule added.
    pub fn feedback(&self) -> &[Feedback] {
        &self.feedback
    }

    /// The units as nodes, in declaration order, and all projections as edges.
    pub fn graph(&self) -> &DiGraph<UnitId, Edge> {
        &self.graph
    }

    /// The ids of [`Network::units`].
    pub fn unit_ids(&self) -> impl ExactSizeIterator<Item = UnitId> + use<> {
        (0..self.units.len()).map(UnitId)
    }

    /// The ids of [`Network::feedforward`].
    pub fn projection_ids(&self) -> impl ExactSizeIterator<Item = ProjectionId> + use<> {
        (0..self.feedforward.len()).map(ProjectionId)
    }

    /// The ids of [`Network::feedback`].
    pub fn feedback_ids(&self) -> impl ExactSizeIterator<Item = FeedbackId> + use<> {
        (0..self.feedback.len()).map(FeedbackId)
    }

    /// One unit.
    pub fn unit(&self, id: UnitId) -> &Unit {
        &self.units[id.0]
    }

    /// One feedforward projection.
    pub fn projection(&self, id: ProjectionId) -> &Projection {
        &self.feedforward[id.0]
    }

    /// One feedback projection.
    pub fn answer(&self, id: FeedbackId) -> &Feedback {
        &self.feedback[id.0]
    }

    /// The unit of that name.
    pub fn find(&self, name: &str) -> Option<UnitId> {
        self.units.iter().position(|unit| unit.name == name).map(UnitId)
    }

    /// The feedforward projections that begin in a unit.
    pub fn efferents(&self, unit: UnitId) -> impl ExactSizeIterator<Item = ProjectionId> + use<> {
        self.ends(unit, Outgoing, Edge::feedforward)
    }

    /// The feedforward projections that end in a unit; none in an input.
    pub fn afferents(&self, unit: UnitId) -> impl ExactSizeIterator<Item = ProjectionId> + use<> {
        self.ends(unit, Incoming, Edge::feedforward)
    }

    /// The feedback projections that carry a unit's error down.
    pub fn feedback_from(&self, unit: UnitId) -> impl ExactSizeIterator<Item = FeedbackId> + use<> {
        self.ends(unit, Outgoing, Edge::feedback)
    }

    /// The feedback projection that answers a feedforward one.
    pub fn feedback_of(&self, projection: ProjectionId) -> Option<FeedbackId> {
        self.answers[projection.0]
    }

    /// The units to which views are presented; all have the same shape.
    pub fn inputs(&self) -> &[UnitId] {
        &self.inputs
    }

    /// The units on which the loss acts.
    pub fn heads(&self) -> &[UnitId] {
        &self.heads
    }

    /// The parts that may learn apart, from the input upwards.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Whether a projection's weights change: it is plastic, and an error reaches its post unit.
    pub fn learns(&self, projection: ProjectionId) -> bool {
        let projection = self.projection(projection);
        projection.plastic && self.reached[projection.to.0]
    }

    /// Whether a unit has use for an error: a projection that learns ends in it, or feedback leads from it to a unit
    /// that needs one.
    pub fn needs_error(&self, unit: UnitId) -> bool {
        self.needs_error[unit.0]
    }
}
