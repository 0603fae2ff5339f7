//! Blocks of rows that are no directives: `map` (`ngx_http_map`, `ngx_http_map_module.c`), `geo` (`ngx_http_geo_module.c`),
//! `split_clients` (`ngx_http_split_clients_module.c`).

use rustc_hash::FxHashSet;

use super::setter::is_network;
use super::{Checker, show};
use crate::gateway::Fault;
use crate::nginx::line::Line;
use crate::nginx::lower::hundredths;
use crate::tree::Shape;

impl<'a> Checker<'a> {
    /// The rows of a block that its own function reads.
    pub(super) fn rows(&mut self, head: Line<'a>) {
        let refused = match head.name() {
            b"map" => return self.map(head),
            b"geo" => geo(head),
            b"split_clients" => split_clients(head),
            _ => return,
        };
        if let Some((row, message)) = refused {
            self.refuse(row.span(), Fault::Value, message);
        }
    }

    fn map(&mut self, head: Line<'a>) {
        let mut has_default = false;
        let mut keys: FxHashSet<Vec<u8>> = FxHashSet::default();
        for id in head.tree.children(Some(head.id)) {
            let row = head.other(id);
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
                b"include" => {}
                [b'~', pattern @ ..] => {
                    let pattern = pattern.strip_prefix(b"*").unwrap_or(pattern);
                    if let Some(reason) = crate::pcre::fault(pattern) {
                        let message = format!("pcre2_compile() failed: {reason} in \"{}\"", show(pattern));
                        return self.refuse(row.span(), Fault::Value, message);
                    }
                }
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

/// The rows of a block that is written out; none where a template hole is one of them.
fn rows_of(head: Line<'_>) -> impl Iterator<Item = Line<'_>> {
    head.tree
        .children(Some(head.id))
        .map(move |id| head.other(id))
        .take_while(|row| !row.is_holed() && row.shape() == Shape::Simple)
}

/// `ngx_http_geo`: the first row that is refused, and why.
fn geo(head: Line<'_>) -> Option<(Line<'_>, String)> {
    let mut ranges = false;
    rows_of(head).find_map(|row| {
        let name = row.name_word().value();
        let count = row.words().count() + 1;
        if count == 1 && matches!(name.as_ref(), b"ranges" | b"proxy_recursive" | b"volatile") {
            ranges |= name.as_ref() == b"ranges";
            return None;
        }
        if count != 2 {
            return Some((row, "invalid number of the geo parameters".to_owned()));
        }
        let network = match name.as_ref() {
            b"include" | b"default" => return None,
            b"delete" | b"proxy" => row.word(0)?.value(),
            _ => name,
        };
        let (what, good) = if ranges {
            let is_address = |text: &[u8]| std::str::from_utf8(text).is_ok_and(|text| text.parse::<std::net::Ipv4Addr>().is_ok());
            let ends = network.iter().position(|&byte| byte == b'-').map(|at| (&network[..at], &network[at + 1..]));
            ("range", ends.is_some_and(|(first, last)| is_address(first) && is_address(last)))
        } else {
            ("network", is_network(&network) && !matches!(network.as_ref(), b"all" | b"unix:"))
        };
        (!good).then(|| (row, format!("invalid {what} \"{}\"", show(&network))))
    })
}

/// `ngx_http_split_clients`: the first row that is refused, and why.
fn split_clients(head: Line<'_>) -> Option<(Line<'_>, String)> {
    let mut sum = 0;
    let mut over = None;
    for row in rows_of(head).filter(|row| row.words().count() == 1) {
        let name = row.name_word().value();
        sum = match name.as_ref() {
            b"*" => 10_000,
            b"include" => continue,
            name => match hundredths(name) {
                Some(share @ 1..) => sum + share,
                _ => return Some((row, format!("invalid percent value \"{}\"", show(name)))),
            },
        };
        if sum > 10_000 {
            over.get_or_insert(row);
        }
    }
    over.map(|row| (row, "percent total is greater than 100%".to_owned()))
}
