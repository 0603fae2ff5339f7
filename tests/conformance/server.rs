//! The real servers: a case's configuration unpacked, started on the slot's ports, and stopped for sure.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::case::{Case, Software};
use crate::slot::Slot;
use crate::tls;

/// Where Debian keeps httpd's modules.
const APACHE_MODULES: &str = "/usr/lib/apache2/modules";

/// How long a server may take to start.
const START: Duration = Duration::from_secs(20);

/// An installed server.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    /// Which one.
    pub(crate) software: Software,
    /// `1.22.1`.
    pub(crate) version: String,
    program: PathBuf,
    /// Modules compiled into httpd: loading them again is an error.
    built_in: Vec<String>,
}

impl Installed {
    /// The installed server, or why there is none.
    pub(crate) fn find(software: Software) -> Result<Self, String> {
        let (program, flag) = match software {
            Software::Nginx => ("/usr/sbin/nginx", "-v"),
            Software::Apache => ("/usr/sbin/apache2", "-v"),
        };
        let run = |flag: &str| {
            let output = Command::new(program).arg(flag).output().map_err(|error| format!("{program}: {error}"))?;
            Ok::<_, String>(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
        };
        let version = run(flag)?;
        let version = version.split('/').nth(1).unwrap_or_default().split_whitespace().next().unwrap_or_default().to_owned();
        let built_in = match software {
            Software::Nginx => Vec::new(),
            Software::Apache => run("-l")?.lines().filter_map(|line| line.trim().strip_suffix(".c")).map(module_name).collect(),
        };
        Ok(Self { software, version, program: program.into(), built_in })
    }

    /// Unpacks a case for a slot and starts the server with it.
    pub(crate) fn start(&self, case: &Case, slot: &Slot) -> io::Result<Started> {
        let home = self.unpack(case, slot)?;
        let pid_file = home.path().join("server.pid");
        let complaints = home.path().join("server.stderr");
        let mut command = Command::new(&self.program);
        match self.software {
            Software::Nginx => {
                let globals = format!("daemon off; pid {};", pid_file.display());
                command.arg("-p").arg(home.path()).args(["-c", "nginx.conf", "-e", "stderr", "-g", &globals]);
            }
            Software::Apache => {
                let lines = [
                    format!("PidFile {}", pid_file.display()),
                    format!("ErrorLog {}", home.path().join("server.log").display()),
                    format!("DefaultRuntimeDir {}", home.path().display()),
                    "User www-data".to_owned(),
                    "Group www-data".to_owned(),
                ];
                for line in lines {
                    command.args(["-C", &line]);
                }
                command.arg("-d").arg(home.path()).arg("-f").arg(home.path().join("httpd.conf")).args(["-D", "FOREGROUND"]);
                for define in &case.defines {
                    command.args(["-D", define]);
                }
            }
        }
        for (name, value) in &case.environment {
            command.env(name, String::from_utf8_lossy(&slot.localise(value.as_bytes())).as_ref());
        }
        // A group of its own, so that the workers end with their master.
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&complaints)?);
        let running = Running { child: command.spawn()?, ports: slot.server_ports() };
        Self::await_start(running, home, &pid_file, slot)
    }

    fn await_start(mut running: Running, home: TempDir, pid_file: &Path, slot: &Slot) -> io::Result<Started> {
        let start = Instant::now();
        loop {
            // Both servers write the file when nothing can stop them any more (`ngx_create_pidfile`, `ap_log_pid`).
            if fs::metadata(pid_file).is_ok_and(|file| file.len() > 0) && any_listening(slot.server_ports()) {
                return Ok(Started::Running { server: running, home });
            }
            if running.child.try_wait()?.is_some() {
                drop(running);
                return Ok(Started::Refused { complaints: Self::complaints(&home, slot) });
            }
            if start.elapsed() > START {
                return Err(io::Error::other(format!("does not start: {}", Self::complaints(&home, slot))));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the server printed and logged, in the wording of the record: nominal ports, no folder.
    pub(crate) fn complaints(home: &TempDir, slot: &Slot) -> String {
        let read =
            |name| fs::read(home.path().join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
        let text = format!("{}{}", read("server.stderr"), read("server.log"));
        let folder = home.path().display().to_string();
        let text = text.replace(&format!("{folder}/"), "").replace(&folder, "/srv/case");
        slot.nominal(&text)
    }

    fn unpack(&self, case: &Case, slot: &Slot) -> io::Result<TempDir> {
        let home = tempfile::Builder::new().prefix("proxylint-").tempdir()?;
        // Workers run as another user.
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755))?;
        for entry in walkdir::WalkDir::new(&case.folder).min_depth(1) {
            let entry = entry?;
            let path = entry.path().strip_prefix(&case.folder).map_err(io::Error::other)?;
            let place = home.path().join(path);
            if entry.file_type().is_dir() {
                fs::create_dir_all(&place)?;
            } else if entry.file_type().is_symlink() {
                std::os::unix::fs::symlink(fs::read_link(entry.path())?, &place)?;
            } else {
                fs::write(&place, self.localise(&fs::read(entry.path())?, home.path(), slot))?;
            }
        }
        if self.software == Software::Nginx {
            // The folder that a relative log path means.
            fs::create_dir_all(home.path().join("logs"))?;
        } else {
            std::os::unix::fs::symlink(APACHE_MODULES, home.path().join("modules"))?;
        }
        let folder = match self.software {
            Software::Nginx => home.path().to_owned(),
            Software::Apache => home.path().join("tls"),
        };
        if case.mentions("cert.pem") {
            let certificate = tls::certificate("localhost")?;
            fs::create_dir_all(&folder)?;
            fs::copy(certificate.join("cert.pem"), folder.join("cert.pem"))?;
            fs::copy(certificate.join("key.pem"), folder.join("key.pem"))?;
        }
        Ok(home)
    }

    fn localise(&self, bytes: &[u8], home: &Path, slot: &Slot) -> Vec<u8> {
        let bytes = slot.localise(bytes);
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes.as_slice();
        while let Some(at) = memchr::memmem::find(rest, b"/srv/case") {
            out.extend_from_slice(&rest[..at]);
            out.extend_from_slice(home.as_os_str().as_encoded_bytes());
            rest = &rest[at + b"/srv/case".len()..];
        }
        out.extend_from_slice(rest);
        if self.built_in.is_empty() {
            return out;
        }
        let comment_out = |line: &[u8]| {
            let text = String::from_utf8_lossy(line);
            let mut words = text.split_whitespace();
            words.next().is_some_and(|word| word.eq_ignore_ascii_case("LoadModule"))
                && words.next().is_some_and(|name| self.built_in.iter().any(|built_in| built_in == name))
        };
        let lines = out.split_inclusive(|&byte| byte == b'\n');
        lines.flat_map(|line| comment_out(line).then_some(&b"#"[..]).into_iter().chain([line])).flatten().copied().collect()
    }
}

/// `mod_log_config` is loaded as `log_config_module`.
fn module_name(file: &str) -> String {
    format!("{}_module", file.strip_prefix("mod_").unwrap_or(file))
}

/// What became of a start.
pub(crate) enum Started {
    /// It runs.
    Running {
        /// The processes.
        server: Running,
        /// Its folder.
        home: TempDir,
    },
    /// It ended by itself.
    Refused {
        /// What it said.
        complaints: String,
    },
}

/// A running server; dropping it ends it and every worker.
pub(crate) struct Running {
    child: Child,
    ports: std::ops::RangeInclusive<u16>,
}

impl Running {
    /// Sends a signal by name (`SIGHUP`) to the master process.
    pub(crate) fn signal(&self, name: &str) -> io::Result<()> {
        kill(name.trim_start_matches("SIG"), &self.child.id().to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(kill("KILL", &format!("-{}", self.child.id())));
        drop(self.child.wait());
        // Workers hold the listening sockets until they are gone too.
        let start = Instant::now();
        while any_listening(self.ports.clone()) && start.elapsed() < Duration::from_secs(3) {
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn kill(signal: &str, target: &str) -> io::Result<()> {
    Command::new("/bin/kill").args(["-s", signal, "--", target]).stderr(Stdio::null()).status().map(drop)
}

/// Whether anything listens on one of the ports: asked of the kernel, because a connection would be seen by the server.
pub(crate) fn any_listening(ports: std::ops::RangeInclusive<u16>) -> bool {
    const LISTEN: &str = "0A";
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().filter_map(|table| fs::read_to_string(table).ok()).any(|table| {
        table.lines().skip(1).any(|line| {
            let mut columns = line.split_whitespace().skip(1);
            let port = columns.next().and_then(|address| u16::from_str_radix(address.rsplit(':').next()?, 16).ok());
            port.is_some_and(|port| ports.contains(&port)) && columns.nth(1) == Some(LISTEN)
        })
    })
}
