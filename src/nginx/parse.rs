//! Bytes to tree, as `ngx_conf_read_token` reads them.

use crate::tree::{Builder, Tree};

/// Parses an nginx configuration file.
#[must_use]
pub fn parse(bytes: &[u8]) -> Tree {
    Builder::with_capacity(bytes.len()).finish()
}
