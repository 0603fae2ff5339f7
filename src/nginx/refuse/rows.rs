//! Blocks of rows that are no directives: `map` (`ngx_http_map`, `ngx_http_map_module.c`), `geo` (`ngx_http_geo_module.c`),
//! `split_clients` (`ngx_http_split_clients_module.c`).

use rustc_hash::FxHashSet;

use super::setter::is_network;
use super::{Checker, show};
use crate::gateway::Fault;
use crate::nginx::line::Line;
use crate::nginx::lower::hundredths;
use crate::tree::Shape;

/// The bytes that processors fetch at once, almost everywhere (`ngx_cacheline_size`).
const CACHE_LINE: u64 = 64;

impl<'a> Checker<'a> {
    /// The rows of a block that its own function reads.
    pub(super) fn rows(&mut self, head: Line<'a>) {
        let refused = match head.name() {
            b"map" => return self.map(head),
            b"geo" => {
                rows_of(head).filter(|row| row.name() == b"include").for_each(|row| self.missing_row(row));
                geo(head)
            }
            b"split_clients" => split_clients(head),
            _ => return,
        };
        if let Some((row, message)) = refused {
            self.refuse(row.span(), Fault::Value, message);
        }
    }

    /// A file of rows that is not there.
    fn missing_row(&mut self, row: Line<'a>) {
        if let Some(path) = self.missing.get(&row.span()) {
            let message = format!("open() \"{path}\" failed (2: No such file or directory)");
            self.refuse(row.span(), Fault::Include, message);
        }
    }

    fn map(&mut self, head: Line<'a>) {
        let (mut has_default, mut hostnames) = (false, false);
        let mut keys: FxHashSet<Vec<u8>> = FxHashSet::default();
        let bucket = self.http.map_bucket.unwrap_or(CACHE_LINE).next_multiple_of(CACHE_LINE);
        let mut is_too_long = false;
        for id in head.tree.children(Some(head.id)) {
            let row = head.other(id);
            if row.is_holed() || row.shape() != Shape::Simple {
                return;
            }
            let name = row.name_word().value();
            let count = row.words().count() + 1;
            if count == 1 && matches!(name.as_ref(), b"hostnames" | b"volatile") {
                hostnames |= name.as_ref() == b"hostnames";
                continue;
            }
            if count != 2 {
                let message = "invalid number of the map parameters".to_owned();
                return self.refuse(row.span(), Fault::Arguments, message);
            }
            match name.as_ref() {
                b"include" => self.missing_row(row),
                [b'~', pattern @ ..] => {
                    if self.row_pattern(row, pattern) {
                        return;
                    }
                }
                b"default" if has_default => {
                    if !head.is_in_template() {
                        self.refuse(row.span(), Fault::Duplicate, "duplicate default map parameter".to_owned());
                    }
                }
                b"default" => has_default = true,
                key => {
                    let key = key.strip_prefix(b"\\").unwrap_or(key);
                    let names = if hostnames { names_of(key) } else { Some(vec![key.to_ascii_lowercase()]) };
                    let Some(names) = names else {
                        let message = format!("invalid hostname or wildcard \"{}\"", show(key));
                        return self.refuse(row.span(), Fault::Value, message);
                    };
                    // A place holds a key, its length, a pointer to the value and one more (`ngx_hash_init`); wildcards are cut up.
                    let is_exact = !names.iter().any(|name| name.starts_with(b"*.") || name.starts_with(b".*."));
                    is_too_long |= is_exact && (key.len() as u64 + 2).next_multiple_of(8) + 16 > bucket;
                    let again = names.into_iter().filter(|name| !keys.insert(name.clone())).count() > 0;
                    if again && !head.is_in_template() {
                        self.refuse(
                            row.span(),
                            Fault::Duplicate,
                            format!("conflicting parameter \"{}\"", show(&key.to_ascii_lowercase())),
                        );
                    }
                }
            }
        }
        if is_too_long {
            let message = format!("could not build map_hash, you should increase map_hash_bucket_size: {bucket}");
            self.refuse(head.span(), Fault::Value, message);
        }
    }
}

/// The keys that a hostname of a map stands for, `.example.com` for two; `None` where nginx takes none such (`ngx_hash_add_key`).
pub(super) fn names_of(key: &[u8]) -> Option<Vec<Vec<u8>>> {
    let key = key.to_ascii_lowercase();
    let stars = memchr::memchr_iter(b'*', &key).count();
    if stars > 1 || key.windows(2).any(|pair| pair == b"..") {
        return None;
    }
    if let Some(name) = key.strip_prefix(b".").filter(|name| !name.is_empty()) {
        return Some(vec![name.to_vec(), [b"*.", name].concat()]);
    }
    // Wildcards at the end are a table of their own, and conflict with no text that looks like one.
    if let Some(name) = key.strip_suffix(b".*").filter(|name| !name.is_empty()) {
        return (stars == 1).then(|| vec![[b".*.", name].concat()]);
    }
    let is_wildcard = key.len() > 2 && key.starts_with(b"*.");
    (stars == 0 || is_wildcard).then(|| vec![key])
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
    let (mut ranges, mut has_rows) = (false, false);
    rows_of(head).find_map(|row| {
        let name = row.name_word().value();
        let count = row.words().count() + 1;
        if count == 1 && matches!(name.as_ref(), b"ranges" | b"proxy_recursive" | b"volatile") {
            if name.as_ref() == b"ranges" {
                if has_rows {
                    return Some((row, "the \"ranges\" directive must be the first directive inside \"geo\" block".to_owned()));
                }
                ranges = true;
            }
            return None;
        }
        if count != 2 {
            return Some((row, "invalid number of the geo parameters".to_owned()));
        }
        let network = match name.as_ref() {
            b"include" => return None,
            b"default" => {
                has_rows = true;
                return None;
            }
            b"delete" | b"proxy" => row.word(0)?.value(),
            _ => name,
        };
        // Proxies are kept apart.
        has_rows |= row.name_word().value().as_ref() != b"proxy";
        let (what, good) = if ranges {
            let address = |text: &[u8]| std::str::from_utf8(text).ok().and_then(|text| text.parse::<std::net::Ipv4Addr>().ok());
            let ends = network.iter().position(|&byte| byte == b'-').map(|at| (&network[..at], &network[at + 1..]));
            ("range", ends.and_then(|(first, last)| Some(address(first)? <= address(last)?)) == Some(true))
        } else {
            let is_good = is_network(&network) || network.as_ref() == b"255.255.255.255";
            ("network", is_good && !matches!(network.as_ref(), b"all" | b"unix:"))
        };
        (!good).then(|| (row, format!("invalid {what} \"{}\"", show(&network))))
    })
}

/// `ngx_http_split_clients`: the first row that is refused, and why.
fn split_clients(head: Line<'_>) -> Option<(Line<'_>, String)> {
    let mut sum = 0;
    let mut over = None;
    // How many words a row has does not matter.
    for row in rows_of(head) {
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
