//! The facts of directives: of what was noted while the configuration was read.

use super::{Definition, Item, Reader, Reading, Subject, Type, Value, fact};
use crate::gateway::{Fault, Misreading, Refusal, Remark, RemarkKind};
use crate::source::Span;

/// The facts of directives.
pub(super) const FACTS: &[Definition] = &[
    fact(
        "noted",
        Subject::Directive,
        Type::Text,
        noted,
        "What was noted about the directive: `include-missing`, `include-outside`, `undefined-variable`, `unit-ignored`, `empty-variable`, `websocket-not-proxied`, `address-unusable`, `section-never-true`, `section-left-out`, `section-hides-websocket`, `comment-continued`, `leads-past-mappings`, `duration-odd`, `not-defined-here`, `directory-file-unread`, `directory-file-unknown`, `directory-file-forbids`, `certificate-missing`, `unused-suppression`, or why the server refuses it: `syntax`, `comment-too-long`, `include-cycle`, `unknown-directive`, `directive-not-allowed`, `argument-count`, `duplicate-directive`, `duplicate-location`, `duration-invalid`, `address-malformed`, `trailing-comment`, `upgrade-misplaced`, `unsupported-directive`, `value-invalid` or `incomplete`.",
    ),
    fact(
        "refused.message",
        Subject::Directive,
        Type::Text,
        refusal_message,
        "Why the server refuses to start with this, in its own words.",
    ),
    fact(
        "refused.why",
        Subject::Directive,
        Type::Text,
        refusal_why,
        "What comes of it, and why: the server does not start, in its own words; it answers requests with an error; it reads something else than was meant.",
    ),
    fact(
        "misread",
        Subject::Directive,
        Type::Text,
        misread,
        "What of a directive the server takes otherwise than it was meant: a variable that is always empty, a URL, a section, a comment.",
    ),
    fact(
        "rewrite.fault",
        Subject::Directive,
        Type::Text,
        rewrite_fault,
        "What a rewrite rule does instead of having the request passed on, for it lacks a flag.",
    ),
    fact(
        "address.fault",
        Subject::Directive,
        Type::Text,
        address_fault,
        "What is wrong with the address of a backend, and what comes of it: the server does not start, or answers every request with an error.",
    ),
    fact("include.path", Subject::Directive, Type::Text, include_path, "What a failed include names, as written."),
    fact(
        "include.inside",
        Subject::Directive,
        Type::Flag,
        include_inside,
        "Whether that lies inside the given files, so that the server will not find it either.",
    ),
    fact("variable.name", Subject::Directive, Type::Text, variable_name, "A variable that nothing defines, without `$`."),
    fact(
        "variable.fault",
        Subject::Directive,
        Type::Text,
        variable_fault,
        "What is wrong with the use of a variable, and what comes of it: nothing defines it, or the line that does comes too late.",
    ),
    fact(
        "certificate.lacks",
        Subject::Directive,
        Type::Text,
        certificate_lacks,
        "The directive that a site lacks which speaks TLS: the one that names its certificate, or its key.",
    ),
    fact("duration.name", Subject::Directive, Type::Text, duration_name, "What is set to a duration whose unit is ignored."),
    fact("duration.written", Subject::Directive, Type::Text, duration_written, "That duration as written."),
    fact("duration.read_as", Subject::Directive, Type::Duration, duration_read_as, "That duration as the server reads it."),
    fact("duration.meant", Subject::Directive, Type::Duration, duration_meant, "That duration as it was meant."),
    fact("suppression.why", Subject::Directive, Type::Text, suppression_why, "Why a comment for proxylint does nothing."),
    fact("suppression.help", Subject::Directive, Type::Text, suppression_help, "What to do about that comment."),
];

/// A fact of the remark that is read.
fn remark(reader: &Reader<'_>, read: impl FnOnce(&RemarkKind) -> Option<Value>) -> Reading {
    let Item::Directive(index) = reader.item else { return Reading::absent() };
    let Remark { span, labels, kind } = &reader.view.gateway.remarks[index];
    read(kind).map_or_else(Reading::absent, |value| shown(value, *span, labels))
}

/// The refusal that is read, where no remark says more of the same.
fn refused<'a>(reader: &Reader<'a>) -> Option<&'a Refusal> {
    let Item::Refused(index) = reader.item else { return None };
    Some(&reader.view.gateway.refusals[index])
        .filter(|refusal| !matches!(refusal.fault, Fault::Include | Fault::Variable | Fault::Certificate))
}

/// A value with the place it is read off, and others that explain it.
fn shown(value: Value, span: Span, labels: &[(Span, String)]) -> Reading {
    let (own, others): (Vec<_>, Vec<_>) = labels.iter().partition(|(at, _)| *at == span);
    let own = own.first().map_or_else(|| "here".to_owned(), |(_, note)| note.clone());
    others.into_iter().fold(Reading::new(value).at(span, own), |reading, (span, note)| reading.at(*span, note.clone()))
}

fn noted(reader: &Reader<'_>, _: &str) -> Reading {
    if let Some(refusal) = refused(reader) {
        return shown(Value::text(refusal.fault.name()), refusal.span, &refusal.labels);
    }
    remark(reader, |kind| {
        let name = match kind {
            RemarkKind::IncludeMissing { .. } => "include-missing",
            RemarkKind::IncludeOutside { .. } => "include-outside",
            RemarkKind::UndefinedVariable { .. } => "undefined-variable",
            RemarkKind::UnitIgnored { .. } => "unit-ignored",
            RemarkKind::CertificateMissing { .. } => "certificate-missing",
            RemarkKind::UnusedSuppression { .. } => "unused-suppression",
            RemarkKind::Misread { how, .. } => how.name(),
        };
        Some(Value::text(name))
    })
}

fn refusal_message(reader: &Reader<'_>, _: &str) -> Reading {
    match refused(reader) {
        Some(refusal) => shown(Value::text(refusal.message.clone()), refusal.span, &refusal.labels),
        None => remark(reader, |kind| match kind {
            RemarkKind::Misread { how: Misreading::DirectoryFileUnread, text } => Some(Value::text(text.clone())),
            _ => None,
        }),
    }
}

fn refusal_why(reader: &Reader<'_>, _: &str) -> Reading {
    if let Some(refusal) = refused(reader) {
        let text = format!("the server refuses to start: {}", refusal.message);
        return shown(Value::text(text), refusal.span, &refusal.labels);
    }
    remark(reader, |kind| match kind {
        RemarkKind::Misread {
            how:
                Misreading::DirectoryFileUnread
                | Misreading::DirectoryFileUnknown
                | Misreading::DirectoryFileForbids
                | Misreading::DurationOdd,
            text,
        } => Some(Value::text(text.clone())),
        _ => None,
    })
}

fn misread(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::Misread { text, .. } => Some(Value::text(text.clone())),
        _ => None,
    })
}

fn rewrite_fault(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::Misread { how: Misreading::WebSocketNotProxied, text } => Some(Value::text(format!(
            "without the flag `P` this rule sends the client to `{text}` instead of passing the request on, and no browser follows that"
        ))),
        RemarkKind::Misread { how: Misreading::LeadsPastMappings, text } => Some(Value::text(format!(
            "without the flag `PT` the new path `{text}` is taken for that of a file, past the mapping that is there for it: the handshake is answered 404"
        ))),
        _ => None,
    })
}

fn address_fault(reader: &Reader<'_>, _: &str) -> Reading {
    if refused(reader).is_some() {
        return refusal_why(reader, "");
    }
    remark(reader, |kind| match kind {
        RemarkKind::Misread { how: Misreading::AddressUnusable, text } => Some(Value::text(text.clone())),
        _ => None,
    })
}

fn include_path(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::IncludeMissing { path, .. } | RemarkKind::IncludeOutside { path } => Some(Value::text(path.clone())),
        _ => None,
    })
}

fn include_inside(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::IncludeMissing { inside, .. } => Some(Value::Flag(*inside)),
        _ => None,
    })
}

fn variable_name(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::UndefinedVariable { name } => Some(Value::text(name.clone())),
        _ => None,
    })
}

fn variable_fault(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::UndefinedVariable { name } => Some(Value::text(format!(
            "nothing in the given files defines `${name}`: without a definition the server does not start"
        ))),
        RemarkKind::Misread { how: Misreading::NotDefinedHere, text } => Some(Value::text(format!(
            "`${{{text}}}` is defined elsewhere and not above this line: the server takes it for plain text (AH00111)"
        ))),
        _ => None,
    })
}

fn certificate_lacks(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::CertificateMissing { lacks } => Some(Value::text(*lacks)),
        _ => None,
    })
}

fn duration_name(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::UnitIgnored { name, .. } => Some(Value::text(name.clone())),
        _ => None,
    })
}

fn duration_written(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::UnitIgnored { written, .. } => Some(Value::text(written.clone())),
        _ => None,
    })
}

fn duration_read_as(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::UnitIgnored { read_as, .. } => Some(Value::Duration(*read_as)),
        _ => None,
    })
}

fn duration_meant(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::UnitIgnored { meant, .. } => Some(Value::Duration(*meant)),
        _ => None,
    })
}

fn suppression_why(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::UnusedSuppression { why, .. } => Some(Value::text(why.clone())),
        _ => None,
    })
}

fn suppression_help(reader: &Reader<'_>, _: &str) -> Reading {
    remark(reader, |kind| match kind {
        RemarkKind::UnusedSuppression { help, .. } => Some(Value::text(help.clone())),
        _ => None,
    })
}
