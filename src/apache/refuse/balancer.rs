//! Balancers that a virtual host and the main server both know, which httpd merges when everything is read.

use rustc_hash::FxHashMap;

use super::Checker;
use super::context::Around;
use crate::apache::statement::Word;
use crate::apache::values::{parameter, proxy_url};
use crate::gateway::{Fault, Refusal};
use crate::source::Span;

/// The balancers that lines have named so far.
#[derive(Debug, Default)]
pub(super) struct Balancers {
    /// Those of the main server, with whether they have `failonstatus` there.
    of_main: FxHashMap<Vec<u8>, bool>,
    /// Lines of virtual hosts that set `failonstatus`, with the balancer's name.
    in_hosts: Vec<(Vec<u8>, Span)>,
}

impl Checker<'_> {
    /// A line names the balancer of this URL, and sets these parameters.
    pub(super) fn names_balancer(&mut self, url: &[u8], parameters: &[Word<'_>], span: Span) {
        let Some(url) = proxy_url(url) else { return };
        let name = url.authority.to_ascii_lowercase();
        let lists = parameters.iter().any(|word| parameter(&word.value).is(&["failonstatus"]));
        if self.around.contains(&Around::VirtualHost) {
            if lists {
                self.balancers.in_hosts.push((name, span));
            }
            return;
        }
        *self.balancers.of_main.entry(name).or_default() |= lists;
    }

    /// Where only the host's has such a list, nothing is there that it could be put behind, and httpd crashes (`merge_balancers`, `mod_proxy.c`).
    pub(super) fn merge_balancers(&mut self) {
        for (name, span) in std::mem::take(&mut self.balancers.in_hosts) {
            if self.balancers.of_main.get(&name) == Some(&false) {
                let name = String::from_utf8_lossy(&name).into_owned();
                let message = format!("httpd crashes over failonstatus: balancer {name} of the main server has none");
                self.refusals.push(Refusal::new(span, Fault::Value, message));
            }
        }
    }
}
