//! What may be seen, and by whom.
//!
//! The [`State`] of a simulation is everything that changes: activities, errors, weights. It opens by doors only, one
//! for each verb of the engine, and a door hands out no more than its step needs. A credit rule stands behind the
//! narrowest of them: it is given a [`Synapse`], which shows the two ends of one projection and nothing else, and a
//! [`Change`], into which pre- and postsynaptic signals can be correlated, in that order only.
//!
//! The fences are types. A synapse's ends cannot be swapped:
//!
//! ```compile_fail,E0308
//! use synlocal::locality::{Change, Synapse};
//! fn learn(synapse: &Synapse<'_>, change: &mut Change<'_>) {
//!     change.correlate(synapse.error(), synapse.pre());
//! }
//! ```
//!
//! a signal cannot be made up, because its fields are private:
//!
//! ```compile_fail,E0451
//! use synlocal::locality::{Pre, Signal};
//! fn forge(packets: synlocal::kernels::Packets<'_>) -> Signal<'_, Pre> {
//!     Signal { packets, side: std::marker::PhantomData }
//! }
//! ```
//!
//! a synapse knows no third unit:
//!
//! ```compile_fail,E0599
//! use synlocal::locality::{Change, Synapse};
//! fn learn(synapse: &Synapse<'_>, change: &mut Change<'_>) {
//!     change.correlate(synapse.pre(), synapse.unit("v5").error());
//! }
//! ```
//!
//! nor its own or another projection's weights:
//!
//! ```compile_fail,E0599
//! use synlocal::locality::Synapse;
//! fn peek(synapse: &Synapse<'_>) -> f32 {
//!     synapse.weights()[0]
//! }
//! ```
//!
//! forward weights carry no error:
//!
//! ```compile_fail,E0599
//! use synlocal::locality::{Feedforward, Weights};
//! fn transport(weights: &Weights<Feedforward>) {
//!     let _ = weights.errorway();
//! }
//! ```
//!
//! and the doors of the state are closed to everything outside the engine:
//!
//! ```compile_fail,E0624
//! use synlocal::locality::State;
//! use synlocal::network::UnitId;
//! fn meddle(state: &mut State, unit: UnitId) {
//!     state.store(unit);
//! }
//! ```
//!
//! The one way round is named: [`Breach::WEIGHT_TRANSPORT`] lets errors travel through forward weights, which
//! back-propagation needs and no synapse could do.

mod access;
mod connectome;
mod inverse;
mod pathway;
mod place;
mod population;
mod state;
mod synapse;
mod synapses;
mod tamper;
mod weights;

pub use access::{Slot, Tensor};
pub use place::{Place, View};
pub use state::{Provision, State, Tally};
pub use synapse::{Change, Post, Pre, Signal, Synapse};
pub use synapses::Work;
pub(crate) use tamper::Saved;
pub use weights::{Breach, Direction, Errorway, Feedback, Feedforward, Weights};
