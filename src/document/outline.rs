//! The outline of a RON text: which value stands where, with what name, key and entries.

use std::ops::Range;

/// What kind of text a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A name without brackets: `HardTanh`, `true`, `None`.
    Word,
    /// A number, string or character.
    Scalar,
    /// `(field: value, ...)`, with or without a name; also `()`.
    Struct,
    /// `(value, ...)`, with or without a name.
    Tuple,
    /// `[value, ...]`.
    List,
    /// `{key: value, ...}`.
    Map,
    /// Nothing that can be read: a value of any type has to be made up for it.
    Illegible,
}

/// A value and the bytes it takes.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) span: Range<usize>,
    /// The name before the brackets, or the word itself.
    pub(super) name: Option<Name>,
    pub(super) form: Form,
    pub(super) entries: Vec<Entry>,
}

/// What stands between two commas.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// The name of a field or the key of a map.
    pub(super) key: Option<Name>,
    pub(super) value: Node,
}

/// A name and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) span: Range<usize>,
    /// Without quotes and escapes.
    pub(super) text: String,
    /// Whether it is a string.
    pub(super) quoted: bool,
}

impl Node {
    /// The bytes to point at: the whole value where it fits one line, else its name or opening bracket.
    pub(super) fn mark(&self, text: &str) -> Range<usize> {
        match &self.name {
            _ if !text[self.span.clone()].contains('\n') => self.span.clone(),
            Some(name) => name.span.clone(),
            None => self.span.start..self.span.start + 1,
        }
    }
}
