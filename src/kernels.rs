//! Arithmetic on slices. A kernel knows layouts, geometries and instruction sets; it knows no unit, no projection and
//! no rule. Everything above it is order and permission.

pub mod buffer;
pub mod isa;
pub mod layout;
pub mod pointwise;

pub use buffer::Buffer;
pub use isa::Isa;
pub use layout::Layout;
pub use pointwise::{Pool, Transfer};
