//! Engines that break the law, each in one way: the auditor has to find every one, by the evidence that should find it,
//! and to name it rightly.

use synlocal::audit::{Audit, Hand, Kind, Method, Subject};
use synlocal::lint::{Level, Lint, Policy};
use synlocal::locality::{Place, View};
use synlocal::loss::{Criterion, Loss};
use synlocal::network::{FeedbackId, Network, ProjectionId, UnitId};
use synlocal::schedule::{Access, Step};

use crate::{examine, experiment};

#[path = "planted/losses.rs"]
mod losses;

/// Two hidden units under a head, by fixed random feedback.
const CHAIN: &str = r#"Experiment(
    network: Network(
        units: {
            "retina": Input(channels: 2, height: 6, width: 6),
            "v1": Unit(transfer: HardTanh),
            "v2": Unit(pool: Max(2), transfer: Tanh),
            "head": Unit(),
        },
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 3, kernel: 3, pad: 1, bias: true)),
            (from: "v1", to: "v2", map: Conv(channels: 4, kernel: 3, pad: 1)),
            (from: "v2", to: "head", map: Dense(units: 5)),
        ],
    ),
    learning: (
        rule: Rf,
        loss: ContrastiveHinge(negatives: Stored(3), margins: (0.01, 9.0)),
        optimizer: Sgd(rate: 0.01),
    ),
    data: Objects(images: 8, test_images: 1),
    training: (pairs: 40, epochs: 1),
)"#;

type Take = dyn Fn(&mut Hand<'_>, Step) + Sync;
type Declare = dyn Fn(&Step, &Network) -> Access + Sync;

/// An engine with a fault.
struct Plant {
    take: Box<Take>,
    access: Box<Declare>,
    loss: Option<Box<dyn Criterion>>,
}

impl Subject for Plant {
    fn take(&self, hand: &mut Hand<'_>, step: Step) {
        (self.take)(hand, step);
    }

    fn access(&self, step: &Step, network: &Network) -> Access {
        (self.access)(step, network)
    }

    fn loss<'a>(&'a self, own: &'a Loss) -> &'a dyn Criterion {
        self.loss.as_deref().unwrap_or(own.criterion())
    }
}

fn sound() -> Plant {
    Plant {
        take: Box::new(|hand, step| hand.take(step)),
        access: Box::new(|step, network| step.access(network)),
        loss: None,
    }
}

/// Steps taken otherwise.
fn taking(take: impl Fn(&mut Hand<'_>, Step) + Sync + 'static) -> Plant {
    Plant { take: Box::new(take), ..sound() }
}

/// Steps that declare otherwise.
fn declaring(access: impl Fn(&Step, &Network, &mut Access) + Sync + 'static) -> Plant {
    let access = move |step: &Step, network: &Network| {
        let mut own = step.access(network);
        access(step, network, &mut own);
        own
    };
    Plant { access: Box::new(access), ..sound() }
}

fn unit(network: &Network, name: &str) -> UnitId {
    network.find(name).unwrap()
}

fn forward(network: &Network, name: &str) -> ProjectionId {
    network.projection_ids().find(|&id| network.projection(id).name == name).unwrap()
}

fn back(network: &Network, name: &str) -> FeedbackId {
    network.feedback_ids().find(|&id| network.answer(id).name == name).unwrap()
}

/// The activity of a unit in the current view.
fn activity(network: &Network, name: &str) -> Place {
    Place::Activity(unit(network, name), View::Current)
}

fn learns(step: Step, network: &Network, name: &str) -> bool {
    matches!(step, Step::Learn(id, ..) if network.projection(id).name == name)
}

fn applies(step: Step, network: &Network, name: &str) -> bool {
    matches!(step, Step::Apply(id) if network.projection(id).name == name)
}

fn fires(step: Step, network: &Network, name: &str) -> bool {
    matches!(step, Step::Fire(id, _) if network.unit(id).name == name)
}

/// Takes a step and changes what stands at a place after it.
fn then(hand: &mut Hand<'_>, step: Step, place: Place, change: impl FnOnce(&mut Vec<f32>)) {
    hand.take(step);
    let mut values = hand.look(place);
    change(&mut values);
    hand.put(place, &values);
}

fn audited(subject: &Plant, set: &[&str]) -> Audit {
    examine(&experiment(CHAIN, set), Policy::default(), subject)
}

/// Demands that a circuit under a fault does not pass, and that the fault is found under its name, at its place, by a
/// kind of evidence.
#[track_caller]
fn caught(audit: &Audit, lint: Lint, kind: Kind, name: &str, method: Method) {
    let findings = audit.findings.iter().filter(|finding| finding.lint == lint);
    let found = findings.clone().any(|finding| {
        finding.level == Level::Deny
            && (finding.part.kind, finding.part.name.as_str()) == (kind, name)
            && finding.evidence.iter().any(|evidence| evidence.method == method)
    });
    assert!(found, "no {lint} at {kind:?} {name} by {method:?}: {:#?}\n{:#?}", audit.findings, audit.disagreements);
    assert!(!audit.clean);
}

#[test]
fn the_circuit_without_a_fault_passes() {
    let audit = audited(&sound(), &[]);
    assert!(audit.clean, "{:#?}", audit.findings);
    assert_eq!(audit.disagreements, [""; 0]);
}

#[test]
fn a_copy_of_forward_weights_into_feedback_at_every_step_is_found() {
    let copies = || {
        taking(|hand, step| {
            hand.take(step);
            let Step::Apply(id) = step else { return };
            let Some(feedback) = hand.network().feedback_of(id) else { return };
            let weights = hand.look(Place::Weights(id));
            hand.put(Place::FeedbackWeights(feedback), &weights);
        })
    };
    let audit = audited(&copies(), &[]);
    caught(&audit, Lint::UndeclaredAccess, Kind::Feedforward, "v1->v2", Method::Interventional);
    caught(&audit, Lint::SymmetricFeedback, Kind::Feedback, "v2->v1", Method::Interventional);
    // A rule that may write its feedback weights hides nothing, and gives itself away by what they become.
    let audit = audited(&copies(), &["learning.rule=Urf"]);
    caught(&audit, Lint::SymmetricFeedback, Kind::Feedback, "head->v2", Method::Interventional);
}

#[test]
fn a_declared_copy_of_forward_weights_into_feedback_is_weight_transport() {
    let plant = declaring(|step, network, access| {
        if let Step::Apply(id) = *step {
            access.writes.extend(network.feedback_of(id).map(Place::FeedbackWeights));
        }
    });
    caught(&audited(&plant, &[]), Lint::WeightTransport, Kind::Feedforward, "v1->v2", Method::Static);
}

#[test]
fn errors_that_are_secretly_carried_through_forward_weights_are_weight_transport() {
    let plant = taking(|hand, step| {
        let Step::Carry(id, ..) = step else { return hand.take(step) };
        let lent = hand.look(Place::Weights(hand.network().answer(id).partner));
        let own = hand.look(Place::FeedbackWeights(id));
        hand.put(Place::FeedbackWeights(id), &lent);
        hand.take(step);
        hand.put(Place::FeedbackWeights(id), &own);
    });
    let audit = audited(&plant, &[]);
    caught(&audit, Lint::UndeclaredAccess, Kind::Feedback, "v2->v1", Method::Interventional);
    caught(&audit, Lint::WeightTransport, Kind::Feedback, "v2->v1", Method::Interventional);
    assert!(!audit.disagreements.is_empty(), "data flow knows nothing of it");
}

#[test]
fn a_rule_that_secretly_reads_a_third_unit_is_found() {
    let plant = taking(|hand, step| {
        if !learns(step, hand.network(), "retina->v1") {
            return hand.take(step);
        }
        let third = activity(hand.network(), "v2");
        let mood: f32 = hand.look(third).iter().sum();
        let Step::Learn(id, ..) = step else { return };
        then(hand, step, Place::Change(id), |change| change.iter_mut().for_each(|value| *value *= mood));
    });
    let audit = audited(&plant, &[]);
    caught(&audit, Lint::UndeclaredAccess, Kind::Feedforward, "retina->v1", Method::Interventional);
    let told = audit.findings.iter().find(|finding| finding.lint == Lint::UndeclaredAccess).unwrap();
    assert!(told.message.contains("activity of v2"), "{told:?}");
}

#[test]
fn a_rule_that_says_it_reads_a_third_unit_is_found_with_its_path() {
    let plant = declaring(|step, network, access| {
        if learns(*step, network, "v1->v2") {
            access.reads.push(Place::Activity(unit(network, "retina"), View::Current));
        }
    });
    let audit = audited(&plant, &[]);
    caught(&audit, Lint::NonLocalRead, Kind::Feedforward, "v1->v2", Method::Static);
    let told = audit.findings.iter().find(|finding| finding.lint == Lint::NonLocalRead).unwrap();
    assert_eq!((&told.path[..], &told.reaches[..]), (&["learn v1->v2".to_string()][..], &["v1->v2".to_string()][..]));
    assert!(!audit.disagreements.is_empty(), "what it says that it reads moves nothing");
}

#[test]
fn a_read_of_the_view_that_is_shown_later_is_found() {
    let plant = declaring(|step, network, access| {
        if let Step::Learn(id, View::Stored, _) = *step {
            access.reads.push(Place::Activity(network.projection(id).from, View::Current));
        }
    });
    let loss = "learning.loss=ContrastiveHinge(negatives: Stored(3), gradient_block: false)";
    caught(&audited(&plant, &[loss]), Lint::FutureRead, Kind::Feedforward, "v1->v2", Method::Static);
}

#[test]
fn errors_that_are_weighed_by_the_other_half_of_the_batch_are_found() {
    let plant = taking(|hand, step| {
        let Step::Gate(id, view) = step else { return hand.take(step) };
        let activity = hand.look(Place::Activity(id, view));
        then(hand, step, Place::Packet(id, view), |packet| {
            let (errors, values) = (packet.len(), activity.len());
            for (index, error) in packet.iter_mut().enumerate() {
                *error *= 1.0 + activity[(index * values / errors + values / 2) % values];
            }
        });
    });
    caught(&audited(&plant, &[]), Lint::OtherItems, Kind::Unit, "v1", Method::Interventional);
}

#[test]
fn a_label_that_leaks_through_the_bias_is_found() {
    let plant = taking(|hand, step| {
        if !learns(step, hand.network(), "retina->v1") {
            return hand.take(step);
        }
        let label: f32 =
            hand.labels().iter().enumerate().map(|(item, &label)| (item * usize::from(label)) as f32).sum();
        let Step::Learn(id, ..) = step else { return };
        then(hand, step, Place::Change(id), |change| *change.last_mut().unwrap() += label);
    });
    let audit = audited(&plant, &[]);
    caught(&audit, Lint::UndeclaredAccess, Kind::Feedforward, "retina->v1", Method::Interventional);
    caught(&audit, Lint::Labels, Kind::Loss, "head", Method::Interventional);
}

#[test]
fn a_unit_that_normalises_inside_its_transfer_function_is_found() {
    let plant = taking(|hand, step| {
        let Step::Fire(id, view) = step else { return hand.take(step) };
        if !fires(step, hand.network(), "v1") {
            return hand.take(step);
        }
        let size = hand.network().unit(id).shape.len();
        then(hand, step, Place::Activity(id, view), |activity| {
            for item in activity.chunks_mut(size) {
                let sum: f32 = item.iter().map(|value| value.abs()).sum();
                item.iter_mut().for_each(|value| *value /= sum);
            }
        });
    });
    caught(&audited(&plant, &[]), Lint::Normalisation, Kind::Unit, "v1", Method::Interventional);
}

#[test]
fn a_unit_that_subtracts_the_mean_of_the_batch_is_found() {
    let plant = taking(|hand, step| {
        let Step::Fire(id, view) = step else { return hand.take(step) };
        if !fires(step, hand.network(), "v2") {
            return hand.take(step);
        }
        let size = hand.network().unit(id).shape.len();
        then(hand, step, Place::Activity(id, view), |activity| {
            let items = (activity.len() / size) as f32;
            for neuron in 0..size {
                let mean = activity.iter().skip(neuron).step_by(size).sum::<f32>() / items;
                activity.iter_mut().skip(neuron).step_by(size).for_each(|value| *value -= mean);
            }
        });
    });
    caught(&audited(&plant, &[]), Lint::BatchStatistics, Kind::Unit, "v2", Method::Interventional);
}

#[test]
fn an_access_list_that_lies_about_a_read_is_found() {
    let plant = declaring(|step, network, access| {
        if matches!(*step, Step::Gate(id, _) if network.unit(id).name == "v1") {
            access.reads.retain(|place| !matches!(place, Place::Activity(..)));
        }
    });
    let audit = audited(&plant, &[]);
    caught(&audit, Lint::UndeclaredAccess, Kind::Unit, "v1", Method::Interventional);
    assert!(audit.findings.iter().any(|finding| finding.message.contains("activity of v1")), "{:#?}", audit.findings);
}

#[test]
fn a_step_that_secretly_writes_other_weights_is_found() {
    let plant = taking(|hand, step| {
        let strays = learns(step, hand.network(), "v1->v2");
        hand.take(step);
        if strays {
            let place = Place::Weights(forward(hand.network(), "retina->v1"));
            let mut weights = hand.look(place);
            weights[0] += 1.0;
            hand.put(place, &weights);
        }
    });
    let audit = audited(&plant, &[]);
    caught(&audit, Lint::UndeclaredAccess, Kind::Feedforward, "v1->v2", Method::Interventional);
    let lie = audit.findings.iter().find(|finding| finding.lint == Lint::UndeclaredAccess).unwrap();
    assert_eq!(lie.message, "writes the weights of retina->v1 without declaring it");
}

#[test]
fn errors_that_came_through_the_weights_of_a_third_projection_are_found() {
    let plant = taking(|hand, step| {
        let Step::Carry(id, view, _) = step else { return hand.take(step) };
        if hand.network().answer(id).name != "v2->v1" {
            return hand.take(step);
        }
        let gain = hand.look(Place::FeedbackWeights(back(hand.network(), "head->v2")))[0];
        let alien = hand.look(Place::Weights(forward(hand.network(), "v2->head")))[0];
        let lower = hand.network().answer(id).to;
        then(hand, step, Place::Error(lower, view), |errors| {
            errors.iter_mut().for_each(|error| *error *= gain + alien)
        });
    });
    let audit = audited(&plant, &[]);
    caught(&audit, Lint::UndeclaredAccess, Kind::Feedback, "v2->v1", Method::Interventional);
    let plant = declaring(|step, network, access| {
        if matches!(*step, Step::Carry(id, ..) if network.answer(id).name == "v2->v1") {
            access.reads.push(Place::FeedbackWeights(back(network, "head->v2")));
        }
    });
    caught(&audited(&plant, &[]), Lint::ForeignWeights, Kind::Feedback, "v2->v1", Method::Static);
}

#[test]
fn two_projections_that_use_one_store_of_weights_are_found() {
    let plant = declaring(|step, network, access| {
        if matches!(*step, Step::Drive(id, ..) if network.projection(id).name == "v1->v2") {
            access.reads.push(Place::Weights(forward(network, "retina->v1")));
        }
    });
    caught(&audited(&plant, &[]), Lint::SharedStorage, Kind::Feedforward, "v1->v2", Method::Static);
}

#[test]
fn an_optimiser_that_divides_by_the_length_of_the_whole_change_is_found() {
    let plant = taking(|hand, step| {
        let Step::Apply(id) = step else { return hand.take(step) };
        if applies(step, hand.network(), "v1->v2") {
            let mut change = hand.look(Place::Change(id));
            let length = change.iter().map(|value| value * value).sum::<f32>().sqrt();
            change.iter_mut().for_each(|value| *value /= length);
            hand.put(Place::Change(id), &change);
        }
        hand.take(step);
    });
    let audit = audited(&plant, &[]);
    caught(&audit, Lint::NonLocalRead, Kind::Optimizer, "Sgd", Method::Interventional);
    assert!(!audit.disagreements.is_empty(), "the arithmetic of Sgd is proportional");
}

#[test]
fn an_optimiser_that_divides_each_change_by_its_own_size_is_found() {
    let plant = taking(|hand, step| {
        if let Step::Apply(id) = step {
            let mut change = hand.look(Place::Change(id));
            change.iter_mut().for_each(|value| *value /= value.abs().sqrt() + 1e-6);
            hand.put(Place::Change(id), &change);
        }
        hand.take(step);
    });
    caught(&audited(&plant, &[]), Lint::Normalisation, Kind::Optimizer, "Sgd", Method::Interventional);
}

#[test]
fn a_rule_that_sets_each_synapse_against_its_neighbours_is_found() {
    let plant = taking(|hand, step| {
        let Step::Learn(id, ..) = step else { return hand.take(step) };
        if !learns(step, hand.network(), "v2->head") {
            return hand.take(step);
        }
        then(hand, step, Place::Change(id), |change| {
            let mean = change.iter().sum::<f32>() / change.len() as f32;
            change.iter_mut().for_each(|value| *value -= mean);
        });
    });
    caught(&audited(&plant, &[]), Lint::NonLocalRead, Kind::Feedforward, "v2->head", Method::Interventional);
}

#[test]
fn a_rule_that_pairs_the_activity_of_one_item_with_the_error_of_another_is_found() {
    let plant = taking(|hand, step| {
        let Step::Learn(id, view, _) = step else { return hand.take(step) };
        if !learns(step, hand.network(), "v1->v2") {
            return hand.take(step);
        }
        let place = Place::Activity(hand.network().projection(id).from, view);
        let own = hand.look(place);
        let mut shifted = own.clone();
        shifted.rotate_left(hand.network().unit(hand.network().projection(id).from).shape.len());
        hand.put(place, &shifted);
        hand.take(step);
        hand.put(place, &own);
    });
    let audit = audited(&plant, &[]);
    caught(&audit, Lint::OtherItems, Kind::Feedforward, "v1->v2", Method::Interventional);
    let told = audit.findings.iter().find(|finding| finding.lint == Lint::OtherItems).unwrap();
    assert_eq!(told.evidence.len(), 2, "inside the step, and in the whole update: {told:?}");
}

#[test]
fn errors_that_are_normalised_on_their_way_are_found() {
    let plant = taking(|hand, step| {
        let Step::Carry(id, view, _) = step else { return hand.take(step) };
        let lower = hand.network().answer(id).to;
        let size = hand.network().unit(lower).shape.len();
        then(hand, step, Place::Error(lower, view), |errors| {
            for item in errors.chunks_mut(size) {
                let length = item.iter().map(|error| error * error).sum::<f32>().sqrt() + 1e-9;
                item.iter_mut().for_each(|error| *error /= length);
            }
        });
    });
    caught(&audited(&plant, &[]), Lint::Normalisation, Kind::Feedback, "v2->v1", Method::Interventional);
}

#[test]
fn feedback_that_starts_as_a_copy_and_takes_the_same_updates_is_symmetric() {
    let feedback = "network.feedback=[(from: \"v2\", to: \"v1\", wiring: Learned, init: Symmetric)]";
    let audit = audited(&sound(), &["learning.rule=Urf", feedback]);
    caught(&audit, Lint::SymmetricFeedback, Kind::Feedback, "v2->v1", Method::Interventional);
    let angle = audit.angles.iter().find(|angle| angle.feedback == "v2->v1").unwrap();
    assert!(angle.same_updates && angle.degrees[1] < 1e-3, "{angle:?}");
    caught(&audit, Lint::SymmetricFeedback, Kind::Feedback, "v2->v1", Method::Static);
    assert_eq!(audit.disagreements, [""; 0]);
}
