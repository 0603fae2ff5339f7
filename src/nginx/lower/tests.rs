//! What configurations mean, said in short: a text goes in, the gateway's parts come out.

use std::path::PathBuf;

use super::*;
use crate::gateway::{Act, Assigned, Definition, Fault, Origin, Property, Protocol, Remark, Route, SignalKind, SymbolicId, Test};
use crate::nginx::resolve;

/// The gateway of one text; a main file where it has `http`.
fn lowered(text: &str) -> (Store, Gateway) {
    let mut store = Store::default();
    let source = store.add(PathBuf::from("nginx.conf"), text.as_bytes().to_vec(), Server::Nginx);
    let is_main = text.contains("http {");
    let root = Root { server: Server::Nginx, source, base: PathBuf::from("/nonexistent"), is_main };
    let resolved = resolve(&mut store, &root);
    let gateway = lower(&store, &root, &resolved, None);
    (store, gateway)
}

/// A value as it would be written.
fn shown(gateway: &Gateway, value: SymbolicId) -> String {
    let text = |id: TextId| gateway.texts.show(id).into_owned();
    let part = |part: &Part| match *part {
        Part::Text(id) => text(id),
        Part::Variable(Variable::RequestHeader(name)) => format!("<header {}>", text(name)),
        Part::Variable(Variable::Defined(name)) => format!("<defined {}>", text(name)),
        Part::Variable(Variable::Capture(number)) => format!("<{number}>"),
        Part::Variable(variable) => format!("<{variable:?}>"),
        Part::Unknown(_) => "<unknown>".to_owned(),
    };
    gateway.symbolics.get(value).iter().map(part).collect()
}

/// The request headers set on the level in force for a route.
fn headers(gateway: &Gateway, route: u32) -> Vec<String> {
    let (level, _) = gateway.scopes.list(gateway.routes[route as usize].scope, Property::RequestHeader);
    let entries = level.into_iter().flat_map(|level| gateway.scopes.own(level));
    entries
        .filter_map(|entry| match entry.assigned {
            Assigned::Header { name, value, .. } => Some(format!("{}: {}", gateway.texts.show(name), shown(gateway, value))),
            _ => None,
        })
        .collect()
}

fn reasons(gateway: &Gateway) -> Vec<String> {
    let reason = |remark: &Remark| match &remark.kind {
        RemarkKind::UndefinedVariable { name } => format!("undefined {name}"),
        RemarkKind::IncludeMissing { path, .. } => format!("missing {path}"),
        other => format!("{other:?}"),
    };
    let noted = gateway.remarks.iter().map(reason);
    let refused =
        gateway.refusals.iter().filter(|refusal| !matches!(refusal.fault, Fault::Variable | Fault::Include | Fault::Missing));
    noted.chain(refused.map(|refusal| refusal.message.clone())).collect()
}

#[test]
fn a_whole_configuration() {
    let (_, gateway) = lowered(
        "http {
            proxy_read_timeout 5m;
            map $http_upgrade $connection_upgrade { default upgrade; '' close; }
            server {
                listen 443 ssl default_server; listen [::]:80;
                ssl_certificate a.pem; ssl_certificate_key a.key;
                server_name A.example.com *.b.org;
                proxy_set_header Host $host;
                location /ws/ {
                    proxy_pass http://App/x;
                    proxy_http_version 1.1;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $connection_upgrade;
                    location ~* ^/ws/(.*)$ { grpc_pass grpc://127.0.0.1:1; }
                }
                location = /x { return 204; }
                location @y { proxy_pass http://unix:/run/a.sock; }
                return 301 https://$host$request_uri;
            }
            upstream app { server 10.0.0.1:80; server b backup; ip_hash; keepalive 8; }
        }",
    );
    assert_eq!(reasons(&gateway), [""; 0]);
    assert!(gateway.partial.is_none());
    let site = &gateway.sites[0];
    assert_eq!(site.routes, 0..4);
    let names: Vec<_> = site.names.iter().map(|name| gateway.texts.show(name.text)).collect();
    assert_eq!(names, ["a.example.com", "*.b.org"]);
    assert_eq!((site.listens[0].port, site.listens[0].tls, site.listens[0].default), (Some(443), true, true));
    assert_eq!((site.listens[1].port, site.listens[1].tls), (Some(80), false));
    let steps = &gateway.programs.get(site.scope).unwrap().steps;
    assert!(matches!(steps[0].act, Act::Return { status: 301, text: Some(_) }));

    assert!(matches!(gateway.routes[0].matcher, Matcher::Prefix { before_patterns: false, .. }));
    assert!(matches!(gateway.routes[1].matcher, Matcher::Pattern { ignore_case: true, .. }));
    assert_eq!(gateway.routes[1].parent, Some(RouteId(0)));
    assert!(matches!(gateway.routes[2].target, Target::Answer { status: 204, .. }));
    assert!(matches!(gateway.routes[3].matcher, Matcher::Named(_)));
    let Target::Proxy(proxy) = &gateway.routes[0].target else { panic!("{:?}", gateway.routes[0].target) };
    assert_eq!(
        (proxy.protocol, proxy.upstream, proxy.path.map(|path| gateway.texts.show(path))),
        (Protocol::Http, Some(UpstreamId(0)), Some("/x".into()))
    );
    assert_eq!(gateway.upstreams[0].members.len(), 2);
    assert!(gateway.upstreams[0].affinity.is_some() && gateway.upstreams[0].keepalive.is_some());

    assert_eq!(headers(&gateway, 0), ["Upgrade: <header upgrade>", "Connection: <defined connection_upgrade>"]);
    assert_eq!(headers(&gateway, 3), ["Host: <Host>"]);
    let timeout = gateway.scopes.scalar(gateway.routes[0].scope, Property::ReadTimeout).unwrap().unwrap();
    assert_eq!(timeout.value, Assigned::Duration(crate::gateway::Millis(300_000)));
    assert!(matches!(timeout.origin, Origin::Inherited(_)));
    let name = gateway.texts.find(b"connection_upgrade").unwrap();
    let Definition::Map(map) = &gateway.variables[&name] else { panic!("a map") };
    assert_eq!((map.entries.len(), shown(&gateway, map.default)), (1, "upgrade".to_owned()));
}

#[test]
fn the_value_in_a_map_defines_nothing() {
    let gateway = lowered("http { map $uri $up { default $http_upgrade; /x $other; } server { return 200 $up$other; } }").1;
    for name in [b"http_upgrade".as_slice(), b"other"] {
        assert!(gateway.texts.find(name).is_none_or(|name| !gateway.variables.contains_key(&name)));
    }
}

#[test]
fn variables_that_nothing_defines() {
    let of =
        |inside: &str| reasons(&lowered(&format!("http {{ server {{ location / {{ proxy_pass http://b; {inside} }} }} }}")).1);
    assert_eq!(of("proxy_set_header Connection $connection_upgrade;"), ["undefined connection_upgrade"]);
    assert_eq!(of("proxy_set_header X $HTTP_UPGADE$arg_x$proxy_host$1;"), [""; 0]);
    assert_eq!(of("set $x a; proxy_set_header X $x;"), [""; 0]);
    assert_eq!(of("proxy_set_header X ${x; "), ["the closing bracket in \"x\" variable is missing"]);
    assert_eq!(of("location ~ ^/(?<user>[^/]+) { proxy_set_header X $user; }"), [""; 0]);
}

#[test]
fn values_that_nginx_refuses() {
    let of = |inside: &str| reasons(&lowered(&format!("http {{ server {{ location / {{ {inside} }} }} }}")).1);
    assert_eq!(of("proxy_read_timeout 1y;"), ["\"proxy_read_timeout\" directive invalid value"]);
    assert_eq!(of("proxy_http_version 1.2;"), ["invalid value \"1.2\""]);
    assert_eq!(of("proxy_read_timeout {{ t }};"), [""; 0]);
}

#[test]
fn an_if_is_a_route_only_where_it_passes_on() {
    let (_, gateway) = lowered(
        "http { server { location / {
            if ($http_upgrade ~* websocket) { proxy_pass http://ws; }
            if ($x_y) { return 403; }
            limit_except GET { deny all; }
        } } }",
    );
    assert_eq!(gateway.routes.len(), 2);
    assert!(matches!(gateway.routes[1].matcher, Matcher::Conditional));
    assert_eq!(gateway.sites[0].routes, 0..2);
}

#[test]
fn conditions_around_what_a_server_answers() {
    let (_, gateway) = lowered("http { server { if ($request_method !~ ^(GET|HEAD)$) { return 405; } } }");
    let steps = &gateway.programs.get(gateway.sites[0].scope).unwrap().steps;
    let Act::If { condition, otherwise: 2, scope: None, .. } = steps[0].act else { panic!("{:?}", steps[0]) };
    assert_eq!(shown(&gateway, condition.subject), "<Method>");
    assert!(condition.negated && matches!(condition.test, Ok(Test::Pattern { ignore_case: false, .. })));
    assert!(matches!(steps[1].act, Act::Return { status: 405, text: None }));
}

/// The steps of the first location, each in short.
fn steps(inside: &str) -> Vec<String> {
    let (_, gateway) = lowered(&format!("http {{ server {{ location /a/ {{ {inside} }} }} }}"));
    let program = gateway.programs.get(gateway.routes[0].scope).unwrap();
    let short = |act: Act| match act {
        Act::Set { name, value } => format!("set {} {}", gateway.texts.show(name), shown(&gateway, value)),
        Act::If { otherwise, route, .. } => format!("if, else {otherwise}{}", if route.is_some() { ", passes on" } else { "" }),
        Act::Rewrite { replacement, keeps_query, then, .. } => {
            format!("rewrite {} {keeps_query} {then:?}", shown(&gateway, replacement))
        }
        Act::Return { status, .. } => format!("return {status}"),
        Act::Break => "break".to_owned(),
        Act::Unknown(_) => "unknown".to_owned(),
    };
    program.steps.iter().map(|step| short(step.act)).collect()
}

#[test]
fn what_a_location_does_in_its_rewrite_phase() {
    let of = "set $x a; if ($x = a) { proxy_pass http://b; break; } if ($y_z) { set $x c; }
        rewrite ^/a/(.*)$ /$1? last; rewrite ^ https://x/ permanent; return 204; {{ hole }}";
    assert_eq!(
        steps(of),
        [
            "set x a",
            "if, else 3, passes on",
            "break",
            "if, else 5",
            "set x c",
            "rewrite /<1> false Last",
            "rewrite https://x/ true Redirect(301)",
            "return 204"
        ]
    );
    assert_eq!(steps("rewrite ^ {{ x }} last;"), ["unknown"]);
}

#[test]
fn the_conditions_of_an_if() {
    let of = |condition: &str| {
        let (_, gateway) = lowered(&format!("http {{ server {{ if {condition} {{ return 403; }} }} }}"));
        let steps = &gateway.programs.get(gateway.sites[0].scope).unwrap().steps;
        let Act::If { condition, .. } = steps[0].act else { panic!("{:?}", steps[0]) };
        let test = match condition.test {
            Ok(Test::Same(value)) => format!("= '{}'", shown(&gateway, value)),
            Ok(Test::Pattern { pattern, ignore_case }) => format!("~{ignore_case} {}", gateway.texts.show(pattern)),
            test => format!("{test:?}"),
        };
        format!("{} {} {test}", shown(&gateway, condition.subject), condition.negated)
    };
    assert_eq!(of("($host)"), "<Host> false Ok(IsSet)");
    assert_eq!(of("($host = \"\")"), "<Host> false = ''");
    assert_eq!(of("( $host != $server_name )"), "<Host> true = '<SiteName>'");
    assert_eq!(of("($host !~* \"^(a|b)$\")"), "<Host> true ~true ^(a|b)$");
    assert_eq!(of("(-f /x$uri)"), "/x<Path> false Ok(File(File))");
    assert_eq!(of("(!-e /x)"), "/x true Ok(File(Any))");
}

#[test]
fn a_return_that_may_not_be_reached_leaves_the_target() {
    let target = |inside: &str| {
        let (_, gateway) = lowered(&format!("http {{ server {{ location /a/ {{ {inside} }} }} }}"));
        (
            gateway.routes[0].target.clone(),
            gateway.programs.get(gateway.routes[0].scope).is_some_and(|program| program.beside.is_some()),
        )
    };
    let always = target("proxy_pass http://b; return 403;");
    assert!(matches!(always, (Target::Answer { status: 403, .. }, true)), "{always:?}");
    let sometimes = target("proxy_pass http://b; if ($x_y) { return 403; }");
    assert!(matches!(sometimes, (Target::Proxy(_), false)), "{sometimes:?}");
    let behind = target("if ($x_y) { break; } return 403; proxy_pass http://b;");
    assert!(matches!(behind, (Target::Proxy(_), false)), "{behind:?}");
}

#[test]
fn comments_speak_of_the_block_they_stand_in_or_above() {
    let (_, gateway) = lowered(
        "http { server {
            # WebSocket
            location /a { proxy_pass http://a; }
            # websockets

            location /b { proxy_pass http://b; # socket.io
            }
            location /c {
                # proxylint: no-websocket
                location /c/d { # hmr
                }
                # websocket
            }
        } }",
    );
    let kinds = |route: usize| gateway.routes[route].signals.iter().map(|signal| signal.kind).collect::<Vec<_>>();
    assert_eq!(kinds(0), [SignalKind::Comment]);
    assert_eq!(kinds(1), [SignalKind::Comment], "a blank line parts a comment from what follows");
    assert_eq!(kinds(2), []);
    assert_eq!(kinds(3), [SignalKind::Denied, SignalKind::Comment]);
}

#[test]
fn fragments_are_read_where_their_directives_say() {
    let (_, gateway) = lowered("server { location / { proxy_pass http://a; } }");
    assert_eq!((gateway.sites.len(), gateway.routes.len()), (1, 1));
    assert!(matches!(gateway.partial, Some(Unknown::Fragment(_))));
    let timeout = gateway.scopes.scalar(gateway.routes[0].scope, Property::ReadTimeout);
    assert_eq!(timeout, Ok(None), "what surrounds a server seldom sets this");

    let (_, gateway) = lowered("location /ws { proxy_pass http://a; }\nlocation / { }");
    assert_eq!((gateway.sites.len(), gateway.routes.len()), (1, 2));
    assert!(gateway.scopes.scalar(gateway.routes[0].scope, Property::ReadTimeout).is_err(), "the server around it may");

    let (_, gateway) = lowered("proxy_pass http://a;\nproxy_http_version 1.1;");
    assert!(matches!(gateway.routes[..], [Route { matcher: Matcher::Unknown(_), target: Target::Proxy(_), .. }]));
    let (_, gateway) = lowered("proxy_http_version 1.1;");
    assert_eq!((gateway.sites.len(), gateway.routes.len()), (0, 0));
}

#[test]
fn what_a_hole_hides_is_unknown() {
    let (_, gateway) = lowered(
        "http { server {
            location /a { proxy_pass http://a; {{ extra }}
            }
            location /{{ b }} { proxy_pass http://{{ host }}:80; proxy_set_header Upgrade {{ x }}; }
        } }",
    );
    assert!(gateway.scopes.scalar(gateway.routes[0].scope, Property::HttpVersion).is_err());
    assert!(matches!(gateway.routes[1].matcher, Matcher::Unknown(_)));
    assert_eq!(headers(&gateway, 1), ["Upgrade: <unknown>"]);
}

#[test]
fn what_stream_holds_makes_no_routes() {
    let (_, gateway) = lowered("stream { map $a $b { } server { listen 1; proxy_pass x; } upstream u { server $y; } }\nhttp { }");
    assert_eq!((gateway.sites.len(), gateway.upstreams.len()), (0, 0));
    assert_eq!(reasons(&gateway), [""; 0]);
}

#[test]
fn defaults_by_version() {
    let of = |version: Option<Version>| {
        let mut store = Store::default();
        let source = store.add(PathBuf::from("nginx.conf"), Vec::new(), Server::Nginx);
        let root = Root { server: Server::Nginx, source, base: PathBuf::new(), is_main: true };
        let resolved = resolve(&mut store, &root);
        let gateway = lower(&store, &root, &resolved, version);
        let connection = gateway.default_headers.iter().find(|header| header.name == "Connection").unwrap();
        (shown(&gateway, connection.value), connection.until)
    };
    assert_eq!(of(None), ("close".to_owned(), Some(Version::new(1, 29, 7))));
    assert_eq!(of(Some(Version::new(1, 29, 6))), ("close".to_owned(), None));
    assert_eq!(of(Some(Version::new(1, 30, 0))), (String::new(), None));
}

#[test]
fn only_the_default_of_a_tls_socket_needs_a_certificate() {
    let lacks = |http: &str| {
        let (_, gateway) = lowered(&format!("events {{}} http {{ {http} }}"));
        let lacks = gateway.remarks.iter().filter_map(|remark| match remark.kind {
            RemarkKind::CertificateMissing { lacks } => Some(lacks),
            _ => None,
        });
        lacks.collect::<Vec<_>>()
    };
    let pair = "ssl_certificate c; ssl_certificate_key k;";
    // Each seen on 1.22.1.
    for (http, expected) in [
        ("server { listen 443 ssl; }".to_owned(), &["ssl_certificate"][..]),
        ("server { listen 443 ssl; ssl_certificate c; }".to_owned(), &["ssl_certificate_key"]),
        (format!("server {{ listen 443 ssl; {pair} server_name a; }} server {{ listen 443 ssl; server_name b; }}"), &[]),
        (format!("server {{ listen 443 ssl; server_name b; }} server {{ listen 443 ssl; {pair} }}"), &["ssl_certificate"]),
        (format!("server {{ listen 443; server_name c; }} server {{ listen 443 ssl; {pair} }}"), &["ssl_certificate"]),
        ("server { listen 443 ssl; ssl_reject_handshake on; }".to_owned(), &[]),
        (format!("{pair} server {{ listen 443 ssl; }}"), &[]),
    ] {
        assert_eq!(lacks(&http), expected, "{http}");
    }
}
