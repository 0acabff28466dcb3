//! JSON read into types, with errors that name the field.

use serde::Deserialize;
use serde_json::Value;
use serde_path_to_error::Segment;

/// Reads an object. serde would also take an array for a struct; the real server does not.
pub(crate) fn object<'a, T: Deserialize<'a>>(value: &'a Value, name: &str) -> Result<T, String> {
    if !value.is_object() {
        let name = if name.is_empty() { "it".to_owned() } else { format!("`{name}`") };
        return Err(format!("{name} must be an object"));
    }
    read(value, name)
}

/// Reads the value of the field `name`; the name of a whole document is empty.
pub(crate) fn read<'a, T: Deserialize<'a>>(value: &'a Value, name: &str) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let mut path = name.to_owned();
        for segment in error.path() {
            if let Segment::Map { key } = segment {
                path = join(&path, key);
            }
        }
        explain(&path, &error.inner().to_string())
    })
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// serde's message, with the field in front.
fn explain(path: &str, problem: &str) -> String {
    if let Some(field) = problem.strip_prefix("missing field `") {
        return format!("`{} is required", join(path, field));
    }
    match problem.split_once(", expected ") {
        Some((_, "u32" | "a nonzero u32")) => format!("`{path}` must be a positive integer"),
        Some((_, "a map")) => format!("`{path}` must be an object"),
        Some((_, "i64")) => format!("`{path}` must be an integer"),
        Some((_, expected)) => format!("`{path}` must be {expected}"),
        None => format!("`{path}`: {problem}"),
    }
}
