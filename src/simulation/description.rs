//! What an experiment file says, and all that is wrong with it: file by file, each part by itself and together.

use serde::Deserialize;

use super::experiment::{Learning, Training};
use super::heads;
use super::instruments::{self, Instruments};
use super::{Published, Readout};
use crate::data::{Source, Views};
use crate::document::{Document, Doubts, Report, Survey};
use crate::error::Result;
use crate::fault::{Fault, did_you_mean};
use crate::lint::Policy;
use crate::network::{Network, NetworkSource, NetworkSpec, Opened, Teaching, UnitId, Wiring};

/// What an experiment file holds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename = "Experiment")]
pub(super) struct Description {
    pub(super) network: NetworkSource,
    #[serde(default)]
    pub(super) learning: Learning,
    pub(super) data: Source,
    #[serde(default)]
    pub(super) views: Views,
    #[serde(default)]
    pub(super) training: Training,
    #[serde(default)]
    pub(super) readout: Readout,
    #[serde(default)]
    pub(super) published: Option<Published>,
    #[serde(default)]
    pub(super) instruments: Option<Instruments>,
    #[serde(default)]
    pub(super) audit: Option<Policy>,
}

/// An experiment without faults.
pub(super) struct Described {
    pub(super) description: Description,
    pub(super) spec: NetworkSpec,
    pub(super) network: Network,
    /// The same as back-propagation would wire it, if instruments set it against that.
    pub(super) reference: Option<Network>,
    /// The network's own document, if it has one.
    pub(super) shared: Option<Document>,
    pub(super) readout_unit: UnitId,
}

/// A network's description, the network, its counterpart under back-propagation, and its own document.
type Built = (NetworkSpec, Network, Option<Network>, Option<Document>);

impl Description {
    /// Reads an experiment file and, if it names one, its network file.
    ///
    /// # Errors
    /// All faults of both.
    pub(super) fn read(document: &mut Document) -> Result<Described> {
        let mut report = Report::default();
        let Survey { description, faults, doubts } = document.survey::<Description>();
        report.add(document, faults);
        let Some(description) = description else { return Err(report.into_error()) };
        report.add(document, description.faults(&doubts).iter().map(|fault| document.locate(fault)));
        let built = description.network(document, &doubts, &mut report);
        let Some((spec, network, reference, shared)) = built else { return Err(report.into_error()) };
        if !doubts.touch("learning.loss") && !doubts.touch("learning.heads") {
            let unfit = heads::faults(&description.learning.loss, &network);
            report.add(document, unfit.into_iter().map(|fault| document.locate(&fault.within("learning.loss"))));
        }
        let readout_unit = description.readout_unit(&network);
        if readout_unit.is_none() && description.readout.unit.is_none() && !doubts.touch("learning.heads") {
            report.add(document, [document.locate(&nothing_to_read_out())]);
        }
        let Some(readout_unit) = readout_unit else { return Err(report.into_error()) };
        report.finish()?;
        Ok(Described { description, spec, network, reference, shared, readout_unit })
    }

    /// Faults of all parts but the network.
    fn faults(&self, doubts: &Doubts) -> Vec<Fault> {
        let within = |part: &'static str, faults: Vec<Fault>| faults.into_iter().map(move |fault| fault.within(part));
        let mut faults: Vec<Fault> = within("learning.loss", self.learning.loss.faults())
            .chain(within("learning.optimizer", self.learning.optimizer.faults()))
            .chain(within("data", self.data.faults()))
            .chain(within("views", self.views.faults()))
            .chain(within("readout", self.readout.faults()))
            .collect();
        if let Some(targets) = &self.learning.targets {
            faults.extend(within("learning.targets", targets.faults()));
            if !self.learning.propagates_targets() && !doubts.touch("learning.rule") {
                let problem = format!("the rule {} propagates no targets", self.learning.rule.name());
                faults.push(Fault::new("learning.targets", problem, "remove targets, or use rule: Dtp"));
            }
        }
        if self.learning.staging.is_blockwise() && self.learning.heads.is_some() && !doubts.touch("learning.staging") {
            let problem = "blocks that learn apart each have a head of their own";
            faults.push(Fault::new("learning.heads", problem, "remove heads, or learn EndToEnd"));
        }
        faults.extend(Training::pairs_fault(self.training.pairs));
        let published = self.published.as_ref().map_or_else(Vec::new, Published::faults);
        faults.extend(within("published", published));
        faults.extend(within("audit", self.audit.as_ref().map_or_else(Vec::new, Policy::faults)));
        faults.extend(self.instruments.and_then(Instruments::fault));
        faults.retain(|fault| !doubts.touch(&fault.place));
        faults
    }

    /// The network with its description and its counterpart, and the document that it was read from if it has one of
    /// its own. None if anything about it is wrong or doubtful; what is wrong goes into the report.
    fn network(&self, document: &Document, doubts: &Doubts, report: &mut Report) -> Option<Built> {
        if doubts.cover("network") {
            return None;
        }
        let opened = self.network.clone().open(document, "network", doubts);
        let Opened { survey, document: shared } =
            opened.map_err(|fault| report.add(document, [document.locate(&fault)])).ok()?;
        let home = shared.as_ref().unwrap_or(document);
        let Some(spec) = survey.description else {
            report.add(home, survey.faults);
            return None;
        };
        let mut unclear = survey.doubts;
        let teaching = self.teaching(doubts, &spec, &mut unclear);
        let (network, faults) = match Network::examine(&spec, &unclear, teaching) {
            Ok(network) => (Some(network), Vec::new()),
            Err(faults) => (None, faults),
        };
        // What is wrong with the list of heads has no place in the network.
        let (heads, faults): (Vec<Fault>, Vec<Fault>) = faults.into_iter().partition(|fault| fault.place.is_empty());
        let mut own: Vec<Fault> = heads.into_iter().map(|fault| fault.within("learning.heads")).collect();
        own.extend(self.unknown_readout(&spec).filter(|_| !unclear.cover("units")));
        own.extend(self.staging_fault(&spec).filter(|_| !unclear.cover("blocks")));
        own.retain(|fault| !doubts.touch(&fault.place));
        report.add(document, own.iter().map(|fault| document.locate(fault)));
        report.add(home, survey.faults);
        let placed = |fault: Fault| if shared.is_some() { fault } else { fault.within("network") };
        report.add(home, faults.into_iter().map(|fault| home.locate(&placed(fault))));
        let network = network?;
        let reference = self.instruments.map(|_| instruments::reference(&spec, &self.learning)).transpose();
        let reference = reference.unwrap_or_else(|faults| {
            report.add(document, faults.iter().map(|fault| document.locate(fault)));
            None
        });
        Some((spec, network, reference, shared))
    }

    /// What the learning asks of the network. Where that is doubtful, what asks for nothing; and what the network may
    /// owe to it becomes doubtful, too.
    fn teaching(&self, doubts: &Doubts, spec: &NetworkSpec, unclear: &mut Doubts) -> Teaching<'_> {
        let mut teaching = self.learning.teaching();
        if doubts.touch("learning.rule") {
            (teaching.wiring, teaching.top) = (Some(Wiring::Fixed), None);
        }
        if ["rule", "heads", "targets.top"].iter().any(|part| doubts.touch(&format!("learning.{part}"))) {
            (0..spec.feedback.len()).for_each(|index| unclear.add(format!("feedback[{index}].wiring")));
        }
        if doubts.touch("learning.staging") {
            unclear.add("blocks");
        }
        teaching.heads = teaching.heads.filter(|_| !doubts.touch("learning.heads"));
        teaching
    }

    /// The fault of a staging by blocks where there are none.
    fn staging_fault(&self, spec: &NetworkSpec) -> Option<Fault> {
        (self.learning.staging.is_blockwise() && spec.blocks.is_empty()).then(|| {
            let remedy = "add blocks: [(units: [\"v1\"], head: \"h1\"), ...] to the network, or learn EndToEnd";
            Fault::new("learning.staging", "the network has no blocks that could learn apart", remedy)
        })
    }

    /// The fault of a read-out that names no unit of the network.
    fn unknown_readout(&self, spec: &NetworkSpec) -> Option<Fault> {
        let name = self.readout.unit.as_deref().filter(|name| !spec.units.contains_key(*name))?;
        let remedy = did_you_mean(name, spec.units.keys().map(String::as_str));
        Some(Fault::new("readout.unit", format!("there is no unit {name:?}"), remedy))
    }

    /// The unit to read out: the one named, or the top below the last head, unless that is an input.
    fn readout_unit(&self, network: &Network) -> Option<UnitId> {
        if let Some(name) = &self.readout.unit {
            return network.find(name);
        }
        let top = network.heads().last().and_then(|&head| network.top_below(head));
        top.filter(|&unit| !network.unit(unit).input)
    }
}

/// The fault of a network whose last head stands on an input, where nothing is learned to be read out.
fn nothing_to_read_out() -> Fault {
    Fault::new(
        "readout",
        "no unit that learns stands below the last head",
        "name the unit to read out, as in readout: (unit: \"v1\")",
    )
}
