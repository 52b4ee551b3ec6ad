//! What the retina is shown: data sets, read from their published files or drawn by the program itself, and the views
//! that are made of their images. Stands on the base alone; the simulation asks for samples and knows no file format.

mod cifar;
mod crop;
mod deform;
mod folder;
mod idx;
mod images;
mod jitter;
pub mod objects;
mod simclr;
mod source;
mod stl10;
mod views;

pub use cifar::Cifar100Labels;
pub use crop::{Crop, Resampler};
pub use deform::{Padding, Warp, deform};
pub use images::{Dataset, Images};
pub use jitter::Tint;
pub use objects::Moments;
pub use simclr::{Glimpse, SimClr, glimpse};
pub use source::Source;
pub use views::{Deformation, Views};
