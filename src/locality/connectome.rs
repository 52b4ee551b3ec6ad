//! Which synapses of a sparse projection exist. The set follows from the seed and the projection's name alone, so no
//! checkpoint needs to hold it. An absent synapse is a weight of exactly 0 that no change reaches: the kernels, which
//! know of no holes, compute with it and get what they would without.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::network::Projection;
use crate::rng::Stream;

/// The synapses of one projection that exist; feedback that answers the projection has the same. All do, if it is not
/// sparse.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Connectome(Option<Arc<Sparse>>);

#[derive(Debug, PartialEq)]
struct Sparse {
    projection: String,
    density: f32,
    /// Whether each synapse exists.
    present: Vec<bool>,
}

impl Connectome {
    /// All synapses.
    pub(super) const WHOLE: Connectome = Connectome(None);

    /// Draws which of so many synapses exist.
    pub(super) fn draw(projection: &Projection, synapses: usize, stream: Stream) -> Connectome {
        let density = projection.density;
        let sparse = (density < 1.0).then(|| {
            let mut rng = stream.named("synapses").named(&projection.name).rng();
            let present = (0..synapses).map(|_| rng.uniform() < density).collect();
            Arc::new(Sparse { projection: projection.name.clone(), density, present })
        });
        Connectome(sparse)
    }

    /// How much of `multiply_adds`, as many for each synapse, those that exist take.
    pub(super) fn share(&self, multiply_adds: u64) -> u64 {
        let Some(sparse) = &self.0 else { return multiply_adds };
        let existing = sparse.present.iter().filter(|present| **present).count() as u64;
        multiply_adds / sparse.present.len() as u64 * existing
    }

    /// Sets to 0 what belongs to absent synapses. Values of biases may follow those of synapses.
    pub(super) fn silence(&self, values: &mut [f32]) {
        let Some(sparse) = &self.0 else { return };
        for (value, &present) in values.iter_mut().zip(&sparse.present) {
            *value = if present { *value } else { 0.0 };
        }
    }

    /// Refuses values that would bring an absent synapse to life.
    pub(super) fn admit(&self, values: &[f32]) -> Result<()> {
        let Some(sparse) = &self.0 else { return Ok(()) };
        let mut given = values.iter().zip(&sparse.present).enumerate();
        match given.find(|(_, (value, present))| **value != 0.0 && !**present) {
            None => Ok(()),
            Some((index, (value, _))) => Err(Error::usage(
                format!(
                    "synapse {index} of {} was given {value}, but it does not exist: the density is {}",
                    sparse.projection, sparse.density
                ),
                "give it 0; which synapses exist follows from the seed and the projection's name",
            )),
        }
    }
}
