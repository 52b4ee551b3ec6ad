//! Paths into a RON text: `network.feedforward[2].map.kernel`, `network.units["v1"].pool`, and the walk along one
//! through an outline.

use std::ops::Range;

use super::outline::{Entry, Form, Node};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// `.name`, or the first name.
    Field(String),
    /// `[2]`.
    Index(usize),
    /// `["v1"]`; the quotes, which shells like to eat, may be missing.
    Key(String),
}

impl Step {
    /// The step as a path writes it, after others unless it is the first.
    pub(super) fn write(&self, path: &mut String) {
        match self {
            Step::Field(name) if path.is_empty() => path.push_str(name),
            Step::Field(name) => path.extend([".", name]),
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Key(key) => path.push_str(&format!("[{key:?}]")),
        }
    }
}

/// Takes a path apart; the empty path leads to the root. An error says what is wrong.
pub(super) fn parse(path: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut rest = path.trim();
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, after) = bracketed(inner)?;
            steps.push(step);
            rest = after;
            continue;
        }
        if !steps.is_empty() {
            rest = rest.strip_prefix('.').ok_or_else(|| format!("`{rest}` does not begin with `.` or `[`"))?;
        }
        let end = rest.find(['.', '[', ']', '"', '=']).unwrap_or(rest.len());
        let name = rest[..end].trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(format!("expected a name before `{}`", &rest[end..]));
        }
        steps.push(Step::Field(name.to_string()));
        rest = &rest[end..];
    }
    Ok(steps)
}

/// The step in brackets at the head of `inner`, and what follows the closing bracket.
fn bracketed(inner: &str) -> Result<(Step, &str), String> {
    let length = quoted(inner);
    let close = length + inner[length..].find(']').ok_or_else(|| format!("`[{inner}` has no closing bracket"))?;
    let (content, after) = (inner[..close].trim(), &inner[close + 1..]);
    let step = if content.starts_with('"') {
        let key = ron::from_str(content).map_err(|_| format!("`[{content}]` is not a text in quotes"))?;
        Step::Key(key)
    } else if content.is_empty() {
        return Err("`[]` names no entry".to_string());
    } else {
        content.parse().map_or_else(|_| Step::Key(content.to_string()), Step::Index)
    };
    Ok((step, after))
}

/// Bytes of the quoted text at the head of `text`, closing quote included; 0 if there is none.
fn quoted(text: &str) -> usize {
    if !text.starts_with('"') {
        return 0;
    }
    let mut escaped = false;
    let end = text[1..].find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 2)
}

/// Cuts `path=value` at the first `=` outside quotes.
pub(super) fn split(assignment: &str) -> Option<(&str, &str)> {
    let mut at = 0;
    while at < assignment.len() {
        let rest = &assignment[at..];
        if let Some(value) = rest.strip_prefix('=') {
            return Some((&assignment[..at], value));
        }
        at += quoted(rest).max(rest.chars().next().map_or(1, char::len_utf8));
    }
    None
}

/// The path to the value that a trail leads to: which entry of the root, which entry of that one, and so on.
pub(super) fn place(root: &Node, trail: &[usize]) -> String {
    let (mut node, mut path) = (root, String::new());
    for index in trail {
        let entry = &node.entries[*index];
        match &entry.key {
            Some(key) if node.form == Form::Map => Step::Key(key.text.clone()).write(&mut path),
            Some(key) => Step::Field(key.text.clone()).write(&mut path),
            // Paths see through such brackets.
            None if !std::ptr::eq(see_through(node), node) => {}
            None => Step::Index(*index).write(&mut path),
        }
        node = &entry.value;
    }
    path
}

/// How far a path leads into an outline.
pub(super) struct Reach<'a> {
    /// The deepest value on the path.
    pub(super) node: &'a Node,
    /// The entry that holds it, unless it is the root.
    pub(super) entry: Option<&'a Entry>,
    /// How many steps lead there.
    pub(super) steps: usize,
}

impl Reach<'_> {
    /// The bytes to point at: the name of a map's entry, the value of any other.
    pub(super) fn mark(&self, text: &str) -> Range<usize> {
        match self.entry.and_then(|entry| entry.key.as_ref()) {
            Some(key) if key.quoted => key.span.clone(),
            _ => self.node.mark(text),
        }
    }
}

/// Follows `steps` from `root` as far as they lead.
pub(super) fn follow<'a>(root: &'a Node, steps: &[Step]) -> Reach<'a> {
    let mut reach = Reach { node: root, entry: None, steps: 0 };
    for step in steps {
        let Some(entry) = child(reach.node, step) else { break };
        reach = Reach { node: &entry.value, entry: Some(entry), steps: reach.steps + 1 };
    }
    reach
}

fn child<'a>(node: &'a Node, step: &Step) -> Option<&'a Entry> {
    let keyed = |name: &str| node.entries.iter().find(|entry| entry.key.as_ref().is_some_and(|key| key.text == name));
    match (node.form, step) {
        (Form::Struct | Form::Map, Step::Field(name) | Step::Key(name)) => keyed(name),
        (Form::Map, Step::Index(index)) => keyed(&index.to_string()),
        (Form::List | Form::Tuple, Step::Index(index)) => node.entries.get(*index),
        (Form::Tuple, _) => {
            Some(see_through(node)).filter(|inner| inner.form != Form::Tuple).and_then(|inner| child(inner, step))
        }
        _ => None,
    }
}

/// What `Some((rate: 1))` or `Adam((rate: 1))` wraps; any other value itself.
pub(super) fn see_through(node: &Node) -> &Node {
    match node.entries.as_slice() {
        [only] if node.form == Form::Tuple && !matches!(only.value.form, Form::Scalar | Form::Word) => {
            see_through(&only.value)
        }
        _ => node,
    }
}
