//! Which directive may stand in which section (`invoke_cmd` and `ap_check_cmd_context`, `server/core.c`).

use super::{Checker, Line, Refused};
use crate::apache::directives::Allowed;
use crate::gateway::Fault;

/// A section that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Around {
    /// `<VirtualHost>`.
    VirtualHost,
    /// `<Directory>`, `<DirectoryMatch>`.
    Directory(&'static str),
    /// `<Location>`, `<LocationMatch>`.
    Location(&'static str),
    /// `<Files>`, `<FilesMatch>`.
    Files(&'static str),
    /// `<If>`, `<ElseIf>`, `<Else>`.
    If(&'static str),
    /// `<Proxy>`, `<ProxyMatch>`.
    Proxy(&'static str),
    /// `<Limit>`, `<LimitExcept>`, and what groups requirements.
    Other(&'static str),
    /// A section that we know nothing of.
    Foreign,
}

impl Around {
    /// The section of this name, in any case.
    pub(super) fn of(name: &[u8]) -> Self {
        let Some(row) = crate::apache::directives::directive(name).iter().find(|row| row.is_section) else {
            return Self::Foreign;
        };
        match row.name {
            "VirtualHost" => Self::VirtualHost,
            "Directory" | "DirectoryMatch" => Self::Directory(row.name),
            "Location" | "LocationMatch" => Self::Location(row.name),
            "Files" | "FilesMatch" => Self::Files(row.name),
            "If" | "ElseIf" | "Else" => Self::If(row.name),
            "Proxy" | "ProxyMatch" => Self::Proxy(row.name),
            "Limit" | "LimitExcept" | "RequireAll" | "RequireAny" | "RequireNone" => Self::Other(row.name),
            // Sections with a grammar of their own: provider aliases, `<MDomainSet>` …
            _ => Self::Foreign,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::VirtualHost => "VirtualHost",
            Self::Directory(name)
            | Self::Location(name)
            | Self::Files(name)
            | Self::If(name)
            | Self::Proxy(name)
            | Self::Other(name) => name,
            Self::Foreign => "",
        }
    }
}

impl Checker<'_> {
    /// Whether a path is set: inside of a section that is about paths.
    pub(super) fn has_path(&self) -> bool {
        self.around.iter().any(|around| !matches!(around, Around::VirtualHost | Around::Other(_)))
    }

    /// Whether the line's file is a template of which we see all branches at once.
    pub(super) fn is_template(&self, line: &Line<'_>) -> bool {
        self.store.tree(line.statement.source).has_standing_holes()
    }

    /// Whether the directive may stand where it does.
    pub(super) fn allowed(&self, line: &Line<'_>) -> Result<(), Refused> {
        let here = self.around.iter().rev().find_map(|around| match around {
            Around::Proxy(_) => Some(Allowed::IN_PROXY),
            Around::Directory(_) | Around::Location(_) | Around::Files(_) | Around::If(_) => Some(Allowed::IN_SECTION),
            Around::Other("RequireAll" | "RequireAny" | "RequireNone") => Some(Allowed::IN_REQUIREMENTS),
            Around::VirtualHost | Around::Other(_) | Around::Foreign => None,
        });
        // A fragment may stand in any section.
        let is_open = self.around.iter().all(|around| matches!(around, Around::Other(_)));
        if here.is_none() && !self.is_main && is_open {
            return Ok(());
        }
        let here = here.unwrap_or(Allowed::IN_SERVER);
        let mark = if line.row.is_section { "<" } else { "" };
        let name = line.row.name;
        if line.row.allowed.is_some_and(|allowed| !allowed.meets(here)) {
            let message = match self.around.last() {
                Some(around) => format!("{mark}{name} not allowed in <{}> context", around.name()),
                None => format!("{mark}{name} not allowed here"),
            };
            return Err((Fault::NotAllowed, message));
        }
        let within = |around: &Around| {
            let close = if line.row.is_section { ">" } else { "" };
            Err((Fault::NotAllowed, format!("{mark}{name}{close} cannot occur within <{}> section", around.name())))
        };
        let is_limited = self.around.iter().any(|around| matches!(around, Around::Other(_)));
        let wrong: fn(&Around) -> bool = match name {
            "ProxyPass" | "ProxyPassMatch" | "ProxyPassReverse" | "Alias" | "ScriptAlias" => {
                |around| matches!(around, Around::Directory(_) | Around::Files(_) | Around::If(_))
            }
            "Files" | "FilesMatch" => |around| matches!(around, Around::Location(_)),
            "MultiviewsMatch" => |around| matches!(around, Around::Location(_)),
            "If" | "ElseIf" | "Else" => |_| false,
            name if GLOBAL.contains(&name) => |around| *around == Around::VirtualHost,
            name if NOT_LIMITED.contains(&name) => |_| false,
            _ => return Ok(()),
        };
        if is_limited {
            let close = if line.row.is_section { ">" } else { "" };
            let message = format!("{mark}{name}{close} cannot occur within <Limit> or <LimitExcept> section");
            return Err((Fault::NotAllowed, message));
        }
        self.around.iter().rev().find(|around| wrong(around)).map_or(Ok(()), within)
    }
}

/// Directives that no virtual host may have (`GLOBAL_ONLY`).
const GLOBAL: [&str; 45] = [
    "VirtualHost",
    "Listen",
    "PidFile",
    "ServerLimit",
    "StartServers",
    "MaxRequestWorkers",
    "MaxClients",
    "ThreadsPerChild",
    "ThreadLimit",
    "MinSpareThreads",
    "MaxSpareThreads",
    "MinSpareServers",
    "MaxSpareServers",
    "AsyncRequestWorkerFactor",
    "MaxConnectionsPerChild",
    "MaxRequestsPerChild",
    "MaxMemFree",
    "ThreadStackSize",
    "GracefulShutdownTimeout",
    "CoreDumpDirectory",
    "EnableExceptionHook",
    "ScoreBoardFile",
    "ExtendedStatus",
    "SeeRequestTail",
    "ListenBacklog",
    "ListenCoresBucketsRatio",
    "SendBufferSize",
    "ReceiveBufferSize",
    "Mutex",
    "User",
    "Group",
    "ChrootDir",
    "DefaultRuntimeDir",
    "ServerTokens",
    "RegisterHttpMethod",
    "RegexDefaultOptions",
    "AcceptFilter",
    "GlobalLog",
    "ScriptSock",
    "Suexec",
    "SSLSessionCache",
    "SSLRandomSeed",
    "SSLPassPhraseDialog",
    "SSLStaplingCache",
    "WatchdogInterval",
];

/// Further directives that must not stand where only some methods are meant (`NOT_IN_DIR_CONTEXT` and its like).
const NOT_LIMITED: [&str; 2] = ["CacheEnable", "CacheDisable"];
