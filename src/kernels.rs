//! Arithmetic on slices. A kernel knows layouts, geometries and instruction sets; it knows no unit, no projection and
//! no rule. Everything above it is order and permission.

mod afferents;
pub mod arithmetic;
pub mod buffer;
pub mod correlation;
mod events;
pub mod flow;
pub mod isa;
pub mod layout;
pub mod linear;
pub mod packet;
pub mod peak;
pub mod pointwise;
pub mod product;
pub(crate) mod simd;
mod tasks;
pub mod winograd;

pub use arithmetic::Arithmetic;
pub use buffer::Buffer;
pub use correlation::{Correlation, EventCorrelation, LocalCorrelation, sum_over_positions, sum_over_samples};
pub use flow::{Input, Outcome, Sum};
pub use isa::Isa;
pub use layout::Layout;
pub use linear::Linear;
pub use packet::{PacketLayout, Packets};
pub use peak::Peak;
pub use pointwise::{Firing, Gating, Pool, Transfer, fire, gate};
pub use product::{EventCarry, Product};
pub use winograd::{Winograd, WinogradCorrelation};
