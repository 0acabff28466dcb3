//! The rooms of the service depend on each other in one direction.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

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

/// Which rooms each room names.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let (src, mut files) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), Vec::new());
    sources(&src, &mut files);
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let room = file.strip_prefix(&src).unwrap().iter().next().unwrap().to_str().unwrap();
        let room = room.trim_end_matches(".rs").to_owned();
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for import in code.split("crate::").skip(1) {
            let named = |letter: char| letter.is_ascii_lowercase() || letter == '_';
            let named: String = import.chars().take_while(|letter| named(*letter)).collect();
            let is_room =
                |name: &str| src.join(name).is_dir() || src.join(format!("{name}.rs")).is_file();
            if !named.is_empty() && named != room && is_room(&named) {
                imports.entry(room.clone()).or_default().insert(named);
            }
        }
    }
    imports
}

#[test]
fn no_room_depends_on_itself_through_others() {
    let imports = imports();
    assert!(imports["inbox"].contains("deals"), "imports are found");
    for room in imports.keys() {
        let (mut reached, mut next) = (BTreeSet::new(), vec![room]);
        while let Some(this) = next.pop() {
            for named in imports.get(this).into_iter().flatten().filter(|named| *named != this) {
                assert_ne!(named, room, "{this} closes a circle");
                if reached.insert(named) {
                    next.push(named);
                }
            }
        }
    }
}
