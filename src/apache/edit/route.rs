//! The edits for a route: each wanted fact asks for a step, and the steps together are a plan.

use super::{Editor, Step};
use crate::facts::{Item, Reader, Value};
use crate::gateway::{Millis, Proxy, Route, RouteId, Target};
use crate::rules::{Plan, Want};

/// What a worker's parameters are to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// `upgrade=websocket`.
    pub(super) upgrade: bool,
    /// `timeout=`.
    pub(super) timeout: Option<Millis>,
    /// `flushpackets=on`.
    pub(super) flush: bool,
}

/// More plans than this are not tried for one finding.
const PLANS: usize = 6;

impl Editor<'_> {
    /// The plans for a route.
    pub(super) fn route(&self, id: RouteId, wants: &[Want]) -> Result<Vec<Plan>, String> {
        let reader = Reader::new(self.view, Item::Route(id));
        let mut parameters = Wanted::default();
        let mut parts: Vec<Vec<Step>> = Vec::new();
        let mut moves = None;
        for want in wants {
            let reading = want.fact.read(&reader);
            if want.holds(&reading) {
                continue;
            }
            let lines = || reading.evidence.iter().map(|evidence| evidence.span);
            match (want.name().as_str(), &want.value) {
                ("handshake.request_header.upgrade" | "upgrade_parameter.allows_websocket", _) => parameters.upgrade = true,
                ("timeout.idle", Value::Duration(time)) => parameters.timeout = Some(*time),
                // What is set for the backend counts, whatever is set for clients.
                ("timeout.zero", Value::Absent) => parameters.timeout = Some(Millis(60_000)),
                ("events.held_by", Value::Absent) => parameters.flush = true,
                ("host", _) => parts.push(self.forward(id, "ProxyPreserveHost On")?),
                ("scheme_forwarded", _) => parts.push(self.forward_scheme(id)?),
                ("rewrite_target.fault", Value::Absent) => parts.push(self.mend_target(id, &reading.value)?),
                ("target.path_fault", Value::Absent) => parts.push(vec![self.straighten(id, &reading.value)?]),
                ("upgrade.other_protocols", Value::Flag(false)) => parts.push(vec![self.only_websockets(lines())?]),
                ("shadowed_by" | "handshake.taken_before", Value::Absent) => {
                    moves = Some(self.unshadow(id, reading.evidence.last().map(|evidence| evidence.span))?);
                }
                ("worker_of.lost", Value::Absent) => parts.push(self.unshare(id)?),
                ("upgrade_lost_at", Value::Absent) => parts.push(self.catch_lost(id, lines())?),
                ("forged_headers" | "handshake.lacks", Value::Absent) => parts.push(vec![self.take_out(lines())?]),
                ("refused_clients", Value::Absent) => parts.push(vec![self.loosen(id)?]),
                ("missing_modules", Value::Absent) => parts.push(vec![self.load(&reading.value)?]),
                ("backend_tls", Value::Flag(true)) => parts.push(vec![self.switch_tls_on(id)?]),
                ("section_pattern", Value::Absent) => parts.push(self.reach_section(id)?),
                ("rewrite_engine", Value::Flag(true)) => parts.push(vec![self.switch_rewriting_on(id)?]),
                ("redirected_before" | "handshake.redirect", Value::Absent | Value::Flag(false)) => {
                    parts.push(vec![self.end_redirect(lines())?]);
                }
                // What plain requests are sent follows from the lines that are taken out.
                ("plain.request_header.upgrade", Value::Absent) => {}
                (name, _) => return Err(format!("no edit is known for `{name}`")),
            }
        }
        if parameters != Wanted::default() {
            let steps = self.parameters(id, parameters, moves.is_some())?;
            // Where the parameter is there already, what is in its way is dealt with by another step.
            if !steps.is_empty() {
                parts.push(steps);
            }
        }
        parts.extend(moves);
        let mut plans: Vec<Step> = vec![Step::default()];
        for part in parts {
            let with = |plan: &Step| part.iter().map(|step| plan.clone().and(step)).collect::<Vec<_>>();
            plans = plans.iter().flat_map(with).take(PLANS).collect();
        }
        let mut reason = "nothing is left to write for it".to_owned();
        let mut found: Vec<Plan> = Vec::new();
        for Step { title, edits, moved } in plans {
            let edits = match moved {
                Some(moved) => moved.carry_out(self.store.sources.get(moved.source).bytes(), edits),
                None => Ok(edits),
            };
            match edits {
                Ok(edits) if edits.is_empty() => {}
                Ok(edits) => found.push(Plan { title, edits }),
                Err(why) => reason = why,
            }
        }
        if found.is_empty() { Err(reason) } else { Ok(found) }
    }

    /// A route that passes requests on, and where to.
    pub(super) fn proxied(&self, id: RouteId) -> Result<(&Route, &Proxy), String> {
        let route = self.gateway().route(id);
        match &route.target {
            Target::Proxy(proxy) => Ok((route, proxy)),
            _ => Err("nothing is passed on here".to_owned()),
        }
    }
}

impl Step {
    /// Both steps.
    fn and(mut self, other: &Self) -> Self {
        if !self.title.is_empty() && !other.title.is_empty() {
            self.title.push_str(", ");
        }
        self.title.push_str(&other.title);
        self.edits.extend_from_slice(&other.edits);
        self.moved = self.moved.or_else(|| other.moved.clone());
        self
    }
}
