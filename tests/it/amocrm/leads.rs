//! Leads: read from the configured account alone, within amoCRM's limits.

use std::time::Duration;

use functions::ports::Retry;
use functions::ports::{AmoCrm as _, Lead};
use prometei_flow::amocrm::Account;
use prometei_flow::outbound::USER_AGENT;
use sandbox::AmoCrmFailure;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Bench, DAY, impatient};
use crate::ports::NOBODY;

const LEAD: u64 = 45_721_053;

fn answer(status: u16, body: &str) -> AmoCrmFailure {
    AmoCrmFailure::Answer { status, body: body.to_owned() }
}

#[tokio::test]
async fn a_lead_is_read_with_the_token_of_the_store() {
    let bench = Bench::new().await;
    bench.amocrm.set_lead(LEAD, "Поставка окон", 15_000);
    let lead = bench.client().lead(LEAD).await.unwrap().unwrap();

    let name = Some("Поставка окон".to_owned());
    assert_eq!(lead, Lead { id: LEAD, name, price: Some(15_000.into()) });
    let request = bench.amocrm.requests().pop().unwrap();
    assert_eq!(request.uri, "/api/v4/leads/45721053");
    assert_eq!(request.header("authorization"), "Bearer fake-access-token-1");
    assert_eq!(request.header("user-agent"), USER_AGENT);
    assert_eq!(request.header("accept"), "application/hal+json, application/json");
}

#[tokio::test]
async fn a_lead_that_is_missing_hidden_or_deleted_is_none() {
    let bench = Bench::new().await;
    let client = bench.client();
    assert_eq!(client.lead(LEAD).await.unwrap(), None, "HTTP 204");
    bench.amocrm.set_lead_json(LEAD, json!({"id": LEAD, "name": "gone", "is_deleted": true}));
    assert_eq!(client.lead(LEAD).await.unwrap(), None);
}

#[tokio::test]
async fn a_lead_may_lack_everything_but_its_id() {
    let bench = Bench::new().await;
    let client = bench.client();
    for lead in [json!({"id": LEAD}), json!({"id": LEAD, "name": null, "price": null, "new": {}})] {
        bench.amocrm.set_lead_json(LEAD, lead);
        let read = client.lead(LEAD).await.unwrap();
        assert_eq!(read, Some(Lead { id: LEAD, name: None, price: None }));
    }
}

#[tokio::test]
async fn an_answer_about_something_else_is_refused() {
    let bench = Bench::new().await.with(|settings| settings.account_id = Some(32_452_514));
    let client = bench.client();
    for (lead, says) in [
        (
            json!({"id": 1, "name": "another"}),
            "amoCRM lead 45721053 could not be read: amoCRM answered with another lead, 1",
        ),
        (
            json!({"id": LEAD, "account_id": 2}),
            "amoCRM lead 45721053 could not be read: it belongs to account 2, and AMOCRM_ACCOUNT_ID says 32452514",
        ),
    ] {
        bench.amocrm.set_lead_json(LEAD, lead);
        let error = client.lead(LEAD).await.unwrap_err();
        assert_eq!((error.retry(), error.to_string().as_str()), (Retry::Never, says));
    }
    bench.amocrm.set_lead(LEAD, "ours", 1);
    assert!(client.lead(LEAD).await.unwrap().is_some());
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_all_who_hold_it() {
    let bench = Bench::new().await;
    bench.amocrm.set_lead(LEAD, "Поставка окон", 15_000);
    let client = bench.client();
    client.authorize().await.unwrap();
    bench.amocrm.expire_tokens();

    let mut callers = JoinSet::new();
    for _ in 0..2 {
        let client = client.clone();
        callers.spawn(async move { client.lead(LEAD).await.unwrap() });
    }
    assert!(callers.join_all().await.iter().all(Option::is_some));
    assert_eq!(bench.amocrm.exchanges(), 2, "the first pair and its successor");
    assert_eq!(bench.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn a_token_that_another_process_replaced_is_taken_from_the_store() {
    let bench = Bench::new().await;
    let client = bench.client();
    client.authorize().await.unwrap();
    let elsewhere = bench.client();
    bench.amocrm.expire_tokens();
    assert_eq!(elsewhere.lead(LEAD).await.unwrap(), None);
    assert_eq!(client.lead(LEAD).await.unwrap(), None);
    assert_eq!(bench.amocrm.exchanges(), 2);
}

#[tokio::test]
async fn a_new_token_that_is_refused_as_well_is_not_replaced_again() {
    let bench = Bench::new().await;
    let refusal = r#"{"title":"Unauthorized","status":401,"detail":"Неверный логин или пароль"}"#;
    bench.amocrm.fail_next(2, answer(401, refusal));
    let error = bench.client().lead(LEAD).await.unwrap_err();

    assert_eq!(error.retry(), Retry::Again);
    assert_eq!(
        error.to_string(),
        "amoCRM lead 45721053 could not be read: amoCRM refuses a new access token (HTTP 401, Unauthorized: \
         Неверный логин или пароль). Is the integration enabled, and is AMOCRM_SUBDOMAIN the account that gave \
         its consent?"
    );
    assert_eq!((bench.amocrm.exchanges(), bench.amocrm.api_calls()), (2, 2));
}

#[tokio::test]
async fn every_failure_says_whether_and_when_to_try_again() {
    let seconds = |seconds| Retry::NotBefore(Duration::from_secs(seconds));
    let page = "<html><h1>nginx</h1></html>";
    for (failure, retry, says) in [
        (AmoCrmFailure::TooManyRequests { retry_after: None }, seconds(5), "slow down"),
        (AmoCrmFailure::TooManyRequests { retry_after: Some(17) }, seconds(17), "slow down"),
        (answer(402, page), seconds(1800), "not paid for"),
        (AmoCrmFailure::Blocked, seconds(1800), "ask its support"),
        (answer(500, page), Retry::Again, "HTTP 500, nginx"),
        (answer(502, page), Retry::Again, "HTTP 502"),
        (answer(504, ""), Retry::Again, "HTTP 504"),
        (answer(400, r#"{"title":"Bad Request"}"#), Retry::Never, "HTTP 400, Bad Request"),
        (answer(404, page), Retry::Never, "AMOCRM_SUBDOMAIN"),
        (answer(200, page), Retry::Again, "cannot be read"),
        (answer(200, r#"{"id":"x"}"#), Retry::Again, "cannot be read"),
        (AmoCrmFailure::Hang, Retry::Again, "no answer within 500ms"),
    ] {
        let bench = Bench::new().await.with(impatient);
        bench.amocrm.fail_next(1, failure.clone());
        let error = bench.client().lead(LEAD).await.unwrap_err();
        assert_eq!(error.retry(), retry, "{failure:?}: {error}");
        let text = error.to_string();
        assert!(text.contains(says) && text.starts_with("amoCRM lead 45721053 could"), "{text}");
    }
}

#[tokio::test]
async fn while_amocrm_asks_for_a_pause_no_call_is_made() {
    let bench = Bench::new().await;
    let client = bench.client();
    bench.amocrm.fail_next(1, AmoCrmFailure::Blocked);
    client.lead(LEAD).await.unwrap_err();
    bench.clock.advance(Duration::from_secs(600));
    let error = client.lead(LEAD).await.unwrap_err();
    assert_eq!(error.retry(), Retry::NotBefore(Duration::from_secs(1200)));
    assert_eq!(bench.amocrm.api_calls(), 1);

    bench.clock.advance(Duration::from_secs(1200));
    assert_eq!(client.lead(LEAD).await.unwrap(), None);
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_token() {
    let (bench, elsewhere) = (Bench::new().await, Bench::new().await);
    let target = elsewhere.amocrm.url().join("/api/v4/leads/45721053").unwrap();
    bench.amocrm.fail_next(1, AmoCrmFailure::Redirect(target.to_string()));
    let error = bench.client().lead(LEAD).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Never);
    assert!(elsewhere.amocrm.requests().is_empty());
}

#[tokio::test]
async fn an_amocrm_that_is_not_there_is_tried_again() {
    let bench = Bench::new().await;
    bench.client().authorize().await.unwrap();
    let bench = bench.with(|settings| {
        let url = format!("http://{NOBODY}").parse().unwrap();
        settings.base_url = prometei_flow::amocrm::BaseUrl::new(url).unwrap();
    });
    let error = bench.client().lead(LEAD).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Again);
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn an_expired_token_is_renewed_before_the_call() {
    let bench = Bench::new().await;
    let client = bench.client();
    client.lead(LEAD).await.unwrap();
    bench.clock.advance(DAY);
    client.lead(LEAD).await.unwrap();
    assert_eq!((bench.amocrm.exchanges(), bench.amocrm.api_calls()), (2, 2));
}

#[tokio::test]
async fn the_token_opens_one_account() {
    let bench = Bench::new().await;
    let account = bench.client().account().await.unwrap();
    let (subdomain, name) = (Some("oooprometei".to_owned()), Some("Fake account".to_owned()));
    assert_eq!(account, Account { id: 32_452_514, subdomain, name });
}
