//! What is known of httpd's directives, as a table: `directives.tsv` holds the command tables of httpd's sources with the manual's words.

use std::sync::OnceLock;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::gateway::OverrideClass;

/// One row of `directives.tsv`: a directive of one module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    /// The name as httpd writes it.
    pub(super) name: &'static str,
    /// The module that has it: `core`, `proxy` …, as `<IfModule>` and `LoadModule` know it, without `_module`.
    pub(super) module: &'static str,
    /// How its arguments are cut and counted.
    pub(super) arguments: Arguments,
    /// Where it may stand; `None` where only the manual is known.
    pub(super) allowed: Option<Allowed>,
    /// Whether it is a section.
    pub(super) is_section: bool,
    /// The first 2.4 version that has it, where the manual says so.
    pub(super) since: Option<u16>,
}

/// How httpd cuts and counts arguments (`invoke_cmd`, `server/config.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arguments {
    /// `NO_ARGS`.
    None,
    /// `TAKE1`.
    One,
    /// `TAKE2`.
    Two,
    /// `TAKE12`.
    OneOrTwo,
    /// `TAKE3`.
    Three,
    /// `TAKE23`.
    TwoOrThree,
    /// `TAKE123`.
    OneToThree,
    /// `ITERATE`.
    Each,
    /// `ITERATE2`.
    FirstWithEach,
    /// `FLAG`.
    Flag,
    /// The directive cuts them itself, or we do not know.
    Raw,
}

/// A set of httpd's `allow_override` bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowed(u16);

impl Allowed {
    /// `OR_LIMIT`.
    const LIMIT: u16 = 1;
    const OPTIONS: u16 = 2;
    const FILEINFO: u16 = 4;
    const AUTHCFG: u16 = 8;
    const INDEXES: u16 = 16;
    const ALL: u16 = 31;
    const SERVER: u16 = 64;
    const ACCESS: u16 = 128;
    const PROXY: u16 = 256;

    /// In a server or virtual host: all but authentication and limits (`ap_process_resource_config`).
    pub(super) const IN_SERVER: Self = Self((Self::SERVER | Self::ALL) & !(Self::AUTHCFG | Self::LIMIT));
    /// In `<Directory>`, `<Location>`, `<Files>` and `<If>`.
    pub(super) const IN_SECTION: Self = Self(Self::ALL | Self::ACCESS);
    /// In `<RequireAll>` and its kin (`add_authz_section`).
    pub(super) const IN_REQUIREMENTS: Self = Self(Self::AUTHCFG);
    /// In `<Proxy>`.
    pub(super) const IN_PROXY: Self = Self(Self::ALL | Self::ACCESS | Self::PROXY);

    /// Reads the bits of the sources; the manual adds to them, for some are hidden in macros there (`DIR_CMD_PERMS`).
    fn read(text: &str, documented: &str, overridden: &str) -> Option<Self> {
        let bits = text.split('|').map(|word| match word {
            "RSRC_CONF" => Self::SERVER,
            "ACCESS_CONF" => Self::ACCESS,
            "PROXY_CONF" => Self::PROXY,
            "OR_ALL" => Self::ALL,
            "OR_LIMIT" => Self::LIMIT,
            "OR_OPTIONS" => Self::OPTIONS,
            "OR_FILEINFO" => Self::FILEINFO,
            "OR_AUTHCFG" => Self::AUTHCFG,
            "OR_INDEXES" => Self::INDEXES,
            _ => 0,
        });
        let bits = match (bits.fold(0, |all, one| all | one), overridden) {
            (0, "Indexes") => Self::INDEXES,
            (bits, _) => bits,
        };
        let documented = documented.split(',').map(|word| match word {
            "server config" | "virtual host" => Self::SERVER,
            "directory" => Self::ACCESS,
            "proxy section" => Self::PROXY,
            _ => 0,
        });
        (bits != 0).then_some(Self(documented.fold(bits, |all, one| all | one)))
    }

    /// The classes that let a directive stand in the file of a directory; none: it must not.
    pub(super) fn classes(self) -> impl Iterator<Item = OverrideClass> {
        let table = [
            (Self::LIMIT, OverrideClass::Hosts),
            (Self::OPTIONS, OverrideClass::Options),
            (Self::FILEINFO, OverrideClass::FileInfo),
            (Self::AUTHCFG, OverrideClass::Authentication),
            (Self::INDEXES, OverrideClass::Indexes),
        ];
        table.into_iter().filter(move |(bit, _)| self.0 & bit != 0).map(|(_, class)| class)
    }

    /// Whether a directive that is allowed here may stand there.
    pub(super) fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

static DIRECTIVES: &str = include_str!("directives.tsv");

type Table = FxHashMap<Vec<u8>, Vec<Row>>;

fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Table::default();
        for line in DIRECTIVES.lines().skip(1) {
            let mut fields = line.split('\t');
            let mut field = || fields.next().unwrap_or_default();
            let (name, module, arguments, allowed, documented, kind) = (field(), field(), field(), field(), field(), field());
            let overridden = line.split('\t').nth(8).unwrap_or_default();
            let row = Row {
                name,
                module: module_name(module),
                arguments: read_arguments(arguments),
                allowed: Allowed::read(allowed, documented, overridden),
                is_section: kind == "section",
                since: since(fields.next_back().unwrap_or_default()),
            };
            table.entry(name.to_ascii_lowercase().into_bytes()).or_default().push(row);
        }
        table
    })
}

/// The module of a source file: most are called like it.
fn module_name(file: &'static str) -> &'static str {
    match file.strip_prefix("mod_").unwrap_or(file) {
        "h2_config" => "http2",
        "md_config" => "md",
        "ap_listen" | "mpm_common" => "core",
        name => name,
    }
}

fn read_arguments(text: &str) -> Arguments {
    match text {
        "0" => Arguments::None,
        "1" => Arguments::One,
        "2" => Arguments::Two,
        "1,2" => Arguments::OneOrTwo,
        "3" => Arguments::Three,
        "2,3" => Arguments::TwoOrThree,
        "1,2,3" => Arguments::OneToThree,
        "1+ (each)" => Arguments::Each,
        "2+ (first with each)" => Arguments::FirstWithEach,
        "on|off" => Arguments::Flag,
        _ => Arguments::Raw,
    }
}

/// `Available in version 2.4.58 and later` → 58. What is said of single options does not count.
fn since(text: &str) -> Option<u16> {
    let rest = text.strip_prefix("Available in ").unwrap_or(text);
    let rest = ["version ", "httpd ", "Apache HTTP Server ", "Apache "]
        .iter()
        .find_map(|start| rest.strip_prefix(start))
        .unwrap_or(rest);
    let (patch, rest) = rest.strip_prefix("2.4.")?.split_once(' ')?;
    rest.starts_with("and later").then(|| patch.parse().ok()).flatten()
}

/// The rows of the directive `name`, in any case; none where it is not httpd's own.
pub(super) fn directive(name: &[u8]) -> &'static [Row] {
    table().get(name.to_ascii_lowercase().as_slice()).map_or(&[], Vec::as_slice)
}

/// Whether the module `name` is one of httpd's own.
pub(super) fn is_own_module(name: &str) -> bool {
    static OWN: OnceLock<FxHashSet<&'static str>> = OnceLock::new();
    const WITHOUT_DIRECTIVES: [&str; 27] = [
        "asis",
        "auth_digest",
        "authn_core",
        "authz_host",
        "authz_owner",
        "authz_user",
        "bucketeer",
        "cache_socache",
        "data",
        "dialup",
        "heartbeat",
        "lbmethod_bybusyness",
        "lbmethod_byrequests",
        "lbmethod_bytraffic",
        "proxy_ajp",
        "proxy_balancer",
        "proxy_fdpass",
        "proxy_http",
        "proxy_http2",
        "proxy_uwsgi",
        "ratelimit",
        "slotmem_plain",
        "slotmem_shm",
        "socache_dbm",
        "socache_shmcb",
        "status",
        "unique_id",
    ];
    let own = OWN.get_or_init(|| table().values().flatten().map(|row| row.module).chain(WITHOUT_DIRECTIVES).collect());
    own.contains(name) || name.starts_with("mpm_") || matches!(name, "allowmethods" | "suexec" | "systemd" | "http" | "so")
}

/// A directive of httpd's own whose name is nearly `name`.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    if name.len() < 5 {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let names = DIRECTIVES.lines().skip(1).filter_map(|line| line.split('\t').next());
    let near = names.filter(|known| known.len().abs_diff(name.len()) <= 1);
    near.min_by_key(|known| strsim::damerau_levenshtein(&known.to_ascii_lowercase(), &lower))
        .filter(|known| strsim::damerau_levenshtein(&known.to_ascii_lowercase(), &lower) <= 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_known_in_any_case() {
        let [row] = directive(b"proxypass") else { panic!("one module has it") };
        assert_eq!((row.name, row.module, row.arguments), ("ProxyPass", "proxy", Arguments::Raw));
        assert!(directive(b"H2WebSockets")[0].module == "http2" && directive(b"H2WebSockets")[0].since == Some(58));
        assert!(directive(b"Location")[0].is_section && directive(b"Frobnicate").is_empty());
    }

    #[test]
    fn contexts_meet() {
        let engine = directive(b"SSLProxyEngine")[0].allowed.unwrap();
        assert!(engine.meets(Allowed::IN_SERVER) && engine.meets(Allowed::IN_PROXY) && !engine.meets(Allowed::IN_SECTION));
    }

    #[test]
    fn names_nearly_right_are_found() {
        assert_eq!(nearest("ProxyPas"), Some("ProxyPass"));
        assert_eq!(nearest("Frobnicate"), None);
    }
}
