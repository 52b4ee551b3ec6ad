//! Losses that break the law.

use synlocal::audit::{Kind, Method};
use synlocal::lint::Lint;
use synlocal::locality::{Place, View};
use synlocal::loss::{Comparison, Criterion, Embeddings, Errors, Formula, StoredView, Workspace};
use synlocal::number::Number;
use synlocal::schedule::Step;

use super::{Plant, audited, caught, sound, taking, then};

/// Another loss.
fn losing(loss: impl Criterion + 'static) -> Plant {
    Plant { loss: Some(Box::new(loss)), ..sound() }
}

/// Positive pairs alone, with something of its own: `j` is the current item.
struct Odd(OddKind);

enum OddKind {
    /// Compares with what was stored ten items ago.
    Remembers,
    /// Divides by the distance.
    Divides,
    /// Is told what the image shows.
    Leaks,
}

impl Formula for Odd {
    fn stored_view(&self) -> StoredView {
        StoredView::Constant
    }

    fn is_supervised(&self) -> bool {
        matches!(self.0, OddKind::Leaks)
    }

    fn evaluate<N: Number>(&self, seen: Embeddings<'_, N>, errors: Errors<'_, N>, _: &mut Workspace<N>) -> Comparison {
        let size = seen.shape.len();
        for j in 0..seen.samples() {
            let i = if matches!(self.0, OddKind::Remembers) { j.saturating_sub(10) } else { j };
            let (a, y) = (&seen.stored[i * size..][..size], &seen.current[j * size..][..size]);
            let factor: N = match self.0 {
                OddKind::Remembers => N::from(1.0),
                OddKind::Divides => N::from(1.0) / a.iter().zip(y).map(|(&a, &y)| (a - y).abs()).sum::<N>(),
                OddKind::Leaks => seen.labels.of(j).choose(0, N::from(1.0), N::from(-1.0)),
            };
            for ((error, &a), &y) in errors.current[j * size..][..size].iter_mut().zip(a).zip(y) {
                *error = factor * (y - a).sign();
            }
        }
        Comparison { loss: 1.0, active: 1, pairs: 1 }
    }
}

#[test]
fn a_loss_that_remembers_too_long_is_found() {
    let audit = audited(&losing(Odd(OddKind::Remembers)), &[]);
    caught(&audit, Lint::Memory, Kind::Loss, "head", Method::Static);
    assert_eq!((audit.memories[0].items, audit.memories[0].back), (1, 10));
}

#[test]
fn a_loss_that_divides_is_found_by_its_arithmetic_and_by_its_smooth_errors() {
    let audit = audited(&losing(Odd(OddKind::Divides)), &[]);
    caught(&audit, Lint::Division, Kind::Loss, "head", Method::Static);
    caught(&audit, Lint::Division, Kind::Loss, "head", Method::Interventional);
}

#[test]
fn a_loss_that_is_told_labels_is_found() {
    let audit = audited(&losing(Odd(OddKind::Leaks)), &[]);
    caught(&audit, Lint::Labels, Kind::Loss, "head", Method::Static);
}

#[test]
fn a_loss_that_does_other_than_its_arithmetic_is_found() {
    let plant = taking(|hand, step| {
        let Step::Compare { unit, .. } = step else { return hand.take(step) };
        then(hand, step, Place::Error(unit, View::Current), |errors| {
            let length = errors.iter().map(|error| error * error).sum::<f32>().sqrt();
            errors.iter_mut().for_each(|error| *error /= length);
        });
    });
    let audit = audited(&plant, &[]);
    caught(&audit, Lint::UndeclaredAccess, Kind::Loss, "head", Method::Interventional);
}
