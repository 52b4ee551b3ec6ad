//! What can stop the reading of a value.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

/// Why the reading stopped, and where.
#[derive(Debug)]
pub(super) struct Stop {
    /// Which entry of which entry of which entry ... of the root, from the inside out.
    pub(super) trail: Vec<usize>,
    pub(super) cause: Cause,
}

/// What is wrong with the value at which the reading stopped.
#[derive(Debug)]
pub(super) enum Cause {
    /// It is the value of a field that there is not.
    UnknownField { found: String, expected: &'static [&'static str] },
    /// The key of its entry needs quotes.
    BareKey,
    /// It lacks a field.
    MissingField(&'static str),
    /// Its name is none of these.
    UnknownVariant { kind: &'static str, variants: &'static [&'static str] },
    /// It should have this name, or none.
    OtherName(&'static str),
    /// It has no brackets.
    NeedsBrackets,
    /// It has brackets, and what they hold has no use.
    NeedsNoBrackets,
    /// It stands where a field with its name should.
    Unnamed,
    /// It stands behind all that was expected.
    Surplus,
    /// It is too short or too long.
    Length { expected: String, found: usize },
    /// Something else was expected.
    Mistyped { expected: String, remedy: String },
    /// What the type says about it.
    Other(String),
}

impl Stop {
    /// Something else was expected.
    pub(super) fn mistyped(expected: impl Into<String>, remedy: impl Into<String>) -> Stop {
        Cause::Mistyped { expected: expected.into(), remedy: remedy.into() }.into()
    }

    /// The same as seen from what holds the value as its entry at `index`.
    pub(super) fn inside(mut self, index: usize) -> Stop {
        self.trail.push(index);
        self
    }
}

impl From<Cause> for Stop {
    fn from(cause: Cause) -> Stop {
        Stop { trail: Vec::new(), cause }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.cause)
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: fmt::Display>(message: T) -> Stop {
        Cause::Other(super::lower(&message.to_string())).into()
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Stop {
        Stop::mistyped(expected.to_string(), format!("write {expected}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Stop {
        Stop::invalid_type(found, expected)
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Stop {
        Cause::Length { expected: expected.to_string(), found }.into()
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Stop {
        Cause::UnknownField { found: field.to_string(), expected }.into()
    }

    fn missing_field(field: &'static str) -> Stop {
        Cause::MissingField(field).into()
    }
}
