//! Labels as a loss sees them: they choose between numbers, and what they chose bears their mark.
//!
//! A class is not to be had, so no label goes unnoticed by way of an index:
//!
//! ```compile_fail,E0616
//! let labels = synlocal::loss::Labels::from(&[3, 1][..]);
//! let class = labels.classes[0];
//! ```

use crate::number::Number;

/// The classes of a batch's items; none where no loss is supervised.
#[derive(Debug, Clone, Copy, Default)]
pub struct Labels<'a> {
    classes: &'a [u8],
}

/// The class of one item.
#[derive(Debug, Clone, Copy)]
pub struct Label {
    class: usize,
}

impl<'a> From<&'a [u8]> for Labels<'a> {
    fn from(classes: &'a [u8]) -> Self {
        Labels { classes }
    }
}

impl Labels<'_> {
    /// The label of an item.
    ///
    /// # Panics
    /// If the item has none.
    pub fn of(&self, item: usize) -> Label {
        Label { class: usize::from(self.classes[item]) }
    }
}

impl Label {
    /// `right` for the class itself, `wrong` for any other.
    pub fn choose<N: Number>(self, class: usize, right: N, wrong: N) -> N {
        if class == self.class { right.labelled() } else { wrong.labelled() }
    }

    /// The value that stands for the class.
    ///
    /// # Panics
    /// If no value does.
    pub fn pick<N: Number>(self, values: &[N]) -> N {
        values[self.class].labelled()
    }
}
