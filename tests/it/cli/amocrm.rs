//! The commands that connect the service with amoCRM.

use serde_json::{Value, json};

use crate::world::{Begin as _, given};

const ORIGIN: &str = "https://deals.example.org";

/// A service with a public address, not connected to amoCRM yet.
fn not_connected() -> sandbox::World {
    given()
        .signed()
        .amocrm(|amocrm| amocrm.redirect_uri = format!("{ORIGIN}/oauth/callback"))
        .variable("INNGEST_SERVE_ORIGIN", "")
        .variable("AMOCRM_REFRESH_TOKEN", "")
}

#[tokio::test]
async fn a_code_connects_amocrm_and_a_webhook_follows() {
    let world = not_connected().unserved().await;
    let code = world.amocrm.issue_code();
    let said = world.command(&["amocrm", "authorize", "--code", &code]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("AMOCRM_ACCOUNT_ID=32452514"), "{}", said.out);
    assert!(said.out.contains("Next: prometei-flow amocrm subscribe"), "{}", said.out);

    let address = format!("{ORIGIN}/api/amocrm-webhook");
    for found in ["amoCRM has no webhook for this address", "the webhook is in place"] {
        let said = world.command(&["amocrm", "subscribe"]).await;
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert_eq!(
            said.out,
            format!("{address}: found: {found}\n{address}: now: the webhook is in place\n")
        );
    }
    let secret = &world.variables["AMOCRM_WEBHOOK_SECRET"];
    assert_eq!(world.amocrm.webhooks(), [format!("{address}?secret={secret}")]);
    assert_eq!(world.amocrm.refresh_tokens_spent_twice(), 0);
}

/// Without stages a record is made when a lead is created, and no move brings another one.
#[tokio::test]
async fn amocrm_is_asked_to_call_about_what_makes_or_changes_a_record_and_about_nothing_else() {
    let stages = ("AMOCRM_TRIGGER_STATUSES", "9679730:142");
    let (made, changed) = (["add_lead", "restore_lead"], ["update_lead", "delete_lead"]);
    let events = |parts: &[&[&str]]| json!(parts.concat());
    for (variable, events) in [
        (("CRM_DEDUPE", "lead"), events(&[&made, &changed])),
        (("CRM_DEDUPE", "event"), events(&[&made, &["status_lead"], &changed])),
        (stages, events(&[&made, &["status_lead"], &changed])),
        (("CRM_ON_CHANGE", "ignore"), events(&[&made])),
    ] {
        let world = given().variable(variable.0, variable.1).unserved().await;
        let said = world.command(&["amocrm", "subscribe"]).await;
        assert_eq!(said.code, Some(0), "{}", said.err);
        let requests = world.amocrm.requests();
        let sent = requests
            .iter()
            .find(|sent| sent.method == "POST" && sent.uri.path().ends_with("/webhooks"));
        let sent: Value = serde_json::from_str(&sent.unwrap().text()).unwrap();
        assert_eq!(sent["settings"], events, "{variable:?}");
    }
}

#[tokio::test]
async fn a_code_that_amocrm_refuses_is_an_error() {
    let other = not_connected().variable("AMOCRM_REDIRECT_URI", format!("{ORIGIN}/oauth/other"));
    let world = other.unserved().await;
    let said = world.command(&["amocrm", "authorize", "--code", "guess"]).await;
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""));
    assert!(said.err.contains("Redirect URI is not associated with client"), "{}", said.err);
}

#[tokio::test]
async fn without_a_code_the_link_is_printed() {
    let world = not_connected().unserved().await;
    let said = world.command(&["amocrm", "authorize"]).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    let link = format!("{}oauth?client_id=fake-amocrm-client&state=", world.amocrm.url());
    assert!(said.out.contains(&link), "{}", said.out);
    assert!(said.out.contains(&format!("{ORIGIN}/oauth/start")), "{}", said.out);
    assert!(world.amocrm.requests().is_empty());

    let token = [("AMOCRM_ACCESS_TOKEN", "opaque")];
    let said = world.command_with(&["amocrm", "authorize"], &token).await;
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("a long-lived token needs no consent"), "{}", said.err);
}

#[tokio::test]
async fn without_amocrm_the_commands_say_what_to_set() {
    let world = given().without_amocrm().unserved().await;
    for command in ["authorize", "subscribe"] {
        let said = world.command(&["amocrm", command]).await;
        assert_eq!(said.code, Some(1));
        assert!(
            said.err.contains("amoCRM is not configured: set AMOCRM_SUBDOMAIN"),
            "{}",
            said.err
        );
    }
}
