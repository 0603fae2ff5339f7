//! TLS by the `openssl` program: a front before a backend, and a client's connection. No TLS library of ours is tested here.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::server::any_listening;

/// How long the program may take to listen.
const START: Duration = Duration::from_secs(5);

/// Whether there is an `openssl` to ask.
pub(crate) fn is_available() -> bool {
    Command::new("openssl")
        .arg("version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

static MADE: Mutex<BTreeMap<String, TempDir>> = Mutex::new(BTreeMap::new());

/// Removes the certificates of this run: nothing drops a static.
pub(crate) fn clean_up() {
    MADE.lock().unwrap_or_else(PoisonError::into_inner).clear();
}

/// The folder with `cert.pem` and `key.pem` for a host name, made once a run.
pub(crate) fn certificate(name: &str) -> io::Result<PathBuf> {
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(folder) = made.get(name) {
        return Ok(folder.path().to_owned());
    }
    let folder = tempfile::Builder::new().prefix("proxylint-").tempdir()?;
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", &format!("/CN={name}")]);
    command.args(["-addext", &format!("subjectAltName=DNS:{name}"), "-keyout", "key.pem", "-out", "cert.pem"]);
    if !command.current_dir(folder.path()).stderr(Stdio::null()).status()?.success() {
        return Err(io::Error::other("openssl made no certificate"));
    }
    let path = folder.path().to_owned();
    made.insert(name.to_owned(), folder);
    Ok(path)
}

/// A TLS front that passes connections, one after the other, to a plain backend.
pub(crate) struct Front {
    running: Child,
}

impl Front {
    /// Listens on `port` with a certificate for `name`, for the backend on `inner`. It serves a single connection: a case makes no more.
    pub(crate) fn listen(port: u16, name: &str, inner: u16) -> io::Result<Self> {
        let folder = certificate(name)?;
        let mut command = Command::new("openssl");
        command.args(["s_server", "-quiet", "-naccept", "1", "-accept", &format!("127.0.0.1:{port}")]);
        command.arg("-cert").arg(folder.join("cert.pem")).arg("-key").arg(folder.join("key.pem"));
        let mut running = spawn(command)?;
        let (output, input) = ends(&mut running)?;
        let start = Instant::now();
        while !any_listening(port..=port) {
            if start.elapsed() > START {
                return Err(io::Error::other("openssl s_server does not listen"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        // The backend sees the connection with its first byte: a handshake that failed is none.
        thread::Builder::new().name("TLS front".to_owned()).spawn(move || {
            let mut output = output;
            let mut first = [0; 4096];
            if let Ok(count @ 1..) = output.read(&mut first)
                && let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, inner))
                && stream.write_all(&first[..count]).is_ok()
            {
                drop(join(output, input, stream));
            }
        })?;
        Ok(Self { running })
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.running.kill());
        drop(self.running.wait());
    }
}

/// A client's TLS connection, as a plain one to a thread that speaks TLS for it.
pub(crate) fn connect(port: u16, name: &str, alpn: &[String]) -> io::Result<TcpStream> {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-quiet", "-connect", &format!("127.0.0.1:{port}"), "-servername", name]);
    if !alpn.is_empty() {
        command.args(["-alpn", &alpn.join(",")]);
    }
    let mut running = spawn(command)?;
    let (output, input) = ends(&mut running)?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    let end = thread::Builder::new().name("TLS client".to_owned());
    end.spawn(move || {
        drop(join(output, input, far));
        drop(running.kill());
        drop(running.wait());
    })?;
    Ok(near)
}

/// A Unix socket whose connections are passed to a backend's port.
pub(crate) fn listen_unix(path: &Path, inner: u16) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777))?;
    thread::Builder::new().name("unix socket".to_owned()).spawn(move || {
        for socket in listener.incoming().flatten() {
            thread::spawn(move || {
                if let (Ok(reader), Ok(stream)) = (socket.try_clone(), TcpStream::connect((Ipv4Addr::LOCALHOST, inner))) {
                    drop(join(reader, socket, stream));
                }
            });
        }
    })?;
    Ok(())
}

fn spawn(mut command: Command) -> io::Result<Child> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
}

fn ends(running: &mut Child) -> io::Result<(impl Read + Send + use<>, impl Write + Send + use<>)> {
    let missing = || io::Error::other("openssl has no pipes");
    Ok((running.stdout.take().ok_or_else(missing)?, running.stdin.take().ok_or_else(missing)?))
}

/// Carries bytes both ways until either side ends.
fn join(mut output: impl Read + Send + 'static, mut input: impl Write + Send + 'static, stream: TcpStream) -> io::Result<()> {
    let mut writer = stream.try_clone()?;
    let outward = thread::Builder::new().spawn(move || {
        pump(&mut output, &mut writer);
        drop(writer.shutdown(Shutdown::Both));
    })?;
    let mut reader = stream;
    pump(&mut reader, &mut input);
    drop(input);
    drop(outward);
    Ok(())
}

/// Copies at once whatever comes.
fn pump(from: &mut impl Read, to: &mut impl Write) {
    let mut chunk = [0; 16_384];
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        if to.write_all(&chunk[..count]).and_then(|()| to.flush()).is_err() {
            break;
        }
    }
}
