//! Faults on their way to the reader: each with its file, line and a caret, what is wrong and what to do, and a count
//! at the end. Faults of several documents (an experiment and its network file) go into one report.

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::{Document, Located};
use crate::error::{Error, Result, printable};

/// Faults of one or several documents.
#[derive(Debug, Default)]
pub struct Report {
    /// For each document its name and its faults.
    documents: Vec<(String, Vec<Shown>)>,
}

/// A fault as it is shown.
#[derive(Debug)]
struct Shown {
    /// Where it begins.
    start: usize,
    plain: String,
    coloured: String,
}

impl Report {
    /// Adds faults of one document; they will be shown in the order of their places.
    pub fn add(&mut self, document: &Document, faults: impl IntoIterator<Item = Located>) {
        let shown: Vec<Shown> = faults.into_iter().map(|fault| Shown::new(document, &fault)).collect();
        if shown.is_empty() {
            return;
        }
        match self.documents.iter_mut().find(|(name, _)| name == document.name()) {
            Some((_, known)) => known.extend(shown),
            None => self.documents.push((document.name().to_string(), shown)),
        }
    }

    /// Nothing if there are no faults, else [`Report::into_error`].
    pub fn finish(self) -> Result<()> {
        if self.documents.is_empty() { Ok(()) } else { Err(self.into_error()) }
    }

    /// One error that shows all the faults and counts them.
    pub fn into_error(mut self) -> Error {
        let (mut plain, mut coloured) = (String::new(), String::new());
        let mut counts = Vec::new();
        for (name, faults) in &mut self.documents {
            faults.sort_by_key(|fault| fault.start);
            for fault in faults.iter() {
                plain.extend([&fault.plain, "\n\n"]);
                coloured.extend([&fault.coloured, "\n\n"]);
            }
            let plural = if faults.len() == 1 { "" } else { "s" };
            counts.push(format!("{} fault{plural} in {}", faults.len(), printable(&*name)));
        }
        let counts = counts.join(" and ");
        Error::Circuit { plain: plain + &counts, coloured: coloured + &counts }
    }
}

impl Shown {
    fn new(document: &Document, fault: &Located) -> Shown {
        let name = printable(&document.name);
        let snippet =
            Snippet::source(document.text()).path(&name).annotation(AnnotationKind::Primary.span(fault.span.clone()));
        let mut group = Level::ERROR
            .primary_title(printable(&fault.problem))
            .element(snippet)
            .element(Level::HELP.message(printable(&fault.remedy)));
        if let Some(assignment) = document.assignment_at(&fault.span) {
            group = group.element(Level::NOTE.message(printable(format!("written by --set {assignment}"))));
        }
        let groups = [group];
        let [plain, coloured] = [Renderer::plain(), Renderer::styled()].map(|renderer| renderer.render(&groups));
        Shown { start: fault.span.start, plain, coloured }
    }
}
