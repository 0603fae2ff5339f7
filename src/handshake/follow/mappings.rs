//! How httpd processes a request, phase by phase.

use super::{Client, Files};
use crate::facts::View;
use crate::handshake::{Chosen, Walk};

/// Follows the request of `client` through the site `chosen`.
pub(super) fn follow(view: &View<'_>, _client: &Client, _files: Files<'_>, chosen: Chosen) -> Walk {
    Walk::at_site(view, chosen)
}
