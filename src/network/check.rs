//! What is wrong with a description's numbers taken one by one: sizes that are zero or absurd, padding that only adds
//! zeros, initial laws that draw nothing. Numbers that must fit each other are the business of `geometry`.

use super::projection::Window;
use super::spec::{NetworkSpec, ProjectionSpec, UnitSpec};
use super::{Init, LinearMap};
use crate::document::Doubts;
use crate::fault::Fault;
use crate::kernels::Pool;

/// The largest size a description may name. It keeps products of sizes within a word, and lets a slipped finger be
/// told from a large network.
pub(super) const LARGEST: usize = 1 << 16;

/// Values of one sample that a unit may hold: a gigabyte of them.
pub(super) const MOST_VALUES: usize = 1 << 28;

/// Side of the largest pool.
const LARGEST_POOL: usize = 16;

/// All numbers of a description that are wrong by themselves.
pub(super) fn numbers(spec: &NetworkSpec, doubts: &Doubts) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, unit) in &spec.units {
        let place = unit_place(name);
        match *unit {
            UnitSpec::Input { channels, height, width } => {
                for (field, size) in [("channels", channels), ("height", height), ("width", width)] {
                    faults.extend(size_fault(&format!("input {name}"), field, size).map(|fault| fault.within(&place)));
                }
            }
            UnitSpec::Unit { pool, .. } => faults.extend(pool_fault(name, pool).map(|fault| fault.within(&place))),
        }
    }
    for (index, projection) in spec.feedforward.iter().enumerate() {
        let place = format!("feedforward[{index}]");
        let name = projection_name(projection.name.as_ref(), &projection.from, &projection.to);
        let owner = format!("projection {name}");
        // Padding is judged by other numbers.
        let certain = |fault: &Fault| match fault.place.as_str() {
            "pad" => !doubts.touch(&format!("{place}.map.kernel")),
            "output_pad" => !doubts.touch(&format!("{place}.map.stride")),
            _ => true,
        };
        let wrong = map_faults(&owner, projection.map).into_iter().filter(certain);
        faults.extend(wrong.map(|fault| fault.within("map").within(&place)));
        if !projection.map.has_weights() && !doubts.touch(&format!("{place}.map")) {
            faults.extend(weightless_faults(&owner, projection).into_iter().map(|fault| fault.within(&place)));
            continue;
        }
        faults.extend(density_fault(&owner, projection.density).map(|fault| fault.within(&place)));
        let symmetric = (projection.init == Init::Symmetric).then(|| {
            let problem = format!("{owner} cannot start as a copy of itself: Symmetric copies the forward weights");
            Fault::new("init", problem, "use Kaiming, or give Symmetric to a feedback projection")
        });
        faults.extend(symmetric.into_iter().chain(init_fault(projection.init)).map(|fault| fault.within(&place)));
    }
    for (index, feedback) in spec.feedback.iter().enumerate() {
        let place = format!("feedback[{index}]");
        faults.extend(feedback.init.and_then(init_fault).map(|fault| fault.within(&place)));
        let name = projection_name(feedback.name.as_ref(), &feedback.from, &feedback.to);
        // A map of its own; a partner's was looked at already.
        let own = feedback.map.filter(|map| spec.feedforward.iter().all(|projection| projection.map != *map));
        let wrong = own.map_or(Vec::new(), |map| map_faults(&format!("feedback {name}"), map));
        faults.extend(wrong.into_iter().map(|fault| fault.within("map").within(&place)));
    }
    faults
}

/// Whether a map's sizes can be reckoned with.
pub(super) fn is_usable(map: LinearMap) -> bool {
    let fitting = |window: Window| {
        let transposed = matches!(map, LinearMap::TransposedConv { .. });
        window.pad <= LARGEST && (!transposed || window_faults("", window).is_empty())
    };
    sizes(map).iter().all(|(_, size)| (1..=LARGEST).contains(size)) && map.window().is_none_or(fitting)
}

/// Whether a pool's size can be reckoned with.
pub(super) fn is_usable_pool(pool: Pool) -> bool {
    (1..=LARGEST_POOL).contains(&pool.size())
}

/// The place of a unit.
pub(super) fn unit_place(name: &str) -> String {
    format!("units[{name:?}]")
}

/// A projection's name: its own, or its two ends.
pub(super) fn projection_name(name: Option<&String>, from: &str, to: &str) -> String {
    name.cloned().unwrap_or_else(|| format!("{from}->{to}"))
}

/// A map's sizes that must not be 0.
fn sizes(map: LinearMap) -> Vec<(&'static str, usize)> {
    let name = if let LinearMap::Dense { .. } = map { "units" } else { "channels" };
    let outputs = map.outputs().map(|size| (name, size));
    let window = map.window().map(|Window { kernel, stride, .. }| [("kernel", kernel), ("stride", stride)]);
    outputs.into_iter().chain(window.into_iter().flatten()).collect()
}

fn map_faults(owner: &str, map: LinearMap) -> Vec<Fault> {
    let sizes = sizes(map).into_iter().filter_map(|(field, size)| size_fault(owner, field, size));
    let windows = map.window().into_iter().flat_map(|window| window_faults(owner, window));
    sizes.chain(windows).collect()
}

/// What is wrong with padding, beside a kernel and a stride that are above 0.
fn window_faults(owner: &str, window: Window) -> Vec<Fault> {
    let Window { kernel, stride, pad, output_pad } = window;
    let wide = (kernel > 0 && pad >= kernel).then(|| {
        let problem =
            format!("{owner}: with padding {pad}, a kernel of {kernel} meets nothing but padding at the edge");
        Fault::new("pad", problem, format!("use padding {} or less", kernel - 1))
    });
    let bare = (stride > 0 && output_pad >= stride).then(|| {
        let problem = format!("{owner}: an output padding of {output_pad} is not less than the stride, {stride}");
        let remedy = match stride {
            1 => "leave output_pad out".to_string(),
            _ => format!("use output_pad {} or less", stride - 1),
        };
        Fault::new("output_pad", problem, remedy)
    });
    wide.into_iter().chain(bare).collect()
}

/// What a projection without weights is given for weights.
fn weightless_faults(owner: &str, projection: &ProjectionSpec) -> Vec<Fault> {
    let given = [
        ("plastic", projection.plastic == Some(true), "is to learn"),
        ("init", projection.init != Init::Kaiming, "is given first weights"),
        ("density", projection.density != 1.0, "is given a density of synapses"),
    ];
    let fault = |(field, _, what): (&str, bool, &str)| {
        Fault::new(field, format!("{owner} {what}, but one to one it has no weights"), format!("remove {field}"))
    };
    given.into_iter().filter(|(_, is_given, _)| *is_given).map(fault).collect()
}

fn density_fault(owner: &str, density: f32) -> Option<Fault> {
    (!(density > 0.0 && density <= 1.0)).then(|| {
        let problem = format!("{owner}: its density is {density}, which is no share of the synapses");
        Fault::new("density", problem, "use a number above 0 and up to 1")
    })
}

fn size_fault(owner: &str, field: &str, size: usize) -> Option<Fault> {
    match size {
        0 => Some(Fault::new(field, format!("{owner}: {field} is 0"), "use 1 or more")),
        1..=LARGEST => None,
        _ => Some(Fault::new(field, format!("{owner}: {field} is {size}"), format!("use {LARGEST} or less"))),
    }
}

fn pool_fault(name: &str, pool: Pool) -> Option<Fault> {
    let size = pool.size();
    (!is_usable_pool(pool)).then(|| {
        let problem = format!("unit {name} pools over windows of {size}x{size}");
        Fault::new("pool", problem, format!("use 1 to {LARGEST_POOL}, or leave the pool out"))
    })
}

fn init_fault(init: Init) -> Option<Fault> {
    let fault = match init {
        Init::Kaiming | Init::Symmetric => None,
        Init::Uniform { bound } => Fault::unless_positive("bound", bound),
        Init::Normal { deviation } => Fault::unless_positive("deviation", deviation),
    };
    fault.map(|fault| fault.within("init"))
}
