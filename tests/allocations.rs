//! After the first step, a learning step asks the system for no memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use synlocal::document::Document;
use synlocal::kernels::Isa;
use synlocal::learning::Rule;
use synlocal::loss::Loss;
use synlocal::network::{Network, NetworkSpec};
use synlocal::rng::Stream;
use synlocal::simulation::{Batch, Experiment, Learning, Simulation};

/// The system's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// Whether this thread works on steps: what the test runner does meanwhile is its own affair.
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(u64::from(COUNTED.get()), Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, that is, from the system's allocator.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Images of a batch.
const PAIRS: usize = 20;

/// Kinds of maps that the quick start lacks.
const MAPS: &str = r#"Network(
    units: {
        "eye": Input(channels: 3, height: 12, width: 12), "v1": Unit(), "v2": Unit(), "v3": Unit(), "head": Unit(),
    },
    feedforward: [
        (from: "eye", to: "v1", map: Local(channels: 40, kernel: 3, stride: 2, pad: 1, bias: true)),
        (from: "v1", to: "v2", map: TransposedConv(channels: 20, kernel: 2, stride: 2, bias: true), density: 0.5),
        (from: "v2", to: "v3", map: Local(channels: 33, kernel: 3, pad: 1), density: 0.5),
        (from: "v3", to: "head", map: Dense(units: 8), density: 0.5),
    ],
)"#;

/// Demands that steps after the first ask for no memory; images have `image` values.
fn assert_rests(what: &str, threads: usize, simulation: Simulation, image: usize) {
    let mut simulation = simulation.sharing();
    let pool =
        rayon::ThreadPoolBuilder::new().num_threads(threads).start_handler(|_| COUNTED.set(true)).build().unwrap();
    let mut rng = Stream::new(1).rng();
    let mut view = || (0..PAIRS * image).map(|_| rng.uniform()).collect::<Vec<f32>>();
    let (stored, current) = (view(), view());
    let labels: Vec<u8> = (0..PAIRS).map(|item| (item % 8) as u8).collect();
    let batch = Batch { labels: &labels, ..Batch::views(&stored, &current) };
    for stage in 0..simulation.stages().len() {
        simulation.enter(stage);
        simulation.step(batch);
        let mut steps = || {
            let before = ALLOCATIONS.load(Ordering::Relaxed);
            for _ in 0..5 {
                simulation.step(batch);
            }
            ALLOCATIONS.load(Ordering::Relaxed) - before
        };
        // A thread that steals work for the first time asks for memory, and that may be late. A step that asks does so
        // every time.
        let fewest = pool.install(|| (0..5).map(|_| steps()).min());
        assert_eq!(fewest, Some(0), "{what}, stage {stage}, {threads} threads");
    }
}

// One test, because all tests of a file share the counter.
#[test]
fn a_step_after_the_first_allocates_nothing() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks/quickstart.ron");
    let rules: Vec<Rule> = Rule::ALL.iter().copied().filter(|rule| rule.credit().wiring().is_some()).collect();
    let of_rules = rules.iter().flat_map(|rule| {
        let set =
            |negatives| vec![format!("learning.rule={}", rule.name()), format!("learning.loss.negatives={negatives}")];
        ["All", "Stored(4)"].map(set)
    });
    // Every loss, on a head that can be a prediction of the unit below it, too.
    let predicting = r#"network.feedforward[3].map=Conv(channels: 64, kernel: 1)"#.to_string();
    let of_losses =
        Loss::all().into_iter().map(|loss| vec![predicting.clone(), format!("learning.loss={}()", loss.name())]);
    let experiments: Vec<Vec<String>> = of_rules.chain(of_losses).collect();
    let maps: NetworkSpec = Document::new("maps.ron", MAPS).parse().unwrap();
    for threads in [1, 2] {
        for set in &experiments {
            let experiment = Experiment::load(&file, set).unwrap_or_else(|error| panic!("{error}"));
            let simulation = experiment.simulation_for(Isa::best(), PAIRS);
            assert_rests(&format!("{set:?}"), threads, simulation, experiment.input_shape().len());
        }
        let blocks = file.with_file_name("conv6-gll-urf.ron");
        let experiment = Experiment::load(&blocks, &[]).unwrap_or_else(|error| panic!("{error}"));
        let simulation = experiment.simulation_for(Isa::best(), PAIRS);
        assert_rests("five blocks one after the other", threads, simulation, experiment.input_shape().len());
        for &rule in rules.iter().filter(|rule| !rule.credit().propagates_targets()) {
            let learning = Learning { rule, ..Learning::default() };
            let network = Network::build(&maps, learning.teaching()).unwrap();
            let simulation = Simulation::on(Isa::best(), network, learning, PAIRS, 1);
            assert_rests(&format!("{rule:?}, every map"), threads, simulation, 3 * 12 * 12);
        }
    }
}
