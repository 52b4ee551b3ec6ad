//! How fast the beats of a learning step are: the steps of the plan, and those that are taken in one go.

use serde::Serialize;

use super::{EdgeWork, StepSpeed, median};
use crate::kernels::Peak;
use crate::locality::Work;
use crate::schedule::Line;

/// What was counted of one beat over many learning steps.
#[derive(Debug, Clone, PartialEq)]
pub struct BeatTimes {
    /// The steps of the plan that are taken in one go.
    pub steps: Vec<Line>,
    /// How long it took each time, seconds.
    pub times: Vec<f64>,
    /// Multiply-adds of all times.
    pub work: Work,
    /// Events of the packets that it made or used.
    pub events: u64,
    /// Values that could have been events; 0 for a beat without a packet.
    pub values: u64,
    /// Bytes of its operands, each read or written once.
    pub bytes: u64,
}

/// Time and work of one beat.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BeatSpeed {
    /// The steps of the plan that are taken in one go.
    pub steps: Vec<Line>,
    /// Median time, seconds.
    pub median_s: f64,
    /// Its share of the median times of all beats.
    pub share: f64,
    /// Multiply-adds done in a learning step, as the definition counts them.
    pub done: u64,
    /// Multiply-adds that no event asked for.
    pub skipped: u64,
    /// 10^9 floating-point operations a second at the median: two for each multiply-add that the definition asks for.
    /// What gets the same result with fewer, as Winograd's convolution does, may be above the peak.
    pub effective_gflop_per_s: Option<f64>,
    /// The same as a share of the measured peak.
    pub share_of_peak: Option<f64>,
    /// Floating-point operations of the definition for each byte of the operands, read or written once.
    pub flop_per_byte: Option<f64>,
    /// Share of the values of the packet at hand that are events.
    pub event_density: Option<f64>,
    /// Median time by plain sums over everything, seconds, if that was timed in turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain_median_s: Option<f64>,
    /// How many times as long that takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain_ratio: Option<f64>,
}

impl BeatSpeed {
    /// The speeds of all beats of a learning step, of each of which one or more times are given; `plain` are the same
    /// beats by plain sums.
    pub fn list(beats: Vec<BeatTimes>, plain: Option<&[BeatTimes]>, peak: Peak) -> Vec<BeatSpeed> {
        let whole: f64 = beats.iter().map(|beat| median(&beat.times)).sum();
        let speed = |(nth, beat): (usize, BeatTimes)| {
            let (median_s, steps) = (median(&beat.times), beat.times.len() as u64);
            let both = (beat.work.done + beat.work.skipped) / steps;
            let done = beat.work.done / steps;
            let flop = (both > 0).then_some(2.0 * done as f64);
            let plain_median_s = plain.map(|plain| median(&plain[nth].times));
            BeatSpeed {
                steps: beat.steps,
                median_s,
                share: median_s / whole,
                done,
                skipped: both - done,
                effective_gflop_per_s: flop.map(|flop| 1e-9 * flop / median_s),
                share_of_peak: flop.map(|flop| flop / median_s / (2.0 * peak.multiply_adds)),
                flop_per_byte: flop.map(|flop| flop / beat.bytes as f64),
                event_density: (beat.values > 0).then(|| beat.events as f64 / beat.values as f64),
                plain_median_s,
                plain_ratio: plain_median_s.map(|plain| plain / median_s),
            }
        };
        beats.into_iter().enumerate().map(speed).collect()
    }

    /// What is taken, and of which view: `drive+fire v1->v2`, `current`.
    pub fn name(&self) -> (String, &'static str) {
        let verbs: Vec<&str> = self.steps.iter().map(|line| line.verb).collect();
        let first = self.steps.first();
        let subject = first.map_or("", |line| line.subject.as_str());
        (format!("{} {subject}", verbs.join("+")), first.and_then(|line| line.view).unwrap_or_default())
    }
}

/// What was counted of many learning steps of one kind.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StepTimes {
    /// How long each took, seconds.
    pub times: Vec<f64>,
    /// Multiply-adds of all of them, for each projection and verb.
    pub edges: Vec<EdgeWork>,
    /// Their beats.
    pub beats: Vec<BeatTimes>,
}

impl StepTimes {
    /// How fast these steps of `pairs` pairs are, with the same by plain sums beside it, if that was timed in turn.
    pub fn speed(self, pairs: usize, plain: Option<&StepTimes>, peak: Peak) -> StepSpeed {
        let plain_beats = plain.map(|plain| plain.beats.as_slice());
        let mut speed = StepSpeed::new(pairs, self.times, self.edges);
        speed.plain_median_s = plain.map(|plain| median(&plain.times));
        speed.plain_ratio = speed.plain_median_s.map(|plain| plain / speed.median_s);
        speed.beats = BeatSpeed::list(self.beats, plain_beats, peak);
        speed
    }
}
