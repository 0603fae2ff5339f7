//! The edits that tell a backend more about the client: for the whole server, or in a section for the route's path alone.

use super::{Editor, Step};
use crate::gateway::{Matcher, RouteId};

impl Editor<'_> {
    /// The steps that put a directive in force for a route: beside its mapping, where all routes of the server want that; else in a section
    /// for its path.
    pub(super) fn forward(&self, id: RouteId, directive: &str) -> Result<Vec<Step>, String> {
        let (route, proxy) = self.proxied(id)?;
        let own = self.line_at(proxy.span).ok_or("the mapping cannot be found")?;
        let name = directive.split(' ').next().unwrap_or_default();
        let line = format!("{}{}", own.cased(name), &directive[name.len()..]);
        let title = format!("write `{directive}`");
        let outer = self.first_of_rule(id, own).in_server();
        let mut steps = Vec::new();
        // The mapping stands in a section of its own already.
        if outer.id != own.id && outer.is_section() && own.name() == b"proxypass" {
            steps.push(Step::new(title.clone(), vec![own.insert_before(std::slice::from_ref(&line))?]));
        }
        let same = name.to_ascii_lowercase().into_bytes();
        match outer.siblings().find(|other| other.name() == same && !other.is_holed() && other.words().count() == 1) {
            Some(other) => {
                let word = other.word(0).ok_or("the line that says otherwise cannot be read")?;
                let value = directive.rsplit(' ').next().unwrap_or_default();
                steps.push(Step::new(title.clone(), vec![word.replace(value)]));
            }
            None => steps.push(Step::new(title.clone(), vec![outer.insert_before(std::slice::from_ref(&line))?])),
        }
        if let Matcher::Segments(path) = route.matcher
            && outer.id == own.id
        {
            let section = own.cased("Location");
            let lines = [
                format!("<{section} \"{}\">", self.gateway().texts.show(path)),
                format!("{}{line}", own.unit()),
                format!("</{section}>"),
            ];
            steps.push(Step::new(title, vec![own.insert_before(&lines)?]));
        }
        Ok(steps)
    }

    /// The steps that tell the backend whether the client came over TLS.
    pub(super) fn forward_scheme(&self, id: RouteId) -> Result<Vec<Step>, String> {
        let (route, _) = self.proxied(id)?;
        let listens = &self.gateway().site(route.site).listens;
        let scheme =
            if !listens.is_empty() && listens.iter().all(|listen| listen.tls) { "\"https\"" } else { "expr=%{REQUEST_SCHEME}" };
        let load = self.load_all(&["headers"])?;
        let steps = self.forward(id, &format!("RequestHeader set X-Forwarded-Proto {scheme}"))?;
        Ok(steps.into_iter().map(|step| Step { edits: [load.clone(), step.edits].concat(), ..step }).collect())
    }
}
