//! The rules that are built in: every page of `rules/`.

use std::sync::OnceLock;

use super::rule::Rule;

/// Names the pages and compiles their text in.
const PAGES: &[(&str, &str)] = &[
    ("rules/connection-header-not-upgrade.md", include_str!("../../rules/connection-header-not-upgrade.md")),
    ("rules/http-version-too-low.md", include_str!("../../rules/http-version-too-low.md")),
    ("rules/include-missing.md", include_str!("../../rules/include-missing.md")),
    ("rules/proxy-module-missing.md", include_str!("../../rules/proxy-module-missing.md")),
    ("rules/proxypass-shadowed.md", include_str!("../../rules/proxypass-shadowed.md")),
    ("rules/read-timeout-short.md", include_str!("../../rules/read-timeout-short.md")),
    ("rules/rewrite-condition-too-strict.md", include_str!("../../rules/rewrite-condition-too-strict.md")),
    ("rules/set-header-inheritance-lost.md", include_str!("../../rules/set-header-inheritance-lost.md")),
    ("rules/syntax.md", include_str!("../../rules/syntax.md")),
    ("rules/timeout-unit-ignored.md", include_str!("../../rules/timeout-unit-ignored.md")),
    ("rules/undefined-variable.md", include_str!("../../rules/undefined-variable.md")),
    ("rules/upgrade-header-missing.md", include_str!("../../rules/upgrade-header-missing.md")),
    ("rules/upgrade-not-enabled.md", include_str!("../../rules/upgrade-not-enabled.md")),
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

    #[test]
    fn every_page_of_the_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "README.md");
        names.sort_unstable();
        let built_in: Vec<&str> = PAGES.iter().map(|(path, _)| path.strip_prefix("rules/").unwrap()).collect();
        assert_eq!(names, built_in);
    }

    #[test]
    fn every_page_compiles_and_is_named_after_its_file() {
        for (rule, (path, _)) in builtin().iter().zip(PAGES) {
            assert_eq!(format!("rules/{}.md", rule.name()), *path);
            assert!(rule.summary().ends_with('.'), "{path}: {}", rule.summary());
        }
    }
}
