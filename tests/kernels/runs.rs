//! Kernels run in every way there is, and compared with plain loops.

use synlocal::kernels::{Correlation, Input, Isa, Layout, Outcome, Packets, Product, Sum, Winograd};
use synlocal::shape::Shape;

use crate::oracle::{Exact, ROUNDING, UNTOUCHED, check, lay, values};

/// What varies in a run besides the geometry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) sum: Sum,
    pub(crate) bias: bool,
    pub(crate) silent: bool,
}

pub(crate) const RUNS: [Run; 4] = [
    Run { sum: Sum::Replace, bias: false, silent: false },
    Run { sum: Sum::Replace, bias: true, silent: true },
    Run { sum: Sum::Add, bias: true, silent: false },
    Run { sum: Sum::Add, bias: false, silent: true },
];

/// What has a bias of its own: each channel, or each value, `[row][column][channel]`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Biases {
    Channels,
    Values,
}

/// A linear map, whichever kernel computes it.
pub(crate) trait Map: Sync {
    /// Plain weights in the order in which the map reads them.
    fn packed(&self, isa: Isa, weights: &[f32]) -> Vec<f32>;

    fn run(&self, isa: Isa, packed: &[f32], input: Input<'_>, bias: Option<&[f32]>, outcome: Outcome<'_>);

    /// The error that is allowed for, as a share of the largest output; without it each output is judged by its terms.
    fn share(&self) -> Option<f64>;
}

impl Map for Product {
    fn packed(&self, isa: Isa, weights: &[f32]) -> Vec<f32> {
        let mut packed = vec![f32::NAN; self.packed_len()];
        self.pack(isa, weights, &mut packed);
        packed
    }

    fn run(&self, isa: Isa, packed: &[f32], input: Input<'_>, bias: Option<&[f32]>, outcome: Outcome<'_>) {
        Product::run(self, isa, packed, input, bias, outcome);
    }

    fn share(&self) -> Option<f64> {
        None
    }
}

impl Map for Winograd {
    fn packed(&self, isa: Isa, weights: &[f32]) -> Vec<f32> {
        let mut packed = vec![f32::NAN; self.packed_len()];
        self.pack(isa, weights, &mut packed);
        packed
    }

    fn run(&self, isa: Isa, packed: &[f32], input: Input<'_>, bias: Option<&[f32]>, outcome: Outcome<'_>) {
        Winograd::run(self, isa, packed, input, bias, outcome);
    }

    fn share(&self) -> Option<f64> {
        Some(1e-5)
    }
}

/// Judges every value by a share of the largest.
pub(crate) fn judge(share: f64, expected: &mut [Exact]) {
    let largest = expected.iter().map(|expected| expected.value.abs()).fold(0.0, f64::max);
    expected.iter_mut().for_each(|expected| expected.magnitude = share / ROUNDING * largest);
}

/// A batch with its event counts, where every third sample is silent if so asked; otherwise nobody counted.
pub(crate) fn batch(name: &str, len: usize, samples: usize, silent: bool) -> (Vec<f32>, Vec<u32>) {
    let mut plain = values(name, len * samples);
    if !silent {
        return (plain, Vec::new());
    }
    let mut events = vec![len as u32; samples];
    for sample in (0..samples).step_by(3) {
        plain[sample * len..(sample + 1) * len].fill(0.0);
        events[sample] = 0;
    }
    (plain, events)
}

/// Runs a map as `run` says and compares it with the sum over `synapses`, which are called with indices
/// (input, weight, output).
pub(crate) fn check_map(
    what: &str,
    map: &impl Map,
    (input, output): (Layout, Layout),
    (weights, samples): (usize, usize),
    biases: Biases,
    run: Run,
    synapses: impl Fn(&mut dyn FnMut(usize, usize, usize)),
) {
    let (x, events) = batch("input", input.shape.len(), samples, run.silent);
    let weights = values("weights", weights);
    let Shape { channels, height, width } = output.shape;
    let pixels = height * width;
    let bias = match biases {
        Biases::Channels => values("bias", channels),
        Biases::Values => values("bias", channels * pixels),
    };
    let before = values("before", output.shape.len() * samples);

    let mut expected = vec![Exact::default(); before.len()];
    for (index, expected) in expected.iter_mut().enumerate() {
        if run.sum == Sum::Add {
            expected.add(f64::from(before[index]));
        }
        if run.bias {
            let channel = index / pixels % channels;
            expected.add(f64::from(match biases {
                Biases::Channels => bias[channel],
                Biases::Values => bias[index % pixels * channels + channel],
            }));
        }
    }
    synapses(&mut |pre, weight, post| expected[post].add(f64::from(x[pre]) * f64::from(weights[weight])));

    if let Some(share) = map.share() {
        judge(share, &mut expected);
    }
    let x = lay(input, &x, 0.0);
    for isa in Isa::available() {
        let packed = map.packed(isa, &weights);
        let bias = run.bias.then_some(&bias[..]);
        let sums = |input| {
            let mut sums = match run.sum {
                Sum::Add => lay(output, &before, UNTOUCHED),
                Sum::Replace => lay(output, &vec![f32::NAN; before.len()], UNTOUCHED),
            };
            map.run(isa, &packed, input, bias, Outcome::Sums(run.sum, &mut sums));
            sums
        };
        let uncounted = Packets::of_values(input, &x);
        let got = sums(Input::Packets(Packets { events: &events, ..uncounted }));
        check(&format!("{what} on {isa}, {run:?}"), output, &got, &expected, UNTOUCHED);
        let unskipped = sums(Input::Values(&x));
        assert!(*got == *unskipped, "{what} on {isa}: skipping silent samples changes bits");
        if run.silent {
            let unskipped = sums(Input::Packets(uncounted));
            assert!(*got == *unskipped, "{what} on {isa}: counting events changes bits");
        }
    }
}

/// Runs a correlation, which is called with (instruction set, input, packets, change), and compares it with the sum over
/// `synapses`.
pub(crate) fn check_correlation(
    what: &str,
    correlate: impl Fn(Isa, &[f32], Packets, &mut [f32]),
    (input, error): (Layout, Layout),
    (weights, samples): (usize, usize),
    silent: bool,
    synapses: impl Fn(&mut dyn FnMut(usize, usize, usize)),
) {
    let x = values("input", input.shape.len() * samples);
    let (e, events) = batch("error", error.shape.len(), samples, silent);
    let before = values("change", weights);
    let mut expected: Vec<Exact> = vec![Exact::default(); weights];
    for (expected, &before) in expected.iter_mut().zip(&before) {
        expected.add(f64::from(before));
    }
    synapses(&mut |pre, weight, post| expected[weight].add(f64::from(x[pre]) * f64::from(e[post])));
    let (x, e) = (lay(input, &x, 0.0), lay(error, &e, 0.0));
    for isa in Isa::available() {
        let mut change = before.clone();
        let uncounted = Packets::of_values(error, &e);
        correlate(isa, &x, Packets { events: &events, ..uncounted }, &mut change);
        for (index, (&got, expected)) in change.iter().zip(&expected).enumerate() {
            assert!(expected.holds(got), "{what} on {isa}: weight {index} is {got}, expected {expected:?}");
        }
        let mut unskipped = before.clone();
        correlate(isa, &x, uncounted, &mut unskipped);
        assert!(change == unskipped, "{what} on {isa}: skipping silent samples changes bits");
    }
}

/// A correlation as [`check_correlation`] calls it, with scratch that holds nothing of use.
pub(crate) fn scratched(correlation: &Correlation, samples: usize) -> impl Fn(Isa, &[f32], Packets, &mut [f32]) {
    move |isa, input, packets, change| {
        let mut scratch = vec![f32::NAN; correlation.scratch_len(samples)];
        correlation.run(isa, input, packets, &mut scratch, change);
    }
}

/// Holds what is computed on each instruction set to the same bits on one, two and four threads.
pub(crate) fn check_threads<T: PartialEq + Send>(compute: impl Fn(Isa) -> T + Sync) {
    for isa in Isa::available() {
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool of threads");
            pool.install(|| compute(isa))
        };
        let alone = with(1);
        assert!(alone == with(2), "{isa}: two threads");
        assert!(alone == with(4), "{isa}: four threads");
    }
}
