//! TypeScript types of JSON schemas: of what schemars makes of our types, and no more.

use std::fmt::Write as _;

use serde_json::{Map, Value};

const HEAD: &str = "\
// Made of the Rust types by `REGENERATE=1 cargo test -p functions contract`; do not edit.
";

/// A module with the types of all definitions, and of the schemas themselves.
pub(super) fn module(schemas: &[Value]) -> String {
    let mut module = HEAD.to_owned();
    for schema in schemas {
        let definitions = schema["$defs"].as_object().into_iter().flatten();
        for (name, definition) in definitions {
            declaration(&mut module, name, definition);
        }
        declaration(&mut module, schema["title"].as_str().unwrap(), schema);
    }
    module
}

fn declaration(module: &mut String, name: &str, schema: &Value) {
    let type_ = type_of(schema, 0);
    write!(module, "\n{}export type {name} = {type_};\n", comment(schema, 0)).unwrap();
}

fn comment(schema: &Value, depth: usize) -> String {
    let (description, indent) = (schema["description"].as_str(), "  ".repeat(depth));
    let lines = |text: &str| text.replace('\n', &format!("\n{indent} * "));
    description.map_or_else(String::new, |text| format!("{indent}/** {} */\n", lines(text)))
}

fn type_of(schema: &Value, depth: usize) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return name.to_owned();
    }
    if let Some(value) = schema.get("const") {
        return value.to_string();
    }
    let one_of = ["oneOf", "anyOf"].iter().find_map(|name| schema[name].as_array());
    if let Some(choices) = one_of {
        return union(choices.iter().map(|choice| type_of(choice, depth)));
    }
    match &schema["type"] {
        Value::Array(types) => union(types.iter().map(|type_| named(type_, schema, depth))),
        type_ => named(type_, schema, depth),
    }
}

fn named(type_: &Value, schema: &Value, depth: usize) -> String {
    match (type_.as_str().unwrap(), schema["properties"].as_object()) {
        ("integer" | "number", _) => "number".to_owned(),
        ("array", _) => format!("{}[]", type_of(&schema["items"], depth)),
        ("object", Some(properties)) => object(properties, &schema["required"], depth),
        ("object", None) => {
            format!("Record<string, {}>", type_of(&schema["additionalProperties"], depth))
        }
        (same @ ("string" | "boolean" | "null"), _) => same.to_owned(),
        (other, _) => panic!("no TypeScript is known for the type {other}"),
    }
}

fn object(properties: &Map<String, Value>, required: &Value, depth: usize) -> String {
    let mut text = "{\n".to_owned();
    for (name, schema) in properties {
        let is_required = required.as_array().is_some_and(|all| all.iter().any(|one| one == name));
        let (mark, inner) = (if is_required { "" } else { "?" }, depth + 1);
        let (comment, type_) = (comment(schema, inner), type_of(schema, inner));
        writeln!(text, "{comment}{}{name}{mark}: {type_};", "  ".repeat(inner)).unwrap();
    }
    text + &"  ".repeat(depth) + "}"
}

fn union(types: impl Iterator<Item = String>) -> String {
    types.collect::<Vec<_>>().join(" | ")
}
