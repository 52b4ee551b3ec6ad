//! Transfer: what an encoder that learned from one data set is worth on another, beside a supervised encoder of the same
//! circuit.

use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Entry;
use super::data::data_of;
use crate::data::{Dataset, Source};
use crate::error::{Error, Result};
use crate::evaluate::{Accuracy, read_out_unit};
use crate::kernels::Isa;
use crate::network::{LinearMap, Network, UnitId};
use crate::report::DataSummary;
use crate::session::{Floors, Stage, Subject};
use crate::simulation::{Experiment, Folders, Simulation, checkpoint_of, read_manifest, write_json};

/// A second data set, on which encoders are read out that have never seen it.
#[derive(Debug)]
pub struct Second {
    dataset: Dataset,
    digest: String,
    /// Read-outs of untrained encoders, by [`Floors::digest`].
    untrained: Vec<(String, Accuracy)>,
}

/// The read-out of a run on a second data set, kept beside its folder.
#[derive(Serialize, Deserialize)]
struct Transfer {
    /// Digest of the experiment.
    experiment: String,
    /// Digest of the second data set.
    dataset: String,
    data: DataSummary,
    readout: Accuracy,
    untrained: Accuracy,
}

impl Second {
    /// Reads or draws the data set; relative paths start here.
    ///
    /// # Errors
    /// As for [`Source::load`].
    pub fn load(source: &Source) -> Result<Second> {
        let dataset = source.labelled().load(Path::new("."), None)?;
        Ok(Second { digest: dataset.digest(), dataset, untrained: Vec::new() })
    }

    /// What reports call it.
    pub fn name(&self) -> &str {
        &self.dataset.name
    }

    /// Reads the complete run in `run` out, or takes what was found before: percent of test images right, trained and
    /// untrained.
    pub(super) fn read_out(
        &mut self,
        experiment: &Experiment,
        run: &Path,
        watch: &mut dyn FnMut(Stage) -> ControlFlow<()>,
    ) -> Result<[f64; 2]> {
        let accuracies = |transfer: &Transfer| [transfer.readout.test_accuracy, transfer.untrained.test_accuracy];
        let kept = run.with_extension("transfer.json");
        let before = fs::read_to_string(&kept).ok().and_then(|text| serde_json::from_str::<Transfer>(&text).ok());
        let digest = experiment.digest();
        if let Some(before) = before.filter(|found| found.experiment == digest && found.dataset == self.digest) {
            return Ok(accuracies(&before));
        }
        let isa = Isa::named(&read_manifest(run)?.isa)?;
        self.dataset.shape = experiment.views().shape(self.dataset.train.shape());
        let (dataset, settings) = (&self.dataset, experiment.readout());
        let mut read = |mut simulation: Simulation, of| {
            let mut tell = |epoch| match watch(Stage::ReadOut { of, epoch, epochs: settings.epochs }) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(Error::Stopped),
            };
            tell(0)?;
            let (unit, seed) = (experiment.readout_unit(), experiment.training().seed);
            read_out_unit(&mut simulation, unit, dataset, settings, seed, &mut tell)
        };
        let mut trained = experiment.simulation(isa);
        trained.load(&checkpoint_of(run), &digest)?;
        let readout = read(trained, Subject::Trained)?;
        let floors = Floors::digest(experiment, &self.digest, isa);
        let untrained = match self.untrained.iter().find(|(known, _)| *known == floors) {
            Some((_, accuracy)) => accuracy.clone(),
            None => read(experiment.simulation(isa), Subject::Untrained)?,
        };
        self.untrained.push((floors, untrained.clone()));
        let transfer =
            Transfer { experiment: digest, dataset: self.digest.clone(), data: dataset.into(), readout, untrained };
        write_json(&kept, &transfer)?;
        Ok(accuracies(&transfer))
    }
}

/// Adds, for each entry, the row of the supervised encoder of the same circuit; one row does for entries that differ in
/// nothing which that encoder knows. Entries that learn nothing and those whose heads cannot name classes stay without. `data` are folders of their data sets, `optimizer` stands in for
/// those of the files.
///
/// # Errors
/// Of all entries whose labels cannot be loaded.
pub fn add_supervised(
    entries: &mut Vec<Entry>,
    data: &[PathBuf],
    optimizer: Option<&str>,
) -> std::result::Result<(), Vec<Error>> {
    let (mut rows, mut errors) = (Vec::<(String, Entry)>::new(), Vec::new());
    let first = entries.len();
    for entry in entries.iter_mut().filter(|entry| can_be_supervised(&entry.experiment)) {
        let data = data_of(&entry.experiment, data);
        let taught = Folders::of(&entry.experiment, &data).and_then(|folders| {
            let classes = entry.experiment.load_learned(&folders)?.classes.len();
            let taught = supervised(&entry.experiment, classes, optimizer)?;
            taught.load_learned(&folders)?;
            Ok(taught)
        });
        let taught = match taught {
            Ok(taught) => taught,
            Err(error) => {
                errors.push(Error::usage(format!("{} supervised: {error}", entry.name), "or leave out --to"));
                continue;
            }
        };
        let key = identity(&taught);
        let row = rows.iter().position(|(known, _)| *known == key).unwrap_or_else(|| {
            let mut row = Entry::new(format!("{}-supervised", entry.name), taught.clone(), &taught);
            (row.images, row.asked_data) = (entry.images, entry.asked_data.clone());
            let stages = entry.experiment.stages().len();
            let staging = entry.experiment.learning().staging;
            row.epochs.asked = entry.epochs.asked.map(|asked| staging.epochs(asked, stages));
            (row.readout_images, row.readout_epochs) = (entry.readout_images, entry.readout_epochs);
            rows.push((key, row));
            rows.len() - 1
        });
        entry.supervised = Some(first + row);
    }
    entries.extend(rows.into_iter().map(|(_, row)| row));
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Whether a supervised encoder could stand beside that of `experiment`.
fn can_be_supervised(experiment: &Experiment) -> bool {
    let network = experiment.network();
    let classifies = |&head: &UnitId| classifier(network, head, 1).is_ok();
    experiment.training().epochs > 0 && heads_in_use(experiment).iter().all(classifies)
}

/// The heads that are in use once all of the network learns together: where blocks learn apart, the last alone.
fn heads_in_use(experiment: &Experiment) -> &[UnitId] {
    let heads = experiment.network().heads();
    if experiment.learning().staging.is_blockwise() { &heads[heads.len() - 1..] } else { heads }
}

/// All that a supervised encoder knows of its experiment.
fn identity(taught: &Experiment) -> String {
    let network = taught.network();
    let circuit = (network.units(), network.feedforward(), taught.readout());
    format!("{:?}", (circuit, taught.learning(), taught.source(), taught.views(), taught.training()))
}

/// The experiment in which the same circuit is taught classes: by back-propagation of cross-entropy through the whole
/// network, on the labels of the current view, for as many epochs as all blocks of the original together. The maps that
/// end in its heads get a unit for each class, feedback that is written out is left out, and the same unit is read out.
///
/// # Errors
/// A map that ends in a head is not dense, or the changed experiment has faults.
pub fn supervised(experiment: &Experiment, classes: usize, optimizer: Option<&str>) -> Result<Experiment> {
    let (network, staging) = (experiment.network(), experiment.learning().staging);
    let epochs = staging.epochs(experiment.training().epochs, experiment.stages().len());
    let mut changes = vec![
        "learning.rule=Bp".to_string(),
        "learning.loss=CrossEntropy()".to_string(),
        "learning.staging=EndToEnd".to_string(),
        "learning.targets=None".to_string(),
        "network.feedback=[]".to_string(),
        "published=None".to_string(),
        "audit=None".to_string(),
        format!("readout.unit={:?}", network.unit(experiment.readout_unit()).name),
        format!("training.epochs={epochs}"),
        "training.seed=1".to_string(),
    ];
    changes.extend(optimizer.map(|optimizer| format!("learning.optimizer={optimizer}")));
    for &head in heads_in_use(experiment) {
        changes.extend(classifier(network, head, classes)?);
    }
    experiment.changed(&changes)
}

/// What makes a head name classes.
fn classifier(network: &Network, head: UnitId, classes: usize) -> Result<Vec<String>> {
    let name = &network.unit(head).name;
    let mut changes = vec![format!("network.units[{name:?}]=Unit()")];
    for projection in network.afferents(head) {
        if !matches!(network.projection(projection).map, LinearMap::Dense { .. }) {
            return Err(Error::usage(
                format!("{} ends in head {name:?}, but is not dense", network.projection(projection).name),
                "a head that names classes takes Dense(units: ...)",
            ));
        }
        changes.push(format!("network.feedforward[{}].map.units={classes}", projection.index()));
    }
    Ok(changes)
}
