//! `proxylint trace`: one WebSocket handshake through the configuration, and what comes of it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::terminal::Terminal;
use super::{Failure, Outcome, Settings};
use crate::Project;
use crate::facts::View;
use crate::gateway::{Gateway, Unknown, split_authority};
use crate::handshake::{Client, Probe, Request, Socket, Verdict, Walk, follow};
use crate::report::walk::{self, Shown};

/// Follow one WebSocket handshake through the configuration and say what comes of it
///
/// Exit status: 0 where it is upgraded, 1 where it is not, 2 where the job could not be done.
#[derive(Debug, Args)]
pub(super) struct TraceArgs {
    /// What the client opens: `ws://host[:port]/path` or `wss://…`
    url: String,
    /// Files and directories
    #[arg(default_value = ".")]
    paths: Vec<PathBuf>,
    /// The form of the output
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    output_format: Format,
    /// Send this header; with an empty value, leave out one that a client would send
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// The address that the client reached
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    connect: IpAddr,
    /// The client's own address
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    from: IpAddr,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The steps, what the upstream is sent, the verdict
    Text,
    /// For programs
    Json,
    /// A flowchart
    Mermaid,
}

pub(super) fn run(args: TraceArgs, terminal: &mut Terminal) -> Result<Outcome, Failure> {
    let mut request = parse_url(&args.url)?;
    for header in &args.header {
        set_header(&mut request, header)?;
    }
    let socket = Socket { address: args.connect, port: request.port };
    let client = Client { request, socket, from: args.from };
    let mut what = args.settings.into_request()?;
    what.paths = args.paths;
    let project = crate::read(&what)?;
    project.problems.iter().for_each(|problem| terminal.problem(problem));
    let Some((gateway, walk)) = trace(&project, &client) else { return Ok(Outcome::Incomplete) };
    let shown = Shown { store: &project.store, gateway: &gateway, walk: &walk, url: &args.url };
    match args.output_format {
        Format::Text => walk::text(&mut terminal.out, shown)?,
        Format::Json => walk::json(&mut terminal.out, shown)?,
        Format::Mermaid => walk::mermaid(&mut terminal.out, shown)?,
    }
    Ok(match walk.verdict {
        _ if !project.problems.is_empty() => Outcome::Incomplete,
        Verdict::Upgraded { .. } => Outcome::Clean,
        _ => Outcome::Findings,
    })
}

/// Follows the client through the root whose server it reached: a main file before fragments, one that listens there before others.
fn trace(project: &Project, client: &Client) -> Option<(Gateway, Walk)> {
    let mut roots: Vec<_> = project.roots.iter().collect();
    roots.sort_by_key(|reached| !reached.root.is_main);
    let mut first = None;
    for reached in roots {
        let gateway = project.lower(reached);
        let view = View::new(&project.store.sources, &gateway, &project.settings[reached.given].declared);
        let files = |path: &Path| project.store.kind_of(&reached.root.base, path);
        let walk = follow(&view, client, &files);
        drop(view);
        if walk.site.is_some() || matches!(walk.verdict, Verdict::RefusesToStart { .. }) {
            return Some((gateway, walk));
        }
        if first.is_none() || !matches!(walk.verdict, Verdict::Unknown(Unknown::Environment)) {
            first.get_or_insert((gateway, walk));
        }
    }
    first
}

/// The handshake that a browser sends to open `url`.
fn parse_url(url: &str) -> Result<Request, Failure> {
    let wrong =
        |what: &str| Failure::new(format!("`{url}` is no WebSocket URL: {what}")).help("for example ws://localhost:8080/ws");
    let (scheme, rest) = url.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "ws" | "http" => false,
        "wss" | "https" => true,
        _ => return Err(wrong("its scheme is neither ws nor wss")),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let target = target.split('#').next().unwrap_or_default();
    let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
    let default = if tls { 443 } else { 80 };
    let (host, port) = match split_authority(authority) {
        (host, Some(port)) => (host, port.parse().map_err(|_| wrong("its port is no number"))?),
        (host, None) => (host, default),
    };
    if host.is_empty() || host.contains(|byte: char| byte.is_whitespace() || byte == '@') {
        return Err(wrong("it names no host"));
    }
    let host = host.to_ascii_lowercase();
    // A name's final dot says that it is complete, and is none of it (`ngx_http_validate_host`; `fix_hostname`, `vhost.c`).
    let named = host.strip_suffix('.').unwrap_or(&host).to_owned();
    let shown = if port == default { host.clone() } else { format!("{host}:{port}") };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (target.clone(), None),
    };
    let mut request = Probe::Chrome.request(&shown, &path, tls);
    request.host = named;
    request.port = port;
    request.query = query;
    request.target = Some(target);
    Ok(request)
}

/// Sets the header `Name: value` of the request, or takes it out where the value is empty.
fn set_header(request: &mut Request, header: &str) -> Result<(), Failure> {
    let wrong =
        || Failure::new(format!("`{header}` is no header")).help("write it as 'Name: value', or 'Name:' to leave one out");
    let (name, value) = header.split_once(':').ok_or_else(wrong)?;
    let (name, value) = (name.trim(), value.trim());
    if name.is_empty() || name.contains(char::is_whitespace) || value.contains(['\r', '\n']) {
        return Err(wrong());
    }
    if name.eq_ignore_ascii_case("host") && !value.is_empty() {
        let (host, _) = split_authority(value);
        request.host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    }
    let place = request.headers.iter().position(|(own, _)| own.eq_ignore_ascii_case(name));
    match (place, value.is_empty()) {
        (Some(place), true) => drop(request.headers.remove(place)),
        (Some(place), false) => request.headers[place].1 = value.to_owned().into(),
        (None, true) => {}
        (None, false) => request.headers.push((name.to_owned().into(), value.to_owned().into())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_becomes_the_handshake_of_a_browser() {
        let request = parse_url("ws://Localhost:8080/a%20b?x=1#y").unwrap();
        assert_eq!((request.host.as_str(), request.port, request.tls), ("localhost", 8080, false));
        assert_eq!((request.target.as_deref(), request.query.as_deref()), (Some("/a%20b?x=1"), Some("x=1")));
        assert_eq!(request.header(b"host"), Some("localhost:8080"));
        let request = parse_url("wss://[::1]").unwrap();
        assert_eq!((request.host.as_str(), request.port, request.path.as_str()), ("[::1]", 443, "/"));
        for wrong in ["localhost/ws", "ftp://x/", "ws://:80/", "ws://x:y/"] {
            assert!(parse_url(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn headers_are_set_and_left_out() {
        let mut request = parse_url("ws://localhost/ws").unwrap();
        set_header(&mut request, "connection: keep-alive, Upgrade").unwrap();
        set_header(&mut request, "Origin:").unwrap();
        set_header(&mut request, "Cookie: a=b").unwrap();
        assert_eq!(request.header(b"Connection"), Some("keep-alive, Upgrade"));
        assert_eq!(request.header(b"Origin"), None);
        assert_eq!(request.header(b"Cookie"), Some("a=b"));
        assert!(set_header(&mut request, "no colon").is_err());
    }
}
