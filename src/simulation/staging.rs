//! Staging: which block of a network learns when.
//!
//! End to end, all of it learns at once. Greedy layerwise (GLL), each block learns to its end before the next one
//! starts, and rests from then on. Random layerwise (RLL), a block is drawn for each batch. A *stage* is what learns
//! at once: its heads and its plan.

use serde::{Deserialize, Serialize};

use super::Learning;
use crate::network::{Network, UnitId};
use crate::rng::Stream;
use crate::schedule::Plan;

/// Which block learns when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Staging {
    /// All at once, on one error from the top.
    #[default]
    EndToEnd,
    /// Block by block, each for all epochs on the error of its own head, with the blocks below at rest.
    Greedy,
    /// One block a batch, on the error of its own head.
    Random {
        /// How the block is drawn.
        #[serde(default)]
        draw: Draw,
    },
}

/// How random layerwise learning draws a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Draw {
    /// Each time any block, all alike likely.
    #[default]
    Uniform,
    /// Every block once, in random order, before any comes again.
    Balanced,
}

impl Staging {
    /// Whether blocks learn apart.
    pub fn is_blockwise(self) -> bool {
        self != Staging::EndToEnd
    }

    /// Times that every image is seen, where a stage is given `epochs`.
    pub fn epochs(self, epochs: u64, stages: usize) -> u64 {
        match self {
            Staging::EndToEnd | Staging::Random { .. } => epochs,
            Staging::Greedy => epochs.saturating_mul(stages as u64),
        }
    }

    /// The stage of batch number `step` of the whole run, in epoch `epoch` of it; both count from 0, and a stage is
    /// given `epochs`.
    pub fn stage(self, stages: usize, epochs: u64, epoch: u64, step: u64, stream: Stream) -> usize {
        match self {
            Staging::EndToEnd => 0,
            Staging::Greedy => (epoch / epochs.max(1)).min(stages as u64 - 1) as usize,
            Staging::Random { draw: Draw::Uniform } => stream.named("stage").at(step).rng().below(stages),
            Staging::Random { draw: Draw::Balanced } => {
                let mut order: Vec<usize> = (0..stages).collect();
                stream.named("stage").at(step / stages as u64).rng().shuffle(&mut order);
                order[(step % stages as u64) as usize]
            }
        }
    }
}

/// What learns at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The unit at the top of the block; the last head's where all learns at once.
    pub name: String,
    /// The units on which the loss acts.
    pub heads: Vec<UnitId>,
    /// The steps of one batch.
    pub plan: Plan,
}

/// The stages of a network under a way of learning, in the order in which activity passes through them.
pub(super) fn stages(network: &Network, learning: &Learning) -> Vec<Stage> {
    let stage = |top: UnitId, heads: Vec<UnitId>| {
        let plan = Plan::compile(network, learning.passage(&heads));
        Stage { name: network.unit(top).name.clone(), heads, plan }
    };
    if learning.staging.is_blockwise() {
        network.blocks().iter().map(|block| stage(block.top(), vec![block.head])).collect()
    } else {
        let heads = network.heads().to_vec();
        heads.last().copied().into_iter().map(|top| stage(top, heads.clone())).collect()
    }
}
