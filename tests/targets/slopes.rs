//! Changes against finite differences: of the reconstruction, for an inverse; of the way to a target that is held
//! where it is, for a block.

use std::collections::BTreeMap;

use synlocal::network::UnitId;

use super::*;

/// Inverses of a max pool, a stride, neither of both, a mean pool that leaves a row out, and of dense maps; with every
/// transfer function.
const EVERY_KIND: &str = r#"Network(
    units: {
        "eye": Input(channels: 3, height: 18, width: 18),
        "v1": Unit(transfer: Tanh),
        "v2": Unit(pool: Max(2), transfer: Relu),
        "v3": Unit(transfer: HardTanh),
        "v4": Unit(),
        "v5": Unit(pool: Mean(2), transfer: Tanh),
        "v6": Unit(transfer: Relu),
        "v7": Unit(transfer: Tanh),
        "head": Unit(),
    },
    feedforward: [
        (from: "eye", to: "v1", map: Conv(channels: 5, kernel: 3, pad: 1, bias: true)),
        (from: "v1", to: "v2", map: Conv(channels: 18, kernel: 3, pad: 1, bias: true)),
        (from: "v2", to: "v3", map: Conv(channels: 7, kernel: 3, stride: 2, pad: 1, bias: true)),
        (from: "v3", to: "v4", map: Conv(channels: 8, kernel: 3, pad: 1)),
        (from: "v4", to: "v5", map: Conv(channels: 17, kernel: 3, pad: 1)),
        (from: "v5", to: "v6", map: Dense(units: 40, bias: true)),
        (from: "v6", to: "v7", map: Dense(units: 9, bias: true)),
        (from: "v7", to: "head", map: Dense(units: 6)),
    ],
)"#;

const LARGE: usize = 3 * 18 * 18;

/// A loss whose stored view is a constant, one from which it learns, and one without.
fn losses() -> [Loss; 3] {
    [hinge(Negatives::Stored(2)), hinge(Negatives::All), Loss::CrossEntropy(CrossEntropy {})]
}

/// Steps on one batch whose noise is given.
struct Scene {
    simulation: Simulation,
    stored: Vec<f32>,
    current: Vec<f32>,
    noise: Vec<(UnitId, Vec<f32>)>,
}

impl Scene {
    fn new(loss: Loss) -> Scene {
        let targets = Targets { step: 2.0, noise: 0.5, inverse_optimizer: PLAIN, ..Targets::default() };
        let mut simulation = simulation(EVERY_KIND, learning(loss, PLAIN, targets));
        // First weights would shrink the ways to targets so far that f32 could not tell them from rounding.
        for tensor in simulation.tensors().into_iter().filter(|tensor| tensor.name.ends_with(".inverse")) {
            let larger: Vec<f32> = simulation.get(&tensor.name).unwrap().iter().map(|weight| 3.0 * weight).collect();
            simulation.set(&tensor.name, &larger).unwrap();
        }
        let (stored, current) = views(0, PAIRS * LARGE);
        let network = simulation.network();
        let mut rng = Stream::new(8).rng();
        let mut normal =
            |unit: UnitId| (0..2 * PAIRS * network.unit(unit).shape.len()).map(|_| rng.normal()).collect::<Vec<f32>>();
        let inverses = network.feedback().iter().filter(|feedback| feedback.wiring == Wiring::Inverse);
        let noise = inverses.map(|inverse| (inverse.to, normal(inverse.to))).collect();
        Scene { simulation, stored, current, noise }
    }

    /// A step with one vector set to `values`, under the eyes of `observer`.
    fn step(
        &self,
        vector: Option<(&str, &[f32])>,
        observer: &mut dyn FnMut(Step, &synlocal::locality::State),
    ) -> Simulation {
        let mut moved = self.simulation.clone();
        if let Some((name, values)) = vector {
            moved.set(name, values).unwrap();
        }
        let noise: Vec<(UnitId, &[f32])> = self.noise.iter().map(|(unit, noise)| (*unit, noise.as_slice())).collect();
        let views = Batch::views(&self.stored, &self.current);
        moved.step_observed(Batch { labels: &[0, 1, 2, 3, 4, 5], noise: &noise, ..views }, observer);
        moved
    }
}

/// Demands that `change` is the slope of `loss_at` around `start`.
fn assert_is_slope(name: &str, start: &[f32], change: &[f32], loss_at: &dyn Fn(&[f32]) -> f64) {
    assert_eq!(start.len(), change.len(), "{name}");
    let mut rng = Stream::new(77).rng();
    // A typical slope along a random direction of length 1.
    let size = (change.iter().map(|c| f64::from(*c).powi(2)).sum::<f64>() / change.len() as f64).sqrt();
    assert!(size > 0.0, "{name} learns nothing");
    let mut errors: Vec<f64> = (0..5)
        .map(|_| {
            let mut direction: Vec<f32> = start.iter().map(|_| rng.normal()).collect();
            let length = direction.iter().map(|d| d * d).sum::<f32>().sqrt();
            direction.iter_mut().for_each(|d| *d /= length);
            let along = |far: f32| loss_at(&start.iter().zip(&direction).map(|(w, d)| w + far * d).collect::<Vec<_>>());
            let slope: f64 = change.iter().zip(&direction).map(|(c, d)| f64::from(c * d)).sum();
            // Far off, maxima and transfer functions have corners; near, f32 rounds. One distance is between.
            [1e-2f32, 3e-3, 1e-3, 3e-4]
                .map(|far| ((along(far) - along(-far)) / f64::from(2.0 * far) - slope).abs() / size)
                .into_iter()
                .fold(f64::INFINITY, f64::min)
        })
        .collect();
    errors.sort_by(f64::total_cmp);
    assert!(errors[2] < 1e-2 && errors[4] < 5e-2, "{name}: relative errors {errors:.4?}");
}

/// A projection's weights and biases by name, each with its part of the change.
fn parts<'a>(scene: &'a Scene, names: [String; 2], change: &'a [f32]) -> Vec<(String, &'a [f32], &'a [f32])> {
    let mut rest = change;
    let parts = names.into_iter().filter_map(|name| Some((scene.simulation.get(&name)?, name)));
    parts
        .map(|(start, name)| {
            let (own, others) = rest.split_at(start.len());
            rest = others;
            (name, start, own)
        })
        .collect()
}

#[test]
fn an_inverse_changes_by_the_derivative_of_its_reconstruction() {
    for loss in losses() {
        let scene = Scene::new(loss);
        let stepped = scene.step(None, &mut |_, _| {});
        let network = stepped.network();
        let mut found = 0;
        for id in network.feedback_ids().filter(|&id| stepped.state().reconstruction(id).is_some()) {
            let name = &network.answer(id).name;
            let names = ["inverse", "bias"].map(|kind| format!("{name}.{kind}"));
            for (name, start, change) in parts(&scene, names, stepped.state().inverse_change(id)) {
                assert_is_slope(&name, start, change, &|values| {
                    let moved = scene.step(Some((&name, values)), &mut |_, _| {});
                    moved.state().reconstruction(id).unwrap()
                });
                found += 1;
            }
        }
        assert_eq!(found, 12, "six inverses, each with biases");
    }
}

#[test]
fn a_block_changes_by_the_derivative_of_its_way_to_the_target() {
    for loss in losses() {
        let scene = Scene::new(loss);
        let mut targets: BTreeMap<(UnitId, View), Vec<f64>> = BTreeMap::new();
        let stepped = scene.step(None, &mut |step, state| {
            if let Step::Gate(unit, view) = step {
                let ways = state.activity(unit, view).into_iter().zip(state.error(unit, view));
                targets
                    .insert((unit, view), ways.map(|(activity, way)| f64::from(activity) - f64::from(way)).collect());
            }
        });
        let network = stepped.network();
        let shown = if scene.simulation.learning().loss.is_supervised() { 1 } else { 2 };
        for id in network.projection_ids().take(7) {
            let ends = network.projection(id);
            let values = shown * PAIRS * network.unit(ends.to).shape.len();
            let names = ["weight", "bias"].map(|kind| format!("{}.{kind}", ends.name));
            for (name, start, change) in parts(&scene, names, stepped.state().change(id)) {
                assert_is_slope(&name, start, change, &|moved| {
                    // A view without a target is on target.
                    let mut sum = 0.0;
                    scene.step(Some((&name, moved)), &mut |step, state| {
                        if let Step::Fire(unit, view) = step
                            && let Some(target) = targets.get(&(unit, view)).filter(|_| unit == ends.to)
                        {
                            let ways = state.activity(unit, view).into_iter().zip(target);
                            sum += ways.map(|(activity, target)| (f64::from(activity) - target).powi(2)).sum::<f64>();
                        }
                    });
                    sum / values as f64
                });
            }
        }
    }
}
