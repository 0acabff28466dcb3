//! Tokens: exchanged once, stored before use, renewed early, never spent twice.

use std::time::Duration;

use functions::ports::{AmoCrm as _, Authorization, Retry, WaitsFor};
use sandbox::AmoCrmFailure;
use secrecy::ExposeSecret as _;
use tokio::task::JoinSet;

use super::{Account, DAY, impatient, refused};
use crate::amocrm::AmoCrmPort;
use crate::amocrm::auth::TokenError;
use crate::amocrm::auth::table::{Replaces, replace};
use crate::outbound::USER_AGENT;

fn until(end: &str) -> Authorization {
    Authorization { expires_at: Some(end.parse().unwrap()) }
}

#[tokio::test]
async fn the_first_pair_is_exchanged_for_the_configured_token_and_stored() {
    let account = Account::new().await;
    let authorization = account.client().authorize().await.unwrap();

    assert_eq!(authorization, until("2026-11-22T12:05:00Z"));
    assert_eq!(account.generation().await, Some(1));
    let request = &account.amocrm.requests()[0];
    assert_eq!(
        request.text(),
        r#"{"client_id":"fake-amocrm-client","client_secret":"fake-amocrm-secret","grant_type":"refresh_token","refresh_token":"fake-refresh-token-0","redirect_uri":"http://127.0.0.1:3000/oauth/callback"}"#
    );
    assert_eq!(request.uri, "/oauth2/access_token");
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("user-agent"), USER_AGENT);
}

#[tokio::test]
async fn after_the_first_pair_only_the_database_counts() {
    let account = Account::new().await;
    account.client().authorize().await.unwrap();
    account.clock.advance(DAY);
    account.client().authorize().await.unwrap();
    account.clock.advance(DAY);
    let authorization = account.client().authorize().await.unwrap();

    assert_eq!(authorization, until("2026-11-24T12:05:00Z"));
    assert_eq!((account.generation().await, account.amocrm.exchanges()), (Some(3), 3));
    assert_eq!(account.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn fifty_callers_at_once_make_one_exchange() {
    let account = Account::new().await;
    let client = account.client();
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let client = client.clone();
        callers.spawn(async move { client.authorize().await.unwrap() });
    }
    for authorization in callers.join_all().await {
        assert_eq!(authorization, until("2026-11-22T12:05:00Z"));
    }
    assert_eq!((account.amocrm.exchanges(), account.generation().await), (1, Some(1)));
}

#[tokio::test]
async fn two_processes_at_once_end_up_with_the_same_pair() {
    let account = Account::new().await;
    let (one, other) = (account.client(), account.client_on(account.another_db().await));
    let (first, second) = tokio::join!(one.authorize(), other.authorize());
    assert_eq!((first.unwrap(), second.unwrap()), {
        let end = until("2026-11-22T12:05:00Z");
        (end.clone(), end)
    });
    assert_eq!(account.generation().await, Some(1));
}

#[tokio::test]
async fn a_token_is_renewed_when_three_quarters_of_its_life_have_passed() {
    let account = Account::new().await;
    let client = account.client();
    client.authorize().await.unwrap();
    account.clock.advance(DAY / 4 * 3 - Duration::from_secs(1));
    client.authorize().await.unwrap();
    assert_eq!(account.amocrm.exchanges(), 1);

    account.clock.advance(Duration::from_secs(1));
    let authorization = client.authorize().await.unwrap();
    assert_eq!(authorization, until("2026-11-23T06:05:00Z"));
    assert_eq!(account.amocrm.exchanges(), 2);
}

#[tokio::test]
async fn a_failed_renewal_does_no_harm_while_the_token_lives() {
    let account = Account::new().await;
    let client = account.client();
    client.authorize().await.unwrap();
    account.clock.advance(DAY / 5 * 4);
    account.amocrm.fail_next_exchange(1, AmoCrmFailure::Blocked);
    for _ in 0..10 {
        assert_eq!(client.authorize().await.unwrap(), until("2026-11-22T12:05:00Z"));
    }
    assert_eq!(account.amocrm.exchanges(), 2, "a blocked server does not try again");

    account.clock.advance(DAY / 5);
    assert_eq!(client.authorize().await.unwrap(), until("2026-11-23T12:05:00Z"));
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_the_new_pair_with_it() {
    let account = Account::new().await;
    let client = account.client();
    account.amocrm.fail_next_exchange(1, AmoCrmFailure::Slow(Duration::from_millis(100)));
    let caller = tokio::spawn({
        let client = client.clone();
        async move { client.authorize().await }
    });
    account.exchange_begins().await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());

    client.auth().wait_for_exchange().await;
    assert_eq!(account.generation().await, Some(1));
}

#[tokio::test]
async fn a_pair_that_cannot_be_stored_is_not_used_and_not_lost() {
    let account = Account::new().await;
    let client = account.client();
    account.database.refuse_commits().await;
    for _ in 0..3 {
        let error = refused(client.authorize().await);
        assert_eq!(error.retry(), Retry::Again);
        let says = "the database failed, so no access token can be used: ";
        assert!(error.to_string().starts_with(says), "{error}");
    }
    account.database.accept_commits().await;
    client.authorize().await.unwrap();
    assert_eq!((account.amocrm.exchanges(), account.generation().await), (1, Some(1)));
}

#[tokio::test]
async fn a_dead_refresh_token_is_presented_once_and_deals_wait_for_a_person() {
    let account = Account::new().await;
    let client = account.client();
    client.authorize().await.unwrap();
    account.amocrm.revoke();
    account.clock.advance(DAY);
    for _ in 0..10 {
        let error = refused(client.authorize().await);
        assert_eq!((error.retry(), error.waits_for()), (Retry::Never, Some(WaitsFor::Consent)));
        assert_eq!(
            error.to_string(),
            "amoCRM needs to be authorised again: HTTP 401, Token has been revoked. Run `prometei-flow amocrm \
             authorize`; deals wait until then"
        );
        account.clock.advance(DAY);
    }
    assert_eq!(account.amocrm.exchanges(), 2);
    assert!(matches!(client.auth().last_error(), Some(TokenError::NeedsReauth { .. })));

    let code = account.amocrm.issue_code();
    client.auth().redeem_code(code.into()).await.unwrap();
    client.authorize().await.unwrap();
    assert_eq!(client.auth().last_error(), None);
}

#[tokio::test]
async fn a_pair_that_another_process_stores_ends_the_failure() {
    let account = Account::new().await.without_refresh_token();
    let client = account.client();
    let error = client.authorize().await.unwrap_err();
    assert!(error.to_string().contains("AMOCRM_REFRESH_TOKEN is not set"), "{error}");
    assert_eq!(account.amocrm.exchanges(), 0);

    assert!(account.stores_elsewhere(Replaces::Nothing, &account.pair("from elsewhere")).await);
    assert_eq!(client.authorize().await.unwrap(), until("2026-11-22T12:05:00Z"));
    assert_eq!(client.auth().last_error(), None);
}

#[tokio::test]
async fn of_two_token_pairs_for_the_same_predecessor_one_is_stored() {
    let account = Account::new().await;
    let (here, elsewhere) = (&account.db, &account.another_db().await);
    let owner = account.owner();
    assert!(account.stored().await.is_none());
    assert!(replace(here, &owner, Replaces::Nothing, &account.pair("first")).await.unwrap());
    assert!(!replace(elsewhere, &owner, Replaces::Nothing, &account.pair("late")).await.unwrap());

    account.clock.advance(DAY);
    let (mine, theirs) = (account.pair("mine"), account.pair("theirs"));
    let (a, b) = tokio::join!(
        replace(here, &owner, Replaces::Generation(1), &mine),
        replace(elsewhere, &owner, Replaces::Generation(1), &theirs)
    );
    let (a, b) = (a.unwrap(), b.unwrap());
    assert!(a != b, "one of them and only one");
    let stored = account.stored().await.unwrap();
    let token = stored.pair.access_token.expose_secret();
    assert_eq!((stored.generation, token), (2, if a { "mine" } else { "theirs" }));
    assert_eq!(stored.pair.expires_at, "2026-11-23T12:05:00Z".parse().unwrap());
    assert!(!replace(here, &owner, Replaces::Generation(1), &mine).await.unwrap());
    assert!(replace(here, &owner, Replaces::Generation(2), &mine).await.unwrap());
}

#[tokio::test]
async fn a_consent_is_exchanged_for_a_pair() {
    let account = Account::new().await;
    let code = account.amocrm.issue_code();
    let end = account.client().auth().redeem_code(code.clone().into()).await.unwrap();

    assert_eq!(end.to_string(), "2026-11-22T12:05:00Z");
    assert_eq!(account.generation().await, Some(1));
    let sent = account.amocrm.requests()[0].text();
    assert!(sent.contains(
        r#""grant_type":"authorization_code","code":"fake-code-token-1","redirect_uri""#
    ));

    let error = account.client().auth().redeem_code(code.into()).await.unwrap_err();
    assert!(error.to_string().contains("Authorization code has been revoked"), "{error}");
    assert_eq!(account.generation().await, Some(1), "the stored pair stays");
}

#[tokio::test]
async fn the_pair_of_a_consent_takes_the_place_of_any_other() {
    let account = Account::new().await;
    let client = account.client();
    account.amocrm.fail_next_exchange(1, AmoCrmFailure::Slow(Duration::from_millis(100)));
    let code = account.amocrm.issue_code();
    let consent = tokio::spawn(async move { client.auth().redeem_code(code.into()).await });
    account.exchange_begins().await;
    assert!(account.stores_elsewhere(Replaces::Nothing, &account.pair("elsewhere")).await);

    consent.await.unwrap().unwrap();
    let stored = account.stored().await.unwrap();
    let token = stored.pair.access_token.expose_secret();
    assert_eq!((stored.generation, token), (2, "fake-access-token-2"));
}

#[tokio::test]
async fn a_consent_for_another_account_changes_nothing() {
    let account = Account::new().await.with(|settings| settings.account_id = Some(32_452_514));
    let api_domain = account.amocrm.url().authority().to_owned();
    account.amocrm.configure(|amocrm| amocrm.api_domain = Some(api_domain));
    let client = account.client();
    client.auth().redeem_code(account.amocrm.issue_code().into()).await.unwrap();

    account.amocrm.configure(|amocrm| amocrm.account_id = 1);
    let error = client.auth().redeem_code(account.amocrm.issue_code().into()).await.unwrap_err();
    assert!(error.to_string().contains("another account than AMOCRM_ACCOUNT_ID"), "{error}");
    assert_eq!(account.generation().await, Some(1), "the stored pair stays");
}

#[tokio::test]
async fn an_exchange_without_an_answer_is_tried_once_more() {
    let account = Account::new().await.with(impatient);
    account.amocrm.fail_next_exchange(1, AmoCrmFailure::Hang);
    account.client().authorize().await.unwrap();
    assert_eq!((account.amocrm.exchanges(), account.generation().await), (2, Some(1)));
}

#[tokio::test]
async fn a_pair_lost_on_the_way_is_named_as_such() {
    let account = Account::new().await.with(impatient);
    account.amocrm.fail_next_exchange(1, AmoCrmFailure::ActThenHang);
    let error = refused(account.client().authorize().await);
    assert_eq!((error.retry(), error.waits_for()), (Retry::Never, Some(WaitsFor::Consent)));
    assert!(error.to_string().contains("after a refresh of unknown outcome"), "{error}");
    assert_eq!(account.amocrm.exchanges(), 2);
}

#[tokio::test]
async fn each_failure_of_the_token_endpoint_is_recognised() {
    let answer = |status, body: &str| AmoCrmFailure::Answer { status, body: body.to_owned() };
    for (failure, retry, says) in [
        (
            answer(503, "<h1>nginx</h1>"),
            Retry::NotBefore(Duration::from_secs(60)),
            "HTTP 503, nginx; it is tried again",
        ),
        (
            AmoCrmFailure::TooManyRequests { retry_after: Some(9) },
            Retry::NotBefore(Duration::from_secs(9)),
            "HTTP 429",
        ),
        (
            AmoCrmFailure::TooManyRequests { retry_after: Some(u64::MAX) },
            Retry::NotBefore(Duration::from_secs(600)),
            "HTTP 429",
        ),
        (AmoCrmFailure::Blocked, Retry::Never, "amoCRM blocks this server"),
        (answer(401, r#"{"title":"Некорректный клиент"}"#), Retry::Never, "AMOCRM_CLIENT_SECRET"),
        (answer(404, "<h1>Not Found</h1>"), Retry::Never, "AMOCRM_SUBDOMAIN"),
        (AmoCrmFailure::Redirect("http://127.0.0.1:1/".to_owned()), Retry::Never, "HTTP 302"),
    ] {
        let account = Account::new().await;
        account.amocrm.fail_next_exchange(1, failure);
        let client = account.client();
        let error = refused(client.authorize().await);
        assert_eq!(error.retry(), retry, "{error}");
        assert!(error.to_string().contains(says), "{error}");

        assert_eq!(client.authorize().await.unwrap_err().to_string(), error.to_string());
        assert_eq!(account.amocrm.exchanges(), 1, "asking again at once does not reach amoCRM");
        account.clock.advance(Duration::from_secs(15 * 60));
        client.authorize().await.unwrap();
    }
}

#[tokio::test]
async fn a_long_lived_token_is_never_exchanged() {
    let account = Account::new().await;
    let token = account.amocrm.issue_long_lived_token(1_795_349_100);
    let account = account.with_long_lived_token(token);
    let client = account.client();
    assert_eq!(client.authorize().await.unwrap(), until("2026-11-22T12:05:00Z"));
    assert_eq!(client.lead(1).await.unwrap(), None);

    account.amocrm.revoke();
    let error = refused(client.lead(1).await);
    assert_eq!((error.retry(), error.waits_for()), (Retry::Never, Some(WaitsFor::Consent)));
    assert!(error.to_string().contains("set AMOCRM_ACCESS_TOKEN"), "{error}");

    account.clock.advance(DAY);
    let error = client.authorize().await.unwrap_err();
    assert!(error.to_string().contains("the long-lived token ended at 2026-11-22"), "{error}");
    assert_eq!(account.amocrm.exchanges(), 0);
}

#[tokio::test]
async fn an_opaque_long_lived_token_does_not_say_when_it_ends() {
    let account = Account::new().await.with_long_lived_token("opaque");
    let authorization = account.client().authorize().await.unwrap();
    assert_eq!(authorization, Authorization { expires_at: None });
}

#[tokio::test]
async fn without_amocrm_every_call_says_what_to_set() {
    let port = AmoCrmPort::Missing(Default::default());
    for error in [port.authorize().await.unwrap_err(), port.lead(1).await.unwrap_err()] {
        assert_eq!(error.retry(), Retry::Never);
        let says = "amoCRM is not configured: set AMOCRM_SUBDOMAIN, AMOCRM_CLIENT_ID";
        assert!(error.to_string().starts_with(says), "{error}");
    }
}

#[tokio::test]
async fn no_error_and_no_debug_output_shows_a_token_or_the_secret() {
    let secrets = ["fake-amocrm-secret", "fake-refresh-token-0", "fake-access-token-1"];
    let echo = format!("<p>{}</p>", secrets.join(" "));
    for status in [200, 400, 401, 403, 404, 500] {
        let account = Account::new().await;
        let body = echo.clone();
        account.amocrm.fail_next_exchange(2, AmoCrmFailure::Answer { status, body });
        let client = account.client();
        let error = client.authorize().await.unwrap_err();
        let (settings, last) = (&account.settings, client.auth().last_error());
        let shown = format!("{error} {error:?} {settings:?} {last:?}");
        for secret in &secrets[..2] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    for status in [200, 400, 402, 403, 404, 500] {
        let account = Account::new().await;
        let body = echo.clone();
        account.amocrm.fail_next(1, AmoCrmFailure::Answer { status, body });
        let error = refused(account.client().lead(1).await);
        let shown = format!("{error} {error:?} {:?}", account.stored().await);
        assert!(!shown.contains("fake-access-token-1"), "{shown}");
    }
}
