//! What an audit found, as one page that needs nothing else: no network, no script. The circuit as a graph, a table of
//! parts and constraints, each finding with its way and its evidence, and the pages of the lints that were found.

mod graph;
mod layout;

use std::collections::BTreeSet;
use std::fmt::Write;

use pulldown_cmark::{Parser, html};

use super::audit::{cell, checked, explanation, figures, guarded, method_in_words, part_in_words, policy_in_words};
use crate::audit::{Audit, Finding, Source, Verdict};
use crate::error::printable;
use crate::lint::{Constraint, Level, Lint};
use graph::{Look, graph};

const STYLE: &str = include_str!("audit_page/style.css");

/// An audit of the experiment called `name`, as HTML.
pub fn audit_page(audit: &Audit, name: &str) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>Audit of {0}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>Audit of {0}</h1>\n",
        escape(name)
    );
    banner(&mut page, audit);
    let (picture, width) = graph(audit);
    let _ = writeln!(page, "<div class=\"columns\">\n<figure style=\"width:{:.0}px\">\n{picture}", width.max(320.0));
    key(&mut page);
    page.push_str("</figure>\n<div>\n");
    table(&mut page, audit);
    findings(&mut page, audit);
    page.push_str("</div>\n</div>\n");
    updates(&mut page, audit);
    checks(&mut page, audit);
    lints(&mut page, audit);
    let _ = writeln!(page, "<footer>synlocal {}, schema {}</footer>", env!("CARGO_PKG_VERSION"), audit.schema);
    page.push_str("</body>\n</html>\n");
    page
}

/// A text as HTML shows it, in an attribute too.
fn escape(text: &str) -> String {
    let text = printable(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

/// The class of a level in the style sheet.
fn class(level: Level) -> &'static str {
    match level {
        Level::Allow => "sound",
        Level::Warn => "warned",
        Level::Deny => "denied",
    }
}

fn banner(page: &mut String, audit: &Audit) {
    let look = if audit.clean { "sound" } else { "denied" };
    let word = if audit.clean { "Passes" } else { "Does not pass" };
    let stages: Vec<String> = audit.stages.iter().map(|stage| escape(stage)).collect();
    let _ = writeln!(
        page,
        "<header class=\"banner {look}\"><strong>{word}</strong> <span>{}</span>\n<p>Held against {}. What learns at \
         once: {}.</p></header>",
        escape(&audit.summary()),
        escape(&policy_in_words(audit)),
        stages.join(", then ")
    );
    if !audit.disagreements.is_empty() {
        page.push_str("<section class=\"box denied\"><h2>The evidence contradicts itself</h2>\n<ul>\n");
        for text in &audit.disagreements {
            let _ = writeln!(page, "<li>{}</li>", escape(text));
        }
        page.push_str(
            "</ul>\n<p>That is a fault of the audit or of the engine, not of the circuit: report it.</p></section>\n",
        );
    }
}

/// What lines and colours mean.
fn key(page: &mut String) {
    page.push_str("<figcaption>\n<ul class=\"key\">\n");
    for (kind, what) in [("feedforward", "activity, upwards"), ("feedback", "errors or targets, downwards")] {
        let _ = writeln!(
            page,
            "<li><svg viewBox=\"0 0 40 12\" class=\"sample\"><g class=\"edge {kind} plain\"><path d=\"M0 6 L40 6\"/></g>\
             </svg> {what}</li>"
        );
    }
    for look in Look::ALL {
        let _ = writeln!(
            page,
            "<li><svg viewBox=\"0 0 40 12\" class=\"sample\"><g class=\"edge {}\"><path d=\"M0 6 L40 6\"/></g>{}</svg> \
             {}</li>",
            look.class(),
            look.sample(),
            look.meaning()
        );
    }
    page.push_str("</ul>\n</figcaption>\n");
}

fn table(page: &mut String, audit: &Audit) {
    page.push_str(
        "<section><h2>Parts and constraints</h2>\n<div class=\"wide\"><table>\n<thead><tr><th>part</th><th></th>",
    );
    for constraint in Constraint::ALL {
        let _ = write!(page, "<th title=\"{}\">{}</th>", constraint.title(), constraint.number());
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for row in &audit.rows {
        let _ = write!(page, "<tr><th>{}</th><td>{}</td>", escape(&part_in_words(&row.part)), escape(&row.detail));
        for verdict in &row.verdicts {
            let _ = write!(page, "<td class=\"{}\">{}</td>", shade(verdict), cell(verdict));
        }
        page.push_str("</tr>\n");
    }
    let legend = Constraint::ALL.map(guarded).join(" · ");
    let _ = writeln!(
        page,
        "</tbody>\n</table></div>\n<p class=\"small\">{legend}. <em>Above</em>: the part is sound itself, but its update hears \
         a signal that went through one that is not.</p></section>"
    );
}

/// The class of a verdict in the style sheet.
fn shade(verdict: &Verdict) -> &'static str {
    match (verdict.own, verdict.heard) {
        (Some(Level::Deny), _) => "denied",
        (_, Some(Level::Deny)) => "heard",
        (own, heard) => own.max(heard).map_or("none", class),
    }
}

fn findings(page: &mut String, audit: &Audit) {
    let _ = writeln!(page, "<section><h2>Findings</h2>");
    if audit.findings.is_empty() {
        page.push_str("<p>There are none.</p>\n");
    }
    for finding in &audit.findings {
        let Finding { lint, level, part, message, path, reaches, evidence, remedy, .. } = finding;
        let open = if *level == Level::Allow { "" } else { " open=\"open\"" };
        let _ = writeln!(
            page,
            "<details class=\"finding {}\"{open}>\n<summary><b>{}</b> <a href=\"#{lint}\">{lint}</a> at {}: {}</summary>",
            class(*level),
            level.name(),
            escape(&part_in_words(part)),
            escape(message)
        );
        if !path.is_empty() {
            let _ = writeln!(page, "<p class=\"way\">{}</p>", way(path));
        }
        page.push_str("<dl>\n");
        if !reaches.is_empty() {
            let _ = writeln!(page, "<dt>reaches</dt><dd>{}</dd>", escape(&reaches.join(", ")));
        }
        for reason in evidence {
            let _ = writeln!(page, "<dt>{}</dt><dd>{}</dd>", method_in_words(reason.method), escape(&reason.text));
        }
        let _ = writeln!(page, "<dt>remedy</dt><dd>{}</dd>\n</dl>\n</details>", escape(remedy));
    }
    page.push_str("</section>\n");
}

/// Steps in their order.
fn way(path: &[String]) -> String {
    let steps: Vec<String> = path.iter().map(|step| format!("<span>{}</span>", escape(step))).collect();
    steps.join(" → ")
}

fn updates(page: &mut String, audit: &Audit) {
    if audit.updates.is_empty() {
        return;
    }
    page.push_str("<section><h2>What reaches each update</h2>\n");
    for update in &audit.updates {
        let _ = writeln!(
            page,
            "<details><summary>{} <span class=\"small\">in {}: {} sources</span></summary>\n<dl>",
            escape(&update.projection),
            escape(&update.stage),
            update.sources.len()
        );
        for Source { what, path, moved } in &update.sources {
            let moved = match moved {
                Some(true) => "; disturbed, the update moves",
                Some(false) => "; disturbed, the update stays",
                None => "",
            };
            let _ = writeln!(page, "<dt>{}{moved}</dt><dd class=\"way\">{}</dd>", escape(what), way(path));
        }
        page.push_str("</dl></details>\n");
    }
    page.push_str("</section>\n");
}

fn checks(page: &mut String, audit: &Audit) {
    let _ = writeln!(page, "<section><h2>What was checked</h2>\n<p>{}.</p>", escape(&checked(audit)));
    page.push_str("<ul>\n");
    for figure in figures(audit) {
        let _ = writeln!(page, "<li>{}</li>", escape(&figure));
    }
    page.push_str("</ul>\n");
    if !audit.fences.is_empty() {
        page.push_str("<p>What the compiler keeps a rule from, whatever it says of itself:</p>\n<ul>\n");
        for fence in &audit.fences {
            let _ = writeln!(page, "<li>{} <code>{}</code></li>", escape(fence.forbids), escape(fence.error));
        }
        page.push_str("</ul>\n");
    }
    page.push_str("</section>\n");
}

/// The pages of the lints that were found, for which findings link here.
fn lints(page: &mut String, audit: &Audit) {
    let found: BTreeSet<Lint> = audit.findings.iter().map(|finding| finding.lint).collect();
    if !found.is_empty() {
        page.push_str("<section class=\"lints\"><h2>The lints that were found</h2>\n");
    }
    for lint in &found {
        let _ = writeln!(page, "<details id=\"{lint}\"><summary>{lint}: {}</summary>", escape(&lint.sentence()));
        let text = explanation(*lint);
        let body = text.split_once("\n## ").map_or("", |(_, rest)| rest);
        html::push_html(page, Parser::new(&format!("## {body}")));
        page.push_str("</details>\n");
    }
    if !found.is_empty() {
        page.push_str("</section>\n");
    }
}
