//! Who is let in: `Require`, `Allow` and `Deny`, methods, TLS, passwords.

use super::areas::setting;
use crate::gateway::{Access, Area, Gateway, HostRule, Known, Merging, Methods, Required, RequiredKind, TextId, Unknown};
use crate::handshake::evaluate::Environment;
use crate::handshake::expression::{expression_holds, in_network};
use crate::source::Span;

/// That a request is not let in: the status, and the line that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) span: Span,
}

/// What a requirement comes to (`authz_status`, `mod_authz_core.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Granted,
    Denied,
    /// It neither lets in nor keeps out.
    Neutral,
    /// It would let a user in who gives a password.
    NeedsUser,
}

/// Whether the areas let the request in.
///
/// # Errors
/// Where something that decides cannot be known.
pub(super) fn admitted(environment: &Environment<'_>, areas: &[&Area]) -> Known<Result<(), Refused>> {
    let gateway = environment.gateway;
    let request = environment.request;
    if let Some(span) = setting(areas, |settings| settings.requires_tls)
        && !request.tls
    {
        return Ok(Err(Refused { status: 403, span }));
    }
    if let Some((methods, span)) = setting(areas, |settings| settings.methods.as_ref())
        && !names(gateway, methods, &request.method)
    {
        return Ok(Err(Refused { status: 405, span: *span }));
    }
    // Of what `mod_access_compat` is told the last area that tells it anything counts.
    let by_host = areas.iter().rev().filter_map(|area| area.access.as_deref()).find(|access| has_host_rules(access));
    let hosts = by_host.map(|access| let_in_by_host(environment, access)).transpose()?.flatten();
    let required = required_in(environment, areas)?;
    let password = setting(areas, |settings| settings.password);
    let refused = match required {
        // Where nothing is required, nobody says that a user is let in who is asked for (`ap_process_request_internal`, AH00027).
        None if let Some((kind, span)) = password
            && gateway.partial.is_none()
            && !gateway.texts.get(kind).eq_ignore_ascii_case(b"none") =>
        {
            Some(Refused { status: 500, span })
        }
        None | Some((Outcome::Granted, _)) => None,
        Some((Outcome::NeedsUser, span)) => Some(match password {
            // `AuthType None` or nothing: no one can give a password (AH00027).
            None => Refused { status: 500, span },
            // No module knows this one (`authenticate_no_user`, AH01796).
            Some((kind, span)) if lacks_module(gateway, kind) => Refused { status: 500, span },
            Some(_) if request.header(b"authorization").is_some() => return Err(Unknown::Environment),
            // What the password is for is not said (AH01615).
            Some((_, span)) if gateway.partial.is_none() && setting(areas, |settings| settings.realm).is_none() => {
                Refused { status: 500, span }
            }
            Some(_) => Refused { status: 401, span },
        }),
        Some((Outcome::Denied | Outcome::Neutral, span)) => Some(Refused { status: 403, span }),
    };
    let any = by_host.is_some_and(|access| {
        let mut said = access.any.iter().rev();
        said.find(|(methods, _)| is_for(environment, methods.as_ref())).is_some_and(|&(_, any)| any)
    });
    Ok(match (hosts, refused) {
        // One of the two ways suffices, and where nothing is said of it, it is open (`ap_process_request_internal`).
        (None, Some(_)) | (Some(_), None) if any => Ok(()),
        (Some(_), Some(refused)) if any => Err(refused),
        (Some(span), _) => Err(Refused { status: 403, span }),
        (None, Some(refused)) => Err(refused),
        (None, None) => Ok(()),
    })
}

/// Whether nothing asks for a password of this kind: its module is known not to be there.
fn lacks_module(gateway: &Gateway, kind: TextId) -> bool {
    let module = match gateway.texts.get(kind).to_ascii_lowercase().as_slice() {
        b"basic" => "auth_basic",
        b"digest" => "auth_digest",
        b"form" => "auth_form",
        b"none" => return true,
        _ => return false,
    };
    gateway.modules.has(module) == Some(false)
}

/// What the requirements of the areas come to together: the last that has any counts, unless it is merged with those before it
/// (`merge_authz_core_dir_config`, `mod_authz_core.c`).
fn required_in(environment: &Environment<'_>, areas: &[&Area]) -> Known<Option<(Outcome, Span)>> {
    let mut found: Option<Known<(Outcome, Span)>> = None;
    for area in areas {
        let own = area.access.as_deref().filter(|access| !access.required.is_empty());
        let own = own.map(|access| required_of(environment, access));
        let merging = area.settings.merging;
        found = match (found, own, merging) {
            (found, None, None | Some(Merging::And | Merging::Or)) => found,
            (_, own, None | Some(Merging::Off)) | (None, own, _) => own,
            (Some(before), Some(own), Some(merging)) => {
                let span = own.or(before).map_or(area.span, |(_, span)| span);
                let both = [before.map(|(outcome, _)| outcome), own.map(|(outcome, _)| outcome)];
                let outcome = if merging == Merging::And { all(&both) } else { any(&both) };
                Some(outcome.map(|outcome| (outcome, span)))
            }
        };
    }
    found.transpose()
}

fn names(gateway: &Gateway, methods: &[TextId], method: &str) -> bool {
    let is = |wanted: &str| methods.iter().any(|&text| gateway.texts.get(text).eq_ignore_ascii_case(wanted.as_bytes()));
    // Who may GET may HEAD.
    is(method) || method == "HEAD" && is("GET") || is("reset")
}

fn has_host_rules(access: &Access) -> bool {
    !access.hosts.is_empty() || !access.orders.is_empty() || !access.any.is_empty()
}

/// Whether something is for the method of the request.
fn is_for(environment: &Environment<'_>, methods: Option<&Methods>) -> bool {
    methods.is_none_or(|(methods, these)| names(environment.gateway, methods, &environment.request.method) == *these)
}

/// The line that keeps the client out; `None`: it is let in (`check_dir_access`, `mod_access_compat.c`).
fn let_in_by_host(environment: &Environment<'_>, access: &Access) -> Known<Option<Span>> {
    let last = |allowed| -> Known<Option<Span>> {
        for rule in access.hosts.iter().filter(|rule| rule.allowed == allowed && is_for(environment, rule.methods.as_ref())) {
            if names_client(environment, rule)? {
                return Ok(Some(rule.span));
            }
        }
        Ok(None)
    };
    let order = access.orders.iter().rev().find(|order| is_for(environment, order.methods.as_ref()));
    Ok(if order.is_none_or(|order| order.deny_first) {
        match last(false)? {
            Some(span) if last(true)?.is_none() => Some(span),
            _ => None,
        }
    } else {
        match (last(true)?, last(false)?) {
            (Some(_), None) => None,
            (_, Some(span)) => Some(span),
            (None, None) => order.map(|order| order.span),
        }
    })
}

fn names_client(environment: &Environment<'_>, rule: &HostRule) -> Known<bool> {
    let text = environment.gateway.texts.show(rule.from);
    if text.eq_ignore_ascii_case("all") {
        return Ok(true);
    }
    let notes = environment.notes.ok_or(Unknown::Runtime)?;
    if let Some(variable) = text.strip_prefix("env=") {
        return Ok(match variable.strip_prefix('!') {
            Some(variable) => notes.variable(variable).is_none(),
            None => notes.variable(variable).is_some(),
        });
    }
    in_network(environment.client()?, &text).ok_or(Unknown::Runtime)
}

/// What the requirements come to, and the line that decides.
///
/// A parent stands before its children, so going backwards every container is complete when it is met.
fn required_of(environment: &Environment<'_>, access: &Access) -> Known<(Outcome, Span)> {
    let required = &access.required;
    let applies = |one: &Required| is_for(environment, one.methods.as_ref());
    // Where none is for this method, nothing is required.
    let Some(first) = required.iter().find(|one| applies(one)) else {
        return Ok((Outcome::Granted, required[0].span));
    };
    let mut children: Vec<Vec<Known<Outcome>>> = vec![Vec::new(); required.len()];
    let mut outermost = Vec::new();
    let mut culprit = first.span;
    for (index, one) in required.iter().enumerate().rev() {
        if !applies(one) {
            continue;
        }
        let inside = std::mem::take(&mut children[index]);
        let outcome = match &one.kind {
            RequiredKind::All => all(&inside),
            RequiredKind::Any => any(&inside),
            RequiredKind::None => none(&inside),
            kind => leaf(environment, kind),
        };
        let outcome = outcome.map(|outcome| match outcome {
            Outcome::Granted if one.negated => Outcome::Denied,
            _ if one.negated => Outcome::Neutral,
            outcome => outcome,
        });
        if matches!(outcome, Ok(Outcome::Denied | Outcome::NeedsUser)) {
            culprit = one.span;
        }
        match one.parent {
            Some(parent) => children[parent as usize].push(outcome),
            None => outermost.push(outcome),
        }
    }
    Ok((any(&outermost)?, culprit))
}

fn any(outcomes: &[Known<Outcome>]) -> Known<Outcome> {
    combined(outcomes, Outcome::Granted, Outcome::Denied)
}

fn all(outcomes: &[Known<Outcome>]) -> Known<Outcome> {
    combined(outcomes, Outcome::Denied, Outcome::Granted)
}

/// What requirements come to of which one with the outcome `decisive` decides: `weaker` where no user is asked for either.
fn combined(outcomes: &[Known<Outcome>], decisive: Outcome, weaker: Outcome) -> Known<Outcome> {
    if outcomes.contains(&Ok(decisive)) {
        return Ok(decisive);
    }
    if let Some(why) = outcomes.iter().find_map(|outcome| outcome.err()) {
        return Err(why);
    }
    let stands = [Outcome::NeedsUser, weaker].into_iter().find(|&outcome| outcomes.contains(&Ok(outcome)));
    Ok(stands.unwrap_or(Outcome::Neutral))
}

fn none(outcomes: &[Known<Outcome>]) -> Known<Outcome> {
    match any(outcomes)? {
        Outcome::Granted => Ok(Outcome::Denied),
        _ => Ok(Outcome::Neutral),
    }
}

fn leaf(environment: &Environment<'_>, kind: &RequiredKind) -> Known<Outcome> {
    let gateway = environment.gateway;
    let outcome = |granted: bool| if granted { Outcome::Granted } else { Outcome::Denied };
    Ok(match kind {
        RequiredKind::Granted(granted) => outcome(*granted),
        RequiredKind::Client(networks) => {
            let client = environment.client()?;
            let lies = |&network: &TextId| in_network(client, &gateway.texts.show(network)).unwrap_or(false);
            outcome(networks.iter().any(lies))
        }
        // Without asking anyone only the name of this machine is known.
        RequiredKind::Host(hosts) => {
            if !environment.client()?.is_loopback() {
                return Err(Unknown::Environment);
            }
            outcome(hosts.iter().any(|&host| gateway.texts.get(host).eq_ignore_ascii_case(b"localhost")))
        }
        RequiredKind::Local => outcome(environment.client()?.is_loopback()),
        RequiredKind::Method(methods) => outcome(names(gateway, methods, &environment.request.method)),
        RequiredKind::Variable(names) => {
            let notes = environment.notes.ok_or(Unknown::Runtime)?;
            outcome(names.iter().any(|&name| notes.variable(&gateway.texts.show(name)).is_some()))
        }
        RequiredKind::Condition(id) => outcome(expression_holds(environment, *id)?),
        RequiredKind::User => Outcome::NeedsUser,
        RequiredKind::Unknown(why) => return Err(*why),
        RequiredKind::All | RequiredKind::Any | RequiredKind::None => Outcome::Neutral,
    })
}
