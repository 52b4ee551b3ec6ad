//! Event-driven simulation of biologically plausible self-supervised learning in deep networks.

pub mod data;
pub mod error;
pub mod fault;
pub mod kernels;
pub mod rng;
pub mod shape;

pub use error::{Error, Result};
