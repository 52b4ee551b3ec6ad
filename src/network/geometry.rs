//! Shapes along the graph: each projection turns the activity of its pre unit into a drive, all drives of a unit must
//! have one shape, and pooling turns that into the shape of its activity. Where shapes disagree, the remedy is searched
//! among the map's own numbers.

use super::check::{self, MOST_VALUES, unit_place};
use super::diagram::Diagram;
use super::projection::Window;
use super::spec::UnitSpec;
use super::{LinearMap, ProjectionId, Unit, UnitId};
use crate::fault::Fault;
use crate::kernels::{Pool, Transfer};
use crate::shape::Shape;

/// Padding, kernels and strides that are tried for a remedy.
const TRIED: usize = 16;

/// The units with their shapes, as many as could be inferred: all of them if there is no fault.
pub(super) fn units(diagram: &Diagram, faults: &mut Vec<Fault>) -> Vec<Unit> {
    // Drive and activity of each unit; a unit whose shape cannot be known is never a fault by that alone.
    let mut shapes: Vec<Option<(Shape, Shape)>> = vec![None; diagram.spec.units.len()];
    // Units whose shape is not known because of a doubt. Others of which none is known have none without it, either.
    let mut doubtful = diagram.unsettled.clone();
    for unit in &diagram.order {
        let name = diagram.name(*unit);
        shapes[unit.0] = match diagram.spec.units[unit.0] {
            UnitSpec::Input { channels, height, width } if diagram.is_input(*unit) => {
                let usable = [channels, height, width].iter().all(|size| (1..=check::LARGEST).contains(size));
                let shape = Shape::new(channels, height, width);
                let fits = usable && fits(shape, &format!("input {name}"), &unit_place(name), faults);
                fits.then_some((shape, shape))
            }
            unit_spec => {
                let drives = drives(diagram, *unit, &shapes, &doubtful, faults);
                let drive = agreed(diagram, *unit, &drives, faults);
                doubtful[unit.0] |= drive.is_none() && drives.doubtful > 0;
                let pool = if let UnitSpec::Unit { pool, .. } = unit_spec { pool } else { Pool::None };
                let shapes = drive.and_then(|drive| Some((drive, pooled(name, drive, pool, faults)?)));
                // Around a cycle, one shape would only accuse the other.
                shapes.filter(|_| !diagram.cyclic[unit.0])
            }
        };
        doubtful[unit.0] |= !diagram.is_certain(*unit);
        shapes[unit.0] = shapes[unit.0].filter(|_| !doubtful[unit.0]);
    }
    let named = diagram.spec.units.iter().zip(shapes);
    let units = named.filter_map(|((name, spec), shapes)| {
        let (drive, shape) = shapes?;
        let (input, pool, transfer) = match *spec {
            UnitSpec::Input { .. } => (true, Pool::None, Transfer::Linear),
            UnitSpec::Unit { pool, transfer } => (false, pool, transfer),
        };
        Some(Unit { name: name.clone(), input, drive, shape, pool, transfer })
    });
    units.collect()
}

/// What one projection turns into what.
struct Drive {
    projection: ProjectionId,
    pre: Shape,
    made: Shape,
}

/// What the projections into one unit make.
#[derive(Default)]
struct Drives {
    known: Vec<Drive>,
    /// How many more there may be, of which a doubt hides what they make.
    doubtful: usize,
}

/// The drives of the projections into `unit`.
fn drives(
    diagram: &Diagram,
    unit: UnitId,
    shapes: &[Option<(Shape, Shape)>],
    doubtful: &[bool],
    faults: &mut Vec<Fault>,
) -> Drives {
    let mut drives = Drives::default();
    for (index, join) in diagram.joins.iter().enumerate().filter(|(_, join)| join.sound && join.to.may_be(unit)) {
        let map = diagram.spec.feedforward[index].map;
        let hidden = join.from.known().is_some_and(|from| doubtful[from.0]) || !diagram.is_certain_map(index);
        if join.is_loose() || (join.known().is_some() && hidden) {
            drives.doubtful += 1;
            continue;
        }
        let Some((from, _)) = join.known().filter(|_| check::is_usable(map)) else { continue };
        let Some((_, pre)) = shapes[from.0] else { continue };
        let place = format!("feedforward[{index}].map");
        match map.output(pre) {
            Some(made)
                if fits(made, &format!("projection {}", join.name), &place, faults)
                    && holds(map.weights(pre), &join.name, &place, faults) =>
            {
                drives.known.push(Drive { projection: ProjectionId(index), pre, made });
            }
            Some(_) => (),
            None => faults.push(makes_nothing(&join.name, diagram.name(from), map, pre).within(&place)),
        }
    }
    drives
}

/// The shape that most of a unit's drives have, the first of equals; each other one is a fault.
fn agreed(diagram: &Diagram, unit: UnitId, drives: &Drives, faults: &mut Vec<Fault>) -> Option<Shape> {
    let known = &drives.known;
    let votes = |shape: Shape| known.iter().filter(|drive| drive.made == shape).count();
    let standard = known.iter().rev().max_by_key(|drive| votes(drive.made))?;
    let others = || known.iter().filter(|drive| drive.made != standard.made);
    // Drives that are doubtful may yet set another standard, and another projection be at fault.
    let rival = others().map(|drive| votes(drive.made)).max().unwrap_or(0);
    if drives.doubtful > 0 && rival + drives.doubtful >= votes(standard.made) {
        return None;
    }
    for drive in others() {
        let index = drive.projection.0;
        let map = diagram.spec.feedforward[index].map;
        let expected =
            Expected { unit: diagram.name(unit), shape: standard.made, by: &diagram.joins[standard.projection.0].name };
        let fault = mismatch(&diagram.joins[index].name, map, drive, &expected);
        faults.push(fault.within("map").within(&format!("feedforward[{index}]")));
    }
    Some(standard.made)
}

struct Expected<'a> {
    unit: &'a str,
    shape: Shape,
    /// The projection that sets the standard.
    by: &'a str,
}

fn mismatch(name: &str, map: LinearMap, drive: &Drive, expected: &Expected) -> Fault {
    let Expected { unit, shape: wanted, by } = *expected;
    let (pre, made) = (drive.pre, drive.made);
    let size = |shape: Shape| format!("{}x{}", shape.height, shape.width);
    match map {
        LinearMap::Dense { units, .. } => {
            let problem = format!("projection {name}: makes {units} units, but {unit} expects {wanted} from {by}");
            let remedy = match wanted.is_flat() {
                true => format!("use units: {}", wanted.channels),
                false => format!("use a Conv that makes {wanted}, or make {by} a Dense, too"),
            };
            Fault::new("units", problem, remedy)
        }
        LinearMap::OneToOne => {
            let problem =
                format!("projection {name}: hands on {made} one to one, but {unit} expects {wanted} from {by}");
            let kind = if wanted.is_flat() { "Dense" } else { "Conv" };
            Fault::new("", problem, format!("use a {kind} that makes {wanted}, or make {by} one that makes {made}"))
        }
        _ if size(made) == size(wanted) => {
            let problem = format!(
                "projection {name}: makes {} channels, but {unit} expects {} from {by}",
                made.channels, wanted.channels
            );
            Fault::new("channels", problem, format!("use channels: {}", wanted.channels))
        }
        _ => {
            let how = map.window().map(|Window { kernel, stride, pad, output_pad }| {
                let step = if stride == 1 { String::new() } else { format!(" and stride {stride}") };
                let more = if output_pad == 0 { String::new() } else { format!(" and output padding {output_pad}") };
                format!("kernel {kernel} with padding {pad}{step}{more} ")
            });
            let problem = format!(
                "projection {name}: {}turns {} into {}, but {unit} expects {} from {by}",
                how.unwrap_or_default(),
                size(pre),
                size(made),
                size(wanted)
            );
            let remedy = window_remedy(map, pre, wanted).unwrap_or_else(|| format!("make both {}", size(wanted)));
            Fault::new("", problem, remedy)
        }
    }
}

/// The one number to change so that a map makes maps of the wanted size.
fn window_remedy(map: LinearMap, pre: Shape, wanted: Shape) -> Option<String> {
    let window = map.window()?;
    let makes = |window: Window| {
        let map = map.with_window(window);
        let made = map.output(pre).filter(|_| check::is_usable(map) && window.pad < window.kernel);
        made.is_some_and(|made| (made.height, made.width) == (wanted.height, wanted.width))
    };
    let paddings = (0..TRIED).map(|pad| (Window { pad, ..window }, format!("use padding {pad}")));
    let output_paddings =
        (0..TRIED).map(|output_pad| (Window { output_pad, ..window }, format!("use output_pad {output_pad}")));
    let kernels = (1..=TRIED).map(|kernel| (Window { kernel, ..window }, format!("use kernel {kernel}")));
    let strides = (1..=TRIED).map(|stride| (Window { stride, ..window }, format!("use stride {stride}")));
    let mut tried = paddings.chain(output_paddings).chain(kernels).chain(strides);
    let (_, remedy) = tried.find(|(window, _)| makes(*window))?;
    let fits = map.outputs() == Some(wanted.channels);
    let count = if fits { String::new() } else { format!(" and channels: {}", wanted.channels) };
    Some(remedy + &count)
}

/// The fault of a map that makes nothing of its presynaptic maps.
fn makes_nothing(name: &str, from: &str, map: LinearMap, pre: Shape) -> Fault {
    let Some(Window { kernel, stride, pad, output_pad }) = map.window() else {
        return Fault::new("", format!("projection {name}: does not fit {from}"), "change its geometry");
    };
    let Shape { height, width, .. } = pre;
    if let LinearMap::TransposedConv { .. } = map {
        let spread = |extent: usize| (extent - 1) * stride + kernel + output_pad;
        let (rows, columns) = (spread(height), spread(width));
        let problem = format!(
            "projection {name}: padding {pad} at each side cuts off all of {rows}x{columns}, to which kernel {kernel} \
             spreads the {height}x{width} maps of {from}"
        );
        return Fault::new("pad", problem, format!("use padding {} or less", (rows.min(columns) - 1) / 2));
    }
    let most = height.min(width) + 2 * pad;
    let problem = format!(
        "projection {name}: kernel {kernel} is larger than the {height}x{width} maps of {from} with padding {pad}, {}x{}",
        height + 2 * pad,
        width + 2 * pad
    );
    Fault::new("kernel", problem, format!("use kernel {most} or smaller"))
}

fn pooled(name: &str, drive: Shape, pool: Pool, faults: &mut Vec<Fault>) -> Option<Shape> {
    let size = check::is_usable_pool(pool).then_some(pool.size())?;
    if size > drive.height.min(drive.width) {
        let problem =
            format!("unit {name}: a pool of {size}x{size} is larger than its drive, {}x{}", drive.height, drive.width);
        let remedy = match drive.height.min(drive.width) {
            1 => "leave the pool out".to_string(),
            most => format!("use a pool of {most} or smaller"),
        };
        faults.push(Fault::new("pool", problem, remedy).within(&unit_place(name)));
        return None;
    }
    Some(Shape::new(drive.channels, drive.height / size, drive.width / size))
}

/// Whether a shape stays within what one sample may hold; a fault at `place` otherwise.
fn fits(shape: Shape, owner: &str, place: &str, faults: &mut Vec<Fault>) -> bool {
    let values = [shape.channels, shape.height, shape.width].map(|size| size as u128).iter().product::<u128>();
    let fits = values <= MOST_VALUES as u128;
    if !fits {
        let problem = format!("{owner}: makes {shape}, {values} values a sample");
        faults.push(Fault::new(place, problem, format!("stay below {MOST_VALUES}")));
    }
    fits
}

/// Whether a projection's weights stay within what one may hold; a fault at `place` otherwise.
fn holds(weights: u128, name: &str, place: &str, faults: &mut Vec<Fault>) -> bool {
    let holds = weights <= MOST_VALUES as u128;
    if !holds {
        let problem = format!("projection {name}: has {weights} weights");
        faults.push(Fault::new(place, problem, format!("stay below {MOST_VALUES}")));
    }
    holds
}
