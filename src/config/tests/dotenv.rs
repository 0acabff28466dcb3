//! `.env`, and the example of it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;

use inngest::Mode;

use super::{SIGNING_KEY, complaints};
use crate::config::{Config, ConfigError, Env, EnvMap, ProcessEnv};

#[test]
fn real_variables_win_over_the_dotenv_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    assert!(ProcessEnv::with_dotenv(&path).is_ok(), "there need not be one");
    std::fs::write(&path, "PATH='from the file'\nFLOW_TEST_ONLY='from the file'\n").unwrap();
    let env = ProcessEnv::with_dotenv(&path).unwrap();
    assert_ne!(env.get("PATH").unwrap().as_deref(), Some("from the file"));
    assert_eq!(env.get("FLOW_TEST_ONLY").unwrap().as_deref(), Some("from the file"));
}

#[test]
fn a_dotenv_file_that_cannot_be_read_says_where_and_not_what() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    std::fs::write(&path, "PORT=3000\nCRM_API_PASSWORD=open sesame\n").unwrap();
    let error = EnvMap::from_dotenv(&path).err().unwrap().to_string();
    assert!(error.contains("what follows PORT") && !error.contains("sesame"), "{error}");
}

/// Remembers what it was asked for.
struct Asked<'e>(&'e EnvMap, RefCell<BTreeSet<String>>);

impl Env for Asked<'_> {
    fn raw(&self, name: &str) -> Result<Option<String>, ConfigError> {
        self.1.borrow_mut().insert(name.to_owned());
        self.0.raw(name)
    }
}

#[test]
fn the_example_works_as_it_is_and_names_every_variable() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".env.example");
    let example = EnvMap::from_dotenv(&path).unwrap();
    let asked = Asked(&example, RefCell::default());
    assert_eq!(Config::load(&asked).unwrap().inngest.mode, Mode::Dev);

    let text = std::fs::read_to_string(&path).unwrap();
    let named: BTreeSet<_> = text
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").split_once('='))
        .map(|(name, _)| name)
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
        .collect();
    let asked = asked.1.into_inner();
    let asked: BTreeSet<_> =
        asked.iter().map(String::as_str).filter(|name| !name.ends_with("_FILE")).collect();
    assert_eq!(named, asked);
}

#[test]
fn the_example_works_also_with_every_line_filled_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".env.example");
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter_map(|line| line.trim_start_matches("# ").split_once('='));
    let variables: Vec<(&str, &str)> = lines
        .filter(|(name, _)| !name.contains(' '))
        .map(|(name, value)| match name {
            "INNGEST_SIGNING_KEY_FALLBACK" => (name, SIGNING_KEY),
            "AMOCRM_WEBHOOK_SECRET" | "ADMIN_TOKEN" => (name, "0123456789abcdef"),
            "INNGEST_API_BASE_URL" | "INNGEST_EVENT_API_BASE_URL" => (name, "http://inngest:8288"),
            "INNGEST_DEV" => (name, "0"),
            _ if value.is_empty() => (name, "x"),
            _ => (name, value),
        })
        .collect();
    assert!(variables.len() > 30);
    assert_eq!(complaints(&variables.into_iter().collect()), [""; 0]);
}
