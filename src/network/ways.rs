//! Ways that errors take, against where they are wanted: feedback that carries nothing useful, and projections that are
//! to learn from an error that never comes.

use super::blocks::Division;
use super::diagram::{Diagram, End, Join};
use super::feedback::{Written, is_parallel};
use super::{ProjectionId, UnitId};
use crate::fault::Fault;

/// Which ways errors take, against where they are wanted.
pub(super) struct Ways<'a> {
    pub(super) diagram: &'a Diagram<'a>,
    pub(super) division: &'a Division,
    pub(super) written: &'a [Written],
    pub(super) wants: &'a [bool],
    pub(super) reached: &'a [bool],
    /// Whether the learning rule adds what is missing.
    pub(super) wired: bool,
}

impl Ways<'_> {
    /// What makes a written feedback projection idle, if it is.
    pub(super) fn useless(&self, written: &Written) -> Option<Fault> {
        written.partner?;
        let (from, to) = written.join.known()?;
        let idle = |reason: String| format!("feedback {} carries nothing useful: {reason}", written.join.name);
        let (upper, lower) = (self.diagram.name(from), self.diagram.name(to));
        if self.diagram.is_input(to) {
            let problem = idle(format!("{lower} is an input, where nothing learns"));
            return Some(Fault::new("", problem, "remove it"));
        }
        // A projection into who knows where may be one that learns below.
        let certain = self.division.understood && !self.diagram.joins.iter().any(|join| join.to.unit().is_none());
        if !self.wants[to.0] && certain {
            let problem = idle(format!("no projection learns in {lower} or below it"));
            return Some(Fault::new("", problem, "remove it"));
        }
        // What doubtful feedback would bring to the lower unit may not come.
        let certain = !self.written.iter().any(|written| written.join.from == End::Doubtful);
        // Where something that learns is left without an error, that is the fault to report.
        (certain && self.reached[to.0] && !self.may_be_reached(from) && !self.learns_into(from)).then(|| {
            let problem = idle(format!("no error reaches {upper}"));
            Fault::new("", problem, format!("remove it, or add {} to feedback", self.down_to(from).join(", ")))
        })
    }

    /// Projections that are to learn from an error that never comes.
    pub(super) fn deaf(&self) -> impl Iterator<Item = Fault> {
        self.diagram.joins.iter().enumerate().filter_map(|(index, join)| {
            let (_, to) = join.known().filter(|_| self.diagram.must_learn(index))?;
            if self.may_be_reached(to) || self.diagram.cyclic[to.0] || self.division.rests(to) {
                return None;
            }
            let missing = self.down_to(to);
            // None is missing here if another such fault asks for it, or if the unit is a head that gets no loss.
            (!missing.is_empty()).then(|| {
                let problem =
                    format!("projection {} learns, but no feedback reaches {}", join.name, self.diagram.name(to));
                let remedy = format!(
                    "add {} to feedback, set plastic: false, or let a rule wire it: learning: (rule: Urf)",
                    missing.join(", ")
                );
                Fault::new(format!("feedforward[{index}]"), problem, remedy)
            })
        })
    }

    /// The feedback that is missing to bring an error to `unit`, from where one is or where another fault asks for it.
    fn down_to(&self, unit: UnitId) -> Vec<String> {
        let mut missing = Vec::new();
        let mut lower = unit;
        for _ in self.diagram.units() {
            let efferents = self.diagram.joins.iter().enumerate();
            let efferents = efferents.filter(|(_, join)| {
                join.units().is_some_and(|(from, to)| from == lower && !self.division.parts(from, to))
            });
            let answered =
                |index| self.written.iter().any(|written| written.may_answer(self.diagram, ProjectionId(index)));
            // A way that is half there is gone before a new one.
            let Some((index, join)) = efferents.min_by_key(|(index, _)| !answered(*index)) else { break };
            let Some((_, upper)) = join.units() else { break };
            if !answered(index) {
                let (from, to) = (self.diagram.name(upper), self.diagram.name(lower));
                let alone = !is_parallel(self.diagram, join);
                let partner = if alone { String::new() } else { format!(", partner: \"{}\"", join.name) };
                missing.push(format!("(from: \"{from}\", to: \"{to}\", wiring: Fixed{partner})"));
            }
            if self.reached[upper.0] || self.learns_into(upper) {
                break;
            }
            lower = upper;
        }
        missing
    }

    fn learns_into(&self, unit: UnitId) -> bool {
        let mut joins = self.diagram.joins.iter().enumerate();
        joins.any(|(index, join)| join.sound && join.to.unit() == Some(unit) && self.diagram.may_learn(index))
    }

    /// Whether an error reaches a unit, or might by feedback that is not understood: be it written, or added to what
    /// is not understood. Loose projections leave open which units are heads, and which ways lead down from there.
    fn may_be_reached(&self, unit: UnitId) -> bool {
        let unknown = |join: &Join| join.from.unit().is_none() || join.to.unit().is_none();
        self.reached[unit.0]
            || self.diagram.doubts.cover("feedback")
            || self.diagram.has_loose_joins()
            || !self.division.understood
            || self.written.iter().any(|written| written.join.to.unit().is_none())
            || (self.wired && self.diagram.joins.iter().any(unknown))
    }
}
