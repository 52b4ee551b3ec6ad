//! What the error-computing layer and the optimiser do with numbers: their own source text, run on numbers that remember
//! what they were made of and how.

use super::embeddings::Set;
use super::finding::{Kind, Method, Part, Remembered};
use super::flow::{Flow, folds};
use super::judge::{Draft, Drafts, part_of};
use super::memory;
use crate::lint::Lint;
use crate::locality::{Place, View};
use crate::loss::Criterion;
use crate::number::{Operation, Operations};
use crate::schedule::Step;
use crate::shape::Shape;
use crate::simulation::{Experiment, Learning};

/// Items of the batches that are traced: enough to tell a few stored ones from all.
const TRACED: usize = 12;

/// Channels of a head at most while it is traced.
const SLIM: usize = 16;

/// Reads the arithmetic of a stage's losses and optimisers.
pub(super) fn read(
    experiment: &Experiment,
    loss: &dyn Criterion,
    flow: &Flow<'_>,
    limit: usize,
    drafts: &mut Drafts,
) -> Vec<Remembered> {
    let mut memories = Vec::new();
    let (network, learning) = (flow.network, experiment.learning());
    for (index, &step) in flow.steps.iter().enumerate() {
        let Step::Compare { unit, .. } = step else { continue };
        let (part, head) = (part_of(step, network), network.unit(unit));
        // What is done to numbers does not depend on how many channels there are.
        let shape = Shape { channels: head.shape.channels.min(SLIM), ..head.shape };
        let classes: Vec<u8> = (0..TRACED).map(|item| (item % shape.len().min(256)) as u8).collect();
        let mut done = Operations::default();
        let mut labels = false;
        for set in Set::all(loss, shape, TRACED, &classes) {
            for error in set.trace(loss) {
                done |= error.operations();
                labels |= error.sources().labels;
            }
        }
        let reached = flow.reach(index + 1, Place::Error(unit, View::Current), &|_| false).updates;
        for operation in done.iter() {
            let message = format!("errors are made by {}", in_words(operation));
            let text = "found in the arithmetic of the loss, run on numbers that remember what was done to them";
            let draft = Draft::new(lint_of(operation), part.clone(), message).reaching(reached.clone());
            drafts.add(draft.known(Method::Static, text));
        }
        if labels {
            let text = "errors that were traced through the arithmetic of the loss bear the mark of labels";
            let message = format!("labels reach the errors of {}", head.name);
            let draft = Draft::new(Lint::Labels, part.clone(), message).reaching(reached.clone());
            drafts.add(draft.known(Method::Static, text));
        }
        let remembered = memory::remember(loss, &head.name, experiment.training().pairs);
        memory::judge(&remembered, limit, part, &reached, drafts);
        memories.push(remembered);
    }
    for &step in &flow.steps {
        let Some((part, done)) = optimizer(step, learning) else { continue };
        for operation in done.iter() {
            let message = format!("each weight's update goes through {}", in_words(operation));
            let text = "found in the optimiser's arithmetic, run on numbers that remember what was done to them";
            let draft = Draft::new(lint_of(operation), part.clone(), message).reaching(folds(step));
            drafts.add(draft.known(Method::Static, text));
        }
    }
    memories
}

/// The optimiser that a step calls on, if it does, and what it does with a change.
pub(super) fn optimizer(step: Step, learning: &Learning) -> Option<(Part, Operations)> {
    let (name, optimizer) = match step {
        Step::Apply(_) => (learning.optimizer.name().to_string(), learning.optimizer),
        Step::ApplyInverse(_) => {
            let own = learning.targets().inverse_optimizer;
            (name_of_inverse(own.name()), own)
        }
        _ => return None,
    };
    Some((Part { kind: Kind::Optimizer, name }, optimizer.trace()))
}

/// The name under which the optimiser of inverses is judged.
pub(super) fn name_of_inverse(optimizer: &str) -> String {
    format!("{optimizer} of inverses")
}

/// The lint that an operation falls under.
pub(super) fn lint_of(operation: Operation) -> Lint {
    match operation {
        Operation::Division => Lint::Division,
        Operation::SquareRoot => Lint::SquareRoot,
        Operation::Exponential => Lint::Exponential,
        Operation::InnerProduct => Lint::InnerProduct,
        Operation::Normalisation => Lint::Normalisation,
        Operation::BatchStatistics => Lint::BatchStatistics,
    }
}

fn in_words(operation: Operation) -> &'static str {
    match operation {
        Operation::Division => "a division",
        Operation::SquareRoot => "a square root",
        Operation::Exponential => "an exponential or logarithm",
        Operation::InnerProduct => "an inner product of embeddings",
        Operation::Normalisation => "a normalisation",
        Operation::BatchStatistics => "statistics over the batch",
    }
}
