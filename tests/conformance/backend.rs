//! The backends: what listens on the nominal ports 190xx, records every request and answers as the port says.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::case::Pattern;
use crate::cgi::Protocol;
use crate::frame::{Frame, Opcode};
use crate::handshake::{self, Manner};
use crate::head::Head;
use crate::sent::{Request, Sent};

/// What a backend is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// A WebSocket server of this manner.
    WebSocket(Manner),
    /// A web server that answers 200 to anything, 401 to `/auth-no`.
    Plain,
    /// Reads and never answers.
    Sink,
    /// Speaks one of the CGI family, and WebSocket through it.
    Cgi(Protocol),
}

/// What is where: the name used in records, the place in the slot, and what it is. Nobody listens on 19008. The backends behind TLS and behind
/// a Unix socket listen for the bridges of [`crate::tls`] only.
const BACKENDS: [(&str, u16, Role); 14] = [
    ("19001", 1, Role::WebSocket(Manner::Strict)),
    ("19002", BEHIND_TLS, Role::WebSocket(Manner::Strict)),
    ("19003", 3, Role::Plain),
    ("19004", 4, Role::WebSocket(Manner::Lenient)),
    ("19005", 5, Role::Cgi(Protocol::Uwsgi)),
    ("19006", 6, Role::Cgi(Protocol::Fastcgi)),
    ("19007", 7, Role::Sink),
    ("19009", 9, Role::Cgi(Protocol::Scgi)),
    ("19010", 10, Role::WebSocket(Manner::Strict)),
    ("19011", 11, Role::WebSocket(Manner::OwnOrigin)),
    ("19012", 12, Role::WebSocket(Manner::ForeignUpgrade)),
    ("19013", 13, Role::WebSocket(Manner::PagesToo)),
    ("19014", BEHIND_TLS_OF_ANOTHER_NAME, Role::WebSocket(Manner::Strict)),
    ("be.sock", BEHIND_UNIX_SOCKET, Role::WebSocket(Manner::Strict)),
];

/// The place in the slot of the backend behind 19002.
pub(crate) const BEHIND_TLS: u16 = 52;
/// The place in the slot of the backend behind 19014.
pub(crate) const BEHIND_TLS_OF_ANOTHER_NAME: u16 = 54;
/// The place in the slot of the backend behind `be.sock`.
pub(crate) const BEHIND_UNIX_SOCKET: u16 = 51;

/// How long the sink keeps a connection.
const SINK_PATIENCE: Duration = Duration::from_secs(4);

/// What the backends do and note during one case.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// Who sends what through an open tunnel.
    pattern: Pattern,
    /// How often, in seconds.
    every: f64,
    /// Request headers to record besides the deciding ones.
    show: Vec<String>,
    /// Every request that arrived, whole.
    arrived: Mutex<Vec<Arrival>>,
    /// When the backend noticed that a tunnel it was writing to had been closed.
    flood_ended: Mutex<Option<Instant>>,
    /// Connections whose request is still being read.
    reading: AtomicUsize,
    over: AtomicBool,
}

/// One request that reached a backend.
#[derive(Debug, Clone)]
struct Arrival {
    backend: &'static str,
    what: Arrived,
}

#[derive(Debug, Clone)]
enum Arrived {
    Request(Head),
    Other(String),
}

impl Script {
    /// Behaviour for a case, with nothing noted yet.
    pub(crate) fn new(pattern: Pattern, every: f64, show: Vec<String>) -> Self {
        Self { pattern, every, show, ..Self::default() }
    }

    fn note(&self, backend: &'static str, what: Arrived) {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).push(Arrival { backend, what });
        self.reading.fetch_sub(1, Ordering::AcqRel);
    }

    /// How many requests have arrived so far.
    pub(crate) fn count(&self) -> usize {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The requests that arrived, from the given one on, reduced to what is compared; `key` is the client's own.
    pub(crate) fn sent(&self, from: usize, key: &str) -> Vec<Sent> {
        let arrived = self.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        arrived.iter().skip(from).map(|arrival| arrival.reduced(&self.show, key)).collect()
    }

    /// When the backend saw the tunnel it was flooding end.
    pub(crate) fn flood_ended(&self) -> Option<Instant> {
        *self.flood_ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until requests on their way have been noted: a client may have its answer before a backend has read a thing.
    pub(crate) fn settle(&self) {
        let start = Instant::now();
        thread::sleep(Duration::from_millis(10));
        while self.reading.load(Ordering::Acquire) > 0 && start.elapsed() < Duration::from_millis(300) {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Lets the backends' connections end.
    pub(crate) fn finish(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

impl Arrival {
    fn reduced(&self, show: &[String], key: &str) -> Sent {
        let head = match &self.what {
            Arrived::Request(head) => head,
            Arrived::Other(text) => return Sent::Other(text.clone()),
        };
        let (method, rest) = head.start.split_once(' ').unwrap_or((&head.start, ""));
        let (target, version) = rest.rsplit_once(' ').unwrap_or((rest, ""));
        let shown = |name: &String| {
            let value = head.joined(name).unwrap_or_else(|| "-".to_owned());
            format!("{}={}", name.to_ascii_lowercase(), if value == key { "<key>" } else { value.as_str() })
        };
        Sent::Http(Request {
            method: method.to_owned(),
            target: target.to_owned(),
            version: version.to_owned(),
            host: head.joined("host"),
            upgrade: head.joined("upgrade"),
            connection: head.joined("connection"),
            shown: show.iter().map(shown).collect(),
            backend: Some(self.backend.to_owned()),
        })
    }
}

/// All backends of one slot.
pub(crate) struct Backends {
    script: Arc<Mutex<Arc<Script>>>,
}

impl Backends {
    /// Starts them on the real ports of the slot.
    pub(crate) fn listen(base: u16) -> io::Result<Self> {
        let bind = |&(name, place, role)| Ok((TcpListener::bind((Ipv4Addr::LOCALHOST, base + place))?, name, role));
        let listeners = BACKENDS.iter().map(bind).collect::<io::Result<Vec<_>>>()?;
        let script = Arc::new(Mutex::new(Arc::new(Script::default())));
        for (listener, name, role) in listeners {
            let script = Arc::clone(&script);
            thread::Builder::new().name(format!("backend {name}")).spawn(move || accept(&listener, name, role, &script))?;
        }
        Ok(Self { script })
    }

    /// Gives all backends the script of the next case.
    pub(crate) fn follow(&self, script: Script) -> Arc<Script> {
        let script = Arc::new(script);
        *self.script.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&script);
        script
    }
}

fn accept(listener: &TcpListener, name: &'static str, role: Role, script: &Mutex<Arc<Script>>) {
    for stream in listener.incoming().filter_map(Result::ok) {
        let script = Arc::clone(&script.lock().unwrap_or_else(PoisonError::into_inner));
        // A connection that breaks is the server's affair, or the end of the case.
        let serve = move || drop(serve(stream, name, role, &script));
        drop(thread::Builder::new().name("backend connection".to_owned()).spawn(serve));
    }
}

fn serve(mut stream: TcpStream, name: &'static str, role: Role, script: &Script) -> io::Result<()> {
    stream.set_nodelay(true)?;
    script.reading.fetch_add(1, Ordering::AcqRel);
    let manner = match role {
        Role::Sink => return sink(&mut stream, script),
        Role::Cgi(protocol) => {
            let request = protocol.read(&mut stream)?;
            script.note(name, Arrived::Other(request.recorded()));
            protocol.answer(&request, &mut stream)?;
            return if protocol == Protocol::Fastcgi { Ok(()) } else { tunnel(&stream, script, Vec::new()) };
        }
        Role::WebSocket(manner) => Some(manner),
        Role::Plain => None,
    };
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(head) = Head::take(&mut bytes) {
            break head;
        }
        if bytes.first().is_some_and(u8::is_ascii_control) || !read_more(&mut stream, &mut bytes)? {
            // Nothing at all, or no HTTP, such as TLS spoken to a plain server.
            if bytes.is_empty() {
                script.reading.fetch_sub(1, Ordering::AcqRel);
            } else {
                script.note(name, Arrived::Other(bytes.iter().map(|&byte| char::from(byte)).collect()));
            }
            return stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    };
    script.note(name, Arrived::Request(head.clone()));
    let reply = match manner {
        None if head.start.contains(" /auth-no ") => Some(handshake::refuse("401 Unauthorized")),
        None => handshake::page(),
        Some(manner) => handshake::answer(&head, manner),
    };
    let Some(reply) = reply else { return Ok(()) };
    stream.write_all(&reply.bytes)?;
    if reply.upgraded {
        return tunnel(&stream, script, bytes);
    }
    // Let the proxy read the answer before the connection goes.
    stream.shutdown(Shutdown::Write)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    while read_more(&mut stream, &mut bytes)? {}
    Ok(())
}

fn read_more(stream: &mut impl Read, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut chunk = [0; 4096];
    let count = stream.read(&mut chunk)?;
    bytes.extend_from_slice(&chunk[..count]);
    Ok(count > 0)
}

fn sink(stream: &mut TcpStream, script: &Script) -> io::Result<()> {
    stream.set_read_timeout(Some(SINK_PATIENCE))?;
    let mut bytes = Vec::new();
    while !bytes.windows(2).any(|pair| pair == b"\r\n") && read_more(stream, &mut bytes)? {}
    script.note("19007", Arrived::Other(format!("[sink] {}", Head::parse(&bytes).start)));
    while read_more(stream, &mut bytes)? {}
    Ok(())
}

/// Serves an open tunnel as the script says.
fn tunnel(mut stream: &TcpStream, script: &Script, mut bytes: Vec<u8>) -> io::Result<()> {
    let interval = Duration::from_secs_f64(script.every.max(0.01));
    match script.pattern {
        Pattern::ServerStall => {
            while !script.is_over() {
                thread::sleep(Duration::from_millis(50));
            }
            return Ok(());
        }
        Pattern::ClientNoread => {
            let message = Frame::new(Opcode::Text, vec![b'x'; 60_000]).encode(false);
            while stream.write_all(&message).is_ok() {}
            *script.flood_ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            return Ok(());
        }
        _ => {}
    }
    let spontaneous = match script.pattern {
        Pattern::ServerPing => Some(Opcode::Ping),
        Pattern::ServerPong => Some(Opcode::Pong),
        Pattern::ServerText => Some(Opcode::Text),
        _ => None,
    };
    if spontaneous.is_some() {
        stream.set_read_timeout(Some(interval))?;
    }
    loop {
        while let Some(frame) = Frame::take(&mut bytes) {
            let reply = match frame.opcode {
                Opcode::Text if script.pattern == Pattern::Client => continue,
                Opcode::Text => Frame::new(Opcode::Text, frame.payload),
                Opcode::Ping => Frame::new(Opcode::Pong, frame.payload),
                Opcode::Close => return stream.write_all(&Frame::new(Opcode::Close, frame.payload).encode(false)),
                Opcode::Pong | Opcode::Other => continue,
            };
            stream.write_all(&reply.encode(false))?;
        }
        match read_more(&mut stream, &mut bytes) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                if let Some(opcode) = spontaneous {
                    stream.write_all(&Frame::new(opcode, "tick").encode(false))?;
                }
            }
            Err(error) => return Err(error),
        }
    }
}
