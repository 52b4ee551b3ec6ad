//! Faults on their way to the reader: each with its file, line and a caret, what is wrong and what to do, and a count
//! at the end. Faults of several documents (an experiment and its network file) go into one report.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet, normalize_untrusted_str};

use super::{Document, Located};
use crate::error::{Error, Result};

/// Faults of one or several documents, rendered.
#[derive(Debug, Default)]
pub struct Report {
    coloured: bool,
    /// For each document its name, and its faults by the place where each begins.
    documents: Vec<(String, Vec<(usize, String)>)>,
}

impl Report {
    /// A report without faults; `coloured` for a terminal, plain text otherwise.
    pub fn new(coloured: bool) -> Self {
        Report { coloured, ..Report::default() }
    }

    /// Adds faults of one document; they will be shown in the order of their places.
    pub fn add(&mut self, document: &Document, faults: impl IntoIterator<Item = Located>) {
        let rendered: Vec<(usize, String)> =
            faults.into_iter().map(|fault| (fault.span.start, self.render(document, &fault))).collect();
        if rendered.is_empty() {
            return;
        }
        match self.documents.iter_mut().find(|(name, _)| name == document.name()) {
            Some((_, known)) => known.extend(rendered),
            None => self.documents.push((document.name().to_string(), rendered)),
        }
    }

    /// Nothing if there are no faults, else [`Report::into_error`].
    pub fn finish(self) -> Result<()> {
        if self.documents.is_empty() { Ok(()) } else { Err(self.into_error()) }
    }

    /// The faults before another error that ended the search for more.
    pub fn with(self, error: Error) -> Error {
        if self.documents.is_empty() {
            error
        } else {
            Error::Circuit(format!("{}\n\nerror: {error}", self.into_error()))
        }
    }

    /// One error that shows all the faults and counts them.
    pub fn into_error(mut self) -> Error {
        let mut text = String::new();
        let mut counts = Vec::new();
        for (name, faults) in &mut self.documents {
            faults.sort_by_key(|(start, _)| *start);
            faults.iter().for_each(|(_, fault)| text.extend([fault, "\n\n"]));
            let plural = if faults.len() == 1 { "" } else { "s" };
            counts.push(format!("{} fault{plural} in {name}", faults.len()));
        }
        Error::Circuit(format!("{text}{}", counts.join(" and ")))
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
