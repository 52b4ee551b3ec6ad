//! What a verification found, as a table.

use super::{align_right, plain_table};
use crate::verify::{Outcome, Rung, Verification};

/// A verification as a table for a terminal.
pub fn ladder_table(found: &Verification) -> String {
    let mut table = plain_table(&["rung", "", "figure", "limit", "", "what was compared"]);
    for rung in &found.rungs {
        let (outcome, what) = match &rung.outcome {
            Outcome::Holds => ("holds", placed(rung)),
            Outcome::Fails => ("FAILS", placed(rung)),
            Outcome::Skipped(reason) => ("skipped", reason.clone()),
        };
        let cell = |figure: Option<f64>| figure.map(short).unwrap_or_default();
        let measured = rung.figure.is_some();
        table.add_row(vec![
            rung.name.to_string(),
            outcome.to_string(),
            cell(rung.figure),
            cell(Some(rung.limit).filter(|_| measured)),
            if measured { rung.unit.to_string() } else { String::new() },
            what,
        ]);
    }
    align_right(&mut table, 2..4);
    let held = found.rungs.iter().filter(|rung| rung.outcome == Outcome::Holds).count();
    let skipped = found.rungs.iter().filter(|rung| matches!(rung.outcome, Outcome::Skipped(_))).count();
    let failed = found.failures().count();
    format!(
        "{table}\n{held} hold, {failed} fail, {skipped} skipped; {} pairs, {}\n{}",
        found.pairs, found.isa, found.views
    )
}

/// What was compared, and where it was worst.
fn placed(rung: &Rung) -> String {
    match &rung.place {
        Some(place) => format!("{}; worst at {place}", rung.compared),
        None => rung.compared.clone(),
    }
}

/// A figure in few digits.
pub(crate) fn short(figure: f64) -> String {
    if figure == figure.trunc() || figure.abs() >= 1.0 {
        let text = format!("{figure:.1}");
        return text.trim_end_matches(".0").to_string();
    }
    if figure.abs() < 1e-2 { format!("{figure:.1e}") } else { format!("{figure:.3}") }
}
