//! Which files are taken for whose configuration, and which are read together.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]
#![expect(clippy::print_stdout, reason = "tests say what they counted and what they skip")]

use std::fs;
use std::path::{Path, PathBuf};

use proxylint::gateway::Server;
use proxylint::project::{is_candidate, server_of};

/// The shared test data, where it is there.
fn shared() -> Option<PathBuf> {
    let path = std::env::var_os("PROXYLINT_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    path.join("corpus").is_dir().then_some(path)
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(directory).sort_by_file_name();
    walk.into_iter().flatten().filter(|entry| entry.path().is_file()).map(walkdir::DirEntry::into_path).collect()
}

/// Writes a file below `folder`.
fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// What is asked of `folder`, without the settings around it.
fn of(folder: &Path) -> proxylint::Request {
    proxylint::Request { paths: vec![folder.to_path_buf()], isolated: true, ..proxylint::Request::default() }
}

#[test]
fn real_files_are_taken_for_their_own_servers() {
    let Some(shared) = shared() else {
        println!("skipped: no shared test data");
        return;
    };
    for (name, server) in [("nginx", Server::Nginx), ("apache", Server::Apache)] {
        let (mut taken, mut other, mut left) = (0, Vec::new(), Vec::new());
        for path in files(&shared.join("corpus").join(name)) {
            let bytes = fs::read(&path).unwrap();
            match is_candidate(&path).then(|| server_of(&path, &bytes[..bytes.len().min(8192)])).flatten() {
                Some(found) if found == server => taken += 1,
                Some(_) => other.push(path),
                None => left.push(path),
            }
        }
        println!("{name}: {taken} taken, {} taken for the other server, {} left out", other.len(), left.len());
        assert_eq!(other, Vec::<PathBuf>::new(), "taken for the other server");
        // What is left out: one-line snippets of documentation with nothing in them that tells the server, and files of comments.
        assert!(taken > 2 * left.len(), "{left:#?}");
    }
}

#[test]
fn a_site_that_is_available_is_read_as_its_main_file_would_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| write(folder.path(), name, text);
    write("nginx.conf", "events {}\nhttp {\n include conf.d/*.conf;\n include /etc/nginx/sites-enabled/*;\n}\n");
    write(
        "conf.d/ws.conf",
        "map $http_upgrade $connection_upgrade { default upgrade; '' close; }\nproxy_http_version 1.1;\nproxy_read_timeout 1h;\nserver { listen 8081; location / { return 204; } }\n",
    );
    let site = |port: u16, pass: &str| {
        format!(
            "server {{\n listen {port};\n location /ws/ {{\n proxy_set_header Host $http_host;\n proxy_set_header Upgrade $http_upgrade;\n proxy_set_header Connection $connection_upgrade;\n {pass}\n }}\n}}\n"
        )
    };
    write("sites-available/chat", &site(8080, "proxy_pass http://127.0.0.1:9000;"));
    write("sites-available/old", &site(8080, "proxy_pass http://127.0.0.1:9001; proxy_http_version 1.0;"));
    let request = of(folder.path());
    let checked = proxylint::check(&request).unwrap();
    let found: Vec<_> = checked.findings.iter().map(|finding| (finding.rule.as_str(), finding.span.source)).collect();
    let name = |id| checked.project.store.sources.get(id).path().file_name().unwrap().to_string_lossy().into_owned();
    let found: Vec<_> = found.into_iter().map(|(rule, source)| format!("{}: {rule}", name(source))).collect();
    assert_eq!(found, ["old: http-version-too-low"]);
    // The main file's own is no site's.
    assert_eq!(checked.routes, 3);
}

#[test]
fn absolute_includes_lead_to_what_lies_beside_the_main_file() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| write(folder.path(), name, text);
    write("deploy/proxy/nginx.conf", "events {}\nhttp {\n include /etc/nginx/conf.d/*.conf;\n}\n");
    write("deploy/proxy/conf.d/a.conf", "map $http_upgrade $connection_upgrade { default upgrade; '' close; }\n");
    write(
        "deploy/proxy/conf.d/b.conf",
        "server {\n listen 8080;\n location / {\n proxy_pass http://127.0.0.1:9000;\n proxy_set_header Connection $connection_upgrade;\n }\n}\n",
    );
    // Another one, which is not meant.
    write("conf.d/c.conf", "server {\n listen 8080;\n return 204;\n}\n");
    let request = of(folder.path());
    let project = proxylint::read(&request).unwrap();
    let name = |id| project.store.sources.get(id).path().file_name().unwrap().to_string_lossy().into_owned();
    let reached: Vec<Vec<String>> =
        project.roots.iter().map(|reached| reached.resolved.sources().iter().map(|&source| name(source)).collect()).collect();
    assert_eq!(reached, [vec!["nginx.conf", "a.conf", "b.conf"], vec!["c.conf"]]);
}

#[test]
fn links_that_are_checked_out_as_text_are_followed_by_httpd_too() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| write(folder.path(), name, text);
    write("apache2.conf", "IncludeOptional sites-enabled/*.conf\n");
    write(
        "sites-available/a.conf",
        "<VirtualHost *:80>\nServerName a.example\nProxyPass / http://127.0.0.1:9000/\n</VirtualHost>\n",
    );
    write("sites-enabled/a.conf", "../sites-available/a.conf");
    write("sites-enabled/b.conf", "../sites-available/b.conf");
    let request = of(folder.path());
    let checked = proxylint::check(&request).unwrap();
    let found: Vec<&str> = checked.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert_eq!((found, checked.routes), (vec![], 1));
    assert_eq!(checked.project.roots.len(), 1);
}

#[test]
fn what_cannot_be_decided_in_a_directorys_file_is_no_part_of_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| write(folder.path(), name, text);
    // No module is loaded here: whether the section of the second file counts, another file decides.
    write(
        "site.conf",
        "<VirtualHost *:80>\nDocumentRoot /srv/app/public\n<Directory /srv/app/public>\nAllowOverride All\n</Directory>\nProxyPass /ws ws://127.0.0.1:9000/ws\n</VirtualHost>\n",
    );
    write("public/.htaccess", "<IfModule mod_rewrite.c>\nRewriteEngine On\nRewriteRule ^index\\.php$ - [L]\n</IfModule>\n");
    let request = of(folder.path());
    let checked = proxylint::check(&request).unwrap();
    assert_eq!(checked.routes, 1);
}

#[test]
fn the_directory_that_an_alias_leads_to_has_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().canonicalize().unwrap();
    let other = place.join("other");
    fs::create_dir_all(&other).unwrap();
    let modules =
        ["mpm_event", "unixd", "authz_core", "alias"].map(|name| format!("LoadModule {name}_module modules/mod_{name}.so\n"));
    let main = format!(
        "{}Listen 8080\nServerName a.test\nDocumentRoot /srv/nothing\n<Directory />\nAllowOverride All\n</Directory>\nAlias /al {}\n",
        modules.concat(),
        other.display()
    );
    fs::write(place.join("httpd.conf"), main).unwrap();
    fs::write(other.join(".htaccess"), "Require all denied\n").unwrap();
    let request = of(&place);
    let project = proxylint::read(&request).unwrap();
    let reached = project.roots.iter().find(|reached| reached.root.is_main).unwrap();
    let gateway = project.lower(reached);
    let here = std::net::IpAddr::from([127, 0, 0, 1]);
    let client = proxylint::handshake::Client {
        request: proxylint::handshake::Probe::Plain.request("a.test:8080", "/al/x", false),
        socket: proxylint::handshake::Socket { address: here, port: 8080 },
        from: here,
    };
    let walk =
        proxylint::handshake::follow(&project.view(reached, &gateway), &client, &|path| project.store.kind_of(&place, path));
    let kept_out = proxylint::handshake::Verdict::Answered { status: 403, location: None };
    assert_eq!(walk.verdict, kept_out);
}
