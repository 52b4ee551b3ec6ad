//! After the first step, a learning step asks the system for no memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use synlocal::kernels::Isa;
use synlocal::learning::Rule;
use synlocal::loss::Loss;
use synlocal::rng::Stream;
use synlocal::simulation::{Batch, Experiment};

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

/// What five steps ask for once one has been taken.
fn allocations_of_steps(experiment: &Experiment) -> u64 {
    let mut simulation = experiment.simulation_for(Isa::best(), PAIRS);
    let mut rng = Stream::new(1).rng();
    let mut view = || (0..PAIRS * experiment.input_shape().len()).map(|_| rng.uniform()).collect::<Vec<f32>>();
    let (stored, current) = (view(), view());
    let labels: Vec<u8> = (0..PAIRS).map(|item| (item % 10) as u8).collect();
    let batch = Batch { labels: &labels, ..Batch::views(&stored, &current) };
    simulation.step(batch);
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..5 {
        simulation.step(batch);
    }
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

#[test]
fn a_step_after_the_first_allocates_nothing() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks/quickstart.ron");
    let rules = Rule::ALL.iter().filter(|rule| rule.credit().wiring().is_some());
    let of_rules = rules.flat_map(|rule| {
        let set =
            |negatives| vec![format!("learning.rule={}", rule.name()), format!("learning.loss.negatives={negatives}")];
        ["All", "Stored(4)"].map(set)
    });
    // Every loss, on a head that can be a prediction of the unit below it, too.
    let predicting = r#"network.feedforward[3].map=Conv(channels: 64, kernel: 1)"#.to_string();
    let of_losses =
        Loss::all().into_iter().map(|loss| vec![predicting.clone(), format!("learning.loss={}()", loss.name())]);
    let experiments: Vec<Vec<String>> = of_rules.chain(of_losses).collect();
    for threads in [1, 2] {
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(threads).start_handler(|_| COUNTED.set(true)).build().unwrap();
        for set in &experiments {
            let experiment = Experiment::load(&file, set).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(pool.install(|| allocations_of_steps(&experiment)), 0, "{set:?}, {threads} threads");
        }
    }
}
