//! Progress bars on standard error; none of them shows off a terminal.

use indicatif::{ProgressBar, ProgressStyle};

use crate::simulation::Progress;

/// A bar for training: rate, time left, loss, share of active pairs.
pub(super) fn training(pairs: usize, done: u64) -> (ProgressBar, impl FnMut(Progress)) {
    let bar = ProgressBar::new(done);
    bar.set_style(style("{bar:24} {msg}, {elapsed} gone, {eta} left"));
    bar.set_position(done);
    bar.reset_eta();
    let shown = bar.clone();
    let start = std::time::Instant::now();
    let update = move |progress: Progress| {
        if shown.is_hidden() {
            return;
        }
        shown.set_length(progress.steps_in_all);
        shown.set_position(progress.steps);
        let rate = (progress.steps - done) as f64 * pairs as f64 / start.elapsed().as_secs_f64();
        shown.set_message(format!(
            "epoch {}, loss {:.1}, active {:.0} %, {rate:.0} pairs/s",
            progress.epoch,
            progress.found.loss,
            100.0 * progress.found.active_share()
        ));
    };
    (bar, update)
}

/// A bar for a read-out of `epochs` epochs.
pub(super) fn reading_out(what: &str, epochs: u64) -> ProgressBar {
    let bar = ProgressBar::new(epochs);
    bar.set_style(style("{bar:24} reading out {msg}, {eta} left"));
    bar.set_message(what.to_string());
    bar.tick();
    bar
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("█▓░")
}
