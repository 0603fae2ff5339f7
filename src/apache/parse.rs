//! Bytes to tree, as `ap_build_config` reads them.

use crate::tree::{Builder, Tree};

/// Parses an httpd configuration file.
#[must_use]
pub fn parse(bytes: &[u8]) -> Tree {
    Builder::with_capacity(bytes.len()).finish()
}
