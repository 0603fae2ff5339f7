//! What is answered instead of an error: `ErrorDocument` (`ap_die`, `http_request.c`).

use super::{Course, Round};
use crate::gateway::ErrorPage;
use crate::handshake::walk::Verdict;

impl Course<'_> {
    /// What becomes of a request that has failed so: another answer, or a path that is looked for; `None`: it stays as it is.
    pub(super) fn instead_of(&mut self, verdict: &Verdict) -> Option<Round> {
        let status = match verdict {
            Verdict::Answered { status, location: None } | Verdict::BadGateway { status } => *status,
            _ => return None,
        };
        // An error on the way to an error's page is told as the first was.
        if status < 400 || self.failed.is_some() {
            return None;
        }
        let pages = self.areas.iter().rev().flat_map(|area| area.settings.error_pages.iter().rev());
        let (_, page) = pages.into_iter().find(|(of, _)| *of == status)?;
        match *page {
            ErrorPage::Text => None,
            ErrorPage::Path(path) => {
                let path = self.gateway.texts.show(path).into_owned();
                self.step(None, format!("{path} is looked for, to tell of the error {status}"), false);
                let (path, query) = match path.split_once('?') {
                    Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
                    None => (path, None),
                };
                Some(Round::Again(path, query, false))
            }
            ErrorPage::Elsewhere(url) => {
                let location = self.gateway.texts.show(url).into_owned();
                self.step(None, format!("instead of the error {status} the client is sent to {location}"), false);
                Some(Round::Done(Verdict::Answered { status: 302, location: Some(location) }))
            }
        }
    }

    /// The answer where a page was looked for that tells of an error: the page comes with the status of the error, and a backend's with
    /// its own. A redirect on the way there is one more failure, and the first is told (`ap_die_r`).
    pub(super) fn after_failure(&mut self, verdict: Verdict) -> Verdict {
        match (self.failed.take(), verdict) {
            (Some(failed), Verdict::Answered { .. } | Verdict::BadGateway { .. }) => failed,
            (_, verdict) => verdict,
        }
    }
}
