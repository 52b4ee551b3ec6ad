//! Circuits drawn at random: skips, several heads, mixed wirings, blocks, targets, every map, loss and optimiser.

use std::fmt::Write;

use synlocal::rng::{Rng, Stream};

/// What has been drawn of a circuit.
struct Drawing {
    rng: Rng,
    units: String,
    feedforward: String,
    /// Name, channels and side of each unit so far.
    known: Vec<(String, usize, usize)>,
    /// Ends of the projections between inner units, from below to above.
    inner: Vec<(String, String)>,
}

/// An experiment file. Not all are legal.
pub(crate) fn circuit(number: u64) -> String {
    let mut rng = Stream::new(7).named("circuit").at(number).rng();
    match rng.below(6) {
        0 => chain(rng, "rule: Dtp", false),
        1 => {
            let rule = ["Bp", "Rf", "Urf", "Sign"][rng.below(4)];
            let staging = ["Greedy", "Random()", "EndToEnd"][rng.below(3)];
            chain(rng, &format!("rule: {rule}, staging: {staging}"), true)
        }
        _ => graph(rng),
    }
}

fn one<'a>(rng: &mut Rng, choices: &[&'a str]) -> &'a str {
    choices[rng.below(choices.len())]
}

fn loss(rng: &mut Rng) -> &'static str {
    one(
        rng,
        &[
            "ContrastiveHinge(negatives: Stored(2), margins: (0.01, 9.0))",
            "ContrastiveHinge(negatives: Stored(4), margins: (0.5, 2.0))",
            "ContrastiveHinge(negatives: All, margins: (0.01, 9.0))",
            "ContrastiveHinge(negatives: Stored(3), gradient_block: false)",
            "ContrastiveHingeMean(margins: (0.01, 9.0))",
            "L1Margin(margin: 9.0)",
            "L1Positive()",
            "NtXent()",
            "BarlowTwins()",
            "CrossEntropy()",
            "MulticlassHinge()",
        ],
    )
}

fn optimizer(rng: &mut Rng) -> &'static str {
    one(rng, &["Sgd(rate: 1e-3)", "Sgd(rate: 1e-3, momentum: 0.9)", "Adam(rate: 1e-3)"])
}

fn finish(rng: &mut Rng, units: &str, feedforward: &str, more: &str, learning: &str) -> String {
    format!(
        "Experiment(network: Network(units: {{{units}}}, feedforward: [{feedforward}], {more}), \
         learning: ({learning}, loss: {}, optimizer: {}), data: Objects(images: 8, test_images: 1), \
         training: (pairs: 6, epochs: 1, seed: {}))",
        loss(rng),
        optimizer(rng),
        rng.below(1000)
    )
}

/// One unit above the other, each with a head if there are `blocks`.
fn chain(mut rng: Rng, learning: &str, blocks: bool) -> String {
    let (mut units, mut feedforward, mut divided) = (String::new(), String::new(), String::new());
    write!(units, "\"u0\": Input(channels: 2, height: 8, width: 8), ").unwrap();
    let levels = 2 + rng.below(3);
    let mut side = 8;
    for level in 1..=levels {
        let pools = side > 2 && rng.below(2) == 0;
        let pool = if pools { one(&mut rng, &["pool: Max(2), ", "pool: Mean(2), "]) } else { "" };
        side /= if pools { 2 } else { 1 };
        let transfer = one(&mut rng, &["Tanh", "HardTanh", "Linear"]);
        write!(units, "\"u{level}\": Unit({pool}transfer: {transfer}), ").unwrap();
        let bias = one(&mut rng, &["", ", bias: true"]);
        let channels = 2 + rng.below(3);
        let map = format!("Conv(channels: {channels}, kernel: 3, pad: 1{bias})");
        write!(feedforward, "(from: \"u{}\", to: \"u{level}\", map: {map}), ", level - 1).unwrap();
        if blocks || level == levels {
            write!(units, "\"h{level}\": Unit(), ").unwrap();
            write!(feedforward, "(from: \"u{level}\", to: \"h{level}\", map: Dense(units: 5)), ").unwrap();
            write!(divided, "(units: [\"u{level}\"], head: \"h{level}\"), ").unwrap();
        }
    }
    let more = if blocks { format!("blocks: [{divided}]") } else { String::new() };
    finish(&mut rng, &units, &feedforward, &more, learning)
}

/// Units that hear one or two others, and one to three heads.
fn graph(rng: Rng) -> String {
    let known = vec![("u0".to_string(), 2, 6)];
    let mut drawing = Drawing { rng, units: String::new(), feedforward: String::new(), known, inner: Vec::new() };
    write!(drawing.units, "\"u0\": Input(channels: 2, height: 6, width: 6), ").unwrap();
    for index in 1..2 + drawing.rng.below(5) {
        drawing.unit(index);
    }
    let inner = drawing.known.len();
    for head in 0..1 + drawing.rng.below(3) {
        write!(drawing.units, "\"h{head}\": Unit(), ").unwrap();
        let below = 1 + drawing.rng.below(inner - 1);
        drawing.join(below, &format!("h{head}"), "Dense(units: 5)");
    }
    let Drawing { mut rng, units, feedforward, inner, .. } = drawing;
    let rule = one(&mut rng, &["Bp", "Rf", "Urf", "Sign"]);
    let mut feedback = String::new();
    for (lower, upper) in inner {
        if rng.below(3) == 0 {
            let wiring = one(&mut rng, &["Transported", "Fixed", "Learned", "Sign"]);
            write!(feedback, "(from: \"{upper}\", to: \"{lower}\", wiring: {wiring}), ").unwrap();
        }
    }
    finish(&mut rng, &units, &feedforward, &format!("feedback: [{feedback}]"), &format!("rule: {rule}"))
}

impl Drawing {
    /// A unit above one or two that are drawn already.
    fn unit(&mut self, index: usize) {
        let name = format!("u{index}");
        let first = self.rng.below(self.known.len());
        let (_, channels, side) = self.known[first].clone();
        let second = (0..self.known.len()).find(|&other| other != first && self.known[other].2 == side);
        let second = second.filter(|_| self.rng.below(2) == 0);
        let out = 2 + self.rng.below(3);
        let (mut pool, mut shape) = ("", (out, side));
        let mut map = match self.rng.below(5) {
            0 => format!("Local(channels: {out}, kernel: 3, pad: 1)"),
            1 => {
                shape = (out, 1);
                format!("Dense(units: {out}, bias: true)")
            }
            _ => format!("Conv(channels: {out}, kernel: 3, pad: 1)"),
        };
        if second.is_none() && self.rng.below(6) == 0 {
            map = "OneToOne".to_string();
            shape = (channels, side);
        }
        if shape.1 == side && side % 2 == 0 && self.rng.below(3) == 0 {
            pool = one(&mut self.rng, &["pool: Max(2), ", "pool: Mean(2), "]);
            shape.1 /= 2;
        }
        let transfer = one(&mut self.rng, &["Linear", "HardTanh", "Tanh", "Relu"]);
        write!(self.units, "\"{name}\": Unit({pool}transfer: {transfer}), ").unwrap();
        self.join(first, &name, &map);
        if let Some(second) = second {
            self.join(second, &name, &map);
        }
        self.known.push((name, shape.0, shape.1));
    }

    fn join(&mut self, below: usize, name: &str, map: &str) {
        let lower = self.known[below].0.clone();
        let sparse = map != "OneToOne" && self.rng.below(6) == 0;
        let density = if sparse { ", density: 0.6" } else { "" };
        write!(self.feedforward, "(from: \"{lower}\", to: \"{name}\", map: {map}{density}), ").unwrap();
        if below > 0 {
            self.inner.push((lower, name.to_string()));
        }
    }
}
