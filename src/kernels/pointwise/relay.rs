//! One population's values handed on to another, laid out in another way.

use rayon::prelude::*;

use crate::kernels::layout::{LANES, Layout};
use crate::kernels::simd::{Kernel, Vector};
use crate::kernels::{Isa, Sum};
use crate::threads::least;

/// `out = scale * values`, or `out += scale * values`, for every value of every sample. Halos are left alone.
///
/// # Panics
/// If the two have not one shape and one number of samples.
pub fn relay(isa: Isa, scale: f32, values: (&[f32], Layout), out: (&mut [f32], Layout), sum: Sum) {
    let ((values, layout), (out, out_layout)) = (values, out);
    let samples = out.len() / out_layout.sample();
    assert_eq!(layout.shape, out_layout.shape, "a relay between equal shapes");
    assert_eq!(values.len(), samples * layout.sample(), "values of {samples} samples");
    assert!(layout.lanes == LANES && out_layout.lanes == LANES, "a relay reads and writes whole vectors");
    let samples = values.par_chunks(layout.sample()).zip(out.par_chunks_mut(out_layout.sample()));
    samples.with_min_len(least()).for_each(|(values, out)| {
        isa.compute(Relay { scale, values, layout, out, out_layout, adds: sum == Sum::Add });
    });
}

/// [`relay`] for one sample.
struct Relay<'a> {
    scale: f32,
    values: &'a [f32],
    layout: Layout,
    out: &'a mut [f32],
    out_layout: Layout,
    adds: bool,
}

impl Kernel for Relay<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(self) {
        for (from, to) in self.layout.rows().zip(self.out_layout.rows()) {
            let pixels = self.values[from].chunks_exact(LANES).zip(self.out[to].chunks_exact_mut(LANES));
            for (value, out) in pixels {
                // SAFETY: the caller vouches for the instruction set; both rows are cut to whole vectors.
                unsafe {
                    let mut value = X::load(value.as_ptr()).mul(X::splat(self.scale));
                    if self.adds {
                        value = X::load(out.as_ptr()).add(value);
                    }
                    value.store(out.as_mut_ptr());
                }
            }
        }
    }
}
