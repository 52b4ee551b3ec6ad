//! Sessions as a library's user meets them: what a watcher is told, where it can stop, and how a series goes on.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde_json::Value;
use synlocal::error::Error;
use synlocal::report::Summary;
use synlocal::session::{End, Options, Session, Stage, Subject, complete};
use synlocal::simulation::{Experiment, Position};
use tempfile::TempDir;

/// 2 epochs of 8 steps, then 3 read-outs of 2 epochs: 16 + 3 x (1 + 2) stages.
const STAGES: usize = 25;

fn experiment(seed: u64) -> Experiment {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks/quickstart.ron");
    let set = [
        "data=Objects(images: 64, test_images: 32)",
        "training.pairs=8",
        "training.epochs=2",
        "readout.epochs=2",
        &format!("training.seed={seed}"),
    ];
    Experiment::load(&file, &set.map(String::from)).unwrap()
}

struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Bench {
        Bench { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Completes a run, or stops it at a stage; how it ended and the stages that the watcher was told of.
    fn complete(&self, run: &str, stop_at: Option<usize>) -> (End, Vec<Stage>) {
        let mut stages = Vec::new();
        let end = complete(experiment(1), "quickstart", &self.path(run), &Options::default(), &mut |stage| {
            stages.push(stage);
            if stop_at == Some(stages.len()) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        (end.unwrap(), stages)
    }

    fn checkpoint(&self, run: &str) -> Vec<u8> {
        fs::read(self.path(run).join("checkpoint.safetensors")).unwrap()
    }

    fn losses(&self, run: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.path(run).join("metrics.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].clone()).collect()
    }
}

fn summary(end: End) -> Summary {
    match end {
        End::Finished(summary) => *summary,
        End::Stopped => panic!("nobody asked for a stop"),
    }
}

#[test]
fn a_watcher_is_told_of_every_step_and_every_epoch_of_the_read_outs() {
    let bench = Bench::new();
    let (end, stages) = bench.complete("run", None);
    assert_eq!(stages.len(), STAGES);
    let (training, reading) = stages.split_at(16);
    for (index, stage) in training.iter().enumerate() {
        let Stage::Training(progress) = stage else { panic!("{stage:?} before training is done") };
        assert_eq!((progress.steps, progress.steps_in_all), (index as u64 + 1, 16));
        assert_eq!(progress.epoch, index as u64 / 8 + 1);
        assert!(progress.pairs_per_s > 0.0 && progress.found.loss > 0.0, "{progress:?}");
    }
    let told: Vec<(Subject, u64, u64)> = reading
        .iter()
        .map(|stage| match *stage {
            Stage::ReadOut { of, epoch, epochs } => (of, epoch, epochs),
            other => panic!("{other:?} after training was done"),
        })
        .collect();
    let expected = [Subject::Trained, Subject::Untrained, Subject::Pixels]
        .into_iter()
        .flat_map(|of| (0..=2).map(move |epoch| (of, epoch, 2)))
        .collect::<Vec<_>>();
    assert_eq!(told, expected);
    let summary = summary(end);
    assert_eq!((summary.name.as_str(), summary.updates, summary.pixels.features), ("quickstart", 16, 3 * 32 * 32));
}

#[test]
fn a_run_that_is_stopped_anywhere_is_completed_to_the_same_result() {
    let bench = Bench::new();
    let straight = summary(bench.complete("straight", None).0);
    // The first step, the middle of an epoch, its end, the last step, each kind of read-out, the very end.
    for stop_at in [1, 11, 8, 16, 17, 19, 21, STAGES] {
        let run = format!("stopped at {stop_at}");
        let (end, stages) = bench.complete(&run, Some(stop_at));
        assert!(matches!(end, End::Stopped), "{run}: {end:?}");
        assert_eq!(stages.len(), stop_at, "{run}: not a stage more");
        assert!(!bench.path(&run).join("summary.json").exists(), "{run}");
        let (end, rest) = bench.complete(&run, None);
        assert_eq!(rest.len(), STAGES - stop_at.min(16), "{run}: no step is done again");
        let summary = summary(end);
        assert_eq!(
            (&summary.readout, &summary.untrained, &summary.pixels, summary.loss),
            (&straight.readout, &straight.untrained, &straight.pixels, straight.loss),
            "{run}"
        );
        assert_eq!(bench.checkpoint(&run), bench.checkpoint("straight"), "{run}");
        assert_eq!(bench.losses(&run), bench.losses("straight"), "{run}");
    }
}

#[test]
fn a_complete_run_is_read_and_left_alone() {
    let bench = Bench::new();
    let first = summary(bench.complete("run", None).0);
    let (end, stages) = bench.complete("run", None);
    assert_eq!(summary(end), first);
    assert!(stages.is_empty(), "{stages:?}");
    let refused = Session::resume(&bench.path("run"), &Options::default()).unwrap_err().to_string();
    assert!(refused.contains("complete run"), "{refused}");
}

#[test]
fn a_folder_with_the_run_of_another_experiment_is_kept_unless_forced() {
    let bench = Bench::new();
    bench.complete("run", Some(11));
    let before = bench.checkpoint("run");
    let other = |force| {
        let options = Options { force, ..Options::default() };
        complete(experiment(2), "quickstart", &bench.path("run"), &options, &mut |_| ControlFlow::Continue(()))
    };
    let refused = other(false).unwrap_err().to_string();
    assert!(refused.contains("another experiment") && refused.contains("--force"), "{refused}");
    assert_eq!(bench.checkpoint("run"), before);
    assert_eq!(summary(other(true).unwrap()).seed, 2);
}

#[test]
fn a_session_keeps_others_away_and_its_checkpoint_says_where_it_stopped() {
    let bench = Bench::new();
    let session = Session::start(experiment(1), "quickstart", &bench.path("run"), &Options::default()).unwrap();
    assert!(!session.directory().checkpoint().exists());
    let refused = Session::resume(&bench.path("run"), &Options::default()).unwrap_err();
    assert!(matches!(&refused, Error::File { problem, .. } if problem.contains("in use")), "{refused}");
    let mut steps = 0;
    let end = session.run(&mut |_| {
        steps += 1;
        if steps == 11 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(end, Ok(End::Stopped)), "{end:?}");
    let experiment = experiment(1);
    let mut simulation = experiment.simulation(synlocal::kernels::Isa::from_environment().unwrap());
    let position: Position = simulation.load(&session.directory().checkpoint(), &experiment.digest()).unwrap();
    assert_eq!((position.epoch, position.batch, simulation.state().updates()), (1, 3, 11));
}

#[test]
fn a_run_of_no_epochs_reads_first_weights_out_once() {
    let bench = Bench::new();
    let experiment = experiment(1).changed(&["training.epochs=0".to_string()]).unwrap();
    let mut read_out = Vec::new();
    let out = bench.path("run");
    let end = complete(experiment, "random", &out, &Options::default(), &mut |stage| {
        match stage {
            Stage::ReadOut { of, .. } => read_out.push(of),
            other => panic!("{other:?} in no epoch"),
        }
        ControlFlow::Continue(())
    });
    read_out.dedup();
    assert_eq!(read_out, [Subject::Trained, Subject::Pixels]);
    let found = summary(end.unwrap());
    assert_eq!((found.updates, found.loss, &found.untrained), (0, None, &found.readout));
    assert!([found.training_s, found.multiply_adds, found.pairs_per_s].iter().all(|figure| figure.to_bits() == 0));
    // It is the floor of a run that learns.
    assert_eq!(found.readout, summary(bench.complete("learned", None).0).untrained);
    let (table, picture) = (found.table(), std::fs::read_to_string(out.join("result.svg")).unwrap());
    for shown in [&table, &picture] {
        assert_eq!((shown.matches("v3 untrained").count(), shown.matches("after learning").count()), (1, 0), "{shown}");
    }
    assert!(table.contains("the encoder has its first weights"), "{table}");
    assert!(picture.contains("no epochs") && !picture.contains("NaN"), "{picture}");
}
