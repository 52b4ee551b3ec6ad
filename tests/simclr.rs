//! SimCLR's views: the arithmetic beside torchvision's, and the law by which parameters are drawn.

use serde_json::Value;
use synlocal::data::{Crop, Dataset, Glimpse, Images, Resampler, SimClr, Tint, Views, glimpse};
use synlocal::document::Document;
use synlocal::rng::Stream;
use synlocal::shape::Shape;

/// Every value of every part off.
const OFF: SimClr = SimClr {
    size: None,
    scale: (1.0, 1.0),
    ratio: (1.0, 1.0),
    flip: 0.0,
    jitter: 0.0,
    brightness: 0.0,
    contrast: 0.0,
    saturation: 0.0,
    hue: 0.0,
    grey: 0.0,
};

fn seen(image: &[f32], shape: Shape, parameters: &Glimpse, view: Shape) -> Vec<f32> {
    let mut out = vec![f32::NAN; view.len()];
    glimpse(image, shape, parameters, view, &mut Resampler::default(), &mut out);
    out
}

/// A glimpse of all of an image of `shape` as it is.
fn still(shape: Shape) -> Glimpse {
    Glimpse { crop: Crop::whole(shape), flip: false, jitter: None, grey: false }
}

fn numbers<const N: usize>(value: &Value) -> [usize; N] {
    let numbers: Vec<usize> = value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap() as usize).collect();
    numbers.try_into().unwrap()
}

/// `simclr/torchvision.json` was computed by torchvision 0.29.2 (`transforms.v2.functional`, tensors of floats): value i
/// of an image, counted through channels, rows and columns, is ((i^3 + 7 i) mod 1009 mod 18) / 17; then come
/// `resized_crop` (top, left, height, width; bilinear, antialias), `horizontal_flip`, the `adjust_` functions in the
/// order given, and `rgb_to_grayscale`.
#[test]
fn glimpses_are_torchvisions() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("simclr/torchvision.json")).unwrap();
    let mut resampler = Resampler::default();
    for (index, case) in cases.iter().enumerate() {
        let [channels, height, width] = numbers(&case["image"]);
        let shape = Shape::new(channels, height, width);
        let image: Vec<f32> = (0..shape.len()).map(|i| ((i * i * i + 7 * i) % 1009 % 18 * 15) as f32 / 255.0).collect();
        let [top, left, height, width] = numbers(&case["crop"]);
        let tints = case["jitter"].as_array().map(|tints| {
            let tints: Vec<Tint> = tints.iter().map(tint).collect();
            tints.try_into().unwrap()
        });
        let parameters = Glimpse {
            crop: Crop { top, left, height, width },
            flip: case["flip"].as_bool().unwrap(),
            jitter: tints,
            grey: case["grey"].as_bool().unwrap(),
        };
        let [rows, columns] = numbers(&case["view"]);
        let view = Shape::new(channels, rows, columns);
        let mut out = vec![f32::NAN; view.len()];
        glimpse(&image, shape, &parameters, view, &mut resampler, &mut out);
        let expected = case["out"].as_array().unwrap();
        assert_eq!(expected.len(), out.len());
        for (place, (expected, found)) in expected.iter().zip(&out).enumerate() {
            let expected = expected.as_f64().unwrap() as f32;
            assert!((found - expected).abs() < 1e-5, "case {index}, value {place}: {found}, expected {expected}");
        }
    }
    assert_eq!(cases.len(), 17);
}

fn tint(named: &Value) -> Tint {
    let strength = named[1].as_f64().unwrap() as f32;
    match named[0].as_str().unwrap() {
        "Brightness" => Tint::Brightness(strength),
        "Contrast" => Tint::Contrast(strength),
        "Saturation" => Tint::Saturation(strength),
        "Hue" => Tint::Hue(strength),
        other => panic!("{other} is no tint"),
    }
}

#[test]
fn one_flat_colour_stays_flat_and_itself_in_any_size() {
    let shape = Shape::new(3, 96, 96);
    let image: Vec<f32> = [0.2, 0.5, 0.9].iter().flat_map(|&value| [value; 96 * 96]).collect();
    for side in [1, 5, 31, 64, 96, 200] {
        let crop = Crop { top: 7, left: 20, height: 61, width: 47 };
        let view = seen(&image, shape, &Glimpse { crop, ..still(shape) }, Shape::new(3, side, side));
        for (map, value) in view.chunks(side * side).zip([0.2, 0.5, 0.9]) {
            assert!(map.iter().all(|found| (found - value).abs() < 1e-6), "{side}: {value}");
        }
    }
}

#[test]
fn what_lies_outside_the_crop_is_not_seen() {
    let shape = Shape::new(1, 8, 8);
    let crop = Crop { top: 2, left: 3, height: 4, width: 4 };
    let inside = |place: usize| (2..6).contains(&(place / 8)) && (3..7).contains(&(place % 8));
    let image: Vec<f32> = (0..64).map(|place| if inside(place) { 0.25 } else { 1.0 }).collect();
    for side in [2, 4, 9] {
        let view = seen(&image, shape, &Glimpse { crop, ..still(shape) }, Shape::new(1, side, side));
        assert!(view.iter().all(|value| (value - 0.25).abs() < 1e-6), "{view:?}");
    }
}

#[test]
fn grey_images_have_neither_saturation_nor_hue() {
    let shape = Shape::new(3, 2, 3);
    let grey = [[0.0, 0.1, 0.4, 0.5, 0.8, 1.0]; 3].concat();
    let jitter = [Tint::Saturation(1.8), Tint::Hue(0.2), Tint::Brightness(1.0), Tint::Contrast(1.0)];
    for parameters in [Glimpse { jitter: Some(jitter), ..still(shape) }, Glimpse { grey: true, ..still(shape) }] {
        let view = seen(&grey, shape, &parameters, shape);
        // The three weights of grey sum to 0.9999.
        assert!(view.iter().zip(&grey).all(|(found, value)| (found - value).abs() < 2e-4), "{view:?}");
    }
}

/// Noise images of `shape`, as many as there are labels.
fn noise(shape: Shape, count: usize) -> Dataset {
    let mut rng = Stream::new(7).rng();
    let bytes = (0..count * shape.len()).map(|_| rng.below(256) as u8).collect();
    let train = Images::new(shape, bytes, vec![0; count]);
    Dataset::new("noise", vec!["0".into()], train.clone(), train)
}

fn draw(views: SimClr, dataset: &Dataset, samples: &[usize], epoch: u64, view: u64) -> Vec<f32> {
    let mut out = vec![f32::NAN; samples.len() * dataset.shape.len()];
    Views::SimClr(views).draw(dataset, samples, Stream::new(3), epoch, view, &mut out);
    out
}

#[test]
fn with_every_part_off_a_view_is_its_image_to_the_bit() {
    for shape in [Shape::new(3, 32, 32), Shape::new(1, 28, 28), Shape::new(2, 9, 9), Shape::new(3, 1, 1)] {
        let dataset = noise(shape, 4);
        let mut image = vec![0.0; shape.len()];
        dataset.train.floats(2, &mut image);
        assert_eq!(draw(OFF, &dataset, &[2], 0, 1), image);
        // Jitter of no strength is none either.
        assert_eq!(draw(SimClr { jitter: 1.0, ..OFF }, &dataset, &[2], 0, 1), image);
    }
}

#[test]
fn a_view_depends_neither_on_threads_nor_on_the_batch_it_is_in() {
    let views = SimClr { size: Some(7), ..SimClr::default() };
    let dataset = noise(Shape::new(3, 12, 15), 40).seen_through(&Views::SimClr(views));
    assert_eq!(dataset.shape, Shape::new(3, 7, 7));
    let samples: Vec<usize> = (0..40).map(|place| place * 7 % 40).collect();
    let together = draw(views, &dataset, &samples, 5, 1);
    for threads in [1, 2, 4] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(|| draw(views, &dataset, &samples, 5, 1)), together);
    }
    for (&sample, view) in samples.iter().zip(together.chunks(dataset.shape.len())) {
        assert_eq!(draw(views, &dataset, &[sample], 5, 1), view);
    }
    assert!(together.iter().all(|value| (0.0..=1.0).contains(value)));
    assert_ne!(draw(views, &dataset, &samples, 5, 0), together, "the other view");
    assert_ne!(draw(views, &dataset, &samples, 6, 1), together, "the next epoch");
}

const PHOTO: Shape = Shape::new(3, 96, 96);

fn glimpses(views: SimClr, shape: Shape) -> Vec<Glimpse> {
    (0..4000).map(|sample| views.glimpse(shape, &mut Stream::new(11).at(sample).rng())).collect()
}

#[test]
fn one_part_draws_the_same_whether_others_are_on_or_off() {
    let all = glimpses(SimClr::default(), PHOTO);
    let flips = glimpses(SimClr { flip: 0.5, ..OFF }, PHOTO);
    let jitters = glimpses(SimClr { jitter: 0.8, hue: 0.2, ..OFF }, PHOTO);
    let greys = glimpses(SimClr { grey: 0.2, ..OFF }, PHOTO);
    let plain = SimClr::default();
    let crops = glimpses(SimClr { scale: plain.scale, ratio: plain.ratio, ..OFF }, PHOTO);
    for (index, all) in all.iter().enumerate() {
        assert_eq!(all.flip, flips[index].flip);
        assert_eq!(all.grey, greys[index].grey);
        assert_eq!(all.crop, crops[index].crop);
        let hue = |glimpse: &Glimpse| glimpse.jitter.map(|tints| tints.map(|tint| matches!(tint, Tint::Hue(_))));
        assert_eq!(hue(all), hue(&jitters[index]));
    }
}

#[test]
fn as_many_views_are_flipped_jittered_and_grey_as_asked() {
    let share = |glimpses: &[Glimpse], is: &dyn Fn(&Glimpse) -> bool| {
        glimpses.iter().filter(|glimpse| is(glimpse)).count() as f32 / glimpses.len() as f32
    };
    for asked in [0.0, 0.2, 0.8, 1.0] {
        let found = glimpses(SimClr { flip: asked, jitter: asked, grey: asked, ..SimClr::default() }, PHOTO);
        // Five standard deviations of 4000 draws.
        let tolerance = 5.0 * (asked * (1.0 - asked) / 4000.0).sqrt();
        for (what, is) in [
            ("flipped", &(|glimpse: &Glimpse| glimpse.flip) as &dyn Fn(&Glimpse) -> bool),
            ("jittered", &|glimpse| glimpse.jitter.is_some()),
            ("grey", &|glimpse| glimpse.grey),
        ] {
            let share = share(&found, is);
            assert!((share - asked).abs() <= tolerance, "{share} of the views are {what}, asked for {asked}");
        }
    }
}

/// `values` fill the range from `low` to `high` and have this mean.
fn fill(values: impl Iterator<Item = f32>, low: f32, high: f32, mean: f32) {
    let values: Vec<f32> = values.collect();
    let (least, most) = values.iter().fold((f32::MAX, f32::MIN), |(a, b), &v| (a.min(v), b.max(v)));
    let margin = 0.02 * (high - low);
    assert!(low <= least && least < low + margin, "{least}, expected from {low}");
    assert!(high - margin < most && most <= high, "{most}, expected up to {high}");
    let found = values.iter().sum::<f32>() / values.len() as f32;
    assert!((found - mean).abs() < margin, "mean {found}, expected {mean}");
}

#[test]
fn jitter_fills_its_ranges_in_every_order() {
    let found = glimpses(SimClr { contrast: 1.5, ..SimClr::default() }, PHOTO);
    let tints = || found.iter().filter_map(|glimpse| glimpse.jitter).flatten();
    fill(tints().filter_map(|tint| if let Tint::Brightness(b) = tint { Some(b) } else { None }), 0.2, 1.8, 1.0);
    // A factor is never negative: the range is cut off, not moved.
    fill(tints().filter_map(|tint| if let Tint::Contrast(c) = tint { Some(c) } else { None }), 0.0, 2.5, 1.25);
    fill(tints().filter_map(|tint| if let Tint::Saturation(s) = tint { Some(s) } else { None }), 0.2, 1.8, 1.0);
    fill(tints().filter_map(|tint| if let Tint::Hue(h) = tint { Some(h) } else { None }), -0.2, 0.2, 0.0);
    let mut orders = std::collections::HashMap::new();
    for tints in found.iter().filter_map(|glimpse| glimpse.jitter) {
        *orders.entry(tints.map(|tint| std::mem::discriminant(&tint))).or_insert(0) += 1;
    }
    assert_eq!(orders.len(), 24);
    // 3200 jitters on average, 133 of each order, standard deviation 11.
    assert!(orders.values().all(|&count| (78..=189).contains(&count)), "{:?}", orders.values());
}

#[test]
fn crops_fill_the_ranges_of_area_ratio_and_place() {
    let crops: Vec<Crop> = glimpses(SimClr::default(), PHOTO).iter().map(|glimpse| glimpse.crop).collect();
    for crop in &crops {
        assert!(crop.top + crop.height <= 96 && crop.left + crop.width <= 96, "{crop:?}");
        let (area, ratio) = ((crop.height * crop.width) as f32 / 9216.0, crop.width as f32 / crop.height as f32);
        // Sides are whole pixels, of 23 at least: area and ratio miss their ranges by half a pixel a side.
        assert!((0.077..=1.0).contains(&area), "{crop:?}");
        assert!((0.72..=1.39).contains(&ratio), "{crop:?}");
    }
    // A small part always fits: nothing is tried twice, so area, logarithm of the ratio and place are uniform.
    let small = glimpses(SimClr { scale: (0.08, 0.3), ..SimClr::default() }, PHOTO);
    let small: Vec<Crop> = small.iter().map(|glimpse| glimpse.crop).collect();
    let share = |count: usize| count as f32 / 4000.0;
    let area = |crop: &Crop| (crop.height * crop.width) as f32 / 9216.0;
    let mean = small.iter().map(area).sum::<f32>() / 4000.0;
    assert!((mean - 0.19).abs() < 0.005, "mean area {mean}");
    let quarter = share(small.iter().filter(|crop| area(crop) < 0.135).count());
    assert!((quarter - 0.25).abs() < 0.035, "{quarter} of the areas lie in their lowest quarter");
    let ratio = |crop: &Crop| (crop.width as f32 / crop.height as f32).ln();
    let mean = small.iter().map(ratio).sum::<f32>() / 4000.0;
    assert!(mean.abs() < 0.015, "mean logarithm of the ratio {mean}");
    fill(small.iter().map(|crop| crop.top as f32 / (96 - crop.height) as f32), 0.0, 1.0, 0.5);
    fill(small.iter().map(|crop| crop.left as f32 / (96 - crop.width) as f32), 0.0, 1.0, 0.5);
}

#[test]
fn a_part_that_never_fits_is_the_largest_centred_one_of_a_legal_ratio() {
    let crop = |scale: f32, ratio: (f32, f32), shape: Shape| {
        let crops = glimpses(SimClr { scale: (scale, 1.0), ratio, ..SimClr::default() }, shape);
        let first = crops[0].crop;
        assert!(crops.iter().all(|glimpse| glimpse.crop == first));
        first
    };
    let whole = |height, width| Crop { top: 0, left: 0, height, width };
    assert_eq!(crop(1.0, (2.0, 3.0), PHOTO), Crop { top: 24, left: 0, height: 48, width: 96 });
    assert_eq!(crop(1.0, (0.75, 4.0 / 3.0), Shape::new(3, 20, 60)), Crop { top: 0, left: 16, height: 20, width: 27 });
    assert_eq!(crop(1.0, (0.75, 4.0 / 3.0), Shape::new(3, 60, 21)), Crop { top: 16, left: 0, height: 28, width: 21 });
    assert_eq!(crop(1.0, (1.0, 1.0), PHOTO), whole(96, 96));
}

/// Views as an experiment writes them.
fn read(text: &str) -> Result<Views, String> {
    let document = Document::new("views", text);
    document.parse().map_err(|faults| document.error(faults).to_string())
}

#[test]
fn strengths_are_fields_that_default_to_simclrs_and_are_checked_one_by_one() {
    assert_eq!(read("SimClr()").unwrap(), Views::SimClr(SimClr::default()));
    let written = "SimClr(scale: (0.08, 1.0), ratio: (0.75, 1.3333334), flip: 0.5, jitter: 0.8, brightness: 0.8, \
                   contrast: 0.8, saturation: 0.8, hue: 0.2, grey: 0.2)";
    assert_eq!(read(written).unwrap(), Views::SimClr(SimClr::default()));
    assert_eq!(read("SimClr(size: 64)").unwrap(), Views::SimClr(SimClr { size: Some(64), ..SimClr::default() }));
    let places = |text: &str| read(text).unwrap().faults().into_iter().map(|f| f.place).collect::<Vec<_>>();
    assert_eq!(places("SimClr()"), [""; 0]);
    assert_eq!(
        places(
            "SimClr(size: 0, scale: (0, 1), ratio: (2, 1), flip: 1.5, jitter: -1, brightness: -0.1, contrast: inf, \
             saturation: NaN, hue: 0.6, grey: NaN)"
        ),
        ["size", "scale", "ratio", "flip", "jitter", "brightness", "contrast", "saturation", "hue", "grey"]
    );
    assert_eq!(places("SimClr(scale: (0.5, 1.1))"), ["scale"]);
    assert_eq!(places("SimClr(scale: (NaN, 1))"), ["scale"]);
    assert_eq!(places("SimClr(ratio: (0.5, inf))"), ["ratio"]);
}

#[test]
fn a_data_set_that_is_shown_in_another_size_than_the_views_is_refused() {
    let views = Views::SimClr(SimClr { size: Some(8), ..SimClr::default() });
    let error = views.check(&noise(Shape::new(3, 12, 12), 1)).unwrap_err().to_string();
    assert!(["noise", "3x8x8", "3x12x12", "seen_through"].iter().all(|word| error.contains(word)), "{error}");
    views.check(&noise(Shape::new(3, 12, 12), 1).seen_through(&views)).unwrap();
}
