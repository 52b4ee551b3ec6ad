//! One image deformed: an affine map of the plane, then saturation and hue, then a mirror.
//!
//! In coordinates that run from -1 to 1 between the centres of the outermost pixels, the output at (x, y) is the input,
//! interpolated bilinearly, at ((1 + u0) x + u1 y + u2, u3 x + (1 + u4) y + u5). A colour with value v, chroma c and
//! hue h in sextants of the circle keeps v, gets c' = min(k c, v), which is saturation times k clamped to [0, 1], and
//! h' = h + 6 hue; then
//!
//! red = v - c' [2 - |h' - 3|], green = v - c' [|h' - 2| - 1], blue = v - c' [|h' - 4| - 1],  [.] clamped to [0, 1].

use serde::{Deserialize, Serialize};

use crate::shape::Shape;

/// What lies beyond an image's edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Padding {
    /// Darkness.
    #[default]
    Zeros,
    /// The nearest pixel of the image.
    Border,
}

/// The parameters of one deformation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warp {
    /// Added to the identity: rows x and y, columns factor of x, factor of y, shift, in half image sides.
    pub affine: [[f32; 3]; 2],
    /// Factor on the saturation.
    pub saturation: f32,
    /// Added to the hue, in turns of the colour circle.
    pub hue: f32,
    /// Whether left and right are exchanged.
    pub flip: bool,
}

/// Deforms one image `[channel][row][column]` of any size into `out`. Colour changes only where there are three
/// channels; without an affine part every pixel stays where it is, to the bit.
pub fn deform(image: &[f32], shape: Shape, warp: &Warp, padding: Padding, out: &mut [f32]) {
    Deformer::new(shape, padding).deform(image, warp, out);
}

/// Room in which images of one shape are deformed, one after another.
pub(super) struct Deformer {
    padded: Padded,
    taps: Vec<Tap>,
}

impl Deformer {
    pub(super) fn new(shape: Shape, padding: Padding) -> Self {
        Deformer { padded: Padded::new(shape, padding), taps: vec![Tap::default(); shape.width] }
    }

    /// As [`deform`].
    pub(super) fn deform(&mut self, image: &[f32], warp: &Warp, out: &mut [f32]) {
        let Deformer { padded, taps } = self;
        let shape = padded.shape;
        let map = shape.height * shape.width;
        padded.fill(image);
        for row in 0..shape.height {
            padded.aim(warp, row, taps);
            for (channel, out) in out.chunks_exact_mut(map).enumerate() {
                padded.sample(channel, taps, &mut out[row * shape.width..][..shape.width]);
            }
        }
        if shape.channels == 3 && (warp.saturation != 1.0 || warp.hue != 0.0) {
            let (red, rest) = out.split_at_mut(map);
            let (green, blue) = rest.split_at_mut(map);
            recolour(red, green, blue, warp.saturation, warp.hue);
        }
    }
}

/// Where one output pixel looks: the upper left of four neighbours in a padded map, and the way to the next ones.
#[derive(Clone, Copy, Default)]
struct Tap {
    corner: u32,
    right: f32,
    down: f32,
}

/// An image with a margin of one before and two behind each axis, so that no look-up needs a test: a coordinate
/// clamped to one pixel outside has all its neighbours there.
struct Padded {
    shape: Shape,
    padding: Padding,
    stride: usize,
    map: usize,
    pixels: Vec<f32>,
}

const BEFORE: usize = 1;
const MARGIN: usize = 3;

impl Padded {
    fn new(shape: Shape, padding: Padding) -> Self {
        let stride = shape.width + MARGIN;
        let map = stride * (shape.height + MARGIN);
        Padded { shape, padding, stride, map, pixels: vec![0.0; shape.channels * map] }
    }

    /// Takes an image in; the margin stays dark.
    fn fill(&mut self, image: &[f32]) {
        let Shape { height, width, .. } = self.shape;
        for (from, to) in image.chunks_exact(height * width).zip(self.pixels.chunks_exact_mut(self.map)) {
            let rows = to.chunks_exact_mut(self.stride).skip(BEFORE);
            for (from, to) in from.chunks_exact(width).zip(rows) {
                to[BEFORE..][..width].copy_from_slice(from);
            }
        }
    }

    /// Finds where the pixels of one output row look. Displacements are computed rather than positions, so that no
    /// affine part means no rounding either.
    fn aim(&self, warp: &Warp, row: usize, taps: &mut [Tap]) {
        let (height, width) = (self.shape.height, self.shape.width);
        let normalised = |index: usize, extent: usize| match extent {
            1 => 0.0,
            _ => (2.0 * index as f32 - (extent - 1) as f32) / (extent - 1) as f32,
        };
        // Coordinates that stay in range have neighbours in range; at the border the outer ones get weight 0.
        let reach = |extent: usize| match self.padding {
            Padding::Zeros => (-1.0, extent as f32),
            Padding::Border => (0.0, (extent - 1) as f32),
        };
        let ((left, right), (top, bottom)) = (reach(width), reach(height));
        let (half_width, half_height) = ((width - 1) as f32 / 2.0, (height - 1) as f32 / 2.0);
        let y = normalised(row, height);
        let [[xx, xy, x0], [yx, yy, y0]] = warp.affine;
        let (x_start, y_start) = (half_width * (xy * y + x0), half_height * (yy * y + y0) + row as f32);
        let (x_slope, y_slope) = (half_width * xx, half_height * yx);
        let before = BEFORE as f32;
        for (place, tap) in taps.iter_mut().enumerate() {
            let column = if warp.flip { width - 1 - place } else { place };
            let x = normalised(column, width);
            let across = (column as f32 + (x_start + x_slope * x)).clamp(left, right) + before;
            let down = (y_start + y_slope * x).clamp(top, bottom) + before;
            let (column, row) = (across as i32, down as i32);
            *tap = Tap {
                corner: (row * self.stride as i32 + column) as u32,
                right: across - column as f32,
                down: down - row as f32,
            };
        }
    }

    /// Interpolates one channel of one output row.
    fn sample(&self, channel: usize, taps: &[Tap], out: &mut [f32]) {
        let map = &self.pixels[channel * self.map..][..self.map];
        for (out, tap) in out.iter_mut().zip(taps) {
            let upper = &map[tap.corner as usize..][..2];
            let lower = &map[tap.corner as usize + self.stride..][..2];
            let above = upper[0] + (upper[1] - upper[0]) * tap.right;
            let below = lower[0] + (lower[1] - lower[0]) * tap.right;
            *out = above + (below - above) * tap.down;
        }
    }
}

/// Multiplies saturation, turns hue, keeps value. No branch: rows of pixels go through vector registers.
pub(super) fn recolour(red: &mut [f32], green: &mut [f32], blue: &mut [f32], saturation: f32, hue: f32) {
    let turn = (hue - hue.floor()) * 6.0;
    for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
        let (r, g, b) = (*red, *green, *blue);
        let value = larger(larger(r, g), b);
        let chroma = value - smaller(smaller(r, g), b);
        // Grey has no hue and no chroma to show it with; any divisor will do.
        let scale = 1.0 / larger(chroma, f32::MIN_POSITIVE);
        let sextant = if value == r {
            (g - b) * scale
        } else if value == g {
            2.0 + (b - r) * scale
        } else {
            4.0 + (r - g) * scale
        };
        let turned = sextant + turn;
        let turned = if turned < 0.0 { turned + 6.0 } else { turned };
        let turned = if turned >= 6.0 { turned - 6.0 } else { turned };
        let chroma = smaller(chroma * saturation, value);
        let unit = |x: f32| smaller(larger(x, 0.0), 1.0);
        *red = value - chroma * unit(2.0 - (turned - 3.0).abs());
        *green = value - chroma * unit((turned - 2.0).abs() - 1.0);
        *blue = value - chroma * unit((turned - 4.0).abs() - 1.0);
    }
}

/// The larger of two numbers, as one instruction: `f32::max` also asks which of them is no number.
fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The smaller of two numbers, as one instruction.
fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}
