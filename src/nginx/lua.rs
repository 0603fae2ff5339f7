//! Where a block of Lua ends: the lexer of lua-nginx-module (`ngx_http_lua_lex.c`), which counts braces outside of strings and comments.

use memchr::{memchr, memchr3, memmem};

use super::lex::BUFFER;

/// Why the module refuses a block of Lua.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The file ends in it.
    EndOfFile,
    /// A stretch without strings, comments and braces does not fit the buffer.
    TooLong,
    /// A long bracket is not closed, or does not fit the buffer.
    LongBracket,
}

/// The inside of a block of Lua.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// The offset of the closing brace, or the end of the bytes.
    pub(super) end: usize,
    /// What is wrong with it first, and where.
    pub(super) fault: Option<(Fault, usize)>,
}

/// Finds the brace that closes the block of Lua whose inside begins at `start`.
pub(super) fn block(bytes: &[u8], start: usize) -> Block {
    let mut depth = 0usize;
    let mut at = start;
    // Where the stretch of plain text before `at` begins: a stretch must fit the server's buffer.
    let mut stretch = start;
    let mut fault = None;
    loop {
        let Some(found) = next_special(bytes, at) else {
            return Block { end: bytes.len(), fault: fault.or(Some((Fault::EndOfFile, start))) };
        };
        let after = match bytes[found] {
            b'{' => {
                depth += 1;
                found + 1
            }
            b'}' if depth == 0 => {
                note_stretch(&mut fault, stretch, found);
                return Block { end: found, fault };
            }
            b'}' => {
                depth -= 1;
                found + 1
            }
            quote @ (b'"' | b'\'') => string_end(bytes, found, quote),
            _ => match comment_or_bracket(bytes, found) {
                Some(Ok(end))
                    if end - found > BUFFER && bytes[found..].starts_with(b"[") || end_of_long_comment(bytes, found, end) =>
                {
                    fault.get_or_insert((Fault::LongBracket, found));
                    end
                }
                Some(Ok(end)) => end,
                Some(Err(())) => {
                    fault.get_or_insert((Fault::LongBracket, found));
                    bytes.len()
                }
                None => {
                    at = found + 1;
                    continue;
                }
            },
        };
        note_stretch(&mut fault, stretch, found);
        at = after;
        stretch = after;
    }
}

fn note_stretch(fault: &mut Option<(Fault, usize)>, from: usize, to: usize) {
    if to - from > BUFFER {
        fault.get_or_insert((Fault::TooLong, from));
    }
}

fn end_of_long_comment(bytes: &[u8], start: usize, end: usize) -> bool {
    end - start > BUFFER && bytes[start..].starts_with(b"--[")
}

fn next_special(bytes: &[u8], at: usize) -> Option<usize> {
    bytes[at..].iter().position(|byte| matches!(byte, b'{' | b'}' | b'"' | b'\'' | b'[' | b'-')).map(|found| at + found)
}

/// One past the closing quote of the string that opens at `start`; a string without one ends with its line.
fn string_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut at = start + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr3(quote, b'\\', b'\n', rest)) {
        at += found;
        match bytes[at] {
            b'\\' => at += 2,
            b'\n' => return at,
            _ => return at + 1,
        }
    }
    bytes.len()
}

/// One past a comment or a long bracket that begins at `start`; `Err` for a long bracket that is not closed.
fn comment_or_bracket(bytes: &[u8], start: usize) -> Option<Result<usize, ()>> {
    let rest = &bytes[start..];
    if let Some(inside) = rest.strip_prefix(b"--") {
        let line_end = || start + memchr(b'\n', rest).unwrap_or(rest.len());
        return Some(long_bracket_end(bytes, bytes.len() - inside.len()).unwrap_or_else(|| Ok(line_end())));
    }
    if rest.starts_with(b"[") { long_bracket_end(bytes, start) } else { None }
}

/// One past `]==]` where `[==[` stands at `start`.
fn long_bracket_end(bytes: &[u8], start: usize) -> Option<Result<usize, ()>> {
    let inside = bytes[start..].strip_prefix(b"[")?;
    let level = inside.iter().take_while(|&&byte| byte == b'=').count();
    if inside.get(level) != Some(&b'[') {
        return None;
    }
    let text = start + level + 2;
    let end = memmem::find_iter(&bytes[text..], b"]").find_map(|found| {
        let closing = &bytes[text + found + 1..];
        let same = closing.len() > level && closing[..level].iter().all(|&byte| byte == b'=') && closing[level] == b']';
        same.then_some(text + found + level + 2)
    });
    Some(end.ok_or(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str) -> usize {
        let block = block(text.as_bytes(), 0);
        assert_eq!(block.fault, None, "{text}");
        block.end
    }

    #[test]
    fn braces_in_strings_comments_and_long_brackets_do_not_count() {
        for inside in [
            "local t = { a = { } }",
            r#"ngx.say("}", '\'}')"#,
            "-- don't } stop\nreturn",
            "--[[ } \n ]] x = [[ } ]]",
            "x = [==[ ]] } ]=] ]==]",
            "a = b[c[1]] - 1 # $x ;",
        ] {
            assert_eq!(end(&format!("{inside}}} more }}")), inside.len(), "{inside}");
        }
    }

    #[test]
    fn what_does_not_end_is_a_fault() {
        assert_eq!(block(b"a = 1", 0).fault, Some((Fault::EndOfFile, 0)));
        assert_eq!(block(b"a = [[ } ", 0).fault, Some((Fault::LongBracket, 4)));
        let long = format!("{}}}", "x = 1\n".repeat(1000));
        assert_eq!(block(long.as_bytes(), 0), Block { end: long.len() - 1, fault: Some((Fault::TooLong, 0)) });
    }
}
