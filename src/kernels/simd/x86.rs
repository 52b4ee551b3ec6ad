//! The two vector types of x86-64 and the functions that are compiled for their instruction sets.

use std::arch::x86_64::*;

use super::super::layout::LANES;
use super::{Kernel, Vector, append_lanes};

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,fma,avx2,popcnt")]
pub(super) unsafe fn avx512(kernel: impl Kernel) {
    // SAFETY: the caller vouches for the features that this function names.
    unsafe { kernel.compute::<Wide>() }
}

#[target_feature(enable = "fma,avx2,popcnt")]
pub(super) unsafe fn avx2(kernel: impl Kernel) {
    // SAFETY: the caller vouches for the features that this function names.
    unsafe { kernel.compute::<Pair>() }
}

/// One AVX-512 register.
#[derive(Clone, Copy)]
pub(crate) struct Wide(__m512);

/// Two AVX registers.
#[derive(Clone, Copy)]
pub(crate) struct Pair(__m256, __m256);

// SAFETY, of every block in both implementations: the trait's contract provides the features and the pointers.

impl Vector for Wide {
    type Mask = __mmask16;
    const POSITIONS: usize = 10;
    const BLOCKS: usize = 2;
    const TILES: usize = 12;
    const SOURCES: usize = 9;
    const UNITS: usize = 10;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: see above.
        Wide(unsafe { _mm512_set1_ps(value) })
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        Wide(unsafe { _mm512_loadu_ps(from) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }
    #[inline(always)]
    unsafe fn fma(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        Wide(unsafe { _mm512_fmadd_ps(a.0, b.0, self.0) })
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Wide(unsafe { _mm512_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        Wide(unsafe { _mm512_mul_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: see above.
        Wide(unsafe { _mm512_div_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: see above.
        Wide(unsafe { _mm512_min_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: see above.
        Wide(unsafe { _mm512_max_ps(self.0, other.0) })
    }
    #[inline(always)]
    unsafe fn greater(self, other: Self) -> Self::Mask {
        // SAFETY: see above.
        unsafe { _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    unsafe fn equal(self, other: Self) -> Self::Mask {
        // SAFETY: see above.
        unsafe { _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(self.0, other.0) }
    }
    #[inline(always)]
    unsafe fn select(self, mask: Self::Mask, other: Self) -> Self {
        // SAFETY: see above.
        Wide(unsafe { _mm512_mask_blend_ps(mask, other.0, self.0) })
    }
    #[inline(always)]
    unsafe fn bits(mask: Self::Mask) -> u32 {
        u32::from(mask)
    }
    #[inline(always)]
    unsafe fn nonzeros(self) -> u32 {
        // SAFETY: see above.
        u32::from(unsafe { _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self.0, _mm512_setzero_ps()) })
    }
    #[inline(always)]
    unsafe fn append(self, beside: Self, to: *mut f32, to_beside: *mut u32) -> usize {
        // SAFETY: see above. Compressed in registers: to compress straight into memory takes many times as long.
        unsafe {
            let there = _mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self.0, _mm512_setzero_ps());
            _mm512_storeu_ps(to, _mm512_maskz_compress_ps(there, self.0));
            let beside = _mm512_cvttps_epi32(_mm512_maskz_compress_ps(there, beside.0));
            _mm512_storeu_si512(to_beside.cast(), beside);
            there.count_ones() as usize
        }
    }
    #[inline(always)]
    unsafe fn transpose(rows: &mut [Self; LANES]) {
        // Columns of four rows, in quarters of a register; then the quarters of one column together.
        let mut quarters = *rows;
        // SAFETY: see above.
        unsafe {
            for i in (0..LANES).step_by(4) {
                let low = _mm512_castps_pd(_mm512_unpacklo_ps(rows[i].0, rows[i + 1].0));
                let high = _mm512_castps_pd(_mm512_unpackhi_ps(rows[i].0, rows[i + 1].0));
                let low_on = _mm512_castps_pd(_mm512_unpacklo_ps(rows[i + 2].0, rows[i + 3].0));
                let high_on = _mm512_castps_pd(_mm512_unpackhi_ps(rows[i + 2].0, rows[i + 3].0));
                quarters[i] = Wide(_mm512_castpd_ps(_mm512_unpacklo_pd(low, low_on)));
                quarters[i + 1] = Wide(_mm512_castpd_ps(_mm512_unpackhi_pd(low, low_on)));
                quarters[i + 2] = Wide(_mm512_castpd_ps(_mm512_unpacklo_pd(high, high_on)));
                quarters[i + 3] = Wide(_mm512_castpd_ps(_mm512_unpackhi_pd(high, high_on)));
            }
            for j in 0..4 {
                let [x, y, z, w] = [quarters[j].0, quarters[4 + j].0, quarters[8 + j].0, quarters[12 + j].0];
                let (even, odd) = (_mm512_shuffle_f32x4::<0x88>(x, y), _mm512_shuffle_f32x4::<0xdd>(x, y));
                let (even_on, odd_on) = (_mm512_shuffle_f32x4::<0x88>(z, w), _mm512_shuffle_f32x4::<0xdd>(z, w));
                rows[j] = Wide(_mm512_shuffle_f32x4::<0x88>(even, even_on));
                rows[4 + j] = Wide(_mm512_shuffle_f32x4::<0x88>(odd, odd_on));
                rows[8 + j] = Wide(_mm512_shuffle_f32x4::<0xdd>(even, even_on));
                rows[12 + j] = Wide(_mm512_shuffle_f32x4::<0xdd>(odd, odd_on));
            }
        }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: see above.
        Wide(unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) })
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: see above.
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(self.0))) }
    }
    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        // SAFETY: see above.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
    }
    #[inline(always)]
    unsafe fn prefetch_write(from: *const f32) {
        // SAFETY: see above.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(from.cast()) }
    }
}

impl Vector for Pair {
    type Mask = (__m256, __m256);
    const POSITIONS: usize = 6;
    const BLOCKS: usize = 1;
    const TILES: usize = 6;
    const SOURCES: usize = 6;
    const UNITS: usize = 2;

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: see above.
        let half = unsafe { _mm256_set1_ps(value) };
        Pair(half, half)
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        unsafe { Pair(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }
    #[inline(always)]
    unsafe fn fma(self, a: Self, b: Self) -> Self {
        // SAFETY: see above.
        unsafe { Pair(_mm256_fmadd_ps(a.0, b.0, self.0), _mm256_fmadd_ps(a.1, b.1, self.1)) }
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Pair(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Pair(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
    }
    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Pair(_mm256_div_ps(self.0, other.0), _mm256_div_ps(self.1, other.1)) }
    }
    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Pair(_mm256_min_ps(self.0, other.0), _mm256_min_ps(self.1, other.1)) }
    }
    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Pair(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)) }
    }
    #[inline(always)]
    unsafe fn greater(self, other: Self) -> Self::Mask {
        // SAFETY: see above.
        unsafe { (_mm256_cmp_ps::<_CMP_GT_OQ>(self.0, other.0), _mm256_cmp_ps::<_CMP_GT_OQ>(self.1, other.1)) }
    }
    #[inline(always)]
    unsafe fn equal(self, other: Self) -> Self::Mask {
        // SAFETY: see above.
        unsafe { (_mm256_cmp_ps::<_CMP_EQ_OQ>(self.0, other.0), _mm256_cmp_ps::<_CMP_EQ_OQ>(self.1, other.1)) }
    }
    #[inline(always)]
    unsafe fn select(self, mask: Self::Mask, other: Self) -> Self {
        // SAFETY: see above.
        unsafe { Pair(_mm256_blendv_ps(other.0, self.0, mask.0), _mm256_blendv_ps(other.1, self.1, mask.1)) }
    }
    #[inline(always)]
    unsafe fn bits(mask: Self::Mask) -> u32 {
        // SAFETY: see above.
        unsafe { (_mm256_movemask_ps(mask.0) | _mm256_movemask_ps(mask.1) << 8) as u32 }
    }
    #[inline(always)]
    unsafe fn nonzeros(self) -> u32 {
        // SAFETY: see above.
        unsafe {
            let zero = _mm256_setzero_ps();
            let there = _mm256_cmp_ps::<_CMP_NEQ_UQ>;
            Self::bits((there(self.0, zero), there(self.1, zero)))
        }
    }
    #[inline(always)]
    unsafe fn append(self, beside: Self, to: *mut f32, to_beside: *mut u32) -> usize {
        let (mut values, mut others) = ([0.0; LANES], [0.0; LANES]);
        // SAFETY: see above.
        unsafe {
            self.store(values.as_mut_ptr());
            beside.store(others.as_mut_ptr());
            append_lanes(values, others, to, to_beside)
        }
    }
    #[inline(always)]
    unsafe fn transpose(rows: &mut [Self; LANES]) {
        let (mut from, mut to) = ([[0.0; LANES]; LANES], [[0.0; LANES]; LANES]);
        // SAFETY: see above.
        unsafe {
            for row in 0..LANES {
                rows[row].store(from[row].as_mut_ptr());
            }
            for row in 0..LANES {
                for lane in 0..LANES {
                    to[row][lane] = from[lane][row];
                }
            }
            for row in 0..LANES {
                rows[row] = Self::load(to[row].as_ptr());
            }
        }
    }
    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: see above.
        unsafe {
            let bytes = _mm_loadu_si128(from.cast());
            let low = _mm256_cvtepu8_epi32(bytes);
            let high = _mm256_cvtepu8_epi32(_mm_unpackhi_epi64(bytes, bytes));
            Pair(_mm256_cvtepi32_ps(low), _mm256_cvtepi32_ps(high))
        }
    }
    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: see above.
        unsafe {
            let (low, high) = (_mm256_cvtps_epi32(self.0), _mm256_cvtps_epi32(self.1));
            let low = _mm_packs_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256::<1>(low));
            let high = _mm_packs_epi32(_mm256_castsi256_si128(high), _mm256_extracti128_si256::<1>(high));
            _mm_storeu_si128(to.cast(), _mm_packus_epi16(low, high));
        }
    }
    #[inline(always)]
    unsafe fn prefetch(from: *const f32) {
        // SAFETY: see above.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(from.cast()) }
    }
    #[inline(always)]
    unsafe fn prefetch_write(from: *const f32) {
        // SAFETY: see above.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(from.cast()) }
    }
}
