//! Leads: read from the configured account alone, within amoCRM's limits.

use std::time::Duration;

use functions::ports::{Lead, More, Retry};
use sandbox::AmoCrmFailure;
use serde_json::{Number, json};
use tokio::task::JoinSet;

use super::{Account, DAY, impatient, refused};
use crate::amocrm::BaseUrl;
use crate::amocrm::api::account::Account as OpenedAccount;
use crate::outbound::USER_AGENT;

/// Nothing listens here: tests have no right to low ports, and no service uses this one.
const NO_SERVER: &str = "http://127.0.0.1:1";

const LEAD: u64 = 45_721_053;

fn answer(status: u16, body: &str) -> AmoCrmFailure {
    AmoCrmFailure::Answer { status, body: body.to_owned() }
}

#[tokio::test]
async fn a_lead_is_read_with_the_token_of_the_database() {
    let account = Account::new().await;
    account.amocrm.set_lead(LEAD, "Поставка окон", 15_000);
    let lead = account.client().lead(LEAD).await.unwrap().unwrap();

    let name = Some("Поставка окон".to_owned());
    let stage = Some((9_679_730, 77_186_758));
    assert_eq!(
        lead,
        Lead { id: LEAD, name, price: Some(15_000.into()), stage, more: More::default() }
    );
    let request = account.amocrm.requests().pop().unwrap();
    assert_eq!(request.uri, "/api/v4/leads/45721053");
    assert_eq!(request.header("authorization"), "Bearer fake-access-token-1");
    assert_eq!(request.header("user-agent"), USER_AGENT);
    assert_eq!(request.header("accept"), "application/hal+json, application/json");
}

#[tokio::test]
async fn a_lead_that_is_missing_hidden_or_deleted_is_none() {
    let account = Account::new().await;
    let client = account.client();
    assert_eq!(client.lead(LEAD).await.unwrap(), None, "HTTP 204");
    account.amocrm.fail_next(1, answer(404, r#"{"title":"Not Found","status":404}"#));
    assert_eq!(client.lead(LEAD).await.unwrap(), None, "HTTP 404 of the API");
    account.amocrm.set_lead_json(LEAD, json!({"id": LEAD, "name": "gone", "is_deleted": true}));
    assert_eq!(client.lead(LEAD).await.unwrap(), None);
}

#[tokio::test]
async fn a_lead_may_lack_everything_but_its_id() {
    let account = Account::new().await;
    let client = account.client();
    let odd = json!({"id": LEAD, "name": null, "price": null, "new": {}, "pipeline_id": "9", "status_id": []});
    for lead in [json!({"id": LEAD}), odd] {
        account.amocrm.set_lead_json(LEAD, lead);
        let read = client.lead(LEAD).await.unwrap();
        assert_eq!(
            read,
            Some(Lead { id: LEAD, name: None, price: None, stage: None, more: More::default() })
        );
    }
}

#[tokio::test]
async fn the_price_of_a_lead_has_its_kopecks() {
    let account = Account::new().await;
    let client = account.client();
    for (whole, exact, means) in [
        (json!(100), json!(100.5), Number::from_f64(100.5)),
        (json!(0), json!(0.75), Number::from_f64(0.75)),
    ] {
        let lead = json!({"id": LEAD, "price": whole, "price_with_minor_units": exact});
        account.amocrm.set_lead_json(LEAD, lead);
        assert_eq!(client.lead(LEAD).await.unwrap().unwrap().price, means);
    }
}

#[tokio::test]
async fn an_answer_about_something_else_is_refused() {
    let account = Account::new().await.with(|settings| settings.account_id = Some(32_452_514));
    let client = account.client();
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
        account.amocrm.set_lead_json(LEAD, lead);
        let error = refused(client.lead(LEAD).await);
        assert_eq!((error.retry(), error.to_string().as_str()), (Retry::Never, says));
    }
    account.amocrm.set_lead(LEAD, "ours", 1);
    assert!(client.lead(LEAD).await.unwrap().is_some());
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_for_all_who_hold_it() {
    let account = Account::new().await;
    account.amocrm.set_lead(LEAD, "Поставка окон", 15_000);
    let client = account.client();
    client.authorize().await.unwrap();
    account.amocrm.expire_tokens();

    let mut callers = JoinSet::new();
    for _ in 0..2 {
        let client = client.clone();
        callers.spawn(async move { client.lead(LEAD).await.unwrap() });
    }
    assert!(callers.join_all().await.iter().all(Option::is_some));
    assert_eq!(account.amocrm.exchanges(), 2, "the first pair and its successor");
    assert_eq!(account.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn a_token_that_another_process_replaced_is_taken_from_the_database() {
    let account = Account::new().await;
    let client = account.client();
    client.authorize().await.unwrap();
    let elsewhere = account.client_on(account.another_db().await);
    account.amocrm.expire_tokens();
    assert_eq!(elsewhere.lead(LEAD).await.unwrap(), None);
    assert_eq!(client.lead(LEAD).await.unwrap(), None);
    assert_eq!(account.amocrm.exchanges(), 2);
}

#[tokio::test]
async fn a_new_token_that_is_refused_as_well_is_not_replaced_again() {
    let account = Account::new().await;
    let refusal = r#"{"title":"Unauthorized","status":401,"detail":"Неверный логин или пароль"}"#;
    account.amocrm.fail_next(2, answer(401, refusal));
    let error = refused(account.client().lead(LEAD).await);

    assert_eq!(error.retry(), Retry::Again);
    assert_eq!(
        error.to_string(),
        "amoCRM lead 45721053 could not be read: amoCRM refuses a new access token (HTTP 401, Unauthorized: \
         Неверный логин или пароль). Is the integration enabled, and is AMOCRM_SUBDOMAIN the account that gave \
         its consent?"
    );
    assert_eq!((account.amocrm.exchanges(), account.amocrm.api_calls()), (2, 2));
}

#[tokio::test]
async fn every_failure_says_whether_and_when_to_try_again() {
    let seconds = |seconds| Retry::NotBefore(Duration::from_secs(seconds));
    let page = "<html><h1>nginx</h1></html>";
    for (failure, retry, says) in [
        (AmoCrmFailure::TooManyRequests { retry_after: None }, seconds(5), "slow down"),
        (AmoCrmFailure::TooManyRequests { retry_after: Some(17) }, seconds(17), "slow down"),
        (AmoCrmFailure::TooManyRequests { retry_after: Some(u64::MAX) }, seconds(600), "slow down"),
        (answer(402, page), seconds(1800), "not paid for"),
        (AmoCrmFailure::Blocked, seconds(1800), "ask its support"),
        (answer(500, page), Retry::Again, "HTTP 500, nginx"),
        (answer(502, page), Retry::Again, "HTTP 502"),
        (answer(504, ""), Retry::Again, "HTTP 504"),
        (answer(400, r#"{"title":"Bad Request"}"#), Retry::Never, "HTTP 400, Bad Request"),
        (answer(404, page), Retry::Never, "AMOCRM_SUBDOMAIN"),
        (answer(200, page), Retry::Again, "cannot be read"),
        (answer(200, r#"{"id":"x"}"#), Retry::Again, "cannot be read"),
        (AmoCrmFailure::Hang, Retry::Again, "no answer within 2s"),
    ] {
        let account = Account::new().await.with(impatient);
        account.amocrm.fail_next(1, failure.clone());
        let error = refused(account.client().lead(LEAD).await);
        assert_eq!(error.retry(), retry, "{failure:?}: {error}");
        let text = error.to_string();
        assert!(text.contains(says) && text.starts_with("amoCRM lead 45721053 could"), "{text}");
    }
}

#[tokio::test]
async fn while_amocrm_asks_for_a_pause_no_call_is_made() {
    let account = Account::new().await;
    let client = account.client();
    account.amocrm.fail_next(1, AmoCrmFailure::Blocked);
    client.lead(LEAD).await.unwrap_err();
    account.clock.advance(Duration::from_secs(600));
    let error = refused(client.lead(LEAD).await);
    assert_eq!(error.retry(), Retry::NotBefore(Duration::from_secs(1200)));
    assert_eq!(account.amocrm.api_calls(), 1);

    account.clock.advance(Duration::from_secs(1200));
    assert_eq!(client.lead(LEAD).await.unwrap(), None);
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_token() {
    let (account, elsewhere) = (Account::new().await, Account::new().await);
    let target = elsewhere.amocrm.url().join("/api/v4/leads/45721053").unwrap();
    account.amocrm.fail_next(1, AmoCrmFailure::Redirect(target.to_string()));
    let error = refused(account.client().lead(LEAD).await);
    assert_eq!(error.retry(), Retry::Never);
    assert!(elsewhere.amocrm.requests().is_empty());
}

#[tokio::test]
async fn an_amocrm_that_is_not_there_is_tried_again() {
    let account = Account::new().await;
    account.client().authorize().await.unwrap();
    let account = account.with(|settings| {
        settings.base_url = BaseUrl::new(NO_SERVER.parse().unwrap()).unwrap();
    });
    let error = refused(account.client().lead(LEAD).await);
    assert_eq!(error.retry(), Retry::Again);
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[tokio::test]
async fn an_expired_token_is_renewed_before_the_call() {
    let account = Account::new().await;
    let client = account.client();
    client.lead(LEAD).await.unwrap();
    account.clock.advance(DAY);
    client.lead(LEAD).await.unwrap();
    assert_eq!((account.amocrm.exchanges(), account.amocrm.api_calls()), (2, 2));
}

#[tokio::test]
async fn the_token_opens_one_account() {
    let account = Account::new().await;
    let opened = account.client().account().await.unwrap();
    let (subdomain, name) = (Some("oooprometei".to_owned()), Some("Fake account".to_owned()));
    assert_eq!(opened, OpenedAccount { id: 32_452_514, subdomain, name });
}
