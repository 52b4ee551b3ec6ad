//! Who is joined to whom: names resolved, cycles found, every unit followed up from an input and down from a head.
//!
//! An unknown name is one fault. So that it does not look like a second one (a unit without afferents, a head too
//! many), the name that was probably meant is taken instead for the rest of the checks on connections, and any name
//! where none comes near; shapes are left alone. Where the description is doubtful, names are so too, without a fault.

use std::collections::{HashMap, VecDeque};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, EdgeIndex, NodeIndex};
use petgraph::visit::{Dfs, EdgeRef};
use smallvec::SmallVec;

use super::check::{projection_name, unit_place};
use super::spec::{NetworkSpec, UnitSpec};
use super::{Projection, ProjectionId, UnitId};
use crate::document::Doubts;
use crate::fault::{Fault, did_you_mean, nearest};
use crate::shape::Shape;

/// A description with its names understood.
pub(super) struct Diagram<'a> {
    pub(super) spec: &'a NetworkSpec,
    pub(super) doubts: &'a Doubts,
    /// The feedforward projections, in declaration order.
    pub(super) joins: Vec<Join>,
    /// All units, pre before post as far as there are no cycles.
    pub(super) order: Vec<UnitId>,
    /// Which units lie on a cycle of feedforward projections, or may lie on one.
    pub(super) cyclic: Vec<bool>,
    /// Which of them lie on cycles of which a loose projection may be a part.
    pub(super) unsettled: Vec<bool>,
    /// The units as nodes, joined by the projections of which both ends are understood.
    pub(super) graph: DiGraph<(), ProjectionId>,
}

/// The two ends of a projection.
#[derive(Debug, Clone)]
pub(super) struct Join {
    /// The projection's name.
    pub(super) name: String,
    pub(super) from: End,
    pub(super) to: End,
    /// Whether it can be taken for a projection at all: not if it ends where it begins, or in an input.
    pub(super) sound: bool,
}

/// A unit's name as far as it is understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The unit of that name.
    Known(UnitId),
    /// No unit has that name; this one is probably meant.
    Guess(UnitId),
    /// No unit has such a name.
    Unknown,
    /// It is doubtful which unit is named.
    Doubtful,
}

impl End {
    /// The unit, be it a guess.
    pub(super) fn unit(self) -> Option<UnitId> {
        match self {
            End::Known(unit) | End::Guess(unit) => Some(unit),
            End::Unknown | End::Doubtful => None,
        }
    }

    /// Whether that unit can be meant.
    pub(super) fn may_be(self, unit: UnitId) -> bool {
        self.unit().is_none_or(|meant| meant == unit)
    }

    /// The unit, if it is certain.
    pub(super) fn known(self) -> Option<UnitId> {
        if let End::Known(unit) = self { Some(unit) } else { None }
    }
}

impl Join {
    /// Both units of a sound projection, be they guesses.
    pub(super) fn units(&self) -> Option<(UnitId, UnitId)> {
        let (from, to) = (self.from.unit()?, self.to.unit()?);
        (self.sound && from != to).then_some((from, to))
    }

    /// Whether it is doubtful which units it joins.
    pub(super) fn is_loose(&self) -> bool {
        self.from == End::Doubtful || self.to == End::Doubtful
    }

    /// Whether the two units can be meant, although not all of the names are understood.
    pub(super) fn is_perhaps(&self, from: UnitId, to: UnitId) -> bool {
        self.sound && self.known().is_none() && self.from.may_be(from) && self.to.may_be(to)
    }

    /// Both units of a sound projection, if both are certain.
    pub(super) fn known(&self) -> Option<(UnitId, UnitId)> {
        let (from, to) = (self.from.known()?, self.to.known()?);
        self.sound.then_some((from, to))
    }
}

impl<'a> Diagram<'a> {
    /// Understands a description's names and connections.
    pub(super) fn draw(spec: &'a NetworkSpec, doubts: &'a Doubts, faults: &mut Vec<Fault>) -> Self {
        let mut diagram = Diagram {
            spec,
            doubts,
            joins: Vec::new(),
            order: Vec::new(),
            cyclic: vec![false; spec.units.len()],
            unsettled: vec![false; spec.units.len()],
            graph: DiGraph::new(),
        };
        for _ in &spec.units {
            diagram.graph.add_node(());
        }
        diagram.check_units(faults);
        for (index, projection) in spec.feedforward.iter().enumerate() {
            let place = format!("feedforward[{index}]");
            let name = projection_name(projection.name.as_ref(), &projection.from, &projection.to);
            let owner = format!("projection {name}");
            let from = diagram.resolve(&owner, &projection.from, &format!("{place}.from"), faults);
            let to = diagram.resolve(&owner, &projection.to, &format!("{place}.to"), faults);
            let mut join = Join { name, from, to, sound: true };
            if projection.from == projection.to && from.unit().is_some() && to.unit().is_some() {
                let problem = format!("{owner} leads from {} to itself", projection.from);
                faults.push(Fault::new(&place, problem, "join two different units, or remove it"));
                join.sound = false;
            } else if let Some(input) = to.known().filter(|unit| diagram.is_input(*unit)) {
                let problem = format!("{owner} ends in {}, an input, which has no drive", diagram.name(input));
                faults.push(Fault::new(format!("{place}.to"), problem, "end it in another unit, or remove it"));
                join.sound = false;
            } else if let Some((from, to)) = join.units() {
                diagram.graph.add_edge(NodeIndex::new(from.0), NodeIndex::new(to.0), ProjectionId(index));
            }
            diagram.joins.push(join);
        }
        diagram.find_cycles(faults);
        diagram.check_drives(faults);
        diagram
    }

    /// A unit's name.
    pub(super) fn name(&self, unit: UnitId) -> &'a str {
        self.spec.units.get_index(unit.0).map_or("", |(name, _)| name)
    }

    pub(super) fn units(&self) -> impl DoubleEndedIterator<Item = UnitId> + use<> {
        (0..self.spec.units.len()).map(UnitId)
    }

    pub(super) fn is_input(&self, unit: UnitId) -> bool {
        matches!(self.spec.units[unit.0], UnitSpec::Input { .. }) && !self.may_be_input(unit)
    }

    /// Finds the unit called `name`, or notes that `owner` names it at `place` in vain.
    pub(super) fn resolve(&self, owner: &str, name: &str, place: &str, faults: &mut Vec<Fault>) -> End {
        if self.doubts.cover(place) || self.doubts.cover("units") {
            return End::Doubtful;
        }
        if let Some(index) = self.spec.units.get_index_of(name) {
            return End::Known(UnitId(index));
        }
        let names = self.spec.units.keys().map(String::as_str);
        faults.push(Fault::new(
            place,
            format!("{owner}: there is no unit `{name}`"),
            did_you_mean(name, names.clone()),
        ));
        let index = nearest(name, names).and_then(|name| self.spec.units.get_index_of(name));
        index.map_or(End::Unknown, |index| End::Guess(UnitId(index)))
    }

    /// The units on which the loss acts: those named, or all that project nowhere. `spare` heads may go without.
    pub(super) fn heads(
        &self,
        named: Option<&[String]>,
        spare: &[UnitId],
        faults: &mut Vec<Fault>,
    ) -> SmallVec<[UnitId; 1]> {
        let projects = |unit: UnitId| self.joins.iter().any(|join| join.sound && join.from.unit() == Some(unit));
        let sinks: SmallVec<[UnitId; 1]> =
            self.units().filter(|unit| !self.is_input(*unit) && !projects(*unit)).collect();
        if !self.spec.units.is_empty() && self.units().all(|unit| self.is_input(unit)) {
            let remedy = "add a unit for the loss to act on, such as \"head\": Unit()";
            faults.push(Fault::new("units", "the network has no head: all its units are inputs", remedy));
            return SmallVec::new();
        }
        // A projection from who knows where may be the one that is missing.
        let doubtful = self.joins.iter().any(|join| join.from.unit().is_none()) || self.doubts.cover("feedforward");
        for input in self.units().filter(|unit| self.is_input(*unit) && !projects(*unit) && !doubtful) {
            let name = self.name(input);
            let remedy = format!("add a projection (from: \"{name}\", ...), or remove it");
            faults.push(Fault::new(unit_place(name), format!("input {name} drives nothing"), remedy));
        }
        let Some(named) = named else { return sinks };
        let mut heads = SmallVec::new();
        let mut understood = true;
        for name in named {
            match self.resolve("the loss", name, "", faults).unit() {
                Some(unit) if heads.contains(&unit) => {
                    faults.push(Fault::new("", format!("the head `{name}` is named twice"), "name it once"));
                }
                Some(unit) if self.is_input(unit) => {
                    let problem = format!("the head `{name}` is an input, whose activity nothing can change");
                    faults.push(Fault::new(unit_place(self.name(unit)), problem, "name another unit"));
                }
                Some(unit) => heads.push(unit),
                None => understood = false,
            }
        }
        if !understood {
            return sinks;
        }
        if named.is_empty() {
            let problem = "the network has no head: the loss acts on no unit";
            faults.push(Fault::new("", problem, "name one, or leave heads out"));
            return sinks;
        }
        for sink in sinks.iter().filter(|sink| !heads.contains(sink) && !spare.contains(sink) && !doubtful) {
            let name = self.name(*sink);
            let problem = format!("unit {name} projects nowhere, so it is a head that gets no loss");
            faults.push(Fault::new(unit_place(name), problem, "name it among the heads, or remove it"));
        }
        heads
    }

    /// The feedforward projections of a sound diagram.
    pub(super) fn projections(&self) -> Vec<Projection> {
        let joined = self.joins.iter().zip(&self.spec.feedforward);
        let projection = joined.filter_map(|(join, spec)| {
            let (from, to) = join.known()?;
            Some(Projection {
                name: join.name.clone(),
                from,
                to,
                map: spec.map,
                init: spec.init,
                density: spec.density,
                plastic: spec.is_plastic(),
            })
        });
        projection.collect()
    }

    fn check_units(&self, faults: &mut Vec<Fault>) {
        let spec = self.spec;
        if spec.units.is_empty() {
            faults.push(Fault::new("units", "the network has no units", "add an Input and a Unit"));
            return;
        }
        if spec.units.contains_key("") {
            faults.push(Fault::new(unit_place(""), "a unit has no name", "put its name between the quotes"));
        }
        let mut inputs = self.units().filter(|unit| self.is_input(*unit)).filter_map(|unit| match spec.units[unit.0] {
            UnitSpec::Input { channels, height, width } => Some((unit, Shape::new(channels, height, width))),
            UnitSpec::Unit { .. } => None,
        });
        let Some((first, shape)) = inputs.next() else {
            if self.units().any(|unit| self.may_be_input(unit)) {
                return;
            }
            let silent = self.units().find(|unit| !self.joins_into(*unit));
            let name = silent.map_or("retina", |unit| self.name(unit));
            let remedy = format!("describe one as an input: \"{name}\": Input(channels: 3, height: 32, width: 32)");
            faults.push(Fault::new("units", "the network has no input", remedy));
            return;
        };
        let differs = |unit: UnitId, other: Shape| other != shape && self.is_certain(first) && self.is_certain(unit);
        for (unit, other) in inputs.filter(|(unit, other)| differs(*unit, *other)) {
            let name = self.name(unit);
            let problem = format!("input {name} is {other}, but input {} is {shape}", self.name(first));
            faults.push(Fault::new(
                unit_place(name),
                problem,
                format!("make both {shape}: they are shown the same views"),
            ));
        }
    }

    /// Whether the description names the unit as the end of a projection.
    fn joins_into(&self, unit: UnitId) -> bool {
        self.spec
            .feedforward
            .iter()
            .any(|projection| projection.to == self.name(unit) && projection.from != projection.to)
    }

    /// Orders the units, and names each cycle of projections. A loose projection may close a cycle, shorten one or join
    /// two of them, and another be the one to name: where it may be a part, nothing is said.
    fn find_cycles(&mut self, faults: &mut Vec<Fault>) {
        // Components come post before pre.
        for mut component in tarjan_scc(&self.possible_ways()).into_iter().rev() {
            let nodes = component.len();
            component.retain(|node| node.index() < self.spec.units.len());
            self.order.extend(component.iter().map(|node| UnitId(node.index())));
            if component.len() < 2 {
                continue;
            }
            component.iter().for_each(|node| self.cyclic[node.index()] = true);
            if component.len() < nodes {
                component.iter().for_each(|node| self.unsettled[node.index()] = true);
                continue;
            }
            let cycle = self.cycle(&component);
            let ends = cycle.iter().filter_map(|edge| self.graph.edge_endpoints(*edge));
            let names = ends.map(|(from, _)| self.name(UnitId(from.index())));
            let first = names.clone().next().unwrap_or_default();
            let route = names.chain([first]).collect::<Vec<_>>().join(" -> ");
            // The projection that was written last is the likeliest mistake.
            let last = cycle.iter().map(|edge| self.graph[*edge]).max().unwrap_or(ProjectionId(0));
            let problem = format!("feedforward projections form a cycle: {route}");
            let remedy =
                format!("remove {} or another of them; what runs downwards is feedback", self.joins[last.0].name);
            faults.push(Fault::new(format!("feedforward[{}]", last.0), problem, remedy));
        }
    }

    /// A shortest cycle through the first unit of a strongly connected component.
    fn cycle(&self, component: &[NodeIndex]) -> Vec<EdgeIndex> {
        let Some(start) = component.iter().copied().min() else { return Vec::new() };
        let mut came: HashMap<NodeIndex, EdgeIndex> = HashMap::new();
        let mut queue = VecDeque::from([start]);
        while let Some(node) = queue.pop_front() {
            for edge in self.graph.edges(node).filter(|edge| component.contains(&edge.target())) {
                if edge.target() != start {
                    came.entry(edge.target()).or_insert_with(|| {
                        queue.push_back(edge.target());
                        edge.id()
                    });
                    continue;
                }
                let mut cycle = vec![edge.id()];
                let mut at = node;
                while let Some(edge) = came.get(&at).filter(|_| at != start) {
                    cycle.push(*edge);
                    at = self.graph.edge_endpoints(*edge).map_or(start, |(from, _)| from);
                }
                cycle.reverse();
                return cycle;
            }
        }
        Vec::new()
    }

    /// Finds units that nothing drives, each with what lies idle because of it.
    fn check_drives(&self, faults: &mut Vec<Fault>) {
        let doubtful = self.joins.iter().any(|join| join.to.unit().is_none()) || self.doubts.cover("feedforward");
        let may_drive = |unit: UnitId| self.is_input(unit) || self.may_be_input(unit);
        if doubtful || !self.units().any(may_drive) {
            return;
        }
        // What a projection from an unknown unit ends in is given the benefit of the doubt.
        let doubtful = self.joins.iter().filter(|join| join.from.unit().is_none()).filter_map(|join| join.to.unit());
        let sources = self.units().filter(|unit| may_drive(*unit)).chain(doubtful.clone());
        let active = self.downstream(sources);
        let driven = |unit: UnitId| {
            self.graph.edges_directed(NodeIndex::new(unit.0), petgraph::Incoming).next().is_some()
                || doubtful.clone().any(|doubtful| doubtful == unit)
        };
        for unit in self.units().filter(|unit| !self.is_input(*unit) && !driven(*unit)) {
            let name = self.name(unit);
            let reached = self.downstream([unit]);
            let idle = self.units().filter(|other| *other != unit && reached[other.0] && !active[other.0]);
            let idle: Vec<_> = idle.map(|other| self.name(other)).collect();
            let problem = match idle.as_slice() {
                [] => format!("nothing drives unit {name}"),
                idle => format!("nothing drives unit {name}, so no input reaches {} either", idle.join(", ")),
            };
            let remedy = format!("add a projection (..., to: \"{name}\", ...), or remove the unit");
            faults.push(Fault::new(unit_place(name), problem, remedy));
        }
    }

    /// Which units can be reached from `sources`, themselves among them.
    fn downstream(&self, sources: impl IntoIterator<Item = UnitId>) -> Vec<bool> {
        let mut reached = vec![false; self.spec.units.len()];
        let mut walk = Dfs::empty(&self.graph);
        for source in sources {
            walk.move_to(NodeIndex::new(source.0));
            while let Some(node) = walk.next(&self.graph) {
                reached[node.index()] = true;
            }
        }
        reached
    }
}
