//! The rooms of each package, its modules at the top, depend on each other in one direction.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// All packages but the benchmarks, which have no library.
const PACKAGES: [&str; 5] = [".", "functions", "inngest", "inngest/dev-server", "sandbox"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // Tests may look everywhere.
        if ["tests", "tests.rs", "testing.rs", "simulator"].contains(&name) {
            continue;
        }
        if path.is_dir() { sources(&path, found) } else { found.push(path) }
    }
}

/// Without comments, whose links may point anywhere, and without the tests at the end.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// The word that `text` begins with.
fn word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The words of a list in braces that stand in no braces within it, each the beginning of a path; else the first word.
fn named(path: &str) -> Vec<&str> {
    let Some(list) = path.strip_prefix('{') else { return vec![word(path)] };
    let (mut depth, mut words, mut begins) = (0, Vec::new(), true);
    for (at, letter) in list.char_indices() {
        match letter {
            '}' if depth == 0 => break,
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => begins = true,
            letter if begins && !letter.is_whitespace() => {
                words.push(word(&list[at..]));
                begins = false;
            }
            _ => {}
        }
    }
    words
}

/// Which room the library shows a name from.
fn exports(library: &str) -> BTreeMap<&str, &str> {
    let mut exports = BTreeMap::new();
    for export in library.split("use ").skip(1) {
        if let Some((room, names)) = export.split(';').next().and_then(|path| path.split_once("::"))
        {
            let names = names.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
            exports.extend(names.filter(|name| !name.is_empty()).map(|name| (name, room)));
        }
    }
    exports
}

/// Which rooms each room of a package names.
fn imports(src: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let library = code(&src.join("lib.rs"));
    let exports = exports(&library);
    let is_room = |name: &str| {
        let exists = src.join(name).is_dir() || src.join(format!("{name}.rs")).is_file();
        exists && !library.contains(&format!("#[cfg(test)]\nmod {name};"))
    };
    let mut files = Vec::new();
    sources(src, &mut files);
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let room = file.strip_prefix(src).unwrap().iter().next().unwrap().to_str().unwrap();
        let room = room.trim_end_matches(".rs");
        // The root of a crate holds the rooms.
        if !is_room(room) || ["lib", "main"].contains(&room) {
            continue;
        }
        let code = code(&file);
        for name in code.split("crate::").skip(1).flat_map(named) {
            let named =
                if is_room(name) { name } else { exports.get(name).copied().unwrap_or(name) };
            if named != room && is_room(named) {
                imports.entry(room.to_owned()).or_default().insert(named.to_owned());
            }
        }
    }
    imports
}

#[test]
fn no_room_depends_on_itself_through_others() {
    for package in PACKAGES {
        let imports = imports(&Path::new(env!("CARGO_MANIFEST_DIR")).join(package).join("src"));
        assert!(!imports.is_empty(), "{package}: imports are found");
        for room in imports.keys() {
            let (mut reached, mut next) = (BTreeSet::new(), vec![room]);
            while let Some(this) = next.pop() {
                for named in imports.get(this).into_iter().flatten().filter(|named| *named != this)
                {
                    assert_ne!(named, room, "{package}: {this} closes a circle");
                    if reached.insert(named) {
                        next.push(named);
                    }
                }
            }
        }
    }
}

#[test]
fn a_name_in_a_list_and_a_name_that_the_library_shows_are_found() {
    let list = "{Context, engine::{Memo, step::{self, Run}}, json}";
    assert_eq!(named(list), ["Context", "engine", "json"]);
    assert_eq!(named("json::decode(x)"), ["json"]);
    let shown =
        exports("mod event;\npub use event::{Event,\n    Trigger};\npub use client::Client;\n");
    assert_eq!(
        (shown.get("Trigger"), shown.get("Client"), shown.get("mod")),
        (Some(&"event"), Some(&"client"), None)
    );
}
