//! The rung on which a run that was interrupted goes on as if it had not been.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Found;
use super::bench::{Bench, STEPS, Taught};
use super::bits::{Bits, learned};
use super::exact::of_each;
use crate::error::{Error, Result};
use crate::simulation::{Position, Simulation, Trainer, Training};

/// A run straight through against one that goes through a checkpoint half way: by bare steps, and by the trainer.
pub(super) fn climb(bench: &Bench<'_>) -> Result<Found> {
    let folder = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
    let file = folder.path().join("checkpoint.safetensors");
    let own = bench.own();
    let mut bits = Bits::default();
    let straight = bare(bench, &own, &file, &mut bits)?;
    trained(bench, &own, &file, &mut bits)?;
    let what = format!("{STEPS} steps{} and {STEPS} of the trainer", of_each(straight.stages().len()));
    Ok(bits.found(what, learned(&bench.simulation(&own), &straight)))
}

/// Returns what went straight through.
fn bare(bench: &Bench<'_>, own: &Taught, file: &Path, bits: &mut Bits) -> Result<Simulation> {
    let mut straight = bench.simulation(own);
    let stages = straight.stages().len();
    let (half, all) = (STEPS / 2 * stages, STEPS * stages);
    let losses = bench.run(&mut straight, 0..all);
    let mut first = bench.simulation(own);
    let mut parts = bench.run(&mut first, 0..half);
    let (mut second, _) = through(bench, own, &first, &Position::default(), file)?;
    parts.extend(bench.run(&mut second, half..all));
    bits.losses(&losses, &parts);
    bits.vectors(&straight, &second);
    Ok(straight)
}

fn trained(bench: &Bench<'_>, own: &Taught, file: &Path, bits: &mut Bits) -> Result<()> {
    let (straight, position) = train(bench, bench.simulation(own), Position::default(), STEPS)?;
    let (first, half) = train(bench, bench.simulation(own), Position::default(), STEPS / 2)?;
    let (second, half) = through(bench, own, &first, &half, file)?;
    let (second, end) = train(bench, second, half, STEPS / 2)?;
    bits.count("the place in time", 1, usize::from(position == end));
    bits.vectors(&straight, &second);
    Ok(())
}

/// A new simulation that takes over from another through a file.
fn through(
    bench: &Bench<'_>,
    own: &Taught,
    from: &Simulation,
    position: &Position,
    file: &Path,
) -> Result<(Simulation, Position)> {
    let digest = bench.experiment.digest();
    bench.subject.save(from, file, &digest, position)?;
    let mut simulation = bench.simulation(own);
    // Nothing may be right but for what the file holds.
    for tensor in simulation.tensors() {
        let spoilt: Vec<f32> = simulation.state().values(tensor.slot).iter().map(|value| 2.0 * value).collect();
        simulation.set(&tensor.name, &spoilt)?;
    }
    let position = bench.subject.load(&mut simulation, file, &digest)?;
    Ok((simulation, position))
}

/// The trainer takes so many steps from `position` on.
fn train(
    bench: &Bench<'_>,
    simulation: Simulation,
    position: Position,
    steps: usize,
) -> Result<(Simulation, Position)> {
    // As many epochs as steps are enough, for each has a batch.
    let own = bench.experiment.training();
    let training = Training { pairs: bench.pairs, epochs: own.epochs.max(STEPS as u64), ..own.clone() };
    let mut trainer = Trainer::new(simulation, &bench.dataset, bench.views, training, position)?;
    let (stop, mut left) = (AtomicBool::new(false), steps);
    let mut count = |_| {
        left -= 1;
        stop.store(left == 0, Ordering::Relaxed);
    };
    trainer.run(&stop, &mut count, &mut |_, _| Ok(()))?;
    let position = trainer.position().clone();
    Ok((trainer.into_simulation(), position))
}
