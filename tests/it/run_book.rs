//! `docs/operations.md` has an entry for each finding of `doctor`.

use std::path::Path;

fn read(file: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// What `doctor`, the log and the page say in the same words stands with the systems that it is said of.
const SHARED: [&str; 4] =
    ["src/erp/error.rs", "src/amocrm/port.rs", "src/amocrm/api/answer.rs", "src/db/mod.rs"];

/// The code of `doctor`, without comments and tests.
fn code() -> String {
    let folder = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/doctor"));
    let files = folder.unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|file| file.is_file() && !file.ends_with("tests.rs"));
    // What the page says in the same words stands where both find it.
    let shared = ["src/erp/error.rs", "src/amocrm/port.rs"];
    let shared = shared.map(|file| Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
    let files = files.chain(shared);
    let texts = files.map(|file| std::fs::read_to_string(file).unwrap());
    let code = texts.map(|text| text.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned());
    let code: String = code.chain(SHARED.map(read)).collect();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| line.to_owned() + "\n")
        .collect()
}

/// What follows until `end`, outside of all brackets and texts, or until a bracket closes that was not opened here.
fn until(text: &str, end: char) -> &str {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => return &text[..at],
            ')' | ']' | '}' => depth -= 1,
            c if c == end && depth == 0 => return &text[..at],
            _ => {}
        }
    }
    text
}

/// The texts in a piece of code that are sentences: the longest part of each that has no values in it.
fn sentences(code: &str) -> Vec<String> {
    let code = code.replace("\\\"", "'");
    let texts = code.split('"').skip(1).step_by(2);
    let texts = texts.map(|text| {
        let lines: Vec<_> = text.split("\\\n").map(str::trim_start).collect();
        lines.concat()
    });
    let parts = texts.map(|text| {
        let parts = text.split(['{', '}']).step_by(2);
        parts.max_by_key(|part| part.len()).unwrap_or_default().trim().to_owned()
    });
    parts.filter(|part| part.matches(' ').count() >= 2).collect()
}

/// What `doctor` finds: the sentences that are shown when something is wrong.
fn findings(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for kind in ["Finding::warning(", "Finding::error("] {
        for call in code.split(kind).skip(1) {
            let check = until(call, ',');
            found.extend(sentences(until(&call[check.len() + 1..], ',')));
        }
    }
    for call in code.split("Trouble::new(").skip(1) {
        found.extend(sentences(until(call, ',')));
    }
    for statement in code.split("let message =").skip(1) {
        let value = until(statement, ';');
        let use_of_it: String = statement[value.len()..].chars().take(60).collect();
        if !use_of_it.contains("Finding::ok(") {
            found.extend(sentences(value));
        }
    }
    found
}

#[test]
fn the_run_book_has_every_finding_of_doctor() {
    let (code, book) = (code(), read("docs/operations.md"));
    let findings = findings(&code);
    assert!(findings.len() >= 35, "{findings:?}");
    let hook = read("src/amocrm/hook.rs");
    let states =
        hook.split("write!(f, \"").skip(1).filter_map(|rest| rest.split(['"', '{']).next());
    let states = states.map(|state| state.trim().to_owned());
    for finding in findings.into_iter().chain(
        states.filter(|state| state.matches(' ').count() > 2 && state != "the webhook is in place"),
    ) {
        assert!(book.contains(&finding), "docs/operations.md has no entry for: {finding}");
    }
}

#[test]
fn the_run_book_has_every_check_of_doctor() {
    let (code, book) = (code(), read("docs/operations.md"));
    let names = [
        "let check = \"",
        "const LOGIN: &str = \"",
        "const FIELDS: &str = \"",
        "const RIGHTS: &str = \"",
        "const MARKER: &str = \"",
        "const CHECK: &str = \"",
        "Finding::warning(\n",
        "Finding::error(\n",
    ];
    for name in names {
        for rest in code.split(name).skip(1) {
            let name = rest.trim_start().trim_start_matches('"').split('"').next().unwrap();
            if name.len() < 25 && !name.contains(['(', ',', '{']) {
                let cell = format!("`{name}`");
                let mut rows = book.lines().filter_map(|line| line.strip_prefix("| "));
                let has_row = rows.any(|row| row.split(" | ").next().unwrap().contains(&cell));
                assert!(has_row, "docs/operations.md has no row for: {name}");
            }
        }
    }
}
