//! How many threads work is shared among: all of the pool, or, for a learning step that is over sooner than it could be
//! handed round, the one it is on.
//!
//! A second thread has to be woken, and reads what the first one holds in its cache; each loop over a batch or over
//! weights would pay that anew. So a whole step is shared or none of it. Results do not depend on it.

use std::cell::Cell;

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Does `work`; where `alone` is true, on this thread and no other.
pub(crate) fn work<T>(alone: bool, work: impl FnOnce() -> T) -> T {
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            ALONE.set(self.0);
        }
    }
    let _before = Before(ALONE.replace(alone));
    work()
}

/// Threads that work is shared among.
pub(crate) fn count() -> usize {
    if ALONE.get() { 1 } else { rayon::current_num_threads() }
}

/// Items of a parallel iterator that one thread goes over at least: what every loop of a learning step gives to
/// [`with_min_len`](rayon::iter::IndexedParallelIterator::with_min_len).
pub(crate) fn least() -> usize {
    if ALONE.get() { usize::MAX } else { 1 }
}

/// Does both, at the same time where a thread is free.
pub(crate) fn join(one: impl FnOnce() + Send, other: impl FnOnce() + Send) {
    if ALONE.get() {
        one();
        other();
    } else {
        rayon::join(one, other);
    }
}
