//! All faults at once, and descriptions drawn at random.

use indexmap::IndexMap;
use proptest::prelude::*;
use synlocal::document::Doubts;
use synlocal::kernels::{Pool, Transfer};
use synlocal::network::{
    BlockSpec, FeedbackSpec, Init, LinearMap, Network, NetworkSpec, ProjectionSpec, Teaching, UnitSpec, Wiring,
};

use crate::faults_of;

#[test]
fn every_fault_of_one_file_is_shown_in_one_go_at_its_line() {
    let text = r#"Network(
    units: {
        "eye": Input(channels: 3, height: 8, width: 8),
        "ear": Input(channels: 1, height: 8, width: 8),
        "v1": Unit(pool: Max(17)),
        "v2": Unit(),
        "v3": Unit(pool: Max(9)),
        "idle": Unit(),
        "head": Unit(),
    },
    feedforward: [
        (from: "eye", to: "v1", map: Conv(channels: 4, kernel: 3, pad: 1)),
        (from: "eye", to: "v2", map: Conv(channels: 4, kernel: 3, pad: 1)),
        (from: "ear", to: "v2", map: Conv(channels: 5, kernel: 3, pad: 1)),
        (from: "v2", to: "v3", map: Conv(channels: 0, kernel: 3, pad: 1), init: Symmetric),
        (from: "ear", to: "v3", map: Conv(channels: 4, kernel: 1), init: Uniform(bound: -1.0)),
        (from: "v1", to: "head", map: Dense(units: 10)),
        (from: "idle", to: "head", map: Dense(units: 10)),
        (from: "v3", to: "haed", map: Dense(units: 11)),
        (from: "head", to: "eye", map: Dense(units: 1)),
        (from: "v2", to: "v2", map: Dense(units: 1)),
    ],
    feedback: [
        (from: "v1", to: "head"),
        (from: "head", to: "v1", map: Dense(units: 9)),
    ],
)
"#;
    let (message, count) = faults_of(text, Some(Wiring::Fixed), None);
    let expected = [
        ("4:9", "input ear is 1x8x8, but input eye is 3x8x8"),
        ("5:26", "unit v1 pools over windows of 17x17"),
        ("7:26", "unit v3: a pool of 9x9 is larger than its drive, 8x8"),
        ("8:9", "nothing drives unit idle"),
        ("14:53", "projection ear->v2: makes 5 channels, but v2 expects 4 from eye->v2"),
        ("15:52", "projection v2->v3: channels is 0"),
        ("15:81", "projection v2->v3 cannot start as a copy of itself: Symmetric copies the forward weights"),
        ("16:89", "-1 is not a positive number"),
        ("19:26", "projection v3->haed: there is no unit `haed`"),
        ("20:28", "projection head->eye ends in eye, an input, which has no drive"),
        ("21:9", "projection v2->v2 leads from v2 to itself"),
        ("24:9", "feedback v1->head has no partner: no feedforward projection leads from head to v1"),
        ("25:39", "feedback head->v1 is dense, 9 units, but v1->head, which it answers, is dense, 10 units"),
    ];
    let shown: Vec<_> = message
        .split("error: ")
        .skip(1)
        .map(|block| {
            let mut lines = block.lines();
            let problem = lines.next().unwrap_or_default();
            let line = lines.next().unwrap_or_default().trim().trim_start_matches("--> net.ron:");
            (line, problem)
        })
        .collect();
    assert_eq!(shown, expected, "{message}");
    assert_eq!(count, expected.len());
    assert!(message.ends_with("\n13 faults in net.ron"), "{message}");
}

/// Descriptions of few units and many mistakes: unknown names, cycles, sizes of any kind.
fn description() -> impl Strategy<Value = NetworkSpec> {
    let name = || prop::sample::select(&["a", "b", "c", "d", "e", "e", "nobody"][..]).prop_map(str::to_string);
    let size = || prop::sample::select(&[1, 1, 1, 2, 3, 3, 3, 8, 0, 65_536, usize::MAX][..]);
    let map = move || {
        prop_oneof![
            (size(), any::<bool>()).prop_map(|(units, bias)| LinearMap::Dense { units, bias }),
            (size(), size(), size(), size(), any::<bool>()).prop_map(|(channels, kernel, stride, pad, bias)| {
                LinearMap::Conv { channels, kernel, stride, pad: pad / 2, bias }
            }),
            (size(), size(), size(), size(), size()).prop_map(|(channels, kernel, stride, pad, output_pad)| {
                LinearMap::TransposedConv {
                    channels,
                    kernel,
                    stride,
                    pad: pad / 2,
                    output_pad: output_pad / 2,
                    bias: true,
                }
            }),
            (size(), size(), size(), size(), any::<bool>()).prop_map(|(channels, kernel, stride, pad, bias)| {
                LinearMap::Local { channels, kernel, stride, pad: pad / 2, bias }
            }),
            Just(LinearMap::Conv { channels: 3, kernel: 3, stride: 1, pad: 1, bias: false }),
            Just(LinearMap::OneToOne),
        ]
    };
    let init = || {
        prop_oneof![Just(Init::Kaiming), Just(Init::Symmetric), any::<f32>().prop_map(|bound| Init::Uniform { bound })]
    };
    let unit = prop_oneof![
        (size(), size(), size()).prop_map(|(channels, height, width)| UnitSpec::Input { channels, height, width }),
        size().prop_map(|size| UnitSpec::Unit { pool: Pool::Max(size), transfer: Transfer::Tanh }),
        Just(UnitSpec::Unit { pool: Pool::None, transfer: Transfer::Linear }),
        Just(UnitSpec::Unit { pool: Pool::None, transfer: Transfer::Linear }),
    ];
    let units = prop::collection::vec(unit, 0..6);
    let density = prop::sample::select(&[1.0, 1.0, 1.0, 0.3, 0.0, 1.5, f32::NAN][..]);
    let plastic = prop::option::of(any::<bool>());
    let forward = (name(), name(), map(), init(), density, plastic, prop::option::of(name()));
    let forward = forward.prop_map(|(from, to, map, init, density, plastic, name)| ProjectionSpec {
        from,
        to,
        map,
        name,
        init,
        density,
        plastic,
    });
    let wiring = prop::option::of(prop::sample::select(&[Wiring::Fixed, Wiring::Transported, Wiring::Inverse][..]));
    let optional =
        (prop::option::of(name()), prop::option::of(map()), prop::option::of(init()), prop::option::of(name()));
    let back = (name(), name(), wiring, optional);
    let back = back.prop_map(|(from, to, wiring, (partner, map, init, name))| FeedbackSpec {
        from,
        to,
        wiring,
        partner,
        map,
        init,
        name,
        transfer: None,
    });
    let block = (prop::collection::vec(name(), 0..3), name()).prop_map(|(units, head)| BlockSpec { units, head });
    let blocks = prop_oneof![Just(Vec::new()), prop::collection::vec(block, 1..4)];
    (units, prop::collection::vec(forward, 0..8), prop::collection::vec(back, 0..4), blocks).prop_map(
        |(units, feedforward, feedback, blocks)| {
            let units = ["a", "b", "c", "d", "e"].map(str::to_string).into_iter().zip(units).collect();
            NetworkSpec { units, feedforward, feedback, blocks }
        },
    )
}

/// Places that a description may have.
fn doubt() -> impl Strategy<Value = String> {
    let lists = prop::sample::select(&["units", "feedforward", "feedback", "blocks"][..]).prop_map(str::to_string);
    let unit = (prop::sample::select(&["a", "b", "c", "d"][..]), prop::sample::select(&["", ".pool", ".height"][..]));
    let fields = &["", ".from", ".to", ".map", ".map.kernel", ".plastic", ".name", ".wiring", ".partner"][..];
    let projection = (prop::sample::select(&["feedforward", "feedback"][..]), 0..5, prop::sample::select(fields));
    let block = (0..3, prop::sample::select(&["", ".units", ".units[0]", ".head"][..]));
    prop_oneof![
        lists,
        unit.prop_map(|(name, field)| format!("units[{name:?}]{field}")),
        projection.prop_map(|(list, index, field)| format!("{list}[{index}]{field}")),
        block.prop_map(|(index, field)| format!("blocks[{index}]{field}")),
    ]
}

/// Sound descriptions: an input, then units that each take convolutions and relays from any units before, and a head.
fn sound() -> impl Strategy<Value = NetworkSpec> {
    let plastic = prop::sample::select(&[Some(true), Some(true), Some(false), None][..]);
    let unit = prop::collection::vec((any::<prop::sample::Index>(), plastic), 1..4);
    prop::collection::vec(unit, 1..6).prop_map(|afferents| {
        let conv = LinearMap::Conv { channels: 3, kernel: 3, stride: 1, pad: 1, bias: false };
        let unit = UnitSpec::Unit { pool: Pool::None, transfer: Transfer::HardTanh };
        let mut units: IndexMap<String, UnitSpec> = IndexMap::new();
        let mut feedforward = Vec::new();
        units.insert("u0".to_string(), UnitSpec::Input { channels: 3, height: 4, width: 4 });
        for (index, afferents) in afferents.iter().enumerate() {
            let to = format!("u{}", index + 1);
            for (nth, (from, plastic)) in afferents.iter().enumerate() {
                let from = format!("u{}", if nth == 0 { index } else { from.index(index + 1) });
                let name = Some(format!("{from}->{to}.{nth}"));
                let map = if plastic.is_some() { conv } else { LinearMap::OneToOne };
                feedforward.push(ProjectionSpec {
                    from,
                    to: to.clone(),
                    map,
                    name,
                    init: Init::Kaiming,
                    density: 1.0,
                    plastic: *plastic,
                });
            }
            units.insert(to, unit);
        }
        NetworkSpec { units, feedforward, feedback: Vec::new(), blocks: Vec::new() }
    })
}

/// Whether it learns: in [`sound`] descriptions, what says nothing of it is a relay.
fn is_plastic(projection: &ProjectionSpec) -> bool {
    projection.plastic == Some(true)
}

/// Whether something learns in a unit or below it, by the definition.
fn learns_at_or_below(spec: &NetworkSpec, unit: &str) -> bool {
    spec.feedforward.iter().filter(|p| p.to == unit).any(|p| is_plastic(p) || learns_at_or_below(spec, &p.from))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_description_is_either_sound_or_has_faults(
        spec in description(),
        wired in any::<bool>(),
        blockwise in any::<bool>(),
        top in prop::option::of(Just(Wiring::Fixed)),
        heads in prop::option::of(prop::collection::vec(prop::sample::select(&["a", "c", "e", "x"][..]).prop_map(str::to_string), 0..3)),
    ) {
        let wiring = wired.then_some(Wiring::Fixed);
        match Network::build(&spec, Teaching { wiring, heads: heads.as_deref(), blockwise, top }) {
            Err(faults) => {
                prop_assert!(!faults.is_empty());
                let complete = faults.iter().all(|fault| !fault.problem.is_empty() && !fault.remedy.is_empty());
                prop_assert!(complete, "{:?}", faults);
            }
            Ok(network) => {
                prop_assert_eq!((network.units().len(), network.feedforward().len()), (spec.units.len(), spec.feedforward.len()));
                for projection in network.feedforward() {
                    let pre = network.unit(projection.from).shape;
                    prop_assert_eq!(projection.map.output(pre), Some(network.unit(projection.to).drive));
                }
                prop_assert!(network.projection_ids().all(|id| network.learns(id) == network.projection(id).plastic));
                prop_assert!(network.feedback().iter().all(|feedback| network.needs_error(feedback.to)));
            }
        }
    }

    #[test]
    fn a_rule_wires_exactly_what_the_learning_below_needs(spec in sound()) {
        let network = Network::build(&spec, Teaching::wired(Wiring::Fixed));
        let network = network.unwrap_or_else(|faults| panic!("{spec:?}: {faults:?}"));
        for (id, unit) in network.unit_ids().zip(network.units()) {
            prop_assert_eq!(network.needs_error(id), learns_at_or_below(&spec, &unit.name));
        }
        for (id, projection) in network.projection_ids().zip(&spec.feedforward) {
            let wanted = learns_at_or_below(&spec, &projection.from);
            prop_assert_eq!(network.feedback_of(id).is_some(), wanted);
            prop_assert_eq!(network.learns(id), is_plastic(projection));
        }
    }

    #[test]
    fn faults_of_any_description_are_found_together(mut spec in sound(), wrong in prop::collection::vec(any::<prop::sample::Index>(), 1..4)) {
        // Each projection that is spoilt is one fault, however many there are, and nothing else becomes one.
        let mut spoilt: Vec<usize> = wrong.iter().map(|index| index.index(spec.feedforward.len())).collect();
        spoilt.sort_unstable();
        spoilt.dedup();
        for index in &spoilt {
            spec.feedforward[*index].map = LinearMap::Conv { channels: 3, kernel: 3, stride: 0, pad: 1, bias: false };
        }
        let faults = Network::build(&spec, Teaching::wired(Wiring::Fixed)).expect_err("strides of 0");
        let places: Vec<String> = faults.into_iter().map(|fault| fault.place).collect();
        let expected: Vec<String> = spoilt.iter().map(|index| format!("feedforward[{index}].map.stride")).collect();
        prop_assert_eq!(places, expected);
    }

    #[test]
    fn doubts_add_no_fault(
        mut spec in description(),
        wired in any::<bool>(),
        blockwise in any::<bool>(),
        doubtful in prop::collection::vec(doubt(), 1..4),
    ) {
        let teaching = Teaching { wiring: wired.then_some(Wiring::Fixed), blockwise, ..Teaching::default() };
        // What may be an input or not is taken for none.
        for (_, unit) in spec.units.iter_mut().filter(|(name, _)| doubtful.contains(&format!("units[{name:?}]"))) {
            *unit = UnitSpec::Unit { pool: Pool::None, transfer: Transfer::Linear };
        }
        let faults = Network::build(&spec, teaching).err().unwrap_or_default();
        let mut doubts = Doubts::default();
        doubtful.iter().for_each(|place| doubts.add(place));
        let certain = Network::examine(&spec, &doubts, teaching).expect_err("what is doubtful is no network");
        for fault in certain {
            // Of a network without any input, nothing is said about what drives its units.
            let known = faults.iter().any(|known| fault.place.starts_with(&known.place) || known.place == "units");
            prop_assert!(known && !doubts.cover(&fault.place), "{:?} by doubts about {:?}", fault, doubtful);
        }
    }
}
