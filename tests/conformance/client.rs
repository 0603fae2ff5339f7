//! The client: one request, a browser's handshake unless the step says otherwise, and what came of it.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use tungstenite::handshake::derive_accept_key;

use crate::backend::Script;
use crate::case::{Mode, Pattern, Software, Step};
use crate::frame::{Frame, Opcode};
use crate::head::Head;
use crate::outcome::Outcome;
use crate::tls;

/// The key every client of ours sends: that of RFC 6455, section 1.3.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// How long to wait for an answer unless the step says so.
const PATIENCE: f64 = 5.0;

/// Seconds between the messages of a pattern unless the step says so.
pub(crate) const EVERY: f64 = 0.7;

/// A connection to the server under test. Reading happens on a thread of its own, so that every wait can end in time.
struct Wire {
    stream: TcpStream,
    incoming: Receiver<Vec<u8>>,
    bytes: Vec<u8>,
}

/// Why no more came.
#[derive(Debug, PartialEq, Eq)]
enum Quiet {
    /// The time is over.
    TimedOut,
    /// The other side closed.
    Closed,
}

impl Wire {
    fn open(port: u16, step: &Step) -> io::Result<Self> {
        let stream = if step.tls {
            tls::connect(port, step.sni.as_deref().unwrap_or(step.host()), &step.alpn)?
        } else {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port))?
        };
        stream.set_nodelay(true)?;
        let mut reader = stream.try_clone()?;
        // No room to spare: where nobody receives, nobody reads, and the server feels it.
        let (sender, incoming) = mpsc::sync_channel(0);
        thread::Builder::new().name("client".to_owned()).spawn(move || {
            let mut chunk = [0; 16_384];
            while let Ok(count @ 1..) = reader.read(&mut chunk) {
                if sender.send(chunk[..count].to_vec()).is_err() {
                    break;
                }
            }
        })?;
        Ok(Self { stream, incoming, bytes: Vec::new() })
    }

    fn more(&mut self, until: Instant) -> Result<(), Quiet> {
        match self.incoming.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(chunk) => {
                self.bytes.extend(chunk);
                Ok(())
            }
            Err(RecvTimeoutError::Timeout) => Err(Quiet::TimedOut),
            Err(RecvTimeoutError::Disconnected) => Err(Quiet::Closed),
        }
    }

    fn head(&mut self, until: Instant) -> Result<Head, Quiet> {
        loop {
            if let Some(head) = Head::take(&mut self.bytes) {
                return Ok(head);
            }
            self.more(until)?;
        }
    }

    fn frame(&mut self, until: Instant) -> Result<Frame, Quiet> {
        loop {
            if let Some(frame) = Frame::take(&mut self.bytes) {
                return Ok(frame);
            }
            self.more(until)?;
        }
    }

    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        self.stream.write_all(&frame.encode(true))
    }

    /// Whether a message comes back.
    fn echoes(&mut self, until: Instant) -> bool {
        if self.send(&Frame::new(Opcode::Text, "hello")).is_err() {
            return false;
        }
        loop {
            match self.frame(until) {
                Ok(frame) if frame.opcode == Opcode::Text => return frame.payload == b"hello",
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        drop(self.stream.shutdown(Shutdown::Both));
    }
}

/// Connections that stay open until the case is over.
#[derive(Default)]
pub(crate) struct Held(Vec<Wire>);

/// What a step needs to know of its surroundings.
pub(crate) struct Visit<'a> {
    /// Which server is asked.
    pub(crate) software: Software,
    /// The real port to connect to.
    pub(crate) port: u16,
    /// What the backends note.
    pub(crate) script: &'a Script,
    /// Sends a signal to the server, by name.
    pub(crate) signal: &'a dyn Fn(&str) -> io::Result<()>,
}

impl Visit<'_> {
    /// Asks once and says what came of it.
    pub(crate) fn ask(&self, step: &Step, held: &mut Held) -> io::Result<Outcome> {
        if step.mode == Mode::Many {
            return self.crowd(step);
        }
        let mut wire = match Wire::open(self.port, step) {
            Ok(wire) => wire,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Ok(Outcome::ConnectionRefused),
            Err(error) => return Err(error),
        };
        let outcome = self.converse(step, &mut wire)?;
        if step.hold {
            held.0.push(wire);
        }
        Ok(outcome)
    }

    fn converse(&self, step: &Step, wire: &mut Wire) -> io::Result<Outcome> {
        let until = Instant::now() + Duration::from_secs_f64(step.wait.unwrap_or(PATIENCE));
        if wire.stream.write_all(&request(self.software, step)).is_err() {
            return Ok(Outcome::Closed);
        }
        let head = match wire.head(until) {
            Ok(head) => head,
            Err(Quiet::TimedOut) => return Ok(Outcome::Hangs),
            Err(Quiet::Closed) => return Ok(Outcome::Closed),
        };
        match head.status() {
            Some(101) if !is_valid_101(&head) => Ok(Outcome::Broken),
            Some(101) if step.mode == Mode::Idle => self.watch(step, wire, step.watch.unwrap_or(6.5)),
            Some(101) if !wire.echoes(until) => Ok(Outcome::Broken),
            Some(101) => match step.idle {
                Some(seconds) => self.watch(step, wire, seconds),
                None => Ok(Outcome::Upgraded),
            },
            Some(status) => {
                let shown = step.show.iter().filter_map(|name| {
                    let (name, value) = head.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name))?;
                    Some(format!("[{name}: {value}]"))
                });
                let shown = shown.collect::<Vec<_>>().join(" ");
                Ok(Outcome::Answer { status, location: head.joined("location"), shown: (!shown.is_empty()).then_some(shown) })
            }
            None => Ok(Outcome::Closed),
        }
    }

    /// Keeps a tunnel open while the pattern runs, and says when it was cut.
    fn watch(&self, step: &Step, wire: &mut Wire, seconds: f64) -> io::Result<Outcome> {
        let start = Instant::now();
        let end = start + Duration::from_secs_f64(seconds);
        let every = Duration::from_secs_f64(step.every.or(step.ping).unwrap_or(EVERY));
        let cut = || Ok(Outcome::Cut(start.elapsed().as_secs_f64()));
        match step.pattern {
            Pattern::ClientNoread => return Ok(self.watch_flood(start, end)),
            Pattern::ServerStall => {
                let mut writer = wire.stream.try_clone()?;
                let message = Frame::new(Opcode::Text, vec![b'x'; 60_000]).encode(true);
                thread::Builder::new().spawn(move || while writer.write_all(&message).is_ok() {})?;
            }
            _ => {}
        }
        let speaks = match step.pattern {
            Pattern::Client => Some(Opcode::Text),
            Pattern::ClientPing => Some(Opcode::Ping),
            _ => step.ping.map(|_| Opcode::Ping),
        };
        let mut signal = step.reload.as_deref().map(|name| (name, start + Duration::from_millis(600)));
        let mut next_word = start + every;
        loop {
            let mut until = end;
            if speaks.is_some() {
                until = until.min(next_word);
            }
            if let Some((_, when)) = signal {
                until = until.min(when);
            }
            match wire.frame(until) {
                Ok(frame) if frame.opcode == Opcode::Ping => drop(wire.send(&Frame::new(Opcode::Pong, frame.payload))),
                Ok(_) => {}
                Err(Quiet::Closed) => return cut(),
                Err(Quiet::TimedOut) => {
                    let now = Instant::now();
                    if let Some((name, _)) = signal.take_if(|(_, when)| *when <= now) {
                        (self.signal)(name)?;
                    }
                    if let Some(opcode) = speaks
                        && next_word <= now
                    {
                        next_word += every;
                        if wire.send(&Frame::new(opcode, "tick")).is_err() {
                            return cut();
                        }
                    }
                    if end <= now {
                        break;
                    }
                }
            }
        }
        // After a reload the tunnel must still carry bytes, not merely be open.
        if step.reload.is_some() && step.pattern == Pattern::Silent && !wire.echoes(Instant::now() + Duration::from_secs(2)) {
            return cut();
        }
        Ok(Outcome::Alive(seconds))
    }

    /// A client that does not read cannot see the end of its tunnel: the backend that floods it does.
    fn watch_flood(&self, start: Instant, end: Instant) -> Outcome {
        while Instant::now() < end {
            if let Some(ended) = self.script.flood_ended() {
                return Outcome::Cut(ended.saturating_duration_since(start).as_secs_f64());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Outcome::Alive(end.saturating_duration_since(start).as_secs_f64())
    }

    /// Several clients, one after the other, each keeping its connection.
    fn crowd(&self, step: &Step) -> io::Result<Outcome> {
        let mut wires = Vec::new();
        for _ in 0..step.n {
            let mut wire = Wire::open(self.port, step)?;
            drop(wire.stream.write_all(&request(self.software, step)));
            wires.push(wire);
            thread::sleep(Duration::from_millis(20));
        }
        let until = Instant::now() + Duration::from_secs(3);
        let upgraded =
            wires.iter_mut().filter_map(|wire| wire.head(until).ok()).filter(|head| head.status() == Some(101)).count();
        Ok(Outcome::Many { upgraded, of: step.n })
    }
}

/// Whether a browser accepts this 101 (RFC 6455, section 4.1).
fn is_valid_101(head: &Head) -> bool {
    head.joined("upgrade").is_some_and(|upgrade| upgrade.eq_ignore_ascii_case("websocket"))
        && head.has_token("connection", "upgrade")
        && head.joined("sec-websocket-accept") == Some(derive_accept_key(KEY.as_bytes()))
}

/// The bytes of a step's request.
fn request(software: Software, step: &Step) -> Vec<u8> {
    let mut headers = handshake_headers(software, step);
    for (name, value) in step.changes() {
        let place = headers.iter().position(|(given, _)| given.eq_ignore_ascii_case(&name));
        match (place, value) {
            (Some(place), Some(value)) => headers[place].1 = value,
            (Some(place), None) => drop(headers.remove(place)),
            (None, Some(value)) => headers.push((name, value)),
            (None, None) => {}
        }
    }
    let method = step.method.as_deref().unwrap_or("GET");
    let version = step.httpver.as_deref().unwrap_or("1.1");
    let mut text = format!("{method} {} HTTP/{version}\r\n", step.path());
    for (name, value) in headers {
        text.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// What a browser sends; an ordinary request asks for its connection to be closed.
pub(crate) fn handshake_headers(software: Software, step: &Step) -> Vec<(String, String)> {
    let mut headers = vec![("Host", step.host())];
    if step.is_plain() {
        headers.push(("Connection", "close"));
    } else {
        headers.extend([
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", KEY),
            ("Sec-WebSocket-Version", "13"),
        ]);
        match software {
            Software::Nginx => headers.extend([
                ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"),
                ("User-Agent", "proxylint"),
            ]),
            Software::Apache => headers.push(("Origin", "http://localhost")),
        }
    }
    headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
