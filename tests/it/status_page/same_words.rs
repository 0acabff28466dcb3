//! What is wrong and what to do is said in the same words by the log of `serve`, by `doctor`, and by the page.

use serde_json::Value;

use super::LEAD;
use crate::world::{Begin as _, NOWHERE, Program, World, eventually, given, prometei_flow};

/// What is wrong, and what to do.
type Trouble = (String, String);

impl World<Program> {
    /// What `doctor` finds wrong with this.
    async fn doctor_finds(&self, check: &str) -> Trouble {
        let report = self.command(&["doctor", "--json"]).await.out;
        let mut report: Value = serde_json::from_str(&report).unwrap();
        let checks: Vec<Value> = serde_json::from_value(report["checks"].take()).unwrap();
        let found = checks.into_iter().find(|found| found["check"] == check).unwrap();
        let text = |name: &str| found[name].as_str().unwrap().to_owned();
        (text("message"), text("fix"))
    }

    /// The page and the log say it, too.
    async fn say_it(&self, (problem, remedy): &Trouble) {
        let escaped = |text: &str| text.replace('"', "&quot;");
        eventually("the page says it", async || {
            let page = self.admin_page("/").await.text;
            (page.contains(&escaped(problem)) && page.contains(&escaped(remedy))).then_some(())
        })
        .await;
        eventually("the log says it", async || {
            let log = self.replicas[0].service.log();
            // JSON, as no terminal reads it.
            log.replace("\\\"", "\"").contains(&format!("{problem} -> {remedy}")).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn with_nothing_configured() {
    let world = given().without_amocrm().without_erp().spawned().await;
    let erp = world.doctor_finds("erp login").await;
    insta::assert_snapshot!(erp.0, @"the ERP is not configured: runs fail");
    insta::assert_snapshot!(erp.1, @"set CRM_API_URL, CRM_API_KEY, CRM_API_USERNAME and CRM_API_PASSWORD; `prometei-flow dev` brings a fake one");
    world.say_it(&erp).await;
    let amocrm = world.doctor_finds("amocrm token").await;
    insta::assert_snapshot!(amocrm.0, @"amoCRM is not configured: webhooks are stored, and their runs fail");
    insta::assert_snapshot!(amocrm.1, @"set AMOCRM_SUBDOMAIN, AMOCRM_CLIENT_ID, AMOCRM_CLIENT_SECRET and AMOCRM_REDIRECT_URI, or AMOCRM_SUBDOMAIN and AMOCRM_ACCESS_TOKEN");
    world.say_it(&amocrm).await;
}

/// Then the service does not start, and there is no page.
#[tokio::test]
async fn with_half_of_it_configured() {
    let folder = tempfile::tempdir().unwrap();
    let half = [("INNGEST_DEV", "1"), ("CRM_API_URL", "http://127.0.0.1:1/api/rest.php")];
    let served = prometei_flow(folder.path(), &["serve"], half).await;
    insta::assert_snapshot!(served.err, @"
    error: the configuration has mistakes; docs/configuration.md explains each variable
    CRM_API_KEY: is not set; CRM_API_URL is, and they belong together: set all of CRM_API_URL, CRM_API_KEY, CRM_API_USERNAME, CRM_API_PASSWORD, or none
    CRM_API_USERNAME: is not set; CRM_API_URL is, and they belong together: set all of CRM_API_URL, CRM_API_KEY, CRM_API_USERNAME, CRM_API_PASSWORD, or none
    CRM_API_PASSWORD: is not set; CRM_API_URL is, and they belong together: set all of CRM_API_URL, CRM_API_KEY, CRM_API_USERNAME, CRM_API_PASSWORD, or none
    ");
    let found = prometei_flow(folder.path(), &["doctor"], half).await;
    let mistakes: Vec<_> = served.err.lines().skip(1).collect();
    for (mistake, found) in mistakes.iter().zip(found.out.lines()) {
        assert!(found.contains(mistake), "{mistake} is not in {found}");
    }
    assert_eq!((mistakes.len(), found.out.lines().count()), (3, 3), "{}", found.out);
}

#[tokio::test]
async fn with_a_wrong_key() {
    let world = given().lead(LEAD, "A", 1).variable("CRM_API_KEY", "not-the-key-of-the-erp");
    let world = world.spawned().await;
    world.webhook(LEAD).await;
    let erp = world.doctor_finds("erp login").await;
    insta::assert_snapshot!(erp.0, @r#"the ERP refuses access: "API Key mismatch""#);
    insta::assert_snapshot!(erp.1, @"Set CRM_API_KEY to the key in the ERP: Extension, Tools, API");
    world.say_it(&erp).await;
}

#[tokio::test]
async fn with_a_dead_erp() {
    let world =
        given().lead(LEAD, "A", 1).variable("CRM_API_URL", format!("{NOWHERE}/api/rest.php"));
    let world = world.spawned().await;
    world.webhook(LEAD).await;
    let erp = world.doctor_finds("erp login").await;
    insta::assert_snapshot!(erp.0, @"the ERP is unavailable: no connection: Connection refused (os error 111)");
    insta::assert_snapshot!(erp.1, @"check CRM_API_URL and the network, and on the ERP's server its database and PHP's log of errors; deals wait, and go on by themselves");
    world.say_it(&erp).await;
}
