//! The front page is true: the circuit that it shows is legal.

use std::fs;
use std::path::Path;

use synlocal::simulation::Experiment;

#[test]
fn the_circuit_on_the_front_page_is_legal() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("readme.ron");
    let blocks: Vec<&str> = readme.split("```ron\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(!blocks.is_empty(), "README shows a circuit");
    for block in blocks {
        fs::write(&file, block).unwrap();
        if let Err(error) = Experiment::load(&file, &[]) {
            panic!("{block}\n{error}");
        }
    }
}

#[test]
fn every_experiment_in_the_networks_folder_is_legal() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("networks");
    let mut experiments = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        // A file that holds only a network is part of the experiments that name it.
        if fs::read_to_string(&file).unwrap().contains("Experiment(") {
            let experiment = Experiment::load(&file, &[]).unwrap_or_else(|error| panic!("{error}"));
            assert!(experiment.plan().steps().len() > 10, "{}", file.display());
            experiments += 1;
        }
    }
    assert!(experiments >= 5, "{experiments} experiments");
}
