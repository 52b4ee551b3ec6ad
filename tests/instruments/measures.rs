//! Angles, lengths, distances and dimensions of vectors that are known.

use synlocal::instruments::{Distances, Spread, angle, norm};
use synlocal::rng::Stream;

#[test]
fn angles_are_those_of_the_drawing() {
    let close = |one: &[f32], other: &[f32], degrees: f64| {
        let found = angle(one, other).unwrap();
        assert!((found - degrees).abs() < 1e-9, "{one:?}, {other:?}: {found}, expected {degrees}");
    };
    close(&[1.0, 0.0], &[0.0, 3.0], 90.0);
    close(&[2.0, 0.0], &[1.0, 1.0], 45.0);
    close(&[1.0, 0.0, 0.0], &[-0.5, 0.0, 0.0], 180.0);
    close(&[0.3, 0.7, -0.1], &[0.3, 0.7, -0.1], 0.0);
    close(&[1.0, 1.0, 0.0], &[0.0, 1.0, 1.0], 60.0);
    // Half a millionth of a turn: an arc cosine would be a tenth off.
    let slight = angle(&[1.0, 0.0], &[1.0, 1e-7]).unwrap();
    assert!((slight.to_radians() / 1e-7 - 1.0).abs() < 1e-6, "{slight}");
    assert_eq!(angle(&[0.0, 0.0], &[1.0, 0.0]), None);
    assert_eq!(angle(&[], &[]), None);
}

#[test]
fn lengths_are_those_of_pythagoras() {
    assert_eq!(norm(&[3.0, 4.0]), 5.0);
    assert_eq!(norm(&[]), 0.0);
    assert_eq!(norm(&vec![2.0; 1_000_000]), 2000.0);
}

#[test]
fn distances_are_those_of_a_plain_double_loop() {
    let (samples, units) = (17, 5);
    let mut rng = Stream::new(1).rng();
    let mut draw = || (0..samples * units).map(|_| rng.normal()).collect::<Vec<f32>>();
    let (stored, current) = (draw(), draw());
    for stored in [&stored[..], &[]] {
        let others = if stored.is_empty() { &current } else { stored };
        let distance = |i: usize, j: usize| -> f64 {
            let (one, other) = (&others[i * units..][..units], &current[j * units..][..units]);
            one.iter().zip(other).map(|(one, other)| (f64::from(*one) - f64::from(*other)).abs()).sum()
        };
        let pairs = || (0..samples).flat_map(|i| (0..samples).map(move |j| (i, j))).filter(|(i, j)| i != j);
        let negative = pairs().map(|(i, j)| distance(i, j)).sum::<f64>() / pairs().count() as f64;
        let positive = (0..samples).map(|j| distance(j, j)).sum::<f64>() / samples as f64;
        let found = Distances::of(stored, &current, units);
        assert!((found.negative - negative).abs() < 1e-5, "{found:?}, expected {negative}");
        match found.positive {
            Some(found) => assert!((found - positive).abs() < 1e-5 && !stored.is_empty(), "{found}, {positive}"),
            None => assert!(stored.is_empty()),
        }
    }
}

/// Embeddings that lie `length` out on both sides of the first `used` of `units` axes, around a point that is not 0.
fn cross(units: usize, used: usize, length: f32) -> Vec<f32> {
    let tips = (0..used).flat_map(|axis| [(axis, length), (axis, -length)]);
    tips.flat_map(|(axis, tip)| (0..units).map(move |unit| 7.0 + if unit == axis { tip } else { 0.0 })).collect()
}

fn spread(embeddings: &[f32], units: usize) -> Spread {
    let distances = Distances::of(&[], embeddings, units);
    Spread::of(embeddings, units, distances, distances)
}

#[test]
fn a_spread_has_as_many_dimensions_as_are_equally_used() {
    // More images than units, and fewer.
    for (units, used) in [(4, 4), (4, 3), (4, 1), (40, 3), (40, 20)] {
        let found = spread(&cross(units, used, 0.5), units);
        let dimensions = found.dimensions.unwrap();
        assert!((dimensions - used as f64).abs() < 1e-9, "{used} of {units}: {dimensions}");
        // Of 2 k images, two lie 0.5 from the mean of an axis, and all others on it.
        let most = 0.5 / (used as f64).sqrt();
        assert!((found.deviation.most - most).abs() < 1e-9, "{:?}, expected {most}", found.deviation);
        assert_eq!(found.deviation.least == 0.0, used < units, "{:?}", found.deviation);
    }
    let unequal = [cross(2, 1, 3.0), cross(2, 2, 1.0)[4..].to_vec()].concat();
    // Variances 9 and 1, up to a factor: (9 + 1)^2 / (81 + 1).
    assert!((spread(&unequal, 2).dimensions.unwrap() - 100.0 / 82.0).abs() < 1e-9);
    let point = spread(&[1.5; 12], 3);
    assert_eq!((point.dimensions, point.distances.negative, point.deviation.most), (None, 0.0, 0.0));
}

#[test]
fn only_near_and_no_better_told_apart_is_collapsed() {
    let of = |positive: f64, negative: f64| Distances { positive: Some(positive), negative };
    let first = of(1.0, 1.3);
    for (now, collapsed) in [
        (of(1.0, 1.3), false),
        // A smaller scale alone: images are told apart as well as ever they were, and better.
        (of(0.01, 0.05), false),
        (of(0.0, 0.05), false),
        // No better told apart, but at the old scale.
        (of(1.0, 1.0), false),
        (of(0.2, 0.2), false),
        (of(0.05, 0.05), true),
        (of(0.05, 0.065), true),
        (of(0.0, 0.0), true),
    ] {
        assert_eq!(now.have_collapsed_since(&first), collapsed, "{now:?}");
    }
    let alone = |negative| Distances { positive: None, negative };
    assert!(alone(0.09).have_collapsed_since(&alone(1.0)) && !alone(0.11).have_collapsed_since(&alone(1.0)));
    assert!(of(0.0, 0.0).have_collapsed_since(&of(0.0, 0.0)), "first weights that tell nothing apart");
}
