//! The program as a person runs it.

mod amocrm;
mod db;
mod dev;
mod healthcheck;
mod manners;

use tempfile::TempDir;

use crate::world::{NOWHERE, Said, prometei_flow};

/// Runs the program in an empty folder with these variables and no others.
async fn alone(arguments: &[&str], variables: &[(&str, &str)]) -> (Said, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    (prometei_flow(folder.path(), arguments, variables.iter().copied()).await, folder)
}

#[tokio::test]
async fn the_demo_needs_nothing_and_shows_every_step_and_the_records() {
    let (said, folder) = alone(&["demo"], &[]).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    for line in [
        "prometei-flow-amocrm-webhook / authorize-amocrm",
        "prometei-flow-amocrm-webhook / fetch-lead-data",
        "prometei-flow-amocrm-webhook / create-erp-task",
        "prometei-flow-create-crm-deal / create-erp-task",
        "name \"Ремонт офиса, ул. Ленина 5\"  amount 46333",
        "name \"Новая сделка\"  amount 15000",
        "2 deals, 2 records: each arrived exactly once.",
    ] {
        assert_eq!(said.out.matches(line).count(), 1, "{line}\n{}", said.out);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind");
}

#[tokio::test]
async fn the_demo_fails_loudly_when_a_deal_does_not_arrive() {
    let (said, _folder) = alone(&["demo", "--erp-refuses"], &[]).await;
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("lead 45721053: the ERP refused deal"), "{}", said.err);
    assert!(said.err.contains("field_1039 not exist in entity 70"), "{}", said.err);
    assert!(said.out.contains("Records in the ERP's entity 70:\n  none"), "{}", said.out);
}

#[tokio::test]
async fn without_configuration_the_service_says_all_that_is_missing() {
    let (said, _folder) = alone(&[], &[]).await;
    assert_eq!(said.code, Some(78));
    for variable in
        ["INNGEST_EVENT_KEY", "INNGEST_SIGNING_KEY", "AMOCRM_WEBHOOK_SECRET", "CRM_API_URL"]
    {
        assert!(said.err.contains(&format!("\n{variable}: is not set")), "{}", said.err);
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (said, _folder) = alone(&["serve"], &[("INNGEST_DEV", "1"), ("PORT", &port)]).await;
    assert_eq!(said.code, Some(1));
    let what_to_do = "stop what uses this port, or set HOST and PORT";
    assert!(said.err.contains(what_to_do), "{}", said.err);
}

#[tokio::test]
async fn a_deal_is_not_sent_without_a_key_or_to_a_server_that_is_down() {
    let deal = ["send-deal", "--name", "A"];
    let (said, _folder) = alone(&deal, &[]).await;
    assert!(said.err.contains("set INNGEST_EVENT_KEY"), "{}", said.err);
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));

    let (said, _folder) = alone(&deal, &[("INNGEST_DEV", NOWHERE)]).await;
    assert!(said.err.contains("could not be sent"), "{}", said.err);
    assert_eq!(said.code, Some(1));
}
