//! Slips of the pen in every place that there is.

use proptest::prelude::*;

use crate::{Bench, NETWORK, inline, shared};

/// A place in a text, and what to write there instead of so many bytes.
#[derive(Debug, Clone)]
struct Slip {
    at: usize,
    length: usize,
    written: String,
}

/// Slips of the pen, one for each word and number of a text: names with a letter too many, values of a wrong type.
fn slips(text: &str) -> Vec<Slip> {
    let mut slips = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let word = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c)).unwrap_or(rest.len());
        let quoted = rest.strip_prefix('"').and_then(|inner| inner.find('"')).map_or(0, |end| end + 2);
        let length = word.max(quoted).max(1);
        let token = &rest[..length];
        let written = match token.chars().next() {
            Some('"') if !rest[length..].starts_with(':') => Some("3.5".to_string()),
            Some(first) if first.is_ascii_digit() => Some("wide".to_string()),
            Some(first) if first.is_ascii_alphabetic() && !matches!(token, "true" | "false") => {
                Some(format!("{token}{}", &token[token.len() - 1..]))
            }
            Some(first) if first.is_ascii_alphabetic() => Some("3.5".to_string()),
            _ => None,
        };
        slips.extend(written.map(|written| Slip { at, length, written }));
        at += length;
    }
    slips
}

/// Words that nobody can guess: a name that is no other's in place of each name, a field that is none in all brackets.
fn riddles(text: &str) -> Vec<Slip> {
    let mut riddles = Vec::new();
    for slip in slips(text) {
        let token = &text[slip.at..slip.at + slip.length];
        let after = &text[slip.at + slip.length..];
        if token.starts_with(char::is_uppercase) {
            riddles.push(Slip { written: "Zzz".to_string(), ..slip });
        } else if after.starts_with(':') && text[..slip.at].ends_with('(') {
            riddles.push(Slip { length: 0, written: "zzz: 1, ".to_string(), ..slip });
        }
    }
    riddles
}

/// A text with slips in it, and where each of them begins.
fn slip(text: &str, slips: &[&Slip]) -> (String, Vec<String>) {
    let (mut slipped, mut done, mut places) = (String::new(), 0, Vec::new());
    for Slip { at, length, written } in slips {
        slipped.push_str(&text[done..*at]);
        let line = slipped.lines().count().max(1);
        let column = slipped.len() - slipped.rfind('\n').map_or(0, |end| end + 1) + 1;
        places.push(format!("{line}:{column} "));
        slipped.push_str(written);
        done = at + length;
    }
    (slipped + &text[done..], places)
}

/// Demands one fault at each place and no other.
#[track_caller]
fn expect(name: &str, places: &[String], faults: &[String], text: &str) {
    let found = |(fault, place): (&String, &String)| fault.starts_with(&format!("{name}:{place}"));
    let right = faults.len() == places.len() && faults.iter().zip(places).all(found);
    assert!(right, "expected one fault at each of {places:?}, found {faults:#?} in\n{text}");
}

/// Blocks that learn apart, and targets that travel down inverses.
const OTHERS: &[&str] = &[
    r#"Experiment(
    network: Network(
        units: {
            "retina": Input(channels: 3, height: 8, width: 8),
            "v1": Unit(pool: Max(2)),
            "h1": Unit(),
            "v2": Unit(),
            "h2": Unit(),
        },
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
            (from: "v1", to: "h1", map: Dense(units: 10)),
            (from: "v1", to: "v2", map: TransposedConv(channels: 4, kernel: 3, stride: 2, pad: 1, output_pad: 1)),
            (from: "v2", to: "h2", map: Dense(units: 10)),
        ],
        feedback: [
            (from: "h1", to: "v1", wiring: Fixed),
            (from: "h2", to: "v2", wiring: Fixed),
        ],
        blocks: [
            (units: ["v1"], head: "h1"),
            (units: ["v2"], head: "h2"),
        ],
    ),
    learning: (rule: Wired, staging: Random(draw: Balanced)),
    data: Objects(images: 64, test_images: 32),
)"#,
    r#"Experiment(
    network: Network(
        units: {
            "retina": Input(channels: 3, height: 8, width: 8),
            "v1": Unit(),
            "v2": Unit(pool: Max(2)),
            "head": Unit(),
        },
        feedforward: [
            (from: "retina", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
            (from: "v1", to: "v2", map: Conv(channels: 4, kernel: 3, pad: 1), density: 0.5),
            (from: "v2", to: "head", map: Dense(units: 10)),
        ],
        feedback: [
            (from: "head", to: "v2", wiring: Fixed, init: Kaiming),
            (from: "v2", to: "v1", wiring: Inverse, transfer: Tanh),
        ],
    ),
    learning: (rule: Dtp, targets: (step: 0.5, top: Fixed, noise: 1.0, inverse_steps: 2, inverse_optimizer: Sgd(rate: 0.1))),
    data: Objects(images: 64, test_images: 32),
)"#,
];

#[test]
fn one_slip_or_riddle_is_one_fault_wherever_it_is() {
    let bench = Bench::new();
    let texts = OTHERS.iter().map(|text| text.to_string());
    for text in texts.chain([inline(NETWORK)]) {
        assert_eq!(bench.said(&text, None), "");
        for one in slips(&text).iter().chain(&riddles(&text)) {
            let (slipped, places) = slip(&text, &[one]);
            expect("experiment.ron", &places, &bench.faults(&slipped, None), &slipped);
        }
    }
}

#[test]
fn two_slips_are_two_faults_wherever_they_are() {
    let bench = Bench::new();
    let slips = slips(NETWORK);
    for (index, first) in slips.iter().enumerate() {
        // A tenth of all pairs, another one for each slip.
        for second in slips[index + 1..].iter().skip(index % 10).step_by(10) {
            let (slipped, places) = slip(NETWORK, &[first, second]);
            expect("circuit.ron", &places, &bench.faults(&shared(), Some(&slipped)), &slipped);
        }
    }
}

#[test]
fn a_riddle_leaves_no_other_doubts() {
    let bench = Bench::new();
    let riddles = riddles(NETWORK);
    let line = |slip: &Slip| NETWORK[..slip.at].matches('\n').count();
    for (index, first) in riddles.iter().enumerate() {
        let (slipped, places) = slip(NETWORK, &[first]);
        expect("circuit.ron", &places, &bench.faults(&shared(), Some(&slipped)), &slipped);
        // What stands within a riddle is not read.
        for second in riddles[index + 1..].iter().filter(|second| line(second) > line(first).max(1)) {
            let (slipped, places) = slip(NETWORK, &[first, second]);
            expect("circuit.ron", &places, &bench.faults(&shared(), Some(&slipped)), &slipped);
        }
    }
}

#[test]
fn no_slip_hides_a_number_or_a_name_that_is_wrong() {
    let bench = Bench::new();
    // Each at the value that is to be marked: what stands before it on its line, the value, another.
    let wrong = [
        ("Input(channels: ", "3", "0"),
        ("\"v2\": Unit(pool: ", "Mean(2)", "Mean(99)"),
        ("Normal(deviation: ", "0.1", "-0.1"),
        ("Conv(channels: 6, kernel: ", "1", "0"),
        ("feedback: [\n        (from: ", "\"head\"", "\"nobody\""),
    ];
    let line = |at: usize| NETWORK[..at].matches('\n').count();
    for (before, right, wrong) in wrong {
        let at = NETWORK.find(&format!("{before}{right}")).expect(before) + before.len();
        let wrong = Slip { at, length: right.len(), written: wrong.to_string() };
        for one in slips(NETWORK).iter().chain(&riddles(NETWORK)).filter(|one| line(one.at) != line(at)) {
            let mut both = [&wrong, one];
            both.sort_by_key(|slip| slip.at);
            let (text, places) = slip(NETWORK, &both);
            expect("circuit.ron", &places, &bench.faults(&shared(), Some(&text)), &text);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn words_that_change_places_are_faults_with_a_place_each_shown_once(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6),
        other in 0..3_usize,
    ) {
        let text = OTHERS.get(other).map_or_else(|| inline(NETWORK), |text| text.to_string());
        let words = slips(&text);
        let mut changed = text.clone();
        let mut places: Vec<(usize, usize)> =
            changes.iter().map(|(to, from)| (to.index(words.len()), from.index(words.len()))).collect();
        places.sort_unstable();
        places.dedup_by_key(|(to, _)| *to);
        for (to, from) in places.into_iter().rev() {
            let (to, from) = (&words[to], &words[from]);
            changed.replace_range(to.at..to.at + to.length, &text[from.at..from.at + from.length]);
        }
        let mut faults = Bench::new().faults(&changed, None);
        let shown = faults.len();
        faults.sort();
        faults.dedup();
        prop_assert_eq!(faults.len(), shown, "{:#?} in {}", faults, changed);
    }
}
