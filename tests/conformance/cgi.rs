//! The CGI family as far as a handshake needs it: uwsgi, `FastCGI` and SCGI requests read, and answered with a 101.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use tungstenite::handshake::derive_accept_key;

/// Which of the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// <https://uwsgi-docs.readthedocs.io/en/latest/Protocol.html>
    Uwsgi,
    /// <https://fastcgi-archives.github.io/FastCGI_Specification.html>
    Fastcgi,
    /// <https://python.ca/scgi/protocol.txt>
    Scgi,
}

/// The variables of one request.
pub(crate) struct Request {
    protocol: Protocol,
    variables: BTreeMap<String, String>,
}

impl Request {
    fn get(&self, name: &str) -> &str {
        self.variables.get(name).map_or("-", String::as_str)
    }

    /// The form used in `expected.json`.
    pub(crate) fn recorded(&self) -> String {
        let (upgrade, connection) = (self.get("HTTP_UPGRADE"), self.get("HTTP_CONNECTION"));
        match self.protocol {
            Protocol::Uwsgi => {
                let key = if self.variables.contains_key("HTTP_SEC_WEBSOCKET_KEY") { "True" } else { "False" };
                format!("[uwsgi] HTTP_UPGRADE={upgrade} HTTP_CONNECTION={connection} KEY={key}")
            }
            Protocol::Fastcgi => format!("[fcgi] HTTP_UPGRADE={upgrade} HTTP_CONNECTION={connection}"),
            Protocol::Scgi => format!("[scgi] HTTP_UPGRADE={upgrade} HTTP_CONNECTION={connection}"),
        }
    }
}

impl Protocol {
    /// Reads one request, without its body.
    pub(crate) fn read(self, stream: &mut impl Read) -> io::Result<Request> {
        let variables = match self {
            Self::Uwsgi => read_uwsgi(stream),
            Self::Fastcgi => read_fastcgi(stream),
            Self::Scgi => read_scgi(stream),
        }?;
        Ok(Request { protocol: self, variables })
    }

    /// Answers 101, as far as the protocol can.
    pub(crate) fn answer(self, request: &Request, stream: &mut impl Write) -> io::Result<()> {
        let accept = derive_accept_key(request.get("HTTP_SEC_WEBSOCKET_KEY").as_bytes());
        let fields = format!("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
        match self {
            Self::Uwsgi => write!(stream, "HTTP/1.1 101 Switching Protocols\r\n{fields}"),
            Self::Scgi => write!(stream, "Status: 101 Switching Protocols\r\n{fields}"),
            Self::Fastcgi => {
                let text = format!("Status: 101 Switching Protocols\r\n{fields}");
                let length = u16::try_from(text.len()).map_err(io::Error::other)?.to_be_bytes();
                // FCGI_STDOUT of request 1, then FCGI_END_REQUEST: the protocol has no way to keep a tunnel open.
                stream.write_all(&[1, 6, 0, 1, length[0], length[1], 0, 0])?;
                stream.write_all(text.as_bytes())?;
                stream.write_all(&[1, 3, 0, 1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
            }
        }
    }
}

fn exactly(stream: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|&byte| char::from(byte)).collect()
}

fn cut_short() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "cut short")
}

fn read_uwsgi(stream: &mut impl Read) -> io::Result<BTreeMap<String, String>> {
    let header = exactly(stream, 4)?;
    let block = exactly(stream, usize::from(u16::from_le_bytes([header[1], header[2]])))?;
    let mut rest = block.as_slice();
    let mut word = || -> Option<String> {
        let (length, tail) = rest.split_first_chunk::<2>()?;
        let (value, tail) = tail.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        rest = tail;
        Some(text(value))
    };
    Ok(std::iter::from_fn(|| Some((word()?, word()?))).collect())
}

fn read_scgi(stream: &mut impl Read) -> io::Result<BTreeMap<String, String>> {
    // A netstring: length, colon, NUL-terminated names and values, comma.
    let mut length = 0_usize;
    loop {
        match exactly(stream, 1)?[0] {
            digit @ b'0'..=b'9' if length < 1_000_000 => length = length * 10 + usize::from(digit - b'0'),
            _ => break,
        }
    }
    let block = exactly(stream, length + 1)?;
    let mut words = block.split(|&byte| byte == 0).map(text);
    Ok(std::iter::from_fn(|| Some((words.next()?, words.next()?))).collect())
}

fn read_fastcgi(stream: &mut impl Read) -> io::Result<BTreeMap<String, String>> {
    const PARAMS: u8 = 4;
    let mut block = Vec::new();
    loop {
        let header = exactly(stream, 8)?;
        let content = exactly(stream, usize::from(u16::from_be_bytes([header[4], header[5]])))?;
        exactly(stream, usize::from(header[6]))?;
        match header[1] {
            PARAMS if content.is_empty() => break,
            PARAMS => block.extend(content),
            _ => {}
        }
    }
    let mut rest = block.as_slice();
    let mut variables = BTreeMap::new();
    while !rest.is_empty() {
        let mut length = || -> Option<usize> {
            let (&first, tail) = rest.split_first()?;
            if first & 0x80 == 0 {
                rest = tail;
                return Some(usize::from(first));
            }
            let (bytes, tail) = rest.split_first_chunk::<4>()?;
            rest = tail;
            usize::try_from(u32::from_be_bytes(*bytes) & 0x7fff_ffff).ok()
        };
        let (name, value) = (length().ok_or_else(cut_short)?, length().ok_or_else(cut_short)?);
        let (name, tail) = rest.split_at_checked(name).ok_or_else(cut_short)?;
        let (value, tail) = tail.split_at_checked(value).ok_or_else(cut_short)?;
        variables.insert(text(name), text(value));
        rest = tail;
    }
    Ok(variables)
}
