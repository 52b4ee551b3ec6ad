//! From text to description, with all that is wrong at once. A deserialiser stops at its first error; so each one is
//! noted, the entry that caused it is blanked out (spaces keep every place as it was), and the rest is read again.

use std::ops::Range;

use ron::Options;
use ron::error::SpannedError;
use ron::extensions::Extensions;
use serde::de::DeserializeOwned;

use super::outline::{Entry, Form, Node};
use super::{Document, Located, lower, shorten};
use crate::fault::{did_you_mean, nearest};

/// The way to an entry: which one of the root's, which one of that one's, and so on. Empty for the root.
type Trail = Vec<usize>;

impl Document {
    /// Reads the description that the document holds, `Some` left out wherever a value is optional. Otherwise all
    /// unknown fields, unknown names, values of a wrong type and things said twice that can be told apart; a text
    /// that is no RON has one fault.
    pub fn parse<T: DeserializeOwned>(&self) -> std::result::Result<T, Vec<Located>> {
        match self.survey() {
            (Some(description), faults) if faults.is_empty() => Ok(description),
            (_, faults) => Err(faults),
        }
    }

    /// As [`Document::parse`], with the description of what is left without the faults, if it is whole: then what it
    /// means can be checked as well.
    pub fn survey<T: DeserializeOwned>(&self) -> (Option<T>, Vec<Located>) {
        let options =
            Options::default().with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES);
        let root = match &self.outline {
            Ok(root) => root,
            Err(mistake) => {
                return match options.from_str(&self.text) {
                    Ok(description) => (Some(description), Vec::new()),
                    Err(_) => (None, vec![mistake.clone()]),
                };
            }
        };
        let mut reading =
            Reading { root, text: self.text.clone(), blanked: Vec::new(), misspelt: Vec::new(), faults: Vec::new() };
        reading.blank_repeats(root, &mut Vec::new());
        loop {
            match options.from_str(&reading.text) {
                Ok(description) => return (Some(description), reading.faults),
                Err(error) => {
                    let (trail, fault) = reading.blame(&error, &self.text);
                    reading.faults.extend(fault);
                    if !reading.blank(trail) {
                        return (None, reading.faults);
                    }
                }
            }
        }
    }
}

struct Reading<'a> {
    root: &'a Node,
    /// The document without what was found wrong so far.
    text: String,
    blanked: Vec<Trail>,
    /// Values in which an unknown field was probably meant to be this other one.
    misspelt: Vec<(Trail, String)>,
    faults: Vec<Located>,
}

impl Reading<'_> {
    fn entry(&self, trail: &[usize]) -> Option<&Entry> {
        let (last, before) = trail.split_last()?;
        self.node(before).entries.get(*last)
    }

    fn node(&self, trail: &[usize]) -> &Node {
        trail.iter().fold(self.root, |node, index| &node.entries[*index].value)
    }

    /// Blanks out the entry at `trail`, or the one around it if a gap would itself be a fault. False if nothing is
    /// left to blank.
    fn blank(&mut self, mut trail: Trail) -> bool {
        while self.stands_in_tuple(&trail) {
            trail.pop();
        }
        let Some(range) = self.entry(&trail).map(|entry| entry.start()..entry.end) else { return false };
        if self.blanked.contains(&trail) {
            return false;
        }
        let blank: String = self.text[range.clone()].bytes().map(|b| if b == b'\n' { '\n' } else { ' ' }).collect();
        self.text.replace_range(range, &blank);
        self.blanked.push(trail);
        true
    }

    /// Notes fields and keys that stand twice in one pair of brackets, of which a map would silently keep the last.
    fn blank_repeats(&mut self, node: &Node, trail: &mut Trail) {
        for (index, entry) in node.entries.iter().enumerate() {
            trail.push(index);
            let same = |key: &super::outline::Key| {
                let before = node.entries[..index].iter().filter_map(|entry| entry.key.as_ref());
                before.filter(|other| other.text == key.text && other.quoted == key.quoted).count() > 0
            };
            match entry.key.as_ref().filter(|key| same(key)) {
                Some(key) => {
                    let kind = if node.form == Form::Map { "entry" } else { "field" };
                    let problem = format!("the {kind} `{}` is given twice", key.text);
                    self.faults.push(Located::new(key.span.clone(), problem, "keep one of the two"));
                    self.blank(trail.clone());
                }
                None => self.blank_repeats(&entry.value, trail),
            }
            trail.pop();
        }
    }

    /// Which entry an error is about, and the fault to report; none if the error only echoes what was blanked out.
    fn blame(&mut self, error: &SpannedError, source: &str) -> (Trail, Option<Located>) {
        use ron::Error as E;
        let at = offset(&self.text, error.span.end.line, error.span.end.col);
        match &error.code {
            E::NoSuchStructField { expected, found, .. } => {
                let trail = self.seek(at, |entry| entry.key.as_ref().is_some_and(|key| key.span.end == at));
                let span = self.entry(&trail).and_then(|entry| entry.key.as_ref()).map(|key| key.span.clone());
                let problem = format!("{} has no field `{found}`", self.owner(&trail, source));
                if let (Some(meant), Some((_, parent))) = (nearest(found, expected.iter().copied()), trail.split_last())
                {
                    self.misspelt.push((parent.to_vec(), meant.to_string()));
                }
                let remedy = match expected {
                    [] => "remove it".to_string(),
                    names => did_you_mean(found, names.iter().copied()),
                };
                let span = span.unwrap_or_else(|| self.node(&trail).mark(source));
                (trail, Some(Located::new(span, problem, remedy)))
            }
            E::MissingStructField { field, .. } => {
                let trail = self.seek_closing(at);
                let fault = (!self.was_blanked(&trail, Some(field))).then(|| {
                    let whole = [trail.as_slice(), &[0]].concat();
                    let problem = format!("{} lacks the field `{field}`", self.owner(&whole, source));
                    Located::new(self.node(&trail).mark(source), problem, format!("add `{field}: ...`"))
                });
                (trail, fault)
            }
            E::ExpectedDifferentLength { expected, found } => {
                let trail = self.seek_closing(at);
                let fault = (!self.was_blanked(&trail, None)).then(|| {
                    let problem = format!("expected {expected}, found {found}");
                    Located::new(self.node(&trail).mark(source), problem, "add or remove entries")
                });
                (trail, fault)
            }
            code => {
                let trail = self.seek_value(at);
                let fault = (!self.was_blanked(&trail, None)).then(|| self.explain(code, &trail, at, source));
                (trail, fault)
            }
        }
    }

    /// What an error that is about a value says in our words.
    fn explain(&self, code: &ron::Error, trail: &[usize], at: usize, source: &str) -> Located {
        use ron::Error as E;
        let node = self.node(trail);
        let key = self.entry(trail).and_then(|entry| entry.key.as_ref()).filter(|key| at <= key.span.end);
        let span = key.map_or_else(|| node.mark(source), |key| key.span.clone());
        let found = shorten(&source[key.map_or(node.span.clone(), |key| key.span.clone())]);
        let name = node.name.clone().map_or(span.clone(), |name| name);
        let expected =
            |what: &str, remedy: &str| Located::new(span.clone(), format!("expected {what}, found `{found}`"), remedy);
        match code {
            E::NoSuchEnumVariant { expected, found, outer } => {
                let kind = outer.as_deref().map_or("choice".to_string(), in_words);
                Located::new(
                    name,
                    format!("there is no {kind} `{found}`"),
                    did_you_mean(found, expected.iter().copied()),
                )
            }
            E::ExpectedDifferentStructName { expected, found } => {
                let problem = format!("expected `{expected}(...)`, found `{found}(...)`");
                Located::new(name, problem, format!("write `{expected}`"))
            }
            E::ExpectedBoolean => expected("true or false", "write `true` or `false`"),
            E::ExpectedInteger | E::InvalidIntegerDigit { .. } => expected("a whole number", "write a whole number"),
            E::ExpectedFloat => expected("a number", "write a number"),
            E::IntegerOutOfBounds if found.starts_with('-') => {
                expected("a number that is not negative", "write 0 or a larger number")
            }
            E::IntegerOutOfBounds => expected("a smaller number", "write a number that fits 64 bits"),
            E::ExpectedString if node.form == Form::Word => expected("a text in quotes", &format!("write \"{found}\"")),
            E::ExpectedString => expected("a text in quotes", "write a text in double quotes"),
            E::ExpectedArray => expected("a list", "write `[...]`"),
            E::ExpectedMap => expected("a map", "write `{\"name\": ..., ...}`"),
            E::ExpectedStructLike | E::ExpectedNamedStructLike(_) if node.form == Form::Word => {
                Located::new(span, format!("`{found}` needs brackets"), format!("write `{found}(...)`"))
            }
            E::ExpectedNamedStructLike(name) if !name.is_empty() => {
                expected(&format!("`{name}(...)`"), &format!("write `{name}(...)` or `(...)`"))
            }
            E::ExpectedStructLike | E::ExpectedNamedStructLike(_) => expected("`(...)`", "write `(...)`"),
            E::ExpectedIdentifier | E::SuggestRawIdentifier(_)
                if node.form == Form::Scalar && found.starts_with('"') =>
            {
                expected("a name", &format!("write `{}`, without quotes", found.trim_matches('"')))
            }
            E::ExpectedIdentifier | E::SuggestRawIdentifier(_) if self.stands_in_tuple(trail) => {
                expected("a field", &format!("write the field's name before it: `...: {found}`"))
            }
            E::ExpectedIdentifier | E::SuggestRawIdentifier(_) => {
                expected("a name", "write the name of a choice, with its fields in brackets if it has any")
            }
            E::ExpectedComma | E::ExpectedStructLikeEnd | E::ExpectedArrayEnd | E::ExpectedOptionEnd => {
                self.surplus(trail, at, span, &found)
            }
            E::InvalidValueForType { expected, found } => {
                Located::new(span, format!("expected {expected}, found {found}"), format!("write {expected}"))
            }
            other => Located::new(span, lower(&other.to_string()), "write another value"),
        }
    }

    /// A value that was taken for complete before its end.
    fn surplus(&self, trail: &[usize], at: usize, span: Range<usize>, found: &str) -> Located {
        let node = self.node(trail);
        match (&node.name, node.form) {
            (Some(name), Form::Struct | Form::Tuple | Form::List | Form::Map) if at > node.span.start => {
                let name = shorten(&self.text[name.clone()]);
                Located::new(span, format!("`{name}` takes nothing in brackets"), format!("write `{name}`"))
            }
            _ if at > node.span.start => {
                Located::new(span, format!("expected a whole number, found `{found}`"), "write a whole number")
            }
            _ => Located::new(span, format!("`{found}` is one entry too many"), "remove it"),
        }
    }

    fn stands_in_tuple(&self, trail: &[usize]) -> bool {
        trail.split_last().is_some_and(|(_, parent)| self.node(parent).form == Form::Tuple)
    }

    /// What holds the entry at `trail`, in words: its name, else the field that it is the value of.
    fn owner(&self, trail: &[usize], source: &str) -> String {
        let parents = (0..trail.len()).rev().map(|length| &trail[..length]);
        for parent in parents {
            if let Some(name) = self.node(parent).name.clone() {
                return source[name].to_string();
            }
            if let Some(key) = self.entry(parent).and_then(|entry| entry.key.as_ref()) {
                return if parent.len() + 1 == trail.len() {
                    key.text.clone()
                } else {
                    format!("an entry of {}", key.text)
                };
            }
        }
        "the document".to_string()
    }

    /// Whether an entry of the value at `trail` was blanked out: the one called or meant to be `field`, or any.
    fn was_blanked(&self, trail: &[usize], field: Option<&str>) -> bool {
        let misspelt = self.misspelt.iter().any(|(parent, meant)| parent == trail && field == Some(meant));
        misspelt
            || self.blanked.iter().any(|blanked| {
                let inside = blanked.split_last().is_some_and(|(_, parent)| parent == trail);
                let key = self.entry(blanked).and_then(|entry| entry.key.as_ref());
                inside && field.is_none_or(|field| key.is_some_and(|key| key.text == field))
            })
    }

    /// The entry that `wanted` picks among those that touch byte `at`, else the deepest.
    fn seek(&self, at: usize, wanted: impl Fn(&Entry) -> bool) -> Trail {
        let (mut node, mut trail) = (self.root, Trail::new());
        let touches = |entry: &Entry| entry.start() <= at && at <= entry.value.span.end;
        while let Some(index) = node.entries.iter().position(touches) {
            trail.push(index);
            let entry = &node.entries[index];
            if wanted(entry) {
                break;
            }
            node = &entry.value;
        }
        trail
    }

    /// The value whose closing bracket stands at byte `at`.
    fn seek_closing(&self, at: usize) -> Trail {
        let closes = |node: &Node| node.span.end == at + 1;
        if closes(self.root) {
            return Trail::new();
        }
        self.seek(at, |entry| closes(&entry.value))
    }

    /// The value that a parser stumbled over at byte `at`, or just before it if only white space lies between.
    fn seek_value(&self, at: usize) -> Trail {
        let trail = self.seek(at, |_| false);
        let node = self.node(&trail);
        let before = self.text[..at].trim_end().len();
        if node.span.start == at || before == at {
            return trail;
        }
        let back = self.seek(before, |_| false);
        if self.node(&back).span.end == before && self.node(&back).form == Form::Word { back } else { trail }
    }
}

/// The name of a type as prose writes it: `LinearMap` is a linear map.
fn in_words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

/// The byte at a line and column as `ron` counts them: from 1, columns in characters.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    text[start..].char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(byte, _)| start + byte)
}
