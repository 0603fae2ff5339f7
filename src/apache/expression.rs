//! The grammar of httpd's expressions (`util_expr_scan.l`, `util_expr_parse.y`): a condition as steps for a stack.
//!
//! Operators are put in order with a stack of their own (Dijkstra's shunting yard), and so are functions, so nesting costs no recursion.

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// What stands for itself.
    Text(Vec<u8>),
    /// `%{NAME}`.
    Variable(Vec<u8>),
    /// `%{name:text}` or `name('text')`; `None`: the text is not written out.
    Looked(Vec<u8>, Option<Vec<u8>>),
    /// `$1`: what the last pattern captured; `None`: a part of a name that is looked up.
    Capture(Option<u8>),
}

/// One step of a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Puts a text on the stack.
    Text(Vec<Piece>),
    /// Takes a text and puts what the function makes of it.
    Function(Vec<u8>),
    /// Takes two texts and puts them together.
    Join,
    /// Puts a truth.
    Truth(bool),
    /// Takes a text and puts what `-n` and its like say of it.
    Unary(u8),
    /// Takes two texts and puts how they compare: `==`, `-eq`, `strmatch`.
    Binary(Vec<u8>),
    /// Takes a text and puts whether the pattern matches.
    Pattern {
        /// The pattern.
        pattern: Vec<u8>,
        /// Whether case is ignored.
        ignore_case: bool,
        /// `!~`.
        negated: bool,
    },
    /// Takes a text and puts whether it is one of these, each a row of steps that puts a text.
    OneOf(Vec<Vec<Step>>),
    /// Takes a text and puts whether a function's list has it.
    InList,
    /// `!`.
    Not,
    /// `&&`.
    And,
    /// `||`.
    Or,
}

/// How deep functions and parentheses may nest (`YYMAXDEPTH` is far beyond what anyone writes).
const DEEPEST: usize = 200;

/// The variables (`var_providers`, `util_expr_eval.c`).
const VARIABLES: [&str; 52] = [
    "TIME_YEAR",
    "TIME_MON",
    "TIME_DAY",
    "TIME_HOUR",
    "TIME_MIN",
    "TIME_SEC",
    "TIME_WDAY",
    "TIME",
    "SERVER_SOFTWARE",
    "API_VERSION",
    "HTTP_USER_AGENT",
    "HTTP_PROXY_CONNECTION",
    "HTTP_REFERER",
    "HTTP_COOKIE",
    "HTTP_FORWARDED",
    "HTTP_HOST",
    "HTTP_ACCEPT",
    "REQUEST_METHOD",
    "REQUEST_SCHEME",
    "REQUEST_URI",
    "REQUEST_FILENAME",
    "REMOTE_HOST",
    "REMOTE_IDENT",
    "REMOTE_USER",
    "SERVER_ADMIN",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "SCRIPT_FILENAME",
    "PATH_INFO",
    "QUERY_STRING",
    "IS_SUBREQ",
    "DOCUMENT_ROOT",
    "AUTH_TYPE",
    "THE_REQUEST",
    "CONTENT_TYPE",
    "HANDLER",
    "REQUEST_LOG_ID",
    "SCRIPT_USER",
    "SCRIPT_GROUP",
    "DOCUMENT_URI",
    "LAST_MODIFIED",
    "CONTEXT_PREFIX",
    "CONTEXT_DOCUMENT_ROOT",
    "REQUEST_STATUS",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "HTTPS",
    "IPV6",
    "CONN_LOG_ID",
    "CONN_REMOTE_ADDR",
    "HTTP2",
];

/// The functions (`string_func_providers`).
const FUNCTIONS: [&str; 18] = [
    "osenv",
    "env",
    "resp",
    "req",
    "http",
    "note",
    "reqenv",
    "req_novary",
    "tolower",
    "toupper",
    "escape",
    "unescape",
    "file",
    "filesize",
    "base64",
    "unbase64",
    "sha1",
    "md5",
];

/// The truth that `text` says, as steps.
///
/// # Errors
/// With httpd's words, about, where it does not take it. `tls`: whether `mod_ssl` is there, which knows more.
pub(super) fn condition(text: &[u8], tls: bool) -> Result<Vec<Step>, String> {
    Parser { rest: text, tls, steps: Vec::new() }.condition()
}

/// The text that `text` says, as `RequestHeader … expr=` takes it.
///
/// # Errors
/// As for a condition.
pub(super) fn string(text: &[u8], tls: bool) -> Result<Vec<Piece>, String> {
    Parser { rest: text, tls, steps: Vec::new() }.string(None)
}

/// What waits for its second operand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pending {
    Open,
    Or,
    And,
    Not,
}

impl Pending {
    fn step(self) -> Option<Step> {
        match self {
            Self::Open => None,
            Self::Or => Some(Step::Or),
            Self::And => Some(Step::And),
            Self::Not => Some(Step::Not),
        }
    }
}

struct Parser<'a> {
    rest: &'a [u8],
    tls: bool,
    steps: Vec<Step>,
}

/// The end of what is written, or something that must not stand where it does.
fn unexpected<T>(rest: &[u8]) -> Result<T, String> {
    let what = if rest.is_empty() { "$end".to_owned() } else { format!("'{}'", String::from_utf8_lossy(&rest[..1])) };
    Err(format!("syntax error, unexpected {what}"))
}

impl Parser<'_> {
    fn condition(mut self) -> Result<Vec<Step>, String> {
        let mut pending: Vec<Pending> = Vec::new();
        loop {
            // Here a truth must follow.
            self.blanks();
            if self.rest.starts_with(b"!") && !self.rest.starts_with(b"!=") && !self.rest.starts_with(b"!~")
                || self.is_word(b"not")
            {
                self.rest = &self.rest[if self.rest.starts_with(b"!") { 1 } else { 3 }..];
                pending.push(Pending::Not);
                continue;
            }
            if self.take(b"(") {
                pending.push(Pending::Open);
                if pending.len() > DEEPEST {
                    return Err("memory exhausted".to_owned());
                }
                continue;
            }
            self.truth()?;
            // Here an operator must follow, or the end.
            loop {
                self.blanks();
                if self.rest.is_empty() {
                    while let Some(top) = pending.pop() {
                        match top.step() {
                            Some(step) => self.steps.push(step),
                            None => return unexpected(self.rest),
                        }
                    }
                    return Ok(self.steps);
                }
                if !self.take(b")") {
                    break;
                }
                loop {
                    match pending.pop().map(Pending::step) {
                        Some(Some(step)) => self.steps.push(step),
                        Some(None) => break,
                        None => return unexpected(b")"),
                    }
                }
            }
            let operator = if self.take(b"&&") || self.take_word(b"and") {
                Pending::And
            } else if self.take(b"||") || self.take_word(b"or") {
                Pending::Or
            } else {
                return unexpected(self.rest);
            };
            // What binds as strongly or stronger is carried out first.
            while let Some(&top) = pending.last()
                && let Some(step) = top.step()
                && (top != Pending::Or || operator == Pending::Or)
            {
                self.steps.push(step);
                pending.pop();
            }
            pending.push(operator);
        }
    }

    fn blanks(&mut self) {
        let end = self.rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n'));
        self.rest = &self.rest[end.unwrap_or(self.rest.len())..];
    }

    fn take(&mut self, token: &[u8]) -> bool {
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// The letters, digits and `_` that stand next.
    fn name(&self) -> &[u8] {
        let end = self.rest.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
        &self.rest[..end.unwrap_or(self.rest.len())]
    }

    fn is_word(&self, word: &[u8]) -> bool {
        self.name() == word
    }

    fn take_word(&mut self, word: &[u8]) -> bool {
        self.is_word(word) && self.take(word)
    }

    /// A comparison, a test of one text, `true` or `false`.
    fn truth(&mut self) -> Result<(), String> {
        for (word, truth) in [(&b"true"[..], true), (b"false", false)] {
            if self.take_word(word) {
                self.steps.push(Step::Truth(truth));
                return Ok(());
            }
        }
        if let [b'-', letter, rest @ ..] = self.rest
            && (letter.is_ascii_alphabetic() || *letter == b'_')
        {
            let letter = *letter;
            let is_longer = rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
            if is_longer {
                return unexpected(self.rest);
            }
            self.rest = rest;
            self.blanks();
            let start = self.steps.len();
            self.word()?;
            if !b"nzRTdefsLhxFUA".contains(&letter) {
                return Err(format!("Unary operator '{}' does not exist", char::from(letter)));
            }
            if letter == b'R' {
                self.network(start)?;
            }
            self.steps.push(Step::Unary(letter));
            return Ok(());
        }
        self.word()?;
        self.blanks();
        for (sign, negated) in [(&b"=~"[..], false), (b"!~", true)] {
            if self.take(sign) {
                self.blanks();
                return self.pattern(negated);
            }
        }
        for sign in [&b"=="[..], b"!=", b"<=", b">=", b"<", b">", b"="] {
            if self.take(sign) {
                let sign = if sign == b"=" { b"==" } else { sign };
                return self.compared_with(sign);
            }
        }
        let dashed = self.rest.starts_with(b"-");
        let name = match self.rest.strip_prefix(b"-") {
            Some(rest) => Parser { rest, tls: self.tls, steps: Vec::new() }.name().to_vec(),
            None => self.name().to_vec(),
        };
        let known: &[&[u8]] = &[b"eq", b"ne", b"lt", b"le", b"gt", b"ge"];
        let after = &self.rest[usize::from(dashed) + name.len()..];
        if name == b"in" {
            self.rest = after;
            return self.list();
        }
        if known.contains(&name.as_slice()) {
            self.rest = after;
            return self.compared_with(&name);
        }
        if dashed && name.len() > 1 {
            if ![&b"ipmatch"[..], b"fnmatch", b"strmatch", b"strcmatch"].contains(&name.as_slice()) {
                return Err(format!("Binary operator '{}' does not exist", String::from_utf8_lossy(&name)));
            }
            self.rest = after;
            let start = self.steps.len();
            self.compared_with(&name)?;
            if name == b"ipmatch" {
                self.network(start)?;
            }
            return Ok(());
        }
        unexpected(self.rest)
    }

    /// The right side of a comparison.
    fn compared_with(&mut self, name: &[u8]) -> Result<(), String> {
        self.blanks();
        self.word()?;
        self.steps.push(Step::Binary(name.to_vec()));
        Ok(())
    }

    /// Whether the text from the step `start` on is a network (`subnet_parse_arg`).
    fn network(&self, start: usize) -> Result<(), String> {
        match self.steps.get(start) {
            Some(Step::Text(pieces)) if matches!(pieces.as_slice(), [Piece::Text(_)]) => {
                let [Piece::Text(text)] = pieces.as_slice() else { return Ok(()) };
                let text = String::from_utf8_lossy(text);
                if is_network(&text) { Ok(()) } else { Err(format!("subnet/netmask '{text}' could not be parsed")) }
            }
            _ => Err("subnet must be a constant string".to_owned()),
        }
    }

    /// `{ 'a', 'b' }`, or a function that gives a list.
    fn list(&mut self) -> Result<(), String> {
        self.blanks();
        if !self.take(b"{") {
            let name = self.name().to_vec();
            if !(name.first().is_some_and(u8::is_ascii_alphabetic) && self.take(&name) && self.take(b"(")) {
                return unexpected(self.rest);
            }
            if !(self.tls && name.eq_ignore_ascii_case(b"PeerExtList")) {
                return Err(format!("Function '{}' does not exist", String::from_utf8_lossy(&name)));
            }
            let start = self.steps.len();
            self.blanks();
            self.word()?;
            self.steps.truncate(start);
            self.blanks();
            if !self.take(b")") {
                return unexpected(self.rest);
            }
            self.steps.push(Step::InList);
            return Ok(());
        }
        let mut rows = Vec::new();
        loop {
            let start = self.steps.len();
            self.blanks();
            self.word()?;
            rows.push(self.steps.split_off(start));
            self.blanks();
            if self.take(b"}") {
                self.steps.push(Step::OneOf(rows));
                return Ok(());
            }
            if !self.take(b",") {
                return unexpected(self.rest);
            }
        }
    }

    /// `/pattern/i` or `m#pattern#i`.
    fn pattern(&mut self, negated: bool) -> Result<(), String> {
        let mark = match self.rest {
            [b'/', ..] => 1,
            [b'm', mark, ..] if b"/#$%^,;:_?|-!.'\"".contains(mark) => 2,
            _ => return unexpected(self.rest),
        };
        let (&delimiter, inside) = (&self.rest[mark - 1], &self.rest[mark..]);
        let Some(end) = memchr::memchr(delimiter, inside) else { return unexpected(&[]) };
        let pattern = inside[..end].to_vec();
        self.rest = &inside[end + 1..];
        let ignore_case = self.take(b"i");
        if crate::pcre::fault(&pattern).is_some() {
            return Err("Failed to compile regular expression".to_owned());
        }
        self.steps.push(Step::Pattern { pattern, ignore_case, negated });
        Ok(())
    }

    /// A text: in quotes, a variable, a number, a function of another; several with `.` between them.
    fn word(&mut self) -> Result<(), String> {
        /// What is open around the text that is being read.
        enum Around {
            /// A function, whose parenthesis closes behind it.
            Function(Vec<u8>, usize),
            /// A text that this one is put behind.
            Joined,
        }
        let mut around = Vec::new();
        loop {
            if around.len() > DEEPEST {
                return Err("memory exhausted".to_owned());
            }
            self.blanks();
            match self.rest {
                [quote @ (b'"' | b'\''), rest @ ..] => {
                    let quote = *quote;
                    self.rest = rest;
                    let pieces = self.string(Some(quote))?;
                    self.steps.push(Step::Text(pieces));
                }
                [b'%', b'{', ..] => {
                    let piece = self.variable()?;
                    self.steps.push(Step::Text(vec![piece]));
                }
                [b'$', digit, rest @ ..] if digit.is_ascii_digit() => {
                    self.rest = rest;
                    self.steps.push(Step::Text(vec![Piece::Capture(Some(digit - b'0'))]));
                }
                [first, ..] if first.is_ascii_digit() || *first == b'-' && self.rest.get(1).is_some_and(u8::is_ascii_digit) => {
                    let digits = self.rest[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    let (number, rest) = self.rest.split_at(digits + 1);
                    self.steps.push(Step::Text(vec![Piece::Text(number.to_vec())]));
                    self.rest = rest;
                }
                [first, ..] if first.is_ascii_alphabetic() => {
                    let name = self.name().to_vec();
                    self.rest = &self.rest[name.len()..];
                    self.blanks();
                    if !self.take(b"(") {
                        return Err(format!("{}, expecting '('", unexpected::<()>(self.rest).err().unwrap_or_default()));
                    }
                    self.known_function(&name)?;
                    around.push(Around::Function(name, self.steps.len()));
                    continue;
                }
                rest => return unexpected(rest),
            }
            // What stands around the text is done with, unless more is put behind it.
            loop {
                self.blanks();
                if self.take(b".") {
                    around.push(Around::Joined);
                    break;
                }
                match around.last() {
                    None => return Ok(()),
                    Some(Around::Joined) => {
                        self.steps.push(Step::Join);
                        around.pop();
                    }
                    Some(Around::Function(..)) => {
                        if !self.take(b")") {
                            return unexpected(self.rest);
                        }
                        if let Some(Around::Function(name, start)) = around.pop() {
                            self.call(name, start);
                        }
                    }
                }
            }
        }
    }

    /// Calls a function with the text from the step `start` on: what it looks up by a name becomes a piece of its own.
    fn call(&mut self, name: Vec<u8>, start: usize) {
        let looks_up = ["req", "http", "req_novary", "env", "reqenv", "note", "resp", "osenv", "SSL"];
        if !looks_up.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes())) {
            return self.steps.push(Step::Function(name));
        }
        let argument = match &self.steps[start..] {
            [Step::Text(pieces)] => written(pieces),
            _ => None,
        };
        self.steps.truncate(start);
        self.steps.push(Step::Text(vec![Piece::Looked(name, argument)]));
    }

    fn known_function(&self, name: &[u8]) -> Result<(), String> {
        let known = FUNCTIONS.iter().chain(&["ldap"]).any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
        if known || self.tls && name.eq_ignore_ascii_case(b"SSL") {
            return Ok(());
        }
        Err(format!("Function '{}' does not exist", String::from_utf8_lossy(name)))
    }

    /// `%{NAME}` or `%{function:text}`.
    fn variable(&mut self) -> Result<Piece, String> {
        self.rest = &self.rest[2..];
        let name = self.name().to_vec();
        if !name.first().is_some_and(u8::is_ascii_alphabetic) {
            return match self.rest.first() {
                Some(b'}') => Err("syntax error, unexpected T_VAR_END, expecting T_ID".to_owned()),
                Some(&byte) => Err(format!("Invalid character in variable name '{}'", char::from(byte))),
                None => Err("syntax error, unexpected T_ERROR, expecting T_ID: Unterminated string or variable".to_owned()),
            };
        }
        self.rest = &self.rest[name.len()..];
        if self.take(b"}") {
            let known = VARIABLES.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
            let is_tls = self.tls && name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SSL_"));
            return if known || is_tls {
                Ok(Piece::Variable(name))
            } else {
                Err(format!("Variable '{}' does not exist", String::from_utf8_lossy(&name)))
            };
        }
        if self.take(b":") {
            self.known_function(&name)?;
            let pieces = self.string(Some(b'}'))?;
            if pieces.is_empty() {
                return Err("syntax error, unexpected T_VAR_END".to_owned());
            }
            return Ok(Piece::Looked(name, written(&pieces)));
        }
        match self.rest.first() {
            Some(&byte) => Err(format!("Invalid character in variable name '{}'", char::from(byte))),
            None => Err("Unterminated string or variable".to_owned()),
        }
    }

    /// A text up to its end: a quote, the brace of a variable, or the end of everything. Variables inside variables are let be.
    fn string(&mut self, end: Option<u8>) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::new();
        let mut text = Vec::new();
        let unterminated = || Err("Unterminated string or variable".to_owned());
        let mut depth = 0usize;
        loop {
            let Some((&byte, rest)) = self.rest.split_first() else {
                if end.is_some() {
                    return unterminated();
                }
                break;
            };
            if Some(byte) == end && depth == 0 {
                self.rest = rest;
                break;
            }
            match (byte, rest) {
                (b'\n', _) if end.is_some() => return unterminated(),
                (b'\\', [next, after @ ..]) => {
                    self.rest = after;
                    match next {
                        b'0'..=b'7' => {
                            let digits = rest.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
                            let value = rest[..digits].iter().fold(0u32, |sum, digit| sum * 8 + u32::from(digit - b'0'));
                            let Ok(value) = u8::try_from(value) else { return Err("Escape sequence out of bound".to_owned()) };
                            text.push(value);
                            self.rest = &rest[digits..];
                        }
                        b'8' | b'9' => return Err("Bad escape sequence".to_owned()),
                        b'n' => text.push(b'\n'),
                        b'r' => text.push(b'\r'),
                        b't' => text.push(b'\t'),
                        b'b' => text.push(8),
                        b'f' => text.push(12),
                        other => text.push(*other),
                    }
                }
                (b'$', [digit, after @ ..]) if digit.is_ascii_digit() => {
                    push_text(&mut pieces, &mut text);
                    pieces.push(Piece::Capture(Some(digit - b'0')));
                    self.rest = after;
                }
                // What is looked up by a text with variables in it is not known; only its end matters.
                (b'%', [b'{', after @ ..]) if end == Some(b'}') => {
                    push_text(&mut pieces, &mut text);
                    pieces.push(Piece::Capture(None));
                    depth += 1;
                    self.rest = after;
                }
                (b'}', after) if depth > 0 => {
                    depth -= 1;
                    self.rest = after;
                }
                (b'%', [b'{', ..]) => {
                    push_text(&mut pieces, &mut text);
                    let piece = self.variable()?;
                    pieces.push(piece);
                }
                (byte, after) => {
                    text.push(byte);
                    self.rest = after;
                }
            }
        }
        push_text(&mut pieces, &mut text);
        Ok(pieces)
    }
}

fn push_text(pieces: &mut Vec<Piece>, text: &mut Vec<u8>) {
    if !text.is_empty() {
        pieces.push(Piece::Text(std::mem::take(text)));
    }
}

/// The text of pieces that are written out.
fn written(pieces: &[Piece]) -> Option<Vec<u8>> {
    match pieces {
        [] => Some(Vec::new()),
        [Piece::Text(text)] => Some(text.clone()),
        _ => None,
    }
}

/// Whether `apr_ipsubnet_create` takes a text: an address with a mask, or the beginning of one.
pub(super) fn is_network(text: &str) -> bool {
    use std::net::IpAddr;
    let (base, mask) = text.split_once('/').map_or((text, None), |(base, mask)| (base, Some(mask)));
    if let Ok(base) = base.parse::<IpAddr>() {
        let bits = if base.is_ipv4() { 32 } else { 128 };
        return mask.is_none_or(|mask| {
            let is_number = !mask.is_empty() && mask.bytes().all(|byte| byte.is_ascii_digit());
            is_number && mask.parse::<u32>().is_ok_and(|mask| (1..=bits).contains(&mask))
                || base.is_ipv4() && mask.parse::<std::net::Ipv4Addr>().is_ok()
        });
    }
    let parts: Vec<&str> = base.strip_suffix('.').unwrap_or(base).split('.').collect();
    mask.is_none()
        && (1..=3).contains(&parts.len())
        && parts.iter().all(|part| {
            !part.is_empty() && part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit()) && part.parse::<u8>().is_ok()
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> String {
        let shown = |step: &Step| match step {
            Step::Binary(name) => String::from_utf8_lossy(name).into_owned(),
            Step::Unary(letter) => format!("-{}", char::from(*letter)),
            other => format!("{other:?}").split([' ', '(']).next().unwrap_or_default().to_owned(),
        };
        match condition(text.as_bytes(), false) {
            Ok(steps) => steps.iter().map(shown).collect::<Vec<_>>().join(" "),
            Err(why) => why,
        }
    }

    #[test]
    fn operators_follow_their_operands() {
        assert_eq!(steps("%{HTTP:Upgrade} == 'websocket'"), "Text Text ==");
        assert_eq!(steps("tolower(%{HTTP:Upgrade}) == 'websocket'"), "Text Function Text ==");
        assert_eq!(steps("%{REQUEST_URI} =~ m#^/ws#"), "Text Pattern");
        assert_eq!(steps("true || false && ! (true)"), "Truth Truth Truth Not And Or");
        assert_eq!(steps("not true and false"), "Truth Not Truth And");
        assert_eq!(steps("%{HTTP:Upgrade} -eq 1"), "Text Text eq");
        assert_eq!(steps("%{HTTP_HOST} in { 'a', 'b' }"), "Text OneOf");
        assert_eq!(steps("-z req('Upgrade') && -R '10.0.0.0/8'"), "Text -z Text -R And");
        assert_eq!(steps("'a' . toupper('b') . 'c' == 'aBc'"), "Text Text Function Text Join Join Text ==");
    }

    #[test]
    fn what_httpd_does_not_take_is_not_taken() {
        for text in [
            "",
            "what is this",
            "(true",
            "true)",
            "%{HTTP:Upgrade} ==",
            "%{X} == 'a'",
            "'a' == 'b",
            "%{HTTP:} == ''",
            "nofunc('a')",
        ] {
            assert!(condition(text.as_bytes(), false).is_err(), "{text}");
        }
        assert!(condition(b"%{REQUEST_URI} =~ /(/", false).is_err() && condition(b"-R 'x'", false).is_err());
        assert!(condition(b"'a' -nope 'b'", false).is_err() && condition(b"-q 'b'", false).is_err());
        assert!(string(b"%{", false).is_err() && string(b"a%b", false).is_ok());
    }
}
