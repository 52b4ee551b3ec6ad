//! The front page is true: the circuit that it shows is legal and learns, its links lead somewhere.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use synlocal::kernels::Isa;
use synlocal::simulation::{Experiment, Position, Trainer};

#[test]
fn the_circuit_on_the_front_page_is_legal_and_learns() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("readme.ron");
    let blocks: Vec<&str> = readme.split("```ron\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!blocks.is_empty(), "README shows a circuit");
    for block in blocks {
        fs::write(&file, block).unwrap();
        let small = ["data=Objects(images: 200, test_images: 1)", "training.pairs=20"].map(String::from);
        let experiment = Experiment::load(&file, &small).unwrap_or_else(|error| panic!("{block}\n{error}"));
        let dataset = experiment.load_data(&[]).unwrap().learned;
        let training = experiment.training().clone();
        let simulation = experiment.simulation(Isa::best());
        let mut trainer =
            Trainer::new(simulation, &dataset, *experiment.views(), training, Position::default()).unwrap();
        let mut losses = Vec::new();
        trainer
            .run(&AtomicBool::new(false), &mut |_| (), &mut |_, epoch| {
                losses.push((epoch.block, epoch.loss));
                Ok(())
            })
            .unwrap();
        // Blocks that learn one after the other each have a loss of their own.
        for block in losses.chunk_by(|one, next| one.0 == next.0) {
            assert!(block.len() > 1 && block[block.len() - 1].1 < block[0].1, "it learns: {losses:?}");
        }
    }
}

#[test]
fn the_front_page_has_no_gaps_and_no_dead_links() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    for target in readme.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(target.starts_with("https://") || root.join(target).exists(), "{target}");
    }
}
