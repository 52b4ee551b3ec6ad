//! A part of an image brought to another size, mirrored or not: bilinear with antialias, as torchvision does it.
//!
//! Output pixel i of n, made of m pixels, looks at the place c = (i + 1/2) m / n and sees a tent around it: pixel j
//! weighs max(0, 1 - |j + 1/2 - c| / r), where r is the larger of 1 and m / n, and all weights of a tent sum to 1.
//! Where m = n every pixel stays as it is, to the bit. Pixels outside the crop are not seen.
//!
//! torchvision's tensors and PIL's images share these tents, but PIL rounds to bytes after either axis. Views are never
//! bytes here, so they follow the tensors.

use crate::shape::Shape;

/// A rectangle of an image's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crop {
    /// Rows above it.
    pub top: usize,
    /// Columns left of it.
    pub left: usize,
    /// Its rows.
    pub height: usize,
    /// Its columns.
    pub width: usize,
}

impl Crop {
    /// All of an image.
    pub fn whole(image: Shape) -> Self {
        Crop { top: 0, left: 0, height: image.height, width: image.width }
    }
}

/// Brings parts of images to other sizes; its memory is kept from one to the next.
#[derive(Debug, Clone, Default)]
pub struct Resampler {
    across: Tents,
    down: Tents,
    /// One channel's rows of the crop in their final width.
    rows: Vec<f32>,
}

impl Resampler {
    /// Fills `out`, an image `[channel][row][column]` of shape `view`, with the part `crop` of `image`; with `flip`, left
    /// and right are exchanged.
    ///
    /// # Panics
    /// If the crop is empty or leaves the image, or `image` or `out` is too short for its shape.
    pub fn run(&mut self, image: &[f32], shape: Shape, crop: Crop, flip: bool, view: Shape, out: &mut [f32]) {
        let Crop { top, left, height, width } = crop;
        assert!(height > 0 && top + height <= shape.height, "rows {top} to {} of {shape}", top + height);
        assert!(width > 0 && left + width <= shape.width, "columns {left} to {} of {shape}", left + width);
        self.across.pitch(width, view.width, flip);
        self.down.pitch(height, view.height, false);
        self.rows.resize(height * view.width, 0.0);
        for channel in 0..view.channels {
            let map = &image[channel * shape.height * shape.width..][..shape.height * shape.width];
            let seen = map.chunks_exact(shape.width).skip(top).map(|row| &row[left..][..width]);
            for (row, out) in seen.zip(self.rows.chunks_exact_mut(view.width)) {
                self.across.along(row, out);
            }
            let out = &mut out[channel * view.height * view.width..][..view.height * view.width];
            for (row, out) in out.chunks_exact_mut(view.width).enumerate() {
                self.down.over(row, &self.rows, out);
            }
        }
    }
}

/// The tents of one axis. All have room for the same number of pixels, those at the edges too.
#[derive(Debug, Clone, Default)]
struct Tents {
    /// Pixels under each tent.
    reach: usize,
    /// The first pixel under each.
    starts: Vec<usize>,
    /// `[tent][pixel]`.
    weights: Vec<f32>,
}

impl Tents {
    /// Pitches `to` tents over `from` pixels, last tent first if `mirrored`.
    fn pitch(&mut self, from: usize, to: usize, mirrored: bool) {
        let step = from as f32 / to as f32;
        let radius = step.max(1.0);
        self.reach = ((2.0 * radius).ceil() as usize).min(from);
        self.starts.clear();
        self.weights.clear();
        for place in 0..to {
            let tent = if mirrored { to - 1 - place } else { place };
            let centre = (tent as f32 + 0.5) * step;
            // A window that is moved in from the edge gives its new pixels no weight.
            let start = ((centre - radius + 0.5).max(0.0) as usize).min(from - self.reach);
            let weight = |pixel: usize| (1.0 - ((pixel as f32 + 0.5) - centre).abs() / radius).max(0.0);
            let sum: f32 = (start..start + self.reach).map(weight).sum();
            self.starts.push(start);
            self.weights.extend((start..start + self.reach).map(|pixel| weight(pixel) / sum));
        }
    }

    /// One row under tents that stand side by side. The usual widths have loops of their own, which are unrolled.
    fn along(&self, row: &[f32], out: &mut [f32]) {
        match self.reach {
            2 => self.along_by::<2>(row, out),
            3 => self.along_by::<3>(row, out),
            4 => self.along_by::<4>(row, out),
            reach => {
                let tents = self.starts.iter().zip(self.weights.chunks_exact(reach));
                for (out, (&start, weights)) in out.iter_mut().zip(tents) {
                    *out = row[start..][..reach].iter().zip(weights).map(|(pixel, weight)| pixel * weight).sum();
                }
            }
        }
    }

    fn along_by<const REACH: usize>(&self, row: &[f32], out: &mut [f32]) {
        let (weights, _) = self.weights.as_chunks::<REACH>();
        for ((out, &start), weights) in out.iter_mut().zip(&self.starts).zip(weights) {
            let pixels = &row[start..][..REACH];
            *out = (0..REACH).map(|place| pixels[place] * weights[place]).sum();
        }
    }

    /// All columns of `rows` under one tent.
    fn over(&self, tent: usize, rows: &[f32], out: &mut [f32]) {
        let weights = &self.weights[tent * self.reach..][..self.reach];
        let rows = rows[self.starts[tent] * out.len()..].chunks_exact(out.len());
        out.fill(0.0);
        for (row, &weight) in rows.zip(weights) {
            for (out, pixel) in out.iter_mut().zip(row) {
                *out += pixel * weight;
            }
        }
    }
}
