//! Buffers whose sizes must fit together (`ngx_http_proxy_merge_loc_conf` and its like, `ngx_http_core_merge_srv_conf`). Each is inherited
//! by itself, so what a level ends up with is known when everything around it is read.

use rustc_hash::FxHashSet;

use super::{Checker, Context};
use crate::gateway::{Fault, Refusal};
use crate::nginx::line::{Line, Word};
use crate::nginx::values;
use crate::source::Span;

/// The modules that have such buffers.
const FAMILIES: [&str; 5] = ["proxy", "fastcgi", "uwsgi", "scgi", "core"];
/// What they set, and `core` beside them.
const SETTINGS: [&str; 5] = ["_buffers", "_buffer_size", "_busy_buffers_size", "_temp_file_write_size", "_max_temp_file_size"];
/// The buffer of a request's head, and the pool of its connection.
const CORE: [&str; 2] = ["large_client_header_buffers", "connection_pool_size"];
const PAGE: u64 = 4096;
/// `connection_pool_size` unless it is set (`64 * sizeof(void *)`).
const POOL: u64 = 512;
/// The size of `large_client_header_buffers` unless they are set.
const HEAD: u64 = 8192;

/// A number of buffers and their size, or just a size in the second place; and where it is set.
type Setting = (u64, u64, Span);

/// What one level sets of one family.
type Own = [Option<Setting>; SETTINGS.len()];

/// The values of one family, wherever they are set.
type Values = [Option<(u64, u64)>; SETTINGS.len()];

/// What a level and those in it set.
#[derive(Default)]
pub(super) struct Buffers {
    /// Whether a level inside sets nothing: it has what this one has.
    inherits: bool,
    /// What is set, where anything is.
    sets: Option<Box<[Family; FAMILIES.len()]>>,
}

/// What is set of one family.
#[derive(Default)]
struct Family {
    own: Own,
    /// What levels inside set, and leave to be inherited.
    inside: Vec<Own>,
    seen: FxHashSet<Values>,
}

impl Family {
    fn add(&mut self, own: Own) {
        if self.seen.insert(own.map(|setting| setting.map(|(count, size, _)| (count, size)))) {
            self.inside.push(own);
        }
    }

    /// What the levels at and inside this one have in force, as far as it is known here.
    fn all(self, with_own: bool) -> impl Iterator<Item = Own> {
        let own = self.own;
        let inside = self.inside.into_iter().map(move |inside| std::array::from_fn(|at| inside[at].or(own[at])));
        inside.chain(with_own.then_some(own))
    }
}

impl Buffers {
    /// One of the directives; whether it is one.
    pub(super) fn set(&mut self, line: Line<'_>) -> bool {
        let name = line.name();
        // Most lines are about something else, and say so by how their name ends.
        if !name.ends_with(b"_size") && !name.ends_with(b"_buffers") {
            return false;
        }
        let Some((family, setting)) = str::from_utf8(name).ok().and_then(place_of) else { return false };
        let words: Vec<_> = line.words().map(Word::value).collect();
        let value = match words.as_slice() {
            [size] => values::offset(size).map(|size| (0, size)),
            [count, size] => values::number(count).zip(values::size(size)),
            _ => None,
        };
        if let Some((count, size)) = value {
            self.sets.get_or_insert_default()[family].own[setting] = Some((count, size, line.span()));
        }
        true
    }

    /// The level is done: what it leaves to be inherited is the business of the level around it. `counts`: nginx looks at it.
    fn close_into(self, around: &mut Self, counts: bool) {
        let with_own = counts || self.inherits;
        let Some(sets) = self.sets else {
            around.inherits |= with_own;
            return;
        };
        let outer = around.sets.get_or_insert_default();
        for (family, outer) in sets.into_iter().zip(outer.iter_mut()) {
            family.all(with_own).for_each(|own| outer.add(own));
        }
    }
}

/// The family and the setting that a directive's name stands for.
fn place_of(name: &str) -> Option<(usize, usize)> {
    if let Some(setting) = CORE.iter().position(|own| *own == name) {
        return Some((FAMILIES.len() - 1, setting));
    }
    let (family, rest) = name.find('_').map(|at| name.split_at(at))?;
    let family = FAMILIES.iter().position(|own| *own == family && *own != "core")?;
    SETTINGS.iter().position(|own| *own == rest).map(|setting| (family, setting))
}

/// What nginx says of buffers that do not fit, and the line that made it so.
fn misfit(name: &str, own: &Own) -> Option<(Span, String)> {
    if name == "core" {
        let size = own[0].map_or(HEAD, |(_, size, _)| size);
        let pool = own[1].map_or(POOL, |(_, size, _)| size);
        let span = own[0].or(own[1])?.2;
        let message =
            "the \"large_client_header_buffers\" size must be equal to or greater than \"connection_pool_size\"".to_owned();
        return (size < pool).then_some((span, message));
    }
    let sized = |at: usize| own[at].map(|(_, size, _)| size);
    let (count, each) = own[0].map_or((8, PAGE), |(count, each, _)| (count, each));
    let size = sized(1).unwrap_or(PAGE).max(each);
    let set = |at: usize| own[at].map(|(_, _, span)| span);
    // The line that is out of step: the one that is said to be, or those that it is measured by.
    let blame = |at: usize| set(at).or(set(1)).or(set(0));
    if count < 2 {
        return Some((set(0)?, format!("there must be at least 2 \"{name}_buffers\"")));
    }
    let measure = format!("the maximum of the value of \"{name}_buffer_size\" and one of the \"{name}_buffers\"");
    let busy = sized(2).unwrap_or(2 * size);
    if busy < size {
        return Some((blame(2)?, format!("\"{name}_busy_buffers_size\" must be equal to or greater than {measure}")));
    }
    if busy > (count - 1).saturating_mul(each) {
        let message =
            format!("\"{name}_busy_buffers_size\" must be less than the size of all \"{name}_buffers\" minus one buffer");
        return Some((blame(2)?, message));
    }
    if sized(3).is_some_and(|write| write < size) {
        return Some((blame(3)?, format!("\"{name}_temp_file_write_size\" must be equal to or greater than {measure}")));
    }
    if sized(4).is_some_and(|most| most > 0 && most < size) {
        let what = "must be equal to zero to disable temporary files usage or must be equal to or greater than";
        return Some((blame(4)?, format!("\"{name}_max_temp_file_size\" {what} {measure}")));
    }
    None
}

impl Checker<'_> {
    /// A level is done.
    pub(super) fn close_buffers(&mut self, buffers: Buffers, context: Option<Context>, open: bool) {
        match context {
            // `http` itself is looked at in its servers only.
            Some(Context::Http) => self.refuse_misfits(buffers, open),
            Some(context) if context.is_http() && !open => {
                let counts = !matches!(context, Context::Upstream);
                if let Some(around) = self.levels.last_mut() {
                    buffers.close_into(&mut around.buffers, counts);
                }
            }
            _ => {}
        }
    }

    fn refuse_misfits(&mut self, buffers: Buffers, open: bool) {
        let Some(sets) = buffers.sets.filter(|_| !open) else { return };
        let mut refusals = Vec::new();
        for (family, name) in sets.into_iter().zip(FAMILIES) {
            let misfits = family.all(buffers.inherits).filter_map(|own| misfit(name, &own));
            refusals.extend(misfits.map(|(span, message)| Refusal::new(span, Fault::Value, message)));
        }
        refusals.sort_by_key(|refusal| refusal.span);
        refusals.dedup();
        self.http.twice(refusals);
    }
}
