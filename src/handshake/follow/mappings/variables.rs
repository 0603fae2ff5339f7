//! Variables that are set for a request: `SetEnvIf`, `SetEnv`.

use super::Course;
use crate::gateway::{Area, Known, When};
use crate::handshake::evaluate::Environment;
use crate::handshake::expression::expression_holds;

impl<'a> Course<'a> {
    /// Sets the variables of the areas; `late`: those that are set when the request is mapped.
    pub(super) fn assign(&mut self, areas: &[&'a Area], late: bool) -> Known<()> {
        for assignment in areas.iter().flat_map(|area| &area.variables).filter(|assignment| assignment.late == late) {
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
