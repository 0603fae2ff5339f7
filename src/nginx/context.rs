//! The kinds of blocks that directives stand in.

/// A kind of block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Context {
    /// Outside of all blocks.
    Main,
    /// `events`.
    Events,
    /// `http`.
    Http,
    /// `server` in `http`.
    Server,
    /// `location`.
    Location,
    /// `if` in a server.
    ServerIf,
    /// `if` in a location.
    LocationIf,
    /// `limit_except`.
    LimitExcept,
    /// `upstream` in `http`.
    Upstream,
    /// `stream`.
    Stream,
    /// `server` in `stream`.
    StreamServer,
    /// `upstream` in `stream`.
    StreamUpstream,
    /// `mail`.
    Mail,
    /// `server` in `mail`.
    MailServer,
}

/// A set of kinds of blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contexts(u16);

impl Contexts {
    /// Reads the words of the table; those for blocks that we do not read are left out.
    pub(super) fn read(text: &str) -> Self {
        let bits = text.split(',').map(|word| match word {
            "main" => 1 << Context::Main as u16,
            "events" => 1 << Context::Events as u16,
            "http" => 1 << Context::Http as u16,
            "server" => 1 << Context::Server as u16,
            "location" => 1 << Context::Location as u16,
            "if-in-server" => 1 << Context::ServerIf as u16,
            "if-in-location" => 1 << Context::LocationIf as u16,
            "limit_except" => 1 << Context::LimitExcept as u16,
            "upstream" => 1 << Context::Upstream as u16,
            "stream" => 1 << Context::Stream as u16,
            "stream-server" => 1 << Context::StreamServer as u16,
            "stream-upstream" => 1 << Context::StreamUpstream as u16,
            "mail" => 1 << Context::Mail as u16,
            "mail-server" => 1 << Context::MailServer as u16,
            "any" => u16::MAX,
            _ => 0,
        });
        Self(bits.fold(0, |all, one| all | one))
    }

    /// Whether `context` is one of them.
    #[must_use]
    pub fn has(self, context: Context) -> bool {
        self.0 >> context as u16 & 1 == 1
    }
}

impl Context {
    /// What the block of the directive `name` is, in a block of this kind; `None` where it is none that holds directives.
    #[must_use]
    pub fn inside(self, name: &[u8]) -> Option<Self> {
        Some(match (self, name) {
            (Self::Main, b"events") => Self::Events,
            (Self::Main, b"http") => Self::Http,
            (Self::Main, b"stream") => Self::Stream,
            (Self::Main, b"mail") => Self::Mail,
            (Self::Http, b"server") => Self::Server,
            (Self::Http, b"upstream") => Self::Upstream,
            (Self::Server | Self::Location, b"location") => Self::Location,
            (Self::Server, b"if") => Self::ServerIf,
            (Self::Location, b"if") => Self::LocationIf,
            (Self::Location, b"limit_except") => Self::LimitExcept,
            (Self::Stream, b"server") => Self::StreamServer,
            (Self::Stream, b"upstream") => Self::StreamUpstream,
            (Self::Mail, b"server") => Self::MailServer,
            _ => return None,
        })
    }

    /// Whether it stands inside `http`.
    #[must_use]
    pub fn is_http(self) -> bool {
        matches!(
            self,
            Self::Http | Self::Server | Self::Location | Self::ServerIf | Self::LocationIf | Self::LimitExcept | Self::Upstream
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_read() {
        let contexts = Contexts::read("location,if-in-location,oidc_provider");
        assert!(contexts.has(Context::Location) && contexts.has(Context::LocationIf) && !contexts.has(Context::Server));
        assert!(Contexts::read("any").has(Context::MailServer));
    }
}
