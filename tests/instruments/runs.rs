//! Instruments of whole runs: lines of the metrics file, stops, embeddings that collapse.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use synlocal::instruments::Recording;
use synlocal::report::Summary;
use synlocal::session::{End, Options, Stage, complete};
use synlocal::simulation::Epoch;

/// 3 epochs of 4 steps.
const SMALL: [&str; 5] = [
    "data=Objects(images: 64, test_images: 16)",
    "training.pairs=16",
    "training.epochs=3",
    "readout.epochs=1",
    "instruments.every=3",
];

/// Brings a run to its end, or to a stop after so many stages; what was said of it.
fn run(folder: &Path, set: &[&str], stop_at: Option<usize>) -> (Option<Summary>, Vec<Stage>) {
    let experiment = crate::experiment(&SMALL.into_iter().chain(set.iter().copied()).collect::<Vec<_>>());
    let mut stages = Vec::new();
    let end = complete(experiment, "small", folder, &Options::default(), &mut |stage| {
        stages.push(stage);
        if stop_at == Some(stages.len()) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match end.unwrap() {
        End::Finished(summary) => (Some(*summary), stages),
        End::Stopped => (None, stages),
    }
}

fn metrics(folder: &Path) -> Vec<String> {
    fs::read_to_string(folder.join("metrics.jsonl")).unwrap().lines().map(String::from).collect()
}

fn recordings(lines: &[String]) -> Vec<&String> {
    lines.iter().filter(|line| serde_json::from_str::<Recording>(line).is_ok()).collect()
}

/// What lines are of: the step of a recording, or the epoch.
fn kinds(lines: &[String]) -> Vec<(&'static str, u64)> {
    let kind = |line: &String| match serde_json::from_str::<Recording>(line) {
        Ok(recording) => ("step", recording.step),
        Err(_) => ("epoch", serde_json::from_str::<Epoch>(line).unwrap().epoch),
    };
    lines.iter().map(kind).collect()
}

const STRAIGHT: [(&str, u64); 7] =
    [("step", 1), ("step", 4), ("epoch", 1), ("step", 7), ("epoch", 2), ("step", 10), ("epoch", 3)];

#[test]
fn a_run_that_is_stopped_anywhere_records_what_a_straight_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let straight = folder.path().join("straight");
    let (summary, _) = run(&straight, &[], None);
    let lines = metrics(&straight);
    assert_eq!(kinds(&lines), STRAIGHT);
    assert!(summary.unwrap().collapsed.is_empty());
    for stop_at in 1..=12 {
        let stopped = folder.path().join(format!("stopped at {stop_at}"));
        run(&stopped, &[], Some(stop_at));
        if stop_at == 6 {
            // As if the process had gone on and died in the middle of a line.
            let later = format!("{}\n{}\n{}", lines[3], lines[4], &lines[5][..lines[5].len() / 2]);
            let before = fs::read_to_string(stopped.join("metrics.jsonl")).unwrap();
            fs::write(stopped.join("metrics.jsonl"), before + &later).unwrap();
        }
        run(&stopped, &[], None);
        let resumed = metrics(&stopped);
        assert_eq!(kinds(&resumed), STRAIGHT, "stopped at {stop_at}");
        assert_eq!(recordings(&resumed), recordings(&lines), "stopped at {stop_at}");
    }
}

#[test]
fn instruments_leave_the_run_as_it_is_and_a_picture_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let (with, without) = (folder.path().join("with"), folder.path().join("without"));
    let (Some(one), Some(other)) = (run(&with, &[], None).0, run(&without, &["instruments=None"], None).0) else {
        panic!("nobody asked for a stop")
    };
    assert_eq!((one.loss, one.readout, one.untrained), (other.loss, other.readout, other.untrained));
    assert_eq!(kinds(&metrics(&without)), [("epoch", 1), ("epoch", 2), ("epoch", 3)]);
    assert!(!without.join("instruments.svg").exists());
    let picture = fs::read_to_string(with.join("instruments.svg")).unwrap();
    // The loss, two distances, three angles of feedback, four of changes, four densities, two saturations.
    assert_eq!(picture.matches("<polyline").count(), 1 + 2 + 3 + 4 + 4 + 2);
    assert!(picture.ends_with("</svg>\n") && !picture.contains("NaN"), "{picture}");
}

#[test]
fn embeddings_that_collapse_are_named_once_and_healthy_ones_never() {
    let folder = tempfile::tempdir().unwrap();
    let long = ["learning.rule=Bp", "training.epochs=25", "learning.optimizer=Adam(rate: 2e-3)"];
    for (loss, collapses) in [("L1Positive()", true), ("ContrastiveHinge()", false), ("NtXent()", false)] {
        let loss = format!("learning.loss={loss}");
        let set: Vec<&str> = long.into_iter().chain([loss.as_str()]).collect();
        let out = folder.path().join(&loss);
        let (summary, stages) = run(&out, &set, None);
        let summary = summary.unwrap();
        assert_eq!(summary.collapsed == ["head"], collapses, "{loss}: {:?}", summary.collapsed);
        assert_eq!(summary.table().contains("collapsed: the embeddings of head"), collapses, "{loss}");
        let told = stages.iter().filter(|stage| matches!(stage, Stage::Collapsed { .. })).count();
        assert_eq!(told, usize::from(collapses), "{loss}");
        let lines = metrics(&out);
        let first: Recording = serde_json::from_str(&lines[0]).unwrap();
        let at_first = &first.heads["head"];
        assert!(at_first.distances == at_first.untrained && !at_first.collapsed, "{loss}: {at_first:?}");
    }
}
