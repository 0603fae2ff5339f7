//! The `if`s of nginx that count instead of one another, and requests for which they do.

use super::request::Request;
use crate::gateway::{Act, Condition, Gateway, Part, RouteId, ScopeId, Site, Test, Variable};
use crate::source::Span;

/// The `if`s of a level that pass nothing on and stand behind the one that passes requests on as the route `own`: of all whose conditions
/// hold the last one counts (`ngx_http_script_if_code`: each puts its own settings in force). Each with its directive.
pub(crate) fn ifs_behind(gateway: &Gateway, level: ScopeId, own: RouteId) -> impl Iterator<Item = (Span, Condition)> {
    let steps = gateway.programs.get(level).into_iter().flat_map(|program| &program.steps);
    let ifs = steps.filter_map(|step| match step.act {
        Act::If { condition, route, .. } => Some((step.span, condition, route)),
        _ => None,
    });
    let behind = ifs.skip_while(move |(_, _, route)| *route != Some(own)).skip(1);
    behind.filter(|(_, _, route)| route.is_none()).map(|(span, condition, _)| (span, condition))
}

/// Makes a request one to the host that the condition of an `if` asks for, where the site takes requests to every host.
pub(crate) fn ask_for_host(gateway: &Gateway, site: &Site, condition: &Condition, request: &mut Request) {
    if site.names.is_empty()
        && let (Ok(Test::Same(host)), [Part::Variable(Variable::Host)]) =
            (condition.test, gateway.symbolics.get(condition.subject))
        && let Some(host) = gateway.symbolics.literal(host, &gateway.texts)
    {
        request.host = String::from_utf8_lossy(host).into_owned();
    }
}
