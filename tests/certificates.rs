//! What is said of the certificate files that a configuration names, in the forms that people have them in.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use proxylint::Request;

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/certificates").join(name)).unwrap()
}

/// What is found where a site of this name shows this certificate and has this key.
fn found(name: &str, certificate: &[u8], key: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let site = format!("server {{ listen 443 ssl; server_name {name}; ssl_certificate a.pem; ssl_certificate_key a.key; }}");
    fs::write(folder.path().join("nginx.conf"), format!("events {{}}\nhttp {{ {site} }}\n")).unwrap();
    fs::write(folder.path().join("a.pem"), certificate).unwrap();
    fs::write(folder.path().join("a.key"), key).unwrap();
    let paths: Vec<PathBuf> = vec![folder.path().join("nginx.conf")];
    let checked = proxylint::check(&Request { paths, isolated: true, ..Request::default() }).unwrap();
    checked.findings.into_iter().map(|finding| format!("{}: {}", finding.level, finding.message)).collect()
}

#[test]
fn the_first_of_a_chain_is_the_sites_own() {
    let (own, other) = (fixture("valid.pem"), fixture("rsa.pem"));
    let key = fixture("ec.key");
    assert!(found("chat.example.com", &[own.clone(), other.clone()].concat(), &key).is_empty());
    let turned = found("chat.example.com", &[other, own].concat(), &key);
    assert_eq!(turned.len(), 1, "{turned:?}");
    assert!(turned[0].contains("a later one of the file"), "{turned:?}");
}

#[test]
fn a_key_may_stand_in_the_same_file() {
    for both in [[fixture("valid.pem"), fixture("ec.key")].concat(), [fixture("ec.p8"), fixture("valid.pem")].concat()] {
        assert!(found("chat.example.com", &both, &both).is_empty());
        assert_eq!(found("chat.example.com", &both, &fixture("other.key")).len(), 1);
    }
}

#[test]
fn der_is_told_from_what_is_encrypted_or_missing() {
    let pem = String::from_utf8(fixture("valid.pem")).unwrap();
    let (_, pem) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap();
    let der = found("chat.example.com", &pem.contents, &fixture("ec.key"));
    assert!(der.len() == 1 && der[0].starts_with("error: ") && der[0].contains("DER"), "{der:?}");
    for strange in [&b"$ANSIBLE_VAULT;1.1;AES256\n6162\n"[..], b"", b"\0GITCRYPT\0abc", b"-----BEGIN CERTIFICATE-----\n"] {
        assert!(found("chat.example.com", strange, &fixture("ec.key")).is_empty());
    }
}

#[test]
fn names_and_addresses_are_covered_as_browsers_see_it() {
    let (certificate, key) = (fixture("valid.pem"), fixture("ec.key"));
    for fits in
        ["chat.example.com", "CHAT.example.com", "eu.apps.example.com", "10.0.0.1", "localhost", "_", "*.apps.example.com"]
    {
        assert!(found(fits, &certificate, &key).is_empty(), "{fits}");
    }
    for misses in ["example.com", "apps.example.com", "a.b.apps.example.com", "10.0.0.2"] {
        let found = found(misses, &certificate, &key);
        assert!(found.len() == 1 && found[0].starts_with("warning: ") && found[0].contains(misses), "{misses}: {found:?}");
    }
}
