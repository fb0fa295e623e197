//! Replays the fuzz corpora: what fuzzing found once is checked in every run.

use std::path::Path;

use crate::fuzz;

/// Runs `target` over each file of its corpus; a failure names the file.
fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the corpus is committed")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    assert!(files.len() >= 10, "{} has only {} files", folder.display(), files.len());
    for file in files {
        let data = std::fs::read(&file).expect("it can be read");
        let passed = std::panic::catch_unwind(|| target(&data)).is_ok();
        assert!(passed, "{} fails", file.display());
    }
}

#[test]
fn i9_the_upgrade_corpus() {
    replay("upgrade", fuzz::upgrade);
}

#[test]
fn i9_the_frames_corpus() {
    replay("frames", fuzz::frames);
}

#[test]
fn i9_the_deflate_corpus() {
    replay("deflate", fuzz::deflate);
}
