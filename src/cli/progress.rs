//! Progress bars on standard error; none of them shows off a terminal.

use indicatif::{ProgressBar, ProgressStyle};

use super::warn;
use crate::session::{Stage, Subject};

/// The bars of a session, one after another: training, then each read-out.
pub(super) struct Bars {
    bar: ProgressBar,
    /// What the bar at hand is of, once it was shown.
    shown: Option<Bar>,
}

#[derive(PartialEq)]
enum Bar {
    Training,
    ReadOut(Subject),
}

impl Bars {
    pub(super) fn new() -> Bars {
        let bar = ProgressBar::new(0);
        bar.set_style(style("{bar:24} {msg}, {elapsed} gone, {eta} left"));
        Bars { bar, shown: None }
    }

    /// Shows where a session stands: of training, rate, time left, loss, share of active pairs.
    pub(super) fn show(&mut self, stage: Stage) {
        match stage {
            Stage::Training(progress) => {
                self.bar.set_length(progress.steps_in_all);
                self.bar.set_position(progress.steps);
                // Steps of earlier sessions say nothing about the time left.
                if self.shown.replace(Bar::Training).is_none() {
                    self.bar.reset_eta();
                }
                if !self.bar.is_hidden() {
                    self.bar.set_message(format!(
                        "epoch {}, loss {:.1}, active {:.0} %, {:.0} pairs/s",
                        progress.epoch,
                        progress.found.loss,
                        100.0 * progress.found.active_share(),
                        progress.pairs_per_s
                    ));
                }
            }
            Stage::Collapsed { .. } => {}
            Stage::ReadOut { of, epoch, epochs } => {
                if self.shown.replace(Bar::ReadOut(of)) != Some(Bar::ReadOut(of)) {
                    self.clear();
                    self.bar = reading_out(of, epochs);
                }
                self.bar.set_position(epoch);
            }
        }
    }

    /// Says something that is worth a line even where no bar shows.
    pub(super) fn warn(&self, said: &str) {
        self.bar.suspend(|| warn(said));
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
