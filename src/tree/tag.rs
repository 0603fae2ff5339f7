//! Which tags of a template begin a part that may be left out, and which end one.

/// By how much a tag changes the number of parts around what follows that may be left out: 1 begins one, -1 ends one, 0 does neither, as
/// `else`, which ends one and begins another, comments and assignments.
#[must_use]
pub fn nesting(tag: &[u8]) -> i32 {
    const BEGIN: [&[u8]; 14] = [
        b"if", b"for", b"range", b"with", b"unless", b"each", b"foreach", b"while", b"case", b"macro", b"filter", b"ifdef",
        b"define", b"block",
    ];
    let inside = |byte: &u8| !matches!(byte, b'{' | b'%' | b'<' | b'-' | b'~' | b'+') && !byte.is_ascii_whitespace();
    if tag.starts_with(b"{#") || tag.starts_with(b"<%#") {
        return 0;
    }
    let Some(start) = tag.iter().position(inside) else { return 0 };
    let code = &tag[start..];
    // JavaScript and EPP have braces: `<% if (x) { %>`, `<% } else { %>`, `<% } %>`.
    if tag.starts_with(b"<%") {
        let code = code.strip_suffix(b"%>").unwrap_or(code);
        let code = code.strip_suffix(b"-").unwrap_or(code).trim_ascii_end();
        match (code.starts_with(b"}"), code.ends_with(b"{") || code.ends_with(b"|")) {
            (true, true) => return 0,
            (true, false) => return -1,
            (false, true) => return 1,
            (false, false) => {}
        }
    }
    let length = code.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    match code[0] {
        // Mustache.
        b'#' | b'^' => 1,
        b'/' if code.get(1) != Some(&b'*') => -1,
        _ if code[..length].starts_with(b"end") => -1,
        _ => i32::from(BEGIN.contains(&&code[..length])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_begin_and_end() {
        for tag in [
            "{% if x %}",
            "{%- for a in b -%}",
            "{{ if .X }}",
            "{{- range .Y }}",
            "<% if @x -%>",
            "<% if (a) { %>",
            "<% @x.each do |y| %>",
            "{{#x}}",
            "{{^x}}",
        ] {
            assert_eq!(nesting(tag.as_bytes()), 1, "{tag}");
        }
        for tag in ["{% endif %}", "{%- endfor -%}", "{{ end }}", "{{- end -}}", "<% end -%>", "<%\n}\n%>", "<% } -%>", "{{/x}}"]
        {
            assert_eq!(nesting(tag.as_bytes()), -1, "{tag}");
        }
        for tag in [
            "{% else %}",
            "{{ else if .Y }}",
            "<% } else { %>",
            "<% else %>",
            "{# if #}",
            "<%# if x %>",
            "{{/* if */}}",
            "{% set x = 1 %}",
            "{{ $x := 1 }}",
            "{{! x }}",
            "{%%}",
        ] {
            assert_eq!(nesting(tag.as_bytes()), 0, "{tag}");
        }
    }
}
