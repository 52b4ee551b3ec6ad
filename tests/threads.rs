//! Threads: a step that is over sooner than it could be shared stays on the thread that takes it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::{ThreadPoolBuilder, Yield};
use synlocal::kernels::Isa;
use synlocal::learning::Rule;
use synlocal::loss::Loss;
use synlocal::rng::Stream;
use synlocal::simulation::{Batch, Experiment, Simulation};

/// So few that a step takes a quarter of a millisecond.
const PAIRS: usize = 2;

/// Steps in which a second thread finds something, even on a machine that has others to run.
const MANY: usize = 10_000;

fn experiment(set: &[String]) -> Experiment {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks/quickstart.ron");
    Experiment::load(&file, set).unwrap_or_else(|error| panic!("{error}"))
}

/// Whether a second thread, which does nothing but look for tasks, finds any in `steps` steps or in what `simulation`
/// makes of the images after each.
fn is_shared(mut simulation: Simulation, pairs: usize, steps: usize) -> bool {
    let network = simulation.network();
    let (image, head) = (network.unit(network.inputs()[0]).shape.len(), network.heads()[0]);
    let mut rng = Stream::new(4).rng();
    let mut view = || (0..pairs * image).map(|_| rng.uniform()).collect::<Vec<f32>>();
    let (stored, current) = (view(), view());
    let labels = vec![0; pairs];
    let batch = Batch { labels: &labels, ..Batch::views(&stored, &current) };
    let [looks, found, over] = [false; 3].map(AtomicBool::new);
    ThreadPoolBuilder::new().num_threads(2).build().unwrap().scope(|scope| {
        scope.spawn(|_| {
            looks.store(true, Ordering::Release);
            while !over.load(Ordering::Acquire) {
                if rayon::yield_now() == Some(Yield::Executed) {
                    found.store(true, Ordering::Release);
                }
            }
        });
        while !looks.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
        let mut steps = 0..steps;
        while !found.load(Ordering::Acquire) && steps.next().is_some() {
            simulation.step(batch);
            simulation.encode(&current, head, &mut Vec::new());
        }
        over.store(true, Ordering::Release);
    });
    found.into_inner()
}

#[test]
fn a_brief_step_is_not_shared_unless_asked_to() {
    // Half the maps of v3: targets need twice as many weights.
    let narrow = vec!["network.feedforward[2].map=Conv(channels: 32, kernel: 3, pad: 1)".to_string()];
    // A head that can be a prediction of the unit below it, for the loss that asks for one.
    let predicting = "network.feedforward[3].map=Conv(channels: 32, kernel: 1)";
    let losses =
        Loss::all().into_iter().map(|loss| vec![predicting.to_string(), format!("learning.loss={}()", loss.name())]);
    let rules = Rule::ALL.iter().filter(|rule| rule.credit().wiring().is_some());
    let rules = rules.map(|rule| vec![format!("learning.rule={}", rule.name())]);
    // Every other map, and the plain ways.
    let maps = vec![
        "network.feedforward[1].map=Local(channels: 8, kernel: 3, stride: 2, pad: 1, bias: true)".to_string(),
        "network.feedforward[2].map=TransposedConv(channels: 32, kernel: 2, stride: 2)".to_string(),
        "network.feedforward[3].density=0.5".to_string(),
    ];
    let plain = vec!["learning.arithmetic=(convolution: Direct, errors: Dense)".to_string()];
    for set in losses.chain(rules).chain([maps, plain]) {
        let experiment = experiment(&[narrow.clone(), set.clone()].concat());
        let simulation = || experiment.simulation_for(Isa::best(), PAIRS);
        assert!(!is_shared(simulation(), PAIRS, 20), "{set:?}");
        assert!(is_shared(simulation().sharing(), PAIRS, MANY), "{set:?}");
    }
}

#[test]
fn a_longer_step_is_shared() {
    assert!(is_shared(experiment(&[]).simulation_for(Isa::best(), 50), 50, MANY));
}
