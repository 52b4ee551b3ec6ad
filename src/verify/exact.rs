//! Rungs on which two ways of computing the same give the same bits.

use super::Found;
use super::bench::{Bench, STEPS, Taught};
use super::bits::{Bits, changed, learned};
use crate::error::{Error, Result};
use crate::learning::Rule;
use crate::locality::Slot;
use crate::network::{Feedback, FeedbackSpec, Init, NetworkSpec, Wiring};
use crate::simulation::Learning;

/// Numbers of threads that must not matter, the first of which the others are compared with.
const THREADS: [usize; 3] = [1, 2, 4];

/// The plan, which is replayed, and the live scheduler.
pub(super) fn plan_and_walk(bench: &Bench<'_>) -> Result<Found> {
    let mut planned = bench.simulation(&bench.own());
    let mut walked = planned.clone();
    let start = planned.clone();
    let mut bits = Bits::default();
    let stages = planned.stages().len();
    for stage in 0..stages {
        planned.enter(stage);
        walked.enter(stage);
        for step in 0..STEPS {
            let one = bench.subject.step(&mut planned, bench.batch(step)).loss.to_bits();
            let other = bench.subject.walk(&mut walked, bench.batch(step)).loss.to_bits();
            bits.losses(&[one], &[other]);
        }
        bits.vectors(&planned, &walked);
    }
    Ok(bits.found(format!("{STEPS} steps{}", of_each(stages)), learned(&start, &planned)))
}

/// Any number of threads.
pub(super) fn threads(bench: &Bench<'_>) -> Result<Found> {
    let own = bench.own();
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| {
            Error::usage(format!("{threads} threads cannot be started: {error}"), "free some of the machine's threads")
        })?;
        Ok(pool.install(|| {
            let mut simulation = bench.simulation(&own).sharing();
            let steps = STEPS * simulation.stages().len();
            (bench.run(&mut simulation, 0..steps), simulation)
        }))
    };
    let (losses, one) = on(THREADS[0])?;
    let mut bits = Bits::default();
    for threads in &THREADS[1..] {
        let (other_losses, other) = on(*threads)?;
        bits.losses(&losses, &other_losses);
        bits.vectors(&one, &other);
    }
    let what = format!("{STEPS} steps{} on 1, 2 and 4 threads", of_each(one.stages().len()));
    Ok(bits.found(what, learned(&bench.simulation(&own), &one)))
}

/// Fixed feedback that equals the forward weights, which it does until they learn.
pub(super) fn fixed_copy(bench: &Bench<'_>) -> Result<Found> {
    copy(bench, Wiring::Fixed, 1)
}

/// Learned feedback that equals the forward weights, which it does for ever.
pub(super) fn learned_copy(bench: &Bench<'_>) -> Result<Found> {
    copy(bench, Wiring::Learned, STEPS)
}

/// `steps` of each stage through feedback of its own that starts as a copy of the forward weights, against
/// back-propagation.
fn copy(bench: &Bench<'_>, wiring: Wiring, steps: usize) -> Result<Found> {
    let (bp, copied) = match both(bench, wiring) {
        Ok(both) => both,
        Err(reason) => return Ok(Err(reason)),
    };
    let (mut one, mut other) = (bench.simulation(&bp), bench.simulation(&copied));
    let (start, stages) = (one.clone(), one.stages().len());
    let mut bits = Bits::default();
    let losses = bench.run(&mut one, 0..steps * stages);
    bits.losses(&losses, &bench.run(&mut other, 0..steps * stages));
    bits.vectors(&one, &other);
    for id in bp.network.projection_ids() {
        let name = format!("the change of {}", bp.network.projection(id).name);
        bits.slices(&name, one.state().change(id), other.state().change(id));
    }
    if wiring == Wiring::Learned {
        for feedback in copied.network.feedback_ids() {
            let Feedback { name, partner, .. } = copied.network.answer(feedback);
            let values = |slot| other.state().values(slot);
            bits.slices(name, values(Slot::Feedback(feedback)), values(Slot::Weight(*partner)));
        }
    }
    let unit = if steps == 1 { "1 step".to_string() } else { format!("{steps} steps") };
    let what = format!("{unit}{}, {} feedback projections", of_each(stages), bp.network.feedback().len());
    let mut taught = bp.network.feedback().iter().flat_map(|feedback| bp.network.afferents(feedback.to));
    Ok(bits.found(what, taught.any(|id| changed(&start, &one, Slot::Weight(id)))))
}

/// The circuit under back-propagation, and with the same ways down through copies of the weights.
fn both(bench: &Bench<'_>, wiring: Wiring) -> std::result::Result<(Taught, Taught), String> {
    let bp = bench.under(Rule::Bp)?;
    if bp.network.feedback().is_empty() {
        return Err("no error travels: all that learns ends in a head".to_string());
    }
    let feedback = bp.network.feedback().iter().map(|feedback| copy_of(&bp, feedback, wiring)).collect();
    let spec = NetworkSpec { feedback, ..bench.experiment.spec().clone() };
    let copied = bench.taught(&spec, Learning { rule: Rule::Wired, ..bp.learning.clone() })?;
    Ok((bp, copied))
}

fn copy_of(bp: &Taught, feedback: &Feedback, wiring: Wiring) -> FeedbackSpec {
    let unit = |id| bp.network.unit(id).name.clone();
    FeedbackSpec {
        from: unit(feedback.from),
        to: unit(feedback.to),
        wiring: Some(wiring),
        partner: Some(bp.network.projection(feedback.partner).name.clone()),
        map: None,
        transfer: None,
        init: Some(Init::Symmetric),
        name: Some(feedback.name.clone()),
    }
}

/// How a number of steps goes on where there are several stages.
pub(super) fn of_each(stages: usize) -> String {
    if stages == 1 { String::new() } else { format!(" of each of {stages} blocks") }
}
