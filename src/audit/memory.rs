//! What the top layer must remember: how many embeddings, for how long, and whether any that it has not seen yet.

use std::collections::BTreeSet;

use super::embeddings::Set;
use super::finding::{Method, Part, Remembered};
use super::judge::{Draft, Drafts};
use crate::lint::Lint;
use crate::locality::Place;
use crate::loss::{Criterion, StoredView};
use crate::number::Traced;
use crate::shape::Shape;

/// Embeddings that tell of memory: what a loss remembers does not depend on how many units a head has.
const SHAPE: Shape = Shape::new(16, 1, 1);

/// Most items of a batch that is measured.
const MEASURED: usize = 512;

/// What a head must remember to compute the error of one item, in batches of `pairs`.
pub(super) fn remember(loss: &dyn Criterion, head: &str, pairs: usize) -> Remembered {
    let head = head.to_string();
    if loss.stored_view() == StoredView::Absent {
        return Remembered { head, items: 0, back: 0, ahead: 0 };
    }
    let items = Traced::ITEMS.min(pairs);
    let mut needed = vec![0u32; items];
    for set in Set::all(loss, SHAPE, items, &vec![0; pairs]) {
        for (needed, errors) in needed.iter_mut().zip(set.trace(loss).chunks(SHAPE.len())) {
            *needed |= errors.iter().fold(0, |all, error| all | error.sources().stored);
        }
    }
    let most = needed.iter().map(|stored| stored.count_ones() as usize).max().unwrap_or(0);
    if most == items && items < pairs {
        return measure(loss, head, pairs);
    }
    let (mut back, mut ahead) = (0, 0);
    for (item, stored) in needed.iter().enumerate().filter(|(_, stored)| **stored != 0) {
        let (first, last) = (stored.trailing_zeros() as usize, stored.ilog2() as usize);
        back = back.max(item.saturating_sub(first));
        ahead = ahead.max(last.saturating_sub(item));
    }
    Remembered { head, items: most, back, ahead }
}

/// The same where more items are needed than can be traced: embeddings of a whole batch are replaced, from one end on,
/// until the error of the item at the other end moves. In the largest batches what is needed of one of [`MEASURED`] is
/// taken to grow with it, if that is all.
fn measure(loss: &dyn Criterion, head: String, pairs: usize) -> Remembered {
    let measured = pairs.min(MEASURED);
    let sets = Set::all(loss, SHAPE, measured, &vec![0; measured]);
    let error = |set: &Set, item: usize| set.errors(loss)[item * SHAPE.len()..][..SHAPE.len()].to_vec();
    let moves = |item: usize, first: usize, last: usize| {
        sets.iter().any(|set| {
            let mut other = set.clone();
            (first..last).for_each(|item| other.replace(item, true));
            error(&other, item) != error(set, item)
        })
    };
    // How far from an end the first item stands whose embedding the error at the other end needs.
    let free = |moves: &dyn Fn(usize) -> bool| {
        let (mut low, mut high) = (0, measured - 1);
        while low < high {
            let count = (low + high).div_ceil(2);
            if moves(count) { high = count - 1 } else { low = count }
        }
        low
    };
    let last = measured - 1;
    let whole = |reach: usize| if reach == last { pairs - 1 } else { reach };
    let back = whole(last - free(&|count| moves(last, 0, count)));
    let ahead = whole(last - free(&|count| moves(0, measured - count, measured)));
    Remembered { head, items: pairs.min(back.max(ahead) + 1), back, ahead }
}

/// What is wrong with what a head must remember.
pub(super) fn judge(remembered: &Remembered, limit: usize, part: Part, reached: &BTreeSet<Place>, drafts: &mut Drafts) {
    let Remembered { items, back, ahead, .. } = *remembered;
    let mut add = |lint, message: String| {
        let draft = Draft::new(lint, part.clone(), message).reaching(reached.iter().copied());
        drafts.add(draft.known(Method::Static, "counted in the sources of errors, by the arithmetic of the loss"));
    };
    if items > limit || back > limit {
        let message =
            format!("must remember {items} embeddings, the oldest of them for {back} images: more than {limit}");
        add(Lint::Memory, message);
    }
    if ahead > 0 {
        add(Lint::FutureRead, format!("compares with embeddings of images that are shown up to {ahead} images later"));
    }
}
