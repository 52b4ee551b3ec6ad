//! Learned inverses: which way down undoes a projection, the pool of its upper unit included.
//!
//! An inverse is the mirror of a forward map: a transposed convolution has the geometry of the convolution that would
//! turn the lower unit's activity into one of the upper unit's shape, a stride standing for the pool.

use super::{Feedback, Init, LinearMap, Network, UnitId, Wiring};
use crate::fault::Fault;
use crate::kernels::Transfer;
use crate::shape::Shape;

/// What a description says of an inverse.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wish {
    pub(super) map: Option<LinearMap>,
    pub(super) transfer: Option<Transfer>,
}

/// Gives each inverse of `network` its geometry and transfer function; `wishes` are what the first feedback
/// projections were written with. Faults stand at these.
pub(super) fn shape(network: &mut Network, wishes: &[Wish], faults: &mut Vec<Fault>) {
    for index in 0..network.feedback.len() {
        if network.feedback[index].wiring != Wiring::Inverse {
            continue;
        }
        let wish = wishes.get(index).copied().unwrap_or_default();
        let feedback = &network.feedback[index];
        match geometry(network, feedback, wish).and_then(|map| startable(network, feedback, map)) {
            Ok(map) => {
                let lower = network.feedback[index].to;
                network.feedback[index].map = map;
                // What an inverse says is an activity of the lower unit, so it has that unit's range.
                network.feedback[index].transfer = wish.transfer.unwrap_or(network.unit(lower).transfer);
            }
            // A rule's own feedback is written nowhere; its partner is.
            Err(fault) if index >= wishes.len() => {
                faults.push(fault.within(&format!("feedforward[{}]", network.feedback[index].partner.0)));
            }
            Err(fault) => faults.push(fault.within(&format!("feedback[{index}]"))),
        }
    }
}

/// `map`, unless the inverse is to start as a copy of weights that are of another shape.
fn startable(network: &Network, feedback: &Feedback, map: LinearMap) -> Result<LinearMap, Fault> {
    let (partner, lower) = (network.projection(feedback.partner), network.unit(feedback.to).shape);
    let spread = matches!(partner.map, LinearMap::TransposedConv { .. });
    let (own, theirs) = (map.weight_dims(lower), partner.map.weight_dims(lower));
    if feedback.init != Init::Symmetric || own == theirs && !spread {
        return Ok(map);
    }
    if !partner.map.has_weights() {
        let problem =
            format!("inverse {} cannot start as a copy of {}, which has no weights", feedback.name, partner.name);
        return Err(Fault::new("init", problem, "use Kaiming, or leave init out"));
    }
    let problem = format!(
        "inverse {} cannot start as a copy of {}: its weights are {own:?}, those are {theirs:?}",
        feedback.name, partner.name
    );
    Err(Fault::new("init", problem, "use Kaiming, or leave map out"))
}

fn geometry(network: &Network, feedback: &Feedback, wish: Wish) -> Result<LinearMap, Fault> {
    let partner = network.projection(feedback.partner);
    let (upper, lower) = (network.unit(feedback.from), network.unit(feedback.to));
    let owner = format!("inverse {}", feedback.name);
    let afferents = network.afferents(feedback.from).count();
    if afferents != 1 {
        let problem = format!("{owner} is to undo {}, but {afferents} projections drive {}", partner.name, upper.name);
        return Err(Fault::new("", problem, "let one projection drive it, or learn with another rule"));
    }
    let found = match (wish.map, partner.map) {
        (None, LinearMap::Conv { kernel, stride, pad, .. }) => LinearMap::Conv {
            channels: upper.shape.channels,
            kernel,
            stride: stride * upper.pool.size(),
            pad,
            bias: true,
        },
        // Each value comes from one window, all of whose channels its inverse may ask.
        (None, LinearMap::OneToOne) => mirror(upper.shape, upper.pool.size(), upper.pool.size(), 0),
        (None, LinearMap::Dense { units, .. }) if upper.pool.size() == 1 => LinearMap::Dense { units, bias: true },
        (Some(LinearMap::TransposedConv { channels, kernel, stride, pad, output_pad, bias }), _) => {
            let made =
                LinearMap::TransposedConv { channels, kernel, stride, pad, output_pad, bias }.output(upper.shape);
            if made != Some(lower.shape) {
                let made = made.map_or("nothing".to_string(), |shape| shape.to_string());
                let problem = format!(
                    "{owner} turns {} of {} into {made}, but {} is {}",
                    upper.shape, upper.name, lower.name, lower.shape
                );
                return Err(Fault::new("map", problem, remedy(upper.shape, lower.shape)));
            }
            LinearMap::Conv { channels: upper.shape.channels, kernel, stride, pad, bias }
        }
        (Some(LinearMap::Dense { units, bias }), _) if upper.shape.is_flat() => {
            if units != lower.shape.len() {
                let problem = format!("{owner} makes {units} values, but {} has {}", lower.name, lower.shape.len());
                return Err(Fault::new("map.units", problem, format!("use units: {}", lower.shape.len())));
            }
            LinearMap::Dense { units: upper.shape.channels, bias }
        }
        (Some(_), _) => {
            let problem = format!(
                "{owner} leads from {} to {} by another map than an inverse can have",
                upper.shape, lower.shape
            );
            return Err(Fault::new("map", problem, "use a TransposedConv, or a Dense from a flat unit"));
        }
        (None, _) => {
            let problem = format!("{owner}: no inverse of {} follows from its geometry", partner.name);
            return Err(Fault::new("", problem, "write one: (from:, to:, wiring: Inverse, map: TransposedConv(...))"));
        }
    };
    if found.output(lower.shape) == Some(upper.shape) {
        return Ok(found);
    }
    // Windows that a pool leaves out, or padding that only a stride of 1 undoes, ask for another geometry.
    near(upper.shape, lower.shape).map(|(kernel, stride, pad, _)| mirror(upper.shape, kernel, stride, pad)).ok_or_else(
        || {
            let problem =
                format!("{owner}: no inverse from {} to {} follows from {}", upper.shape, lower.shape, partner.name);
            Fault::new("", problem, "write one: (from:, to:, wiring: Inverse, map: TransposedConv(...))")
        },
    )
}

/// The convolution that turns the lower unit's activity into one of the upper unit's shape.
fn mirror(upper: Shape, kernel: usize, stride: usize, pad: usize) -> LinearMap {
    LinearMap::Conv { channels: upper.channels, kernel, stride, pad, bias: true }
}

/// Kernel, stride, padding and output padding of a transposed convolution between two shapes, if small ones do.
fn near(upper: Shape, lower: Shape) -> Option<(usize, usize, usize, usize)> {
    let channels = lower.channels;
    let strides = |kernel: usize| (1..=4).flat_map(move |stride| (0..kernel).map(move |pad| (kernel, stride, pad)));
    let shapes = [3, 5, 2, 1, 4, 7].into_iter().flat_map(strides);
    let mut all = shapes.flat_map(|(kernel, stride, pad)| (0..stride).map(move |more| (kernel, stride, pad, more)));
    all.find(|&(kernel, stride, pad, output_pad)| {
        let map = LinearMap::TransposedConv { channels, kernel, stride, pad, output_pad, bias: true };
        map.output(upper) == Some(lower)
    })
}

/// A geometry that would do.
fn remedy(upper: Shape, lower: Shape) -> String {
    near(upper, lower).map_or("give it a TransposedConv that does".to_string(), |(kernel, stride, pad, output_pad)| {
        let channels = lower.channels;
        format!(
            "use map: TransposedConv(channels: {channels}, kernel: {kernel}, stride: {stride}, pad: {pad}, output_pad: {output_pad})"
        )
    })
}

impl Network {
    /// Whether a unit learns from a target of its own and not from an error: under target propagation, every unit but
    /// the heads.
    pub fn is_aimed(&self, unit: UnitId) -> bool {
        self.aimed && !self.heads.contains(&unit)
    }
}
