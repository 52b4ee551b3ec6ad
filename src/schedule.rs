//! Order: in which sequence signals travel through a network.
//!
//! A [`walk`] is a discrete-event simulation of one learning step: a unit fires when the last of its afferents has
//! arrived, an error is passed on when the last of its sources has. It says each [`Step`] to a sink as it happens; a
//! [`Plan`] is a sink that writes the steps down. As a circuit does not change its wiring, the plan is made once and
//! replayed.

mod effort;
mod plan;
mod step;
mod traffic;
mod walk;

pub use plan::{Line, Plan};
pub use step::{Access, Step};
pub use traffic::traffic;
pub use walk::{Passage, walk};
