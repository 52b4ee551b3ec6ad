//! The laws that random numbers follow.

use synlocal::rng::Stream;

const MANY: usize = 1 << 20;

fn normals() -> Vec<f64> {
    let mut values = vec![0.0; MANY];
    Stream::new(3).rng().normals(&mut values);
    values.into_iter().map(f64::from).collect()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    values.sum::<f64>() / MANY as f64
}

#[test]
fn normals_have_the_moments_and_the_tails_of_the_normal_law() {
    let values = normals();
    let many = MANY as f64;
    // Of x^n the mean is `moment`, the variance `spread`.
    for (power, moment, spread) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0), (6, 15.0, 10170.0)] {
        let found = mean(values.iter().map(|value| value.powi(power)));
        assert!((found - moment).abs() < 4.0 * f64::sqrt(spread / many), "x^{power}: {found}, not {moment}");
    }
    for (beyond, share) in [(0.674_49, 0.5), (1.959_96, 0.05), (3.290_53, 0.001)] {
        for sign in [1.0, -1.0] {
            let found = mean(values.iter().map(|value| f64::from(u8::from(sign * value > beyond))));
            let half = share / 2.0;
            assert!((found - half).abs() < 4.0 * f64::sqrt(half / many), "beyond {beyond}: {found}, not {half}");
        }
    }
}

#[test]
fn normals_that_are_drawn_together_know_nothing_of_each_other() {
    let values = normals();
    for apart in 1..=16 {
        let pairs = || values.iter().zip(values.iter().cycle().skip(apart));
        let (product, squares) = (mean(pairs().map(|(a, b)| a * b)), mean(pairs().map(|(a, b)| a * a * b * b)));
        assert!(product.abs() < 4.0 / f64::sqrt(MANY as f64), "{apart} apart: mean product {product}");
        assert!((squares - 1.0).abs() < 4.0 * f64::sqrt(8.0 / MANY as f64), "{apart} apart: of squares {squares}");
    }
}

#[test]
fn any_number_of_normals_can_be_drawn() {
    let draw = |len: usize| {
        let mut values = vec![f32::NAN; len];
        Stream::new(4).rng().normals(&mut values);
        values
    };
    let many = draw(50);
    for len in 0..50 {
        assert_eq!(draw(len), many[..len], "{len} values are the first of more");
    }
}
