//! Includes over a tree laid out as Debian does: links, globs, directories, modules.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use proxylint::apache::{self, Resolved};
use proxylint::gateway::{Gateway, Server};
use proxylint::project::{Root, Store};

fn read(base: &Path) -> (Store, Resolved, Gateway) {
    let mut store = Store::default();
    store.add_base(base).unwrap();
    let source = store.load(&[base.join("apache2.conf")], Server::Apache).remove(0).unwrap();
    let root = Root { server: Server::Apache, source, base: base.to_path_buf(), is_main: true };
    let resolved = apache::resolve(&mut store, &root);
    let gateway = apache::lower(&store, &root, &resolved, None);
    (store, resolved, gateway)
}

fn write(base: &Path, name: &str, text: &str) {
    let path = base.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn enabled_modules_and_sites_are_reached_through_their_links() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path();
    write(
        base,
        "apache2.conf",
        "ServerRoot /etc/apache2\nIncludeOptional mods-enabled/*.load\nIncludeOptional /etc/apache2/sites-enabled/*.conf\nInclude inc.d\n",
    );
    write(base, "mods-available/mpm_event.load", "LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so\n");
    write(base, "mods-available/proxy.load", "LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so\n");
    write(base, "sites-available/b.conf", "<VirtualHost *:80>\nServerName b\nProxyPass /ws ws://b/\n</VirtualHost>\n");
    write(base, "sites-available/a.conf", "<VirtualHost *:80>\nServerName a\n</VirtualHost>\n");
    write(base, "inc.d/sub/z.bak", "Timeout 5\n");
    write(base, "inc.d/.hidden", "ProxyTimeout 6\n");
    for (to, link) in [
        ("../mods-available/mpm_event.load", "mods-enabled/mpm_event.load"),
        ("../mods-available/proxy.load", "mods-enabled/proxy.load"),
        ("../sites-available/b.conf", "sites-enabled/002-b.conf"),
        ("../sites-available/a.conf", "sites-enabled/001-a.conf"),
    ] {
        let link = base.join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(to, link).unwrap();
    }
    let (store, resolved, gateway) = read(base);
    let reached: Vec<String> = resolved
        .sources
        .iter()
        .map(|&id| store.sources.get(id).path().strip_prefix(base).unwrap().display().to_string())
        .collect();
    assert_eq!(
        reached,
        [
            "apache2.conf",
            "mods-available/mpm_event.load",
            "mods-available/proxy.load",
            "sites-available/a.conf",
            "sites-available/b.conf",
            "inc.d/.hidden",
            "inc.d/sub/z.bak"
        ]
    );
    assert!(gateway.modules.complete);
    assert_eq!(gateway.modules.has("proxy_http"), Some(false));
    assert_eq!(gateway.sites.len(), 3);
    assert_eq!(gateway.routes.len(), 1);
    assert!(!gateway.routes[0].requires.is_empty());
    assert!(gateway.remarks.is_empty(), "{:?}", gateway.remarks);
}

#[test]
fn a_file_that_includes_itself_ends() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "apache2.conf", "Include apache2.conf\nInclude apache2.conf\n");
    let (_, _, gateway) = read(folder.path());
    assert!(gateway.refusals[0].message.contains("maximum include depth"), "{:?}", gateway.refusals);
}

#[test]
fn nothing_outside_the_given_tree_is_read() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "secret.conf", "Timeout 1\n");
    write(folder.path(), "tree/apache2.conf", "Include ../secret.conf\nInclude out.d\n");
    symlink("/", folder.path().join("tree/out.d")).unwrap();
    let (_, resolved, gateway) = read(&folder.path().join("tree"));
    assert_eq!(resolved.sources.len(), 1);
    assert!(gateway.partial.is_some());
}
