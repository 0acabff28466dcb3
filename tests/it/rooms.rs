//! The modules of each package depend on each other in one direction: the rooms, and the files within a room. A module and
//! those within it may name each other.

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

/// Which modules each module in `folder` names, whose own path is `path`, as `inbox::read::` is.
fn imports(folder: &Path, path: &str) -> BTreeMap<String, BTreeSet<String>> {
    let root = ["lib.rs", "mod.rs"].map(|name| folder.join(name));
    let root = code(root.iter().find(|root| root.is_file()).unwrap());
    let exports = exports(&root);
    let is_module = |name: &str| {
        let exists = folder.join(name).is_dir() || folder.join(format!("{name}.rs")).is_file();
        exists && !root.contains(&format!("#[cfg(test)]\nmod {name};"))
    };
    let mut files = Vec::new();
    sources(folder, &mut files);
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let within = file.strip_prefix(folder).unwrap();
        let module = within.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        // The root of a folder holds its modules.
        if !is_module(module) || ["lib", "main", "mod"].contains(&module) {
            continue;
        }
        let levels = within.iter().count() - usize::from(within.ends_with("mod.rs"));
        let code = code(&file);
        for prefix in [format!("crate::{path}"), "super::".repeat(levels)] {
            let paths = code.match_indices(&prefix);
            let paths = paths.filter(|(at, _)| !code[..*at].ends_with("super::"));
            for name in paths.flat_map(|(at, _)| named(&code[at + prefix.len()..])) {
                let exported = || exports.get(name).copied().unwrap_or(name);
                let named = if is_module(name) { name } else { exported() };
                if named != module && is_module(named) {
                    imports.entry(module.to_owned()).or_default().insert(named.to_owned());
                }
            }
        }
    }
    imports
}

/// The modules that lead back to themselves, each with the one that does so.
fn circles(imports: &BTreeMap<String, BTreeSet<String>>) -> Vec<(&str, &str)> {
    let mut circles = Vec::new();
    for module in imports.keys() {
        let (mut reached, mut next) = (BTreeSet::new(), vec![module]);
        while let Some(this) = next.pop() {
            for named in imports.get(this).into_iter().flatten() {
                if named == module {
                    circles.push((module.as_str(), this.as_str()));
                }
                if reached.insert(named) {
                    next.push(named);
                }
            }
        }
    }
    circles
}

/// Looks at a folder of modules and at all within it. Returns how many modules name another one.
fn look(package: &str, folder: &Path, path: &str) -> usize {
    let imports = imports(folder, path);
    let found = circles(&imports);
    assert!(found.is_empty(), "{package}, {path}: these modules name each other: {found:?}");
    let within = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let within = within.filter(|path| path.join("mod.rs").is_file());
    let within = within.map(|folder| {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let of_tests = ["tests", "simulator"].contains(&name.as_str());
        if of_tests { 0 } else { look(package, &folder, &format!("{path}{name}::")) }
    });
    imports.len() + within.sum::<usize>()
}

#[test]
fn no_module_depends_on_itself_through_others() {
    for package in PACKAGES {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join(package).join("src");
        assert!(look(package, &src, "") > 4, "{package}: imports are found");
    }
}

#[test]
fn a_circle_is_found() {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let mut imports = BTreeMap::from([
        ("app".to_owned(), names(&["inbox", "deals"])),
        ("inbox".to_owned(), names(&["deals"])),
    ]);
    assert_eq!(circles(&imports), []);
    imports.insert("deals".to_owned(), names(&["inbox"]));
    assert_eq!(circles(&imports), [("deals", "inbox"), ("inbox", "deals")]);
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
