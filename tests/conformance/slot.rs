//! A slot: a hundred ports of its own, its backends, and the translation between nominal and real ports.
//!
//! Cases are written with nominal ports (1808x the server, 190xx the backends). Several run at once, each in a slot whose ports have as many
//! digits, so that no length in the configuration changes.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;

use crate::backend::Backends;

/// Slots lie below the ports that the kernel hands out by itself (32768 and up).
const BASES: std::ops::Range<u16> = 200..320;

/// A hundred ports held by this process.
pub(crate) struct Slot {
    base: u16,
    /// The backends, listening as long as the slot lives.
    pub(crate) backends: Backends,
}

impl Slot {
    /// Takes the first hundred whose backend ports are free; they then mark it as taken for everyone else.
    fn claim() -> io::Result<Self> {
        let mut last = io::Error::other("no ports are free");
        for base in BASES.map(|hundreds| hundreds * 100) {
            match Backends::listen(base).and_then(|backends| quiet(base).map(|()| backends)) {
                Ok(backends) => return Ok(Self { base, backends }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The real port of a nominal one.
    pub(crate) fn real(&self, nominal: u16) -> Option<u16> {
        match nominal {
            18080..=18089 => Some(self.base + nominal - 18000),
            19000..=19019 => Some(self.base + nominal - 19000),
            _ => None,
        }
    }

    /// The port at a place in the slot.
    pub(crate) fn place(&self, place: u16) -> u16 {
        self.base + place
    }

    /// The ports on which a server under test may listen.
    pub(crate) fn server_ports(&self) -> std::ops::RangeInclusive<u16> {
        self.base + 80..=self.base + 89
    }

    /// A configuration file with real ports in place of the nominal ones.
    pub(crate) fn localise(&self, bytes: &[u8]) -> Vec<u8> {
        rewrite_ports(bytes, |nominal| self.real(nominal))
    }

    /// What a server said or sent, with nominal ports again.
    pub(crate) fn nominal(&self, text: &str) -> String {
        let back = |real: u16| match real.checked_sub(self.base)? {
            offset @ 0..=19 => Some(19000 + offset),
            offset @ 80..=89 => Some(18000 + offset),
            _ => None,
        };
        String::from_utf8_lossy(&rewrite_ports(text.as_bytes(), back)).into_owned()
    }
}

/// Checks that nobody listens where the server is to listen, nor where TLS fronts and nobody shall.
fn quiet(base: u16) -> io::Result<()> {
    (80..=89).chain([2, 8, 14]).try_for_each(|offset| TcpListener::bind((Ipv4Addr::LOCALHOST, base + offset)).map(drop))
}

/// Replaces every whole five-digit number that `real` knows.
pub(crate) fn rewrite_ports(bytes: &[u8], real: impl Fn(u16) -> Option<u16>) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (head, tail) = rest.split_at(digits.max(1));
        let number = if digits == 5 { std::str::from_utf8(head).ok().and_then(|text| text.parse().ok()) } else { None };
        match number.and_then(&real) {
            Some(port) => out.extend_from_slice(port.to_string().as_bytes()),
            None if digits == 0 => out.push(first),
            None => out.extend_from_slice(head),
        }
        rest = tail;
    }
    out
}

/// The slots of this run, handed out one case at a time.
pub(crate) struct Slots(Mutex<Vec<Slot>>);

impl Slots {
    /// None yet: they are claimed as cases ask for them.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Runs `job` in a slot that no other case uses meanwhile.
    pub(crate) fn with<T>(&self, job: impl FnOnce(&Slot) -> T) -> io::Result<T> {
        let idle = self.0.lock().map_err(|_| io::Error::other("a case died holding the slots"))?.pop();
        let slot = idle.map_or_else(Slot::claim, Ok)?;
        let result = job(&slot);
        if let Ok(mut slots) = self.0.lock() {
            slots.push(slot);
        }
        Ok(result)
    }
}
