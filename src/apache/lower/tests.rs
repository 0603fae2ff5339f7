//! What lowering makes of small configurations.

use std::path::PathBuf;

use crate::apache::{lower, resolve};
use crate::gateway::{
    Action, Assigned, Gateway, Matcher, Millis, Property, Protocol, Proxy, RemarkKind, Route, Server, SignalKind, Target, Version,
};
use crate::project::{Root, Store};

const MODULES: &str = "LoadModule mpm_event_module m.so\nLoadModule proxy_module m.so\nLoadModule proxy_http_module m.so\nLoadModule rewrite_module m.so\n";

fn read(text: &str, is_main: bool, version: Option<Version>) -> Gateway {
    let mut store = Store::default();
    let source = store.add(PathBuf::from("httpd.conf"), text.as_bytes().to_vec(), Server::Apache);
    let root = Root { server: Server::Apache, source, base: PathBuf::from("/nonexistent"), is_main };
    let resolved = resolve(&mut store, &root);
    lower(&store, &root, &resolved, version)
}

fn gateway(text: &str) -> Gateway {
    read(&format!("{MODULES}{text}"), true, None)
}

fn proxy(route: &Route) -> &Proxy {
    match &route.target {
        Target::Proxy(proxy) => proxy,
        other => panic!("{other:?}"),
    }
}

fn upgrade(gateway: &Gateway, proxy: &Proxy) -> Option<String> {
    match gateway.scopes.scalar(proxy.worker?, Property::Upgrade).unwrap()?.value {
        Assigned::Text(text) => {
            Some(String::from_utf8_lossy(gateway.symbolics.literal(text, &gateway.texts).unwrap()).into_owned())
        }
        other => panic!("{other:?}"),
    }
}

fn duration(gateway: &Gateway, scope: crate::gateway::ScopeId, property: Property) -> Option<u64> {
    match gateway.scopes.scalar(scope, property).unwrap()?.value {
        Assigned::Duration(Millis(millis)) => Some(millis),
        other => panic!("{other:?}"),
    }
}

#[test]
fn mappings_stand_in_file_order_with_their_own_workers() {
    let gateway = gateway(
        "<VirtualHost *:80>\nServerName A.example\nServerAlias *.a.example\nProxyPass /static !\n\
         ProxyPass /ws http://b:8080/ws upgrade=websocket timeout=3600\nProxyPass / http://b:8080/\n</VirtualHost>\n",
    );
    let [main, site] = gateway.sites.as_slice() else { panic!("{:?}", gateway.sites) };
    assert!(main.is_main && main.routes.is_empty());
    assert_eq!(gateway.texts.get(site.names[0].text), b"a.example");
    assert_eq!((site.listens[0].port, site.listens[0].default), (Some(80), true));
    let routes: Vec<&Route> = site.route_ids().map(|id| gateway.route(id)).collect();
    assert!(matches!(routes[0].target, Target::Excluded(_)));
    assert!(matches!(routes[1].matcher, Matcher::Segments(text) if gateway.texts.get(text) == b"/ws"));
    let web_socket = proxy(routes[1]);
    assert_eq!(upgrade(&gateway, web_socket).as_deref(), Some("websocket"));
    assert_eq!(duration(&gateway, web_socket.worker.unwrap(), Property::ReadTimeout), Some(3_600_000));
    assert_eq!(gateway.texts.get(web_socket.authority.unwrap()), b"b:8080");
    assert_eq!(upgrade(&gateway, proxy(routes[2])), None);
    assert_eq!(web_socket.shares, None);
    assert!(routes.iter().all(|route| route.requires.is_empty()));
    assert_eq!(site.mappings, site.routes);
}

#[test]
fn an_earlier_worker_whose_url_begins_this_one_takes_its_parameters_away() {
    let gateway = gateway("ProxyPass /api http://b/\nProxyPass /ws http://b/ws upgrade=websocket\n");
    let second = proxy(&gateway.routes[1]);
    assert_eq!(second.shares.map(|shared| shared.of), Some(proxy(&gateway.routes[0]).span));
    assert_eq!(second.worker, proxy(&gateway.routes[0]).worker);
    assert_eq!(upgrade(&gateway, second), None);
}

#[test]
fn a_proxy_section_sets_the_worker_before_and_after_its_mapping() {
    for text in [
        "<Proxy http://b/ws>\nProxySet upgrade=websocket\n</Proxy>\nProxyPass /ws http://b/ws\n",
        "ProxyPass /ws http://b/ws\n<Proxy http://b/ws>\nProxySet upgrade=websocket\n</Proxy>\n",
        "<Proxy http://b>\nProxySet upgrade=websocket\n</Proxy>\nRewriteRule ^/?(.*) http://b/$1 [P]\n",
    ] {
        let gateway = gateway(text);
        assert_eq!(upgrade(&gateway, proxy(&gateway.routes[0])).as_deref(), Some("websocket"), "{text}");
    }
}

#[test]
fn sections_come_first_and_the_last_proxypass_in_one_counts() {
    let gateway =
        gateway("ProxyPass / http://c/\n<Location /ws>\nProxyPass ws://a/\nProxyPass http://b/ws upgrade=ANY\n</Location>\n");
    let site = &gateway.sites[0];
    // The first one is a route that nothing comes to.
    assert_eq!((site.sections.clone(), site.mappings.clone()), (0..2, 2..3));
    assert_eq!(proxy(&gateway.routes[0]).protocol, Protocol::Ws);
    let last = site.areas[1].proxy.unwrap();
    assert_eq!(proxy(gateway.route(last)).protocol, Protocol::Http);
    assert_eq!(upgrade(&gateway, proxy(gateway.route(last))).as_deref(), Some("ANY"));
}

#[test]
fn a_location_match_is_a_pattern_to_mod_proxy_only_with_glob_characters() {
    let gateway = gateway(
        "<LocationMatch ^/ws>\nProxyPass http://b/\n</LocationMatch>\n<LocationMatch \"^/ws.*\">\nProxyPass http://c/\n</LocationMatch>\n",
    );
    assert!(matches!(gateway.routes[0].matcher, Matcher::Segments(text) if gateway.texts.get(text) == b"^/ws"));
    assert!(matches!(gateway.routes[1].matcher, Matcher::Pattern { .. }));
}

#[test]
fn rewrite_rules_keep_conditions_flags_and_their_route() {
    let gateway = gateway(
        "<VirtualHost *>\nRewriteEngine On\nRewriteCond %{HTTP:Upgrade} websocket [NC,OR]\nRewriteCond %{HTTPS} !=on\n\
         RewriteRule ^/?(.*) \"ws://b:3000/$1\" [P,L]\nRewriteRule ^ https://x/ [R=301]\nRewriteRule ^/no - [F]\n</VirtualHost>\n",
    );
    let site = &gateway.sites[1];
    let [web_socket, redirect, forbidden] = site.rewrites.as_slice() else { panic!("{:?}", site.rewrites) };
    assert_eq!(web_socket.conditions.len(), 2);
    assert!(web_socket.conditions[0].or_next && web_socket.conditions[1].negated && web_socket.last);
    let Action::Proxy(route) = web_socket.action else { panic!("{:?}", web_socket.action) };
    assert_eq!(gateway.route(route).matcher, Matcher::Rewrite(0));
    let target = proxy(gateway.route(route));
    assert_eq!((target.protocol, target.path), (Protocol::Ws, None));
    assert_eq!((redirect.action, redirect.last), (Action::Redirect(301), false));
    assert_eq!((forbidden.action, forbidden.last), (Action::Answer(403), true));
    // Only mod_proxy_wstunnel is lacking, and only before 2.4.47.
    let requires = &gateway.route(route).requires;
    assert_eq!((requires.len(), requires[0].any_of[0], requires[0].until), (1, "proxy_wstunnel", Some(Version::new(2, 4, 47))));
}

#[test]
fn rules_of_the_main_server_are_inherited_by_option_only() {
    let rule = "RewriteRule ^/ws ws://b/ws [P]\n";
    let rules = |options: &str, host: &str| {
        gateway(&format!("{rule}{options}<VirtualHost *>\n{host}\n</VirtualHost>\n")).sites[1].rewrites.len()
    };
    assert_eq!(rules("", "RewriteEngine On"), 0);
    assert_eq!(rules("", "RewriteOptions Inherit"), 1);
    assert_eq!(rules("RewriteOptions InheritDown\n", ""), 0);
    assert_eq!(rules("RewriteOptions InheritDown\n", "RewriteEngine On"), 1);
}

#[test]
fn modules_are_required_as_the_version_says() {
    let text = "LoadModule mpm_event_module m.so\nLoadModule proxy_module m.so\nProxyPass /ws ws://b/ws\nProxyPass / balancer://c/\n<Proxy balancer://c>\nBalancerMember https://d\n</Proxy>\n";
    let names = |version: &str, route: usize| {
        let gateway = read(text, true, Some(version.parse().unwrap()));
        gateway.routes[route].requires.iter().map(|requirement| requirement.any_of[0]).collect::<Vec<_>>()
    };
    assert_eq!(names("2.4.46", 0), ["proxy_wstunnel"]);
    assert_eq!(names("2.4.58", 0), ["proxy_http"]);
    assert_eq!(names("2.4.58", 1), ["proxy_balancer", "slotmem_shm", "lbmethod_byrequests", "proxy_http", "ssl"]);
}

#[test]
fn a_member_without_upgrade_speaks_for_its_balancer() {
    let gateway = gateway(
        "<Proxy balancer://c>\nBalancerMember http://d upgrade=websocket\nBalancerMember http://e status=+H\nProxySet stickysession=ID\n</Proxy>\n\
         ProxyPass /ws balancer://c/ws\n",
    );
    let target = proxy(&gateway.routes[0]);
    let upstream = gateway.upstream(target.upstream.unwrap());
    assert_eq!((upstream.members.len(), upstream.members[1].backup, upstream.affinity.is_some()), (2, true, true));
    assert_eq!(target.protocol, Protocol::Http);
    assert_eq!(upgrade(&gateway, target), None);
}

#[test]
fn seconds_with_a_unit_are_remarked_and_read_without_it() {
    let gateway = gateway("Timeout 1h\nProxyTimeout 5m\nProxyPass / http://b/ timeout=30\n");
    let scope = gateway.sites[0].scope;
    assert_eq!(duration(&gateway, scope, Property::ClientTimeout), Some(1000));
    assert_eq!(duration(&gateway, scope, Property::ReadTimeout), Some(5000));
    let units: Vec<_> = gateway.remarks.iter().filter(|remark| matches!(remark.kind, RemarkKind::UnitIgnored { .. })).collect();
    assert_eq!(units.len(), 2);
}

#[test]
fn comments_and_marks_are_signals() {
    let gateway = gateway(
        "# the WebSocket of the chat\nProxyPass /a http://b/a\n\n# proxylint: no-websocket\nProxyPass /c http://c/\n\n# websocket\n\nProxyPass /d http://d/\n\
         <Location /e>\n# proxylint: websocket\nProxyPass http://e/\n</Location>\n",
    );
    let kinds: Vec<Vec<SignalKind>> =
        gateway.routes.iter().map(|route| route.signals.iter().map(|signal| signal.kind).collect()).collect();
    assert_eq!(kinds, [vec![SignalKind::Declared], vec![SignalKind::Comment], vec![SignalKind::Denied], vec![]]);
}

#[test]
fn definitions_conditions_and_macros_are_carried_out() {
    let gateway = gateway(
        "Define backend http://b:1/\n<Macro WS $path $to>\n  ProxyPass $path $to upgrade=websocket timeout=1h\n</Macro>\n\
         Use ws /ws ${BACKEND}ws\n<IfModule mod_proxy_wstunnel.c>\nProxyPass /no http://no/\n</IfModule>\n<IfModule !mod_proxy_wstunnel.c>\n\
         <IfDefine !X>\nProxyPass /yes http://yes/\n</IfDefine>\n</IfModule>\nProxyPass /u http://${nowhere}/\n",
    );
    let [first, second, third] = gateway.routes.as_slice() else { panic!("{:?}", gateway.routes) };
    assert_eq!(gateway.texts.get(proxy(first).path.unwrap()), b"/ws");
    assert_eq!(upgrade(&gateway, proxy(first)).as_deref(), Some("websocket"));
    assert_eq!(gateway.texts.get(proxy(second).authority.unwrap()), b"yes");
    assert_eq!(proxy(third).authority, None);
    let unit = gateway.remarks.iter().find(|remark| matches!(remark.kind, RemarkKind::UnitIgnored { .. })).unwrap();
    assert_eq!(unit.labels[0].1, "the macro is used here");
}

#[test]
fn a_fragment_knows_no_absent_module_and_no_inherited_setting() {
    let gateway = read("<IfModule mod_proxy.c>\nProxyPass /ws ws://b/ws\n</IfModule>\n", false, None);
    assert_eq!(gateway.routes.len(), 1);
    assert_eq!(gateway.modules.has("proxy_wstunnel"), None);
    assert!(gateway.partial.is_some() && gateway.scopes.scalar(gateway.sites[0].scope, Property::ClientTimeout).is_err());
}

#[test]
fn missing_includes_are_remarked_where_they_matter() {
    let gateway = gateway("Include conf.d/missing.conf\nIncludeOptional conf.d/*.conf\nInclude /etc/elsewhere/x.conf\n");
    let found: Vec<_> = gateway.remarks.iter().map(|remark| remark.kind.clone()).collect();
    // The file is held in memory, so there is no directory in which the other could be missing.
    let missing = |path: &str, inside| RemarkKind::IncludeMissing { path: path.into(), inside };
    assert_eq!(found, [missing("conf.d/missing.conf", false), missing("/etc/elsewhere/x.conf", false)]);
    assert!(!gateway.modules.complete);
}
