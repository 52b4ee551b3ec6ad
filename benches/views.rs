//! How long it takes to make the two views of 250 images of 3x32x32, and SimCLR's of 3x64x64 from images of 3x96x96.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use synlocal::data::{Dataset, Deformation, Images, Moments, SimClr, Source, Views};
use synlocal::rng::Stream;
use synlocal::shape::Shape;

/// As many images of the size of STL-10's, all noise.
fn photos(count: usize) -> Dataset {
    let (shape, mut rng) = (Shape::new(3, 96, 96), Stream::new(1).rng());
    let pixels = (0..count * shape.len()).map(|_| rng.below(256) as u8).collect();
    let images = Images::new(shape, pixels, vec![0; count]);
    Dataset::new("noise", vec!["noise".to_string()], images.clone(), images)
}

fn views(criterion: &mut Criterion) {
    let objects = Source::Objects { images: 500, test_images: 1, seed: 0 }.load(Path::new("."), None).unwrap();
    let smaller = Views::SimClr(SimClr { size: Some(64), ..SimClr::default() });
    let photos = photos(500).seen_through(&smaller);
    let samples: Vec<usize> = (0..250).map(|sample| sample * 2).collect();
    for (name, dataset, views) in [
        ("views/deform", &objects, Views::Deform(Deformation::default())),
        ("views/moments", &objects, Views::Moments(Moments::default())),
        ("views/simclr", &objects, Views::SimClr(SimClr::default())),
        ("views/simclr/96to64", &photos, smaller),
    ] {
        let mut out = vec![0.0; samples.len() * dataset.shape.len()];
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                for view in 0..2 {
                    views.draw(dataset, &samples, Stream::new(1), 0, view, black_box(&mut out));
                }
            });
        });
    }
    criterion.bench_function("objects/1000", |bencher| {
        bencher.iter(|| Source::Objects { images: 999, test_images: 1, seed: 0 }.load(Path::new("."), None).unwrap());
    });
}

criterion_group!(benches, views);
criterion_main!(benches);
