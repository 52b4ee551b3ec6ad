//! After the first step, a learning step asks the system for no memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use synlocal::kernels::Isa;
use synlocal::learning::Rule;
use synlocal::rng::Stream;
use synlocal::simulation::{Batch, Experiment};

/// The system's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
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

/// Allocations of five steps of each stage after its first.
fn counted(file: &str, pairs: usize, set: &[String]) -> u64 {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks").join(file);
    let experiment = Experiment::load(&file, set).unwrap();
    let mut simulation = experiment.simulation_for(Isa::best(), pairs);
    let mut rng = Stream::new(1).rng();
    let mut view = || (0..pairs * experiment.input_shape().len()).map(|_| rng.uniform()).collect::<Vec<f32>>();
    let (stored, current) = (view(), view());
    let mut counted = 0;
    for stage in 0..simulation.stages().len() {
        simulation.enter(stage);
        simulation.step(Batch::views(&stored, &current));
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        for _ in 0..5 {
            simulation.step(Batch::views(&stored, &current));
        }
        counted += ALLOCATIONS.load(Ordering::Relaxed) - before;
    }
    counted
}

#[test]
fn a_step_after_the_first_allocates_nothing() {
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for rule in Rule::ALL.iter().filter(|rule| rule.credit().wiring().is_some()) {
            for negatives in ["All", "Stored(4)"] {
                let set = [format!("learning.rule={}", rule.name()), format!("learning.loss.negatives={negatives}")];
                let counted = pool.install(|| counted("quickstart.ron", 20, &set));
                assert_eq!(counted, 0, "{rule:?}, negatives {negatives}, {threads} threads");
            }
        }
        let counted = pool.install(|| counted("conv6-gll-urf.ron", 3, &[]));
        assert_eq!(counted, 0, "five blocks one after the other, {threads} threads");
    }
}
