//! Event-driven simulation of biologically plausible self-supervised learning in deep networks (Tang, Yang and Amit
//! 2022, "Biologically Plausible Training Mechanisms for Self-Supervised Learning in Deep Networks").
//!
//! A **network** (a graph of units and directed projections, read from RON) is walked by an event **scheduler**; the
//! walk, written down, is the **plan**; an executor replays the plan, each step opening one door of the **state**;
//! behind each door a **kernel** works on plain slices, over a batch, on all cores. A synapse is only ever handed its
//! two ends.
//!
//! Eleven verbs are the engine's whole language, the last two for difference target propagation alone:
//!
//! | verb | what happens |
//! |---|---|
//! | present | an input unit takes a view |
//! | drive | a feedforward projection adds weights x pre-activity into its post unit's drive |
//! | fire | a unit whose afferents have all arrived turns drive into activity: pool, then transfer function |
//! | store | a unit keeps its activity in short-term memory |
//! | compare | the error-computing layer sets the present embedding against the stored ones |
//! | gate | error x gain, the gain computed from the activity alone; what is zero makes no event |
//! | carry | a feedback projection delivers error events downwards through its own weights |
//! | learn | a synapse population turns pre-activity and post-error into a change |
//! | apply | the optimiser folds the change into the weights |
//! | perturb | a unit's activity is disturbed by noise, so that an inverse can learn from what follows |
//! | invert | a learned inverse says what the unit below it would be: of a disturbed one, or of one on target |
//!
//! The modules, each of which uses only what stands below it:
//!
//! | | |
//! |---|---|
//! | [`cli`] | words |
//! | [`table`] | series of runs |
//! | [`session`] | runs |
//! | [`audit`], [`evaluate`], [`distances`], [`instruments`], [`verify`], [`report`] | judgement |
//! | [`simulation`] (and [`data`]) | time |
//! | [`schedule`] | order |
//! | [`learning`] | plasticity |
//! | [`locality`] | what may be seen |
//! | [`network`], [`loss`], [`optimizer`] | structure, error at the top, step |
//! | [`kernels`] | arithmetic on slices |
//! | [`document`], [`fault`], [`lint`], [`error`], [`shape`], [`rng`], [`number`], [`statistics`], `threads` | the ground |

pub mod audit;
pub mod cli;
pub mod data;
pub mod distances;
pub mod document;
pub mod error;
pub mod evaluate;
pub mod fault;
pub mod instruments;
pub mod kernels;
pub mod learning;
pub mod lint;
pub mod locality;
pub mod loss;
pub mod network;
pub mod number;
pub mod optimizer;
pub mod report;
pub mod rng;
pub mod schedule;
pub mod session;
pub mod shape;
pub mod simulation;
pub mod statistics;
pub mod table;
mod threads;
pub mod verify;

pub use error::{Error, Result};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
