//! What the whole configuration lacks, which httpd sees when every line is read.

use super::Checker;
use crate::gateway::{Fault, Refusal, Unknown};
use crate::source::Span;

impl Checker<'_> {
    /// What is looked at when everything is read.
    pub(super) fn whole(&mut self, partial: Option<Unknown>) {
        if !self.is_main || partial.is_some() {
            return;
        }
        self.merge_balancers();
        let Some(&root) = self.resolved.sources.first() else { return };
        let start = Span::new(root, 0, 0);
        // `balancer_post_config`, `mod_proxy_balancer.c`.
        if self.modules.has("proxy_balancer") == Some(true) && self.modules.has("slotmem_shm") == Some(false) {
            let span = self.modules.loaded.get("proxy_balancer").copied().flatten().unwrap_or(start);
            let message = "AH01177: Failed to lookup provider 'shm' for 'slotmem': is mod_slotmem_shm loaded??";
            self.refusals.push(Refusal::new(span, Fault::Missing, message.to_owned()));
        }
        // A balancer's method is looked up when it is set up: `byrequests` where none is written (`ap_proxy_initialize_balancer`).
        if let Some(span) = self.balancer
            && self.modules.has("proxy_balancer") == Some(true)
            && self.modules.has("lbmethod_byrequests") == Some(false)
            && !self.foreign
        {
            let message = "AH02432: Cannot find LB Method: byrequests".to_owned();
            self.refusals.push(Refusal::new(span, Fault::Missing, message));
        }
        if !self.listens {
            let message = "no listening sockets available, shutting down".to_owned();
            self.refusals.push(Refusal::new(start, Fault::Missing, message));
        }
    }
}
