//! Where the shared test data lies; it is not part of the repository.

use std::path::PathBuf;

/// The folder `name` of the shared data, or `None`, said aloud, where it is not there. `PROXYLINT_SHARED` names another place.
pub(crate) fn shared(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("PROXYLINT_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let folder = root.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not there", folder.display());
    None
}
