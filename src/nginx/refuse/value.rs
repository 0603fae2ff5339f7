//! What nginx's common setters check (`ngx_conf_set_*_slot`, `ngx_conf_file.c`).

use super::show;
use crate::gateway::{Fault, Version};
use crate::nginx::directives::{Kind, Row};
use crate::nginx::line::Line;
use crate::nginx::values::{self, Resolution};

/// Why a value is refused.
pub(super) type Refused = (Fault, String);

/// From this version on, upstreams are asked over HTTP/2 (`ngx_http_proxy_http_version` in `ngx_http_proxy_module.c`).
const PROXY_HTTP_2: Version = Version::new(1, 29, 4);

/// Whether the arguments of a directive are what its row says.
pub(super) fn check(line: Line<'_>, row: &Row, version: Option<Version>) -> Result<(), Refused> {
    if matches!(row.value, Kind::Own | Kind::OwnOnce | Kind::Text | Kind::Texts) {
        return Ok(());
    }
    let Some(word) = line.word(0) else { return Ok(()) };
    let value = word.value();
    let invalid = |what: &str| Err((Fault::Value, format!("\"{}\" directive {what}", show(line.name()))));
    match row.value {
        Kind::Flag if values::flag(&value).is_none() => {
            let (value, name) = (show(&value), show(line.name()));
            let message = format!("invalid value \"{value}\" in \"{name}\" directive, it must be \"on\" or \"off\"");
            Err((Fault::Value, message))
        }
        Kind::Number if values::number(&value).is_none() => invalid("invalid number"),
        Kind::Size if values::size(&value).is_none() => invalid("invalid value"),
        Kind::Offset if values::offset(&value).is_none() => invalid("invalid value"),
        Kind::SizeOrVariables if !value.contains(&b'$') && values::size(&value).is_none() => invalid("invalid value"),
        Kind::Buffers => {
            let size = line.word(1).map(super::super::line::Word::value);
            let is_size = size.is_some_and(|size| values::size(&size).is_some_and(|size| size > 0));
            if values::number(&value).is_some_and(|number| number > 0) && is_size { Ok(()) } else { invalid("invalid value") }
        }
        Kind::Milliseconds | Kind::Seconds => {
            let resolution = if row.value == Kind::Seconds { Resolution::Seconds } else { Resolution::Milliseconds };
            match values::duration(&value, resolution) {
                Some(_) => Ok(()),
                None => Err((Fault::Duration, format!("\"{}\" directive invalid value", show(line.name())))),
            }
        }
        Kind::Enum(words) => {
            let too_new =
                row.module == "http_proxy" && value.as_ref() == b"2" && version.is_some_and(|version| version < PROXY_HTTP_2);
            one_of(words, &value, too_new)
        }
        Kind::Bitmask(words) => line.words().try_for_each(|word| one_of(words, &word.value(), false)),
        _ => Ok(()),
    }
}

/// What a duration means that is read and hardly meant so: digits without a unit behind milliseconds are seconds (`ngx_parse_time`).
pub(super) fn oddly_read(line: Line<'_>, row: &Row) -> Option<String> {
    if row.value != Kind::Milliseconds {
        return None;
    }
    let value = line.word(0)?.value();
    let before = value.iter().rposition(|byte| !byte.is_ascii_digit()).map(|at| &value[..=at])?;
    let seconds = show(&value[before.len()..]);
    (before.ends_with(b"ms") && !seconds.is_empty())
        .then(|| format!("`{}` is {} and {seconds} seconds: a number without a unit counts seconds", show(&value), show(before)))
}

fn one_of(words: &str, value: &[u8], refused: bool) -> Result<(), Refused> {
    if !refused && words.split(',').any(|word| word.as_bytes().eq_ignore_ascii_case(value)) {
        return Ok(());
    }
    Err((Fault::Value, format!("invalid value \"{}\"", show(value))))
}
