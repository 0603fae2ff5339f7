//! Numbers and sizes that must lie within bounds (`ngx_conf_check_num_bounds`, and the like behind other setters).

use super::show;
use super::value::Refused;
use crate::gateway::Fault;
use crate::nginx::line::{Line, Word};
use crate::nginx::values;

/// The least size of a pool (`NGX_MIN_POOL_SIZE`), and what divides it (`NGX_POOL_ALIGNMENT`).
const POOL: (u64, u64) = (112, 16);

/// Checks the first word of a directive against the bounds that it has.
pub(super) fn check(line: Line<'_>) -> Result<(), Refused> {
    let value = || line.word(0).map(Word::value).unwrap_or_default();
    let within = |least: u64, most: u64| match values::number(&value()) {
        Some(number) if number < least || number > most => fault(format!("value must be between {least} and {most}")),
        _ => Ok(()),
    };
    match line.name() {
        b"limit_req_status" | b"limit_conn_status" => within(400, 599),
        b"gzip_comp_level" => within(1, 9),
        b"uwsgi_modifier1" | b"uwsgi_modifier2" => within(0, 255),
        b"connection_pool_size" | b"request_pool_size" | b"http2_pool_size" => match values::size(&value()) {
            Some(size) if size < POOL.0 => fault(format!("the pool size must be no less than {}", POOL.0)),
            Some(size) if size % POOL.1 != 0 => fault(format!("the pool size must be a multiple of {}", POOL.1)),
            _ => Ok(()),
        },
        b"worker_priority" => {
            let value = value();
            let number = value.strip_prefix(b"-").or_else(|| value.strip_prefix(b"+")).unwrap_or(&value);
            if values::number(number).is_some() { Ok(()) } else { invalid(line, "invalid number") }
        }
        _ => Ok(()),
    }
}

/// A parameter in two: `name=` and its value, or the whole word and nothing.
pub(super) fn halves(word: &[u8]) -> (&[u8], &[u8]) {
    word.split_at(memchr::memchr(b'=', word).map_or(word.len(), |at| at + 1))
}

pub(super) fn fault(message: String) -> Result<(), Refused> {
    Err((Fault::Value, message))
}

/// `"name" directive …`.
pub(super) fn invalid(line: Line<'_>, what: &str) -> Result<(), Refused> {
    fault(format!("\"{}\" directive {what}", show(line.name())))
}
