//! The user's own rules: pages of the same form as ours, in the files that `[rules] paths` names.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use globset::GlobBuilder;
use walkdir::WalkDir;

use super::error::{ConfigError, Text};
use super::file::Value;
use super::find::reach;
use crate::rules::Rule;

/// The longest page that is read. Ours have ten kilobytes.
const MAX_BYTES: u64 = 1 << 20;

/// Reads the rules in the files that fit `pattern`, which `source` names and which starts from `directory`.
pub(super) fn load(source: &Text, directory: &Path, pattern: &Value<String>) -> Result<Vec<Arc<Rule>>, ConfigError> {
    let paths = paths(source, directory, pattern)?;
    if paths.is_empty() {
        let error = source.at(pattern, &format!("no file fits `{}`", pattern.get_ref()));
        return Err(error.help(format!("it starts from `{}`", directory.display())));
    }
    paths.iter().map(|path| read(source, directory, pattern, path)).collect()
}

/// The files that fit `pattern`, in order.
fn paths(source: &Text, directory: &Path, pattern: &Value<String>) -> Result<Vec<PathBuf>, ConfigError> {
    let glob = GlobBuilder::new(pattern.get_ref()).literal_separator(true).build();
    let matcher = glob.map_err(|error| source.at(pattern, &error.to_string()))?.compile_matcher();
    // Below the last directory that is written out: nothing else can fit.
    let is_plain = |part: &Component<'_>| !part.as_os_str().to_string_lossy().contains(['*', '?', '[', '{', '\\']);
    let plain: PathBuf = Path::new(pattern.get_ref()).components().take_while(is_plain).collect();
    let start = directory.join(plain);
    if start.canonicalize().is_ok_and(|real| !is_ours(directory, &real)) {
        return Err(outside(source, pattern, &start));
    }
    let mut paths = Vec::new();
    for entry in WalkDir::new(start).sort_by_file_name() {
        // What cannot be listed holds nothing that fits.
        let Ok(entry) = entry else { continue };
        let below = entry.path().strip_prefix(directory).unwrap_or(entry.path());
        if !entry.file_type().is_dir() && matcher.is_match(below) {
            paths.push(entry.into_path());
        }
    }
    Ok(paths)
}

fn read(source: &Text, directory: &Path, pattern: &Value<String>, path: &Path) -> Result<Arc<Rule>, ConfigError> {
    let real = path.canonicalize().map_err(|error| ConfigError::unreadable(path, &error))?;
    if !is_ours(directory, &real) {
        return Err(outside(source, pattern, path));
    }
    let about = fs::metadata(&real).map_err(|error| ConfigError::unreadable(path, &error))?;
    if !about.is_file() || about.len() > MAX_BYTES {
        return Err(
            source.at(pattern, &format!("`{}` is no page of a rule: it is no regular file, or too large", path.display()))
        );
    }
    let page = fs::read_to_string(&real).map_err(|error| ConfigError::unreadable(path, &error))?;
    let rule = Rule::parse_own(&path.to_string_lossy(), page).map_err(|error| ConfigError::rule(path, &error))?;
    Ok(Arc::new(rule))
}

/// Whether settings in `directory` may name `real`: those of a stranger's repository must not show what lies outside of it.
fn is_ours(directory: &Path, real: &Path) -> bool {
    reach(directory).is_ok_and(|reach| real.starts_with(reach))
}

fn outside(source: &Text, pattern: &Value<String>, path: &Path) -> ConfigError {
    source.at(pattern, &format!("`{}` lies outside of the repository", path.display()))
}
