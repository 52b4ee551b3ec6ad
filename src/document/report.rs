//! Faults on their way to the reader: each with its file, line and a caret, what is wrong and what to do, and a count
//! at the end. Faults of several documents (an experiment and its network file) go into one report.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, normalize_untrusted_str};

use super::{Document, Located};
use crate::error::{Error, Result};

/// Faults of one or several documents, rendered.
#[derive(Debug, Default)]
pub struct Report {
    coloured: bool,
    text: String,
    counts: Vec<String>,
}

impl Report {
    /// A report without faults; `coloured` for a terminal, plain text otherwise.
    pub fn new(coloured: bool) -> Self {
        Report { coloured, ..Report::default() }
    }

    /// Adds the faults of one document, in the order of their places.
    pub fn add(&mut self, document: &Document, faults: impl IntoIterator<Item = Located>) {
        let mut faults: Vec<Located> = faults.into_iter().collect();
        if faults.is_empty() {
            return;
        }
        faults.sort_by_key(|fault| fault.span.start);
        let plural = if faults.len() == 1 { "" } else { "s" };
        self.counts.push(format!("{} fault{plural} in {}", faults.len(), document.name()));
        for fault in &faults {
            self.text.push_str(&self.render(document, fault));
            self.text.push_str("\n\n");
        }
    }

    /// Nothing if there are no faults, else [`Report::into_error`].
    pub fn finish(self) -> Result<()> {
        if self.counts.is_empty() { Ok(()) } else { Err(self.into_error()) }
    }

    /// One error that shows all the faults and counts them.
    pub fn into_error(self) -> Error {
        Error::Circuit(format!("{}{}", self.text, self.counts.join(" and ")))
    }

    fn render(&self, document: &Document, fault: &Located) -> String {
        let snippet = Snippet::source(document.text())
            .path(document.name())
            .annotation(AnnotationKind::Primary.span(fault.span.clone()));
        let mut group = Level::ERROR
            .primary_title(normalize_untrusted_str(&fault.problem))
            .element(snippet)
            .element(Level::HELP.message(normalize_untrusted_str(&fault.remedy)));
        if let Some(assignment) = document.assignment_at(&fault.span) {
            group = group.element(Level::NOTE.message(format!("written by --set {assignment}")));
        }
        let renderer = if self.coloured { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}
