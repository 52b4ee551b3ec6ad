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

#[test]
fn a_step_after_the_first_allocates_nothing() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks/quickstart.ron");
    for threads in [1, 2] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        for rule in Rule::ALL.iter().filter(|rule| rule.credit().wiring().is_some()) {
            for negatives in ["All", "Stored(4)"] {
                let set = [format!("learning.rule={}", rule.name()), format!("learning.loss.negatives={negatives}")];
                let experiment = Experiment::load(&file, &set).unwrap();
                let mut simulation = experiment.simulation_for(Isa::best(), 20);
                let mut rng = Stream::new(1).rng();
                let mut view = || (0..20 * experiment.input_shape().len()).map(|_| rng.uniform()).collect::<Vec<f32>>();
                let (stored, current) = (view(), view());
                let counted = pool.install(|| {
                    simulation.step(Batch::views(&stored, &current));
                    let before = ALLOCATIONS.load(Ordering::Relaxed);
                    for _ in 0..5 {
                        simulation.step(Batch::views(&stored, &current));
                    }
                    ALLOCATIONS.load(Ordering::Relaxed) - before
                });
                assert_eq!(counted, 0, "{rule:?}, negatives {negatives}, {threads} threads");
            }
        }
    }
}
