//! What the certificates of a configuration say, where their files lie in the given tree: names, dates, and whether the key fits.
//!
//! Of keys only the public half is looked at, and nothing of either is ever shown.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use rustc_hash::FxHashMap;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;
use x509_parser::time::ASN1Time;

use crate::gateway::{Assigned, Certificate, Certificates, Entry, Gateway, KeyFit, Property, SiteId};
use crate::project::Store;

/// The largest file that is read for a certificate or a key. A long chain has ten kilobytes.
const MAX_BYTES: u64 = 1 << 18;

/// Reads the certificates that the sites of `gateway` name, as far as they lie in the given tree. Relative paths start from `base`.
pub fn attach(store: &Store, base: &Path, gateway: &mut Gateway) {
    // Many sites show one certificate.
    let mut files: FxHashMap<PathBuf, Option<Vec<u8>>> = FxHashMap::default();
    let mut found = FxHashMap::default();
    for index in 0..gateway.sites.len() {
        let site = SiteId(u32::try_from(index).unwrap_or(u32::MAX));
        let (certificates, keys) =
            (written(gateway, site, Property::Certificate), written(gateway, site, Property::CertificateKey));
        let mut read = |entry: &Entry| {
            let place = place(store, base, &literal(gateway, entry)?)?;
            files.entry(place).or_insert_with_key(|place| store.read_aside(place, MAX_BYTES)).clone()
        };
        let mut shown = Certificates::default();
        for (index, entry) in certificates.iter().enumerate() {
            let Some(file) = read(entry) else { continue };
            let mut chain = parse(&file);
            let Some(Parsed { names, from, until, key }) = chain.next() else {
                let is_der = file.starts_with(&[SEQUENCE, 0x82]) || file.starts_with(&[SEQUENCE, 0x81]);
                shown.binary = shown.binary.or(is_der.then_some(entry.span));
                continue;
            };
            // The n-th key is that of the n-th certificate.
            let own = keys.get(index).and_then(|entry| Some((entry.span, public_half(&read(entry)?)?)));
            let key = own.map(|(span, own)| match () {
                () if own == key => (span, KeyFit::Own),
                () if chain.any(|later| later.key == own) => (span, KeyFit::OfALater),
                () => (span, KeyFit::OfAnother),
            });
            shown.read.push(Certificate { span: entry.span, names, from, until, key });
        }
        shown.complete = shown.read.len() == certificates.len();
        if !shown.read.is_empty() || shown.binary.is_some() {
            found.insert(site, shown);
        }
    }
    gateway.certificates = found;
}

/// What is written of `property` for a site: on the level that counts.
fn written(gateway: &Gateway, site: SiteId, property: Property) -> Vec<Entry> {
    let (level, _) = gateway.scopes.list(gateway.site(site).scope, property);
    let entries = level.into_iter().flat_map(|level| gateway.scopes.own(level));
    entries.filter(|entry| entry.property == property).copied().collect()
}

/// The path that an entry writes, where no variable decides it.
fn literal(gateway: &Gateway, entry: &Entry) -> Option<PathBuf> {
    let Assigned::Text(text) = entry.assigned else { return None };
    let bytes = gateway.symbolics.literal(text, &gateway.texts)?;
    String::from_utf8(bytes.to_vec()).ok().map(PathBuf::from)
}

/// Where `path` lies in the tree. An absolute one may lie under another directory: at least two of its last components must then agree,
/// for `fullchain.pem` alone says nothing.
fn place(store: &Store, base: &Path, path: &Path) -> Option<PathBuf> {
    if path.is_relative() {
        return Some(base.join(path));
    }
    let place = store.locate(path)?;
    let same = place.components().rev().zip(path.components().rev()).take_while(|(one, other)| one == other).count();
    (same >= 2).then_some(place)
}

/// What is known of a certificate.
struct Parsed {
    names: Vec<String>,
    from: i64,
    until: i64,
    key: PublicKey,
}

/// The half of a key that everybody may know.
#[derive(Debug, PartialEq, Eq)]
enum PublicKey {
    /// The modulus.
    Rsa(Vec<u8>),
    /// The point.
    Curve(Vec<u8>),
}

/// The certificates of a file: the first is the one that is shown.
fn parse(file: &[u8]) -> impl Iterator<Item = Parsed> + '_ {
    let certificates = pems(file).filter(|pem| pem.label.ends_with("CERTIFICATE"));
    // Behind one that cannot be read nothing is known.
    certificates.map_while(|pem| parse_one(&pem))
}

fn parse_one(pem: &Pem) -> Option<Parsed> {
    let certificate = pem.parse_x509().ok()?;
    let names = certificate.subject_alternative_name().ok().flatten().map(|extension| &extension.value.general_names);
    let names = names.into_iter().flatten().filter_map(|name| match name {
        // For an address only a name of that kind counts.
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()).filter(|name| name.parse::<IpAddr>().is_err()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|address| address.to_string()),
        _ => None,
    });
    let validity = certificate.validity();
    let public = certificate.public_key().subject_public_key.data.as_ref();
    Some(Parsed {
        names: names.collect(),
        from: validity.not_before.timestamp(),
        until: validity.not_after.timestamp(),
        // An RSA key is a pair of numbers, that of a curve a point.
        key: sequence(public).and_then(modulus).map_or_else(|| PublicKey::Curve(public.to_vec()), PublicKey::Rsa),
    })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let four = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    four().or_else(|_| sixteen()).ok()
}

fn pems(file: &[u8]) -> impl Iterator<Item = Pem> + '_ {
    Pem::iter_from_buffer(file).map_while(Result::ok)
}

/// The public half of the first private key of a file; `None` where it is encrypted, or does not hold it.
fn public_half(file: &[u8]) -> Option<PublicKey> {
    let pem = pems(file).find(|pem| pem.label.ends_with("PRIVATE KEY"))?;
    match pem.label.as_str() {
        "RSA PRIVATE KEY" => rsa(&pem.contents),
        "EC PRIVATE KEY" => curve(&pem.contents),
        // PKCS #8: a version, the algorithm, and the key in one of the forms above.
        "PRIVATE KEY" => {
            let (_, rest) = element(sequence(&pem.contents)?)?;
            let (_, rest) = element(rest)?;
            let ((OCTETS, inner), _) = element(rest)? else { return None };
            rsa(inner).or_else(|| curve(inner))
        }
        _ => None,
    }
}

/// PKCS #1: a version, then the modulus.
fn rsa(der: &[u8]) -> Option<PublicKey> {
    let ((INTEGER, _), rest) = element(sequence(der)?)? else { return None };
    modulus(rest).map(PublicKey::Rsa)
}

/// SEC 1: a version, the secret, and perhaps the parameters and the point.
fn curve(der: &[u8]) -> Option<PublicKey> {
    let ((INTEGER, _), rest) = element(sequence(der)?)? else { return None };
    let ((OCTETS, _), mut rest) = element(rest)? else { return None };
    while let Some(((tag, body), more)) = element(rest) {
        if tag == POINT {
            let ((BITS, bits), _) = element(body)? else { return None };
            // The first byte counts the unused bits of the last.
            return Some(PublicKey::Curve(bits.get(1..)?.to_vec()));
        }
        rest = more;
    }
    None
}

/// The number that `der` begins with, without leading zeros.
fn modulus(der: &[u8]) -> Option<Vec<u8>> {
    let ((INTEGER, number), _) = element(der)? else { return None };
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    // A version is no modulus.
    (number.len() > 16).then(|| number[zeros..].to_vec())
}

const INTEGER: u8 = 0x02;
const BITS: u8 = 0x03;
const OCTETS: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const POINT: u8 = 0xa1;

/// The tag of an element, and what it holds.
type Element<'a> = (u8, &'a [u8]);

/// What a sequence holds.
fn sequence(der: &[u8]) -> Option<&[u8]> {
    match element(der)? {
        ((SEQUENCE, body), _) => Some(body),
        _ => None,
    }
}

/// The first element of `der`, its tag and what it holds, and what follows it (X.690, definite lengths).
fn element(der: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f)).filter(|(length, _)| length.len() <= 4)?;
        (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some(((tag, body), rest))
}

/// Whether one of a certificate's names covers `name` (RFC 6125: `*` stands for the whole first label).
#[must_use]
pub fn covers(names: &[String], name: &str) -> bool {
    let fits = |known: &String| {
        known == name
            || known
                .strip_prefix("*.")
                .is_some_and(|rest| name.split_once('.').is_some_and(|(first, parent)| !first.is_empty() && parent == rest))
    };
    names.iter().any(fits)
}

/// The day of a moment that is given in seconds: `2024-05-31`.
#[must_use]
pub fn date(seconds: i64) -> String {
    ASN1Time::from_timestamp(seconds).map_or_else(|_| "an unknown day".to_owned(), |time| time.to_datetime().date().to_string())
}

/// The moment of judgement, in seconds: `SOURCE_DATE_EPOCH`, where it is set, else now.
#[must_use]
pub fn now() -> i64 {
    let set = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    set.unwrap_or_else(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> Vec<u8> {
        std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/certificates").join(name)).unwrap()
    }

    fn first(file: &[u8]) -> Option<Parsed> {
        parse(file).next()
    }

    #[test]
    fn names_and_dates_are_read() {
        let valid = first(&file("valid.pem")).unwrap();
        assert_eq!(valid.names, ["chat.example.com", "*.apps.example.com", "10.0.0.1"]);
        assert_eq!(valid.until, 253_402_300_799);
        let expired = first(&file("expired.pem")).unwrap();
        assert_eq!((date(expired.from), date(expired.until)), ("2019-01-01".to_owned(), "2020-01-01".to_owned()));
        assert!(first(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_none());
        assert!(first(b"$ANSIBLE_VAULT;1.1;AES256\n6162\n").is_none());
    }

    #[test]
    fn keys_fit_their_certificates_and_no_others() {
        let certificate = |name: &str| first(&file(name)).unwrap().key;
        for (name, keys) in [("valid.pem", ["ec.key", "ec.p8"]), ("rsa.pem", ["rsa.key", "rsa.p8"])] {
            for key in keys {
                assert!(public_half(&file(key)).unwrap() == certificate(name), "{key} belongs to {name}");
            }
            assert!(public_half(&file("other.key")).unwrap() != certificate(name), "other.key does not belong to {name}");
        }
        let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert!(public_half(encrypted).is_none());
    }

    #[test]
    fn no_bytes_are_too_strange() {
        for name in ["ec.key", "rsa.p8"] {
            let whole = pems(&file(name)).next().unwrap().contents;
            for end in 0..whole.len() {
                let cut = &whole[..end];
                assert!(rsa(cut).is_none() && curve(cut).is_none(), "{name} up to {end}");
            }
        }
        assert!(element(&[SEQUENCE, 0x84, 0xff, 0xff, 0xff, 0xff]).is_none());
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        let names = ["chat.example.com".to_owned(), "*.apps.example.com".to_owned()];
        for name in ["chat.example.com", "a.apps.example.com"] {
            assert!(covers(&names, name), "{name}");
        }
        for name in ["example.com", "apps.example.com", "a.b.apps.example.com", ".apps.example.com", "www.chat.example.com"] {
            assert!(!covers(&names, name), "{name}");
        }
    }
}
