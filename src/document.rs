//! A RON file as text with an outline, so that whatever is found wrong with its meaning can be shown where it is
//! written, and so that a value can be replaced from the command line before it is read. It stands below everything
//! that is described in RON and knows no description.

mod doubts;
mod edit;
mod invented;
mod outline;
mod path;
mod report;
mod scan;
mod stop;
mod survey;
mod value;

use std::ops::Range;
use std::path::Path;

pub use doubts::Doubts;
pub use report::Report;
pub use survey::Survey;

use crate::error::{Error, Result};
use crate::fault::Fault;
use edit::Edit;
use outline::Node;

/// A fault and the bytes of its document that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The bytes to point at.
    pub span: Range<usize>,
    /// What was found, with both numbers where two disagree.
    pub problem: String,
    /// What to write instead.
    pub remedy: String,
}

impl Located {
    pub(crate) fn new(span: Range<usize>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Located { span, problem: problem.into(), remedy: remedy.into() }
    }
}

/// A RON text, where each of its values stands, and which of them came from the command line.
#[derive(Debug, Clone)]
pub struct Document {
    name: String,
    text: String,
    outline: std::result::Result<Node, Located>,
    edits: Vec<Edit>,
}

impl Document {
    /// Reads a file. Fails if there is none or if it is not UTF-8; whether it is RON shows when it is parsed.
    pub fn read(path: &Path) -> Result<Document> {
        let bytes = std::fs::read(path).map_err(Error::io(path))?;
        let text = String::from_utf8(bytes).map_err(|error| {
            let problem = format!("byte {} is not UTF-8 text", error.utf8_error().valid_up_to());
            Error::file(path, problem, "save the file as UTF-8")
        })?;
        // Some editors put a byte-order mark before the text; it says nothing.
        Ok(Document::new(path.display().to_string(), text.strip_prefix('\u{feff}').unwrap_or(&text)))
    }

    /// A document called `name` that holds `text`.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Document {
        let text = text.into();
        Document { name: name.into(), outline: scan::scan(&text), text, edits: Vec::new() }
    }

    /// What the document is called in messages: its path, if it was read from a file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text, with all that was set since it was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of the value at `place`; `None` where there is none. Places are written as in [`Fault::place`].
    pub fn span(&self, place: &str) -> Option<Range<usize>> {
        self.entire(place).map(|reach| reach.node.span.clone())
    }

    /// The bytes of the field name or map key at `place`; `None` for entries of lists and what is not there.
    pub fn key_span(&self, place: &str) -> Option<Range<usize>> {
        Some(self.entire(place)?.entry?.key.as_ref()?.span.clone())
    }

    /// The name before the brackets of the value at `place`, as in `Conv(kernel: 3)`, or the word that stands there.
    pub fn value_name(&self, place: &str) -> Option<&str> {
        self.entire(place)?.node.name.as_ref().map(|name| name.text.as_str())
    }

    /// The fault with the bytes that it is about: those of the deepest value that exists on the way to its place.
    pub fn locate(&self, fault: &Fault) -> Located {
        let span = match (&self.outline, path::parse(&fault.place)) {
            (Ok(root), Ok(steps)) => path::follow(root, &steps).mark(&self.text),
            (Ok(root), Err(_)) => root.mark(&self.text),
            (Err(_), _) => 0..0,
        };
        Located::new(span, &fault.problem, &fault.remedy)
    }

    /// The faults as one error that shows each with its line.
    pub fn error(&self, faults: impl IntoIterator<Item = Located>) -> Error {
        let mut report = Report::default();
        report.add(self, faults);
        report.into_error()
    }

    /// Where `place` leads, if all of it exists.
    fn entire(&self, place: &str) -> Option<path::Reach<'_>> {
        let steps = path::parse(place).ok()?;
        let reach = path::follow(self.outline.as_ref().ok()?, &steps);
        (reach.steps == steps.len()).then_some(reach)
    }
}

/// A message with a small first letter, as all of ours have.
fn lower(message: &str) -> String {
    let mut letters = message.chars();
    letters.next().map(|first| first.to_lowercase().collect::<String>() + letters.as_str()).unwrap_or_default()
}

/// The first line of a text, cut to what fits a message.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 32;
    let line = text.lines().next().unwrap_or_default();
    if line.len() == text.len() && line.chars().count() <= LONGEST {
        return line.to_string();
    }
    format!("{}...", line.chars().take(LONGEST).collect::<String>())
}
