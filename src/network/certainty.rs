//! What can be told of a diagram whose description is doubtful in places.

use super::UnitId;
use super::check::unit_place;
use super::diagram::Diagram;

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

    /// Whether a feedforward projection is to learn, as far as can be told.
    pub(super) fn may_learn(&self, index: usize) -> bool {
        self.spec.feedforward[index].is_plastic() || self.doubts.touch(&format!("feedforward[{index}].plastic"))
    }
}
