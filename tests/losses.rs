//! Losses by themselves: embeddings in, errors out.

use std::collections::BTreeMap;

use synlocal::document::Document;
use synlocal::loss::{
    BarlowTwins, Clapp, Comparison, ContrastiveHinge, ContrastiveHingeMean, CrossEntropy, Embeddings, Errors, L1Margin,
    L1Positive, Labels, Loss, MulticlassHinge, Negatives, NtXent, StoredView, Workspace,
};
use synlocal::rng::Stream;
use synlocal::shape::Shape;

/// Embeddings of both views of a batch, with labels.
#[derive(Debug, Clone)]
struct Batch {
    shape: Shape,
    stored: Vec<f32>,
    current: Vec<f32>,
    labels: Vec<u8>,
}

/// What a loss makes of a batch.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    found: Comparison,
    stored: Vec<f32>,
    current: Vec<f32>,
}

impl Batch {
    /// Random embeddings. The values that one unit takes over a batch lie at least 0.18 apart, so that signs are the
    /// same all about.
    fn random(shape: Shape, samples: usize, seed: u64) -> Batch {
        let mut rng = Stream::new(seed).rng();
        let (units, rows) = (shape.len(), 2 * samples);
        let mut values = vec![0.0; rows * units];
        for unit in 0..units {
            let mut ranks: Vec<usize> = (0..rows).collect();
            rng.shuffle(&mut ranks);
            for (row, rank) in ranks.into_iter().enumerate() {
                values[row * units + unit] = 0.3 * (rank as f32 - samples as f32 + rng.between(0.3, 0.7));
            }
        }
        let current = values.split_off(samples * units);
        let labels = (0..samples).map(|_| (rng.uniform() * units as f32) as u8).collect();
        Batch { shape, stored: values, current, labels }
    }

    fn of(stored: &[&[f32]], current: &[&[f32]]) -> Batch {
        let shape = Shape::flat(current[0].len());
        Batch { shape, stored: stored.concat(), current: current.concat(), labels: Vec::new() }
    }

    fn samples(&self) -> usize {
        self.current.len() / self.shape.len()
    }

    fn compare(&self, loss: &Loss) -> Answer {
        self.compare_in(loss, &mut Workspace::default())
    }

    fn compare_in(&self, loss: &Loss, workspace: &mut Workspace) -> Answer {
        // Errors are written in full: nothing of what stood there stays.
        let learns = loss.stored_view() == StoredView::Learns;
        let mut current = vec![f32::NAN; self.current.len()];
        let mut stored = vec![f32::NAN; if learns { self.stored.len() } else { 0 }];
        let absent = loss.stored_view() == StoredView::Absent;
        let seen = Embeddings {
            shape: self.shape,
            stored: if absent { &[] } else { &self.stored },
            current: &self.current,
            labels: if loss.is_supervised() { self.labels.as_slice().into() } else { Labels::default() },
        };
        let errors = Errors { stored: learns.then_some(stored.as_mut_slice()), current: &mut current };
        let found = loss.compare(seen, errors, workspace);
        Answer { found, stored, current }
    }

    /// The same with one value of a view moved.
    fn moved(&self, in_stored: bool, place: usize, by: f32) -> Batch {
        let mut moved = self.clone();
        let values = if in_stored { &mut moved.stored } else { &mut moved.current };
        values[place] += by;
        moved
    }
}

const SHAPES: [Shape; 4] = [Shape::flat(1), Shape::flat(17), Shape::new(3, 2, 2), Shape::flat(8)];

/// The middle of the widest gap between some distances: a margin with some on either side and none near it.
fn middle(mut distances: Vec<f32>) -> f32 {
    distances.sort_by(f32::total_cmp);
    let gaps = distances.windows(2).map(|ends| (ends[1] - ends[0], (ends[0] + ends[1]) / 2.0));
    gaps.max_by(|one, other| one.0.total_cmp(&other.0)).map_or(0.0, |(_, middle)| middle)
}

/// Every loss, with margins between which some pairs of `batch` are content, and in every setting that makes a
/// difference to what is computed.
fn variants(batch: &Batch) -> Vec<Loss> {
    let units = batch.shape.len();
    let row = |values: &[f32], item: usize| values[item * units..][..units].to_vec();
    let distance = |i: usize, j: usize| {
        let (a, y) = (row(&batch.stored, i), row(&batch.current, j));
        a.iter().zip(&y).map(|(a, y)| (a - y).abs()).sum::<f32>()
    };
    let samples = batch.samples();
    let pairs = || (0..samples * samples).map(|pair| (pair / samples, pair % samples)).filter(|(i, j)| i != j);
    let margins = (
        middle((0..samples).map(|j| distance(j, j)).collect()),
        middle(pairs().map(|(i, j)| distance(i, j)).collect()),
    );
    let margin = middle(pairs().map(|(i, j)| distance(i, j) - distance(j, j)).collect());
    let mut all = Vec::new();
    for loss in Loss::all() {
        match loss {
            Loss::ContrastiveHinge(hinge) => {
                for negatives in [Negatives::All, Negatives::Stored(1), Negatives::Stored(4)] {
                    for gradient_block in [None, Some(true), Some(false)] {
                        let hinge = ContrastiveHinge { negatives, margins, gradient_block, ..hinge.clone() };
                        all.push(Loss::ContrastiveHinge(hinge));
                    }
                }
            }
            Loss::ContrastiveHingeMean(_) => {
                all.push(Loss::ContrastiveHingeMean(ContrastiveHingeMean { margins }));
            }
            Loss::L1Margin(_) => {
                for gradient_block in [true, false] {
                    all.push(Loss::L1Margin(L1Margin { margin, gradient_block }));
                }
            }
            Loss::Clapp(_) => {
                for negatives in [Negatives::All, Negatives::Stored(1), Negatives::Stored(4)] {
                    for gradient_block in [None, Some(true), Some(false)] {
                        all.push(Loss::Clapp(Clapp { negatives, weight: 0.3, gradient_block }));
                    }
                }
            }
            Loss::MulticlassHinge(_) => {
                all.extend([1.0, 0.4].map(|off_class| Loss::MulticlassHinge(MulticlassHinge { off_class })));
            }
            Loss::NtXent(_) => {
                all.extend([0.1, 0.5].map(|temperature| Loss::NtXent(NtXent { temperature })));
            }
            Loss::BarlowTwins(twins) => {
                all.push(Loss::BarlowTwins(BarlowTwins { off_diagonal: 0.3, ..twins.clone() }));
                all.push(Loss::BarlowTwins(twins));
            }
            Loss::L1Positive(_) | Loss::CrossEntropy(_) => all.push(loss),
        }
    }
    all
}

/// Whether the loss is made of hinges, and so of straight pieces.
fn has_hinges(loss: &Loss) -> bool {
    !matches!(loss, Loss::NtXent(_) | Loss::BarlowTwins(_) | Loss::CrossEntropy(_) | Loss::L1Positive(_))
}

/// The slope of the loss along one value; or none where a hinge opens or shuts nearby, so that the line has a corner.
/// Four points leave an error of the fourth order.
fn slope(loss: &Loss, batch: &Batch, in_stored: bool, place: usize) -> Option<f64> {
    const STEP: f32 = 0.01;
    let at =
        [-2.0, -1.0, 0.0, 1.0, 2.0].map(|steps| batch.moved(in_stored, place, steps * STEP).compare(loss).found.loss);
    let pieces: Vec<f64> = at.windows(2).map(|ends| (ends[1] - ends[0]) / f64::from(STEP)).collect();
    let straight = pieces.iter().all(|piece| (piece - pieces[0]).abs() <= 2e-4 * (1.0 + at[2]));
    (straight || !has_hinges(loss)).then(|| (8.0 * (at[3] - at[1]) - (at[4] - at[0])) / (12.0 * f64::from(STEP)))
}

#[test]
fn errors_are_the_derivatives_that_finite_differences_give() {
    // Of each loss, how many values could be checked, and how many there are.
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (seed, shape) in SHAPES.into_iter().enumerate() {
        for samples in [2, 3, 7] {
            let batch = Batch::random(shape, samples, seed as u64);
            for loss in variants(&batch) {
                let answer = batch.compare(&loss);
                let errors = answer.current.iter().enumerate().map(|(place, &error)| (false, place, error));
                let errors = errors.chain(answer.stored.iter().enumerate().map(|(place, &error)| (true, place, error)));
                let scale = errors.clone().fold(0.0f32, |most, (_, _, error)| most.max(error.abs()));
                let allowed = 3e-3 * f64::from(scale) + 2e-5 * (1.0 + answer.found.loss);
                let (checked, all) = counts.entry(loss.name()).or_default();
                for (in_stored, place, error) in errors {
                    *all += 1;
                    let Some(slope) = slope(&loss, &batch, in_stored, place) else { continue };
                    *checked += 1;
                    assert!(
                        (slope - f64::from(error)).abs() <= allowed,
                        "{loss:?}, {samples} of {shape}, stored {in_stored}, {place}: error {error}, slope {slope}"
                    );
                }
            }
        }
    }
    assert_eq!(counts.len(), Loss::all().len());
    for (name, (checked, all)) in counts {
        assert!(10 * checked >= 8 * all, "{name}: only {checked} of {all} values could be checked");
    }
}

#[test]
fn some_hinges_are_open_and_some_are_shut() {
    let batch = Batch::random(Shape::flat(17), 9, 1);
    for loss in variants(&batch) {
        let Comparison { active, pairs, .. } = batch.compare(&loss).found;
        if has_hinges(&loss) {
            assert!(0 < active && active < pairs, "{loss:?}: {active} of {pairs}");
        } else {
            assert_eq!(active, pairs, "{loss:?}");
        }
    }
}

#[test]
fn the_current_view_learns_the_same_whether_or_not_the_stored_one_does() {
    let batch = Batch::random(Shape::new(3, 2, 2), 6, 3);
    let block = |loss: &Loss, block: bool| match loss.clone() {
        Loss::ContrastiveHinge(hinge) => {
            Some(Loss::ContrastiveHinge(ContrastiveHinge { gradient_block: Some(block), ..hinge }))
        }
        Loss::L1Margin(margin) => Some(Loss::L1Margin(L1Margin { gradient_block: block, ..margin })),
        Loss::Clapp(clapp) => Some(Loss::Clapp(Clapp { gradient_block: Some(block), ..clapp })),
        _ => None,
    };
    let mut seen = 0;
    for loss in variants(&batch) {
        let (Some(blocked), Some(free)) = (block(&loss, true), block(&loss, false)) else { continue };
        assert_eq!((blocked.stored_view(), free.stored_view()), (StoredView::Constant, StoredView::Learns));
        let (blocked, free) = (batch.compare(&blocked), batch.compare(&free));
        assert_eq!((&blocked.current, blocked.found), (&free.current, free.found), "{loss:?}");
        assert!(free.stored.iter().any(|&error| error != 0.0), "{loss:?}");
        seen += 1;
    }
    assert!(seen >= 3);
}

#[test]
fn any_number_of_threads_and_a_used_workspace_give_the_same_bits() {
    for (shape, samples) in [(Shape::flat(17), 45), (Shape::new(3, 2, 2), 5), (Shape::flat(64), 32)] {
        let batch = Batch::random(shape, samples, 8);
        let mut used = Workspace::default();
        for loss in variants(&batch) {
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| batch.compare(&loss))
            };
            let one = on(1);
            assert!(one.current.iter().chain(&one.stored).all(|error| error.is_finite()), "{loss:?}");
            assert_eq!(one, on(2), "{loss:?}");
            assert_eq!(one, on(4), "{loss:?}");
            assert_eq!(one, batch.compare_in(&loss, &mut used), "{loss:?}");
        }
    }
}

#[test]
fn a_loss_of_what_is_no_number_is_none_and_is_not_satisfied() {
    let batch = Batch::random(Shape::flat(17), 5, 2);
    for loss in variants(&batch) {
        for in_stored in [false, true] {
            if in_stored && loss.stored_view() == StoredView::Absent {
                continue;
            }
            for place in [0, 40, 84] {
                let found = batch.moved(in_stored, place, f32::NAN).compare(&loss).found;
                assert!(found.loss.is_nan() && found.active > 0, "{loss:?}, {in_stored}, {place}: {found:?}");
            }
        }
    }
}

#[test]
fn a_collapse_satisfies_only_the_control() {
    let row: &[f32] = &[0.5, -0.25, 1.0];
    let batch = Batch::of(&[row; 4], &[row; 4]);
    for loss in Loss::all().into_iter().filter(|loss| !loss.is_supervised()) {
        let found = batch.compare(&loss).found;
        if matches!(loss, Loss::L1Positive(_)) {
            assert_eq!(found, Comparison { loss: 0.0, active: 0, pairs: 4 });
        } else {
            assert!(found.loss > 0.01 && found.active > 0, "{loss:?}: {found:?}");
        }
    }
}

fn near(found: f64, expected: f64) {
    assert!((found - expected).abs() <= 1e-5 * (1.0 + expected.abs()), "{found}, expected {expected}");
}

#[test]
fn nt_xent_of_equal_views_at_right_angles() {
    // Cosine 1 with the partner, 0 with the four others; lengths do not matter.
    let rows: [&[f32]; 3] = [&[0.5, 0.0, 0.0], &[0.0, 3.0, 0.0], &[0.0, 0.0, -2.0]];
    let batch = Batch::of(&rows, &rows);
    for temperature in [0.1, 1.0, 0.002] {
        let found = batch.compare(&Loss::NtXent(NtXent { temperature })).found;
        near(found.loss, 2.0 * (4.0 * (-1.0 / f64::from(temperature)).exp()).ln_1p());
        assert_eq!((found.active, found.pairs), (30, 30));
    }
    // A silent item has no direction: it is as far from its partner as from all others.
    let silent = Batch::of(&[&[0.0, 0.0], &[1.0, 0.0]], &[&[0.0, 0.0], &[1.0, 0.0]]);
    let answer = silent.compare(&Loss::NtXent(NtXent { temperature: 1.0 }));
    near(answer.found.loss, 3f64.ln() + (1f64.exp() + 2.0).ln() - 1.0);
    assert_eq!((&answer.current[..2], &answer.stored[..2]), (&[0.0; 2][..], &[0.0; 2][..]));
}

#[test]
fn barlow_twins_of_white_embeddings() {
    let loss = Loss::BarlowTwins(BarlowTwins { off_diagonal: 0.1, scale: 0.5 });
    // Columns of a Hadamard matrix: mean 0, variance 1, no correlation.
    let white: [&[f32]; 4] = [&[1.0, 1.0, 1.0], &[-1.0, 1.0, -1.0], &[1.0, -1.0, -1.0], &[-1.0, -1.0, 1.0]];
    near(batch_loss(&loss, &white, &white), 0.0);
    // Every unit against its opposite: each diagonal value misses 1 by 2.
    let opposite: Vec<Vec<f32>> = white.iter().map(|row| row.iter().map(|value| -value).collect()).collect();
    let opposite: Vec<&[f32]> = opposite.iter().map(Vec::as_slice).collect();
    let expected = 0.5 * 3.0 * 4.0;
    assert!((batch_loss(&loss, &white, &opposite) - expected).abs() < 1e-3);
    // Units that all say the same: each of the six other correlations is 1, whatever gain and offset.
    let same: [&[f32]; 2] = [&[3.0, 30.0, -2.0], &[5.0, 50.0, -1.0]];
    assert!((batch_loss(&loss, &same, &same) - 0.5 * 0.1 * 6.0).abs() < 1e-4);
}

fn batch_loss(loss: &Loss, stored: &[&[f32]], current: &[&[f32]]) -> f64 {
    Batch::of(stored, current).compare(loss).found.loss
}

#[test]
fn hinges_on_distances_by_hand() {
    let (stored, current): ([&[f32]; 2], [&[f32]; 2]) = ([&[0.0, 0.0], &[4.0, 0.0]], [&[0.5, 1.0], &[4.0, 1.0]]);
    // Distances: own 1.5 and 1; a_1 to y_0 4.5, a_0 to y_1 5; stored views 4 apart, current ones 3.5.
    near(batch_loss(&Loss::L1Positive(L1Positive {}), &stored, &current), 2.5 / 8.0);
    let margin = Loss::L1Margin(L1Margin { margin: 3.5, gradient_block: false });
    near(batch_loss(&margin, &stored, &current), 0.5 / 2.0);
    // Anchors a_0: 0.25 + mean(0.25); a_1: mean(0.25); y_0: 0.25 + mean(0.75); y_1: mean(0.75).
    let mean = Loss::ContrastiveHingeMean(ContrastiveHingeMean { margins: (1.25, 4.25) });
    near(batch_loss(&mean, &stored, &current), (0.5 + 0.25 + 1.0 + 0.75) / 4.0);
    // Beyond 4.25 a negative is not active and does not thin out the mean.
    let answer = Batch::of(&stored, &current).compare(&mean);
    assert_eq!((answer.found.active, answer.found.pairs), (6, 12));
}

#[test]
fn clapp_by_hand() {
    let rows: [&[f32]; 2] = [&[1.0, -1.0], &[-1.0, 1.0]];
    let clapp = |negatives| Loss::Clapp(Clapp { negatives, ..Clapp::default() });
    let (one, all) = (clapp(Negatives::Stored(1)), clapp(Negatives::All));
    // Scores are 2 for the positive, -2 for the negative pairs: all are content.
    let found = Batch::of(&rows, &rows).compare(&all).found;
    assert_eq!(found, Comparison { loss: 0.0, active: 0, pairs: 4 });
    // The other way about, all are 3 away from content; only the second item has one seen just before.
    let crossed = Batch::of(&rows, &[rows[1], rows[0]]);
    assert_eq!(crossed.compare(&all).found, Comparison { loss: 12.0, active: 4, pairs: 4 });
    assert_eq!(crossed.compare(&one).found, Comparison { loss: 9.0, active: 3, pairs: 3 });
    // Over positions a score is a mean: over two of one channel it is half of what it is over two channels.
    let wide = Batch { shape: Shape::new(1, 1, 2), ..crossed };
    assert_eq!(wide.compare(&all).found.loss, 8.0);
}

#[test]
fn supervised_losses_by_hand() {
    let mut batch = Batch::of(&[], &[&[0.0; 5], &[0.0; 5]]);
    batch.labels = vec![1, 4];
    let silent = batch.compare(&Loss::CrossEntropy(CrossEntropy {}));
    near(silent.found.loss, 5f64.ln());
    for (place, &error) in silent.current.iter().enumerate() {
        near(error.into(), if [1, 9].contains(&place) { -0.4 } else { 0.1 });
    }
    let hinge = Loss::MulticlassHinge(MulticlassHinge { off_class: 0.5 });
    near(batch.compare(&hinge).found.loss, 1.5);
    // Logits beyond the range of exp.
    batch.current = vec![0.0, 1000.0, 0.0, 0.0, 0.0, 500.0, 0.0, 0.0, 0.0, 0.0];
    near(batch.compare(&Loss::CrossEntropy(CrossEntropy {})).found.loss, 250.0);
    let found = batch.compare(&hinge).found;
    assert_eq!((found.active, found.pairs), (9, 10));
}

#[test]
fn every_loss_has_a_line_in_a_circuit_file_and_no_faults_by_default() {
    for loss in Loss::all() {
        let text = format!("{}()", loss.name());
        let read: Loss =
            Document::new("loss", text.as_str()).parse().unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
        assert_eq!(read, loss);
        assert_eq!(loss.faults(), []);
    }
}

#[test]
fn numbers_that_cannot_be_meant_are_faults_at_their_fields() {
    for (text, place) in [
        ("NtXent(temperature: 0.0)", "temperature"),
        ("NtXent(temperature: 1e-9)", "temperature"),
        ("BarlowTwins(off_diagonal: -1.0)", "off_diagonal"),
        ("BarlowTwins(scale: inf)", "scale"),
        ("ContrastiveHinge(margins: (3.0, 1.0))", "margins"),
        ("ContrastiveHingeMean(margins: (1.0, NaN))", "margins"),
        ("L1Margin(margin: 0.0)", "margin"),
        ("MulticlassHinge(off_class: -0.5)", "off_class"),
        ("Clapp(weight: 0.0)", "weight"),
        ("Clapp(negatives: Stored(0))", "negatives"),
    ] {
        let loss: Loss = Document::new("loss", text).parse().unwrap_or_else(|faults| panic!("{text}: {faults:?}"));
        let faults = loss.faults();
        assert_eq!(faults.iter().map(|fault| fault.place.as_str()).collect::<Vec<_>>(), [place], "{text}: {faults:?}");
    }
}
