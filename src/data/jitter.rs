//! Colour jitter: brightness, contrast, saturation and hue of one image in [0, 1], as torchvision changes them in tensors
//! of floats.
//!
//! The grey of a pixel is 0.2989 red + 0.587 green + 0.114 blue. Contrast moves every value away from the mean grey of
//! the image, saturation away from the grey of its pixel. Saturation, hue and grey exist only where there are three
//! channels; the grey of other images is their own value.

use super::deform::recolour;
use crate::shape::Shape;

/// One change of an image's colours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tint {
    /// Multiplies every value.
    Brightness(f32),
    /// Multiplies every value's distance from the mean grey of the image.
    Contrast(f32),
    /// Multiplies every value's distance from the grey of its pixel.
    Saturation(f32),
    /// Added to the hue, in turns of the colour circle.
    Hue(f32),
}

const GREY: [f32; 3] = [0.2989, 0.587, 0.114];

/// Changes the colours of `image`. A factor of 1 or a turn of 0 changes nothing, to the bit.
pub(super) fn tint(image: &mut [f32], shape: Shape, tint: Tint) {
    let colours = shape.channels == 3;
    match tint {
        Tint::Brightness(factor) => image.iter_mut().for_each(|value| *value = unit(*value * factor)),
        Tint::Contrast(factor) if factor != 1.0 => {
            let share = (1.0 - factor) * mean_grey(image, shape);
            image.iter_mut().for_each(|value| *value = unit(*value * factor + share));
        }
        Tint::Saturation(factor) if colours && factor != 1.0 => {
            let rest = 1.0 - factor;
            each_pixel(image, |pixel, grey| pixel.map(|value| unit(value * factor + grey * rest)));
        }
        Tint::Hue(turn) if colours && turn != 0.0 => {
            let [red, green, blue] = maps(image);
            recolour(red, green, blue, 1.0, turn);
        }
        _ => {}
    }
}

/// Takes the colours out of `image`.
pub(super) fn grey(image: &mut [f32], shape: Shape) {
    if shape.channels == 3 {
        each_pixel(image, |_, grey| [grey; 3]);
    }
}

/// Replaces every pixel of a coloured image by what `change` makes of it and of its grey.
fn each_pixel(image: &mut [f32], change: impl Fn([f32; 3], f32) -> [f32; 3]) {
    let [red, green, blue] = maps(image);
    for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
        let grey = GREY[0] * *red + GREY[1] * *green + GREY[2] * *blue;
        [*red, *green, *blue] = change([*red, *green, *blue], grey);
    }
}

fn maps(image: &mut [f32]) -> [&mut [f32]; 3] {
    let (red, rest) = image.split_at_mut(image.len() / 3);
    let (green, blue) = rest.split_at_mut(rest.len() / 2);
    [red, green, blue]
}

fn mean_grey(image: &[f32], shape: Shape) -> f32 {
    let map = shape.height * shape.width;
    if shape.channels == 3 {
        image.chunks_exact(map).zip(GREY).map(|(map, weight)| weight * mean(map)).sum()
    } else {
        mean(image)
    }
}

/// The mean, by sums side by side: they go through vector registers and round less than one long sum.
fn mean(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<16>();
    let mut sums = [0.0; 16];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value);
    }
    (sums.iter().sum::<f32>() + rest.iter().sum::<f32>()) / values.len() as f32
}

fn unit(value: f32) -> f32 {
    value.clamp(0.0, 1.0)
}
