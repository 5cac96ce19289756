//! The project's source as the rules see it.

use std::fs;
use std::path::{Path, PathBuf};

/// Its path in the repository.
pub(crate) fn relative(file: &Path) -> String {
    let inside = file.strip_prefix(root()).unwrap();
    inside.to_str().unwrap().to_owned()
}

/// The files at a place, each without its comments and its tests.
pub(crate) fn code_of(place: &str) -> Vec<(PathBuf, String)> {
    let files: Vec<PathBuf> = rust_files(place)
        .into_iter()
        .filter(|file| !is_test(file))
        .collect();
    assert!(!files.is_empty(), "nothing to check at {place}");
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let uncommented = code.lines().map(|line| line.split("//").next().unwrap());
            let code = uncommented.collect::<Vec<_>>().join("\n");
            (file, code)
        })
        .collect()
}

fn is_test(file: &Path) -> bool {
    file.iter()
        .any(|part| part == "tests" || part == "tests.rs")
}

pub(crate) fn rust_files(place: &str) -> Vec<PathBuf> {
    files_of(place, "rs")
}

/// The files at a place whose names end so.
pub(crate) fn files_of(place: &str, ending: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![root().join(place)];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else if path
            .extension()
            .is_some_and(|extension| extension == ending)
        {
            files.push(path);
        }
    }
    files.sort();
    files
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
