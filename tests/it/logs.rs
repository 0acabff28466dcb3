//! What the real program logs: the whole of each deal, and nothing of a person.

use sandbox::{ErpFailure, ErpField};
use serde_json::{Value, json};

use crate::world::{Begin as _, Program, World, eventually, given};

const LEAD: u64 = 45_721_053;

/// In no log, whatever is done with them: names, amounts, numbers, addresses, and what a webhook says of them.
const PERSONAL: [&str; 8] = [
    "Quarkstein",
    "7654321",
    "+79161234567",
    "79161234567",
    "zebulon@example.org",
    "Zebulon",
    "Wombat",
    "8765432",
];

/// A world in which the lead and all around it is personal.
async fn personal(world: sandbox::World) -> World<Program> {
    let fields: Vec<_> = (1050..=1053).map(|number| format!("field_{number}")).collect();
    let world = world
        .lead(LEAD, "Quarkstein", 7_654_321)
        .erp(|erp| erp.fields.extend(fields.iter().map(|field| ErpField::text(field))))
        .variable(
            "CRM_FIELDS",
            "contact.name:field_1050,contact.phone:field_1051,contact.email:field_1052,company.name:field_1053",
        )
        .variable("LOG_FORMAT", "json")
        .variable("RUST_LOG", "info,prometei_flow=trace,functions=trace,inngest=trace")
        .spawned_end_to_end()
        .await;
    let embedded = json!({ "companies": [{"id": 6}], "contacts": [{"id": 5, "is_main": true}] });
    world.amocrm.change_lead(LEAD, json!({ "_embedded": embedded }));
    let values = |code, value: &str| json!({"field_code": code, "values": [{"value": value}]});
    let own = json!([values("PHONE", "+79161234567"), values("EMAIL", "zebulon@example.org")]);
    world.amocrm.set_contact(5, "Zebulon", &own);
    world.amocrm.set_company(6, "Wombat", &Value::Null);
    world
}

impl World<Program> {
    /// Each line of the log, which must be an object.
    fn log(&self) -> Vec<Value> {
        let log = self.replicas[0].service.log();
        let lines = log.lines().map(|line| {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
            for always in ["timestamp", "level", "target", "message"] {
                assert!(line[always].is_string(), "{always} is not in {line}");
            }
            line
        });
        lines.collect()
    }

    /// The line that says this, once there is one.
    async fn logged(&self, message: &str) -> Value {
        self.logged_again(message, 0).await
    }

    /// The same, after it was said so many times.
    async fn logged_again(&self, message: &str, times: usize) -> Value {
        let said = |line: &Value| line["message"] == message;
        let line = async || self.log().into_iter().filter(said).nth(times);
        eventually(message, line).await
    }

    fn assert_nothing_personal(&self) {
        let secrets = self.variables.iter().filter(|(name, _)| {
            ["_KEY", "_SECRET", "_PASSWORD", "_TOKEN"].iter().any(|end| name.ends_with(end))
        });
        let secrets = secrets.map(|(_, value)| value.as_str());
        let tokens = ["fake-access-token", "fake-refresh-token"];
        let log = self.replicas[0].service.log();
        for planted in PERSONAL.into_iter().chain(tokens).chain(secrets) {
            let line = log.lines().find(|line| line.contains(planted));
            assert!(line.is_none(), "{planted} is in {}", line.unwrap_or_default());
        }
    }
}

#[tokio::test]
async fn one_line_tells_of_the_delivery_and_one_of_the_record_and_each_of_a_run_names_all_of_it() {
    let world = personal(given().signed()).await;
    world.webhook(LEAD).await;
    let record = world.logged("a deal has its record").await;
    let stored = world.logged("webhook stored").await;
    assert_eq!(stored["leads"], "[45721053]");
    let delivered = world.logged("Inngest has the event of a deal").await;
    assert!(delivered["event"].is_string() && delivered["waited_ms"].is_u64(), "{delivered}");
    for line in [&delivered, &record] {
        assert_eq!((&line["deal"], &line["lead"]), (&json!("lead:45721053"), &json!(LEAD)));
        assert_eq!(line["attempts"], 1, "{line}");
    }
    assert!(record["waited_ms"].is_u64() && record["run_id"].is_string(), "{record}");
    let of_run = [&record["function"], &record["step"], &record["erp_id"], &record["duplicate"]];
    assert_eq!(
        of_run,
        [&json!("amocrm-webhook"), &json!("create-erp-task"), &json!("119"), &json!(false)]
    );

    let of_run: Vec<_> =
        world.log().into_iter().filter(|line| line["run_id"].is_string()).collect();
    for line in &of_run {
        assert!(line["function"].is_string() && line["attempt"].is_u64(), "{line}");
        // What the SDK says about a run as a whole, on the level DEBUG, knows no lead.
        let of_sdk = line["target"].as_str().unwrap().starts_with("inngest::");
        assert!(line["lead"] == LEAD || of_sdk && line["level"] == "DEBUG", "{line}");
    }
    assert!(!of_run.is_empty());
    world.assert_nothing_personal();
}

#[tokio::test]
async fn a_deal_that_fails_is_told_without_a_word_of_the_deal_itself() {
    let world = personal(given().signed()).await;
    let message = "Quarkstein of Wombat exists, with 7654321 and +79161234567".to_owned();
    let refused = ErpFailure::Error { code: "500".to_owned(), message };
    for (times, failure) in [refused, ErpFailure::DatabaseError].into_iter().enumerate() {
        world.erp.fail_next(1, failure);
        world.webhook(LEAD).await;
        let ended = "a run ended without a record: `prometei-flow deals` says why";
        let failed = world.logged_again(ended, times).await;
        let told = [&failed["deal"], &failed["lead"], &failed["waits_for"]];
        assert_eq!(told, [&json!("lead:45721053"), &json!(LEAD), &json!("person")]);
        let step = world.logged_again("a step has failed", times).await;
        assert_eq!((&step["step"], &step["lead"]), (&json!("create-erp-task"), &json!(LEAD)));
        assert!(step["is_final"] == true && step["run_id"].is_string(), "{step}");
    }
    world.assert_nothing_personal();
}

#[tokio::test]
async fn a_later_run_that_fails_is_not_told_as_a_deal_without_a_record() {
    let world = personal(given()).await;
    world.webhook(LEAD).await;
    world.logged("a deal has its record").await;
    let webhook = async || {
        let data = json!({ "leadId": LEAD, "action": "status" });
        world.run_of("amocrm/webhook", data).await
    };
    assert_eq!(webhook().await.status, "Completed", "the record is there");

    world.amocrm.revoke();
    assert_eq!(webhook().await.status, "Failed");
    let told = "a run has failed, and its deal has its record already or needs none";
    let told = world.logged(told).await;
    assert_eq!((&told["deal"], &told["waits_for"]), (&json!("lead:45721053"), &json!("consent")));
    let untrue = "a run ended without a record: `prometei-flow deals` says why";
    assert!(world.log().iter().all(|line| line["message"] != untrue));
    world.assert_nothing_personal();
}

#[tokio::test]
async fn what_a_webhook_or_another_app_says_is_in_no_log_either() {
    let world = personal(given()).await;
    let path = "/api/amocrm-webhook";
    for body in [
        "leads[status][0][id]=Zebulon&leads[status][0][name]=Quarkstein",
        "Quarkstein+79161234567",
        "{\"leads\": \"Quarkstein",
        "--x\r\nQuarkstein\r\nleads[status][0][id]=zebulon@example.org",
    ] {
        world.post_webhook(path, body).await;
    }
    let data = json!({ "dealName": "Quarkstein", "amount": "8765432" });
    assert_eq!(world.run_of("crm/create-deal", data).await.status, "Failed");
    let data =
        json!({ "dealName": "Quarkstein", "amount": 8_765_432, "fields": {"field_1": "Wombat"} });
    assert_eq!(world.run_of("crm/create-deal", data).await.status, "Failed");
    let data = json!({ "dealName": "Quarkstein", "amount": 8_765_432 });
    assert_eq!(world.run_of("crm/create-deal", data).await.status, "Completed");
    world.logged("a deal has its record").await;
    world.assert_nothing_personal();
}
