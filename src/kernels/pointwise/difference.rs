//! The difference of two populations' values, laid out each in its own way.

use rayon::prelude::*;

use crate::kernels::layout::{LANES, Layout};
use crate::kernels::simd::{Kernel, Vector};
use crate::kernels::{Isa, Sum};
use crate::threads::least;

/// `out = a - b`, or `out += a - b`, for every value of every sample. Halos are left alone.
///
/// # Panics
/// If the three have not one shape and one number of samples.
pub fn difference(isa: Isa, a: (&[f32], Layout), b: (&[f32], Layout), out: (&mut [f32], Layout), sum: Sum) {
    let ((a, a_layout), (b, b_layout), (out, out_layout)) = (a, b, out);
    let samples = out.len() / out_layout.sample();
    for (values, layout) in [(a.len(), a_layout), (b.len(), b_layout)] {
        assert_eq!(layout.shape, out_layout.shape, "a difference of equal shapes");
        assert_eq!(values, samples * layout.sample(), "values of {samples} samples");
        assert_eq!(layout.lanes, LANES, "populations that fire have whole vectors");
    }
    let samples = a.par_chunks(a_layout.sample()).zip(b.par_chunks(b_layout.sample()));
    samples.zip(out.par_chunks_mut(out_layout.sample())).with_min_len(least()).for_each(|((a, b), out)| {
        isa.compute(Difference { a, a_layout, b, b_layout, out, out_layout, adds: sum == Sum::Add });
    });
}

/// [`difference`] for one sample.
struct Difference<'a> {
    a: &'a [f32],
    a_layout: Layout,
    b: &'a [f32],
    b_layout: Layout,
    out: &'a mut [f32],
    out_layout: Layout,
    adds: bool,
}

impl Kernel for Difference<'_> {
    #[inline(always)]
    unsafe fn compute<X: Vector>(self) {
        let shape = self.out_layout.shape;
        let row_len = shape.width * LANES;
        for block in 0..self.out_layout.blocks() {
            for row in 0..shape.height {
                let place = |layout: Layout| layout.offset(block * LANES, row, 0);
                let a = &self.a[place(self.a_layout)..][..row_len];
                let b = &self.b[place(self.b_layout)..][..row_len];
                let out = &mut self.out[place(self.out_layout)..][..row_len];
                for column in 0..shape.width {
                    // SAFETY: the caller vouches for the instruction set; each row was cut to whole vectors above.
                    unsafe {
                        let here = column * LANES;
                        let negative = X::load(b.as_ptr().add(here)).mul(X::splat(-1.0));
                        let mut value = X::load(a.as_ptr().add(here)).add(negative);
                        if self.adds {
                            value = X::load(out.as_ptr().add(here)).add(value);
                        }
                        value.store(out.as_mut_ptr().add(here));
                    }
                }
            }
        }
    }
}
