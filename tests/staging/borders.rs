//! What crosses the border of a block: activity upwards, and nothing else.

use synlocal::learning::Rule;
use synlocal::locality::Place;
use synlocal::schedule::Step;
use synlocal::simulation::Batch;

use crate::{
    HEADS, OWN, OWN_FEEDBACK, UNITS, assert_within, bits, cut, experiment, projection, rules, simulation, step, views,
    whole,
};

#[test]
fn a_step_changes_the_weights_of_its_own_block_and_no_other() {
    for rule in rules() {
        let start = simulation(&experiment(&whole(), "Greedy", rule, 1));
        let before = bits(&start);
        for stage in 0..3 {
            let mut one = start.clone();
            step(&mut one, stage, 0);
            let changed: Vec<String> =
                bits(&one).into_iter().filter(|(name, after)| before[name] != *after).map(|(name, _)| name).collect();
            for name in &changed {
                let of = projection(name);
                assert!(OWN[stage].contains(&of) || OWN_FEEDBACK[stage].contains(&of), "{rule:?}, {stage}: {name}");
            }
            for own in OWN[stage] {
                assert!(changed.contains(&format!("{own}.weight")), "{rule:?}, stage {stage}: {own} did not learn");
            }
            for own in OWN_FEEDBACK[stage] {
                let learned = changed.contains(&format!("{own}.feedback"));
                assert_eq!(learned, matches!(rule, Rule::Urf | Rule::Sign), "{rule:?}, stage {stage}: {own}");
            }
        }
    }
}

#[test]
fn a_stage_has_no_step_above_its_block_none_of_another_head_and_no_error_across_a_border() {
    let of = |name: &str| {
        let unit = UNITS.iter().find(|(unit, ..)| *unit == name).map(|(.., block)| *block);
        unit.or(HEADS.iter().position(|(head, _)| *head == name))
    };
    for rule in rules() {
        let experiment = experiment(&whole(), "Random()", rule, 1);
        let network = experiment.network();
        let stages = experiment.stages();
        assert_eq!(stages.iter().map(|stage| stage.name.as_str()).collect::<Vec<_>>(), ["v1", "v3", "v4"]);
        for (number, stage) in stages.iter().enumerate() {
            for step in stage.plan.steps() {
                let access = step.access(network);
                for place in access.reads.iter().chain(&access.writes) {
                    let (units, learns) = match *place {
                        Place::World(_) | Place::Labels => (vec![], false),
                        Place::Drive(unit, _) | Place::Activity(unit, _) | Place::Memory(unit) => (vec![unit], false),
                        Place::Error(unit, _) | Place::Packet(unit, _) => (vec![unit], true),
                        Place::Weights(id) => (vec![network.projection(id).to], false),
                        Place::Change(id) | Place::Moments(id) => (vec![network.projection(id).to], true),
                        Place::FeedbackWeights(id)
                        | Place::Reconstruction(id)
                        | Place::FeedbackChange(id)
                        | Place::FeedbackMoments(id) => (vec![network.answer(id).from, network.answer(id).to], true),
                    };
                    for name in units.iter().map(|unit| network.unit(*unit).name.as_str()) {
                        let Some(block) = of(name) else { continue };
                        assert!(block <= number, "{rule:?}, stage {number}: {step:?} meets {name} above");
                        let head = name.starts_with('h');
                        assert!(block == number || !learns && !head, "{rule:?}, stage {number}: {step:?} meets {name}");
                    }
                }
            }
            let carried =
                stage.plan.steps().iter().filter(|step| matches!(step, Step::Carry(..) | Step::Invert(..))).count();
            // Both views learn where all other images are negatives, as they are by default.
            let views = stage
                .plan
                .steps()
                .iter()
                .filter(|step| matches!(step, Step::Gate(unit, _) if *unit == stage.heads[0]))
                .count();
            assert_eq!(carried, views * OWN_FEEDBACK[number].len(), "{rule:?}, stage {number}");
        }
    }
}

#[test]
fn a_block_does_not_hear_of_what_is_above_it() {
    for rule in rules() {
        let start = simulation(&experiment(&whole(), "Greedy", rule, 1));
        for stage in 0..3 {
            let mut plain = start.clone();
            let mut troubled = start.clone();
            let above: Vec<String> =
                bits(&start).into_keys().filter(|name| OWN[stage + 1..].concat().contains(&projection(name))).collect();
            for name in &above {
                let lost = vec![f32::NAN; start.get(name).unwrap().len()];
                troubled.set(name, &lost).unwrap();
            }
            assert_eq!(step(&mut plain, stage, 0), step(&mut troubled, stage, 0), "{rule:?}, stage {stage}");
            let mut rest = bits(&plain);
            rest.retain(|name, _| !above.contains(name));
            assert_within(&rest, &bits(&troubled), &format!("{rule:?}, stage {stage}"));
        }
    }
}

#[test]
fn end_to_end_the_heads_of_lower_blocks_rest() {
    for rule in rules() {
        let blocks = experiment(&whole(), "EndToEnd", rule, 1);
        let plain = experiment(&cut(0, 2), "EndToEnd", rule, 1);
        let (mut one, mut other) = (simulation(&blocks), simulation(&plain));
        let before = bits(&one);
        for number in 0..3 {
            assert_eq!(step(&mut one, 0, number), step(&mut other, 0, number), "{rule:?}");
        }
        assert_within(&bits(&other), &bits(&one), &format!("{rule:?}"));
        let resting: Vec<String> =
            before.keys().filter(|name| ["v1->h1", "v3->h2"].contains(&projection(name))).cloned().collect();
        assert_eq!(resting, ["v1->h1.weight", "v3->h2.weight"], "without moments, for they do not learn");
        for name in resting {
            assert_eq!(before[&name], bits(&one)[&name], "{rule:?}: {name}");
        }
        let verbs = |experiment: &synlocal::simulation::Experiment| {
            let lines = experiment.stages()[0].plan.lines(experiment.network());
            lines.into_iter().map(|line| (line.verb, line.subject)).collect::<Vec<_>>()
        };
        assert_eq!(verbs(&blocks), verbs(&plain), "{rule:?}");
    }
}

#[test]
fn the_plan_of_each_stage_and_its_walk_give_the_same_bits() {
    for rule in rules() {
        let mut planned = simulation(&experiment(&whole(), "Greedy", rule, 1));
        let mut walked = planned.clone();
        for stage in 0..3 {
            let (stored, current) = views(stage as u64);
            let batch = Batch::views(&stored, &current);
            planned.enter(stage);
            walked.enter(stage);
            assert_eq!(planned.step(batch), walked.walk(batch), "{rule:?}, stage {stage}");
        }
        assert_eq!(bits(&planned), bits(&walked), "{rule:?}");
    }
}
