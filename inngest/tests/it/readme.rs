//! The table of the README: no rule is missing, and every test that it names exists.

use std::collections::BTreeSet;
use std::path::Path;

/// The rules that say *must* and are an SDK's to keep.
const MUST: &str = "P-001 P-002 P-003 P-004 P-005 P-006 P-008 P-009 P-010 P-011 P-013 P-016 P-017 P-018 P-021 P-022 P-023 P-024 P-025 P-026 P-032 P-034 P-036 P-043 P-045 P-050 P-054 P-055 P-060 P-065 P-066 P-067 P-070 P-075 P-079 P-084 P-085 P-094 P-095 P-099 P-101 P-103 P-107 P-110 P-111 P-119 P-124 P-136 P-151 P-158 P-169 P-174 P-185 P-190 P-192 P-196";

/// The names of all functions in the package's sources and tests.
fn functions() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(path).unwrap();
                let after = |line: &str| Some(line.trim().split_once("fn ")?.1.to_owned());
                let ends = |c: char| !c.is_alphanumeric() && c != '_';
                let name = |rest: String| rest.split(ends).next().unwrap_or_default().to_owned();
                names.extend(source.lines().filter_map(after).map(name));
            }
        }
    }
    names
}

#[test]
fn every_rule_has_a_test_that_exists() {
    let functions = functions();
    let readme = include_str!("../../README.md");
    let mut told = BTreeSet::new();
    for row in readme.lines().filter(|line| line.starts_with("| P-")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert!(told.insert(cells[1]), "{} is told twice", cells[1]);
        for test in cells[3].split(", ") {
            let name = test.trim_matches('`');
            assert!(functions.contains(name), "{}: there is no test `{name}`", cells[1]);
        }
    }
    let missing: Vec<_> = MUST.split(' ').filter(|rule| !told.contains(rule)).collect();
    assert!(missing.is_empty(), "no test is named for {missing:?}");
}

#[test]
fn every_test_of_the_list_exists() {
    let functions = functions();
    let names = |number: &str| {
        functions.iter().any(|function| function.split('_').any(|part| part == number))
    };
    let missing: Vec<_> =
        (1..=68).map(|n| format!("t{n:02}")).filter(|number| !names(number)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
