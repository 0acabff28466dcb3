//! The documents name files that exist, and both READMEs have the same commands.

use std::path::{Path, PathBuf};

/// Everything in the repository, relative to its root.
fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let built = ["target", ".git", "node_modules"].iter().any(|name| path.ends_with(name));
            if path.is_dir() && !built {
                folders.push(path.clone());
            }
            files.push(path.strip_prefix(root).unwrap().to_owned());
        }
    }
    files
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn documents(files: &[PathBuf]) -> impl Iterator<Item = &PathBuf> {
    files.iter().filter(|file| {
        let place = file.parent().unwrap();
        file.extension().is_some_and(|extension| extension == "md")
            && ["", "deploy", "docs"].iter().any(|folder| place == Path::new(folder))
    })
}

/// The words of a text that can only be paths: those that begin with a folder of the root, and names of Rust files.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let part_of_path = |c: char| c.is_ascii_alphanumeric() || "_-./:".contains(c);
    let words = text.split(move |c: char| !part_of_path(c));
    let words = words
        .map(|word| word.trim_start_matches("../").trim_matches(['/', ':']).trim_end_matches('.'));
    words.filter(|word| {
        let first = word.split_once('/').map(|(first, _)| first);
        let folders = [
            ".ci",
            "contract",
            "deploy",
            "docs",
            "functions",
            "inngest",
            "sandbox",
            "src",
            "tests",
        ];
        // A function that docs/adding-a-function.md adds as an example, and files that deploy/README.md has its readers make.
        let example = word.ends_with("congratulate.rs") || word.ends_with(".env");
        !example && (first.is_some_and(|first| folders.contains(&first)) || word.ends_with(".rs"))
    })
}

#[test]
fn every_path_that_a_document_names_exists() {
    let files = files();
    for document in documents(&files) {
        let text = read(document);
        for path in paths(&text) {
            // The name of a Rust file may stand alone, where its folder is clear from the context.
            let found = files.iter().any(|file| {
                file == Path::new(path) || path.ends_with(".rs") && file.ends_with(path)
            });
            assert!(found, "{}: there is no {path}", document.display());
        }
    }
}

#[test]
fn every_link_of_a_document_leads_somewhere() {
    let files = files();
    for document in documents(&files) {
        let text = read(document);
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.starts_with("https://")) {
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let place = match file {
                "" => root.join(document),
                file => root.join(document).parent().unwrap().join(file),
            };
            assert!(place.exists(), "{}: {target} leads nowhere", document.display());
            if !heading.is_empty() {
                let text = std::fs::read_to_string(place).unwrap();
                let headings = text.lines().filter(|line| line.starts_with('#'));
                let mut anchors = headings.map(|line| {
                    line.trim_start_matches(['#', ' ']).to_lowercase().replace(' ', "-")
                });
                assert!(anchors.any(|anchor| anchor == heading), "{target}: no such heading");
            }
        }
    }
}

/// The code blocks of a text: commands, what they print, settings.
fn blocks(text: &str) -> Vec<&str> {
    text.split("\n```").skip(1).step_by(2).collect()
}

/// The headings of a text by their depth.
fn outline(text: &str) -> Vec<usize> {
    let headings = text.split("\n```").step_by(2).flat_map(str::lines);
    headings.filter(|line| line.starts_with('#')).map(|line| line.find(' ').unwrap()).collect()
}

#[test]
fn both_readmes_have_the_same_code_blocks_and_headings() {
    let (english, russian) = (read(Path::new("README.md")), read(Path::new("README.ru.md")));
    assert!(blocks(&english).len() > 12);
    assert_eq!(blocks(&english), blocks(&russian));
    assert_eq!(outline(&english), outline(&russian));
}

/// A newcomer reads it in one go.
#[test]
fn the_readme_stays_short() {
    let lines = read(Path::new("README.md")).lines().count();
    assert!((120..=180).contains(&lines), "{lines}");
}

/// A protection that `.ci/mutations` takes away.
struct Protection {
    name: String,
    file: PathBuf,
    /// What it takes away.
    old: String,
    /// The test that fails then: where it is, and its name.
    test: String,
}

fn protections() -> Vec<Protection> {
    let list = read(Path::new(".ci/mutations.txt"));
    let entries = list.split("\n\n").filter(|entry| entry.starts_with("name: "));
    let protection = |entry: &str| {
        let value = |key: &str| {
            let lines = entry.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
            lines.collect::<Vec<_>>().join("\n")
        };
        Protection {
            name: value("name"),
            file: value("file").into(),
            old: value("old"),
            test: value("test"),
        }
    };
    entries.map(protection).collect()
}

#[test]
fn every_protection_is_where_the_list_of_mutations_says_and_has_its_test_and_a_line_in_the_document()
 {
    let (files, reliability) = (files(), read(Path::new("docs/reliability.md")));
    let tests = files.iter().filter(|file| file.extension().is_some_and(|e| e == "rs"));
    let tests: Vec<_> = tests.map(|file| read(file)).collect();
    let protections = protections();
    assert!(protections.len() >= 25, "{}", protections.len());
    for Protection { name, file, old, test } in protections {
        assert_eq!(read(&file).matches(&old).count(), 1, "{name}: {old}");
        let test = test.rsplit("::").next().unwrap();
        let function = format!("fn {test}()");
        assert!(tests.iter().any(|file| file.contains(&function)), "{name}: no {function}");
        assert!(reliability.contains(&format!("| {name} | `{test}` |\n")), "{name}: no line");
    }
}

#[test]
fn every_script_of_ci_begins_with_its_interpreter() {
    for script in ["contract", "deploy", "mutations", "postgres", "readme", "run"] {
        let text = read(&Path::new(".ci").join(script));
        assert!(text.starts_with("#!/usr/bin/env "), ".ci/{script}");
    }
}
