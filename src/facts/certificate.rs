//! The facts of the certificates that sites show, where their files lie in the given tree.

use super::{Definition, Item, Reader, Reading, Subject, Type, Value, fact};
use crate::certificate::{covers, date, now};
use crate::gateway::{Certificate, Certificates, KeyFit, Name, Site};

/// The facts of certificates.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "certificate.names",
        Subject::Site,
        Type::List,
        names,
        "The names that the site's certificates are for; absent where their files are not all in the given tree.",
    ),
    fact(
        "certificate.until",
        Subject::Site,
        Type::Text,
        until,
        "The day on which the first of the site's certificates ends; absent where none is in the given tree.",
    ),
    fact(
        "certificate.fault",
        Subject::Site,
        Type::Text,
        fault,
        "What is wrong with the site's certificates: `form`, `key`, `expired`, `early` or `names`; absent where nothing is, or they are not in the given tree.",
    ),
    fact("certificate.why", Subject::Site, Type::Text, why, "The same in words."),
];

/// The certificates that the site that is read shows over TLS.
fn certificates<'a>(reader: &Reader<'a>) -> Option<(&'a Site, &'a Certificates)> {
    let Item::Site(id) = reader.item else { return None };
    let gateway = reader.view.gateway;
    let site = gateway.site(id);
    site.listens.iter().any(|listen| listen.tls).then_some(())?;
    Some((site, gateway.certificates.get(&id)?))
}

fn names(reader: &Reader<'_>, _: &str) -> Reading {
    match certificates(reader) {
        Some((_, certificates)) if certificates.complete => {
            let names = certificates.read.iter().flat_map(|certificate| certificate.names.iter().cloned()).collect();
            let reading = Reading::new(Value::List(names));
            certificates.read.iter().fold(reading, |reading, certificate| reading.at(certificate.span, "the certificate"))
        }
        _ => Reading::absent(),
    }
}

fn until(reader: &Reader<'_>, _: &str) -> Reading {
    let first = certificates(reader).and_then(|(_, certificates)| certificates.read.iter().min_by_key(|one| one.until));
    match first {
        Some(first) => Reading::new(Value::text(date(first.until))).at(first.span, "the certificate"),
        None => Reading::absent(),
    }
}

fn fault(reader: &Reader<'_>, _: &str) -> Reading {
    found(reader).map_or_else(Reading::absent, |(kind, reading)| Reading { value: Ok(Value::text(kind)), ..reading })
}

fn why(reader: &Reader<'_>, _: &str) -> Reading {
    found(reader).map_or_else(Reading::absent, |(_, reading)| reading)
}

/// What is wrong, the worst first, and in words.
fn found(reader: &Reader<'_>) -> Option<(&'static str, Reading)> {
    let (site, certificates) = certificates(reader)?;
    let says = |text: String| Reading::new(Value::text(text));
    if let Some(span) = certificates.binary {
        let text = "its file is in DER form, and the server reads PEM (`openssl x509 -inform der` makes that of it)".to_owned();
        return Some(("form", says(text).at(span, "another form")));
    }
    let misfit = |one: &&Certificate| one.key.is_some_and(|(_, fit)| fit != KeyFit::Own);
    if let Some((one, (key, fit))) = certificates.read.iter().find(misfit).and_then(|one| Some((one, one.key?))) {
        let reading = says(match fit {
            KeyFit::OfALater => "the key belongs to a later one of the file, and the site's own must be the first".to_owned(),
            _ => "the key does not belong to it".to_owned(),
        });
        return Some(("key", reading.at(key, "another key").at(one.span, "the certificate")));
    }
    let now = now();
    if let Some(one) = certificates.read.iter().find(|one| one.until < now) {
        return Some(("expired", says(format!("it ended on {}", date(one.until))).at(one.span, "has ended")));
    }
    if let Some(one) = certificates.read.iter().find(|one| one.from > now) {
        return Some(("early", says(format!("it begins on {}", date(one.from))).at(one.span, "not yet valid")));
    }
    let texts = &reader.view.gateway.texts;
    if !certificates.complete {
        return None;
    }
    let is_covered = |name: &str| certificates.read.iter().any(|one| covers(&one.names, name));
    let names = site.names.iter().map(|name| (name, texts.show(name.text).into_owned()));
    let uncovered: Vec<(&Name, String)> = names.filter(|(_, name)| is_public(name) && !is_covered(name)).collect();
    if uncovered.is_empty() {
        return None;
    }
    let list: Vec<String> = uncovered.iter().map(|(_, name)| format!("`{name}`")).collect();
    let reading = says(format!("it is not for {}", list.join(", ")));
    let reading = uncovered.iter().fold(reading, |reading, (name, _)| reading.at(name.span, "not covered"));
    Some(("names", certificates.read.iter().fold(reading, |reading, one| reading.at(one.span, "the certificate"))))
}

/// Whether a browser may ask for `name` as it stands: a host name with a dot in it, or one wildcard before it.
fn is_public(name: &str) -> bool {
    let host = name.strip_prefix("*.").unwrap_or(name);
    host.contains('.')
        && !host.starts_with('.')
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}
