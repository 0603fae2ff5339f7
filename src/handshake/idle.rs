//! How long a silent WebSocket lives, and the other waits towards an upstream.

use crate::gateway::{
    Assigned, Gateway, Known, Millis, Origin, Property, Protocol, Proxy, Route, ScopeId, Server, Setting, Version,
};

/// nginx's `proxy_*_timeout` and httpd's `Timeout` where nothing sets them (`ngx_http_proxy_merge_loc_conf`; `DEFAULT_TIMEOUT`, httpd.h).
const DEFAULT: Millis = Millis(60_000);

/// Since this version httpd closes a tunnel after the longer of the client's and the backend's timeout, before after the shorter (PR 65886).
const LONGER_WINS: Version = Version::new(2, 4, 53);

/// Since this version httpd's tunnels have an idle limit at all: `mod_proxy_wstunnel` by itself polls for ever.
const TUNNELS_TIME_OUT: Version = Version::new(2, 4, 47);

/// When a silent connection is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// After this time, because of this setting.
    After(Setting<Millis>),
    /// Never.
    Never,
}

/// When a WebSocket over `route` that both sides leave silent is closed.
///
/// # Errors
/// Where a setting that decides cannot be seen.
pub fn idle_limit(gateway: &Gateway, route: &Route, proxy: &Proxy) -> Known<Limit> {
    match gateway.server {
        // Any byte in either direction re-arms the read timer (`ngx_http_upstream_process_upgraded`); no other timer runs.
        Server::Nginx => Ok(Limit::After(nginx_read_timeout(gateway, route.scope, proxy)?)),
        Server::Apache => {
            let version = gateway.version;
            let tunnels_itself = matches!(proxy.protocol, Protocol::Ws | Protocol::Wss);
            if tunnels_itself && version.is_some_and(|version| version < TUNNELS_TIME_OUT) {
                return Ok(Limit::Never);
            }
            let client = timeout(gateway, route.scope, Property::ClientTimeout)?;
            let backend = backend_timeout(gateway, route, proxy, client)?;
            let longer_wins = version.is_none_or(|version| version >= LONGER_WINS);
            let client_decides = if longer_wins { client.value > backend.value } else { client.value < backend.value };
            Ok(Limit::After(if client_decides { client } else { backend }))
        }
    }
}

/// The read timeout of the protocol spoken to the upstream, as set on the level `scope`: `proxy_read_timeout`, `uwsgi_read_timeout` …
///
/// # Errors
/// Where a level on the way may set it unseen.
pub fn nginx_read_timeout(gateway: &Gateway, scope: ScopeId, proxy: &Proxy) -> Known<Setting<Millis>> {
    timeout(gateway, scope, Property::read_timeout(proxy.protocol))
}

/// The worker's `timeout=`, else `ProxyTimeout`, else `Timeout`, which is `client` (`ap_proxy_connection_create`, `proxy_util.c`).
///
/// # Errors
/// Where a level on the way may set it unseen.
pub fn backend_timeout(gateway: &Gateway, route: &Route, proxy: &Proxy, client: Setting<Millis>) -> Known<Setting<Millis>> {
    if let Some(worker) = proxy.worker
        && let Some(own) = duration(gateway, worker, Property::ReadTimeout)?
    {
        return Ok(own);
    }
    Ok(duration(gateway, route.scope, Property::ReadTimeout)?.unwrap_or(client))
}

/// A timeout of a level, or the server's default.
///
/// # Errors
/// Where a level on the way may set it unseen.
pub fn timeout(gateway: &Gateway, scope: ScopeId, property: Property) -> Known<Setting<Millis>> {
    Ok(duration(gateway, scope, property)?.unwrap_or(Setting { value: DEFAULT, origin: Origin::Default }))
}

fn duration(gateway: &Gateway, scope: ScopeId, property: Property) -> Known<Option<Setting<Millis>>> {
    let setting = gateway.scopes.scalar(scope, property)?;
    Ok(setting.and_then(|setting| match setting.value {
        Assigned::Duration(value) => Some(Setting { value, origin: setting.origin }),
        // A value that the server refuses is a finding of its own; here it is as if it were not set.
        _ => None,
    }))
}
