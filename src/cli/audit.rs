//! `synlocal audit`: does each weight of a circuit change only by what its synapse can see?

use std::path::PathBuf;

use super::{Ending, ExperimentArgs, MachineArgs, name_of, say, say_json, warn};
use crate::audit::{Engine, Options, audit};
use crate::error::{Error, Result};
use crate::lint::{Level, Lint, Policy, Preset};
use crate::report::{audit_page, audit_text, explanation, lint_table};
use crate::simulation::{Experiment, Training, write_atomically};

/// What `--help` says after the flags.
const MORE: &str = "\
What is held against the circuit: the levels of a preset, or of the experiment's audit field, as in
    audit: (preset: Strict, memory: 8, levels: {\"weight-sharing\": Allow})
A flag wins over the file, and --preset takes the place of the file's preset and levels.

Exit code: 0 if nothing was found that is denied, 1 if something was, 2 for a request that cannot be meant.

JSON, schema 1:
    clean          whether the circuit passes and the audit agrees with itself
    policy         preset, memory and levels that were held against it
    run, stages    whether it was run or only its plan read; what learns at once, in order
    units          name, shape, input, head, block
    rows           part {kind, name}, from, to, partner, plastic, detail, and of each constraint, (i) to (iv) and
                   beyond, its verdict: own (gravest level of a finding about the part), heard (about another part
                   whose signal reaches its update)
    findings       lint, constraint, level, part, message, path, reaches, evidence [{method, text}], remedy
    updates        projection, stage, sources [{what, path, moved}]: all that reaches each update
    checks         steps read, steps blinded, quantities disturbed, pairs compared, how many of them untested (no event
                   went there), neurons and items probed, pairs of views in a batch
    angles         feedback, partner, degrees at first and after a few updates, same_updates
    memories       head, items it must remember, images back and ahead
    fences         what the compiler forbids a rule, with its error; breaches: the holes that the circuit uses
    disagreements  contradictions between kinds of evidence: faults of the audit, never of the circuit";

#[derive(Debug, clap::Args)]
#[command(after_long_help = MORE)]
pub(super) struct AuditArgs {
    /// Experiment file.
    #[arg(required_unless_present_any = ["explain", "lints"])]
    file: Option<PathBuf>,
    /// Levels of all lints: paper denies what breaks the paper's four constraints, strict all that a synapse could not
    /// do. It takes the place of the file's preset and levels [default: the file's, or paper].
    #[arg(long, value_name = "PRESET", value_parser = ["paper", "strict"], ignore_case = true)]
    preset: Option<String>,
    /// Only report findings of this lint.
    #[arg(long, value_name = "LINT")]
    allow: Vec<String>,
    /// Warn of findings of this lint.
    #[arg(long, value_name = "LINT")]
    warn: Vec<String>,
    /// Let no circuit pass with a finding of this lint.
    #[arg(long, value_name = "LINT")]
    deny: Vec<String>,
    /// Most items that the top layer may remember, and most images back [default: the file's, or 8].
    #[arg(long, value_name = "N")]
    memory: Option<usize>,
    /// Pairs in a batch where the circuit is run.
    #[arg(long, value_name = "N", default_value_t = 12)]
    pairs: usize,
    /// Only read the plan, do not run the circuit.
    #[arg(long)]
    plan_only: bool,
    /// Write a page with the circuit as a graph, complete in one file.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Explain a lint: what it means, why biology minds, what to change.
    #[arg(long, value_name = "LINT", conflicts_with_all = ["file", "lints"])]
    explain: Option<String>,
    /// List all lints with their levels.
    #[arg(long, conflicts_with = "file")]
    lints: bool,
    #[command(flatten)]
    experiment: ExperimentArgs,
    #[command(flatten)]
    machine: MachineArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl AuditArgs {
    pub(super) fn run(self) -> Result<Ending> {
        if let Some(name) = &self.explain {
            say(&explanation(named(name)?))?;
            return Ok(Ending::Done);
        }
        let Some(file) = self.file.as_deref().filter(|_| !self.lints) else {
            say(&lint_table())?;
            return Ok(Ending::Done);
        };
        if let Some(fault) = Training::pairs_fault(self.pairs) {
            return Err(Error::usage(fault.problem, fault.remedy));
        }
        let levels = self.levels()?;
        let experiment = self.experiment.load(file)?;
        let policy = self.policy(&experiment, levels)?;
        let options = Options { policy, run: !self.plan_only, pairs: self.pairs, isa: self.machine.isa()? };
        let found = self.machine.install(|| audit(&experiment, &options, &Engine))?;
        let name = name_of(file);
        if self.json {
            say_json(&found)?;
        } else {
            say(&audit_text(&found, &name))?;
        }
        if let Some(page) = &self.html {
            write_atomically(page, audit_page(&found, &name).as_bytes())?;
            warn(&format!("page in {}", page.display()));
        }
        Ok(if found.clean { Ending::Done } else { Ending::Failed })
    }

    /// The levels of lints that are named.
    fn levels(&self) -> Result<Vec<(Lint, Level)>> {
        let mut levels: Vec<(Lint, Level)> = Vec::new();
        for (flag, level) in [(&self.allow, Level::Allow), (&self.warn, Level::Warn), (&self.deny, Level::Deny)] {
            for name in flag {
                let lint = named(name)?;
                if levels.iter().any(|&(other, before)| other == lint && before != level) {
                    let problem = format!("lint {lint} is given two levels");
                    return Err(Error::usage(problem, "name it once, with --allow, --warn or --deny"));
                }
                levels.push((lint, level));
            }
        }
        Ok(levels)
    }

    /// What is held against the circuit: flags, then the file, then the default.
    fn policy(&self, experiment: &Experiment, levels: Vec<(Lint, Level)>) -> Result<Policy> {
        let mut policy = experiment.policy().cloned().unwrap_or_default();
        if let Some(preset) = &self.preset {
            policy.preset = if preset.eq_ignore_ascii_case("strict") { Preset::Strict } else { Preset::Paper };
            policy.levels.clear();
        }
        policy.memory = self.memory.unwrap_or(policy.memory);
        policy.levels.extend(levels.into_iter().map(|(lint, level)| (lint.name().to_string(), level)));
        match policy.faults().into_iter().next() {
            Some(fault) => Err(Error::usage(fault.problem, fault.remedy)),
            None => Ok(policy),
        }
    }
}

fn named(name: &str) -> Result<Lint> {
    Lint::named(name).map_err(|fault| Error::usage(fault.problem, fault.remedy))
}
