//! `synlocal distances`: how far apart a run's embeddings are, before and after training.

use std::path::PathBuf;

use super::{ArithmeticArgs, Ending, MachineArgs, say, say_json};
use crate::distances::{ViewPairs, measure};
use crate::error::Result;
use crate::kernels::Isa;
use crate::report::DistanceReport;
use crate::simulation::{
    Experiment, checkpoint_of, distances_of, experiment_of, read_manifest, write_atomically, write_json,
};

/// Images unless more or fewer are asked for: a million negative pairs.
const IMAGES: usize = 1000;

#[derive(Debug, clap::Args)]
pub(super) struct DistancesArgs {
    /// Run directory that `synlocal train` made.
    run: PathBuf,
    /// Images of which two views each are compared, the first ones of the data set [default: 1000, or all].
    #[arg(long, value_name = "N")]
    images: Option<usize>,
    #[command(flatten)]
    arithmetic: ArithmeticArgs,
    #[command(flatten)]
    machine: MachineArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl DistancesArgs {
    pub(super) fn run(self) -> Result<Ending> {
        let manifest = read_manifest(&self.run)?;
        let kept = Experiment::load_run(&experiment_of(&self.run), &manifest)?;
        let experiment = kept.changed(&self.arithmetic.assignments().collect::<Vec<_>>())?;
        // The run's own instruction set, because another rounds otherwise.
        let isa = self.machine.isa.as_deref().map_or_else(|| Isa::named(&manifest.isa), Isa::named)?;
        let report = self.machine.install(|| {
            let dataset = experiment.load_learned(&manifest.folders)?;
            let images = self.images.unwrap_or(IMAGES.min(dataset.viewed().len()));
            let views = ViewPairs::draw(&experiment, &dataset, images)?;
            let mut after = experiment.simulation(isa);
            let position = after.load(&checkpoint_of(&self.run), &manifest.experiment)?;
            let heads = measure(&experiment, &mut experiment.simulation(isa), &mut after, &views)?;
            Ok(DistanceReport {
                name: manifest.name.clone(),
                experiment: manifest.experiment.clone(),
                seed: experiment.training().seed,
                epoch: position.epoch,
                data: dataset.name.clone(),
                images,
                heads,
            })
        })?;
        let [numbers, picture] = distances_of(&self.run);
        write_atomically(&picture, report.picture().as_bytes())?;
        write_json(&numbers, &report)?;
        if self.json {
            say_json(&report)?;
        } else {
            say(&report.table())?;
            say(&format!("results in {} and {}", numbers.display(), picture.display()))?;
        }
        Ok(Ending::Done)
    }
}
