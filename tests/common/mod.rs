//! Where the tests' data lies: real configurations and what real servers did with them. They are not part of the repository.

use std::path::{Path, PathBuf};

/// The folder `name` of the shared data: beside the repository, or where `PROXYLINT_SHARED` says. Where it is not there, says
/// that the test is skipped.
#[expect(clippy::print_stdout, reason = "a test that is skipped says so")]
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let base = std::env::var_os("PROXYLINT_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let folder = base.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: there is no {}", folder.display());
    None
}

/// All regular files below `folder`, sorted by path; a link is not one.
#[allow(dead_code, reason = "not every test asks for all files")]
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter();
    entries.flatten().filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}
