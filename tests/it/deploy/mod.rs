//! What `deploy/` has fits the service and the documents.

mod promtool;
mod proxies;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::world::{Begin as _, World, given};

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

fn read(file: &str) -> String {
    std::fs::read_to_string(path(file)).unwrap()
}

/// The values that a key has in a YAML file, one a line.
fn values<'t>(yaml: &'t str, key: &str) -> Vec<&'t str> {
    let lines = yaml.lines().map(|line| line.trim_start_matches([' ', '-']));
    lines.filter_map(|line| line.strip_prefix(key)?.strip_prefix(": ")).collect()
}

/// The queries of the dashboard.
fn queries(part: &Value, found: &mut Vec<String>) {
    match part {
        Value::Object(members) => {
            found.extend(members.get("expr").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| queries(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

fn dashboard() -> Vec<String> {
    let mut found = Vec::new();
    queries(&serde_json::from_str(&read("deploy/grafana/prometei-flow.json")).unwrap(), &mut found);
    assert!(found.len() > 30, "{found:?}");
    found
}

/// The metrics of the service that a text names.
fn metrics_in(text: &str) -> BTreeSet<String> {
    let names = text.split("prometei_flow_").skip(1);
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    names.map(|rest| rest.chars().take_while(|letter| is_part(*letter)).collect()).collect()
}

/// A service to which all has happened that it counts, as far as alerts and the dashboard ask for it.
async fn busy() -> World {
    let world =
        given().lead(1, "Lead", 100).variable("AMOCRM_TRIGGER_STATUSES", "9679730:77186758");
    let world = world.in_process().await;
    let run = world.run_of("prometei-flow/reconcile", json!({})).await;
    assert_eq!(run.status, "Completed", "{}", run.output);
    let run = world.run_of("amocrm/webhook", json!({ "leadId": 1 })).await;
    assert_eq!(run.status, "Completed", "{}", run.output);
    world.webhook(1).await;
    world
}

#[tokio::test]
async fn every_metric_that_alerts_and_dashboard_ask_for_is_exported() {
    let exported = busy().await.admin_page("/metrics").await.text;
    let exported = metrics_in(&exported);
    let asked = read("deploy/prometheus/alerts.yml") + &dashboard().join("\n");
    let asked = metrics_in(&asked);
    assert!(asked.len() > 25, "{asked:?}");
    let unknown: Vec<_> = asked.difference(&exported).collect();
    assert!(unknown.is_empty(), "{unknown:?} are not in {exported:?}");
}

#[test]
fn every_alert_has_its_entry_in_the_run_book_and_every_entry_its_alert() {
    let (alerts, book) = (read("deploy/prometheus/alerts.yml"), read("docs/operations.md"));
    let entries = book.split("\n## Alerts\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let entries: Vec<_> = entries.split("\n### ").skip(1).collect();
    let titles: Vec<_> = entries.iter().map(|entry| entry.lines().next().unwrap()).collect();
    assert_eq!(values(&alerts, "alert"), titles, "in the same order");
    let anchors = titles.iter().map(|title| format!("docs/operations.md#{}", title.to_lowercase()));
    assert_eq!(values(&alerts, "runbook"), anchors.collect::<Vec<_>>());
    for entry in entries {
        for part in ["\n- **Means:** ", "\n- **Look at:** ", "\n- **Do:** "] {
            assert_eq!(entry.matches(part).count(), 1, "{part} in {entry}");
        }
    }
}

/// Its build makes empty ones in their place, so a wrong name would be noticed in no other test.
#[test]
fn every_file_that_the_dockerfile_names_is_there() {
    let dockerfile = read("Dockerfile");
    let build = dockerfile.split("\nFROM ").nth(1).unwrap();
    let words =
        build.split_whitespace().filter(|word| word.ends_with(".rs") || word.ends_with(".toml"));
    let words: Vec<_> = words.filter(|word| !word.contains('*')).collect();
    assert!(words.len() > 8, "{words:?}");
    for word in words {
        assert!(path(word).is_file(), "{word}");
    }
}

#[test]
fn every_alert_is_tested_when_it_fires_and_when_it_does_not() {
    let (alerts, tests) =
        (read("deploy/prometheus/alerts.yml"), read("deploy/prometheus/alerts_test.yml"));
    let tests = values(&tests, "name");
    for alert in values(&alerts, "alert") {
        for becomes in ["fires", "is silent"] {
            assert!(tests.contains(&format!("{alert} {becomes}").as_str()), "{alert} {becomes}");
        }
    }
}
