//! `docs/protocol.md` is complete, and what it names exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const DOCUMENT: &str = include_str!("../../docs/protocol.md");

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Everything in the package that may cite a rule.
fn sources() -> Vec<(PathBuf, String)> {
    let mut sources = Vec::new();
    let mut folders = ["src", "tests", "examples", "dev-server", "differential", "fuzz"]
        .map(|folder| package().join(folder))
        .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is = |name: &str| path.extension().is_some_and(|extension| extension == name);
            if path.is_dir() {
                if !path.ends_with("target") && !path.ends_with("node_modules") {
                    folders.push(path);
                }
            } else if is("rs") || is("md") || is("json") {
                let text = std::fs::read_to_string(&path).unwrap();
                sources.push((path, text));
            }
        }
    }
    sources
}

/// The numbers that a text cites: `P-120`, `T44`, and all between the ends of `T01-T15` and `P-075..P-090`.
fn cited(text: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (prefix, digits) in [("P-", 3), ("T", 2)] {
        let mut last: Option<(usize, usize)> = None;
        for (start, _) in text.match_indices(prefix) {
            let (from, end) = (start + prefix.len(), start + prefix.len() + digits);
            let Some(number) = text.get(from..end) else { continue };
            let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            if !number.bytes().all(|byte| byte.is_ascii_digit())
                || inside(text[..start].chars().next_back())
                || inside(text[end..].chars().next())
            {
                continue;
            }
            let number: usize = number.parse().unwrap();
            let first = last
                .filter(|(before, _)| matches!(&text[*before..start], ".." | "-"))
                .map_or(number, |(_, first)| first);
            all.extend((first..=number).map(|number| format!("{prefix}{number:0digits$}")));
            last = Some((end, number));
        }
    }
    all
}

/// The numbers that the names of functions begin with: `t07_t08_methods_and_paths`.
fn cited_by_names(text: &str) -> BTreeSet<String> {
    let names = text.lines().filter_map(|line| line.trim().split_once("fn ").map(|(_, name)| name));
    let number = |part: &str| -> Option<String> {
        let digits = part.get(1..)?;
        let numbered = digits.bytes().all(|byte| byte.is_ascii_digit());
        match (part.get(..1)?, digits.len()) {
            ("p", 3) if numbered => Some(format!("P-{digits}")),
            ("t", 2) if numbered => Some(format!("T{digits}")),
            _ => None,
        }
    };
    names.flat_map(|name| name.split('_').map_while(number)).collect()
}

/// The entries of the document: the rows of its tables, and the list of rules that no test holds.
fn entries() -> Vec<(&'static str, &'static str)> {
    let starts = |line: &'static str| {
        let entry = line.strip_prefix("| ").or_else(|| line.strip_prefix("- "))?;
        let number = entry.split([' ', ':']).next()?;
        cited(number).contains(number).then_some((number, line))
    };
    let parts = DOCUMENT.split("Parts of rules that no test looks at:").next();
    parts.unwrap().lines().filter_map(starts).collect()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_number_that_is_cited_has_one_entry() {
    let entries = entries();
    let known: BTreeSet<_> = entries.iter().map(|(number, _)| (*number).to_owned()).collect();
    assert_eq!(known.len(), entries.len(), "an entry stands twice");
    for (path, text) in sources() {
        let numbers = cited(&text).into_iter().chain(cited_by_names(&text));
        let missing: Vec<_> = numbers.filter(|number| !known.contains(number)).collect();
        assert!(missing.is_empty(), "{}: docs/protocol.md lacks {missing:?}", path.display());
    }
}

#[test]
fn every_row_names_a_test() {
    for (number, line) in entries() {
        let held_by = line.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let tested = quoted(held_by).any(|name| name.contains("::"));
        assert!(tested || line.starts_with("- "), "no test is named for {number}");
    }
}

#[test]
fn every_file_and_test_that_is_named_exists() {
    for name in quoted(DOCUMENT) {
        let (file, test) = name.split_once("::").map_or((name, None), |(f, t)| (f, Some(t)));
        let file = match (file.strip_prefix("dev-server/"), test) {
            _ if file.ends_with(".rs") => file.to_owned(),
            (_, None) => continue,
            (Some(module), _) => format!("dev-server/tests/it/{module}.rs"),
            (None, _) => format!("tests/it/{file}.rs"),
        };
        let source = std::fs::read_to_string(package().join(&file));
        let source = source.unwrap_or_else(|error| panic!("{file}, for `{name}`: {error}"));
        if let Some(test) = test {
            assert!(source.contains(&format!("fn {test}(")), "{file} has no test `{test}`");
        }
    }
}

/// The dead links of a package are found by those who have nothing but the package.
#[test]
fn what_the_readme_leads_to_is_in_the_package() {
    let manifest = include_str!("../../Cargo.toml");
    let packed = manifest.split_once("include = [").unwrap().1.split(']').next().unwrap();
    let packed: Vec<_> = packed.split('"').skip(1).step_by(2).collect();
    for (from, text) in [
        ("README.md", include_str!("../../README.md")),
        ("CHANGELOG.md", include_str!("../../CHANGELOG.md")),
        ("docs/protocol.md", DOCUMENT),
    ] {
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            assert!(package().join(link).exists(), "{from} leads to {link}, which does not exist");
            let is_packed = packed.iter().any(|part| format!("/{link}").starts_with(part));
            assert!(is_packed, "{from} leads to {link}, which is not in the package");
        }
    }
}

#[test]
fn ranges_and_look_alikes_are_recognised() {
    let numbers = |text| cited(text).into_iter().collect::<Vec<_>>();
    assert_eq!(
        numbers("T01-T03, (P-075..P-077)"),
        ["P-075", "P-076", "P-077", "T01", "T02", "T03"]
    );
    assert_eq!(numbers("2026-11-22T12:05 T1 T123 P-12 XP-123 sT12"), [""; 0]);
    assert_eq!(
        cited_by_names("async fn t07_p001_methods_t99(").into_iter().collect::<Vec<_>>(),
        ["P-001", "T07"]
    );
}
