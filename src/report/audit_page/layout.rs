//! Where the parts of a circuit stand in its picture: units in rows by their longest way from an input, the inputs at
//! the bottom; what only serves a block's head beside the block's top; and a lane round the units of each row that a
//! projection skips.

use crate::audit::{Audit, Kind};

/// Width and height of a unit's box.
pub(super) const BOX: [f64; 2] = [148.0, 46.0];
/// Space between rows, in which projections have their words, and between units that stand beside each other.
const ROWS_APART: f64 = 92.0;
const BESIDE_APART: f64 = 104.0;
/// Space between the units of a row, and width of a lane.
const APART: f64 = 56.0;
const LANE: f64 = 40.0;
/// Space round the picture, in which words may end.
const MARGIN: [f64; 2] = [104.0, 44.0];
/// Times that rows are moved to where their neighbours want them.
const ROUNDS: usize = 12;

/// A circuit's picture, without its looks.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// Width and height of the whole.
    pub size: [f64; 2],
    /// Centre of each unit.
    pub units: Vec<[f64; 2]>,
    /// Each feedforward projection whose ends are known.
    pub lanes: Vec<Lane>,
}

/// The way of a feedforward projection, which feedback that answers it takes as well.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    /// Its place among the rows of the audit.
    pub row: usize,
    /// The units where it begins and where it ends.
    pub ends: [usize; 2],
    /// Centres of the gaps between units through which it passes, upwards.
    pub gaps: Vec<[f64; 2]>,
    /// Whether both ends stand in one row.
    pub level: bool,
}

/// Something that takes room in a row.
#[derive(Debug, Clone)]
struct Slot {
    kind: Taken,
    /// Room to the left and to the right of its centre.
    room: [f64; 2],
    /// How much it counts for its neighbours. Lanes and dead ends move aside, so that what leads on stands in line.
    weight: f64,
    x: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    Unit(usize),
    /// A lane.
    Gap(usize),
}

impl Layout {
    pub(super) fn of(audit: &Audit) -> Layout {
        let units = audit.units.len();
        let find = |name: &Option<String>| audit.units.iter().position(|unit| Some(&unit.name) == name.as_ref());
        let mut lanes = Vec::new();
        for (row, part) in audit.rows.iter().enumerate().filter(|(_, row)| row.part.kind == Kind::Feedforward) {
            if let (Some(from), Some(to)) = (find(&part.from), find(&part.to)) {
                lanes.push(Lane { row, ends: [from, to], gaps: Vec::new(), level: false });
            }
        }
        let beside = beside(audit, &lanes);
        let heights = heights(units, &lanes, &beside);
        let mut rows = vec![Vec::new(); heights.iter().max().map_or(0, |top| top + 1)];
        for unit in (0..units).filter(|unit| beside[*unit].is_none()) {
            let train = beside.iter().flatten().filter(|(top, _)| *top == unit).map(|(_, place)| *place).max();
            let right = BOX[0] / 2.0 + train.unwrap_or(0) as f64 * (BOX[0] + BESIDE_APART);
            let leads_on = lanes.iter().any(|lane| lane.ends[0] == unit && beside[lane.ends[1]].is_none());
            let weight = if leads_on { 1.0 } else { 0.05 };
            rows[heights[unit]].push(Slot { kind: Taken::Unit(unit), room: [BOX[0] / 2.0, right], weight, x: 0.0 });
        }
        for (index, lane) in lanes.iter_mut().enumerate() {
            let [low, high] = lane.ends.map(|unit| heights[unit]);
            lane.level = low == high;
            for row in rows.iter_mut().take(high).skip(low + 1) {
                row.push(Slot { kind: Taken::Gap(index), room: [LANE / 2.0; 2], weight: 0.02, x: 0.0 });
            }
        }
        settle(&mut rows, &lanes);
        place(units, &rows, &beside, lanes)
    }
}

/// The units that stand beside the top of their block, because activity passes from it to them and no further: of each
/// the top, and at which place from it.
fn beside(audit: &Audit, lanes: &[Lane]) -> Vec<Option<(usize, usize)>> {
    let block = |unit: usize| audit.units[unit].block.as_deref();
    let mut beside: Vec<Option<(usize, usize)>> = vec![None; audit.units.len()];
    for _ in lanes {
        for [from, to] in lanes.iter().map(|lane| lane.ends) {
            let above_top = block(to).is_some_and(|top| top == audit.units[from].name && top != audit.units[to].name);
            let known = beside[from].or(above_top.then_some((from, 0)));
            if let Some((top, place)) = known.filter(|_| block(to) == block(from) && from != to) {
                let other = beside[to].map_or(0, |(_, place)| place);
                beside[to] = Some((top, other.max(place + 1).min(lanes.len())));
            }
        }
    }
    // No two of them stand in one place.
    let mut order: Vec<(usize, usize, usize)> =
        beside.iter().enumerate().filter_map(|(unit, at)| at.map(|(top, place)| (top, place, unit))).collect();
    order.sort_unstable();
    for same in order.chunk_by(|one, other| one.0 == other.0) {
        for (place, &(top, _, unit)) in (1..).zip(same) {
            beside[unit] = Some((top, place));
        }
    }
    beside
}

/// The row of each unit, counted from below.
fn heights(units: usize, lanes: &[Lane], beside: &[Option<(usize, usize)>]) -> Vec<usize> {
    let mut heights = vec![0; units];
    for _ in 0..units {
        for [from, to] in lanes.iter().map(|lane| lane.ends).filter(|[_, to]| beside[*to].is_none()) {
            heights[to] = heights[to].max(heights[from] + 1).min(units);
        }
        for (unit, place) in beside.iter().enumerate() {
            heights[unit] = place.map_or(heights[unit], |(top, _)| heights[top]);
        }
    }
    heights
}

/// Orders each row and moves it to where its neighbours want it, again and again, upwards and downwards by turns.
fn settle(rows: &mut [Vec<Slot>], lanes: &[Lane]) {
    // Of two slots in neighbouring rows, whether a projection leads from one to the other.
    let joined = |low: Taken, high: Taken| {
        lanes.iter().enumerate().any(|(index, lane)| {
            let is = |taken: Taken, end: usize| taken == Taken::Gap(index) || taken == Taken::Unit(lane.ends[end]);
            is(low, 0) && is(high, 1) && !lane.level
        })
    };
    rows.iter_mut().for_each(|row| spread(row, |_| 0.0));
    for round in 0..ROUNDS {
        let last = rows.len().saturating_sub(1);
        for step in 0..rows.len() {
            let at = if round % 2 == 0 { step } else { last - step };
            // At last both neighbours are heard.
            let (hears_below, hears_above) = (round % 2 == 0, round % 2 == 1 || round + 2 >= ROUNDS);
            let below = rows[..at].last().filter(|_| hears_below).cloned().unwrap_or_default();
            let above = rows.get(at + 1).filter(|_| hears_above).cloned().unwrap_or_default();
            spread(&mut rows[at], |slot| {
                let below = below.iter().filter(|other| joined(other.kind, slot.kind));
                let above = above.iter().filter(|other| joined(slot.kind, other.kind));
                let heard = below.chain(above).map(|other| (other.weight, other.x));
                let (weights, sum) =
                    heard.fold((0.0, 0.0), |(weights, sum), (weight, x)| (weights + weight, sum + weight * x));
                if weights == 0.0 { slot.x } else { sum / weights }
            });
        }
    }
}

/// Orders a row by where its slots want to be, and gives each the nearest place that leaves the others their room: least
/// squares, by weight. Slots that collide form a group, which moves as one.
fn spread(row: &mut [Slot], wants: impl Fn(&Slot) -> f64) {
    let wanted: Vec<f64> = row.iter().map(&wants).collect();
    row.iter_mut().zip(wanted).for_each(|(slot, wanted)| slot.x = wanted);
    row.sort_by(|one, other| one.x.total_cmp(&other.x));
    // Of each group: weight, where it wants its first slot, and how many slots it has.
    let mut groups: Vec<(f64, f64, usize)> = Vec::new();
    let mut offsets = vec![0.0];
    for pair in row.windows(2) {
        offsets.push(offsets[offsets.len() - 1] + pair[0].room[1] + APART + pair[1].room[0]);
    }
    for (slot, offset) in row.iter().zip(&offsets) {
        let mut group = (slot.weight, slot.x - offset, 1);
        while let Some(before) = groups.pop_if(|before| before.1 > group.1) {
            let both = before.0 + group.0;
            group = (both, (before.0 * before.1 + group.0 * group.1) / both, before.2 + group.2);
        }
        groups.push(group);
    }
    let starts = groups.iter().flat_map(|&(_, start, slots)| std::iter::repeat_n(start, slots));
    row.iter_mut().zip(offsets).zip(starts).for_each(|((slot, offset), start)| slot.x = start + offset);
}

/// Turns rows into places, with the picture's corner at the origin.
fn place(units: usize, rows: &[Vec<Slot>], beside: &[Option<(usize, usize)>], mut lanes: Vec<Lane>) -> Layout {
    let slots = || rows.iter().flatten();
    let left = slots().map(|slot| slot.x - slot.room[0]).fold(f64::INFINITY, f64::min);
    let right = slots().map(|slot| slot.x + slot.room[1]).fold(left, f64::max);
    if !left.is_finite() {
        return Layout::default();
    }
    let height = 2.0 * MARGIN[1] + rows.len() as f64 * (BOX[1] + ROWS_APART) - ROWS_APART;
    let mut places = vec![[0.0; 2]; units];
    for (index, row) in rows.iter().enumerate() {
        let y = height - MARGIN[1] - BOX[1] / 2.0 - index as f64 * (BOX[1] + ROWS_APART);
        for slot in row {
            let at = [slot.x - left + MARGIN[0], y];
            match slot.kind {
                Taken::Unit(unit) => places[unit] = at,
                Taken::Gap(lane) => lanes[lane].gaps.push(at),
            }
        }
    }
    for (unit, beside) in beside.iter().enumerate() {
        if let Some((top, place)) = *beside {
            places[unit] = [places[top][0] + place as f64 * (BOX[0] + BESIDE_APART), places[top][1]];
        }
    }
    Layout { size: [right - left + 2.0 * MARGIN[0], height], units: places, lanes }
}
