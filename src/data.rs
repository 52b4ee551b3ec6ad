//! What the retina is shown: data sets, read from their published files or drawn by the program itself, and the views
//! that are made of their images. Stands on the base alone; the simulation asks for samples and knows no file format.

mod cifar;
mod deform;
mod folder;
mod idx;
mod images;
pub mod objects;
mod source;
mod stl10;
mod views;

pub use cifar::Cifar100Labels;
pub use deform::{Padding, Warp, deform};
pub use images::{Dataset, Images};
pub use objects::Moments;
pub use source::Source;
pub use views::{Deformation, Views};
