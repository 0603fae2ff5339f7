//! What is known of the certificates that a site shows.

use crate::source::Span;

/// The certificates that a site shows, as far as their files lie in the given tree.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    /// Those that could be read.
    pub read: Vec<Certificate>,
    /// Whether these are all that the site shows.
    pub complete: bool,
    /// The directive that names a file in another form than the servers read: DER.
    pub binary: Option<Span>,
}

/// A certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The directive that names its file.
    pub span: Span,
    /// The names and addresses that it is for, in lower case.
    pub names: Vec<String>,
    /// From when it holds, in seconds since 1970.
    pub from: i64,
    /// Until when it holds.
    pub until: i64,
    /// The directive that names the key's file, and whether the key belongs to it; `None` where that cannot be seen.
    pub key: Option<(Span, KeyFit)>,
}

/// Whose key a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFit {
    /// The certificate's.
    Own,
    /// That of a certificate further down in the same file: the chain is in the wrong order.
    OfALater,
    /// That of none of them.
    OfAnother,
}
