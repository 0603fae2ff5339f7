//! Where clients may come from (`ngx_http_referer_module.c`).

use super::rows::names_of;
use super::value::Refused;
use super::{Checker, Context, Level, Referers, bounds, show};
use crate::gateway::{Fault, Refusal};
use crate::nginx::line::Line;

impl<'a> Checker<'a> {
    /// `ngx_http_valid_referers`.
    pub(super) fn valid_referers(&mut self, line: Line<'a>) -> Result<(), Refused> {
        self.not_a_snippet();
        let Some(level) = self.levels.last_mut() else { return Ok(()) };
        for word in line.words() {
            match word.value().as_ref() {
                b"none" | b"blocked" => level.referers.nobody = level.referers.nobody.or(Some(line.span())),
                b"server_names" => {
                    level.referers.named = true;
                    level.referers.adds_server = Some(line.span());
                }
                [b'~', ..] => {}
                name => {
                    let host = name.split(|&byte| byte == b'/').next().unwrap_or(name);
                    let Some(keys) = names_of(host) else {
                        return bounds::fault(format!("invalid hostname or wildcard \"{}\"", show(host)));
                    };
                    level.referers.named = true;
                    if !level.referers.add(keys) && !line.is_in_template() {
                        return Err((
                            Fault::Duplicate,
                            format!("conflicting parameter \"{}\"", show(&host.to_ascii_lowercase())),
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// The names of a server, for those who add them.
    pub(super) fn names_of_server(&mut self, line: Line<'a>) {
        self.not_a_snippet();
        let names = line.words().filter(|word| !word.is_holed()).map(|word| word.value().to_ascii_lowercase());
        if let Some(level) = self.levels.last_mut() {
            level.names.extend(names.filter(|name| !name.starts_with(b"~")));
        }
    }

    /// What nginx says of the referers of a level when all of it is read (`ngx_http_referer_merge_conf`).
    pub(super) fn close_referers(&mut self, level: &mut Level<'a>) {
        if level.open || level.head.is_none_or(Line::is_in_template) {
            return;
        }
        let referers = std::mem::take(&mut level.referers);
        if let (Some(span), false) = (referers.nobody, referers.named) {
            let message = "the \"none\" or \"blocked\" referers are specified in the \"valid_referers\" directive without any valid \
                           referer";
            self.http.twice(vec![Refusal::new(span, Fault::Value, message.to_owned())]);
        }
        level.adding.extend(referers.adds_server.is_some().then_some(referers));
        if level.context != Some(Context::Server) {
            if let Some(around) = self.levels.last_mut() {
                around.adding.append(&mut level.adding);
            }
            return;
        }
        for mut referers in level.adding.drain(..) {
            let twice = level.names.iter().find(|name| names_of(name).is_some_and(|keys| !referers.add(keys)));
            if let (Some(name), Some(span)) = (twice, referers.adds_server) {
                let message = format!("conflicting parameter \"{}\"", show(name));
                self.http.twice(vec![Refusal::new(span, Fault::Duplicate, message)]);
            }
        }
    }
}

impl Referers {
    /// Adds what a name stands for in the tables; whether none of it was there.
    fn add(&mut self, keys: Vec<Vec<u8>>) -> bool {
        keys.into_iter().filter(|key| !self.keys.insert(key.clone())).count() == 0
    }
}
