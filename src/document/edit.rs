//! `--set path=value`: a change to the text of a document, made where the outline says the value stands. Later faults
//! in it are shown in the changed text, with the assignment that wrote them.

use std::ops::Range;

use super::outline::{Form, Node};
use super::path::{self, Reach, Step};
use super::{Document, scan, shorten};
use crate::error::{Error, Result};
use crate::fault::did_you_mean;

/// Text that was written by an assignment.
#[derive(Debug, Clone)]
pub(super) struct Edit {
    span: Range<usize>,
    assignment: String,
}

impl Document {
    /// Sets a value, as in `training.epochs=3`, `network.units["v1"].pool=Max(2)`, `learning.optimizer.rate=0.1`; the
    /// value is RON. A field that is missing is added, with the structs around it; an entry of a map is added too.
    ///
    /// Fails with a usage error if the path is none, leads through something that has no fields or past the end of a
    /// list, or if the value is not RON; and with the fault itself if the document is not RON.
    pub fn set(&mut self, assignment: &str) -> Result<()> {
        let wrong = |problem: String, remedy: &str| Error::usage(format!("--set {assignment}: {problem}"), remedy);
        let Some((path, value)) = path::split(assignment) else {
            return Err(wrong("there is no `=`".to_string(), "write path=value, as in --set training.epochs=3"));
        };
        let example = "write a path such as training.epochs or network.units[\"v1\"].pool";
        let steps = path::parse(path).map_err(|problem| wrong(problem, example))?;
        if steps.is_empty() {
            return Err(wrong("there is no path before the `=`".to_string(), example));
        }
        let quotes = "write the value in RON; a text needs quotes inside those of the shell: 'network=\"conv6.ron\"'";
        let node = scan::scan(value).map_err(|mistake| wrong(mistake.problem, quotes))?;
        let value = &value[node.span];

        let root = match &self.outline {
            Ok(root) => root,
            Err(mistake) => return Err(self.error([mistake.clone()])),
        };
        let reach = path::follow(root, &steps);
        let (place, replacement) = match reach.steps == steps.len() {
            true => (reach.node.span.clone(), value.to_string()),
            false => {
                insertion(&self.text, &reach, &steps, value).map_err(|(problem, remedy)| wrong(problem, &remedy))?
            }
        };
        let mut text = self.text.clone();
        text.replace_range(place.clone(), &replacement);
        let outline = scan::scan(&text);
        if let Err(mistake) = outline {
            return Err(wrong(mistake.problem, example));
        }
        let written = place.start..place.start + replacement.len();
        self.edits.retain(|edit| !within(&edit.span, &place));
        for edit in &mut self.edits {
            for bound in [&mut edit.span.start, &mut edit.span.end] {
                if *bound >= place.end {
                    *bound = *bound - place.len() + replacement.len();
                }
            }
        }
        self.edits.push(Edit { span: written, assignment: assignment.to_string() });
        (self.text, self.outline) = (text, outline);
        Ok(())
    }

    /// The assignment that wrote the text at `span`, if one did.
    pub(super) fn assignment_at(&self, span: &Range<usize>) -> Option<&str> {
        let edit = self.edits.iter().rev().find(|edit| within(span, &edit.span))?;
        Some(&edit.assignment)
    }
}

fn within(inner: &Range<usize>, outer: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Which bytes to replace by what, so that the steps which lead nowhere lead to `value`; or a problem and its remedy.
fn insertion(
    text: &str,
    reach: &Reach,
    steps: &[Step],
    value: &str,
) -> std::result::Result<(Range<usize>, String), (String, String)> {
    let missing = &steps[reach.steps..];
    let mut place = String::new();
    steps[..reach.steps].iter().for_each(|step| step.write(&mut place));
    let owner = if place.is_empty() { "the document" } else { &place };
    let node = path::see_through(reach.node);

    let mut nested = value.to_string();
    for (level, step) in missing.iter().rev().enumerate() {
        nested = match step {
            Step::Field(name) | Step::Key(name) if node.form == Form::Map && missing.len() == 1 => {
                format!("{name:?}: {nested}")
            }
            Step::Field(name) if level == 0 => format!("{name}: {nested}"),
            Step::Field(name) => format!("{name}: ({nested})"),
            _ => return Err(nowhere(text, owner, node, &missing[0])),
        };
    }
    match node.form {
        Form::Struct => Ok(append(node, &nested)),
        Form::Map if missing.len() == 1 => Ok(append(node, &nested)),
        // `None` makes room for what it denies, and `Adam` becomes `Adam(rate: 0.1)`.
        Form::Word if &text[node.span.clone()] == "None" => Ok((node.span.clone(), format!("({nested})"))),
        Form::Word if !matches!(&text[node.span.clone()], "true" | "false") => {
            Ok((node.span.end..node.span.end, format!("({nested})")))
        }
        _ => Err(nowhere(text, owner, node, &missing[0])),
    }
}

/// Adds an entry after the last one of a bracketed value.
fn append(node: &Node, entry: &str) -> (Range<usize>, String) {
    match node.entries.last() {
        Some(last) => (last.value.span.end..last.value.span.end, format!(", {entry}")),
        None => (node.span.end - 1..node.span.end - 1, entry.to_string()),
    }
}

/// Why `step` leads nowhere from `node`.
fn nowhere(text: &str, owner: &str, node: &Node, step: &Step) -> (String, String) {
    let mut written = String::new();
    step.write(&mut written);
    let keys = node.entries.iter().filter_map(|entry| entry.key.as_ref()).map(|key| key.text.as_str());
    match (node.form, step) {
        (Form::Map, Step::Field(name) | Step::Key(name)) => {
            (format!("{owner} has no entry `{name}`"), did_you_mean(name, keys))
        }
        (Form::List | Form::Tuple, Step::Index(index)) => {
            let problem = format!("{owner} has {} entries, so there is no [{index}]", node.entries.len());
            (problem, "count from 0".to_string())
        }
        (Form::List | Form::Tuple, _) => {
            (format!("{owner} is a list, which has no `{written}`"), format!("write a number, as in {owner}[0]"))
        }
        (Form::Struct, _) => (format!("{owner} has fields, not `{written}`"), did_you_mean(&written, keys)),
        _ => {
            let value = shorten(&text[node.span.clone()]);
            let remedy = format!("set {owner} itself; what it names in another file is set there");
            (format!("{owner} is `{value}`, which has no `{written}`"), remedy)
        }
    }
}
