//! The rules that are built in: every page of `rules/`.

use std::sync::OnceLock;

use super::rule::Rule;

/// Names the pages and compiles their text in.
const PAGES: &[(&str, &str)] = &[
    ("rules/backend-scheme-mismatch.md", include_str!("../../rules/backend-scheme-mismatch.md")),
    ("rules/balancer-upgrade-misplaced.md", include_str!("../../rules/balancer-upgrade-misplaced.md")),
    ("rules/basic-auth-on-websocket.md", include_str!("../../rules/basic-auth-on-websocket.md")),
    ("rules/conditional-module-section.md", include_str!("../../rules/conditional-module-section.md")),
    ("rules/connection-header-not-upgrade.md", include_str!("../../rules/connection-header-not-upgrade.md")),
    ("rules/connection-limit-counts-tunnels.md", include_str!("../../rules/connection-limit-counts-tunnels.md")),
    ("rules/cors-header-useless.md", include_str!("../../rules/cors-header-useless.md")),
    ("rules/directive-not-allowed.md", include_str!("../../rules/directive-not-allowed.md")),
    ("rules/duplicate-directive.md", include_str!("../../rules/duplicate-directive.md")),
    ("rules/duplicate-location.md", include_str!("../../rules/duplicate-location.md")),
    ("rules/duration-invalid.md", include_str!("../../rules/duration-invalid.md")),
    ("rules/endpoint-served-elsewhere.md", include_str!("../../rules/endpoint-served-elsewhere.md")),
    ("rules/event-stream-buffered.md", include_str!("../../rules/event-stream-buffered.md")),
    ("rules/forwarded-proto-missing.md", include_str!("../../rules/forwarded-proto-missing.md")),
    ("rules/gateway-protocol-unsuitable.md", include_str!("../../rules/gateway-protocol-unsuitable.md")),
    ("rules/grpc-timeout-short.md", include_str!("../../rules/grpc-timeout-short.md")),
    ("rules/handshake-headers-dropped.md", include_str!("../../rules/handshake-headers-dropped.md")),
    ("rules/handshake-redirected.md", include_str!("../../rules/handshake-redirected.md")),
    ("rules/host-not-forwarded.md", include_str!("../../rules/host-not-forwarded.md")),
    ("rules/http-version-too-low.md", include_str!("../../rules/http-version-too-low.md")),
    ("rules/http-version-two.md", include_str!("../../rules/http-version-two.md")),
    ("rules/http2-plaintext-listener.md", include_str!("../../rules/http2-plaintext-listener.md")),
    ("rules/httpd-comment-continued.md", include_str!("../../rules/httpd-comment-continued.md")),
    ("rules/httpd-trailing-comment.md", include_str!("../../rules/httpd-trailing-comment.md")),
    ("rules/include-cycle.md", include_str!("../../rules/include-cycle.md")),
    ("rules/include-missing.md", include_str!("../../rules/include-missing.md")),
    ("rules/include-outside.md", include_str!("../../rules/include-outside.md")),
    ("rules/location-match-unreachable.md", include_str!("../../rules/location-match-unreachable.md")),
    ("rules/match-upgrade-lost.md", include_str!("../../rules/match-upgrade-lost.md")),
    ("rules/nginx-comment-too-long.md", include_str!("../../rules/nginx-comment-too-long.md")),
    ("rules/open-file-limit-low.md", include_str!("../../rules/open-file-limit-low.md")),
    ("rules/origin-rewritten.md", include_str!("../../rules/origin-rewritten.md")),
    ("rules/proxy-module-missing.md", include_str!("../../rules/proxy-module-missing.md")),
    ("rules/proxy-pass-overridden.md", include_str!("../../rules/proxy-pass-overridden.md")),
    ("rules/proxy-target-from-client.md", include_str!("../../rules/proxy-target-from-client.md")),
    ("rules/proxy-url-malformed.md", include_str!("../../rules/proxy-url-malformed.md")),
    ("rules/proxypass-shadowed.md", include_str!("../../rules/proxypass-shadowed.md")),
    ("rules/read-timeout-short.md", include_str!("../../rules/read-timeout-short.md")),
    ("rules/resolver-missing.md", include_str!("../../rules/resolver-missing.md")),
    ("rules/rewrite-condition-detached.md", include_str!("../../rules/rewrite-condition-detached.md")),
    ("rules/rewrite-condition-too-strict.md", include_str!("../../rules/rewrite-condition-too-strict.md")),
    ("rules/rewrite-engine-off.md", include_str!("../../rules/rewrite-engine-off.md")),
    ("rules/rewrite-not-inherited.md", include_str!("../../rules/rewrite-not-inherited.md")),
    ("rules/rewrite-proxy-flag-missing.md", include_str!("../../rules/rewrite-proxy-flag-missing.md")),
    ("rules/rewrite-redirect-not-last.md", include_str!("../../rules/rewrite-redirect-not-last.md")),
    ("rules/rewrite-target-malformed.md", include_str!("../../rules/rewrite-target-malformed.md")),
    ("rules/rewrite-variable-wrong.md", include_str!("../../rules/rewrite-variable-wrong.md")),
    ("rules/set-header-inheritance-lost.md", include_str!("../../rules/set-header-inheritance-lost.md")),
    ("rules/shutdown-timeout-unsuitable.md", include_str!("../../rules/shutdown-timeout-unsuitable.md")),
    ("rules/sticky-session-missing.md", include_str!("../../rules/sticky-session-missing.md")),
    ("rules/syntax.md", include_str!("../../rules/syntax.md")),
    ("rules/timeout-unit-ignored.md", include_str!("../../rules/timeout-unit-ignored.md")),
    ("rules/timeout-wrong-directive.md", include_str!("../../rules/timeout-wrong-directive.md")),
    ("rules/timeout-zero.md", include_str!("../../rules/timeout-zero.md")),
    ("rules/tls-certificate-mismatch.md", include_str!("../../rules/tls-certificate-mismatch.md")),
    ("rules/tls-certificate-missing.md", include_str!("../../rules/tls-certificate-missing.md")),
    ("rules/tls-protocol-weak.md", include_str!("../../rules/tls-protocol-weak.md")),
    ("rules/tls-proxy-engine-off.md", include_str!("../../rules/tls-proxy-engine-off.md")),
    ("rules/tls-server-name-off.md", include_str!("../../rules/tls-server-name-off.md")),
    ("rules/undefined-variable.md", include_str!("../../rules/undefined-variable.md")),
    ("rules/unknown-directive.md", include_str!("../../rules/unknown-directive.md")),
    ("rules/unsupported-directive.md", include_str!("../../rules/unsupported-directive.md")),
    ("rules/unused-suppression.md", include_str!("../../rules/unused-suppression.md")),
    ("rules/upgrade-forced.md", include_str!("../../rules/upgrade-forced.md")),
    ("rules/upgrade-header-duplicated.md", include_str!("../../rules/upgrade-header-duplicated.md")),
    ("rules/upgrade-header-forged.md", include_str!("../../rules/upgrade-header-forged.md")),
    ("rules/upgrade-header-missing.md", include_str!("../../rules/upgrade-header-missing.md")),
    ("rules/upgrade-header-wrong-value.md", include_str!("../../rules/upgrade-header-wrong-value.md")),
    ("rules/upgrade-leaks-to-subrequest.md", include_str!("../../rules/upgrade-leaks-to-subrequest.md")),
    ("rules/upgrade-not-enabled.md", include_str!("../../rules/upgrade-not-enabled.md")),
    ("rules/upgrade-parameter-invalid.md", include_str!("../../rules/upgrade-parameter-invalid.md")),
    ("rules/upgrade-parameter-unsupported.md", include_str!("../../rules/upgrade-parameter-unsupported.md")),
    ("rules/upgrade-response-hidden.md", include_str!("../../rules/upgrade-response-hidden.md")),
    ("rules/upgrade-unrestricted.md", include_str!("../../rules/upgrade-unrestricted.md")),
    ("rules/upstream-keepalive-defeated.md", include_str!("../../rules/upstream-keepalive-defeated.md")),
    ("rules/upstream-path-mangled.md", include_str!("../../rules/upstream-path-mangled.md")),
    ("rules/worker-connections-low.md", include_str!("../../rules/worker-connections-low.md")),
    ("rules/worker-shared.md", include_str!("../../rules/worker-shared.md")),
];

/// The built-in rules, by name; compiled when first asked for.
///
/// # Panics
/// Where a page of our own does not compile, which the tests rule out.
#[must_use]
pub fn builtin() -> &'static [Rule] {
    static RULES: OnceLock<Vec<Rule>> = OnceLock::new();
    RULES.get_or_init(|| {
        let compile = |&(path, page): &(&str, &'static str)| {
            Rule::parse(path, page).unwrap_or_else(|error| panic!("{path}: {error} in `{}`", error.excerpt()))
        };
        PAGES.iter().map(compile).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::page::Page;

    #[test]
    fn every_page_of_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.strip_suffix(".md").is_some_and(|name| name != "README"));
        names.sort_unstable();
        let built_in: Vec<&str> = PAGES.iter().map(|(path, _)| path.strip_prefix("rules/").unwrap()).collect();
        assert_eq!(names, built_in);
    }

    #[test]
    fn every_page_compiles_and_is_named_after_its_file() {
        for (rule, (path, _)) in builtin().iter().zip(PAGES) {
            assert_eq!(format!("rules/{}.md", rule.name()), *path);
            assert!(rule.summary().ends_with('.'), "{path}: {}", rule.summary());
            assert!(rule.safety().is_some(), "{path}: says nothing of its fix");
        }
    }

    #[test]
    fn every_page_has_good_and_bad_examples_for_each_of_its_servers() {
        for rule in builtin() {
            assert!(!rule.servers().is_empty(), "{}", rule.name());
            for server in rule.servers() {
                for good in [true, false] {
                    let found = rule.examples().iter().any(|example| example.server == server && example.good == good);
                    assert!(found, "{}: no example for {} that is good: {good}", rule.name(), server.name());
                }
            }
        }
    }

    /// Every text of a rule that a finding shows.
    fn texts(value: &toml::Value) -> Vec<&str> {
        match value {
            toml::Value::String(text) => vec![text],
            toml::Value::Table(table) => table.values().flat_map(texts).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn texts_begin_in_lower_case_and_end_without_a_full_stop() {
        for (path, page) in PAGES {
            let block = &page[Page::parse(page).unwrap().block];
            let block: toml::Table = toml::from_str(block).unwrap();
            for text in ["message", "label", "labels", "help"].iter().filter_map(|key| block.get(*key)).flat_map(texts) {
                assert!(!text.starts_with(char::is_uppercase), "{path}: {text}");
                assert!(!text.ends_with(['.', '!', ' ']), "{path}: {text}");
                assert_eq!(text.matches('`').count() % 2, 0, "{path}: {text}");
            }
        }
    }
}
