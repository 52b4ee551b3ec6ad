//! Blocks: parts of a network that may learn apart, each from a head of its own.
//!
//! Where learning goes block by block, activity crosses a block's border and nothing else does: no feedback leads from
//! one block into another, so every error comes from the block's own head.

use smallvec::SmallVec;

use super::check::unit_place;
use super::diagram::{Diagram, End};
use super::{LinearMap, Network, UnitId};
use crate::fault::Fault;
use crate::kernels::Transfer;

/// A part of a network that may learn by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Its units, in the order written.
    pub units: Vec<UnitId>,
    /// The unit on which the loss acts while the block learns by itself.
    pub head: UnitId,
    pub(super) top: UnitId,
}

impl Block {
    /// The unit that the rest of the network builds on, and that is read out: the last one written, or what it relays if
    /// only heads hear it.
    pub fn top(&self) -> UnitId {
        self.top
    }
}

impl Network {
    /// The unit that is read out when a head is thrown away: the one below it. Relays that only heads hear, such as a
    /// pool that stands before them, are thrown away too.
    pub fn top_below(&self, head: UnitId) -> Option<UnitId> {
        let last = self.afferents(head).last()?;
        Some(self.below_relays(self.projection(last).from))
    }

    /// `unit`, or what it relays if only heads hear it, directly or through other such relays.
    pub(super) fn below_relays(&self, mut unit: UnitId) -> UnitId {
        let mut relays = Vec::new();
        while let Some(lower) = self.relayed_to_heads(unit, &relays) {
            relays.push(unit);
            unit = lower;
        }
        unit
    }

    /// The unit of the same block that `unit` hands on one to one, pooled at most, to heads and `relays` alone.
    fn relayed_to_heads(&self, unit: UnitId, relays: &[UnitId]) -> Option<UnitId> {
        let mut afferents = self.afferents(unit);
        let only = self.projection(afferents.next().filter(|_| afferents.len() == 0)?);
        let is_head = |unit| self.heads.contains(&unit) || self.blocks.iter().any(|block| block.head == unit);
        let ends = |unit| is_head(unit) || relays.contains(&unit);
        let serves_heads = self.efferents(unit).all(|id| ends(self.projection(id).to));
        let together = |block: &Block| block.units.contains(&unit) == block.units.contains(&only.from);
        let inner = !self.unit(only.from).input && self.blocks.iter().all(together);
        let relays = only.map == LinearMap::OneToOne && self.unit(unit).transfer == Transfer::Linear;
        (relays && serves_heads && inner).then_some(only.from)
    }
}

/// A diagram's units sorted into blocks.
pub(super) struct Division {
    pub(super) blocks: Vec<Block>,
    /// Whether each block learns by itself.
    blockwise: bool,
    /// The block of each unit.
    of: Vec<Option<usize>>,
    /// Units that a doubtful name further up may give to another block.
    contested: Vec<bool>,
    /// Units that no head in use depends on: they rest.
    idle: Vec<bool>,
    /// Whether all names are known and nothing is doubtful.
    pub(super) understood: bool,
}

impl Division {
    /// Understands the blocks of a description.
    pub(super) fn draw(diagram: &Diagram, blockwise: bool, faults: &mut Vec<Fault>) -> Self {
        let idle = vec![false; diagram.spec.units.len()];
        let understood = !diagram.doubts.touch("blocks");
        let of = vec![None; diagram.spec.units.len()];
        let contested = vec![false; diagram.spec.units.len()];
        let mut division = Division { blocks: Vec::new(), blockwise, of, contested, idle, understood };
        let mut doubtful = false;
        for (index, spec) in diagram.spec.blocks.iter().enumerate() {
            let place = format!("blocks[{index}]");
            let owner = format!("block {}", index + 1);
            if spec.units.is_empty() {
                let problem = format!("{owner} has no units");
                faults.push(Fault::new(format!("{place}.units"), problem, "name at least one, from the input upwards"));
            }
            let named = spec.units.iter().enumerate().map(|(unit, name)| (format!("{place}.units[{unit}]"), name));
            let named = named.chain([(format!("{place}.head"), &spec.head)]);
            let mut members = Vec::new();
            // What cannot be read may have been more names.
            doubtful |= diagram.doubts.cover(&format!("{place}.units"));
            for (place, name) in named {
                let named = diagram.resolve(&owner, name, &place, faults);
                doubtful |= named == End::Doubtful;
                let Some(unit) = named.known() else {
                    division.understood = false;
                    continue;
                };
                if diagram.is_input(unit) {
                    let problem = format!("{owner}: {name} is an input, where nothing learns");
                    faults.push(Fault::new(place, problem, "leave it out: inputs belong to no block"));
                } else if let Some(other) = division.of[unit.0] {
                    let problem = format!("{owner}: {name} belongs to block {} already", other + 1);
                    faults.push(Fault::new(place, problem, "name each unit once"));
                } else {
                    division.of[unit.0] = Some(index);
                    division.contested[unit.0] = doubtful;
                }
                members.push(unit);
            }
            if let Some(head) = members.pop() {
                let top = members.last().copied().unwrap_or(head);
                division.blocks.push(Block { units: members, head, top });
            }
        }
        if division.understood && !division.blocks.is_empty() {
            division.check(diagram, faults);
        }
        division
    }

    /// Whether all units have a block, and activity only climbs.
    fn check(&self, diagram: &Diagram, faults: &mut Vec<Fault>) {
        for unit in diagram.units().filter(|unit| !diagram.is_input(*unit) && self.of[unit.0].is_none()) {
            let name = diagram.name(unit);
            let problem = format!("unit {name} belongs to no block, though the network has blocks");
            faults.push(Fault::new(unit_place(name), problem, "add it to the units of one of them"));
        }
        for (index, join) in diagram.joins.iter().enumerate() {
            let Some((from, to)) = join.known() else { continue };
            let (Some(lower), Some(upper)) = (self.of[from.0], self.of[to.0]) else { continue };
            if lower > upper {
                let problem =
                    format!("projection {} leads from block {} down to block {}", join.name, lower + 1, upper + 1);
                faults.push(Fault::new(
                    format!("feedforward[{index}]"),
                    problem,
                    "list the blocks in the order in which activity passes through them",
                ));
            }
        }
    }

    /// The units on which the loss acts: those named, the heads of the blocks that learn one by one, the last block's
    /// where all learn at once, or all that project nowhere.
    pub(super) fn heads(
        &mut self,
        diagram: &Diagram,
        named: Option<&[String]>,
        faults: &mut Vec<Fault>,
    ) -> SmallVec<[UnitId; 1]> {
        let spare: Vec<UnitId> = self.blocks.iter().map(|block| block.head).collect();
        let heads = diagram.heads(named, &spare, faults);
        let heads = match (named, self.blockwise, self.blocks.last()) {
            (None, true, Some(_)) => spare.into_iter().collect(),
            (None, false, Some(last)) => [last.head].into_iter().collect(),
            _ => heads,
        };
        // A loose projection may be the one through which a head depends on a unit.
        if !self.blocks.is_empty() && !diagram.has_loose_joins() {
            let mut used = vec![false; self.idle.len()];
            heads.iter().for_each(|head: &UnitId| used[head.0] = true);
            let joins = || diagram.joins.iter().filter_map(|join| join.units());
            while let Some((from, _)) = joins().find(|(from, to)| used[to.0] && !used[from.0]) {
                used[from.0] = true;
            }
            self.idle = used.iter().map(|used| !used).collect();
        }
        heads
    }

    /// Whether a unit rests because no head in use depends on it.
    pub(super) fn rests(&self, unit: UnitId) -> bool {
        self.idle[unit.0]
    }

    /// Whether no feedback may lead from one unit to the other: they learn apart, or one of them rests.
    pub(super) fn parts(&self, one: UnitId, other: UnitId) -> bool {
        self.blockwise && self.of[one.0] != self.of[other.0] || self.rests(one) || self.rests(other)
    }

    /// What is wrong with feedback from one unit to another, if it crosses a border.
    pub(super) fn crossing(&self, owner: &str, from: UnitId, to: UnitId) -> Option<Fault> {
        let (Some(upper), Some(lower)) = (self.of[from.0], self.of[to.0]) else { return None };
        let certain = !self.contested[from.0] && !self.contested[to.0];
        (self.blockwise && upper != lower && certain).then(|| {
            let problem =
                format!("{owner} leads from block {} into block {}, but blocks learn apart", upper + 1, lower + 1);
            Fault::new("", problem, "remove it, or learn with staging: EndToEnd")
        })
    }
}
