//! Views: what a view may and may not depend on. The deformation itself stands among the oracle's cases.

use std::path::Path;

use synlocal::data::{Dataset, Deformation, Images, Moments, Padding, Source, Views, Warp, deform};
use synlocal::document::Document;
use synlocal::rng::Stream;
use synlocal::shape::Shape;

/// Runs `work` on a pool of so many threads.
fn in_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

const STILL: Warp = Warp { affine: [[0.0; 3]; 2], saturation: 1.0, hue: 0.0, flip: false };
const OFF: Deformation =
    Deformation { affine: 0.0, saturation: 1.0, hue: 0.0, flip: 0.0, padding: Padding::Zeros, warp_fraction: 1.0 };

/// Noise images of `shape`.
fn noise(shape: Shape, count: usize) -> Dataset {
    let mut rng = Stream::new(7).rng();
    let bytes = (0..count * shape.len()).map(|_| rng.below(256) as u8).collect();
    let train = Images::new(shape, bytes, vec![0; count]);
    Dataset::new("noise", vec!["0".into()], train.clone(), train)
}

fn draw(views: Deformation, dataset: &Dataset, samples: &[usize], epoch: u64, view: u64) -> Vec<f32> {
    let mut out = vec![f32::NAN; samples.len() * dataset.shape.len()];
    Views::Deform(views).draw(dataset, samples, Stream::new(3), epoch, view, &mut out);
    out
}

#[test]
fn with_every_part_off_a_view_is_its_image_to_the_bit() {
    for shape in [Shape::new(3, 32, 32), Shape::new(1, 28, 28), Shape::new(2, 5, 9), Shape::new(3, 1, 1)] {
        let dataset = noise(shape, 4);
        for padding in [Padding::Zeros, Padding::Border] {
            let view = draw(Deformation { padding, ..OFF }, &dataset, &[2], 0, 1);
            let image: Vec<f32> = dataset.train.image(2).iter().map(|&byte| f32::from(byte) / 255.0).collect();
            assert_eq!(view, image);
        }
    }
}

#[test]
fn a_flip_mirrors_rows_and_a_shift_by_whole_pixels_moves_them() {
    let shape = Shape::new(1, 3, 5);
    let image: Vec<f32> = (1..=15).map(|value| value as f32).collect();
    let mut out = vec![0.0; 15];
    deform(&image, shape, &Warp { flip: true, ..STILL }, Padding::Zeros, &mut out);
    assert_eq!(out[5..10], [10.0, 9.0, 8.0, 7.0, 6.0]);
    // Half an image side is (5 - 1) / 2 = 2 pixels: the view looks two to the right.
    let shifted = Warp { affine: [[0.0, 0.0, 1.0], [0.0; 3]], ..STILL };
    deform(&image, shape, &shifted, Padding::Zeros, &mut out);
    assert_eq!(out[5..10], [8.0, 9.0, 10.0, 0.0, 0.0]);
    deform(&image, shape, &shifted, Padding::Border, &mut out);
    assert_eq!(out[5..10], [8.0, 9.0, 10.0, 10.0, 10.0]);
}

#[test]
fn hue_goes_round_the_circle_and_saturation_stops_at_pure_colours() {
    let shape = Shape::new(3, 1, 1);
    let colour = |image: [f32; 3], saturation: f32, hue: f32| {
        let mut out = [0.0; 3];
        deform(&image, shape, &Warp { saturation, hue, ..STILL }, Padding::Zeros, &mut out);
        out.map(|value| (value * 1000.0).round() / 1000.0)
    };
    assert_eq!(colour([1.0, 0.0, 0.0], 1.0, 1.0 / 3.0), [0.0, 1.0, 0.0]);
    assert_eq!(colour([1.0, 0.0, 0.0], 1.0, -1.0 / 3.0), [0.0, 0.0, 1.0]);
    assert_eq!(colour([0.0, 0.0, 0.8], 1.0, 0.5), [0.8, 0.8, 0.0]);
    assert_eq!(colour([0.8, 0.4, 0.4], 0.5, 0.0), [0.8, 0.6, 0.6]);
    assert_eq!(colour([0.8, 0.4, 0.6], 4.0, 0.0), [0.8, 0.0, 0.4]);
    assert_eq!(colour([0.3, 0.3, 0.3], 4.0, 0.4), [0.3, 0.3, 0.3]);
    assert_eq!(colour([0.0, 0.0, 0.0], 4.0, 0.4), [0.0, 0.0, 0.0]);
}

#[test]
fn grey_images_are_warped_and_their_values_kept() {
    let dataset = noise(Shape::new(1, 28, 28), 1);
    let coloured = draw(Deformation { saturation: 4.0, hue: 0.2, ..OFF }, &dataset, &[0], 0, 0);
    assert_eq!(coloured, draw(OFF, &dataset, &[0], 0, 0));
    assert_ne!(coloured, draw(Deformation { affine: 0.5, ..OFF }, &dataset, &[0], 0, 0));
}

#[test]
fn a_view_depends_neither_on_threads_nor_on_the_batch_it_is_in() {
    let objects = Source::Objects { images: 40, test_images: 1, seed: 2 }.load(Path::new("."), None).unwrap();
    let size = objects.shape.len();
    let samples: Vec<usize> = (0..40).map(|place| place * 7 % 40).collect();
    for views in [Views::default(), Views::Moments(Moments::default())] {
        let draw = |samples: &[usize], epoch: u64, view: u64| {
            let mut out = vec![f32::NAN; samples.len() * size];
            views.draw(&objects, samples, Stream::new(3), epoch, view, &mut out);
            out
        };
        let together = draw(&samples, 5, 1);
        for threads in [1, 2, 4] {
            assert_eq!(in_threads(threads, || draw(&samples, 5, 1)), together);
        }
        for (&sample, view) in samples.iter().zip(together.chunks(size)) {
            assert_eq!(draw(&[sample], 5, 1), view);
        }
        assert!(together.iter().all(|value| (0.0..=1.0).contains(value)));
        assert_ne!(draw(&samples, 5, 0), together, "the other view");
        assert_ne!(draw(&samples, 6, 1), together, "the next epoch");
    }
}

#[test]
fn one_part_draws_the_same_whether_others_are_on_or_off() {
    let dataset = noise(Shape::new(3, 8, 8), 20);
    let samples: Vec<usize> = (0..20).collect();
    let flipped = |views: Deformation| -> Vec<bool> {
        let views = draw(Deformation { flip: 0.5, ..views }, &dataset, &samples, 0, 0);
        let plain = draw(OFF, &dataset, &samples, 0, 0);
        views.chunks(192).zip(plain.chunks(192)).map(|(view, plain)| (view[7] - plain[0]).abs() < 0.01).collect()
    };
    let alone = flipped(OFF);
    assert_eq!(flipped(Deformation { hue: 0.0001, ..OFF }), alone);
    assert!(alone.contains(&true) && alone.contains(&false));
}

/// Of 4000 views, the share that differs from their images.
fn share_changed(views: Deformation) -> f32 {
    let dataset = noise(Shape::new(1, 4, 4), 4000);
    let samples: Vec<usize> = (0..4000).collect();
    let (views, images) = (draw(views, &dataset, &samples, 0, 0), draw(OFF, &dataset, &samples, 0, 0));
    views.chunks(16).zip(images.chunks(16)).filter(|(view, image)| view != image).count() as f32 / 4000.0
}

#[test]
fn as_many_views_are_flipped_as_asked() {
    for (flip, tolerance) in [(0.0, 0.0), (0.2, 0.03), (0.5, 0.04), (1.0, 0.0)] {
        let share = share_changed(Deformation { flip, ..OFF });
        assert!((share - flip).abs() <= tolerance, "{share} of the views, asked for {flip}");
    }
}

#[test]
fn as_many_views_are_warped_as_asked() {
    for (warp_fraction, tolerance) in [(0.0, 0.0), (0.5, 0.04), (1.0, 0.0)] {
        let share = share_changed(Deformation { affine: 0.5, warp_fraction, ..OFF });
        assert!((share - warp_fraction).abs() <= tolerance, "{share} of the views, asked for {warp_fraction}");
    }
}

#[test]
fn the_parameters_of_a_view_fill_the_ranges_of_the_paper() {
    let mut rng = Stream::new(11).rng();
    let warps: Vec<Warp> = (0..4000).map(|_| Deformation::default().warp(&mut rng)).collect();
    let check = |low: f32, high: f32, mean: f32, value: &dyn Fn(&Warp) -> f32| {
        let values: Vec<f32> = warps.iter().map(value).collect();
        let (least, most) = values.iter().fold((f32::MAX, f32::MIN), |(a, b), &v| (a.min(v), b.max(v)));
        let margin = 0.01 * (high - low);
        assert!(low <= least && least < low + margin, "{least}, expected from {low}");
        assert!(high - margin < most && most <= high, "{most}, expected up to {high}");
        let found = values.iter().sum::<f32>() / values.len() as f32;
        assert!((found - mean).abs() < 0.02 * (high - low), "mean {found}, expected {mean}");
    };
    for row in 0..2 {
        for column in 0..3 {
            let reach = [0.25, 0.25, 0.5][column];
            check(-reach, reach, 0.0, &|warp| warp.affine[row][column]);
        }
    }
    check(-2.0, 2.0, 0.0, &|warp| warp.saturation.log2());
    check(-0.1, 0.1, 0.0, &|warp| warp.hue);
}

/// Views as an experiment writes them.
fn read(text: &str) -> Result<Views, String> {
    let document = Document::new("views", text);
    document.parse().map_err(|faults| document.error(faults).to_string())
}

fn places(text: &str) -> Vec<String> {
    read(text).unwrap().faults().into_iter().map(|fault| fault.place).collect()
}

#[test]
fn strengths_are_written_as_fields_of_the_variant_and_default_to_the_paper() {
    assert_eq!(read("Deform()").unwrap(), Views::default());
    let written = read("Deform(affine: 0.5, saturation: 4.0, hue: 0.2, flip: 0.5)").unwrap();
    assert_eq!(written, Views::default());
    let border = read("Deform(padding: Border, warp_fraction: 0.5)").unwrap();
    let expected = Deformation { padding: Padding::Border, warp_fraction: 0.5, ..Deformation::default() };
    assert_eq!(border, Views::Deform(expected));
    let moments = read("Moments(turn: 10, shift: 0, light: 0.5)").unwrap();
    assert_eq!(moments, Views::Moments(Moments { turn: 10.0, shift: 0.0, light: 0.5, ..Moments::default() }));
    let error = read("Deform(\n  afine: 0.5)").unwrap_err();
    assert!(error.contains("afine") && error.contains("affine") && error.contains("views:2:3"), "{error}");
    let error = read("Moment()").unwrap_err();
    assert!(error.contains("Moment") && error.contains("Moments"), "{error}");
}

#[test]
fn every_strength_out_of_range_is_a_fault_at_its_field() {
    assert_eq!(places("Deform()"), [""; 0]);
    assert_eq!(places("Deform(affine: 0, saturation: 1, hue: 0, flip: 0, warp_fraction: 0)"), [""; 0]);
    assert_eq!(
        places("Deform(affine: -0.1, saturation: 0.5, hue: inf, flip: 1.5, warp_fraction: NaN)"),
        ["affine", "hue", "saturation", "flip", "warp_fraction"]
    );
    assert_eq!(
        places("Moments(turn: 200, shift: -0.1, light: 2, surroundings: NaN, skin: -1)"),
        ["turn", "shift", "light", "surroundings", "skin"]
    );
}

#[test]
fn moments_of_images_without_objects_are_refused_with_a_remedy() {
    let error = Views::Moments(Moments::default()).check(&noise(Shape::new(3, 32, 32), 1)).unwrap_err().to_string();
    assert!(error.contains("noise") && error.contains("Objects()"), "{error}");
    Views::default().check(&noise(Shape::new(3, 32, 32), 1)).unwrap();
}
