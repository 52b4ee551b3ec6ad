//! What a sound description becomes.

use std::path::Path;

use synlocal::document::Document;
use synlocal::kernels::{Pool, Transfer};
use synlocal::network::{Edge, Init, Network, NetworkSpec, Teaching, Wiring};
use synlocal::shape::Shape;

use crate::{CHAIN, UNITS, build, network, read};

fn conv6() -> NetworkSpec {
    let document = Document::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/networks/conv6.ron")));
    document.unwrap_or_else(|error| panic!("{error}")).parse().unwrap_or_else(|faults| panic!("{faults:?}"))
}

#[test]
fn conv6_has_the_shapes_of_the_paper() {
    let network =
        Network::build(&conv6(), Teaching::wired(Wiring::Fixed)).unwrap_or_else(|faults| panic!("{faults:?}"));
    let units: Vec<_> =
        network.units().iter().map(|unit| (unit.name.as_str(), unit.shape, unit.pool, unit.transfer)).collect();
    let (max, none) = (Pool::Max(2), Pool::None);
    assert_eq!(
        units,
        [
            ("retina", Shape::new(3, 32, 32), none, Transfer::Linear),
            ("v1", Shape::new(32, 32, 32), none, Transfer::HardTanh),
            ("v2", Shape::new(32, 16, 16), max, Transfer::Linear),
            ("v3", Shape::new(64, 16, 16), none, Transfer::HardTanh),
            ("v4", Shape::new(64, 8, 8), max, Transfer::Linear),
            ("v5", Shape::new(512, 4, 4), max, Transfer::Linear),
            ("head", Shape::flat(64), none, Transfer::Linear),
        ]
    );
    let pre = |projection: &synlocal::network::Projection| network.unit(projection.from).shape;
    let weights = network.feedforward().iter().map(|projection| projection.map.weight_dims(pre(projection)));
    let weights: Vec<usize> = weights.map(|dims| dims.iter().product()).collect();
    assert_eq!(weights[..5].iter().sum::<usize>(), 360_288);
    assert_eq!(weights[5], 8192 * 64);
    assert!(network.feedforward().iter().all(|projection| !projection.map.bias() && projection.init == Init::Kaiming));
    let v2 = network.find("v2").expect("a unit of CONV6");
    assert_eq!(network.unit(v2).drive, Shape::new(32, 32, 32));
}

#[test]
fn vgg6_has_the_shapes_of_the_paper() {
    let file = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/networks/vgg6.ron"));
    let document = Document::read(file).unwrap_or_else(|error| panic!("{error}"));
    let spec: NetworkSpec = document.parse().unwrap_or_else(|faults| panic!("{faults:?}"));
    let network = Network::build(&spec, Teaching::wired(Wiring::Fixed)).unwrap_or_else(|faults| panic!("{faults:?}"));
    let units: Vec<_> = network.units()[1..].iter().map(|unit| (unit.shape, unit.pool, unit.transfer)).collect();
    let (max, none, hard) = (Pool::Max(2), Pool::None, Transfer::HardTanh);
    assert_eq!(
        units,
        [
            (Shape::new(128, 64, 64), none, hard),
            (Shape::new(256, 32, 32), max, hard),
            (Shape::new(256, 32, 32), none, hard),
            (Shape::new(512, 16, 16), max, hard),
            (Shape::new(1024, 8, 8), max, hard),
            (Shape::new(1024, 4, 4), max, hard),
            (Shape::new(1024, 2, 2), Pool::Mean(2), Transfer::Linear),
            (Shape::flat(64), none, Transfer::Linear),
        ]
    );
    let weights = |id| network.projection(id).map.weights(network.unit(network.projection(id).from).shape);
    let learned: u128 = network.projection_ids().filter(|id| network.learns(*id)).map(weights).sum();
    let maps = [3u128, 128, 256, 256, 512, 1024, 1024];
    assert_eq!(learned, maps.windows(2).map(|ends| 9 * ends[0] * ends[1]).sum::<u128>() + 1024 * 2 * 2 * 64);
}

#[test]
fn a_rule_wires_a_way_down_to_everything_that_learns() {
    let network =
        Network::build(&conv6(), Teaching::wired(Wiring::Learned)).unwrap_or_else(|faults| panic!("{faults:?}"));
    let names: Vec<_> = network.feedback().iter().map(|feedback| feedback.name.as_str()).collect();
    assert_eq!(names, ["v2->v1", "v3->v2", "v4->v3", "v5->v4", "head->v5"]);
    for id in network.feedback_ids() {
        let answer = network.answer(id);
        let partner = network.projection(answer.partner);
        assert_eq!((answer.from, answer.to), (partner.to, partner.from));
        assert_eq!((answer.wiring, answer.init), (Wiring::Learned, Init::Kaiming));
        assert_eq!(network.feedback_of(answer.partner), Some(id));
        assert_eq!(network.feedback_from(answer.from).collect::<Vec<_>>(), [id]);
    }
    let needy: Vec<_> = network.unit_ids().filter(|id| network.needs_error(*id)).map(|id| id.index()).collect();
    assert_eq!(needy, [1, 2, 3, 4, 5, 6]);
    assert!(network.projection_ids().all(|id| network.learns(id)));
    assert_eq!(network.feedback_of(network.projection_ids().next().expect("retina->v1")), None);
    assert_eq!((network.inputs().len(), network.heads().len()), (1, 1));
    assert_eq!(network.unit(network.heads()[0]).name, "head");
}

#[test]
fn the_graph_holds_every_projection_as_an_edge() {
    let network = Network::build(&conv6(), Teaching::wired(Wiring::Sign)).unwrap_or_else(|faults| panic!("{faults:?}"));
    let graph = network.graph();
    assert_eq!((graph.node_count(), graph.edge_count()), (7, 6 + 5));
    for edge in graph.edge_indices() {
        let (from, to) = graph.edge_endpoints(edge).expect("an edge of the graph");
        let ends = match graph[edge] {
            Edge::Feedforward(id) => (network.projection(id).from, network.projection(id).to),
            Edge::Feedback(id) => (network.answer(id).from, network.answer(id).to),
        };
        assert_eq!((graph[from], graph[to]), ends);
    }
}

#[test]
fn no_error_travels_below_the_lowest_plastic_projection() {
    let text = network(UNITS, &CHAIN.replacen("pad: 1)),", "pad: 1), plastic: false),", 2), "");
    let network = build(&text, Some(Wiring::Fixed));
    assert_eq!(network.feedback().len(), 0);
    let learning: Vec<_> = network.projection_ids().map(|id| network.learns(id)).collect();
    assert_eq!(learning, [false, false, true]);
    let needy: Vec<_> = network.unit_ids().map(|id| network.needs_error(id)).collect();
    assert_eq!(needy, [false, false, false, true]);
}

#[test]
fn an_error_passes_through_units_that_do_not_learn() {
    let rigid = CHAIN.replace("units: 10))", "units: 10), plastic: false)");
    let rigid = rigid.replace(
        "to: \"v2\", map: Conv(channels: 4, kernel: 3, pad: 1))",
        "to: \"v2\", map: Conv(channels: 4, kernel: 3, pad: 1), plastic: false)",
    );
    let network = build(&network(UNITS, &rigid, ""), Some(Wiring::Fixed));
    let names: Vec<_> = network.feedback().iter().map(|feedback| feedback.name.as_str()).collect();
    assert_eq!(names, ["v2->v1", "head->v2"]);
    assert!(network.unit_ids().skip(1).all(|id| network.needs_error(id)));
    let learning: Vec<_> = network.projection_ids().map(|id| network.learns(id)).collect();
    assert_eq!(learning, [true, false, false]);
}

#[test]
fn a_written_feedback_stands_and_takes_the_rules_wiring_if_it_names_none() {
    let text = network(
        UNITS,
        CHAIN,
        r#"(from: "v2", to: "v1", init: Symmetric, name: "down", map: Conv(channels: 4, kernel: 3, pad: 1)),
           (from: "head", to: "v2", wiring: Transported)"#,
    );
    let network = build(&text, Some(Wiring::Fixed));
    let feedback: Vec<_> =
        network.feedback().iter().map(|feedback| (feedback.name.as_str(), feedback.wiring, feedback.init)).collect();
    assert_eq!(feedback, [("down", Wiring::Fixed, Init::Symmetric), ("head->v2", Wiring::Transported, Init::Kaiming)]);
}

#[test]
fn without_a_rule_only_what_is_written_is_there() {
    let written = r#"(from: "head", to: "v2", wiring: Learned), (from: "v2", to: "v1", wiring: Fixed)"#;
    let network = build(&network(UNITS, CHAIN, written), None);
    let feedback: Vec<_> =
        network.feedback().iter().map(|feedback| (feedback.name.as_str(), feedback.wiring)).collect();
    assert_eq!(feedback, [("head->v2", Wiring::Learned), ("v2->v1", Wiring::Fixed)]);
}

#[test]
fn skips_parallel_projections_and_several_heads_are_ordinary() {
    let text = network(
        r#""eye": Input(channels: 3, height: 8, width: 8), "ear": Input(channels: 3, height: 8, width: 8),
           "v1": Unit(pool: Mean(2)), "top": Unit(), "side": Unit()"#,
        r#"(from: "eye", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1), name: "fine"),
           (from: "ear", to: "v1", map: Conv(channels: 4, kernel: 5, pad: 2)),
           (from: "eye", to: "v1", map: Conv(channels: 4, kernel: 1), name: "coarse"),
           (from: "v1", to: "top", map: Dense(units: 5, bias: true), name: "a"),
           (from: "v1", to: "side", map: Dense(units: 7)),
           (from: "v1", to: "top", map: Dense(units: 5), name: "b"),
           (from: "ear", to: "top", map: Dense(units: 5))"#,
        r#"(from: "top", to: "v1", partner: "b", wiring: Learned)"#,
    );
    let network = build(&text, Some(Wiring::Fixed));
    let unit = |name| network.find(name).unwrap_or_else(|| panic!("no {name}"));
    let names = |ids: &mut dyn Iterator<Item = synlocal::network::ProjectionId>| -> Vec<String> {
        ids.map(|id| network.projection(id).name.clone()).collect()
    };
    assert_eq!(names(&mut network.efferents(unit("v1"))), ["a", "v1->side", "b"]);
    assert_eq!(names(&mut network.afferents(unit("v1"))), ["fine", "ear->v1", "coarse"]);
    assert_eq!(names(&mut network.afferents(unit("eye"))), [""; 0]);
    assert_eq!(network.unit(unit("v1")).shape, Shape::new(4, 4, 4));
    assert_eq!(network.heads(), [unit("top"), unit("side")]);
    assert_eq!(network.inputs(), [unit("eye"), unit("ear")]);
    let feedback: Vec<_> = network.feedback().iter().map(|f| (f.name.as_str(), f.partner.index(), f.wiring)).collect();
    assert_eq!(
        feedback,
        [("top->v1:b", 5, Wiring::Learned), ("top->v1:a", 3, Wiring::Fixed), ("side->v1", 4, Wiring::Fixed)]
    );
    assert_eq!(network.feedback_from(unit("top")).map(|id| id.index()).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(network.find("nose"), None);
}

#[test]
fn heads_can_be_named_and_lie_below_others() {
    let (_, spec) = read(&network(UNITS, CHAIN, ""));
    let heads = ["head".to_string(), "v1".to_string()];
    let network = Network::build(&spec, Teaching { heads: Some(&heads), ..Teaching::wired(Wiring::Fixed) })
        .unwrap_or_else(|faults| panic!("{faults:?}"));
    let names: Vec<_> = network.heads().iter().map(|head| network.unit(*head).name.as_str()).collect();
    assert_eq!(names, ["head", "v1"]);
}

#[test]
fn networks_can_be_shared_between_threads() {
    fn shared<T: std::fmt::Debug + Clone + Send + Sync>() {}
    shared::<Network>();
}
