//! `synlocal audit` as its users meet it, what an experiment's `audit` field does, and what `train` makes of it.

mod bench;

use std::fs;

use bench::Bench;
use serde_json::Value;
use synlocal::lint::{Level, Lint, Preset};
use synlocal::simulation::Experiment;

/// A circuit that keeps the paper's four constraints, unless it is set otherwise.
const TINY: &str = r#"Experiment(
    network: Network(
        units: {
            "retina": Input(channels: 3, height: 32, width: 32),
            "v1": Unit(pool: Max(4), transfer: HardTanh),
            "v2": Unit(pool: Max(2)),
            "head": Unit(),
        },
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
            (from: "v1", to: "v2", map: Conv(channels: 8, kernel: 3, pad: 1, bias: true)),
            (from: "v2", to: "head", map: Dense(units: 8)),
        ],
    ),
    learning: (
        rule: Urf,
        loss: ContrastiveHinge(negatives: Stored(4), margins: (0.1, 1.0)),
        optimizer: Sgd(rate: 0.001),
    ),
    data: Objects(images: 64, test_images: 32),
    training: (pairs: 8, epochs: 1, seed: 5),
    readout: (epochs: 1, batch: 16),
)
"#;

const TRANSPORT: [&str; 2] = ["--set", "learning.rule=Bp"];

fn bench() -> Bench {
    let bench = Bench::empty();
    bench.write("tiny.ron", TINY);
    bench
}

/// The field, with which the file goes on.
fn with_audit(field: &str) -> String {
    let at = TINY.rfind(')').unwrap();
    format!("{}    audit: {field},\n)\n", &TINY[..at])
}

/// What an audit of the plan holds against the circuit.
fn policy(bench: &Bench, args: &[&str]) -> Value {
    let [out, _] = bench.ends(0, &[&["audit", "tiny.ron", "--plan-only", "--json"], args].concat());
    serde_json::from_str::<Value>(&out).unwrap()["policy"].clone()
}

#[test]
fn exit_codes_tell_clean_circuits_from_denied_ones_and_from_mistakes() {
    let bench = bench();
    let [out, _] = bench.ends(0, &["audit", "tiny.ron", "--pairs", "6", "--threads", "2"]);
    assert!(out.contains("feedback v2->v1") && out.trim_end().lines().last().unwrap().contains("passes"), "{out}");
    let broken = [&["audit", "tiny.ron", "--plan-only"][..], &TRANSPORT].concat();
    let [out, _] = bench.ends(1, &broken);
    assert!(out.contains("denied[weight-transport] at feedback v2->v1"), "{out}");
    let [out, _] = bench.ends(0, &[&broken[..], &["--allow", "weight-transport"]].concat());
    assert!(!out.contains("denied["), "{out}");
    let mistakes: [(&[&str], &str); 8] = [
        (&["audit"], "required"),
        (&["audit", "tiny.ron", "--preset", "papers"], "paper"),
        (&["audit", "tiny.ron", "--deny", "wait-transport"], "did you mean `weight-transport`?"),
        (&["audit", "tiny.ron", "--deny", "labels", "--warn", "labels"], "lint labels is given two levels"),
        (&["audit", "tiny.ron", "--memory", "0"], "use 1 or more"),
        (&["audit", "tiny.ron", "--pairs", "1"], "no negative pairs"),
        (&["audit", "tiny.ron", "--lints"], "cannot be used with"),
        (&["audit", "--explain", "memmory"], "did you mean `memory`?"),
    ];
    for (args, said) in mistakes {
        let [out, err] = bench.ends(2, args);
        assert!(err.contains(said) && out.is_empty(), "{args:?}: {err}");
    }
    bench.ends(1, &["audit", "nowhere.ron"]);
}

#[test]
fn a_flag_wins_over_the_file_and_the_file_over_the_default() {
    let bench = bench();
    assert_eq!(policy(&bench, &[]), serde_json::json!({"preset": "Paper", "memory": 8, "levels": {}}));
    bench.write("tiny.ron", &with_audit("(preset: Strict, memory: 5, levels: {\"weight-sharing\": Allow})"));
    let loose =
        ["update-locking", "separate-phases", "both-views", "top-gradient"].map(|lint| ["--allow", lint]).concat();
    let file = policy(&bench, &loose);
    assert_eq!((&file["preset"], &file["memory"]), (&"Strict".into(), &5.into()));
    assert_eq!((&file["levels"]["weight-sharing"], &file["levels"]["both-views"]), (&"Allow".into(), &"Allow".into()));
    let flags = ["--preset", "paper", "--memory", "7", "--warn", "labels", "--warn", "labels"];
    let flags = policy(&bench, &flags);
    assert_eq!(flags, serde_json::json!({"preset": "Paper", "memory": 7, "levels": {"labels": "Warn"}}));
}

#[test]
fn every_lint_is_listed_and_explained() {
    let bench = Bench::empty();
    let [list, _] = bench.ends(0, &["audit", "--lints"]);
    for lint in Lint::ALL.iter().copied() {
        let line = list.lines().find(|line| line.split_whitespace().next() == Some(lint.name())).unwrap();
        let levels = [Preset::Paper, Preset::Strict].map(|preset| lint.level(preset).name());
        let cells: Vec<&str> = line.split_whitespace().collect();
        assert_eq!((cells[1], &cells[2..4]), (lint.constraint().number(), &levels[..]));
        let [page, _] = bench.ends(0, &["audit", "--explain", lint.name()]);
        assert!(page.starts_with(lint.page().trim_end()) && page.contains("## Levels"), "{page}");
    }
}

#[test]
fn the_page_is_written_whole_and_its_place_is_told() {
    let bench = bench();
    let page = ["audit", "tiny.ron", "--plan-only", "--html", "page.html"];
    let [out, err] = bench.ends(1, &[&page[..], &TRANSPORT, &["--json"]].concat());
    assert!(err.contains("page in page.html"), "{err}");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&found["schema"], &found["clean"]), (&1.into(), &false.into()));
    assert_eq!(found["findings"][0]["lint"], "weight-transport");
    let text = fs::read_to_string(bench.path("page.html")).unwrap();
    assert!(text.contains("Audit of tiny") && text.contains("weight-transport") && text.ends_with("</html>\n"));
    let [_, err] = bench.ends(1, &["audit", "tiny.ron", "--plan-only", "--html", "no/such/folder.html"]);
    assert!(err.contains("no/such"), "{err}");
}

#[test]
fn training_tells_its_audit_and_keeps_it() {
    let bench = bench();
    // Without an audit field nothing is refused.
    let [_, err] = bench.ends(0, &[&["train", "tiny.ron", "--out", "run"][..], &TRANSPORT].concat());
    let line =
        err.lines().find(|line| line.starts_with("audit (Paper): does not pass")).unwrap_or_else(|| panic!("{err}"));
    assert_eq!(bench.json("run/summary.json")["audit"], line);
    assert_eq!(bench.json("run/run.json")["audit"], line);
}

#[test]
fn training_refuses_what_its_own_file_denies() {
    let bench = bench();
    bench.write("tiny.ron", &with_audit("(levels: {\"weight-transport\": Deny})"));
    bench.ends(0, &["train", "tiny.ron", "--out", "sound"]);
    let [_, err] = bench.ends(1, &[&["train", "tiny.ron", "--out", "run"][..], &TRANSPORT].concat());
    assert!(err.contains("weight-transport at ") && err.contains("synlocal audit"), "{err}");
    assert!(!bench.path("run").exists(), "nothing was started");
    let allowed = ["--set", "audit.levels[\"weight-transport\"]=Allow"];
    bench.ends(0, &[&["train", "tiny.ron", "--out", "run"][..], &TRANSPORT, &allowed].concat());
}

#[test]
fn an_experiment_says_what_is_held_against_it() {
    let bench = bench();
    let load = || Experiment::load(&bench.path("tiny.ron"), &[]).map_err(|error| error.to_string());
    assert_eq!(load().unwrap().policy(), None);
    bench.write("tiny.ron", &with_audit("(levels: {\"memory\": Allow})"));
    let experiment = load().unwrap();
    let policy = experiment.policy().unwrap();
    assert_eq!((policy.preset, policy.memory), (Preset::Paper, 8));
    assert_eq!((policy.level(Lint::Memory), policy.level(Lint::Labels)), (Level::Allow, Level::Deny));
    bench.write(
        "tiny.ron",
        &with_audit("(preset: Strikt, memory: 0, levels: {\"labels\": Denny, \"wait-sharing\": Deny})"),
    );
    let said = load().unwrap_err();
    for part in [
        "did you mean `Strict`?",
        "use 1 or more",
        "did you mean `Deny`?",
        "did you mean `weight-sharing`?",
        "4 faults",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let caret = said.lines().skip_while(|line| !line.contains("there is no lint `wait-sharing`")).nth(4).unwrap();
    assert!(caret.contains(&"^".repeat("\"wait-sharing\"".len())), "{said}");
}
