//! Progress bars on standard error; none of them shows off a terminal.

use indicatif::{ProgressBar, ProgressStyle};

use super::warn;
use crate::session::{Stage, Subject};
use crate::simulation::{Experiment, Staging};

/// The bars of a session, one after another: training, then each read-out.
pub(super) struct Bars {
    bar: ProgressBar,
    /// What the bar at hand is of, once it was shown.
    shown: Option<Bar>,
    /// The blocks, where one learns after the other.
    blocks: Vec<String>,
    /// The units, by place in the network.
    units: Vec<String>,
}

#[derive(PartialEq)]
enum Bar {
    Training,
    ReadOut(Subject),
}

impl Bars {
    pub(super) fn new(experiment: &Experiment) -> Bars {
        let bar = ProgressBar::new(0);
        bar.set_style(style("{bar:24} {msg}, {elapsed} gone, {eta} left"));
        let greedy = experiment.learning().staging == Staging::Greedy;
        let blocks = experiment.stages().into_iter().filter(|_| greedy).map(|stage| stage.name).collect();
        let units = experiment.network().units().iter().map(|unit| unit.name.clone()).collect();
        Bars { bar, shown: None, blocks, units }
    }

    /// Shows where a session stands: of training, the block that learns, mean loss of the epoch so far, share of active
    /// pairs, rate, time left.
    pub(super) fn show(&mut self, stage: Stage) {
        match stage {
            Stage::Training(progress) => {
                self.bar.set_length(progress.steps_in_all);
                self.bar.set_position(progress.steps);
                // Steps of earlier sessions say nothing about the time left.
                if self.shown.replace(Bar::Training).is_none() {
                    self.bar.reset_eta();
                }
                let block = self.blocks.get(progress.stage).map_or_else(String::new, |name| {
                    format!("block {} of {}, {name}, ", progress.stage + 1, self.blocks.len())
                });
                if !self.bar.is_hidden() {
                    self.bar.set_message(format!(
                        "{block}epoch {}, loss {:.1}, active {:.0} %, {:.0} pairs/s",
                        progress.epoch,
                        progress.mean_loss,
                        100.0 * progress.active,
                        progress.pairs_per_s
                    ));
                }
                if !block.is_empty() && progress.steps.is_multiple_of(progress.steps_in_all / self.blocks.len() as u64)
                {
                    // Worth a line even where no bar shows: the block will not change any more.
                    let said = format!("{block}has learned: loss {:.1} in its last epoch", progress.mean_loss);
                    self.bar.suspend(|| warn(&said));
                }
            }
            Stage::Collapsed { head } => {
                let head = &self.units[head.index()];
                let said =
                    format!("collapsed: the embeddings of {head} no longer tell images apart; see metrics.jsonl");
                self.bar.suspend(|| warn(&said));
            }
            Stage::ReadOut { of, epoch, epochs } => {
                if self.shown.replace(Bar::ReadOut(of)) != Some(Bar::ReadOut(of)) {
                    self.clear();
                    self.bar = reading_out(of, epochs);
                }
                self.bar.set_position(epoch);
            }
        }
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

/// A bar for a read-out of `epochs` epochs.
pub(super) fn reading_out(what: Subject, epochs: u64) -> ProgressBar {
    let bar = ProgressBar::new(epochs);
    bar.set_style(style("{bar:24} reading out {msg}, {eta} left"));
    bar.set_message(what.to_string());
    bar.tick();
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("█▓░")
}
