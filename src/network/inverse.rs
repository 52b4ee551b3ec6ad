//! Learned inverses: which way down undoes a projection, the pool of its upper unit included.
//!
//! An inverse is the mirror of a forward map: a transposed convolution has the geometry of the convolution that would
//! turn the lower unit's activity into one of the upper unit's shape, a stride standing for the pool.

use super::{Feedback, LinearMap, Network, UnitId, Wiring};
use crate::fault::Fault;
use crate::kernels::Transfer;

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
        match geometry(network, &network.feedback[index], wish) {
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
                return Err(Fault::new("map", problem, remedy(network, feedback)));
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
    match found.output(lower.shape) {
        Some(shape) if shape == upper.shape => Ok(found),
        _ => {
            let problem =
                format!("{owner}: no inverse from {} to {} follows from {}", upper.shape, lower.shape, partner.name);
            Err(Fault::new("", problem, remedy(network, feedback)))
        }
    }
}

/// A geometry that would do.
fn remedy(network: &Network, feedback: &Feedback) -> String {
    let (upper, lower) = (network.unit(feedback.from).shape, network.unit(feedback.to).shape);
    let channels = lower.channels;
    for kernel in [3, 5, 2, 1, 4, 7] {
        for (stride, pad, output_pad) in strides(kernel) {
            let map = LinearMap::TransposedConv { channels, kernel, stride, pad, output_pad, bias: true };
            if map.output(upper) == Some(lower) {
                return format!(
                    "use map: TransposedConv(channels: {channels}, kernel: {kernel}, stride: {stride}, pad: {pad}, output_pad: {output_pad})"
                );
            }
        }
    }
    "give it a map: TransposedConv(...) that does".to_string()
}

fn strides(kernel: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let pads =
        move |stride| (0..kernel).flat_map(move |pad| (0..stride).map(move |output_pad| (stride, pad, output_pad)));
    (1..=4).flat_map(pads)
}

impl Network {
    /// Whether a unit learns from a target of its own and not from an error: under target propagation, every unit but
    /// the heads.
    pub fn is_aimed(&self, unit: UnitId) -> bool {
        self.aimed && !self.heads.contains(&unit)
    }
}
