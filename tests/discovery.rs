//! Which files of real projects are taken for whose configuration.

#![expect(clippy::print_stdout, reason = "tests say what they counted and what they skip")]

use std::fs;
use std::path::{Path, PathBuf};

use proxylint::gateway::Server;
use proxylint::project::{is_candidate, server_of};

/// The shared test data, where it is there.
fn shared() -> Option<PathBuf> {
    let path = std::env::var_os("PROXYLINT_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    path.join("corpus").is_dir().then_some(path)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(directory).sort_by_file_name();
    walk.into_iter().flatten().filter(|entry| entry.path().is_file()).map(walkdir::DirEntry::into_path).collect()
}

#[test]
fn real_files_are_taken_for_their_own_servers() {
    let Some(shared) = shared() else {
        println!("skipped: no shared test data");
        return;
    };
    for (name, server) in [("nginx", Server::Nginx), ("apache", Server::Apache)] {
        let (mut taken, mut other, mut left) = (0, Vec::new(), Vec::new());
        for path in files(&shared.join("corpus").join(name)) {
            let bytes = fs::read(&path).unwrap();
            match is_candidate(&path).then(|| server_of(&path, &bytes[..bytes.len().min(8192)])).flatten() {
                Some(found) if found == server => taken += 1,
                Some(_) => other.push(path),
                None => left.push(path),
            }
        }
        println!("{name}: {taken} taken, {} taken for the other server, {} left out", other.len(), left.len());
        assert_eq!(other, Vec::<PathBuf>::new(), "taken for the other server");
        // What is left out: one-line snippets of documentation with nothing in them that tells the server, and files of comments.
        assert!(taken > 2 * left.len(), "{left:#?}");
    }
}
