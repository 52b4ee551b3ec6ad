//! Batches cut into tasks. What a kernel works on is a struct of slices over samples; it is halved until a task is
//! left and the halves are shared among threads. Each result belongs to one task, so cuts do not change bits.

use std::cell::RefCell;

use super::buffer::Buffer;
use crate::threads;

/// Floats that a workspace has at least, 640 KB: what most kernels need, so that a thread asks for memory once, and not
/// whenever it first takes part in a larger kernel.
const LEAST: usize = 160 * 1024;

/// Operands over some samples that can be cut between two of them.
pub(super) trait Batch: Sized + Send {
    /// How many samples.
    fn samples(&self) -> usize;
    /// The first `samples` and the others.
    fn split_at(self, samples: usize) -> (Self, Self);
}

/// Samples that one task should have so that each thread gets a few, in multiples of `multiple` and at most `most`.
pub(super) fn share(samples: usize, multiple: usize, most: usize) -> usize {
    let share = samples.div_ceil(2 * threads::count()).next_multiple_of(multiple);
    share.min(most).max(1)
}

/// Calls `each` for every `task` samples of a batch, on all threads.
pub(super) fn for_each<B: Batch>(batch: B, task: usize, each: &(impl Fn(B) + Sync)) {
    let tasks = batch.samples().div_ceil(task);
    if tasks <= 1 {
        return if batch.samples() > 0 {
            each(batch)
        };
    }
    let (left, right) = batch.split_at(tasks / 2 * task);
    threads::join(|| for_each(left, task, each), || for_each(right, task, each));
}

thread_local! {
    static BENCH: RefCell<Buffer> = RefCell::default();
}

/// Lends `work` this thread's workspace of `len` floats, which hold anything. It grows to the largest that was asked
/// for, so that steps after the first ask the system for no memory.
pub(super) fn with_bench<T>(len: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    BENCH.with_borrow_mut(|bench| {
        if bench.len() < len {
            *bench = Buffer::zeros(len.max(LEAST));
        }
        work(&mut bench[..len])
    })
}
