//! What `check --fix` writes into httpd configuration: the mapping in force is mended, in the manner of its neighbours.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::path::Path;
use std::process::Command;

/// The modules that every configuration here begins with.
const MODULES: &str = "LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule unixd_module modules/mod_unixd.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule proxy_module modules/mod_proxy.so
LoadModule proxy_http_module modules/mod_proxy_http.so
Listen 8080
ServerName localhost
Timeout 3600
";

/// What `check` with these arguments makes of files, the main one first.
fn fixed(files: &[(&str, &[u8])], arguments: &[&str]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    for (path, bytes) in files {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let main = directory.path().join(files[0].0);
    run(directory.path(), arguments);
    let once = fs::read(&main).unwrap();
    run(directory.path(), arguments);
    assert_eq!(String::from_utf8_lossy(&fs::read(&main).unwrap()), String::from_utf8_lossy(&once), "twice is once");
    once
}

fn run(directory: &Path, arguments: &[&str]) {
    let output = Command::new(assert_cmd::cargo::cargo_bin!("proxylint"))
        .current_dir(directory)
        .args(["check", "--isolated", "--fix"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What becomes of `text` behind the modules.
fn lines(text: &str, arguments: &[&str]) -> String {
    let before = format!("{MODULES}{text}");
    let after = String::from_utf8(fixed(&[("httpd.conf", before.as_bytes())], arguments)).unwrap();
    after.strip_prefix(MODULES).unwrap_or(&after).to_owned()
}

#[test]
fn a_parameter_goes_to_the_end_of_the_line_wherever_that_is() {
    let text = "ProxyPass \"/ws\" \\\n    \"http://127.0.0.1:9000/ws\" \\\n    retry=0   \nProxyPass / http://127.0.0.1:9001/\n";
    assert_eq!(lines(text, &[]), text.replace("retry=0   ", "retry=0 upgrade=websocket   "));
}

#[test]
fn line_ends_and_bytes_of_other_encodings_are_kept() {
    let text = format!("{MODULES}# caf\u{e9}: \u{e9}\n\tProxyPass /ws http://127.0.0.1:9000/ws\n").replace('\n', "\r\n");
    let text: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let after = fixed(&[("httpd.conf", &text)], &[]);
    let end = b" upgrade=websocket\r\n";
    assert_eq!(after, [&text[..text.len() - 2], end].concat());
}

#[test]
fn a_wrong_value_is_replaced_and_its_name_stays_as_written() {
    let text = "ProxyPass /ws http://127.0.0.1:9000/ws Upgrade=on retry=0\n";
    assert_eq!(lines(text, &[]), text.replace("=on", "=websocket"));
}

#[test]
fn a_shadowed_mapping_moves_with_its_comment_and_is_mended_on_the_way() {
    let text =
        "# the pages\nProxyPass / http://127.0.0.1:9001/\n\n# WebSockets\nProxyPass /ws http://127.0.0.1:9000/ws\nErrorLog e\n";
    let wanted = "# WebSockets\nProxyPass /ws http://127.0.0.1:9000/ws upgrade=websocket\n# the pages\nProxyPass / http://127.0.0.1:9001/\n\nErrorLog e\n";
    assert_eq!(lines(text, &[]), wanted);
}

#[test]
fn every_member_of_a_balancer_is_mended() {
    let modules = "LoadModule slotmem_shm_module modules/mod_slotmem_shm.so\nLoadModule proxy_balancer_module modules/mod_proxy_balancer.so\nLoadModule lbmethod_byrequests_module modules/mod_lbmethod_byrequests.so\n";
    let text = format!(
        "{modules}<Proxy balancer://ws>\n  BalancerMember http://127.0.0.1:9000 route=a\n  BalancerMember http://127.0.0.1:9001 route=b\n  ProxySet stickysession=ID\n</Proxy>\nProxyPass /ws balancer://ws/ws\n"
    );
    let wanted = text.replace("route=a", "route=a upgrade=websocket").replace("route=b", "route=b upgrade=websocket");
    assert_eq!(lines(&text, &[]), wanted);
}

#[test]
fn before_2_4_47_a_rule_leads_websockets_to_their_scheme() {
    let modules = "LoadModule rewrite_module modules/mod_rewrite.so\n";
    let mapping = "ProxyPass \"/chat.io/ws\" \"http://127.0.0.1:9000/ws\"\n";
    let after = lines(&format!("{modules}{mapping}"), &["--apache-version", "2.4.41"]);
    assert!(
        after.ends_with(&format!("RewriteEngine On\nRewriteCond %{{HTTP:Upgrade}} websocket [NC]\nRewriteRule \"^/chat\\.io/ws(/.*)?$\" \"ws://127.0.0.1:9000/ws$1\" [P,L]\n{mapping}")),
        "{after}"
    );
    assert!(after.contains("LoadModule proxy_wstunnel_module modules/mod_proxy_wstunnel.so\n"), "{after}");
}

#[test]
fn a_module_that_was_commented_out_is_so_no_more() {
    let before = MODULES.replace("LoadModule proxy_http", "#LoadModule proxy_http");
    let text = format!("{before}ProxyPass /ws http://127.0.0.1:9000/ws upgrade=websocket\n");
    let after = fixed(&[("httpd.conf", text.as_bytes())], &[]);
    assert_eq!(String::from_utf8(after).unwrap(), text.replace('#', ""));
}

#[test]
fn files_that_a2enmod_makes_are_left_to_it() {
    let main = "IncludeOptional mods-enabled/*.load\nListen 8080\nServerName localhost\nTimeout 3600\nProxyPass /ws http://127.0.0.1:9000/ws upgrade=websocket\n";
    let load = b"LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so\n";
    let after = fixed(&[("apache2.conf", main.as_bytes()), ("mods-enabled/proxy.load", load)], &[]);
    assert_eq!(String::from_utf8(after).unwrap(), main);
}

#[test]
fn a_macro_is_mended_once_for_all_its_uses() {
    let load = "LoadModule macro_module modules/mod_macro.so\n";
    let text = format!(
        "{load}<Macro ws $path $port>\n    ProxyPass $path/ws http://127.0.0.1:$port/ws\n</Macro>\nUse ws /a 9000\nUse ws /b 9001\n"
    );
    assert_eq!(lines(&text, &[]), text.replace("$port/ws", "$port/ws upgrade=websocket"));
}

#[test]
fn what_a_hole_decides_is_left_alone() {
    let text = "ProxyPass /ws http://127.0.0.1:9000/ws {{ parameters }}\n";
    let whole = format!("{MODULES}{text}");
    let after = fixed(&[("httpd.conf.j2", whole.as_bytes())], &[]);
    assert_eq!(String::from_utf8(after).unwrap(), whole);
}

#[test]
fn a_section_that_would_cut_other_websockets_short_stays_out() {
    let text = "ProxyTimeout 3600
ProxyPass \"/ws\" \"http://127.0.0.1:9000/ws\" upgrade=websocket
<IfModule mod_proxy_http>
    ProxyTimeout 5
    ProxyPass \"/live\" \"http://127.0.0.1:9001/live\" upgrade=websocket timeout=3600
</IfModule>
";
    assert_eq!(lines(text, &["--unsafe-fixes"]), text);
    let alone = text.replace("    ProxyTimeout 5\n", "");
    assert_eq!(lines(&alone, &["--unsafe-fixes"]), alone.replace("mod_proxy_http>", "mod_proxy_http.c>"));
}

#[test]
fn a_line_that_was_misread_counts_for_all_that_it_is_about() {
    let text = "ProxyTimeout 60m
ProxyPass \"/ws\" \"http://127.0.0.1:9000/ws\" upgrade=websocket
ProxyPass \"/\" \"http://127.0.0.1:9001/\"
";
    assert_eq!(lines(text, &[]), text.replace("60m", "3600"));
}

#[test]
fn a_section_whose_mapping_would_fail_stays_out() {
    let hosted = |parameter: &str| {
        let section = format!(
            "<IfModule mod_proxy_http>\n    ProxyPass /ws http://127.0.0.1:9000/ws upgrade=websocket{parameter}\n</IfModule>\n"
        );
        format!("<VirtualHost *:8080>\n{section}</VirtualHost>\n")
    };
    // `D` takes the worker out of service: what the files of the server answered would be a 503.
    let out = hosted(" status=+D");
    assert_eq!(lines(&out, &["--unsafe-fixes"]), out);
    let text = hosted("");
    assert_eq!(lines(&text, &["--unsafe-fixes"]), text.replace("mod_proxy_http>", "mod_proxy_http.c>"));
}

#[test]
fn what_a_pattern_takes_is_no_loss_to_another_mapping() {
    let text = "SetEnv force-proxy-request-1.0 1
ProxyPass /ws http://127.0.0.1:9000/ws upgrade=websocket
<LocationMatch \"^/(?<rest>chat.*)\">
    ProxyPass http://127.0.0.1:9001
</LocationMatch>
";
    assert_eq!(lines(text, &["--unsafe-fixes"]), text, "`/chat` would be asked for with HTTP/1.1");
}
