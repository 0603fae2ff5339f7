//! Which server, which version of it, and which of its modules are there.

use std::fmt;
use std::str::FromStr;

use rustc_hash::FxHashMap;

use crate::source::Span;

/// A reverse proxy whose configuration we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Server {
    /// nginx, and what reads its language: `OpenResty`, Tengine, freenginx.
    Nginx,
    /// Apache httpd.
    Apache,
}

impl Server {
    /// The name in messages and options: `nginx` or `apache`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache",
        }
    }

    /// The program's own name, which its versions follow: `nginx 1.29.7`, `httpd 2.4.47`.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "httpd",
        }
    }
}

/// A version of a server, e.g. 1.29.7 or 2.4.47. A part that is not written is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version {
    /// The first number.
    pub major: u16,
    /// The second.
    pub minor: u16,
    /// The third.
    pub patch: u16,
}

impl Version {
    /// The version `major.minor.patch`.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self { major, minor, patch }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A text that is not a version.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a version: write it as 1.28 or 2.4.47")]
pub struct NotAVersion(String);

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = || NotAVersion(text.to_owned());
        let mut parts = [0; 3];
        let mut count = 0;
        for part in text.trim().split('.') {
            *parts.get_mut(count).ok_or_else(fail)? = part.parse().map_err(|_| fail())?;
            count += 1;
        }
        if count < 2 { Err(fail()) } else { Ok(Self::new(parts[0], parts[1], parts[2])) }
    }
}

/// The modules that are loaded. Whether one is absent can only be said where the files that load modules are here.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    /// Whether everything that loads modules was seen: a module not in `loaded` is then absent.
    pub complete: bool,
    /// The modules seen to be loaded, by name (`proxy_wstunnel`), with the line that loads them; `None`: built in.
    pub loaded: FxHashMap<String, Option<Span>>,
    /// The names of those that lines load, in the order of the lines.
    pub order: Vec<String>,
    /// Where another module would be loaded: the last line that loads one.
    pub last: Option<Span>,
}

impl Modules {
    /// Whether the module `name` is loaded; `None` where that cannot be seen.
    #[must_use]
    pub fn has(&self, name: &str) -> Option<bool> {
        if self.loaded.contains_key(name) {
            Some(true)
        } else if self.complete {
            Some(false)
        } else {
            None
        }
    }

    /// Whether a module is loaded before another, which decides what comes first where both want to come last; `None` where that cannot be
    /// seen, or one of them is not loaded by a line.
    #[must_use]
    pub fn comes_first(&self, name: &str, other: &str) -> Option<bool> {
        let place = |name: &str| self.order.iter().position(|own| own == name);
        Some(place(name)? < place(other)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_parse_and_compare() {
        assert_eq!("1.28".parse::<Version>().unwrap(), Version::new(1, 28, 0));
        assert!("2.4.9".parse::<Version>().unwrap() < "2.4.47".parse::<Version>().unwrap());
        assert!("1".parse::<Version>().is_err());
        assert!("1.2.3.4".parse::<Version>().is_err());
        assert!("latest".parse::<Version>().is_err());
    }
}
