//! Variables that are set for a request: `SetEnvIf`, `SetEnv`.

use super::Course;
use crate::gateway::{Area, Covers, Known, When};
use crate::handshake::evaluate::Environment;
use crate::handshake::expression::expression_holds;

impl<'a> Course<'a> {
    /// Sets the variables of the server and of the site, which see the path as it was asked for (`match_headers`, after the request is read).
    pub(super) fn assign_in_server(&mut self, areas: &[&'a Area]) -> Known<()> {
        let written = self.request.target.clone();
        let written = written.as_deref().and_then(|target| target.split(['?', '#']).next()).map(str::to_owned);
        let path = written.map(|written| std::mem::replace(&mut self.request.path, written));
        let assigned = self.assign(areas, |area, late| !late && matches!(area.covers, Covers::Everything));
        if let Some(path) = path {
            self.request.path = path;
        }
        assigned
    }

    /// Sets the variables of sections, once the request is mapped (`match_headers`, when headers are parsed).
    pub(super) fn assign_in_sections(&mut self, areas: &[&'a Area]) -> Known<()> {
        self.assign(areas, |area, late| !late && !matches!(area.covers, Covers::Everything))
    }

    /// Sets the variables that need no condition, when the request has been let in (`mod_env`).
    pub(super) fn assign_late(&mut self, areas: &[&'a Area]) -> Known<()> {
        self.assign(areas, |_, late| late)
    }

    fn assign(&mut self, areas: &[&'a Area], counts: impl Fn(&Area, bool) -> bool) -> Known<()> {
        let assignments = areas.iter().flat_map(|area| area.variables.iter().map(move |assignment| (area, assignment)));
        for (_, assignment) in assignments.filter(|(area, assignment)| counts(area, assignment.late)) {
            let environment = self.environment();
            let mut captures = Vec::new();
            let applies = match &assignment.when {
                When::Always => true,
                When::Matches { subject, pattern, ignore_case } => {
                    let text = environment.evaluate(*subject);
                    match text.and_then(|text| environment.captures(*pattern, *ignore_case, &text, assignment.span)) {
                        Ok(Some(found)) => {
                            captures = found;
                            true
                        }
                        // Few variables matter to what we say; those that do are asked for by name.
                        Err(why) if self.matters(assignment.name) => return Err(why),
                        Ok(None) | Err(_) => false,
                    }
                }
                When::Condition(id) => expression_holds(&environment, *id)?,
                When::Unknown(why) if self.matters(assignment.name) => return Err(*why),
                When::Unknown(_) => false,
            };
            if applies {
                let environment = Environment { captures: Some(&captures), ..environment };
                let value = assignment.value.map(|value| environment.evaluate(value)).transpose()?;
                let name = self.gateway.texts.show(assignment.name).into_owned();
                self.notes.set_variable(&name, value);
            }
        }
        Ok(())
    }

    /// Whether a variable changes how a request is passed on.
    pub(super) fn matters(&self, name: crate::gateway::TextId) -> bool {
        matches!(self.gateway.texts.get(name), b"no-proxy" | b"force-proxy-request-1.0" | b"proxy-nokeepalive")
    }
}
