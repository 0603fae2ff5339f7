//! One case run: the server started, every step asked, everything that happened put together.

use std::io;

use crate::backend::{BEHIND_TLS, BEHIND_TLS_OF_ANOTHER_NAME, BEHIND_UNIX_SOCKET, Script};
use crate::case::{Case, Seen};
use crate::client::{EVERY, Held, KEY, Visit};
use crate::outcome::Outcome;
use crate::sent::Sent;
use crate::server::{Installed, Started};
use crate::slot::Slot;
use crate::tls::{self, Front};

/// What happened.
#[derive(Debug)]
pub(crate) struct Happened {
    /// One entry a step; a single one where the server refused to start.
    pub(crate) steps: Vec<Seen>,
    /// What the backends were sent over all steps.
    pub(crate) upstream: Vec<Sent>,
    /// What the server printed and logged.
    pub(crate) complaints: String,
}

/// Runs a case in a slot.
pub(crate) fn run(installed: &Installed, case: &Case, slot: &Slot) -> io::Result<Happened> {
    let pattern = case.steps.iter().map(|step| step.pattern).next_back().unwrap_or_default();
    let every = case.steps.iter().find_map(|step| step.every).unwrap_or(EVERY);
    let script = slot.backends.follow(Script::new(pattern, every, case.show.clone()));
    let mut fronts = Vec::new();
    for (nominal, name, behind) in [(19002, "localhost", BEHIND_TLS), (19014, "elsewhere.test", BEHIND_TLS_OF_ANOTHER_NAME)] {
        if case.mentions(&nominal.to_string())
            && let Some(port) = slot.real(nominal)
        {
            fronts.push(Front::listen(port, name, slot.place(behind))?);
        }
    }
    let (server, home) = match installed.start(case, slot)? {
        Started::Running { server, home } => (server, home),
        Started::Refused { complaints } => {
            let steps = vec![Seen { outcome: Outcome::Refused, upstream: Some(vec![]) }];
            return Ok(Happened { steps, upstream: vec![], complaints });
        }
    };
    if case.mentions("be.sock") {
        tls::listen_unix(&home.path().join("be.sock"), slot.place(BEHIND_UNIX_SOCKET))?;
    }
    let folder = home.path().display().to_string();
    let nominal = |text: &str| slot.nominal(&text.replace(&folder, "/srv/case"));
    let named = |sent: Sent| match sent {
        Sent::Http(mut request) => {
            request.target = nominal(&request.target);
            request.host = request.host.as_deref().map(nominal);
            Sent::Http(request)
        }
        Sent::Other(text) => Sent::Other(text),
    };
    let mut held = Held::default();
    let mut steps = Vec::new();
    for step in &case.steps {
        let before = script.count();
        let port = slot.real(18080 + step.port).ok_or_else(|| io::Error::other(format!("no port for {}", step.port)))?;
        let signal = |name: &str| server.signal(name);
        let visit = Visit { software: case.software, port, script: &script, signal: &signal };
        let mut outcome = visit.ask(step, &mut held)?;
        script.settle();
        if let Outcome::Answer { location: Some(location), .. } = &mut outcome {
            *location = nominal(location);
        }
        let upstream = script.sent(before, KEY).into_iter().map(named).collect();
        steps.push(Seen { outcome, upstream: Some(upstream) });
    }
    // Before the held connections go: what waited behind them reaches a backend now.
    let upstream = script.sent(0, KEY).into_iter().map(named).collect();
    script.finish();
    drop(held);
    drop(server);
    Ok(Happened { steps, upstream, complaints: Installed::complaints(&home, slot) })
}
