//! From text to description, with all that is wrong at once. Reading stops at its first fault; so each one is noted, the
//! outline is amended there (a misspelt name is read as the one that was probably meant, what cannot be read is made up,
//! what has no use is left out), and it is read again.

use std::marker::PhantomData;
use std::ops::Range;

use ron::Options;
use ron::error::SpannedError;
use ron::extensions::Extensions;
use serde::de::DeserializeOwned;

use super::outline::{Entry, Form, Name, Node};
use super::stop::{Cause, Stop};
use super::{Document, Doubts, Located, lower, path, shorten, value};
use crate::fault::{did_you_mean, nearest};

/// All that can be told of a description whose text may have faults.
#[derive(Debug, Clone)]
pub struct Survey<T> {
    /// The description as far as it could be read, the rest made up; none if nothing could be.
    pub description: Option<T>,
    /// What is wrong with the text: unknown and missing fields, unknown names, values of a wrong type, things said twice.
    pub faults: Vec<Located>,
    /// The places of the description of which it is uncertain what is meant.
    pub doubts: Doubts,
}

impl Document {
    /// Reads the description that the document holds, `Some` left out wherever a value is optional; or all faults of
    /// the text.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Vec<Located>> {
        let survey = self.clone().survey();
        survey.description.filter(|_| survey.faults.is_empty()).ok_or(survey.faults)
    }

    /// As [`Document::parse`], but what is left without the faults can be checked for its meaning as well. From then on
    /// places lead to values under misspelt names, too.
    pub fn survey<T: DeserializeOwned>(&mut self) -> Survey<T> {
        let options =
            Options::default().with_default_extension(Extensions::IMPLICIT_SOME | Extensions::UNWRAP_VARIANT_NEWTYPES);
        let legal = options.from_str::<T>(&self.text);
        let mut survey = Survey { description: None, faults: Vec::new(), doubts: Doubts::default() };
        let outline = match &self.outline {
            Ok(outline) => outline,
            Err(mistake) => {
                survey.description = legal.ok();
                survey.faults.extend(survey.description.is_none().then(|| mistake.clone()));
                return survey;
            }
        };
        let mut reading = Reading::of(&self.text, outline.clone());
        reading.leave_out_repeats();
        survey.description = match legal {
            Ok(description) if reading.faults.is_empty() => Some(description),
            Ok(_) => reading.read(),
            Err(error) => {
                let description = reading.read();
                if reading.faults.is_empty() {
                    reading.faults.push(refusal(&error, &self.text));
                }
                description
            }
        };
        (survey.doubts, survey.faults) = (reading.doubts(), reading.faults);
        self.outline = Ok(reading.root);
        survey
    }
}

/// A text and its outline, the latter amended wherever a fault was noted.
struct Reading<'a> {
    source: &'a str,
    root: Node,
    faults: Vec<Located>,
    /// Places of values with an unknown field, and the fields that there are: it may have been meant by each of them
    /// that is not given.
    left_out: Vec<(String, &'static [&'static str])>,
    doubts: Doubts,
}

impl<'a> Reading<'a> {
    fn of(source: &'a str, root: Node) -> Self {
        Reading { source, root, faults: Vec::new(), left_out: Vec::new(), doubts: Doubts::default() }
    }

    fn read<T: DeserializeOwned>(&mut self) -> Option<T> {
        loop {
            match value::read(self.source, &self.root, PhantomData) {
                Ok(description) => return Some(description),
                Err(stop) => self.amend(stop)?,
            }
        }
    }

    /// Notes a fault and mends it for the next reading. None if there is nothing left that could be read.
    fn amend(&mut self, stop: Stop) -> Option<()> {
        let Stop { mut trail, cause } = stop;
        trail.reverse();
        if self.node(&trail).form == Form::Illegible {
            // Nothing can be made up for it: so nothing can be read around it either.
            trail.pop()?;
            self.make_up(&trail);
            return Some(());
        }
        self.faults.push(self.fault(&trail, &cause));
        match cause {
            Cause::UnknownField { found, expected } => {
                let (index, holder) = trail.split_last()?;
                let place = path::place(&self.root, holder);
                let node = self.node_mut(holder);
                let given = |name: &str| keys(node).any(|key| key == name);
                match nearest(&found, expected.iter().copied()) {
                    Some(meant) if !given(meant) => {
                        node.entries[*index].key.as_mut()?.text = meant.to_string();
                    }
                    Some(_) => drop(node.entries.remove(*index)),
                    None => {
                        node.entries.remove(*index);
                        self.left_out.push((place, expected));
                    }
                }
            }
            Cause::UnknownVariant { variants, .. } => {
                let name = self.node_mut(&trail).name.as_mut();
                match name.and_then(|name| Some((nearest(&name.text, variants.iter().copied())?, name))) {
                    Some((meant, name)) => name.text = meant.to_string(),
                    None => self.make_up(&trail),
                }
            }
            Cause::MissingField(field) => {
                let node = self.node_mut(&trail);
                let span = node.span.end..node.span.end;
                let key = Name { span: span.clone(), text: field.to_string(), quoted: false };
                let value = Node { span, name: None, form: Form::Illegible, entries: Vec::new() };
                node.entries.push(Entry { key: Some(key), value });
                trail.push(node.entries.len() - 1);
                self.make_up(&trail);
            }
            Cause::OtherName(name) => self.node_mut(&trail).name.as_mut()?.text = name.to_string(),
            Cause::NeedsNoBrackets => {
                let node = self.node_mut(&trail);
                node.form = Form::Word;
                node.entries.clear();
            }
            Cause::BareKey => {
                let (index, holder) = trail.split_last()?;
                self.node_mut(holder).entries[*index].key.as_mut()?.quoted = true;
            }
            Cause::Surplus => {
                let (index, holder) = trail.split_last()?;
                self.node_mut(holder).entries.remove(*index);
            }
            Cause::Unnamed => {
                trail.pop()?;
                self.make_up(&trail);
            }
            Cause::NeedsBrackets | Cause::Length { .. } | Cause::Mistyped { .. } | Cause::Other(_) => {
                self.make_up(&trail);
            }
        }
        Some(())
    }

    /// Has the value at `trail` made up from now on.
    fn make_up(&mut self, trail: &[usize]) {
        self.doubts.add(path::place(&self.root, trail));
        self.node_mut(trail).form = Form::Illegible;
    }

    /// What a stop says in our words.
    fn fault(&self, trail: &[usize], cause: &Cause) -> Located {
        let node = self.node(trail);
        let mark = node.mark(self.source);
        let key = self.entry(trail).and_then(|entry| entry.key.as_ref());
        let name = node.name.as_ref().map_or(mark.clone(), |name| name.span.clone());
        let written = |span: &Range<usize>| shorten(&self.source[span.clone()]);
        let found = written(&node.span);
        match cause {
            Cause::UnknownField { found, expected } => {
                let holder = &trail[..trail.len().saturating_sub(1)];
                let problem = format!("{} has no field `{found}`", self.in_words(holder));
                let remedy = match expected {
                    [] => "remove it".to_string(),
                    names => did_you_mean(found, names.iter().copied()),
                };
                Located::new(key.map_or(mark, |key| key.span.clone()), problem, remedy)
            }
            Cause::BareKey => {
                let span = key.map_or(mark, |key| key.span.clone());
                let found = written(&span);
                Located::new(span, format!("expected a text in quotes, found `{found}`"), format!("write \"{found}\""))
            }
            Cause::MissingField(field) => {
                let problem = format!("{} lacks the field `{field}`", self.in_words(trail));
                Located::new(mark, problem, format!("add `{field}: ...`"))
            }
            Cause::UnknownVariant { kind, variants } => {
                let found = written(&name);
                let problem = format!("there is no {} `{found}`", spaced(kind));
                Located::new(name, problem, did_you_mean(&found, variants.iter().copied()))
            }
            Cause::OtherName(expected) => {
                let problem = format!("expected `{expected}(...)`, found `{}(...)`", written(&name));
                Located::new(name, problem, format!("write `{expected}`"))
            }
            Cause::NeedsBrackets => {
                Located::new(mark, format!("`{found}` needs brackets"), format!("write `{found}(...)`"))
            }
            Cause::NeedsNoBrackets => {
                let name = written(&name);
                Located::new(mark, format!("`{name}` takes nothing in brackets"), format!("write `{name}`"))
            }
            Cause::Unnamed => {
                let remedy = format!("write the field's name before it: `...: {found}`");
                Located::new(mark, format!("expected a field, found `{found}`"), remedy)
            }
            Cause::Surplus => Located::new(mark, format!("`{found}` is one entry too many"), "remove it"),
            Cause::Length { expected, found } => {
                Located::new(mark, format!("expected {expected}, found {found}"), "add or remove entries")
            }
            Cause::Mistyped { expected, remedy } => {
                Located::new(mark, format!("expected {expected}, found `{found}`"), remedy)
            }
            Cause::Other(problem) => Located::new(mark, problem, "write another value"),
        }
    }

    /// Notes fields and keys that stand twice in one pair of brackets, of which a map would silently keep the last.
    fn leave_out_repeats(&mut self) {
        let mut unseen = vec![Vec::new()];
        while let Some(trail) = unseen.pop() {
            let mut index = 0;
            while index < self.node(&trail).entries.len() {
                let node = self.node(&trail);
                let (before, entry) = (&node.entries[..index], &node.entries[index]);
                let alike = |first: &&Entry| match (&first.key, &entry.key) {
                    (Some(first), Some(key)) => first.text == key.text && first.quoted == key.quoted,
                    _ => false,
                };
                let Some((first, key)) = before.iter().find(alike).zip(entry.key.as_ref()) else {
                    unseen.push([trail.as_slice(), &[index]].concat());
                    index += 1;
                    continue;
                };
                let kind = if node.form == Form::Map { "entry" } else { "field" };
                let problem = format!("the {kind} `{}` is given twice", key.text);
                let fault = Located::new(key.span.clone(), problem, "keep one of the two");
                let open = contested(self.source, &first.value, &entry.value);
                let place = path::place(&self.root, &[trail.as_slice(), &[index]].concat());
                open.into_iter().for_each(|part| self.doubts.add(format!("{place}{part}")));
                self.faults.push(fault);
                self.node_mut(&trail).entries.remove(index);
            }
        }
    }

    fn doubts(&self) -> Doubts {
        let mut doubts = self.doubts.clone();
        for (place, fields) in &self.left_out {
            let steps = path::parse(place).unwrap_or_default();
            let node = path::see_through(path::follow(&self.root, &steps).node);
            for field in fields.iter().filter(|field| !keys(node).any(|key| key == **field)) {
                let dot = if place.is_empty() { "" } else { "." };
                doubts.add(format!("{place}{dot}{field}"));
            }
        }
        doubts
    }

    fn entry(&self, trail: &[usize]) -> Option<&Entry> {
        let (last, before) = trail.split_last()?;
        self.node(before).entries.get(*last)
    }

    fn node(&self, trail: &[usize]) -> &Node {
        trail.iter().fold(&self.root, |node, index| &node.entries[*index].value)
    }

    fn node_mut(&mut self, trail: &[usize]) -> &mut Node {
        trail.iter().fold(&mut self.root, |node, index| &mut node.entries[*index].value)
    }

    /// The value at `trail` in words: its name, else the field that it is the value of or an entry of.
    fn in_words(&self, trail: &[usize]) -> String {
        for length in (0..=trail.len()).rev() {
            if let Some(name) = &self.node(&trail[..length]).name {
                return name.text.clone();
            }
            if let Some(key) = self.entry(&trail[..length]).and_then(|entry| entry.key.as_ref()) {
                return if length == trail.len() { key.text.clone() } else { format!("an entry of {}", key.text) };
            }
        }
        "the document".to_string()
    }
}

fn keys(node: &Node) -> impl Iterator<Item = &str> {
    node.entries.iter().filter_map(|entry| entry.key.as_ref()).map(|key| key.text.as_str())
}

/// The parts of a value on which what was written first and what was written again do not agree.
fn contested(source: &str, first: &Node, again: &Node) -> Vec<String> {
    let text = |node: &Node| &source[node.span.clone()];
    let name = |node: &Node| node.name.as_ref().map(|name| name.text.clone());
    if text(first) == text(again) {
        return Vec::new();
    }
    if (first.form, name(first)) != (Form::Struct, name(again)) || again.form != Form::Struct {
        return vec![String::new()];
    }
    let value = |node: &Node, field: &str| {
        let entries = node.entries.iter().filter(|entry| entry.key.as_ref().is_some_and(|key| key.text == field));
        entries.map(|entry| text(&entry.value).to_string()).next()
    };
    let fields = keys(first).chain(keys(again)).filter(|field| value(first, field) != value(again, field));
    fields.map(|field| format!(".{field}")).collect()
}

/// What `ron` says where our own reading finds nothing wrong.
fn refusal(error: &SpannedError, text: &str) -> Located {
    let start = text.split_inclusive('\n').take(error.span.end.line.saturating_sub(1)).map(str::len).sum();
    let line = text[start..].lines().next().unwrap_or_default();
    let at = line.char_indices().nth(error.span.end.col.saturating_sub(1)).map_or(line.len(), |(at, _)| at);
    Located::new(start + at..start + at, lower(&error.code.to_string()), "write another value")
}

/// The name of a type as prose writes it: `LinearMap` is a linear map.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
