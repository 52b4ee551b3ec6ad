//! Whose turn it is, and that a block learns in its turns as it would learn alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;

use synlocal::rng::Stream;
use synlocal::simulation::{Draw, Experiment, Folders, Position, Simulation, Staging, Trainer};

use crate::{assert_within, bits, cut, experiment, lend_lower_weights, projection, rules, simulation, step, whole};

type Bits = BTreeMap<String, Vec<u32>>;

/// Trains from the start of an epoch to the end; the simulation and its loss, as bits, after each epoch.
fn train(experiment: &Experiment, start: Simulation, epoch: u64) -> Vec<(Simulation, u64)> {
    let dataset = experiment.load_data(&Folders::default()).unwrap().learned;
    let position = Position { epoch, ..Position::default() };
    let training = experiment.training().clone();
    let mut trainer = Trainer::new(start, &dataset, *experiment.views(), training, position).unwrap();
    let mut after = Vec::new();
    trainer
        .run(&AtomicBool::new(false), &mut |_| (), &mut |trainer, epoch| {
            after.push((trainer.simulation().clone(), epoch.loss.to_bits()));
            Ok(())
        })
        .unwrap();
    after
}

#[test]
fn greedy_blocks_learn_one_after_the_other_as_each_would_on_top_of_those_below_it() {
    const EPOCHS: u64 = 2;
    for rule in rules() {
        let greedy = experiment(&whole(), "Greedy", rule, EPOCHS);
        let after = train(&greedy, simulation(&greedy), 0);
        assert_eq!(after.len() as u64, 3 * EPOCHS);
        for block in 0..3 {
            // Alone, it sees the epochs that were its own, with an optimiser that has seen nothing.
            let first = block as u64 * EPOCHS;
            let alone = experiment(&cut(block, block), "EndToEnd", rule, first + EPOCHS);
            let mut start = simulation(&alone);
            if block > 0 {
                lend_lower_weights(&after[first as usize - 1].0, &mut start, block);
            }
            for (epoch, (alone, loss)) in (first as usize..).zip(train(&alone, start, first)) {
                let what = format!("{rule:?}, block {block}, epoch {epoch}");
                assert_eq!(loss, after[epoch].1, "{what}");
                assert_within(&bits(&alone), &bits(&after[epoch].0), &what);
            }
        }
    }
}

#[test]
fn a_block_is_drawn_for_each_batch() {
    let draws = |draw, seed| -> Vec<usize> {
        (0..300).map(|step| Staging::Random { draw }.stage(3, 1, 0, step, Stream::new(seed))).collect()
    };
    let rounds = |draws: &[usize]| draws.chunks(3).map(<[usize]>::to_vec).collect::<BTreeSet<_>>();
    let uniform = draws(Draw::Uniform, 1);
    for block in 0..3 {
        // 100 are expected, give or take 8.
        let count = uniform.iter().filter(|drawn| **drawn == block).count();
        assert!((70..=130).contains(&count), "block {block} was drawn {count} times of 300");
    }
    assert_eq!(rounds(&uniform).len(), 27, "any three may come in a row");
    assert_eq!(rounds(&draws(Draw::Balanced, 1)).len(), 6, "a round has every block, in any order");
    assert!(rounds(&draws(Draw::Balanced, 1)).iter().all(|round| round.iter().collect::<BTreeSet<_>>().len() == 3));
    assert_ne!(uniform, draws(Draw::Uniform, 2));
    assert_eq!(uniform, draws(Draw::Uniform, 1));
}

#[test]
fn a_block_that_is_drawn_learns_as_if_it_were_alone_and_the_others_rest() {
    for rule in rules() {
        for (text, draw) in [("Random()", Draw::Uniform), ("Random(draw: Balanced)", Draw::Balanced)] {
            let random = experiment(&whole(), text, rule, 1);
            assert_eq!(random.learning().staging, Staging::Random { draw });
            let mut all = simulation(&random);
            let mut alone: Vec<Simulation> =
                (0..3).map(|block| simulation(&experiment(&cut(block, block), "EndToEnd", rule, 1))).collect();
            for number in 0..12 {
                let block = random.learning().staging.stage(3, 1, 0, number, Stream::new(5));
                let own = |name: &str| bits(&alone[block]).contains_key(name);
                let before: Bits = bits(&all).into_iter().filter(|(name, _)| !own(name)).collect();
                lend_lower_weights(&all, &mut alone[block], block);
                let what = format!("{rule:?}, {text}, step {number}, block {block}");
                assert_eq!(step(&mut all, block, number), step(&mut alone[block], 0, number), "{what}");
                let after = bits(&all);
                // Moments too: Adam has counted this block's own updates alone.
                assert_within(&bits(&alone[block]), &after, &what);
                assert_within(&before, &after, &what);
                let moments = |name: &&String| !name.ends_with("weight") && !name.ends_with("feedback");
                assert!(after.keys().filter(moments).any(|name| projection(name) == "v1->v2"), "Adam keeps moments");
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for staging in ["Greedy", "Random()"] {
        for rule in rules() {
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| {
                    let experiment = experiment(&whole(), staging, rule, 1);
                    let after = train(&experiment, simulation(&experiment).sharing(), 0);
                    let losses: Vec<u64> = after.iter().map(|(_, loss)| *loss).collect();
                    (losses, bits(&after.last().unwrap().0))
                })
            };
            let one = on(1);
            assert_eq!(one, on(2), "{staging}, {rule:?}");
            assert_eq!(one, on(4), "{staging}, {rule:?}");
        }
    }
}
