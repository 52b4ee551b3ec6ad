//! Traced numbers: what losses and optimisers are found to do when they run on numbers that remember.

use synlocal::loss::{
    BarlowTwins, Clapp, Comparison, ContrastiveHinge, ContrastiveHingeMean, Criterion, CrossEntropy, Embeddings,
    Errors, Formula, L1Margin, L1Positive, Labels, Loss, MulticlassHinge, Negatives, NtXent, StoredView, Workspace,
};
use synlocal::number::Operation::{BatchStatistics, Division, Exponential, InnerProduct, Normalisation, SquareRoot};
use synlocal::number::{Number, Operation, Operations, Sources, Traced};
use synlocal::optimizer::Optimizer;
use synlocal::rng::Stream;
use synlocal::shape::Shape;

const ITEMS: usize = 12;
const SHAPE: Shape = Shape::new(3, 1, 2);

/// All items of a view.
const ALL: u32 = (1 << ITEMS) - 1;

/// One of the parts of sources, as bits.
type Bits = fn(Sources) -> u32;

/// Embeddings of several lengths, some pairs of which are near and some far apart.
#[derive(Clone)]
struct Batch {
    stored: Vec<f32>,
    current: Vec<f32>,
    labels: Vec<u8>,
}

/// Errors of the stored view, which may have none, and of the current one.
struct Told<N> {
    stored: Vec<N>,
    current: Vec<N>,
}

impl<N: Copy> Told<N> {
    fn all(&self) -> impl Iterator<Item = N> {
        self.stored.iter().chain(&self.current).copied()
    }
}

impl Told<Traced> {
    fn operations(&self) -> Operations {
        self.all().fold(Operations::default(), |all, error| all | error.operations())
    }

    /// What the errors of an item's embedding depend on.
    fn sources(errors: &[Traced], item: usize) -> Sources {
        let own = &errors[item * SHAPE.len()..][..SHAPE.len()];
        own.iter().fold(Sources::default(), |all, error| all | error.sources())
    }
}

impl Batch {
    fn new() -> Batch {
        let mut rng = Stream::new(5).rng();
        let scale = |place: usize| [0.1, 0.5, 1.0, 3.0][place / SHAPE.len() % 4];
        let stored: Vec<f32> = (0..ITEMS * SHAPE.len()).map(|place| scale(place) * rng.between(-1.0, 1.0)).collect();
        let away = |(place, value): (usize, &f32)| value + scale(place) * rng.between(-0.5, 0.5);
        let current = stored.iter().enumerate().map(away).collect();
        Batch { stored, current, labels: (0..ITEMS).map(|item| (item * 5 % SHAPE.len()) as u8).collect() }
    }

    fn labels(&self, loss: &dyn Criterion) -> Labels<'_> {
        if loss.is_supervised() { self.labels.as_slice().into() } else { Labels::default() }
    }

    fn compare(&self, loss: &dyn Criterion) -> (Told<f32>, Comparison) {
        let learns = loss.stored_view() == StoredView::Learns;
        let stored = if loss.stored_view() == StoredView::Absent { &[][..] } else { &self.stored };
        let mut told =
            Told { stored: vec![0.0; if learns { self.stored.len() } else { 0 }], current: self.current.clone() };
        let seen = Embeddings { shape: SHAPE, stored, current: &self.current, labels: self.labels(loss) };
        let errors = Errors { stored: learns.then_some(&mut told.stored[..]), current: &mut told.current };
        let found = loss.compare(seen, errors, &mut Workspace::default());
        (told, found)
    }

    fn trace(&self, loss: &dyn Criterion) -> Told<Traced> {
        let learns = loss.stored_view() == StoredView::Learns;
        let mark = |values: &[f32], datum: fn(usize, f32) -> Traced| -> Vec<Traced> {
            values.iter().enumerate().map(|(place, &value)| datum(place / SHAPE.len(), value)).collect()
        };
        let (mut stored, current) = (mark(&self.stored, Traced::stored), mark(&self.current, Traced::current));
        let mut told = Told { stored: if learns { stored.clone() } else { Vec::new() }, current: current.clone() };
        if loss.stored_view() == StoredView::Absent {
            stored.clear();
        }
        let seen = Embeddings { shape: SHAPE, stored: &stored, current: &current, labels: self.labels(loss) };
        loss.trace(seen, Errors { stored: learns.then_some(&mut told.stored[..]), current: &mut told.current });
        told
    }
}

fn hinge(negatives: Negatives, gradient_block: Option<bool>) -> Loss {
    Loss::ContrastiveHinge(ContrastiveHinge { negatives, gradient_block, ..ContrastiveHinge::default() })
}

fn clapp(negatives: Negatives, gradient_block: Option<bool>) -> Loss {
    Loss::Clapp(Clapp { negatives, gradient_block, ..Clapp::default() })
}

fn margin(gradient_block: bool) -> Loss {
    Loss::L1Margin(L1Margin { gradient_block, ..L1Margin::default() })
}

/// Every loss by default and in other settings.
fn settings() -> Vec<Loss> {
    let mut all = Loss::all();
    for negatives in [Negatives::All, Negatives::Stored(1), Negatives::Stored(4)] {
        for gradient_block in [Some(true), Some(false)] {
            all.extend([hinge(negatives, gradient_block), clapp(negatives, gradient_block)]);
        }
    }
    all.push(margin(true));
    all.push(Loss::NtXent(NtXent { temperature: 0.5 }));
    all.push(Loss::BarlowTwins(BarlowTwins { off_diagonal: 0.3, scale: 1.0 }));
    all.push(Loss::MulticlassHinge(MulticlassHinge { off_class: 0.4 }));
    all.push(Loss::ContrastiveHingeMean(ContrastiveHingeMean { margins: (0.2, 0.6) }));
    all
}

fn operations(loss: &Loss) -> Operations {
    Batch::new().trace(loss.criterion()).operations()
}

fn set(operations: &[Operation]) -> Operations {
    operations.iter().copied().collect()
}

/// Whether two runs of one formula agree to rounding.
fn agree(told: &Told<f32>, traced: &Told<Traced>) -> bool {
    let most = told.all().fold(0.0f32, |most, error| most.max(error.abs()));
    assert_eq!((told.stored.len(), told.current.len()), (traced.stored.len(), traced.current.len()));
    told.all()
        .zip(traced.all())
        .all(|(error, traced)| (f64::from(error) - traced.value()).abs() <= 1e-4 * f64::from(most))
}

#[test]
fn a_traced_loss_tells_the_same_errors_to_rounding() {
    let batch = Batch::new();
    for loss in settings() {
        let (told, found) = batch.compare(loss.criterion());
        assert!(agree(&told, &batch.trace(loss.criterion())), "{loss:?}");
        assert!(told.all().any(|error| error != 0.0), "{loss:?}");
        let has_hinges =
            !matches!(loss, Loss::L1Positive(_) | Loss::NtXent(_) | Loss::BarlowTwins(_) | Loss::CrossEntropy(_));
        // Open and shut hinges alike are traced.
        assert!(!has_hinges || 0 < found.active && found.active < found.pairs, "{loss:?}: {found:?}");
    }
}

#[test]
fn whatever_moves_an_error_is_among_its_sources() {
    let batch = Batch::new();
    for loss in settings() {
        let criterion = loss.criterion();
        let (told, traced) = (batch.compare(criterion).0, batch.trace(criterion));
        let mut moved = 0;
        for item in 0..ITEMS {
            let own = item * SHAPE.len()..(item + 1) * SHAPE.len();
            for by in [-8.0, -0.7, 0.7, 8.0] {
                let (mut stored, mut current) = (batch.clone(), batch.clone());
                stored.stored[own.clone()].iter_mut().for_each(|value| *value += by);
                current.current[own.clone()].iter_mut().for_each(|value| *value += by);
                let mut labels = batch.clone();
                labels.labels[item] = (labels.labels[item] + 1) % SHAPE.len() as u8;
                let reached: [(Batch, Bits, usize); 3] = [
                    (stored, |sources| sources.stored, item),
                    (current, |sources| sources.current, item),
                    (labels, |sources| sources.labels.into(), 0),
                ];
                for (other, bits, bit) in reached {
                    for ((before, after), error) in told.all().zip(other.compare(criterion).0.all()).zip(traced.all()) {
                        let named = bits(error.sources()) >> bit & 1 == 1;
                        assert!(before == after || named, "{loss:?}, item {item}: {error:?}");
                        moved += usize::from(before != after);
                    }
                }
            }
        }
        assert!(moved > 0, "{loss:?}");
    }
}

#[test]
fn the_contrastive_hinge_does_nothing_that_a_local_circuit_cannot() {
    for negatives in [Negatives::All, Negatives::Stored(1), Negatives::Stored(4)] {
        for gradient_block in [None, Some(true), Some(false)] {
            assert_eq!(operations(&hinge(negatives, gradient_block)), set(&[]), "{negatives:?}, {gradient_block:?}");
        }
    }
}

#[test]
fn a_hinge_on_stored_negatives_depends_on_the_items_seen_just_before_open_or_shut() {
    let told = Batch::new().trace(hinge(Negatives::Stored(4), Some(false)).criterion());
    for item in 0..ITEMS {
        let before = (item.saturating_sub(4)..=item).fold(0, |all, i| all | 1 << i);
        let after = (item..ITEMS.min(item + 5)).fold(0, |all, j| all | 1 << j);
        let current = Sources { stored: before, current: 1 << item, ..Sources::default() };
        let stored = Sources { stored: 1 << item, current: after, ..Sources::default() };
        assert_eq!(Told::sources(&told.current, item), current, "current {item}");
        assert_eq!(Told::sources(&told.stored, item), stored, "stored {item}");
    }
}

#[test]
fn a_hinge_on_all_negatives_depends_on_the_whole_other_view() {
    let told = Batch::new().trace(hinge(Negatives::All, None).criterion());
    for item in 0..ITEMS {
        let current = Sources { stored: ALL, current: 1 << item, ..Sources::default() };
        let stored = Sources { stored: 1 << item, current: ALL, ..Sources::default() };
        assert_eq!(Told::sources(&told.current, item), current);
        assert_eq!(Told::sources(&told.stored, item), stored);
    }
}

#[test]
fn l1_on_positives_depends_on_its_pair_alone_and_does_nothing_with_it() {
    let told = Batch::new().trace(&L1Positive {});
    assert_eq!(told.operations(), set(&[]));
    for item in 0..ITEMS {
        let pair = Sources { stored: 1 << item, current: 1 << item, ..Sources::default() };
        assert_eq!((Told::sources(&told.current, item), Told::sources(&told.stored, item)), (pair, pair));
    }
}

#[test]
fn the_l1_margin_compares_one_pair_with_another_and_does_nothing_else() {
    assert_eq!([true, false].map(|block| operations(&margin(block))), [set(&[]); 2]);
    let told = Batch::new().trace(margin(false).criterion());
    for item in 0..ITEMS {
        let current = Sources { stored: ALL, current: 1 << item, ..Sources::default() };
        assert_eq!(Told::sources(&told.current, item), current);
        assert_eq!(Told::sources(&told.stored, item), Sources { stored: ALL, current: ALL, ..Sources::default() });
    }
}

#[test]
fn a_mean_over_active_negatives_divides_by_a_count_over_the_batch() {
    let expected = set(&[Division, Normalisation, BatchStatistics]);
    assert_eq!(operations(&Loss::ContrastiveHingeMean(ContrastiveHingeMean::default())), expected);
}

#[test]
fn simclr_does_everything_that_a_local_circuit_cannot() {
    assert_eq!(operations(&Loss::NtXent(NtXent::default())), set(&Operation::ALL));
}

#[test]
fn barlow_twins_do_all_but_an_exponential() {
    let expected = set(&[Division, SquareRoot, InnerProduct, Normalisation, BatchStatistics]);
    assert_eq!(operations(&Loss::BarlowTwins(BarlowTwins::default())), expected);
}

#[test]
fn clapp_takes_inner_products_and_nothing_else() {
    for negatives in [Negatives::All, Negatives::Stored(1), Negatives::Stored(4)] {
        for gradient_block in [None, Some(true), Some(false)] {
            assert_eq!(operations(&clapp(negatives, gradient_block)), set(&[InnerProduct]), "{negatives:?}");
        }
    }
}

#[test]
fn cross_entropy_normalises_each_embedding_by_exponentials_and_reads_labels() {
    let told = Batch::new().trace(&CrossEntropy {});
    assert_eq!(told.operations(), set(&[Division, Exponential, Normalisation]));
    for item in 0..ITEMS {
        let expected = Sources { current: 1 << item, labels: true, ..Sources::default() };
        assert_eq!(Told::sources(&told.current, item), expected);
    }
    assert!(told.all().all(|error| error.sources().labels));
}

#[test]
fn the_multi_class_hinge_reads_labels_and_does_nothing_else() {
    let told = Batch::new().trace(&MulticlassHinge::default());
    assert_eq!(told.operations(), set(&[]));
    assert!(told.all().all(|error| error.sources().labels));
}

#[test]
fn adam_divides_by_a_root_and_plain_descent_does_not() {
    assert_eq!(Optimizer::default().trace(), set(&[Division, SquareRoot, Normalisation]));
    for momentum in [0.0, 0.9] {
        assert_eq!(Optimizer::Sgd { rate: 0.1, momentum }.trace(), set(&[]));
    }
}

/// Losses that nobody should write.
#[derive(Clone, Copy)]
enum Planted {
    /// A hinge on squared distances, which hold an inner product.
    Squares,
    /// A hinge on the inner product of signs.
    Signs,
    /// A threshold at the mean of the batch.
    Centred,
    /// A hinge that switches something which does not bear its trace.
    Forgetful,
    /// Arithmetic on what was told to people.
    Reported,
}

impl Formula for Planted {
    fn stored_view(&self) -> StoredView {
        StoredView::Constant
    }

    fn evaluate<N: Number>(
        &self,
        seen: Embeddings<'_, N>,
        errors: Errors<'_, N>,
        _workspace: &mut Workspace<N>,
    ) -> Comparison {
        let (units, one) = (SHAPE.len(), N::from(1.0));
        let mean = seen.current.iter().copied().sum::<N>() * N::from(1.0 / seen.current.len() as f32);
        for (item, error) in errors.current.chunks_exact_mut(units).enumerate() {
            let (stored, current) = (seen.stored(item), seen.current(item));
            let pairs = || stored.iter().zip(current).map(|(&a, &y)| (a, y));
            let score = match self {
                Planted::Squares => pairs().map(|(a, y)| (a - y) * (a - y)).sum::<N>(),
                Planted::Signs => pairs().map(|(a, y)| a.sign() * y.sign()).sum(),
                Planted::Centred => current[0] - mean,
                Planted::Forgetful | Planted::Reported => pairs().map(|(a, y)| (a - y).abs()).sum(),
            };
            for e in error {
                *e = match (self, (score - one).open()) {
                    (_, None) => N::default(),
                    (Planted::Forgetful, Some(_)) => one,
                    (Planted::Reported, Some(open)) => open * N::from(score.report() as f32),
                    (_, Some(open)) => open,
                };
            }
        }
        Comparison::default()
    }
}

#[test]
fn other_ways_to_an_inner_product_or_a_statistic_are_found() {
    let batch = Batch::new();
    for (planted, expected) in
        [(Planted::Squares, InnerProduct), (Planted::Signs, InnerProduct), (Planted::Centred, BatchStatistics)]
    {
        assert_eq!(batch.trace(&planted).operations(), set(&[expected]));
        assert!(agree(&batch.compare(&planted).0, &batch.trace(&planted)));
    }
}

#[test]
fn a_formula_that_loses_the_trace_tells_other_errors_when_it_is_traced() {
    let batch = Batch::new();
    for planted in [Planted::Forgetful, Planted::Reported] {
        assert!(!agree(&batch.compare(&planted).0, &batch.trace(&planted)));
    }
}

#[test]
fn constants_leave_no_trace() {
    let [two, three] = [2.0f32, 3.0].map(Traced::from);
    let made = (two / three).sqrt().exp().ln().max(three).over(two) * (two - three).open().unwrap_or_default();
    assert_eq!((made.sources(), made.operations()), (Sources::default(), set(&[])));
    let switched = two.sign() * Traced::current(0, 0.5);
    assert_eq!((switched * Traced::current(1, 0.5)).operations(), set(&[InnerProduct]));
}

#[test]
fn an_inner_product_is_one_of_different_embeddings() {
    let (a, b, y) = (Traced::stored(0, 0.5), Traced::stored(1, 0.25), Traced::current(0, -2.0));
    assert_eq!(
        [a * a, a * y, a * b, a / y].map(|made| made.operations().contains(InnerProduct)),
        [false, true, true, true]
    );
    // A pair's threshold may switch the pair, and nothing that it has not seen.
    let open = (a - y).open().unwrap_or_default();
    let switched = [open * (a - y).sign(), open * y, open * b, open * (b - y).sign()];
    let (clean, found) = (set(&[]), set(&[InnerProduct]));
    assert_eq!(switched.map(Traced::operations), [clean, clean, found, found]);
}

#[test]
fn a_threshold_may_see_two_items_of_a_view_and_not_three() {
    let [a, b, c] = [0, 1, 2].map(|item| Traced::stored(item, 0.5));
    let y = Traced::current(0, 0.1);
    assert_eq!((a - b + y).open().unwrap_or_default().operations(), set(&[]));
    for made in [(a - b + c).open().unwrap_or_default(), (a + b + c).abs(), (a + b + c).sign(), (a + b).max(c)] {
        assert_eq!(made.operations(), set(&[BatchStatistics]));
    }
    // A sum stays a sum where a pair's threshold switches it.
    assert_eq!(((a + b + c) * (a - b).sign()).operations(), set(&[]));
    assert!(((a + b + c) * a).operations().contains(BatchStatistics));
}

#[test]
fn to_divide_by_what_labels_or_counts_chose_is_to_divide_by_data() {
    let one = Traced::from(1.0f32);
    let count = Traced::current(3, 0.2).open().unwrap_or_default() + one;
    for divisor in [one.labelled(), count] {
        assert_eq!((one / divisor).operations(), set(&[Division]));
        assert_eq!(one.over(divisor).operations(), set(&[Division]));
    }
}

#[test]
fn what_is_scaled_by_its_own_root_is_normalised() {
    let (u, v) = (Traced::synapse(0.5), Traced::current(1, 0.5));
    assert_eq!((u * (u * u).sqrt()).operations(), set(&[SquareRoot, Normalisation]));
    assert_eq!((u * (v * v).sqrt()).operations(), set(&[SquareRoot]));
}

#[test]
fn a_hinge_of_what_is_no_number_is_open() {
    assert_eq!([f32::NAN, 1e-30, 0.0, -1.0].map(Number::open), [Some(1.0), Some(1.0), None, None]);
    let traced = [f32::NAN, 1e-30, 0.0, -1.0].map(|value| Traced::current(0, value).open().map(Traced::value));
    assert_eq!(traced, [Some(1.0), Some(1.0), Some(0.0), Some(0.0)]);
}
