//! The linear map of a read-out: its outputs and its change are those of plain loops, on any number of threads.

use std::sync::Mutex;

use rayon::ThreadPoolBuilder;
use synlocal::kernels::{Buffer, Isa, Linear};

use crate::oracle::{Exact, values};

/// Operands of a map from rows, of which some are looked up.
struct Case {
    values: usize,
    units: usize,
    samples: Vec<usize>,
    rows: Vec<f32>,
    weights: Vec<f32>,
    /// `[row][unit]`.
    errors: Vec<f32>,
}

impl Case {
    /// Every third row is looked up, from the last to the first; so are a few rows twice.
    fn new(values_of_row: usize, units: usize, samples: usize) -> Case {
        let count = 3 * samples + 1;
        let mut looked_up: Vec<usize> = (0..samples).map(|sample| count - 1 - 3 * sample).collect();
        if samples > 5 {
            looked_up[4] = looked_up[1];
        }
        Case {
            values: values_of_row,
            units,
            samples: looked_up,
            rows: values("rows", count * values_of_row),
            weights: values("weights", units * values_of_row),
            errors: values("errors", count * units),
        }
    }

    /// Rows with room behind them, and NaN in those that nobody looks up.
    fn rows(&self) -> Buffer {
        let width = Linear::width(self.values);
        let mut rows = Buffer::zeros(self.rows.len() / self.values * width);
        for (index, (row, plain)) in rows.chunks_mut(width).zip(self.rows.chunks(self.values)).enumerate() {
            row[..self.values].copy_from_slice(plain);
            if !self.samples.contains(&index) {
                row.fill(f32::NAN);
            }
        }
        rows
    }

    fn weights(&self) -> Buffer {
        let width = Linear::width(self.values);
        let mut weights = Buffer::zeros(self.units * width);
        for (row, plain) in weights.chunks_mut(width).zip(self.weights.chunks(self.values)) {
            row[..self.values].copy_from_slice(plain);
        }
        weights
    }

    /// The change that the map makes, and the outputs of each sample in the order of rows.
    fn learn(&self, isa: Isa) -> (Vec<f32>, Vec<(usize, Vec<f32>)>) {
        let map = Linear::new(self.values, self.units);
        let mut changes = Buffer::zeros(map.changes());
        changes.fill(f32::NAN);
        let told = Mutex::new(Vec::new());
        let err = |sample: usize, outputs: &mut [f32]| {
            told.lock().unwrap().push((sample, outputs.to_vec()));
            outputs.copy_from_slice(&self.errors[sample * self.units..][..self.units]);
        };
        map.learn(isa, &self.weights(), &self.rows(), &self.samples, &err, &mut changes);
        (changes[..map.weights()].to_vec(), sorted(told))
    }

    fn respond(&self, isa: Isa) -> Vec<(usize, Vec<f32>)> {
        let told = Mutex::new(Vec::new());
        let tell = |sample: usize, outputs: &mut [f32]| told.lock().unwrap().push((sample, outputs.to_vec()));
        Linear::new(self.values, self.units).respond(isa, &self.weights(), &self.rows(), &self.samples, &tell);
        sorted(told)
    }

    fn check(&self) {
        let mut order = self.samples.clone();
        order.sort_unstable();
        let mut change = vec![Exact::default(); self.weights.len()];
        for &sample in &self.samples {
            let row = &self.rows[sample * self.values..][..self.values];
            for (unit, change) in change.chunks_mut(self.values).enumerate() {
                let error = f64::from(self.errors[sample * self.units + unit]);
                change.iter_mut().zip(row).for_each(|(change, &value)| change.add(error * f64::from(value)));
            }
        }
        for isa in Isa::available() {
            let what = format!("{} values, {} units, {} samples, {isa}", self.values, self.units, self.samples.len());
            let (changed, told) = self.learn(isa);
            assert_eq!(told, self.respond(isa), "{what}: a map that learns answers like one that does not");
            assert_eq!(told.iter().map(|(sample, _)| *sample).collect::<Vec<_>>(), order, "{what}");
            for (sample, outputs) in &told {
                let row = &self.rows[sample * self.values..][..self.values];
                for (unit, (&output, weights)) in outputs.iter().zip(self.weights.chunks(self.values)).enumerate() {
                    let mut expected = Exact::default();
                    row.iter().zip(weights).for_each(|(&x, &w)| expected.add(f64::from(x) * f64::from(w)));
                    assert!(expected.holds(output), "{what}: unit {unit} of {sample} is {output}, not {expected:?}");
                }
            }
            let width = Linear::width(self.values);
            for (unit, (changed, expected)) in changed.chunks(width).zip(change.chunks(self.values)).enumerate() {
                let (changed, spare) = changed.split_at(self.values);
                for (value, (&changed, expected)) in changed.iter().zip(expected).enumerate() {
                    assert!(expected.holds(changed), "{what}: ({unit}, {value}) is {changed}, not {expected:?}");
                }
                assert!(spare.iter().all(|&spare| spare == 0.0), "{what}: nothing changes behind the last value");
            }
        }
    }
}

fn sorted(told: Mutex<Vec<(usize, Vec<f32>)>>) -> Vec<(usize, Vec<f32>)> {
    let mut told = told.into_inner().unwrap();
    told.sort_by_key(|(sample, _)| *sample);
    told
}

#[test]
fn a_linear_map_equals_its_definition_for_every_number_of_units() {
    for units in 1..=40 {
        Case::new(units * 7 % 50 + 1, units, units % 21).check();
    }
}

#[test]
fn a_linear_map_equals_its_definition_for_every_number_of_values() {
    for values in 1..=100 {
        Case::new(values, values % 12 + 1, values % 20 + 1).check();
    }
}

#[test]
fn a_linear_map_equals_its_definition_for_every_batch() {
    for samples in (0..=20).chain([31, 33, 64, 65, 97, 150]) {
        Case::new(37, 10, samples).check();
    }
    // Rows longer than what stays in the first cache.
    Case::new(1100, 23, 70).check();
}

#[test]
fn a_linear_map_gives_the_same_bits_on_any_number_of_threads() {
    let case = Case::new(700, 11, 130);
    for isa in Isa::available() {
        let on = |threads: usize| {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let (change, told) = pool.install(|| case.learn(isa));
            (change.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), told)
        };
        let alone = on(1);
        assert!([2, 3, 4].into_iter().all(|threads| on(threads) == alone), "{isa}");
    }
}

#[test]
#[should_panic(expected = "samples of 4 rows")]
fn a_linear_map_looks_up_no_row_that_is_not_there() {
    let map = Linear::new(16, 2);
    let (weights, rows) = (Buffer::zeros(map.weights()), Buffer::zeros(4 * Linear::width(16)));
    map.respond(Isa::best(), &weights, &rows, &[3, 4], &|_, _| {});
}
