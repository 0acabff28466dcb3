//! The program as a person runs it.

use std::process::{Command, Output};

use tempfile::TempDir;

use crate::ports::NOBODY;

/// Runs the program in an empty folder with these variables and no others.
fn prometei_flow(arguments: &[&str], variables: &[(&str, &str)]) -> (Output, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_prometei-flow"));
    command.args(arguments).env_clear().envs(variables.iter().copied());
    (command.current_dir(folder.path()).output().unwrap(), folder)
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_demo_needs_nothing_and_shows_every_step_and_the_records() {
    let (output, folder) = prometei_flow(&["demo"], &[]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    for line in [
        "prometei-flow-amocrm-webhook / authorize-amocrm",
        "prometei-flow-amocrm-webhook / fetch-lead-data",
        "prometei-flow-amocrm-webhook / create-erp-task",
        "prometei-flow-create-crm-deal / create-erp-task",
        "name \"Ремонт офиса, ул. Ленина 5\"  amount 46333",
        "name \"Новая сделка\"  amount 15000",
        "2 deals, 2 records: each arrived exactly once.",
    ] {
        assert_eq!(said.matches(line).count(), 1, "{line}\n{said}");
    }
    assert_eq!(text(&output.stderr), "");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[test]
fn the_demo_fails_loudly_when_a_deal_does_not_arrive() {
    let (output, _folder) = prometei_flow(&["demo", "--erp-refuses"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("lead 45721053: the ERP refused deal"), "{said}");
    assert!(said.contains("field_1039 not exist in entity 70"), "{said}");
    assert!(text(&output.stdout).contains("Records in the ERP's entity 70:\n  none"));
}

#[test]
fn without_configuration_the_service_says_all_that_is_missing() {
    let (output, _folder) = prometei_flow(&[], &[]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    for variable in
        ["INNGEST_EVENT_KEY", "INNGEST_SIGNING_KEY", "AMOCRM_WEBHOOK_SECRET", "CRM_API_URL"]
    {
        assert!(said.contains(&format!("\n{variable}: is not set")), "{said}");
    }
}

#[test]
fn a_port_that_is_taken_is_named_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (output, _folder) = prometei_flow(&["serve"], &[("INNGEST_DEV", "1"), ("PORT", &port)]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("stop what uses this port, or set HOST and PORT"), "{said}");
}

#[test]
fn a_deal_cannot_be_sent_without_a_key_or_to_nobody() {
    let deal = ["send-deal", "--name", "A"];
    let (output, _folder) = prometei_flow(&deal, &[]);
    assert!(text(&output.stderr).contains("set INNGEST_EVENT_KEY"), "{}", text(&output.stderr));
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), ""));

    let url = format!("http://{NOBODY}");
    let (output, _folder) = prometei_flow(&deal, &[("INNGEST_DEV", &url)]);
    assert!(text(&output.stderr).contains("could not be sent"), "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(1));
}
