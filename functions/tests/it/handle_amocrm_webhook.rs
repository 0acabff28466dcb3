use std::collections::BTreeMap;
use std::time::Duration;

use functions::HandleAmoCrmWebhook;
use functions::ports::{Compared, Deal, DealKey, More, Reading, Recorded, Related, WaitsFor};
use functions::webhook::LeadFilter;
use inngest::testing::{Finished, run};
use serde_json::{Value, json};

use crate::fakes::{FakeAmoCrm, FakeErp, clock};

async fn with(amocrm: &FakeAmoCrm, erp: &FakeErp, data: Value) -> Finished {
    filtered(amocrm, erp, LeadFilter::default(), data).await
}

/// Where only the stage (9, 142) makes a deal.
async fn narrowed(amocrm: &FakeAmoCrm, erp: &FakeErp, data: Value) -> Finished {
    let filter = LeadFilter { account_id: None, trigger_statuses: Some(vec![(9, 142)]) };
    filtered(amocrm, erp, filter, data).await
}

async fn filtered(amocrm: &FakeAmoCrm, erp: &FakeErp, filter: LeadFilter, data: Value) -> Finished {
    let (amocrm, erp) = (amocrm.clone(), erp.clone());
    run(HandleAmoCrmWebhook { amocrm, erp, filter, clock: clock() }).event(data).await
}

fn ours(lead_id: u64) -> Value {
    json!({ "leadId": lead_id, "accountId": 7, "action": "status" })
}

/// Inngest Cloud's webhook intake, with the leads 1 to 3.
fn three() -> Value {
    json!({ "data": {
        "leads[status][0][id]": ["1"], "leads[status][1][id]": ["2"], "leads[status][2][id]": ["3"],
        "account[subdomain]": ["oooprometei"],
    } })
}

#[tokio::test]
async fn a_lead_becomes_a_record() {
    let erp = FakeErp::default();
    let amocrm = FakeAmoCrm::with(&[(45_721_053, "Окна", 1500)]);
    let done = with(&amocrm, &erp, ours(45_721_053)).await;
    assert_eq!(done.step_ids(), ["authorize-amocrm", "fetch-lead-data", "create-erp-task"]);
    assert_eq!(
        done.output(),
        Some(&json!({
            "success": true,
            "amoCrmLead": { "id": 45_721_053, "name": "Окна", "price": 1500 },
            "erpResult": { "status": "success", "data": { "id": "119" } },
            "processedAt": "2023-11-14T22:13:20.000Z",
        }))
    );
    let key = erp.created.lock().unwrap().first().unwrap().key.clone();
    let DealKey::Lead { account_id, lead_id, .. } = key else { panic!("{key:?}") };
    assert_eq!((account_id, lead_id), (Some(7), 45_721_053));
    let saved = |step| done.step(step).unwrap().result.clone();
    let expiry = json!({ "expiresAt": "2023-11-15T00:00:00Z" });
    assert_eq!(saved("authorize-amocrm"), Ok(expiry), "and no token");
    assert_eq!(saved("fetch-lead-data").unwrap().get("more"), None, "and nothing that is not used");
}

fn fields<const N: usize>(fields: [(&str, &str); N]) -> BTreeMap<String, String> {
    fields.map(|(field, text)| (field.to_owned(), text.to_owned())).into()
}

#[tokio::test]
async fn what_else_is_configured_is_read_in_a_step_of_its_own_and_goes_into_the_record() {
    let erp = FakeErp::default();
    let mut amocrm = FakeAmoCrm::with(&[(1, "Окна", 1500)]);
    let related = Related { contact_id: Some(5), company_id: None };
    let of_lead = fields([("field_1060", "https://example.amocrm.ru/leads/detail/1")]);
    amocrm.leads.get_mut(&1).unwrap().more = More { fields: of_lead.clone(), related };
    amocrm.related = fields([("field_1057", "+7 999")]);
    let done = with(&amocrm, &erp, ours(1)).await;

    let steps = ["authorize-amocrm", "fetch-lead-data", "fetch-contact-data", "create-erp-task"];
    assert_eq!(done.step_ids(), steps);
    let saved = |step| done.step(step).unwrap().result.clone();
    let more = json!({ "fields": of_lead, "contactId": 5 });
    assert_eq!(saved("fetch-lead-data").unwrap()["more"], more);
    assert_eq!(saved("fetch-contact-data"), Ok(json!({ "field_1057": "+7 999" })));
    let lead = json!({ "id": 1, "name": "Окна", "price": 1500 });
    assert_eq!(done.output().unwrap()["amoCrmLead"], lead, "the result does not grow");
    assert_eq!(*amocrm.asked.lock().unwrap(), [related]);
    let all = fields([("field_1057", "+7 999"), ("field_1060", &of_lead["field_1060"])]);
    assert_eq!(erp.created.lock().unwrap()[0].fields, all);
}

#[tokio::test]
async fn a_lead_that_makes_no_deal_leaves_nothing_else_behind() {
    let mut amocrm = FakeAmoCrm::with(&[(1, "Окна", 1500)]).in_stage((9, 1));
    let related = Related { contact_id: Some(5), company_id: None };
    amocrm.leads.get_mut(&1).unwrap().more = More { fields: fields([("field_1", "x")]), related };
    let done = narrowed(&amocrm, &FakeErp::default(), ours(1)).await;
    assert_eq!(done.step_ids(), ["authorize-amocrm", "fetch-lead-data"]);
    assert_eq!(done.step("fetch-lead-data").unwrap().result.clone().unwrap().get("more"), None);
}

#[tokio::test]
async fn a_record_that_existed_is_reported_as_a_duplicate() {
    let erp = FakeErp { knows_them_all: true, ..FakeErp::default() };
    let done = with(&FakeAmoCrm::with(&[(1, "a", 0)]), &erp, ours(1)).await;
    assert_eq!(done.output().unwrap()["duplicate"], true);
}

#[tokio::test]
async fn an_event_without_a_lead_ends_the_run_in_its_first_call() {
    let done = with(&FakeAmoCrm::default(), &FakeErp::default(), json!({ "data": {} })).await;
    let error = done.error().unwrap();
    assert_eq!(
        (error.message.as_str(), error.is_final),
        ("Lead ID not found in webhook data", true)
    );
    assert_eq!(done.calls(), 1);
}

#[tokio::test]
async fn a_lead_that_amocrm_does_not_show_yet_is_read_again() {
    let amocrm = FakeAmoCrm { lag: 2, ..FakeAmoCrm::with(&[(1, "a", 0)]) };
    let done = with(&amocrm, &FakeErp::default(), ours(1)).await;
    assert!(done.output().is_some());
    let fetched = done.step("fetch-lead-data").unwrap();
    assert_eq!(fetched.delays, [5, 20].map(|seconds| Some(Duration::from_secs(seconds))));
}

#[tokio::test]
async fn a_lead_that_stays_away_fails_the_run_and_is_named() {
    let failed = with(&FakeAmoCrm::default(), &FakeErp::default(), ours(9)).await;
    let fetched = failed.step("fetch-lead-data").unwrap();
    assert_eq!(fetched.attempts, 4);
    assert_eq!(
        fetched.delays.first_chunk(),
        Some(&[5, 20, 60].map(|seconds| Some(Duration::from_secs(seconds))))
    );
    let error = failed.error().unwrap();
    assert!(error.is_final);
    assert!(error.message.starts_with("lead 9: amoCRM shows no lead 9"), "{}", error.message);
}

fn delivery(deal: &Deal) -> Option<String> {
    match &deal.key {
        DealKey::Lead { delivery_id, .. } => Some(delivery_id.clone()),
        DealKey::Run(_) => None,
    }
}

#[tokio::test]
async fn an_event_that_is_sent_again_is_the_same_deal() {
    let (amocrm, erp) = (FakeAmoCrm::with(&[(1, "a", 0)]), FakeErp::default());
    let again = json!({ "leadId": 1, "deliveryId": "01FIRST" });
    for data in [ours(1), again.clone(), again] {
        assert!(with(&amocrm, &erp, data).await.output().is_some());
    }
    let deliveries = erp.created.lock().unwrap().iter().filter_map(delivery).collect::<Vec<_>>();
    assert_ne!(deliveries[0], "01FIRST", "without a delivery the event is one");
    assert_eq!(deliveries[1..], ["01FIRST"; 2]);
}

#[tokio::test]
async fn the_error_of_a_run_says_what_its_leads_wait_for() {
    let run = async |erp: &FakeErp, data| {
        let amocrm = FakeAmoCrm::with(&[(1, "away", 1), (2, "away too", 2)]);
        let failed = with(&amocrm, erp, data).await;
        WaitsFor::of_error(&failed.error().unwrap().name)
    };
    let away =
        FakeErp { refuses: Some("away"), waits_for: Some(WaitsFor::Erp), ..FakeErp::default() };
    assert_eq!(run(&away, ours(1)).await, Some(WaitsFor::Erp));
    assert_eq!(run(&FakeErp::default(), ours(9)).await, Some(WaitsFor::Person), "it is absent");
    // The third is absent, and no one thing lets them all go on.
    assert_eq!(run(&away, three()).await, None);
    let unknown = FakeErp { refuses: Some("away"), ..FakeErp::default() };
    assert_eq!(run(&unknown, ours(1)).await, None);
}

#[tokio::test]
async fn one_lead_that_fails_does_not_take_the_others_with_it() {
    let amocrm = FakeAmoCrm::with(&[(1, "first", 1), (2, "cursed", 2), (3, "third", 3)]);
    let erp = FakeErp { refuses: Some("cursed"), ..FakeErp::default() };
    let failed = with(&amocrm, &erp, three()).await;
    assert_eq!(erp.names(), ["first", "third"]);
    assert_eq!(failed.error().unwrap().message, "lead 2: the ERP refuses the record");
    assert_eq!(
        failed.step_ids(),
        [
            "authorize-amocrm",
            "fetch-lead-data",
            "create-erp-task",
            "fetch-lead-data:1",
            "create-erp-task:1",
            "fetch-lead-data:2",
            "create-erp-task:2",
        ]
    );
}

#[tokio::test]
async fn several_leads_are_reported_in_the_order_of_the_event() {
    let amocrm = FakeAmoCrm::with(&[(1, "first", 1), (2, "", 2), (3, "third", 3)]);
    let erp = FakeErp::default();
    let done = with(&amocrm, &erp, three()).await;
    let output = done.output().unwrap();
    let ids = [0, 1, 2].map(|index| output["leads"][index]["amoCrmLead"]["id"].clone());
    assert_eq!(ids, [json!(1), json!(2), json!(3)]);
    assert_eq!(erp.names(), ["first", "Сделка #2", "third"], "no record is without a name");
}

#[tokio::test]
async fn a_lead_whose_webhook_names_no_stage_is_looked_at() {
    let restored = json!({ "data": { "leads[restore][0][id]": ["1"], "account[id]": ["7"] } });
    let accepted = json!({ "leadId": 1, "accountId": 7, "action": "accept" });
    for data in [restored, accepted] {
        let (erp, amocrm) = (FakeErp::default(), FakeAmoCrm::with(&[(1, "Окна", 5)]));
        let done = narrowed(&amocrm.clone().in_stage((9, 142)), &erp, data.clone()).await;
        let lead = json!({ "id": 1, "name": "Окна", "price": 5 });
        assert_eq!(done.output().unwrap()["amoCrmLead"], lead, "the stage is not shown");
        assert_eq!(erp.names(), ["Окна"]);

        let elsewhere = narrowed(&amocrm.in_stage((9, 143)), &erp, data).await;
        let reason = "the webhook named no stage, and the lead is in pipeline 9, status 143, which \
                      AMOCRM_TRIGGER_STATUSES does not list";
        let skipped = json!([{ "id": 1, "reason": reason }]);
        let result = json!({ "success": true, "leads": [], "skipped": skipped });
        assert_eq!(elsewhere.output(), Some(&result));
        assert_eq!(elsewhere.step_ids(), ["authorize-amocrm", "fetch-lead-data"]);
        let ended = erp.not_needed.lock().unwrap().clone();
        assert_eq!(ended, [(1, reason.to_owned())], "and is not sent again");
        assert_eq!(erp.names(), ["Окна"], "and no second record");
    }
}

#[tokio::test]
async fn a_lead_that_entered_the_stage_makes_a_deal_wherever_it_is_by_now() {
    let (erp, amocrm) = (FakeErp::default(), FakeAmoCrm::with(&[(1, "a", 5)]).in_stage((9, 143)));
    let entered = json!({ "leadId": 1, "pipelineId": 9, "statusId": 142 });
    assert!(narrowed(&amocrm, &erp, entered).await.output().is_some());
    let looked_at_by_none = with(&amocrm, &erp, json!({ "leadId": 1, "action": "restore" })).await;
    assert_eq!(looked_at_by_none.output().unwrap()["success"], true);
    assert_eq!(erp.names(), ["a", "a"]);
}

#[tokio::test]
async fn one_lead_that_is_skipped_is_shown_beside_one_that_has_its_record() {
    let (erp, amocrm) = (FakeErp::default(), FakeAmoCrm::with(&[(1, "a", 1), (2, "b", 2)]));
    let both = json!({ "data": {
        "leads[status][0][id]": ["1"], "leads[status][0][pipeline_id]": ["9"],
        "leads[status][0][status_id]": ["142"], "leads[restore][0][id]": ["2"],
    } });
    let done = narrowed(&amocrm.in_stage((9, 143)), &erp, both).await;
    let output = done.output().unwrap();
    assert_eq!(output["leads"][0]["amoCrmLead"]["id"], 1);
    assert_eq!((&output["skipped"][0]["id"], erp.names()), (&json!(2), vec!["a".to_owned()]));
}

#[tokio::test]
async fn a_lead_of_which_no_stage_can_be_learned_fails_the_run_and_is_named() {
    let (erp, amocrm) = (FakeErp::default(), FakeAmoCrm::with(&[(1, "a", 1)]));
    let failed = narrowed(&amocrm, &erp, ours(1)).await;
    let says = &failed.error().unwrap().message;
    let expected = "lead 1: neither the webhook nor amoCRM says in which stage lead 1 is.";
    assert!(says.starts_with(expected), "{says}");
    assert_eq!((failed.step("fetch-lead-data").unwrap().attempts, erp.names()), (4, vec![]));
}

fn compared(differs: &[&str], update: bool) -> Compared {
    Compared {
        record: "119".to_owned(),
        reply: json!({ "status": "success", "data": { "id": "119" } }),
        recorded: Some(Recorded { name: "Окна".to_owned(), amount: None }),
        differs: differs.iter().map(|what| (*what).to_owned()).collect(),
        update,
        is_gone: false,
    }
}

fn with_record(compared: (Compared, Compared)) -> FakeErp {
    let reading = Reading { reports: 1, has_record: true, is_deleted: false };
    FakeErp { reading, knows_them_all: true, compared: Some(compared), ..FakeErp::default() }
}

fn change(action: &str) -> Value {
    json!({ "leadId": 1, "action": action })
}

#[tokio::test]
async fn a_lead_that_was_changed_is_compared_with_its_record_and_makes_none() {
    let amocrm = FakeAmoCrm::with(&[(1, "Окна", 1500)]);
    for action in ["update", "delete"] {
        let erp = with_record((compared(&["amount"], false), compared(&[], false)));
        let done = with(&amocrm, &erp, change(action)).await;
        assert_eq!(done.step_ids(), ["authorize-amocrm", "fetch-lead-data", "compare-with-record"]);
        let output = done.output().unwrap();
        assert_eq!(output["success"], false, "the record does not hold what amoCRM has");
        assert_eq!(output["amoCrmLead"]["price"], 1500);
        assert_eq!(
            (&output["recorded"], &output["differs"]),
            (&json!({ "name": "Окна" }), &json!(["amount"]))
        );
        assert!(erp.created.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn what_a_record_lacks_is_written_in_a_step_of_its_own() {
    let amocrm = FakeAmoCrm::with(&[(1, "Окна", 1500)]);
    let erp = with_record((compared(&["amount"], true), compared(&[], false)));
    for (event, steps) in [
        (change("update"), ["fetch-lead-data", "compare-with-record", "update-erp-record"]),
        (change("status"), ["fetch-lead-data", "create-erp-task", "update-erp-record"]),
    ] {
        let done = with(&amocrm, &erp, event).await;
        assert_eq!(done.step_ids()[1..], steps);
        let output = done.output().unwrap();
        assert_eq!((&output["success"], &output["updated"]), (&json!(true), &json!(true)));
        assert_eq!(output.get("recorded"), None);
    }
}

#[tokio::test]
async fn a_duplicate_whose_record_holds_something_else_is_no_success() {
    let amocrm = FakeAmoCrm::with(&[(1, "Окна", 1500)]);
    let unknown = Compared { recorded: None, ..compared(&[], false) };
    for (compared, recorded) in
        [(compared(&["amount"], false), json!({ "name": "Окна" })), (unknown, Value::Null)]
    {
        let done = with(&amocrm, &with_record((compared.clone(), compared)), ours(1)).await;
        let output = done.output().unwrap();
        assert_eq!((&output["success"], &output["duplicate"]), (&json!(false), &json!(true)));
        assert_eq!(output["recorded"], recorded);
    }
}

#[tokio::test]
async fn a_lead_without_a_record_is_not_even_read_when_it_was_changed() {
    let amocrm = FakeAmoCrm::with(&[(1, "Окна", 1500)]);
    let done = with(&amocrm, &FakeErp::default(), change("update")).await;
    assert_eq!(done.output().unwrap()["skipped"][0]["reason"], "it has no record");
    assert!(amocrm.reads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_lead_that_was_deleted_ends_the_run_quietly_and_at_once_where_amocrm_says_so() {
    let amocrm = FakeAmoCrm { says_deleted: true, ..FakeAmoCrm::default() };
    let erp = FakeErp::default();
    let done = with(&amocrm, &erp, ours(1)).await;
    let reason = "it was deleted in amoCRM before it had a record";
    assert_eq!(done.output().unwrap()["skipped"], json!([{ "id": 1, "reason": reason }]));
    assert_eq!(done.step("fetch-lead-data").unwrap().attempts, 1);
    let erp = with_record((compared(&[], false), compared(&[], false)));
    for event in [change("delete"), ours(1)] {
        let done = with(&amocrm, &erp, event).await;
        let reason = "it was deleted in amoCRM, record 119 stays";
        assert_eq!(done.output().unwrap()["skipped"][0]["reason"], reason);
    }
    assert_eq!(*erp.gone.lock().unwrap(), [true, true]);
}

#[tokio::test]
async fn a_lead_that_was_only_reported_as_deleted_is_given_time_to_appear() {
    let reading = Reading { is_deleted: true, ..Reading::default() };
    let erp = FakeErp { reading, ..FakeErp::default() };
    let done = with(&FakeAmoCrm::default(), &erp, ours(1)).await;
    assert_eq!(done.step("fetch-lead-data").unwrap().attempts, 4);
    assert_eq!(done.output().unwrap()["skipped"][0]["id"], 1);
    let amocrm = FakeAmoCrm { lag: 2, ..FakeAmoCrm::with(&[(1, "a", 0)]) };
    let restored = with(&amocrm, &erp, ours(1)).await;
    assert_eq!(restored.output().unwrap()["success"], true);
    assert_eq!(*erp.gone.lock().unwrap(), [true], "of the second it was not said");
}
