//! The rules of the house (docs: how the code reads), one function each.

use crate::source::{Source, closing_brace, is_name_byte, words};

const MAX_FILE_LINES: usize = 600;
const MAX_TEST_FILE_LINES: usize = 1_000;
const MAX_FUNCTION_LINES: usize = 70;

/// Findings of one file, each as `path:line: what`. Generated files are not judged.
pub fn check(path: &str, text: &str) -> Vec<String> {
    if is_generated(text) {
        return Vec::new();
    }

    let source = Source::parse(text);
    let mut findings = Vec::new();
    findings.extend(file_length(path, text));
    findings.extend(function_lengths(&source));
    if is_product_code(path) {
        findings.extend(unwraps(&source));
    }
    if path.starts_with("crates/state/") {
        findings.extend(wide_fields(&source));
    }
    if path.starts_with("programs/keel/src/instructions") {
        findings.extend(arithmetic(&source));
    }

    findings.sort();
    findings
        .into_iter()
        .map(|finding| format!("{path}:{}: {}", finding.line, finding.what))
        .collect()
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Finding {
    /// From 1, as editors count.
    line: usize,
    what: String,
}

impl Finding {
    fn at(source: &Source, position: usize, what: impl Into<String>) -> Self {
        Self {
            line: source.line_of(position) + 1,
            what: what.into(),
        }
    }
}

fn is_generated(text: &str) -> bool {
    text.lines()
        .take(5)
        .any(|line| line.starts_with("//") && line.contains("@generated"))
}

fn is_test_path(path: &str) -> bool {
    path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("/tests.rs")
}

fn is_product_code(path: &str) -> bool {
    (path.starts_with("crates/") || path.starts_with("programs/")) && !is_test_path(path)
}

fn file_length(path: &str, text: &str) -> Option<Finding> {
    let limit = if is_test_path(path) {
        MAX_TEST_FILE_LINES
    } else {
        MAX_FILE_LINES
    };
    let lines = text.lines().count();

    (lines > limit).then(|| Finding {
        line: limit + 1,
        what: format!("{lines} lines, {limit} allowed: split the file by idea"),
    })
}

fn function_lengths(source: &Source) -> Vec<Finding> {
    let code = &source.code;
    let mut findings = Vec::new();

    for start in words(code, "fn") {
        // A pointer type (`fn(u8)`) has no name, a trait's method may have no body.
        let Some(name) = name_after(code, start + 2) else {
            continue;
        };
        let Some(open) = body_start(code, start) else {
            continue;
        };
        let Some(close) = closing_brace(code, open) else {
            continue;
        };
        let lines = source.line_of(close) - source.line_of(start) + 1;
        if lines > MAX_FUNCTION_LINES {
            let what = format!("function {name} has {lines} lines, {MAX_FUNCTION_LINES} allowed");
            findings.push(Finding::at(source, start, what));
        }
    }
    findings
}

/// The name that follows spaces at `from`.
fn name_after(code: &str, from: usize) -> Option<&str> {
    let rest = code[from..].trim_start();
    let end = rest
        .bytes()
        .position(|byte| !is_name_byte(byte))
        .unwrap_or(rest.len());
    (end > 0 && rest.len() < code[from..].len()).then(|| &rest[..end])
}

/// The brace that opens a function's body; none for a declaration that ends in `;`.
fn body_start(code: &str, start: usize) -> Option<usize> {
    let mut nesting = 0i32;
    for (offset, byte) in code.as_bytes()[start..].iter().enumerate() {
        match byte {
            b'(' | b'[' => nesting += 1,
            b')' | b']' => nesting -= 1,
            b'{' if nesting == 0 => return Some(start + offset),
            b';' if nesting == 0 => return None,
            _ => {}
        }
    }
    None
}

fn unwraps(source: &Source) -> Vec<Finding> {
    source
        .code
        .match_indices(".unwrap()")
        .filter(|(at, _)| !source.is_test(*at))
        .map(|(at, _)| Finding::at(source, at, "`.unwrap()` outside tests"))
        .collect()
}

/// 128-bit integers in structs: their alignment differs between the host and the chain.
fn wide_fields(source: &Source) -> Vec<Finding> {
    let code = &source.code;
    let mut findings = Vec::new();

    for start in words(code, "struct") {
        if source.is_test(start) {
            continue;
        }
        let Some(end) = struct_end(code, start) else {
            continue;
        };
        let body = &code[start..end];
        for wide in ["u128", "i128"] {
            for at in words(body, wide) {
                let what = format!("{wide} in a stored struct: store two u64");
                findings.push(Finding::at(source, start + at, what));
            }
        }
    }
    findings
}

fn struct_end(code: &str, start: usize) -> Option<usize> {
    let first = code[start..].find(['{', ';'])? + start;
    if code.as_bytes()[first] == b'{' {
        closing_brace(code, first)
    } else {
        Some(first)
    }
}

/// Multiplication, division and remainder, as operators or methods: formulas live in `risk`.
fn arithmetic(source: &Source) -> Vec<Finding> {
    let code = &source.code;
    let mut findings = Vec::new();

    for (at, operator) in code.match_indices(['*', '/', '%']) {
        if !source.is_test(at) && (operator != "*" || is_multiplication(code, at)) {
            let what = format!("`{operator}` in an instruction: formulas live in crates/risk");
            findings.push(Finding::at(source, at, what));
        }
    }
    for family in ["_mul(", "_div(", "_rem(", "_pow("] {
        for (at, _) in code.match_indices(family) {
            if !source.is_test(at) && is_integer_method(code, at) {
                let method = family.trim_end_matches('(');
                let what = format!("`{method}` in an instruction: formulas live in crates/risk");
                findings.push(Finding::at(source, at, what));
            }
        }
    }
    findings
}

/// A `*` multiplies when a value stands before it; else it dereferences, globs or points.
fn is_multiplication(code: &str, at: usize) -> bool {
    let before = code[..at].trim_end();
    let Some(last) = before.bytes().last() else {
        return false;
    };
    if matches!(last, b')' | b']' | b'?') {
        return true;
    }
    if !is_name_byte(last) {
        return false;
    }

    let name_from = before
        .bytes()
        .rposition(|byte| !is_name_byte(byte))
        .map_or(0, |at| at + 1);
    let keyword_before_a_value = [
        "as", "break", "else", "if", "in", "match", "move", "mut", "return", "while",
    ];
    !keyword_before_a_value.contains(&&before[name_from..])
}

fn is_integer_method(code: &str, at: usize) -> bool {
    ["checked", "wrapping", "saturating", "overflowing"]
        .iter()
        .any(|kind| code[..at].ends_with(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTRUCTION: &str = "programs/keel/src/instructions/deposit.rs";

    fn function_of(lines: usize) -> String {
        format!("fn long(\n{}) {{}}\n", "    // line\n".repeat(lines - 2))
    }

    #[test]
    fn functions_of_more_than_70_lines_are_named() {
        assert!(check("demo/src/lib.rs", &function_of(70)).is_empty());
        assert_eq!(
            check("demo/src/lib.rs", &format!("\n{}", function_of(71))),
            ["demo/src/lib.rs:2: function long has 71 lines, 70 allowed"]
        );
    }

    #[test]
    fn braces_in_strings_do_not_end_a_function() {
        let text = format!("fn f() {{\n    g(\"}}\");\n{}}}\n", "    g();\n".repeat(70));
        assert_eq!(check("xtask/src/a.rs", &text).len(), 1);
    }

    #[test]
    fn declarations_and_pointer_types_have_no_length() {
        let text = format!(
            "trait T {{ fn a(&self) -> [u8; 4]; }}\ntype F = fn(u8) -> u8;\n{}",
            "\n".repeat(90)
        );
        assert!(check("demo/src/lib.rs", &text).is_empty());
    }

    #[test]
    fn files_are_limited_and_tests_may_be_longer() {
        let text = "//\n".repeat(601);
        assert_eq!(check("demo/src/lib.rs", &text).len(), 1);
        assert!(check("tests/tests/cases.rs", &text).is_empty());
        assert_eq!(
            check("tests/tests/cases.rs", &"//\n".repeat(1_001)).len(),
            1
        );
    }

    #[test]
    fn generated_files_are_not_judged() {
        let text = format!("// @generated by a tool\n{}", "//\n".repeat(2_000));
        assert!(check("demo/src/lib.rs", &text).is_empty());
    }

    #[test]
    fn unwrap_is_refused_in_the_product_and_allowed_in_tests() {
        let text = "fn f() { a.unwrap(); } // .unwrap()\n#[cfg(test)]\nmod tests { fn g() { a.unwrap(); } }\n";
        assert_eq!(
            check("crates/risk/src/lib.rs", text),
            ["crates/risk/src/lib.rs:1: `.unwrap()` outside tests"]
        );
        assert!(check("crates/risk/tests/a.rs", text).is_empty());
        assert!(check("demo/src/lib.rs", text).is_empty());
    }

    #[test]
    fn wide_integers_are_refused_in_stored_structs_only() {
        let text = "pub struct A { pub low: [u128; 2] }\nstruct B(i128);\nfn f(x: u128) -> i128 { x as i128 }\nstruct C;\n";
        assert_eq!(
            check("crates/state/src/a.rs", text),
            [
                "crates/state/src/a.rs:1: u128 in a stored struct: store two u64",
                "crates/state/src/a.rs:2: i128 in a stored struct: store two u64"
            ]
        );
        assert!(check("crates/risk/src/a.rs", text).is_empty());
    }

    #[test]
    fn instructions_neither_multiply_nor_divide() {
        for formula in [
            "a * b",
            "f(x) * 2",
            "a[0] * b",
            "a *= 2",
            "a / 2",
            "a % 2",
            "a\n    * b",
            "a.checked_mul(b)",
        ] {
            let text = format!("fn f() {{ let y = {formula}; }}");
            assert_eq!(check(INSTRUCTION, &text).len(), 1, "{formula}");
        }
    }

    #[test]
    fn a_star_that_does_not_multiply_is_allowed_in_instructions() {
        let text = "use a::*;\nfn f(p: *const u8, q: &mut u8) -> u8 { // a / b\n    *q = 1;\n    let x = (*q, *q);\n    if *q == 1 { return *q }\n    p as *const u16;\n    mul_div_down(1, 2, 3)\n}\n";
        assert_eq!(check(INSTRUCTION, text), Vec::<String>::new());
        assert!(check("crates/risk/src/a.rs", "fn f() { a * b }").is_empty());
    }
}
