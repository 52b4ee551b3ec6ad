//! Runs in which blocks learn apart: stopped and resumed, followed, read out.

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use serde_json::{Value, json};
use synlocal::learning::Rule;
use synlocal::report::Summary;
use synlocal::session::{End, Options, Stage, Subject, complete};
use synlocal::simulation::{Experiment, Progress};

use crate::{experiment, whole};

/// Completes a run, or stops it after so many stages; how it ended, and what its watcher was told.
fn run(experiment: &Experiment, out: &Path, stop_at: Option<usize>) -> (End, Vec<Stage>) {
    let mut stages = Vec::new();
    let end = complete(experiment.clone(), "blocks", out, &Options::default(), &mut |stage| {
        stages.push(stage);
        if stop_at == Some(stages.len()) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    (end.unwrap(), stages)
}

fn summary(end: End) -> Summary {
    match end {
        End::Finished(summary) => *summary,
        End::Stopped => panic!("nobody asked for a stop"),
    }
}

/// The metrics of a run, without the clock's.
fn metrics(out: &Path) -> Vec<Value> {
    let text = fs::read_to_string(out.join("metrics.jsonl")).unwrap();
    let line = |line: &str| {
        let mut line: Value = serde_json::from_str(line).unwrap();
        line.as_object_mut().unwrap().remove("pairs_per_s");
        line
    };
    text.lines().map(line).collect()
}

#[test]
fn a_run_that_is_stopped_within_an_epoch_goes_on_to_the_same_bits_and_metrics() {
    let folder = tempfile::tempdir().unwrap();
    // 6 epochs of 6 steps, then 5 read-outs.
    for (name, staging, epochs) in
        [("gll", "Greedy", 2), ("rll", "Random()", 6), ("rounds", "Random(draw: Balanced)", 6)]
    {
        let experiment = experiment(&whole(), staging, Rule::Urf, epochs);
        let straight = folder.path().join(name);
        let expected = summary(run(&experiment, &straight, None).0);
        // Within the first epoch, the first and last batch of the second block, in the last epoch.
        for stop_at in [2, 13, 24, 33] {
            let out = folder.path().join(format!("{name} {stop_at}"));
            let (end, stages) = run(&experiment, &out, Some(stop_at));
            assert!(matches!(end, End::Stopped) && stages.len() == stop_at, "{end:?}");
            let found = summary(run(&experiment, &out, None).0);
            let what = format!("{staging}, stopped at {stop_at}");
            let checkpoint = |out: &Path| fs::read(out.join("checkpoint.safetensors")).unwrap();
            assert!(checkpoint(&out) == checkpoint(&straight), "{what}");
            assert_eq!(metrics(&out), metrics(&straight), "{what}");
            assert_eq!((found.blocks, found.readout), (expected.blocks.clone(), expected.readout.clone()), "{what}");
        }
    }
}

#[test]
fn metrics_name_the_block_that_learned_and_a_watcher_is_told_of_its_mean() {
    let folder = tempfile::tempdir().unwrap();
    let (_, stages) = run(&experiment(&whole(), "Greedy", Rule::Bp, 1), &folder.path().join("gll"), None);
    let lines = metrics(&folder.path().join("gll"));
    assert_eq!(lines.iter().map(|line| &line["block"]).collect::<Vec<_>>(), ["v1", "v3", "v4"]);
    let told: Vec<Progress> = stages
        .into_iter()
        .filter_map(|stage| match stage {
            Stage::Training(progress) => Some(progress),
            Stage::Collapsed { .. } | Stage::ReadOut { .. } => None,
        })
        .collect();
    assert_eq!(told.iter().map(|progress| progress.stage).collect::<Vec<_>>(), [[0; 6], [1; 6], [2; 6]].concat());
    for (line, progress) in lines.iter().zip(told.chunks(6)) {
        assert_eq!(line["loss"], progress[5].mean_loss);
        assert_eq!(line["active"], progress[5].active);
        assert_eq!(progress[0].mean_loss, progress[0].found.loss, "a mean of one");
    }
    run(&experiment(&whole(), "Random(draw: Balanced)", Rule::Bp, 1), &folder.path().join("rll"), None);
    let blocks = metrics(&folder.path().join("rll"))[0]["blocks"].clone();
    let drawn: Vec<Value> = blocks.as_array().unwrap().iter().map(|of| json!([of["block"], of["batches"]])).collect();
    assert_eq!(drawn, [json!(["v1", 2]), json!(["v3", 2]), json!(["v4", 2])]);
}

#[test]
fn each_block_is_read_out_once_beside_the_floors() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let (end, stages) = run(&experiment(&whole(), "Greedy", Rule::Urf, 1), &out, None);
    let mut subjects: Vec<Subject> = stages
        .into_iter()
        .filter_map(|stage| match stage {
            Stage::ReadOut { of, .. } => Some(of),
            Stage::Training(_) | Stage::Collapsed { .. } => None,
        })
        .collect();
    subjects.dedup();
    // The last block's top is what is read out anyway.
    use Subject::{Block, Pixels, Trained, Untrained};
    assert_eq!(subjects, [Trained, Block(0), Block(1), Untrained, Pixels]);
    let found = summary(end);
    assert_eq!(found.unit, "v4");
    let blocks: Vec<(&str, usize)> =
        found.blocks.iter().map(|block| (block.unit.as_str(), block.readout.features)).collect();
    assert_eq!(blocks, [("v1", 4 * 8 * 8), ("v3", 8 * 4 * 4), ("v4", 8 * 4 * 4)]);
    assert_eq!(found.blocks[2].readout, found.readout);
    let held: Value = serde_json::from_slice(&fs::read(out.join("summary.json")).unwrap()).unwrap();
    assert_eq!(held["blocks"][1]["unit"], "v3");
    assert_eq!(held["blocks"][1]["readout"]["test_accuracy"], found.blocks[1].readout.test_accuracy);
    let picture = fs::read_to_string(out.join("result.svg")).unwrap();
    assert_eq!(picture.matches("<polyline").count(), 3, "a curve for each block");
    for words in ["v1 after learning", "v3 after learning", "v4 after learning", "v4 untrained", "pixels"] {
        assert_eq!((picture.matches(words).count(), found.table().matches(words).count()), (1, 1), "{words}");
    }
    let plain = folder.path().join("end to end");
    let (end, _) = run(&experiment(&whole(), "EndToEnd", Rule::Urf, 1), &plain, None);
    assert!(summary(end).blocks.is_empty(), "blocks that learn together are one encoder");
}
