//! What an audit says, as text and as a page: nothing that was found is left out, whatever units are called.

use std::path::Path;

use proptest::prelude::*;
use roxmltree::{Document, Node as Element, ParsingOptions};
use synlocal::audit::{
    Angle, Audit, Breach, Checks, Evidence, Fence, Finding, Kind, Method, Node, Part, Remembered, Row, Source, Update,
    Verdict, read,
};
use synlocal::lint::{Level, Lint, Policy, Preset};
use synlocal::report::{audit_page, audit_text, explanation, lint_table};
use synlocal::simulation::Experiment;

fn part(kind: Kind, name: &str) -> Part {
    Part { kind, name: name.to_string() }
}

/// A row of a projection between two units, or of something else.
fn row(kind: Kind, name: &str, ends: Option<[&str; 2]>, verdict: (usize, Verdict)) -> Row {
    let mut verdicts = [Verdict::default(); 5];
    verdicts[verdict.0] = verdict.1;
    Row {
        part: part(kind, name),
        from: ends.map(|ends| ends[0].to_string()),
        to: ends.map(|ends| ends[1].to_string()),
        partner: (kind == Kind::Feedback).then(|| ends.map(|[upper, lower]| format!("{lower}->{upper}"))).flatten(),
        plastic: kind == Kind::Feedforward,
        detail: "Transported".to_string(),
        verdicts,
    }
}

fn finding(lint: Lint, level: Level, part: Part) -> Finding {
    Finding {
        lint,
        constraint: lint.constraint(),
        level,
        message: format!("what {lint} found"),
        path: ["begin", "through", "end"].map(|step| format!("{step} of {}", part.name)).to_vec(),
        reaches: vec![format!("reached by {}", part.name)],
        evidence: [Method::Static, Method::Interventional, Method::Types]
            .map(|method| Evidence { method, text: format!("{method:?} evidence of {lint}") })
            .to_vec(),
        remedy: format!("remedy of {lint}"),
        part,
    }
}

/// A chain of three units that breaks two constraints, in which the middle one is called `name`.
fn broken(name: &str) -> Audit {
    let unit = |name: &str, input, head| Node { name: name.to_string(), shape: [3, 4, 4], input, head, block: None };
    let own = |level| Verdict { own: Some(level), heard: None };
    let heard = Verdict { own: Some(Level::Allow), heard: Some(Level::Deny) };
    let [lower, upper, back] = [format!("eye->{name}"), format!("{name}->top"), format!("top->{name}")];
    let rows = vec![
        row(Kind::Feedforward, &lower, Some(["eye", name]), (2, heard)),
        row(Kind::Feedforward, &upper, Some([name, "top"]), (0, own(Level::Warn))),
        row(Kind::Feedback, &back, Some(["top", name]), (2, own(Level::Deny))),
        row(Kind::Loss, "top", None, (0, Verdict::default())),
        row(Kind::Optimizer, "Adam", None, (1, own(Level::Deny))),
    ];
    let findings = vec![
        finding(Lint::WeightTransport, Level::Deny, part(Kind::Feedback, &back)),
        finding(Lint::Division, Level::Deny, part(Kind::Optimizer, "Adam")),
        finding(Lint::UpdateLocking, Level::Warn, part(Kind::Feedforward, &upper)),
        finding(Lint::WeightSharing, Level::Allow, part(Kind::Feedforward, &lower)),
    ];
    Audit {
        schema: 1,
        clean: false,
        policy: Policy { levels: [("labels".to_string(), Level::Warn)].into(), ..Policy::default() },
        run: true,
        stages: vec!["top".to_string()],
        units: vec![unit("eye", true, false), unit(name, false, false), unit("top", false, true)],
        rows,
        findings,
        updates: vec![Update {
            projection: lower.clone(),
            stage: "top".to_string(),
            sources: vec![Source {
                what: "weights far away".to_string(),
                path: vec!["a step".into()],
                moved: Some(true),
            }],
        }],
        checks: Checks { untested: 1, steps: 61, blinded: 62, disturbed: 34, compared: 210, probed: 55, pairs: 12 },
        angles: vec![Angle { feedback: back.clone(), partner: upper, degrees: [89.25, 42.5], same_updates: true }],
        memories: vec![Remembered { head: "top".to_string(), items: 4, back: 17, ahead: 3 }],
        fences: vec![Fence { forbids: "swap the ends of a synapse", error: "E0308" }],
        breaches: vec![Breach { name: "Breach::WEIGHT_TRANSPORT", feedback: back }],
        disagreements: Vec::new(),
    }
}

/// A text in which every break is one space.
fn flowing(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{error}\n{page}"))
}

/// All that can be read in a part of a page.
fn words(element: Element<'_, '_>) -> String {
    let texts = element.descendants().filter(|node| node.is_text()).filter_map(|node| node.text());
    flowing(&texts.collect::<Vec<_>>().join(" "))
}

fn classed<'a, 'input>(page: &'a Document<'input>, class: &str) -> Vec<Element<'a, 'input>> {
    let has = |node: &Element| {
        node.attribute("class").is_some_and(|all| class.split(' ').all(|one| all.split(' ').any(|other| other == one)))
    };
    page.descendants().filter(has).collect()
}

fn experiment(file: &str) -> Experiment {
    Experiment::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("networks").join(file), &[]).unwrap()
}

#[test]
fn text_and_page_tell_every_finding_with_way_evidence_and_remedy() {
    let audit = broken("middle");
    let page = audit_page(&audit, "chain");
    let page = words(parse(&page).root_element());
    let text = flowing(&audit_text(&audit, "chain"));
    for found in &audit.findings {
        let lint = found.lint;
        for said in [&text, &page] {
            let told = [&found.message, &found.reaches[0], &found.remedy, &found.part.name, found.level.name()];
            told.into_iter().for_each(|told: &str| assert!(said.contains(told), "{lint}: {told}\n{said}"));
            found.evidence.iter().for_each(|reason| assert!(said.contains(&reason.text), "{lint}: {}", reason.text));
            assert!(said.contains(&found.path.join(" → ")), "{lint}: {said}");
        }
        assert!(text.contains(&format!("{}[{lint}] at ", found.level.name())), "{text}");
        assert!(text.contains(&format!("synlocal audit --explain {lint}")), "{text}");
        assert!(page.contains(&flowing(&lint.sentence())), "the page of {lint} is in the page");
    }
    for said in [&text, &page] {
        for told in ["chain", "Paper, memory 8, labels warning", "89.2", "42.5", "17 images back", "3 images ahead"] {
            assert!(said.contains(told), "{told}\n{said}");
        }
        for told in
            ["Breach::WEIGHT_TRANSPORT", "swap the ends", "61 steps read", "62 steps blinded", "210 pairs", "agree"]
        {
            assert!(said.contains(told), "{told}\n{said}");
        }
    }
    assert!(page.contains("weights far away; disturbed, the update moves"), "{page}");
    assert!(audit_text(&audit, "chain").ends_with(&audit.summary()));
}

#[test]
fn the_table_tells_what_is_denied_itself_from_what_hears_of_it() {
    let text = audit_text(&broken("middle"), "chain");
    let cells = |part: &str| {
        let line = text.lines().find(|line| line.trim_start().starts_with(part)).unwrap();
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(cells("feedforward eye")[2..], ["ok", "ok", "DENIED above", "ok", "ok"]);
    assert_eq!(cells("feedforward middle")[2..], ["warning", "ok", "ok", "ok", "ok"]);
    assert_eq!(cells("feedback top")[2..], ["ok", "ok", "DENIED", "ok", "ok"]);
    assert_eq!(cells("optimizer Adam")[2..], ["ok", "DENIED", "ok", "ok", "ok"]);
    let sound = Audit { rows: broken("middle").rows[3..4].to_vec(), ..broken("middle") };
    assert!(!audit_text(&sound, "chain").contains("above"), "nothing to explain");
}

#[test]
fn many_allowed_findings_are_told_in_a_line_each() {
    let mut audit = broken("middle");
    let places = ["a->b", "b->c", "c->d"];
    audit.findings = places.map(|name| finding(Lint::MixedSigns, Level::Allow, part(Kind::Feedforward, name))).to_vec();
    let text = audit_text(&audit, "chain");
    let lines: Vec<&str> = text.lines().filter(|line| line.contains("what mixed-signs found")).collect();
    assert_eq!(lines.len(), 3);
    assert!(lines.iter().zip(places).all(|(line, place)| line.contains(place)), "{text}");
    assert_eq!(text.matches("allowed[mixed-signs]").count(), 1, "{text}");
    assert!(!text.contains("remedy of"), "{text}");
}

#[test]
fn contradictions_are_told_first_of_all() {
    let mut audit = broken("middle");
    audit.disagreements = vec!["data flow says no & the run says yes".to_string()];
    let page = audit_page(&audit, "chain");
    let document = parse(&page);
    assert_eq!(classed(&document, "box denied").len(), 1);
    assert!(words(document.root_element()).contains("data flow says no & the run says yes"));
    assert!(!page.contains("data flow and run agree"));
    let text = audit_text(&audit, "chain");
    assert!(text.contains("error: the evidence contradicts itself: data flow says no & the run says yes"), "{text}");
    assert!(!text.contains("data flow and run agree"), "{text}");
}

#[test]
fn names_are_shown_and_never_obeyed() {
    let name = "<script>alert(1)</script>&\"'\u{1b}[31m\u{202e}";
    let shown = "<script>alert(1)</script>&\"'\\u{1b}[31m\\u{202e}";
    let audit = broken(name);
    let page = audit_page(&audit, name);
    let document = parse(&page);
    assert!(document.descendants().all(|node| !node.has_tag_name("script")), "{page}");
    assert!(page.chars().all(|c| !c.is_control() || c == '\n'), "a page of plain characters");
    assert!(words(document.root_element()).contains(&format!("feedback top->{shown}")), "{page}");
    let titles = document.descendants().filter(|node| node.has_tag_name("title")).filter_map(|node| node.text());
    assert!(titles.into_iter().any(|title| title.starts_with(&format!("unit {shown}"))), "{page}");
    let text = audit_text(&audit, name);
    assert!(text.chars().all(|c| !c.is_control() || c == '\n') && text.contains(shown), "{text}");
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = audit_page(&broken("middle"), "chain");
    assert!(!page.contains("http") && !page.contains("@import") && !page.contains("//"), "{page}");
    let document = parse(&page);
    for node in document.descendants().filter(|node| node.is_element()) {
        assert!(!["script", "link", "img", "iframe", "object"].contains(&node.tag_name().name()), "{node:?}");
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            assert!(!name.starts_with("on") && name != "src", "{name}");
            assert!(name != "href" || value.starts_with('#'), "{value}");
            let inner = value.split("url(").skip(1).all(|target| target.starts_with('#'));
            assert!(inner, "{value}");
        }
    }
    // What is linked is there.
    let ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    for target in document.descendants().filter_map(|node| node.attribute("href")) {
        assert!(ids.contains(&target.trim_start_matches('#')), "{target} among {ids:?}");
    }
}

#[test]
fn the_graph_shows_each_projection_in_the_colour_of_its_verdict() {
    let page = audit_page(&broken("middle"), "chain");
    let document = parse(&page);
    for (class, count) in [
        ("edge feedforward heard", 1),
        ("edge feedforward warned", 1),
        ("edge feedback denied", 1),
        ("pill denied", 1),
        ("pill sound", 1),
        ("unit sound", 3),
        ("unit input", 1),
    ] {
        let graph = classed(&document, "graph")[0];
        let found = classed(&document, class).into_iter().filter(|node| node.ancestors().any(|outer| outer == graph));
        assert_eq!(found.count(), count, "{class}");
    }
    // A second cue beside the colour: denied and heard projections, the denied optimiser, the warned projection.
    let graph = classed(&document, "graph")[0];
    let signs =
        graph.descendants().filter(|node| node.attribute("class").is_some_and(|class| class.starts_with("sign")));
    assert_eq!(signs.count(), 4);
}

/// Left, top, right and bottom of the box of every unit, by name.
fn boxes(document: &Document<'_>) -> Vec<(String, [f64; 4])> {
    let number = |node: Element, name: &str| node.attribute(name).unwrap().parse::<f64>().unwrap();
    let units = classed(document, "unit").into_iter().map(|unit| {
        let rect = unit.children().find(|node| node.has_tag_name("rect")).unwrap();
        let [x, y] = ["x", "y"].map(|name| number(rect, name));
        let title = unit.children().find(|node| node.has_tag_name("title")).unwrap();
        (words(title), [x, y, x + number(rect, "width"), y + number(rect, "height")])
    });
    units.collect()
}

/// Demands that no unit hides another, that all fit into the picture, and that no line crosses a unit where it turns.
fn assert_legible(audit: &Audit) {
    let page = audit_page(audit, "circuit");
    let document = parse(&page);
    let graph = classed(&document, "graph")[0];
    let size: Vec<f64> = graph.attribute("viewBox").unwrap().split(' ').map(|number| number.parse().unwrap()).collect();
    let boxes = boxes(&document);
    assert_eq!(boxes.len(), audit.units.len());
    for (index, (name, [left, top, right, bottom])) in boxes.iter().enumerate() {
        assert!(*left >= 0.0 && *top >= 0.0 && *right <= size[2] && *bottom <= size[3], "{name} sticks out");
        for (other, [l, t, r, b]) in &boxes[..index] {
            assert!(right <= l || r <= left || bottom <= t || b <= top, "{name} and {other} overlap");
        }
    }
    let projections = audit.rows.iter().filter(|row| row.from.is_some()).count();
    let edges: Vec<Element> =
        classed(&document, "edge").into_iter().filter(|edge| edge.parent() == Some(graph)).collect();
    assert_eq!(edges.len(), projections, "all projections are drawn");
    for edge in edges {
        let path = edge.children().find(|node| node.has_tag_name("path")).unwrap().attribute("d").unwrap();
        let numbers: Vec<f64> = path
            .split(|c: char| c.is_ascii_alphabetic() || c == ' ')
            .filter(|number| !number.is_empty())
            .map(|number| number.parse().unwrap())
            .collect();
        for point in numbers.chunks(2) {
            let inside = |[left, top, right, bottom]: [f64; 4]| {
                point[0] > left + 1.0 && point[0] < right - 1.0 && point[1] > top + 1.0 && point[1] < bottom - 1.0
            };
            let crossed = boxes.iter().find(|(_, area)| inside(*area));
            assert!(crossed.is_none(), "{} runs through {crossed:?}", words(edge));
            assert!((0.0..=size[2]).contains(&point[0]) && (0.0..=size[3]).contains(&point[1]), "{path}");
        }
    }
}

#[test]
fn the_circuits_of_the_paper_are_drawn_legibly() {
    for file in ["conv6-e2e-bp.ron", "conv6-gll-urf.ron", "conv6-dtp.ron", "table2/gll-urf.ron", "quickstart.ron"] {
        assert_legible(&read(&experiment(file), &Policy::default()).unwrap());
    }
}

#[test]
fn a_head_stands_beside_its_block_and_activity_climbs() {
    let audit = read(&experiment("conv6-gll-urf.ron"), &Policy::default()).unwrap();
    let page = audit_page(&audit, "conv6");
    let document = parse(&page);
    let boxes = boxes(&document);
    let of = |name: &str| boxes.iter().find(|(title, _)| title.starts_with(&format!("unit {name}"))).unwrap().1;
    for (lower, upper) in [("retina", "v1"), ("v1", "v2"), ("v2", "v3"), ("v3", "v4"), ("v4", "v5")] {
        assert!(of(upper)[3] < of(lower)[1], "{upper} is above {lower}");
    }
    for block in 1..=5 {
        let [top, head] = [of(&format!("v{block}")), of(&format!("h{block}"))];
        assert!(top[1] == head[1] && top[2] < head[0], "block {block}");
    }
    assert_eq!(classed(&document, "block").len(), 5);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Chains with skips of any length, each projection with feedback.
    #[test]
    fn any_circuit_is_drawn_legibly(units in 2usize..12, skips in prop::collection::vec((0usize..12, 0usize..12), 0..8)) {
        let mut audit = broken("middle");
        let name = |unit: usize| format!("u{unit}");
        audit.units = (0..units)
            .map(|unit| Node { name: name(unit), shape: [8, 1, 1], input: unit == 0, head: unit + 1 == units, block: None })
            .collect();
        let chain = (1..units).map(|unit| (unit - 1, unit));
        let mut pairs: Vec<(usize, usize)> = chain.chain(skips.into_iter().filter(|(from, to)| from < to && *to < units)).collect();
        pairs.sort_unstable();
        pairs.dedup();
        audit.rows = Vec::new();
        for (from, to) in pairs {
            let [lower, upper] = [name(from), name(to)];
            let ends = Some([lower.as_str(), upper.as_str()]);
            audit.rows.push(row(Kind::Feedforward, &format!("{lower}->{upper}"), ends, (0, Verdict::default())));
            let ends = Some([upper.as_str(), lower.as_str()]);
            audit.rows.push(row(Kind::Feedback, &format!("{upper}->{lower}"), ends, (0, Verdict::default())));
        }
        assert_legible(&audit);
    }
}

#[test]
fn every_lint_has_a_page_that_is_complete() {
    for lint in Lint::ALL.iter().copied() {
        let page = lint.page();
        assert!(page.starts_with(&format!("# {lint}\n\n")), "{lint}");
        let sentence = lint.sentence();
        assert!(sentence.ends_with('.') && !sentence.contains(". "), "{lint}: {sentence}");
        for part in ["What it means", "Why biology minds", "What to change", "How it is found", "Reference"] {
            let body = page.split(&format!("\n## {part}\n\n")).nth(1).and_then(|rest| rest.split("\n## ").next());
            assert!(body.is_some_and(|body| body.trim().len() > 40), "{lint}: {part}");
        }
        assert!(page.lines().all(|line| line.len() <= 120), "{lint}");
        let explained = explanation(lint);
        for (preset, name) in [(Preset::Paper, "Paper"), (Preset::Strict, "Strict")] {
            assert!(explained.contains(&format!("{name}: {}", lint.level(preset).name())), "{explained}");
        }
        assert!(
            lint_table().lines().any(|line| line.contains(&format!(" {lint} ")) && line.contains(&sentence)),
            "{lint}"
        );
    }
}
