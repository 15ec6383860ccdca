//! Rust source with everything blanked that is not code, so that simple searches are right.

/// Code of one file: comments and the insides of literals are spaces, lines are where they were.
#[derive(Debug)]
pub struct Source {
    pub code: String,
    /// For each line (from 0), whether it stands inside an item marked `#[cfg(test)]`.
    pub in_test: Vec<bool>,
}

impl Source {
    pub fn parse(text: &str) -> Self {
        let code = blank(text);
        let in_test = test_lines(&code);
        Self { code, in_test }
    }

    /// Number of the line, from 0, in which the byte stands.
    pub fn line_of(&self, position: usize) -> usize {
        self.code.as_bytes()[..position]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
    }

    pub fn is_test(&self, position: usize) -> bool {
        self.in_test
            .get(self.line_of(position))
            .copied()
            .unwrap_or(false)
    }
}

/// Position of the brace that closes the one at `open`.
pub fn closing_brace(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (offset, byte) in code.as_bytes()[open..].iter().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some(open + offset),
            b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
    }
    None
}

/// Whether the byte can be part of a name.
pub fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Positions at which `word` stands as a whole word.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = code.as_bytes();
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| {
            let free_before = at == 0 || !is_name_byte(bytes[at - 1]);
            let free_after = bytes
                .get(at + word.len())
                .is_none_or(|next| !is_name_byte(*next));
            free_before && free_after
        })
}

fn test_lines(code: &str) -> Vec<bool> {
    let line_count = code.lines().count();
    let mut in_test = vec![false; line_count];
    let line_at = |position: usize| code[..position].matches('\n').count();

    for (at, _) in code.match_indices("#[cfg(test)]") {
        let from = at + "#[cfg(test)]".len();
        let Some(end) = code[from..].find(['{', ';']).map(|offset| from + offset) else {
            continue;
        };
        let last = if code.as_bytes()[end] == b'{' {
            closing_brace(code, end).unwrap_or(code.len() - 1)
        } else {
            end
        };
        for line in &mut in_test[line_at(at)..=line_at(last)] {
            *line = true;
        }
    }
    in_test
}

/// Blanks comments, strings and characters; keeps every newline and the length in bytes.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;

    while at < bytes.len() {
        let end = literal_end(bytes, at);
        if end == at {
            // Bytes of non-ASCII names are kept as they are; the code stays valid UTF-8.
            code.push(bytes[at]);
            at += 1;
        } else {
            let hidden = bytes[at..end]
                .iter()
                .map(|byte| if *byte == b'\n' { b'\n' } else { b' ' });
            code.extend(hidden);
            at = end;
        }
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// End of the comment or literal that begins at `at`; `at` itself when none does.
fn literal_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return end_of_line(bytes, at);
    }
    if rest.starts_with(b"/*") {
        return end_of_block_comment(bytes, at);
    }
    if rest[0] == b'"' {
        return end_of_string(bytes, at);
    }
    if rest[0] == b'\'' {
        return end_of_character(bytes, at);
    }
    let begins_word = at == 0 || !is_name_byte(bytes[at - 1]);
    if rest[0] == b'r' || rest.starts_with(b"br") {
        let hashes_from = at + if rest[0] == b'r' { 1 } else { 2 };
        if begins_word {
            return end_of_raw_string(bytes, hashes_from).unwrap_or(at);
        }
    }
    at
}

fn end_of_line(bytes: &[u8], at: usize) -> usize {
    let offset = bytes[at..].iter().position(|byte| *byte == b'\n');
    offset.map_or(bytes.len(), |offset| at + offset)
}

fn end_of_block_comment(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0usize;
    let mut at = start;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// A quote begins a character only when it is closed; else it is a lifetime.
fn end_of_character(bytes: &[u8], start: usize) -> usize {
    let Some(&first) = bytes.get(start + 1) else {
        return start;
    };
    if first == b'\\' {
        let closing = bytes.iter().skip(start + 3).position(|byte| *byte == b'\'');
        return closing.map_or(bytes.len(), |offset| start + 3 + offset + 1);
    }
    let width = match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    };
    match bytes.get(start + 1 + width) {
        Some(b'\'') => start + width + 2,
        _ => start,
    }
}

fn end_of_raw_string(bytes: &[u8], hashes_from: usize) -> Option<usize> {
    let hashes = bytes[hashes_from..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let open = hashes_from + hashes;
    if bytes.get(open) != Some(&b'"') {
        return None;
    }

    let closing: Vec<u8> = std::iter::once(b'"')
        .chain(std::iter::repeat_n(b'#', hashes))
        .collect();
    let offset = bytes[open + 1..]
        .windows(closing.len())
        .position(|window| window == closing);
    Some(offset.map_or(bytes.len(), |offset| open + 1 + offset + closing.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_kept() {
        let text = "let a = \"{ // \\\" }\"; // {\n/* { /* } */\n */ b('{', b'\\'', 'x')";
        let code = Source::parse(text).code;

        assert_eq!(code.len(), text.len());
        assert_eq!(code.matches('\n').count(), 2);
        assert!(!code.contains('{') && !code.contains('}'));
        assert!(code.contains("let a =") && code.contains("b("));
    }

    #[test]
    fn raw_strings_end_at_their_own_quote() {
        let code = Source::parse("f(r#\"a \" } \"#, br\"}\", r\"\\\") }").code;
        assert_eq!(code.matches('}').count(), 1);
        assert!(code.ends_with(") }"));
    }

    #[test]
    fn lifetimes_are_not_characters() {
        let text = "fn f<'a, 'b>(x: &'a str) -> &'b str { 'outer: loop {} }";
        assert_eq!(Source::parse(text).code, text);
    }

    #[test]
    fn names_that_end_in_r_do_not_begin_raw_strings() {
        let code = Source::parse("var\"}\" r").code;
        assert!(code.starts_with("var"));
        assert!(!code.contains('}'));
    }

    #[test]
    fn items_marked_as_tests_are_known_by_line() {
        let source =
            Source::parse("fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n");
        assert_eq!(source.in_test, [false, true, true, true, true, false]);
    }

    #[test]
    fn braces_are_matched() {
        assert_eq!(closing_brace("a { b { } } c", 2), Some(10));
        assert_eq!(closing_brace("a { b", 2), None);
    }
}
