//! Event-driven simulation of biologically plausible self-supervised learning in deep networks.

pub mod document;
pub mod error;
pub mod fault;
pub mod kernels;
pub mod network;
pub mod rng;
pub mod shape;

pub use error::{Error, Result};
