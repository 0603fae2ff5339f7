//! From a word to a symbolic value: variables under the names that both servers share.

use super::Lowerer;
use super::line::Word;
use crate::gateway::{Part, SymbolicId, TextId, Unknown, Variable};
use crate::nginx::directives;
use crate::nginx::outline::is_foreign;
use crate::nginx::words::{Piece, lower, pieces};

impl Lowerer<'_> {
    /// The value of a word.
    pub(super) fn symbolic(&mut self, word: Word<'_>) -> SymbolicId {
        let value = word.value();
        self.symbolic_of(word, &value)
    }

    /// The value `value`, which is `word`'s or made from it.
    pub(super) fn symbolic_of(&mut self, word: Word<'_>, value: &[u8]) -> SymbolicId {
        let mut parts = std::mem::take(&mut self.parts);
        parts.clear();
        if word.is_holed() {
            parts.push(Part::Unknown(Unknown::TemplateHole(word.span)));
        } else {
            for piece in pieces(value) {
                parts.push(match piece {
                    Ok((Piece::Text(text), _)) => Part::Text(self.gateway.texts.intern(text)),
                    Ok((Piece::Capture(number), _)) => Part::Variable(Variable::Capture(number)),
                    Ok((Piece::Variable(name), range)) => self.variable(name, || word.part(&range)),
                    // The server refuses it; that is told where names are checked.
                    Err(_) => Part::Unknown(Unknown::UndefinedVariable(word.span)),
                });
            }
        }
        let id = self.gateway.symbolics.intern(&parts);
        self.parts = parts;
        id
    }

    /// The value that is this text and nothing else.
    pub(super) fn literal(&mut self, text: &[u8]) -> SymbolicId {
        if text.is_empty() {
            return self.gateway.symbolics.intern(&[]);
        }
        let text = self.gateway.texts.intern(text);
        self.gateway.symbolics.intern(&[Part::Text(text)])
    }

    /// The variable of this name.
    pub(super) fn variable(&mut self, name: &[u8], span: impl FnOnce() -> crate::source::Span) -> Part {
        let name = lower(name);
        // To assign `$args` changes the request.
        if name.as_ref() != b"args" && self.names.contains(&name) {
            return Part::Variable(Variable::Defined(self.gateway.texts.intern(&name)));
        }
        if let Some(variable) = self.builtin(&name) {
            return Part::Variable(variable);
        }
        if is_foreign(&name) || directives::has_variable(&name) {
            return Part::Variable(Variable::Runtime(self.gateway.texts.intern(&name)));
        }
        Part::Unknown(Unknown::UndefinedVariable(span()))
    }

    fn builtin(&mut self, name: &[u8]) -> Option<Variable> {
        Some(match name {
            b"uri" | b"document_uri" => Variable::Path,
            b"request_uri" => Variable::RequestTarget,
            b"args" | b"query_string" => Variable::Query,
            b"is_args" => Variable::QueryMark,
            b"host" => Variable::Host,
            b"server_name" => Variable::SiteName,
            b"scheme" => Variable::Scheme,
            b"https" => Variable::Tls,
            b"request_method" => Variable::Method,
            b"server_port" => Variable::ServerPort,
            b"remote_addr" => Variable::ClientAddress,
            b"proxy_add_x_forwarded_for" => Variable::ForwardedFor,
            b"proxy_host" => Variable::UpstreamHost,
            b"proxy_port" => Variable::UpstreamPort,
            b"content_type" => Variable::RequestHeader(self.gateway.texts.intern(b"content-type")),
            _ => {
                if let Some(header) = name.strip_prefix(b"http_") {
                    Variable::RequestHeader(self.header_name(header))
                } else {
                    Variable::Argument(self.gateway.texts.intern(name.strip_prefix(b"arg_")?))
                }
            }
        })
    }

    /// `$http_x_y` is the header `x-y` (`ngx_http_variable_unknown_header`).
    fn header_name(&mut self, name: &[u8]) -> TextId {
        let name: Vec<u8> = name.iter().map(|&byte| if byte == b'_' { b'-' } else { byte }).collect();
        self.gateway.texts.intern(&name)
    }
}
