//! The layers of the house: each module may use only what stands below it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// From the ground up. Modules of one line stand side by side and know nothing of each other.
const LAYERS: &[&[&str]] = &[
    &["error", "shape", "rng", "fault", "number", "statistics", "threads"],
    &["document", "lint"],
    &["kernels", "data"],
    &["network", "loss", "optimizer"],
    &["locality"],
    &["learning"],
    &["schedule"],
    &["simulation"],
    &["audit", "evaluate", "distances", "instruments", "verify"],
    &["report"],
    &["session"],
    &["table"],
    &["cli"],
];

/// What stands on a lower floor and is yet out of sight: data come in at the simulation, and a credit rule sees
/// nothing but the two ends of its synapses.
fn hidden(module: &str, used: &str) -> bool {
    match used {
        "data" => ["kernels", "network", "loss", "optimizer", "locality", "learning", "schedule"].contains(&module),
        "kernels" | "loss" | "optimizer" | "document" | "rng" => module == "learning",
        _ => false,
    }
}

fn floor(module: &str) -> usize {
    LAYERS.iter().position(|layer| layer.contains(&module)).unwrap_or_else(|| panic!("module {module} has no layer"))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The modules of this crate that a file names: every `crate::MODULE` outside comments, grouped or not.
fn used(text: &str) -> Vec<String> {
    let code: String = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut modules = Vec::new();
    for part in code.split("crate::").skip(1) {
        if let Some(group) = part.strip_prefix('{') {
            let group = group.split('}').next().unwrap();
            assert!(!group.contains('{'), "groups of groups hide names from this test: {group}");
            modules.extend(group.split(',').map(|name| word(name.trim())));
        } else {
            modules.push(word(part));
        }
    }
    // `crate::Error` and `crate::Result` are the base's, by their short names.
    modules.retain(|name| name.starts_with(|c: char| c.is_lowercase()));
    modules
}

#[test]
fn every_module_uses_only_what_stands_below_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut checked: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        let inside = file.strip_prefix(&root).unwrap();
        let first = inside.components().next().unwrap().as_os_str().to_string_lossy();
        let module = first.trim_end_matches(".rs").to_string();
        if ["lib", "main"].contains(&module.as_str()) {
            continue;
        }
        for used in used(&fs::read_to_string(&file).unwrap()) {
            let below = used == module || floor(&used) < floor(&module);
            assert!(below && !hidden(&module, &used), "{} uses crate::{used}, which is not below it", inside.display());
        }
        *checked.entry(module).or_default() += 1;
    }
    for module in LAYERS.iter().copied().flatten() {
        assert!(checked.contains_key(*module), "layer {module} has no file");
    }
}

#[test]
fn a_credit_rule_imports_only_the_views_of_a_synapse() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = vec![root.join("learning.rs")];
    sources(&root.join("learning"), &mut files);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines().filter(|line| line.contains("crate::locality")) {
            let names = line.split("locality::").nth(1).unwrap().trim_matches(|c: char| "{};".contains(c));
            for name in names.split(',').map(str::trim) {
                assert!(["Synapse", "Change"].contains(&name), "{}: {line}", file.display());
            }
        }
    }
}
