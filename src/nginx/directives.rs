//! What is known of nginx's directives and variables, as tables.
//!
//! `directives.tsv` holds the command tables of nginx's sources with the documentation's words; `variables.tsv` the built-in
//! variables. Both are read when first asked for.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::context::Contexts;
use crate::gateway::Version;

/// One row of `directives.tsv`: a directive of one module.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Its place in the table.
    pub index: u16,
    /// The module that has it, e.g. `http_proxy`.
    pub module: &'static str,
    /// Where it may stand.
    pub contexts: Contexts,
    /// How many arguments it takes; `None` where only the documentation is known.
    pub arity: Option<Arity>,
    /// Whether it takes a block; `None` where only the documentation is known.
    pub block: Option<bool>,
    /// What its arguments must be.
    pub value: Kind,
    /// The first version that has it, where that is written.
    pub since: Option<Version>,
}

/// How many arguments a directive takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arity {
    /// Bit `n`: it takes `n` arguments.
    counts: u16,
    /// It takes this many and more.
    from: Option<u8>,
}

impl Arity {
    /// Reads `1`, `1,2` or `2+`.
    fn read(text: &str) -> Option<Self> {
        if let Some(from) = text.strip_suffix('+') {
            return Some(Self { counts: 0, from: Some(from.parse().ok()?) });
        }
        let counts = text.split(',').map(|count| count.parse::<u16>().ok()).try_fold(0u16, |all, one| Some(all | 1 << one?))?;
        Some(Self { counts, from: None })
    }

    /// Whether `count` arguments are right.
    #[must_use]
    pub fn takes(self, count: usize) -> bool {
        match self.from {
            Some(from) => count >= usize::from(from),
            None => count < 8 && self.counts >> count & 1 == 1,
        }
    }
}

/// What the arguments of a directive must be, as far as the server's common setters (`ngx_conf_set_*_slot`) read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Its own function reads them.
    Own,
    /// Its own function reads them, and takes the directive once on a level.
    OwnOnce,
    /// `on` or `off`.
    Flag,
    /// A number.
    Number,
    /// A size: digits, `k`, `m`.
    Size,
    /// A size: digits, `k`, `m`, `g`.
    Offset,
    /// A size, or a value with variables.
    SizeOrVariables,
    /// A number and a size.
    Buffers,
    /// A duration to the millisecond.
    Milliseconds,
    /// A duration to the second.
    Seconds,
    /// One of these words, in any case.
    Enum(&'static str),
    /// Any of these words, in any case.
    Bitmask(&'static str),
    /// A text, once on a level.
    Text,
    /// Texts, as often as one likes.
    Texts,
}

impl Kind {
    fn read(text: &'static str) -> Self {
        match text.split_once(':') {
            Some(("enum", words)) => return Self::Enum(words),
            Some(("bitmask", words)) => return Self::Bitmask(words),
            _ => {}
        }
        match text {
            "once" => Self::OwnOnce,
            "on|off" => Self::Flag,
            "number" => Self::Number,
            "size" => Self::Size,
            "offset" => Self::Offset,
            "size with variables" => Self::SizeOrVariables,
            "number size" => Self::Buffers,
            "time (ms)" => Self::Milliseconds,
            "time (s)" => Self::Seconds,
            "string" | "string with variables" | "path" | "access" => Self::Text,
            "string, repeatable" | "strings with variables" | "name value, repeatable" => Self::Texts,
            _ => Self::Own,
        }
    }

    /// Whether the server takes the directive only once on a level.
    #[must_use]
    pub fn is_once(self) -> bool {
        !matches!(self, Self::Own | Self::Texts | Self::Bitmask(_))
    }
}

static DIRECTIVES: &str = include_str!("directives.tsv");
static VARIABLES: &str = include_str!("variables.tsv");

type Table = FxHashMap<&'static [u8], Vec<Row>>;

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Table::default();
        for (index, line) in (0u16..).zip(DIRECTIVES.lines().skip(1)) {
            let mut fields = line.split('\t');
            let mut field = || fields.next().unwrap_or_default();
            let (name, module, contexts, arguments, block) = (field(), field(), field(), field(), field());
            let (value, _default, _syntax, documented, seen) = (field(), field(), field(), field(), field());
            // `1.29.8–1.31.4`: not in the version before, in the last one.
            let seen = seen.split('–').next().unwrap_or_default();
            let row = Row {
                index,
                module,
                contexts: Contexts::read(contexts),
                arity: Arity::read(arguments),
                block: if arguments.is_empty() { None } else { Some(block == "block") },
                value: Kind::read(value),
                since: documented.parse().or_else(|_| seen.parse()).ok(),
            };
            table.entry(name.as_bytes()).or_default().push(row);
        }
        table
    })
}

/// How many rows the table can hold: [`Row::index`] is below it.
pub const ROWS: usize = 1024;

/// The rows of the directive `name`; none where it is not nginx's own.
#[must_use]
pub fn directive(name: &[u8]) -> &'static [Row] {
    table().get(name).map_or(&[], Vec::as_slice)
}

/// The directive of nginx's own whose name is nearly `name`: written in another case, with dashes, or with a letter or two amiss.
#[must_use]
pub fn nearest(name: &str) -> Option<&'static str> {
    let folded = name.to_ascii_lowercase().replace('-', "_");
    if let Some((known, _)) = table().get_key_value(folded.as_bytes()) {
        return str::from_utf8(known).ok();
    }
    if name.len() < 6 {
        return None;
    }
    let known = DIRECTIVES.lines().skip(1).filter_map(|line| line.split('\t').next());
    let near = known.filter(|known| known.len().abs_diff(name.len()) <= 1);
    near.min_by_key(|known| strsim::damerau_levenshtein(known, &folded))
        .filter(|known| strsim::damerau_levenshtein(known, &folded) <= 1)
}

/// Whether the directive `name` takes a block wherever it may stand, or nowhere; `None` where that differs or is not known.
#[must_use]
pub fn takes_block(name: &[u8]) -> Option<bool> {
    let rows = directive(name);
    let first = rows.first()?.block?;
    rows.iter().all(|row| row.block == Some(first)).then_some(first)
}

/// Whether the variable `name` of nginx's own can be given another value (`set $args …`); `None` where nginx has none of this name.
#[must_use]
pub fn is_changeable(name: &[u8]) -> Option<bool> {
    let rows = VARIABLES.lines().skip(1).filter_map(|line| {
        let mut fields = line.split('\t');
        let (own, context, _, kind, note) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        (own.as_bytes() == name && context == "http" && kind != "prefix" && note != "documented").then_some(note == "changeable")
    });
    rows.last()
}

/// Whether `name` is a variable of `http` that `stream` does not have.
#[must_use]
pub fn is_http_only(name: &[u8]) -> bool {
    let in_stream = VARIABLES.lines().skip(1).filter_map(|line| {
        let mut fields = line.split('\t');
        let (own, context, _, kind) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        (context == "stream").then_some((own.as_bytes(), kind == "prefix"))
    });
    let mut in_stream = in_stream.filter(|&(own, prefix)| own == name || prefix && name.starts_with(own));
    in_stream.next().is_none() && has_variable(name)
}

/// Whether nginx itself has the variable `name` (lower case, without `$`) in `http`.
#[must_use]
pub fn has_variable(name: &[u8]) -> bool {
    static TABLE: OnceLock<FxHashMap<&'static [u8], bool>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let rows = VARIABLES.lines().skip(1).filter_map(|line| {
            let mut fields = line.split('\t');
            let (name, context) = (fields.next()?, fields.next()?);
            let is_prefix = fields.nth(1) == Some("prefix");
            (context == "http").then_some((name.as_bytes(), is_prefix))
        });
        rows.collect()
    });
    if table.get(name) == Some(&false) {
        return true;
    }
    // Families end with `_`, and no family's name has more than three of them.
    let underscores = name.iter().enumerate().filter(|&(_, &byte)| byte == b'_').map(|(at, _)| at).take(4);
    underscores.into_iter().any(|at| table.get(&name[..=at]) == Some(&true))
}

/// Whether `name` is a block of nginx's own that holds directives: a quick look, for every directive of a file.
#[must_use]
pub fn is_common_block(name: &[u8]) -> bool {
    matches!(name, b"http" | b"server" | b"location" | b"if" | b"limit_except" | b"upstream" | b"events" | b"stream" | b"mail")
}

/// Whether the block of `name` holds rows that its own handler reads, not directives: `map`, `types` …
#[must_use]
pub fn holds_rows(name: &[u8]) -> bool {
    matches!(name, b"map" | b"geo" | b"types" | b"split_clients" | b"charset_map")
}

/// Whether the block of `name` is written in Lua.
#[must_use]
pub fn holds_lua(name: &[u8]) -> bool {
    name.ends_with(b"_by_lua_block")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_known_where_all_modules_agree() {
        assert_eq!(takes_block(b"location"), Some(true));
        assert_eq!(takes_block(b"proxy_pass"), Some(false));
        assert_eq!(takes_block(b"server"), None, "a block in http, a line in upstream");
        assert_eq!(takes_block(b"echo"), None);
    }

    #[test]
    fn variables_are_known_by_name_or_family() {
        for name in ["host", "http_upgrade", "http_upgade", "arg_x", "upstream_http_x_y", "proxy_add_x_forwarded_for"] {
            assert!(has_variable(name.as_bytes()), "{name}");
        }
        for name in ["connection_upgrade", "https_x", "", "http"] {
            assert!(!has_variable(name.as_bytes()), "{name}");
        }
    }
}
