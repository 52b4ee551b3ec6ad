//! Distances of embeddings: whether learning has brought the two views of an image together and other images apart.
//!
//! Some training images are shown in two new views each, drawn from a stream of its own, so that training has seen none
//! of them. A positive pair is the stored and the current view of one image, a negative pair the stored view of one and
//! the current view of another: all such pairs count. Their L1 distances at each head are gathered in histograms, with
//! first weights and after training.

use rayon::prelude::*;
use serde::Serialize;

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::loss::distance;
use crate::network::UnitId;
use crate::rng::Stream;
use crate::simulation::{Experiment, Simulation};

/// Bins of a histogram, about.
const BINS: f64 = 40.0;

/// Distances at one head, before and after training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HeadDistances {
    /// The head.
    pub head: String,
    /// Its values, over which a distance adds up.
    pub units: usize,
    /// The loss wants positive pairs within the first and negative pairs beyond the second, if it names such.
    pub margins: Option<(f32, f32)>,
    /// With first weights.
    pub before: Distances,
    /// With the weights of the checkpoint.
    pub after: Distances,
}

/// Distances of positive and negative pairs, on one axis.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Distances {
    /// Edges of the bins, from 0 on, one more than there are bins. A bin holds its lower edge; the last one both.
    pub edges: Vec<f64>,
    /// Two views of one image.
    pub positive: Histogram,
    /// Views of two images.
    pub negative: Histogram,
    /// Share of positive pairs within the first margin, 0 to 1.
    pub positive_within: Option<f64>,
    /// Share of negative pairs beyond the second margin, 0 to 1.
    pub negative_beyond: Option<f64>,
}

/// How often each distance occurs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// Pairs.
    pub pairs: u64,
    /// Mean distance.
    pub mean: f64,
    /// Pairs in each bin.
    pub counts: Vec<u64>,
}

/// Two views of each of some images, as a network is shown them.
#[derive(Debug, Clone)]
pub struct ViewPairs {
    /// Stored views, `[sample][channel][row][column]`.
    pub stored: Vec<f32>,
    /// Current views.
    pub current: Vec<f32>,
}

impl ViewPairs {
    /// New views of the first `images` images that views are made of.
    ///
    /// # Errors
    /// There are fewer images, or fewer than two are asked for.
    pub fn draw(experiment: &Experiment, dataset: &Dataset, images: usize) -> Result<ViewPairs> {
        let found = dataset.viewed().len();
        if !(2..=found).contains(&images) {
            return Err(Error::usage(
                format!("{} has {found} images to measure distances on, and {images} were asked for", dataset.name),
                format!("use 2 to {found} --images"),
            ));
        }
        let samples: Vec<usize> = (0..images).collect();
        let stream = Stream::new(experiment.training().seed).named("distances");
        let draw = |view| {
            let mut views = vec![0.0; images * dataset.shape.len()];
            experiment.views().draw(dataset, &samples, stream, 0, view, &mut views);
            views
        };
        Ok(ViewPairs { stored: draw(0), current: draw(1) })
    }
}

/// Measures the distances at each head of an experiment, with the weights of the two simulations.
///
/// # Errors
/// Embeddings are no longer finite numbers.
pub fn measure(
    experiment: &Experiment,
    before: &mut Simulation,
    after: &mut Simulation,
    views: &ViewPairs,
) -> Result<Vec<HeadDistances>> {
    let margins = experiment.learning().loss.margins();
    let heads = experiment.network().heads().iter().map(|&head| {
        let unit = experiment.network().unit(head);
        Ok(HeadDistances {
            head: unit.name.clone(),
            units: unit.shape.len(),
            margins,
            before: at(before, head, views, margins)?,
            after: at(after, head, views, margins)?,
        })
    });
    heads.collect()
}

/// Distances at one head.
fn at(simulation: &mut Simulation, head: UnitId, views: &ViewPairs, margins: Option<(f32, f32)>) -> Result<Distances> {
    let units = simulation.network().unit(head).shape.len();
    let mut embed = |images: &[f32]| {
        let mut embeddings = Vec::new();
        simulation.encode(images, head, &mut embeddings);
        embeddings
    };
    let (stored, current) = (embed(&views.stored), embed(&views.current));
    if stored.iter().chain(&current).any(|value| !value.is_finite()) {
        return Err(Error::Diverged {
            problem: format!("embeddings at {} are no longer finite numbers", simulation.network().unit(head).name),
            remedy: "lower the learning rate and train anew".to_string(),
        });
    }
    Ok(Distances::of(&stored, &current, units, margins))
}

impl Distances {
    /// The distances between rows of `units` values; row j of both belongs to image j.
    ///
    /// # Panics
    /// If there are not as many rows of each, two or more.
    pub fn of(stored: &[f32], current: &[f32], units: usize, margins: Option<(f32, f32)>) -> Distances {
        let images = current.len() / units;
        assert!(stored.len() == current.len() && images > 1, "two or more rows of each view");
        // Distances from one current view to every stored one: a row of all pairs.
        let row = |j: usize| {
            let current = &current[j * units..][..units];
            stored.chunks(units).map(move |stored| f64::from(distance(stored, current))).enumerate()
        };
        let farthest = (0..images).into_par_iter().map(|j| row(j).map(|(_, d)| d).fold(0.0, f64::max));
        let farthest = farthest.reduce(|| 0.0, f64::max);
        let edges = edges(farthest.max(margins.map_or(0.0, |(_, beyond)| f64::from(beyond))));
        // Sums of each row first, so that their order is one on any number of threads.
        let rows: Vec<[Pile<'_>; 2]> = (0..images)
            .into_par_iter()
            .map(|j| {
                let mut piles = [Pile::new(&edges, margins, true), Pile::new(&edges, margins, false)];
                row(j).for_each(|(i, distance)| piles[usize::from(i != j)].add(distance));
                piles
            })
            .collect();
        let mut total = [Pile::new(&edges, margins, true), Pile::new(&edges, margins, false)];
        rows.iter().for_each(|row| total.iter_mut().zip(row).for_each(|(total, pile)| total.append(pile)));
        let [positive, negative] = total;
        let share = |pile: &Pile<'_>| margins.map(|_| pile.wanted as f64 / pile.pairs as f64);
        Distances {
            positive_within: share(&positive),
            negative_beyond: share(&negative),
            positive: positive.histogram(),
            negative: negative.histogram(),
            edges: edges.clone(),
        }
    }
}

/// Edges of bins of a round width, from 0 to beyond `farthest`.
fn edges(farthest: f64) -> Vec<f64> {
    let least = farthest.max(f64::from(f32::MIN_POSITIVE)) / BINS;
    let exponent = least.log10().floor() as i32;
    // Tenths are divided by ten, because no double is a tenth: 0.3, not 0.30000000000000004.
    let scaled = |number: f64| {
        let power = 10f64.powi(exponent.abs());
        if exponent < 0 { number / power } else { number * power }
    };
    let step = [1.0, 2.0, 2.5, 5.0].into_iter().find(|step| scaled(*step) >= least).unwrap_or(10.0);
    (0..=(farthest / scaled(step)).floor() as usize + 1).map(|edge| scaled(edge as f64 * step)).collect()
}

/// Distances that are being counted.
#[derive(Debug, Clone)]
struct Pile<'a> {
    edges: &'a [f64],
    margins: Option<(f32, f32)>,
    positive: bool,
    pairs: u64,
    sum: f64,
    /// Pairs that are where the loss wants them.
    wanted: u64,
    counts: Vec<u64>,
}

impl Pile<'_> {
    fn new(edges: &[f64], margins: Option<(f32, f32)>, positive: bool) -> Pile<'_> {
        let counts = vec![0; edges.len() - 1];
        Pile { edges, margins, positive, pairs: 0, sum: 0.0, wanted: 0, counts }
    }

    fn add(&mut self, distance: f64) {
        let wanted = self.margins.is_some_and(|(within, beyond)| {
            if self.positive { distance <= f64::from(within) } else { distance >= f64::from(beyond) }
        });
        let passed = self.edges[1..self.counts.len()].partition_point(|edge| *edge <= distance);
        self.counts[passed] += 1;
        self.pairs += 1;
        self.sum += distance;
        self.wanted += u64::from(wanted);
    }

    fn append(&mut self, other: &Pile<'_>) {
        self.pairs += other.pairs;
        self.sum += other.sum;
        self.wanted += other.wanted;
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
    }

    fn histogram(self) -> Histogram {
        Histogram { pairs: self.pairs, mean: self.sum / self.pairs as f64, counts: self.counts }
    }
}
