//! What is known of nginx's directives and variables, as tables.
//!
//! `directives.tsv` holds the command tables of nginx's sources with the documentation's words; `variables.tsv` the built-in
//! variables. Both are read when first asked for.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

/// One row of `directives.tsv`: a directive of one module.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The module that has it, e.g. `http_proxy`.
    pub module: &'static str,
    /// Where it may stand: a comma-separated list of `main`, `http`, `server`, `location` …; `any` for `include`.
    pub contexts: &'static str,
    /// Whether it takes a block; `None` where only the documentation is known.
    pub block: Option<bool>,
}

static DIRECTIVES: &str = include_str!("directives.tsv");
static VARIABLES: &str = include_str!("variables.tsv");

/// The rows of the directive `name`; none where it is not nginx's own.
#[must_use]
pub fn directive(name: &[u8]) -> &'static [Row] {
    static TABLE: OnceLock<FxHashMap<&'static [u8], Vec<Row>>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut table: FxHashMap<&[u8], Vec<Row>> = FxHashMap::default();
        for line in DIRECTIVES.lines().skip(1) {
            let mut fields = line.split('\t');
            let mut field = || fields.next().unwrap_or_default();
            let (name, module, contexts, arguments, block) = (field(), field(), field(), field(), field());
            let block = if arguments.is_empty() { None } else { Some(block == "block") };
            table.entry(name.as_bytes()).or_default().push(Row { module, contexts, block });
        }
        table
    });
    table.get(name).map_or(&[], Vec::as_slice)
}

/// Whether the directive `name` takes a block wherever it may stand, or nowhere; `None` where that differs or is not known.
#[must_use]
pub fn takes_block(name: &[u8]) -> Option<bool> {
    let rows = directive(name);
    let first = rows.first()?.block?;
    rows.iter().all(|row| row.block == Some(first)).then_some(first)
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
