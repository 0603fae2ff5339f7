//! Writes files whole or not at all, and none that somebody else has changed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a file was not written. It is as it was.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// It is not what was read.
    #[error("it has changed since it was read")]
    Changed,
    /// Its owner does not want it written.
    #[error("it is read-only")]
    ReadOnly,
    /// The operating system refuses.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Puts `after` into the file at `path`, which held `before`. A symbolic link stays one: its target is written. Mode and owner are kept.
///
/// # Errors
/// Where the file is another than it was, or cannot be written.
pub(super) fn replace(path: &Path, before: &[u8], after: &[u8]) -> Result<(), WriteError> {
    let real = fs::canonicalize(path)?;
    let meta = fs::metadata(&real)?;
    if meta.permissions().readonly() {
        return Err(WriteError::ReadOnly);
    }
    let (mut file, temporary) = beside(&real)?;
    let written = (|| {
        file.write_all(after)?;
        keep_owner(&file, &meta)?;
        file.set_permissions(meta.permissions())?;
        file.sync_all()?;
        // As late as can be: what somebody writes meanwhile must not be lost.
        if fs::read(&real)? != before {
            return Err(WriteError::Changed);
        }
        Ok(fs::rename(&temporary, &real)?)
    })();
    if written.is_err() {
        // What is left behind is named so that nobody takes it for configuration.
        let _ = fs::remove_file(&temporary);
        return written;
    }
    // The new name is on disk when the directory is. Some file systems cannot do that.
    if let Some(directory) = real.parent().and_then(|directory| File::open(directory).ok()) {
        let _ = directory.sync_all();
    }
    Ok(())
}

/// A new file beside `path`, in the same file system, so that it can take its place at one stroke.
fn beside(path: &Path) -> io::Result<(File, PathBuf)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let mut tries = 0u32;
    loop {
        let temporary = path.with_file_name(format!(".{name}.proxylint-{}-{tries}", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&temporary) {
            Ok(file) => return Ok((file, temporary)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && tries < 100 => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// Gives the file the owner and group that it had. One who may not keeps his own: the file's mode decides who reads it.
#[cfg(unix)]
fn keep_owner(file: &File, meta: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let now = file.metadata()?;
    if (now.uid(), now.gid()) == (meta.uid(), meta.gid()) {
        return Ok(());
    }
    match fchown(file, Some(meta.uid()), Some(meta.gid())) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            // The group alone often may.
            let _ = fchown(file, None, Some(meta.gid()));
            Ok(())
        }
        done => done,
    }
}

#[cfg(not(unix))]
fn keep_owner(_: &File, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link_and_the_mode_stays() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target"), folder.path().join("link"));
        fs::write(&target, "a").unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("target", &link).unwrap();
        replace(&link, b"a", b"b\xff").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"b\xff");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left behind");
    }

    #[test]
    fn what_somebody_else_changed_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "other").unwrap();
        assert!(matches!(replace(&path, b"a", b"b"), Err(WriteError::Changed)));
        assert_eq!(fs::read(&path).unwrap(), b"other");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
    }

    #[test]
    fn a_read_only_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, "a").unwrap();
        let mut permissions = fs::metadata(&path).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&path, permissions).unwrap();
        assert!(matches!(replace(&path, b"a", b"b"), Err(WriteError::ReadOnly)));
        assert_eq!(fs::read(&path).unwrap(), b"a");
    }
}
