//! A number that remembers what it was made of, and how.

use std::iter::Sum;
use std::ops::{Add, AddAssign, BitOr, Div, Mul, MulAssign, Neg, Sub, SubAssign};

use super::{Number, Operation, Operations};

/// A value, the data it depends on, and the operations that were done on the way to it. Both go with the value through
/// everything that follows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traced {
    value: f64,
    sources: Sources,
    done: Operations,
    /// Whether it is a switch; see [`Operation`].
    switch: bool,
}

/// The data that a number depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sources {
    /// Items whose embedding of the stored view it depends on, a bit each, the first item lowest.
    pub stored: u32,
    /// Items whose embedding of the current view it depends on.
    pub current: u32,
    /// Whether it depends on labels.
    pub labels: bool,
    /// Whether it depends on a synapse's own change or moments.
    pub synapse: bool,
}

impl Sources {
    fn any(self) -> bool {
        self != Sources::default()
    }

    /// How many embeddings there are.
    fn embeddings(self) -> u32 {
        self.stored.count_ones() + self.current.count_ones()
    }

    /// Whether all embeddings are among those of `other`.
    fn within(self, other: Sources) -> bool {
        self.stored & !other.stored == 0 && self.current & !other.current == 0
    }

    /// Whether an embedding's item or the synapse is also in `other`.
    fn meets(self, other: Sources) -> bool {
        self.stored & other.stored != 0 || self.current & other.current != 0 || self.synapse && other.synapse
    }

    fn are_merged(self) -> bool {
        self.stored.count_ones().max(self.current.count_ones()) > 2
    }
}

impl BitOr for Sources {
    type Output = Sources;

    fn bitor(self, other: Sources) -> Sources {
        Sources {
            stored: self.stored | other.stored,
            current: self.current | other.current,
            labels: self.labels || other.labels,
            synapse: self.synapse || other.synapse,
        }
    }
}

impl Traced {
    /// The most items that can be told apart.
    pub const ITEMS: usize = 32;

    /// A value of an item's embedding of the stored view.
    ///
    /// # Panics
    /// Of an item beyond [`Traced::ITEMS`].
    pub fn stored(item: usize, value: f32) -> Traced {
        Traced::datum(value, Sources { stored: bit(item), ..Sources::default() })
    }

    /// A value of an item's embedding of the current view.
    ///
    /// # Panics
    /// Of an item beyond [`Traced::ITEMS`].
    pub fn current(item: usize, value: f32) -> Traced {
        Traced::datum(value, Sources { current: bit(item), ..Sources::default() })
    }

    /// A synapse's own change, or a moment of it.
    pub fn synapse(value: f32) -> Traced {
        Traced::datum(value, Sources { synapse: true, ..Sources::default() })
    }

    fn datum(value: f32, sources: Sources) -> Traced {
        Traced { value: f64::from(value), sources, ..Traced::default() }
    }

    /// The value.
    pub fn value(self) -> f64 {
        self.value
    }

    /// The data that it depends on.
    pub fn sources(self) -> Sources {
        self.sources
    }

    /// The operations on data that it has gone through.
    pub fn operations(self) -> Operations {
        self.done
    }

    /// `value`, made of this number by a straight line.
    fn linear(self, value: f64) -> Traced {
        Traced { value, switch: false, ..self }
    }

    /// `value`, made of this number by a crooked line: a statistic, if items were merged before.
    fn bent(self, value: f64) -> Traced {
        let statistics = self.sources.are_merged();
        self.linear(value).after(Operation::BatchStatistics, statistics)
    }

    /// `value`, one of the few that a threshold on this number gives.
    fn threshold(self, value: f64) -> Traced {
        Traced { switch: self.sources.any(), ..self.bent(value) }
    }

    /// The same number, with an operation done if it was.
    fn after(mut self, operation: Operation, done: bool) -> Traced {
        if done {
            self.done |= operation.into();
        }
        self
    }

    /// `value`, which depends on this number and another.
    fn with(self, other: Traced, value: f64) -> Traced {
        Traced { value, sources: self.sources | other.sources, done: self.done | other.done, switch: false }
    }

    /// `value`, a product of this number and another, or a quotient.
    fn product(self, other: Traced, value: f64) -> Traced {
        let product = self.with(other, value);
        if !self.sources.any() || !other.sources.any() {
            return Traced { switch: self.switch || other.switch, ..product };
        }
        let (one, two) = (self.sources, other.sources);
        let (switched, switches) = (self.switch || other.switch, self.switch && other.switch);
        let compared = switched && (one.within(two) || two.within(one));
        let lone_switch = self.switch && !one.are_merged() || other.switch && !two.are_merged();
        let scaled = [Operation::Division, Operation::SquareRoot].into_iter().any(|by| product.done.contains(by));
        Traced { switch: switches, ..product }
            .after(
                Operation::InnerProduct,
                one.embeddings() > 0 && two.embeddings() > 0 && product.sources.embeddings() > 1 && !compared,
            )
            .after(Operation::Normalisation, scaled && one.meets(two))
            .after(Operation::BatchStatistics, (one.are_merged() || two.are_merged()) && !lone_switch)
    }
}

fn bit(item: usize) -> u32 {
    assert!(item < Traced::ITEMS, "item {item} of a trace that tells {} apart; trace fewer", Traced::ITEMS);
    1 << item
}

impl From<f64> for Traced {
    fn from(value: f64) -> Self {
        Traced { value, ..Traced::default() }
    }
}

impl From<f32> for Traced {
    fn from(value: f32) -> Self {
        Traced::from(f64::from(value))
    }
}

impl Add for Traced {
    type Output = Traced;

    fn add(self, other: Traced) -> Traced {
        self.with(other, self.value + other.value)
    }
}

impl Sub for Traced {
    type Output = Traced;

    fn sub(self, other: Traced) -> Traced {
        self.with(other, self.value - other.value)
    }
}

impl Mul for Traced {
    type Output = Traced;

    fn mul(self, other: Traced) -> Traced {
        self.product(other, self.value * other.value)
    }
}

impl Div for Traced {
    type Output = Traced;

    fn div(self, other: Traced) -> Traced {
        let (by_data, by_statistics) = (other.sources.any(), other.sources.are_merged());
        // What divides is no switch, and the division itself has been gone through.
        let divisor = Traced { switch: false, ..other }.after(Operation::Division, by_data);
        self.product(divisor, self.value / other.value).after(Operation::BatchStatistics, by_statistics)
    }
}

impl Neg for Traced {
    type Output = Traced;

    fn neg(self) -> Traced {
        Traced { value: -self.value, ..self }
    }
}

impl AddAssign for Traced {
    fn add_assign(&mut self, other: Traced) {
        *self = *self + other;
    }
}

impl SubAssign for Traced {
    fn sub_assign(&mut self, other: Traced) {
        *self = *self - other;
    }
}

impl MulAssign for Traced {
    fn mul_assign(&mut self, other: Traced) {
        *self = *self * other;
    }
}

impl Sum for Traced {
    fn sum<I: Iterator<Item = Traced>>(terms: I) -> Traced {
        terms.fold(Traced::default(), Add::add)
    }
}

impl Number for Traced {
    type Wide = Traced;

    fn wide(self) -> Traced {
        self
    }

    fn narrow(wide: Traced) -> Traced {
        wide
    }

    fn open(self) -> Option<Traced> {
        Some(self.threshold(if self.value.open().is_some() { 1.0 } else { 0.0 }))
    }

    fn sign(self) -> Traced {
        self.threshold(self.value.sign())
    }

    fn abs(self) -> Traced {
        self.bent(self.value.abs())
    }

    fn max(self, other: Traced) -> Traced {
        self.with(other, 0.0).bent(self.value.max(other.value))
    }

    fn over(self, divisor: Traced) -> Traced {
        Traced { value: self.value.over(divisor.value), ..self / divisor }
    }

    fn sqrt(self) -> Traced {
        self.bent(self.value.sqrt()).after(Operation::SquareRoot, self.sources.any())
    }

    fn exp(self) -> Traced {
        self.bent(self.value.exp()).after(Operation::Exponential, self.sources.any())
    }

    fn ln(self) -> Traced {
        self.bent(self.value.ln()).after(Operation::Exponential, self.sources.any())
    }

    fn labelled(self) -> Traced {
        Traced { sources: Sources { labels: true, ..self.sources }, ..self }
    }

    fn report(self) -> f64 {
        f64::NAN
    }
}
