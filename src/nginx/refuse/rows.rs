//! Blocks of rows that are no directives: `map` (`ngx_http_map`, `ngx_http_map_module.c`).

use rustc_hash::FxHashSet;

use super::{Checker, show};
use crate::gateway::Fault;
use crate::nginx::line::Line;
use crate::tree::Shape;

impl<'a> Checker<'a> {
    /// The rows of a block that its own function reads.
    pub(super) fn rows(&mut self, head: Line<'a>) {
        if head.name() != b"map" {
            return;
        }
        let mut has_default = false;
        let mut keys: FxHashSet<Vec<u8>> = FxHashSet::default();
        for id in head.tree.children(Some(head.id)) {
            let row = Line { id, ..head };
            if row.is_holed() || row.shape() != Shape::Simple {
                return;
            }
            let name = row.name_word().value();
            let count = row.words().count() + 1;
            if count == 1 && matches!(name.as_ref(), b"hostnames" | b"volatile") {
                continue;
            }
            if count != 2 {
                let message = "invalid number of the map parameters".to_owned();
                return self.refuse(row.span(), Fault::Arguments, message);
            }
            match name.as_ref() {
                b"include" | [b'~', ..] => {}
                b"default" if has_default => {
                    if !self.is_template(head) {
                        self.refuse(row.span(), Fault::Duplicate, "duplicate default map parameter".to_owned());
                    }
                }
                b"default" => has_default = true,
                key => {
                    if !keys.insert(key.to_ascii_lowercase()) && !self.is_template(head) {
                        self.refuse(row.span(), Fault::Duplicate, format!("conflicting parameter \"{}\"", show(key)));
                    }
                }
            }
        }
    }
}
