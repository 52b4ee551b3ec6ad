//! A block of f32s that starts on a cache line, zero at first.

use std::fmt;
use std::ops::{Deref, DerefMut};

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([f32; 16]);

/// Zeroed floats on a 64-byte boundary, so that a vector never straddles two cache lines.
#[derive(Clone, Default)]
pub struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let mut lines = Vec::with_capacity(len.div_ceil(16));
        #[cfg(target_os = "linux")]
        ask_for_huge_pages(lines.spare_capacity_mut());
        lines.resize(len.div_ceil(16), Line([0.0; 16]));
        Buffer { lines, len }
    }
}

/// Asks that memory, which nobody has touched, comes in pages of 2 MB, where the system gives them to who asks. Kernels
/// that take a line of each of many samples touch a page with each step, and the processor remembers where only so many of
/// them are.
#[cfg(target_os = "linux")]
fn ask_for_huge_pages<T>(memory: &mut [std::mem::MaybeUninit<T>]) {
    const HUGE: usize = 2 << 20;
    if size_of_val(memory) >= HUGE {
        let before = memory.as_ptr().addr().next_multiple_of(HUGE) - memory.as_ptr().addr();
        let len = size_of_val(memory).saturating_sub(before);
        // SAFETY: these whole pages belong to the memory, and how large pages are changes nothing in them.
        unsafe { libc::madvise(memory.as_mut_ptr().wrapping_byte_add(before).cast(), len, libc::MADV_HUGEPAGE) };
    }
}

impl Deref for Buffer {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        // SAFETY: `Line` is `repr(C)` over sixteen f32s and as large as they are, so the vector's memory is an array
        // of at least `len` initialised f32s.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as in `deref`, and `&mut self` makes the access exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer({} floats)", self.len)
    }
}
