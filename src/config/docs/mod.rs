//! `.env.example` and `docs/configuration.md`, made of one list of all variables.
//!
//! `REGENERATE=1 cargo test --lib config::docs` writes both anew.

mod variables;

use std::fmt::Write as _;
use std::path::Path;

use self::variables::GROUPS;
use super::{Config, EnvMap};

/// Variables that belong together.
struct Group {
    title: &'static str,
    about: &'static str,
    variables: &'static [Variable],
}

struct Variable {
    name: &'static str,
    value: Value,
    meaning: &'static str,
}

/// What the example has for a variable.
enum Value {
    /// What the service does without it.
    Default(&'static str),
    /// Without it, nothing stands in its place.
    Example(&'static str),
    Unset,
    /// A secret, and what it may look like.
    Secret(&'static str),
    /// What the example sets.
    Set(&'static str),
}

const WIDTH: usize = 124;

/// `text` in comment lines of a `.env` file.
fn comment(text: &str) -> String {
    let mut lines = "#".to_owned();
    let mut width = 1;
    for word in text.split(' ') {
        width += word.len() + 1;
        if width > WIDTH {
            lines += "\n#";
            width = word.len() + 2;
        }
        lines = lines + " " + word;
    }
    lines + "\n"
}

fn example() -> String {
    let mut text = comment(
        "Copy this file to .env. It works for development as it is. Variables of the environment override it.",
    ) + &comment(
        "Each NAME may also be given as NAME_FILE, the path of a file with the value, for container secrets.",
    ) + &comment("Put values with spaces, quotes, # or $ in single quotes.");
    for Group { title, about, variables } in &GROUPS {
        let rule = "-".repeat(WIDTH.saturating_sub(title.len() + 7));
        write!(text, "\n# --- {title} {rule}\n").unwrap();
        if !about.is_empty() {
            text += &comment(about);
        }
        text += "\n";
        for Variable { name, value, meaning } in *variables {
            let (mark, value) = match value {
                Value::Set(value) => ("", *value),
                Value::Default(value) | Value::Example(value) | Value::Secret(value) => {
                    ("# ", *value)
                }
                Value::Unset => ("# ", ""),
            };
            writeln!(text, "{}{mark}{name}={value}", comment(meaning)).unwrap();
        }
    }
    text
}

const HEAD: &str = "\
# Configuration

<!-- Made of src/config/docs by `REGENERATE=1 cargo test --lib config::docs`; do not edit. -->

Variables come from the environment, and from `.env` in the current folder where the environment has none. An empty one counts as
not set. Each `NAME` may also be given as `NAME_FILE`, the path of a file with the value, for container secrets. All mistakes are
reported at the start, together; `prometei-flow doctor` looks at what only shows in use.
";

fn document() -> String {
    let mut text = HEAD.to_owned();
    for Group { title, about, variables } in &GROUPS {
        write!(text, "\n## {title}\n\n").unwrap();
        if !about.is_empty() {
            write!(text, "{about}\n\n").unwrap();
        }
        text += "| variable | default | secret | meaning |\n|---|---|---|---|\n";
        for Variable { name, value, meaning } in *variables {
            let (default, secret, such_as) = match value {
                Value::Default(value) => (format!("`{value}`"), "", String::new()),
                Value::Example(value) => ("-".to_owned(), "", format!(" For example `{value}`.")),
                Value::Secret(_) => ("-".to_owned(), "yes", String::new()),
                Value::Unset | Value::Set(_) => ("-".to_owned(), "", String::new()),
            };
            writeln!(text, "| `{name}` | {default} | {secret} | {meaning}{such_as} |").unwrap();
        }
    }
    text
}

#[test]
#[expect(clippy::disallowed_methods, reason = "whether to write is asked of the environment")]
fn the_documents_say_what_the_list_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (name, text) in [(".env.example", example()), ("docs/configuration.md", document())] {
        if std::env::var("REGENERATE").is_ok() {
            std::fs::write(root.join(name), &text).unwrap();
        }
        let written = std::fs::read_to_string(root.join(name)).unwrap_or_default();
        let remedy = "REGENERATE=1 cargo test --lib config::docs";
        assert!(written == text, "{name} is not what src/config/docs says: {remedy}");
    }
}

#[test]
fn a_default_is_what_the_service_does_without_the_variable() {
    let load = |variables: &[(&str, &str)]| {
        let development = [("INNGEST_DEV", "1")];
        let env: EnvMap = development.iter().chain(variables).copied().collect();
        format!("{:?}", Config::load(&env).unwrap())
    };
    let variables = GROUPS.iter().flat_map(|group| group.variables);
    let defaults = variables.filter_map(|variable| match variable.value {
        Value::Default(value) => Some((variable.name, value)),
        _ => None,
    });
    // The SDK keeps whether the path was set: where it was not, the path of each request counts.
    let defaults: Vec<_> = defaults.filter(|(name, _)| *name != "INNGEST_SERVE_PATH").collect();
    assert!(defaults.len() > 10);
    assert_eq!(load(&defaults), load(&[]));
}

#[test]
fn what_has_the_name_of_a_secret_is_marked_as_one() {
    let ends = ["_KEY", "_KEY_FALLBACK", "_SECRET", "_TOKEN", "_PASSWORD"];
    for variable in GROUPS.iter().flat_map(|group| group.variables) {
        let is_marked = matches!(variable.value, Value::Secret(_));
        assert_eq!(
            is_marked,
            ends.iter().any(|end| variable.name.ends_with(end)),
            "{}",
            variable.name
        );
    }
}
