//! A network as a researcher writes it in RON: what is left out takes its default, and nothing is checked here but
//! names and types. [`Network::build`](super::Network::build) turns it into a network or says what is wrong with it.

use std::fmt;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::{Init, LinearMap, Wiring};
use crate::document::{Document, Doubts, Survey};
use crate::fault::Fault;
use crate::kernels::{Pool, Transfer};

/// `Network(...)`: units, and the projections that join them.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename = "Network", deny_unknown_fields)]
pub struct NetworkSpec {
    /// Units by name, in the order written.
    pub units: IndexMap<String, UnitSpec>,
    /// Feedforward projections.
    pub feedforward: Vec<ProjectionSpec>,
    /// Feedback projections that are written out; a learning rule may add more.
    #[serde(default)]
    pub feedback: Vec<FeedbackSpec>,
    /// Parts that may learn apart, from the input upwards; none, or all units belong to one.
    #[serde(default)]
    pub blocks: Vec<BlockSpec>,
}

/// One block of a description.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockSpec {
    /// Names of its units, the one that others build on last; relays that only the head hears may follow it.
    pub units: Vec<String>,
    /// Name of the unit on which the loss acts while the block learns by itself.
    pub head: String,
}

/// One unit of a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename = "unit", deny_unknown_fields)]
pub enum UnitSpec {
    /// Views are presented here.
    Input {
        /// Colours of a view.
        channels: usize,
        /// Rows of a view.
        height: usize,
        /// Columns of a view.
        width: usize,
    },
    /// A population whose shape follows from what projects to it.
    Unit {
        /// Pooling of the drive.
        #[serde(default)]
        pool: Pool,
        /// Transfer function after the pool.
        #[serde(default)]
        transfer: Transfer,
    },
}

/// One feedforward projection of a description.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename = "Projection", deny_unknown_fields)]
pub struct ProjectionSpec {
    /// Presynaptic unit.
    pub from: String,
    /// Postsynaptic unit.
    pub to: String,
    /// Geometry.
    pub map: LinearMap,
    /// `from->to` unless given; two projections between the same units need names of their own.
    #[serde(default)]
    pub name: Option<String>,
    /// First weights.
    #[serde(default)]
    pub init: Init,
    /// The probability with which each synapse (each weight) exists, above 0 and up to 1.
    #[serde(default = "whole")]
    pub density: f32,
    /// Whether the weights learn; they do unless told otherwise, where there are any.
    #[serde(default)]
    pub plastic: Option<bool>,
}

impl ProjectionSpec {
    /// Whether it has weights that are to learn.
    pub(super) fn is_plastic(&self) -> bool {
        self.map.has_weights() && self.plastic.unwrap_or(true)
    }
}

/// One feedback projection of a description.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename = "Feedback", deny_unknown_fields)]
pub struct FeedbackSpec {
    /// The upper unit, whose error is carried.
    pub from: String,
    /// The lower unit, which receives it.
    pub to: String,
    /// Through which weights; the learning rule's own wiring unless given.
    #[serde(default)]
    pub wiring: Option<Wiring>,
    /// Name of the feedforward projection that it answers, needed only where several join the two units.
    #[serde(default)]
    pub partner: Option<String>,
    /// The partner's geometry, for readers; nothing else is accepted. Of an inverse, its own: a transposed convolution,
    /// or a dense map; the partner's turned round unless given.
    #[serde(default)]
    pub map: Option<LinearMap>,
    /// Transfer function of an inverse; the lower unit's unless given.
    #[serde(default)]
    pub transfer: Option<Transfer>,
    /// First weights; Kaiming unless given.
    #[serde(default)]
    pub init: Option<Init>,
    /// `from->to` unless given.
    #[serde(default)]
    pub name: Option<String>,
}

fn whole() -> f32 {
    1.0
}

/// Where an experiment finds its network: written out, or in a file of its own.
#[derive(Debug, Clone, PartialEq)]
pub enum NetworkSource {
    /// `Network(...)`.
    Inline(NetworkSpec),
    /// A path, relative to the file that names it.
    File(PathBuf),
}

/// A network's description where it was found.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The description, as far as it could be read.
    pub survey: Survey<NetworkSpec>,
    /// The document that it was read from, if it has one of its own.
    pub document: Option<Document>,
}

impl NetworkSource {
    /// The description that is meant where `experiment` holds this source at `place`; `doubts` are those about the
    /// experiment. A fault if there is no such file.
    pub fn open(self, experiment: &Document, place: &str, doubts: &Doubts) -> Result<Opened, Fault> {
        let path = match self {
            NetworkSource::Inline(spec) => {
                let mut faults = Vec::new();
                // A value of one kind or another is read without its name, so that is compared here.
                if let Some(name) = experiment.value_name(place).filter(|name| *name != "Network") {
                    let problem = format!("expected `Network(...)`, found `{name}(...)`");
                    faults.push(experiment.locate(&Fault::new(place, problem, "write `Network`")));
                }
                let survey = Survey { description: Some(spec), faults, doubts: doubts.within(place) };
                return Ok(Opened { survey, document: None });
            }
            NetworkSource::File(path) => path,
        };
        let path = Path::new(experiment.name()).parent().unwrap_or(Path::new("")).join(path);
        if !path.is_file() {
            let problem = format!("there is no network file {}", path.display());
            return Err(Fault::new(place, problem, "name one; its path is relative to this file"));
        }
        let mut document = Document::read(&path)
            .map_err(|error| Fault::new(place, error.to_string(), "name a file that can be read as text"))?;
        Ok(Opened { survey: document.survey(), document: Some(document) })
    }
}

impl<'de> Deserialize<'de> for NetworkSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SourceVisitor)
    }
}

struct SourceVisitor;

impl<'de> Visitor<'de> for SourceVisitor {
    type Value = NetworkSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`Network(...)` or the path of a file that holds one, in quotes")
    }

    fn visit_str<E: de::Error>(self, path: &str) -> Result<NetworkSource, E> {
        Ok(NetworkSource::File(PathBuf::from(path)))
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<NetworkSource, A::Error> {
        NetworkSpec::deserialize(MapAccessDeserializer::new(fields)).map(NetworkSource::Inline)
    }

    // `Network()` looks like an empty tuple.
    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<NetworkSource, A::Error> {
        match entries.next_element::<de::IgnoredAny>()? {
            None => Err(de::Error::missing_field("units")),
            Some(_) => Err(de::Error::invalid_type(de::Unexpected::Seq, &self)),
        }
    }
}
