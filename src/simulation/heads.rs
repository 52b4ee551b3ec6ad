//! Whether heads suit the loss that acts on them: most losses take any head, but some predict and some name classes.

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::fault::Fault;
use crate::loss::{Loss, Memory, StoredView};
use crate::network::{Network, UnitId};

/// Faults of heads that cannot predict the unit below them, where the loss asks for that.
pub(super) fn faults(loss: &Loss, network: &Network) -> Vec<Fault> {
    match loss.memory() {
        Memory::Head => Vec::new(),
        Memory::Below => network.heads().iter().filter_map(|&head| unfit(loss, network, head)).collect(),
    }
}

fn unfit(loss: &Loss, network: &Network, head: UnitId) -> Option<Fault> {
    let name = &network.unit(head).name;
    let fault = |problem: String, remedy: String| {
        Some(Fault::new("", format!("{}: head {name:?} {problem}", loss.name()), remedy))
    };
    let Some(unit) = predicted(network, head) else {
        let projections = network.afferents(head).len();
        return fault(
            format!("has to predict the one unit that drives it, but {projections} projections end in it"),
            "leave it the projection from the unit that it is to predict".to_string(),
        );
    };
    let (below, shape) = (network.unit(unit), network.unit(head).shape);
    if below.input {
        let problem = format!("would predict {:?}, which is an input", below.name);
        return fault(problem, "put a unit that learns between the two".to_string());
    }
    if below.shape != shape {
        let map = match below.shape.is_flat() {
            true => format!("Dense(units: {})", below.shape.channels),
            false => format!("Conv(channels: {}, kernel: 1), without a pool", below.shape.channels),
        };
        return fault(
            format!("is {shape}, but {:?}, which it has to predict, is {}", below.name, below.shape),
            format!("drive it by {map}"),
        );
    }
    if loss.stored_view() != StoredView::Learns {
        return None;
    }
    // Errors of a stored view start at one comparison: a second one would overwrite them.
    let mut before = network.heads().iter().copied().take_while(|&other| other != head);
    let rival = before.find(|&other| predicted(network, other) == Some(unit))?;
    fault(
        format!("and head {:?} would both teach the stored view of {:?}", network.unit(rival).name, below.name),
        "set gradient_block: true, or leave one of the two heads".to_string(),
    )
}

/// The unit that alone drives `head`.
fn predicted(network: &Network, head: UnitId) -> Option<UnitId> {
    let mut afferents = network.afferents(head);
    let only = afferents.next().filter(|_| afferents.len() == 0)?;
    Some(network.projection(only).from)
}

/// Whether a loss that learns from labels can learn from those of `dataset`.
///
/// # Errors
/// There are no labels, or more classes than a head has units.
pub(super) fn check_labels(network: &Network, loss: &Loss, dataset: &Dataset) -> Result<()> {
    if !loss.is_supervised() {
        return Ok(());
    }
    let classes = dataset.classes.len();
    if classes == 0 {
        return Err(Error::usage(
            format!("{} learns from labels, but {} has none", loss.name(), dataset.name),
            "use labelled data, or a loss without labels, such as ContrastiveHinge",
        ));
    }
    let mut heads = network.heads().iter().map(|&head| network.unit(head));
    match heads.find(|head| head.shape.len() < classes) {
        None => Ok(()),
        Some(head) => Err(Error::usage(
            format!(
                "{}: {} has {classes} classes, but head {:?} has {} units",
                loss.name(),
                dataset.name,
                head.name,
                head.shape.len()
            ),
            format!("give it at least {classes} units, or use a loss without labels, such as ContrastiveHinge"),
        )),
    }
}
