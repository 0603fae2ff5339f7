//! Balancers: `<Proxy balancer://name>`, `BalancerMember`, `ProxySet`, and the parameters of a mapping to one.

use super::require::Needs;
use super::worker::WorkerId;
use super::{Lowerer, ServerIndex};
use crate::apache::statement::Word;
use crate::apache::values::{parameter, proxy_url};
use crate::gateway::{
    Assigned, BalancedWorker, Member, Property, Protocol, Proxy, Requirement, ScopeId, TextId, Upstream, UpstreamId,
};
use crate::source::Span;

/// What is known of a balancer beside its [`Upstream`].
#[derive(Debug, Default)]
pub(super) struct Balancer {
    /// The workers of its members, with their protocols.
    members: Vec<(WorkerId, Protocol)>,
    /// Its balancing method.
    method: Option<Vec<u8>>,
}

impl Balancer {
    /// Whether a share counts for whom is asked first: by traffic all begin with none (`is_best_bytraffic`).
    pub(super) fn asks_by_share(&self) -> bool {
        self.method.as_deref() != Some(b"bytraffic")
    }

    /// Whether no method is written for it.
    pub(super) fn is_plain(&self) -> bool {
        self.method.is_none()
    }
}

/// What a balancer's members have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct Balanced {
    protocols: Vec<Protocol>,
    method: Option<Vec<u8>>,
}

/// A number in hundredths; 0 where it is none.
fn hundredths(text: &[u8]) -> u32 {
    let text = str::from_utf8(text).unwrap_or_default();
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().chain("00".chars()).take(2).collect();
    whole.parse::<u32>().unwrap_or(0).saturating_mul(100).saturating_add(part.parse().unwrap_or(0))
}

impl Lowerer<'_> {
    /// The balancer `name` of a server, which is made where there is none.
    pub(super) fn balancer(&mut self, at: ServerIndex, name: TextId, span: Span) -> UpstreamId {
        if let Some(&id) = self.servers[at.0].balancers.get(&name) {
            return id;
        }
        let id = UpstreamId(u32::try_from(self.gateway.upstreams.len()).unwrap_or(u32::MAX));
        let members = Vec::new();
        let upstream = Upstream { name, span, members, affinity: None, session: None, keepalive: None, partial: None };
        self.gateway.upstreams.push(upstream);
        self.balancers.push(Balancer::default());
        self.servers[at.0].balancers.insert(name, id);
        id
    }

    /// `BalancerMember [balancer://name] url [parameters…]`.
    pub(super) fn balancer_member(&mut self, at: ServerIndex, section: Option<UpstreamId>, words: &[Word<'_>], span: Span) {
        let (id, words) = match (section, words) {
            (Some(id), words) => (id, words),
            (None, [name, words @ ..]) => {
                let Some(url) = proxy_url(&name.value).filter(|url| url.protocol() == Protocol::Balancer) else { return };
                let name = self.gateway.texts.intern_lower(url.authority);
                (self.balancer(at, name, span), words)
            }
            _ => return,
        };
        let [url, parameters @ ..] = words else { return };
        if let Some(why) = url.unknown {
            self.gateway.upstreams[id.0 as usize].partial = Some(why);
        }
        let parts = proxy_url(&url.value);
        let protocol = parts.map_or(Protocol::Other, |parts| parts.protocol());
        let address = self.gateway.texts.intern(parts.map_or(&url.value, |parts| parts.authority));
        // `status=+H`: a hot standby, asked only when the others are down.
        let standby = |word: &Word<'_>| {
            let parameter = parameter(&word.value);
            parameter.is(&["status"])
                && parameter.value.is_some_and(|value| value.to_ascii_uppercase().contains(&b'H') && !value.starts_with(b"-"))
        };
        // `D`, `+D`, `+S`: out of service.
        let is_out = |word: &Word<'_>| {
            let parameter = parameter(&word.value);
            let flags = parameter.value.filter(|value| parameter.is(&["status"]) && !value.starts_with(b"-"));
            flags.is_some_and(|flags| flags.iter().any(|flag| matches!(flag.to_ascii_uppercase(), b'D' | b'S')))
        };
        let backup = parameters.iter().any(standby);
        let asked_in_turn = !backup && !parameters.iter().any(is_out);
        let worker = self.new_worker(span);
        self.set_parameters(worker, parameters);
        self.gateway.upstreams[id.0 as usize].members.push(Member { address, backup: !asked_in_turn, span });
        self.balancers[id.0 as usize].members.push((worker, protocol));
        let route =
            parameters.iter().map(|word| parameter(&word.value)).filter(|one| one.is(&["route"])).find_map(|one| one.value);
        let route = route.map(|route| self.gateway.texts.intern(route));
        let number =
            |name: &str| parameters.iter().map(|word| parameter(&word.value)).rfind(|one| one.is(&[name]))?.value.map(hundredths);
        let set = number("lbset").unwrap_or(0);
        let share = number("loadfactor").unwrap_or(100);
        let url = self.gateway.texts.intern(&url.value);
        let scope = self.workers[worker.0].scope;
        let balanced = BalancedWorker { url, protocol, scope, route, backup, set, share, span };
        self.gateway.balanced.entry(id).or_default().push(balanced);
    }

    /// The parameters of a balancer, in its section or at a mapping to it; returns its method, where one is written.
    pub(super) fn balancer_parameters(&mut self, at: ServerIndex, name: TextId, words: &[Word<'_>]) -> Option<Vec<u8>> {
        let own = self.servers[at.0].balancers.get(&name).or_else(|| self.servers[0].balancers.get(&name)).copied();
        let mut method = None;
        for word in words {
            let parameter = parameter(&word.value);
            let Some(value) = parameter.value else { continue };
            if parameter.is(&["lbmethod"]) {
                method = Some(value.to_vec());
            }
            let Some(id) = own else { continue };
            if parameter.is(&["stickysession"]) {
                let session = self.gateway.texts.intern(value);
                let upstream = &mut self.gateway.upstreams[id.0 as usize];
                upstream.affinity = Some(word.span);
                upstream.session = Some(session);
            } else if parameter.is(&["lbmethod"]) {
                self.balancers[id.0 as usize].method = Some(value.to_vec());
            }
        }
        method
    }

    /// Fills in what the members of a balancer have in common: their protocol, and the worker to judge by.
    pub(super) fn balanced(&self, proxy: &mut Proxy) -> Option<Balanced> {
        let balancer = &self.balancers[proxy.upstream?.0 as usize];
        let protocols: Vec<Protocol> = balancer.members.iter().map(|&(_, protocol)| protocol).collect();
        if let Some(&first) = protocols.first().filter(|&first| protocols.iter().all(|protocol| protocol == first)) {
            proxy.protocol = first;
        }
        // A member that does not upgrade breaks every connection that lands on it, so it speaks for all.
        let upgrades = |worker: WorkerId| {
            let entries = self.workers[worker.0].settings.pending();
            entries.iter().any(|entry| entry.property == Property::Upgrade && matches!(entry.assigned, Assigned::Text(_)))
        };
        let scope = |&(worker, _): &(WorkerId, Protocol)| -> ScopeId { self.workers[worker.0].scope };
        let weakest = balancer.members.iter().find(|&&(worker, _)| !upgrades(worker)).or(balancer.members.first());
        proxy.worker = weakest.map(scope);
        Some(Balanced { protocols, method: balancer.method.clone() })
    }

    /// The modules that a mapping needs and that may be lacking.
    pub(super) fn requirements(
        &self,
        proxy: &Proxy,
        balanced: Option<Balanced>,
        rewritten: bool,
        method: Option<&[u8]>,
    ) -> Vec<Requirement> {
        let mut needs = Needs::new(&self.gateway.modules, proxy.span);
        needs.one_of(&["proxy"], if rewritten { "the flag P" } else { "ProxyPass" }, None);
        if rewritten {
            needs.one_of(&["rewrite"], "RewriteRule", None);
        }
        if let Some(Balanced { mut protocols, method: own }) = balanced {
            needs.one_of(&["proxy_balancer"], "the scheme balancer", None);
            needs.one_of(&["slotmem_shm"], "mod_proxy_balancer", None);
            match method.or(own.as_deref()).unwrap_or(b"byrequests") {
                b"byrequests" => needs.one_of(&["lbmethod_byrequests"], "balancing by requests", None),
                b"bytraffic" => needs.one_of(&["lbmethod_bytraffic"], "balancing by traffic", None),
                b"bybusyness" => needs.one_of(&["lbmethod_bybusyness"], "balancing by busyness", None),
                b"heartbeat" => needs.one_of(&["lbmethod_heartbeat"], "balancing by heartbeat", None),
                _ => {}
            }
            protocols.sort_by_key(|protocol| protocol.scheme());
            protocols.dedup();
            for protocol in protocols {
                needs.protocol(protocol, self.gateway.version);
            }
        } else if proxy.protocol == Protocol::Balancer {
            needs.one_of(&["proxy_balancer"], "the scheme balancer", None);
        } else {
            needs.protocol(proxy.protocol, self.gateway.version);
        }
        needs.finish()
    }
}
