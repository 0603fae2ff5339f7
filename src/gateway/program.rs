//! What a level does to a request before anything answers it: nginx's rewrite phase, `try_files` and `limit_except`.

use rustc_hash::FxHashMap;

use super::{Condition, Proxy, RouteId, ScopeId, SymbolicId, TextId, Unknown};
use crate::source::Span;

/// What a site or a location does to a request that comes to it.
#[derive(Debug, Default)]
pub struct Program {
    /// The steps of the rewrite phase, in order; those of an `if` stand in the row of the level around it.
    pub steps: Vec<Step>,
    /// What is looked for in the file system before the content is made.
    pub try_files: Option<Box<TryFiles>>,
    /// The settings for all methods but a few.
    pub limit_except: Option<Box<LimitExcept>>,
    /// Where requests would be passed to if nothing answered them before. It counts for what else a target means: that the path
    /// without its final slash is sent to the one with it, for one.
    pub beside: Option<Box<Proxy>>,
}

/// The programs of a gateway, by level; few levels have one.
#[derive(Debug, Default)]
pub struct Programs {
    places: FxHashMap<ScopeId, u32>,
    programs: Vec<Program>,
}

impl Programs {
    /// The program of the level `scope`, where it has one.
    #[must_use]
    pub fn get(&self, scope: ScopeId) -> Option<&Program> {
        self.places.get(&scope).map(|&place| &self.programs[place as usize])
    }

    /// The same, to change it.
    pub fn get_mut(&mut self, scope: ScopeId) -> Option<&mut Program> {
        self.places.get(&scope).map(|&place| &mut self.programs[place as usize])
    }

    /// The program of the level `scope`, an empty one where it has none.
    pub fn of(&mut self, scope: ScopeId) -> &mut Program {
        let next = u32::try_from(self.programs.len()).unwrap_or(u32::MAX);
        let place = *self.places.entry(scope).or_insert(next);
        if place == next {
            self.programs.push(Program::default());
        }
        &mut self.programs[place as usize]
    }
}

/// One step of the rewrite phase.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// The directive.
    pub span: Span,
    /// What it does.
    pub act: Act,
}

/// What a step of the rewrite phase does.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// A variable gets a value: `set`.
    Set {
        /// Its lower-case name.
        name: TextId,
        /// Its value.
        value: SymbolicId,
    },
    /// The steps up to `otherwise` are carried out only where the condition holds: `if`.
    If {
        /// The condition.
        condition: Condition,
        /// The settings that are in force from here on where it holds; `None` in a site.
        scope: Option<ScopeId>,
        /// The route of these settings, where it passes requests on itself.
        route: Option<RouteId>,
        /// The step that follows where it does not hold.
        otherwise: u32,
    },
    /// The path is rewritten where the pattern matches: `rewrite`.
    Rewrite {
        /// The pattern.
        pattern: TextId,
        /// What the path becomes; with a final `?` removed.
        replacement: SymbolicId,
        /// Whether the query of the request is kept behind the new one.
        keeps_query: bool,
        /// What happens then.
        then: Then,
    },
    /// The request is answered: `return`.
    Return {
        /// The status.
        status: u16,
        /// The body, or where the client is sent for a redirect.
        text: Option<SymbolicId>,
    },
    /// Rewriting ends: `break`.
    Break,
    /// Something that cannot be followed: code, a template hole.
    Unknown(Unknown),
}

/// What happens after a rewrite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next step.
    Next,
    /// A location is looked for again: `last`.
    Last,
    /// Rewriting ends and the request stays in its location: `break`.
    Break,
    /// The client is sent there with this status.
    Redirect(u16),
}

/// The files that are looked for: `try_files`.
#[derive(Debug)]
pub struct TryFiles {
    /// The directive.
    pub span: Span,
    /// What is looked for, in order.
    pub candidates: Vec<Candidate>,
    /// What happens where none is there.
    pub fallback: Fallback,
}

/// A file or directory that is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// Its path below the document root, without a final slash.
    pub path: SymbolicId,
    /// Whether it must be a directory: it is written with a final slash.
    pub directory: bool,
}

/// What happens where no file is there.
#[derive(Clone, Copy, Debug)]
pub enum Fallback {
    /// The request is answered with this status: `=404`.
    Status(u16),
    /// The request goes on in a named location, or with another path.
    Redirect(SymbolicId),
    /// A template hole decides.
    Unknown(Unknown),
}

/// Settings for all methods but a few: `limit_except`.
#[derive(Debug)]
pub struct LimitExcept {
    /// The directive.
    pub span: Span,
    /// The methods that are not concerned.
    pub methods: Vec<TextId>,
    /// What is set for the others.
    pub scope: ScopeId,
    /// The route of these settings, where it passes requests on itself.
    pub route: Option<RouteId>,
}
