//! Which settings file holds for a path: the nearest one upward, not beyond the repository.

use std::path::{Path, PathBuf};

/// The names of the settings file; the first there is counts.
const NAMES: [&str; 2] = ["proxylint.toml", ".proxylint.toml"];

/// What marks the root of a repository; `.git` is a file in worktrees and submodules.
const ROOTS: [&str; 4] = [".git", ".hg", ".jj", ".svn"];

/// The settings file for `path`: in its directory or one around it, up to the root of the repository.
#[must_use]
pub fn find(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let start = if absolute.is_dir() { absolute.as_path() } else { absolute.parent()? };
    for directory in start.ancestors() {
        if let Some(file) = NAMES.iter().map(|name| directory.join(name)).find(|file| file.is_file()) {
            return Some(file);
        }
        if ROOTS.iter().any(|root| directory.join(root).exists()) {
            return None;
        }
    }
    None
}

/// The directory within which `directory` may name files: the repository around it, else itself.
pub(super) fn reach(directory: &Path) -> std::io::Result<PathBuf> {
    let real = directory.canonicalize()?;
    let repository = real.ancestors().find(|around| ROOTS.iter().any(|root| around.join(root).exists()));
    Ok(repository.unwrap_or(&real).to_path_buf())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_nearest_file_counts_and_the_repository_bounds_the_search() {
        let directory = tempfile::tempdir().unwrap();
        let top = std::path::absolute(directory.path()).unwrap();
        fs::create_dir_all(top.join("repo/deploy/nginx")).unwrap();
        fs::write(top.join("proxylint.toml"), "").unwrap();
        assert_eq!(find(&top.join("repo/deploy")), Some(top.join("proxylint.toml")));
        fs::write(top.join("repo/.git"), "gitdir: elsewhere").unwrap();
        assert_eq!(find(&top.join("repo/deploy")), None);
        fs::write(top.join("repo/.proxylint.toml"), "").unwrap();
        assert_eq!(find(&top.join("repo/deploy/nginx")), Some(top.join("repo/.proxylint.toml")));
    }
}
