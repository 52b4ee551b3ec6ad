//! From geometry to kernels: the one place that knows which kernels drive, carry and learn for each linear map, and
//! what they ask of the layouts at its two ends. A transposed convolution turns every one of a convolution's kernels
//! round: it drives as that carries, carries as that drives, and learns with the two ends swapped.

use crate::kernels::arithmetic::{Arithmetic, Convolution, Errors};
use crate::kernels::pointwise::relay;
use crate::kernels::{
    Correlation, EventCarry, EventCorrelation, Input, Isa, Layout, LocalCorrelation, Outcome, PacketLayout, Packets,
    Pool, Product, Winograd, WinogradCorrelation, sum_over_positions, sum_over_samples,
};
use crate::network::LinearMap;

/// How values travel from one population to another.
#[derive(Debug, Clone)]
pub(super) enum Pathway {
    /// Each that arrives is a weighted sum.
    Weighted(Product),
    /// The same, computed tile by tile with fewer multiplications.
    Tiled(Winograd),
    /// The same for errors: event by event where packets are sparse, else by the tiles or, without, by the product whose
    /// weights events meet too.
    Eventful { events: EventCarry, product: Box<Product>, tiles: Option<Winograd> },
    /// Each arrives at one place, as it was but for a common factor.
    Relayed { from: Layout, to: Layout, scale: f32 },
}

impl Pathway {
    /// The same, with a factor where no weights could hold it.
    pub(super) fn scaled(mut self, factor: f32) -> Pathway {
        if let Pathway::Relayed { scale, .. } = &mut self {
            *scale = factor;
        }
        self
    }

    /// Floats of the packed weights.
    pub(super) fn packed_len(&self) -> usize {
        match self {
            Pathway::Weighted(product) => product.packed_len(),
            Pathway::Tiled(tiles) => tiles.packed_len(),
            Pathway::Eventful { product, tiles, .. } => {
                product.packed_len() + tiles.as_ref().map_or(0, Winograd::packed_len)
            }
            Pathway::Relayed { .. } => 0,
        }
    }

    /// Brings plain weights into the order in which [`Pathway::run`] reads them.
    pub(super) fn pack(&self, isa: Isa, weights: &[f32], packed: &mut [f32]) {
        match self {
            Pathway::Weighted(product) => product.pack(isa, weights, packed),
            Pathway::Tiled(tiles) => tiles.pack(isa, weights, packed),
            Pathway::Eventful { product, tiles, .. } => {
                let (packed, tiled) = packed.split_at_mut(product.packed_len());
                product.pack(isa, weights, packed);
                tiles.iter().for_each(|tiles| tiles.pack(isa, weights, tiled));
            }
            Pathway::Relayed { .. } => {}
        }
    }

    /// Multiply-adds of one sample.
    pub(super) fn multiply_adds(&self) -> u64 {
        match self {
            Pathway::Weighted(product) => product.multiply_adds(),
            Pathway::Eventful { product, .. } => product.multiply_adds(),
            Pathway::Tiled(tiles) => tiles.multiply_adds(),
            Pathway::Relayed { .. } => 0,
        }
    }

    /// Whether a population with this pool can fire while it is driven.
    pub(super) fn fires(&self, pool: Pool) -> bool {
        match self {
            Pathway::Weighted(product) => product.is_brief(),
            Pathway::Tiled(_) => Winograd::fires(pool),
            Pathway::Eventful { .. } | Pathway::Relayed { .. } => false,
        }
    }

    /// Whether a population can gate its error while these packets are carried to it.
    pub(super) fn gates(&self, packets: Packets<'_>) -> bool {
        match self {
            Pathway::Weighted(product) => product.is_brief(),
            Pathway::Tiled(_) => true,
            Pathway::Eventful { .. } => !self.goes_by_events(packets),
            Pathway::Relayed { .. } => false,
        }
    }

    /// Whether these packets travel event by event, because that is the faster way.
    pub(super) fn goes_by_events(&self, packets: Packets<'_>) -> bool {
        match self {
            Pathway::Eventful { tiles: Some(_), .. } => packets.density() < EventCarry::DENSEST_BESIDE_TILES,
            Pathway::Eventful { tiles: None, .. } => packets.density() < EventCarry::DENSEST,
            _ => false,
        }
    }

    /// Sends a batch on its way.
    pub(super) fn run(&self, isa: Isa, packed: &[f32], input: Input<'_>, bias: Option<&[f32]>, outcome: Outcome<'_>) {
        match (self, input, outcome) {
            (Pathway::Weighted(product), input, outcome) => product.run(isa, packed, input, bias, outcome),
            (Pathway::Tiled(tiles), input, outcome) => tiles.run(isa, packed, input, bias, outcome),
            (Pathway::Eventful { events, product, tiles }, input, outcome) => {
                let (packed, tiled) = packed.split_at(product.packed_len());
                match (input, outcome, tiles) {
                    (Input::Packets(packets), Outcome::Sums(sum, sums), _) if self.goes_by_events(packets) => {
                        events.run(isa, packed, packets, sum, sums);
                    }
                    (input, outcome, Some(tiles)) => tiles.run(isa, tiled, input, bias, outcome),
                    (input, outcome, None) => product.run(isa, packed, input, bias, outcome),
                }
            }
            (
                &Pathway::Relayed { from, to, scale },
                Input::Values(values) | Input::Packets(Packets { values, .. }),
                Outcome::Sums(sum, sums),
            ) => relay(isa, scale, (values, from), (sums, to), sum),
            (Pathway::Relayed { .. }, ..) => unreachable!("a relay is done before its unit fires or gates"),
        }
    }
}

/// The kernel that turns values laid out like `from` into a drive laid out like `to`.
pub(super) fn drive(map: LinearMap, from: Layout, to: Layout, arithmetic: Arithmetic) -> Pathway {
    Pathway::Weighted(match map {
        LinearMap::Dense { .. } => Product::dense(from, to),
        LinearMap::Conv { kernel, stride, pad, .. } if is_tiled(from, to, kernel, stride, arithmetic) => {
            return Pathway::Tiled(Winograd::conv(from, to, pad));
        }
        LinearMap::Conv { kernel, stride, pad, .. } => Product::conv(from, to, kernel, stride, pad),
        LinearMap::Local { kernel, stride, pad, .. } => Product::local(from, to, kernel, stride, pad),
        LinearMap::TransposedConv { kernel, stride, pad, .. } => {
            Product::conv_carry(PacketLayout::whole(from), to, kernel, stride, pad)
        }
        LinearMap::OneToOne => return Pathway::Relayed { from, to, scale: 1.0 },
    })
}

/// The way back of [`drive`]: from an error at its drive to an error at the values that it read, by the same weights.
pub(super) fn carry(map: LinearMap, from: PacketLayout, to: Layout, arithmetic: Arithmetic) -> Pathway {
    Pathway::Weighted(match map {
        LinearMap::Dense { .. } => Product::dense_carry(from.drive, to),
        LinearMap::Conv { kernel, stride, pad, .. } => {
            let product = Product::conv_carry(from, to, kernel, stride, pad);
            let tiled = is_tiled(from.drive, to, kernel, stride, arithmetic);
            let tiles = tiled.then(|| Winograd::conv_carry(from, to, pad));
            if arithmetic.errors == Errors::Events && EventCarry::suits(kernel, stride) {
                let (events, product) = (EventCarry::new(from, to, pad), Box::new(product));
                return Pathway::Eventful { events, product, tiles };
            }
            return tiles.map_or(Pathway::Weighted(product), Pathway::Tiled);
        }
        LinearMap::Local { kernel, stride, pad, .. } => Product::local_carry(from.drive, to, kernel, stride, pad),
        LinearMap::TransposedConv { kernel, stride, pad, .. } => Product::conv(from.drive, to, kernel, stride, pad),
        LinearMap::OneToOne => return Pathway::Relayed { from: from.drive, to, scale: 1.0 },
    })
}

/// Whether a convolution between such maps is computed tile by tile.
fn is_tiled(from: Layout, to: Layout, kernel: usize, stride: usize, arithmetic: Arithmetic) -> bool {
    arithmetic.convolution == Convolution::Winograd && Winograd::suits(from, to, kernel, stride)
}

/// The kernel that correlates activity with the error at the drive.
pub(super) fn learn(map: LinearMap, activity: Layout, error: PacketLayout, arithmetic: Arithmetic) -> Pairing {
    match map {
        LinearMap::Dense { .. } => Pairing::straight(Correlation::dense(activity, error.drive)),
        LinearMap::Conv { kernel, stride, pad, .. } => {
            let events = arithmetic.errors == Errors::Events && EventCorrelation::suits(activity, kernel);
            let tiles = is_tiled(activity, error.drive, kernel, stride, arithmetic);
            Pairing::Straight {
                plain: Correlation::conv(activity, error, kernel, stride, pad),
                events: events.then(|| EventCorrelation::new(activity, error, stride, pad)),
                tiles: tiles.then(|| Box::new(WinogradCorrelation::new(activity, error, pad))),
            }
        }
        LinearMap::Local { kernel, stride, pad, .. } => {
            Pairing::Local(LocalCorrelation::new(activity, error.drive, kernel, stride, pad))
        }
        LinearMap::TransposedConv { kernel, stride, pad, .. } => {
            Pairing::Swapped(Correlation::conv(error.drive, PacketLayout::whole(activity), kernel, stride, pad))
        }
        LinearMap::OneToOne => unreachable!("without weights nothing learns"),
    }
}

/// Whether all kernels that read packets of this map can do with pooled ones.
pub(super) fn reads_pooled(map: LinearMap) -> bool {
    matches!(map, LinearMap::Conv { .. })
}

/// The kernel by which an inverse learns whose way down is the [`carry`] of `map`: it correlates the upper unit's
/// activity with an error at what it says below.
pub(super) fn learn_back(map: LinearMap, activity: Layout, error: Layout) -> Pairing {
    match learn(map, error, PacketLayout::whole(activity), Arithmetic::PLAIN) {
        Pairing::Straight { plain, .. } => Pairing::Swapped(plain),
        Pairing::Swapped(correlation) => Pairing::straight(correlation),
        Pairing::Local(_) => unreachable!("an inverse is the way back of a convolution or a dense map"),
    }
}

/// The halo that [`drive`] and [`learn`] read around the activity.
pub(super) fn activity_halo(map: LinearMap) -> usize {
    match map {
        LinearMap::Dense { .. } | LinearMap::OneToOne => 0,
        LinearMap::Conv { pad, .. } | LinearMap::Local { pad, .. } => pad,
        LinearMap::TransposedConv { kernel, stride, pad, .. } => Product::carry_halo(kernel, stride, pad),
    }
}

/// Whether [`drive`] or [`learn`] reads the activity in whole vectors, which an input's layout may be too narrow for.
pub(super) fn reads_whole_vectors(map: LinearMap) -> bool {
    matches!(map, LinearMap::TransposedConv { .. } | LinearMap::OneToOne)
}

/// The halo that [`carry`] reads around the error.
pub(super) fn carry_halo(map: LinearMap) -> usize {
    match map {
        LinearMap::Dense { .. } | LinearMap::Local { .. } | LinearMap::OneToOne => 0,
        LinearMap::Conv { kernel, stride, pad, .. } => Product::carry_halo(kernel, stride, pad),
        LinearMap::TransposedConv { pad, .. } => pad,
    }
}

/// The halo that [`learn`] reads around the error.
pub(super) fn learn_halo(map: LinearMap) -> usize {
    match map {
        LinearMap::Dense { .. } | LinearMap::Conv { .. } | LinearMap::Local { .. } | LinearMap::OneToOne => 0,
        LinearMap::TransposedConv { pad, .. } => pad,
    }
}

/// How presynaptic activity is paired with postsynaptic error.
#[derive(Debug, Clone)]
pub(super) enum Pairing {
    /// Windows of the activity with single errors: event by event where packets are sparse, else by tiles or, without,
    /// all of them.
    Straight { plain: Correlation, events: Option<EventCorrelation>, tiles: Option<Box<WinogradCorrelation>> },
    /// Windows of the error with single activities.
    Swapped(Correlation),
    /// As straight, but each position by itself.
    Local(LocalCorrelation),
}

impl Pairing {
    /// All windows with all errors.
    fn straight(plain: Correlation) -> Pairing {
        Pairing::Straight { plain, events: None, tiles: None }
    }

    /// Floats of scratch that batches of up to `samples` need.
    pub(super) fn scratch_len(&self, samples: usize) -> usize {
        match self {
            Pairing::Straight { plain, events, tiles } => {
                let events = events.as_ref().map_or(0, |events| events.scratch_len(samples));
                let tiles = tiles.as_ref().map_or(0, |tiles| tiles.scratch_len(samples));
                plain.scratch_len(samples).max(events).max(tiles)
            }
            Pairing::Swapped(correlation) => correlation.scratch_len(samples),
            Pairing::Local(correlation) => correlation.scratch_len(),
        }
    }

    /// Whether these packets are gone through event by event, because that is the faster way.
    pub(super) fn goes_by_events(&self, packets: Packets<'_>) -> bool {
        match self {
            Pairing::Straight { events: Some(_), tiles, .. } => {
                packets.density() < EventCorrelation::densest(packets.layout, tiles.is_some())
            }
            _ => false,
        }
    }

    /// Adds error x activity, summed over the batch, to the change of the weights.
    pub(super) fn run(
        &self,
        isa: Isa,
        activity: Packets<'_>,
        error: Packets<'_>,
        scratch: &mut [f32],
        change: &mut [f32],
    ) {
        match self {
            Pairing::Straight { plain, events, tiles } => match (events, tiles) {
                (Some(events), _) if self.goes_by_events(error) => {
                    events.run(isa, activity.values, error, scratch, change);
                }
                (_, Some(tiles)) => tiles.run(isa, activity.values, error, scratch, change),
                (_, None) => plain.run(isa, activity.values, error, scratch, change),
            },
            Pairing::Swapped(correlation) => {
                let activity = Packets { events: error.events, ..activity };
                correlation.run(isa, error.values, activity, scratch, change);
            }
            Pairing::Local(correlation) => correlation.run(isa, activity.values, error, scratch, change),
        }
    }

    /// Adds the error, summed over the batch and over the positions that share a bias, to the change of the biases.
    pub(super) fn run_biases(&self, isa: Isa, error: Packets<'_>, change: &mut [f32]) {
        match self {
            Pairing::Straight { .. } | Pairing::Swapped(_) => sum_over_positions(isa, error, change),
            Pairing::Local(_) => sum_over_samples(isa, error, change),
        }
    }
}
