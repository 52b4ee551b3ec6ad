//! How long it takes to make the two views of 250 images of 3x32x32.

use std::hint::black_box;
use std::path::Path;

use criterion::{Criterion, criterion_group, criterion_main};
use synlocal::data::{Deformation, Moments, Source, Views};
use synlocal::rng::Stream;

fn views(criterion: &mut Criterion) {
    let dataset = Source::Objects { images: 500, test_images: 1, seed: 0 }.load(Path::new("."), None).unwrap();
    let samples: Vec<usize> = (0..250).map(|sample| sample * 2).collect();
    let mut out = vec![0.0; samples.len() * dataset.shape.len()];
    for (name, views) in
        [("views/deform", Views::Deform(Deformation::default())), ("views/moments", Views::Moments(Moments::default()))]
    {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                for view in 0..2 {
                    views.draw(&dataset, &samples, Stream::new(1), 0, view, black_box(&mut out));
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
