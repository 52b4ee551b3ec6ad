//! What an audit found, as text: a table of parts and constraints, then each finding with the way that it takes, the
//! reasons to believe it, and a remedy. Also the pages of lints.

use super::plain_table;
use crate::audit::{Audit, Checks, Evidence, Finding, Kind, Method, Part, Verdict};
use crate::error::printable;
use crate::lint::{Constraint, Level, Lint, Preset};

/// Longest line of a finding, if no word is longer.
const WIDTH: usize = 110;
/// More allowed findings than this are told in a line each.
const FEW: usize = 2;

/// An audit of the experiment called `name`, for a terminal.
pub fn audit_text(audit: &Audit, name: &str) -> String {
    let mut paragraphs = vec![heading(audit, name), table(audit)];
    let (allowed, held): (Vec<&Finding>, Vec<&Finding>) =
        audit.findings.iter().partition(|finding| finding.level == Level::Allow);
    paragraphs.extend(held.into_iter().map(in_full));
    if allowed.len() > FEW {
        paragraphs.push(in_brief(&allowed));
    } else {
        paragraphs.extend(allowed.into_iter().map(in_full));
    }
    paragraphs.push(measured(audit));
    paragraphs.extend(audit.disagreements.iter().map(|text| wrapped("error: the evidence contradicts itself: ", text)));
    paragraphs.push(audit.summary());
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n\n")
}

/// A lint's page, with its levels.
pub fn explanation(lint: Lint) -> String {
    let [paper, strict] = [Preset::Paper, Preset::Strict].map(|preset| lint.level(preset).name());
    let constraint = lint.constraint();
    format!(
        "{}\n\n## Levels\n\nIt guards {}. Paper: {paper}. Strict: {strict}. Change that with\n\
         `audit: (levels: {{\"{lint}\": Allow}})` in the experiment, or with `--allow`, `--warn` or `--deny {lint}`.",
        lint.page().trim_end(),
        guarded(constraint)
    )
}

/// All lints with their levels, for a terminal.
pub fn lint_table() -> String {
    let mut table = plain_table(&["lint", "", "Paper", "Strict", ""]);
    for lint in Lint::ALL.iter().copied() {
        let [paper, strict] = [Preset::Paper, Preset::Strict].map(|preset| lint.level(preset).name().to_string());
        table.add_row(vec![lint.to_string(), lint.constraint().number().to_string(), paper, strict, lint.sentence()]);
    }
    format!("{table}\n{}", legend())
}

/// What was audited, held against what.
fn heading(audit: &Audit, name: &str) -> String {
    let learns = match audit.stages.as_slice() {
        [] => "nothing learns".to_string(),
        [only] => format!("one stage, {}", printable(only)),
        stages => format!("{} stages: {}", stages.len(), printable(stages.join(", "))),
    };
    let how = if audit.run { "plan read and circuit run" } else { "plan read, circuit not run" };
    format!("{}: {learns}; {how}; held against {}", printable(name), policy_in_words(audit))
}

/// Preset, limits and single levels.
pub(super) fn policy_in_words(audit: &Audit) -> String {
    let policy = &audit.policy;
    let levels = policy.levels.iter().map(|(lint, level)| format!(", {} {}", printable(lint), level.name()));
    format!("{:?}, memory {}{}", policy.preset, policy.memory, levels.collect::<String>())
}

fn table(audit: &Audit) -> String {
    let constraints = Constraint::ALL.map(Constraint::number);
    let mut table = plain_table(&[&["part", ""][..], &constraints].concat());
    for row in &audit.rows {
        let mut cells = vec![part_in_words(&row.part), printable(&row.detail)];
        cells.extend(row.verdicts.iter().map(cell));
        table.add_row(cells);
    }
    let heard = "\"above\": the part is sound itself, but its update hears a signal that went through one that is not";
    let hears = audit.rows.iter().flat_map(|row| &row.verdicts).any(|verdict| cell(verdict).contains("above"));
    format!("{table}\n{}{}", legend(), if hears { format!("\n{heard}") } else { String::new() })
}

/// A verdict in a word or two; denied ones catch the eye.
pub(super) fn cell(verdict: &Verdict) -> String {
    let word = |level: Level| if level == Level::Deny { "DENIED" } else { level.name() };
    match (verdict.own, verdict.heard) {
        (own, Some(heard)) if own < Some(heard) && heard > Level::Allow => format!("{} above", word(heard)),
        (Some(own), _) => word(own).to_string(),
        (None, _) => "ok".to_string(),
    }
}

fn legend() -> String {
    Constraint::ALL.map(guarded).join(", ")
}

/// A constraint by number and title.
pub(super) fn guarded(constraint: Constraint) -> String {
    format!("{} {}", constraint.number(), constraint.title())
}

/// A part by kind and name.
pub(super) fn part_in_words(part: &Part) -> String {
    let kind = match part.kind {
        Kind::Feedforward => "feedforward",
        Kind::Feedback => "feedback",
        Kind::Unit => "unit",
        Kind::Loss => "loss at",
        Kind::Optimizer => "optimizer",
    };
    format!("{kind} {}", printable(&part.name))
}

/// A kind of evidence in a word.
pub(super) fn method_in_words(method: Method) -> &'static str {
    match method {
        Method::Static => "data flow",
        Method::Interventional => "run",
        Method::Types => "types",
    }
}

fn in_full(finding: &Finding) -> String {
    let head = format!("{}[{}] at {}: ", finding.level.name(), finding.lint, part_in_words(&finding.part));
    let mut lines = vec![wrapped(&head, &finding.message)];
    if !finding.path.is_empty() {
        lines.push(wrapped("  way: ", &finding.path.join(" → ")));
    }
    if !finding.reaches.is_empty() {
        lines.push(wrapped("  reaches: ", &finding.reaches.join(", ")));
    }
    for Evidence { method, text } in &finding.evidence {
        lines.push(wrapped(&format!("  {}: ", method_in_words(*method)), text));
    }
    lines.push(wrapped("  help: ", &finding.remedy));
    lines.push(format!("  for more: synlocal audit --explain {}", finding.lint));
    lines.join("\n")
}

/// A line for each finding, those of one lint below each other.
fn in_brief(findings: &[&Finding]) -> String {
    let mut lines = Vec::new();
    let mut last = None;
    for finding in findings {
        let head = format!("{}[{}] ", finding.level.name(), finding.lint);
        let head = if last.replace(finding.lint) == Some(finding.lint) { " ".repeat(head.len()) } else { head };
        lines.push(format!("{head}at {}: {}", part_in_words(&finding.part), printable(&finding.message)));
    }
    lines.join("\n")
}

/// What is told beside findings: figures, fences, how much was checked.
fn measured(audit: &Audit) -> String {
    let mut lines: Vec<String> = figures(audit).iter().map(|figure| wrapped("", figure)).collect();
    if !audit.fences.is_empty() {
        let forbidden: Vec<&str> = audit.fences.iter().map(|fence| fence.forbids).collect();
        lines.push(wrapped("the compiler keeps a rule from: ", &forbidden.join("; ")));
    }
    lines.push(checked(audit));
    lines.join("\n")
}

/// Figures that are no findings: angles, memories, breaches.
pub(super) fn figures(audit: &Audit) -> Vec<String> {
    let angles = audit.angles.iter().map(|angle| {
        let [first, last] = angle.degrees;
        let same = if angle.same_updates { ", by the very same updates" } else { "" };
        format!("angle of {} to {}: {first:.1}° at first, {last:.1}° later{same}", angle.feedback, angle.partner)
    });
    let memories = audit.memories.iter().map(|memory| {
        let ahead = if memory.ahead > 0 { format!(", {} images ahead", memory.ahead) } else { String::new() };
        format!("memory of {}: {} embeddings, {} images back{ahead}", memory.head, memory.items, memory.back)
    });
    let breaches =
        audit.breaches.iter().map(|breach| format!("breach: {} goes through {}", breach.feedback, breach.name));
    angles.chain(memories).chain(breaches).collect()
}

/// How much was checked.
pub(super) fn checked(audit: &Audit) -> String {
    let Checks { steps, blinded, disturbed, compared, untested, probed, pairs } = audit.checks;
    if !audit.run {
        return format!("{steps} steps read; nothing was run, so data flow is the only evidence");
    }
    let agree = if audit.disagreements.is_empty() { "data flow and run agree" } else { "they do not all agree" };
    let untested = match untested {
        0 => String::new(),
        some => format!(", {some} of them untested, as no event went there"),
    };
    format!(
        "{steps} steps read, {blinded} steps blinded, {disturbed} quantities disturbed, {probed} neurons and items \
         probed, {compared} pairs compared in batches of {pairs}{untested}: {agree}"
    )
}

/// `text` after `head`, broken between words, with all but the first line indented.
fn wrapped(head: &str, text: &str) -> String {
    let mut line = head.to_string();
    let mut lines = Vec::new();
    let indent = " ".repeat(head.len() - head.trim_start().len() + 2);
    for (index, word) in printable(text).split(' ').enumerate() {
        let space = if index == 0 { "" } else { " " };
        if index > 0 && line.chars().count() + word.chars().count() + 1 > WIDTH {
            lines.push(std::mem::replace(&mut line, format!("{indent}{word}")));
        } else {
            line.extend([space, word]);
        }
    }
    lines.push(line);
    lines.join("\n")
}
