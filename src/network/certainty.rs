//! What can be told of a diagram whose description is doubtful in places.

use petgraph::graph::{DiGraph, NodeIndex};

use super::check::unit_place;
use super::diagram::Diagram;
use super::{ProjectionId, UnitId};

impl Diagram<'_> {
    /// Whether it is doubtful what kind of unit it is.
    pub(super) fn may_be_input(&self, unit: UnitId) -> bool {
        self.doubts.cover(&unit_place(self.name(unit)))
    }

    /// Whether the numbers that make a unit's shape are what was written.
    pub(super) fn is_certain(&self, unit: UnitId) -> bool {
        let place = unit_place(self.name(unit));
        ["channels", "height", "width", "pool"].iter().all(|field| !self.doubts.touch(&format!("{place}.{field}")))
    }

    /// Whether the numbers that make the geometry of a feedforward projection are what was written.
    pub(super) fn is_certain_map(&self, index: usize) -> bool {
        let fields = ["units", "channels", "kernel", "stride", "pad", "output_pad"];
        fields.iter().all(|field| !self.doubts.touch(&format!("feedforward[{index}].map.{field}")))
    }

    /// Whether a feedforward projection has the name that was written.
    pub(super) fn is_certain_name(&self, index: usize) -> bool {
        self.is_certain_name_at(&format!("feedforward[{index}]"))
    }

    /// Whether the projection at `place` has the name that was written, or that follows from its ends.
    pub(super) fn is_certain_name_at(&self, place: &str) -> bool {
        ["name", "from", "to"].iter().all(|field| !self.doubts.touch(&format!("{place}.{field}")))
    }

    /// Whether a feedforward projection may learn: it is to, or that is doubtful.
    pub(super) fn may_learn(&self, index: usize) -> bool {
        let spec = &self.spec.feedforward[index];
        let has_weights = spec.map.has_weights() || self.doubts.cover(&format!("feedforward[{index}].map"));
        has_weights && (spec.plastic != Some(false) || self.doubts.touch(&format!("feedforward[{index}].plastic")))
    }

    /// Whether a feedforward projection is to learn beyond doubt.
    pub(super) fn must_learn(&self, index: usize) -> bool {
        let place = format!("feedforward[{index}]");
        let doubtful = self.doubts.touch(&format!("{place}.plastic")) || self.doubts.cover(&format!("{place}.map"));
        self.spec.feedforward[index].is_plastic() && !doubtful
    }

    /// Whether it is doubtful of some feedforward projection which units it joins.
    pub(super) fn has_loose_joins(&self) -> bool {
        self.doubts.cover("feedforward") || self.joins.iter().any(|join| join.is_loose())
    }

    /// The units and all ways that may lead from one to another. Each loose projection is a node of its own, behind
    /// those of the units: it is entered from all units where it may begin, and left for all where it may end.
    pub(super) fn possible_ways(&self) -> DiGraph<(), ProjectionId> {
        let mut ways = self.graph.clone();
        for (index, join) in self.joins.iter().enumerate().filter(|(_, join)| join.sound && join.is_loose()) {
            let loose = ways.add_node(());
            for unit in self.units() {
                let node = NodeIndex::new(unit.0);
                if join.from.may_be(unit) {
                    ways.add_edge(node, loose, ProjectionId(index));
                }
                if join.to.may_be(unit) && !self.is_input(unit) {
                    ways.add_edge(loose, node, ProjectionId(index));
                }
            }
        }
        ways
    }
}
