//! Cutting: a part of a circuit as a circuit of its own.

use crate::network::{Network, NetworkSpec, UnitId};

/// What `spec` says of all that `top` depends on in `network`, which it describes, without blocks. Only projections into
/// units that `learn` are plastic, and only feedback between such units is left.
pub(super) fn cut(spec: &NetworkSpec, network: &Network, top: UnitId, learn: impl Fn(UnitId) -> bool) -> NetworkSpec {
    let needed = drivers(network, top);
    let needed = |name: &str| network.find(name).is_some_and(|unit| needed.contains(&unit));
    let learns = |name: &str| network.find(name).is_some_and(&learn);
    let mut part = spec.clone();
    part.blocks.clear();
    part.units.retain(|name, _| needed(name));
    part.feedforward.retain(|projection| needed(&projection.from) && needed(&projection.to));
    for projection in part.feedforward.iter_mut().filter(|projection| !learns(&projection.to)) {
        projection.plastic = Some(false);
    }
    part.feedback.retain(|feedback| learns(&feedback.from) && learns(&feedback.to));
    part
}

/// `top` and all units that drive it, near or far.
pub(super) fn drivers(network: &Network, top: UnitId) -> Vec<UnitId> {
    let mut found = vec![top];
    let mut next = 0;
    while let Some(&unit) = found.get(next) {
        for driver in network.afferents(unit).map(|id| network.projection(id).from) {
            if !found.contains(&driver) {
                found.push(driver);
            }
        }
        next += 1;
    }
    found
}
