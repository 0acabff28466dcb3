//! Tokens: bought once, stored before use, renewed early, never spent twice.

use std::time::Duration;

use crate::amocrm::MemoryTokenStore;
use functions::ports::Retry;
use functions::ports::{AmoCrm as _, Authorization};
use prometei_flow::amocrm::{AmoCrmPort, MissingAmoCrm, TokenError, TokenPair, TokenStore as _};
use prometei_flow::clock::Clock as _;
use prometei_flow::outbound::USER_AGENT;
use sandbox::AmoCrmFailure;
use tokio::task::JoinSet;

use super::{Bench, DAY, impatient};

const HALF_AN_HOUR: Retry = Retry::NotBefore(Duration::from_secs(1800));

fn until(end: &str) -> Authorization {
    Authorization { expires_at: Some(end.to_owned()) }
}

#[tokio::test]
async fn the_first_pair_is_bought_with_the_configured_token_and_stored() {
    let bench = Bench::new().await;
    let authorization = bench.client().authorize().await.unwrap();

    assert_eq!(authorization, until("2026-11-22T12:05:00.000Z"));
    assert_eq!(bench.generation(), Some(1));
    let request = &bench.amocrm.requests()[0];
    assert_eq!(
        request.text(),
        r#"{"client_id":"fake-amocrm-client","client_secret":"fake-amocrm-secret","grant_type":"refresh_token","refresh_token":"fake-refresh-token-0","redirect_uri":"http://127.0.0.1:3000/oauth/callback"}"#
    );
    assert_eq!(request.uri, "/oauth2/access_token");
    assert_eq!(request.header("content-type"), "application/json");
    assert_eq!(request.header("user-agent"), USER_AGENT);
}

#[tokio::test]
async fn after_the_first_pair_only_the_store_counts() {
    let bench = Bench::new().await;
    bench.client().authorize().await.unwrap();
    bench.clock.advance(DAY);
    bench.client().authorize().await.unwrap();
    bench.clock.advance(DAY);
    let authorization = bench.client().authorize().await.unwrap();

    assert_eq!(authorization, until("2026-11-24T12:05:00.000Z"));
    assert_eq!((bench.generation(), bench.amocrm.exchanges()), (Some(3), 3));
    assert_eq!(bench.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn fifty_callers_at_once_make_one_exchange() {
    let bench = Bench::new().await;
    let client = bench.client();
    let mut callers = JoinSet::new();
    for _ in 0..50 {
        let client = client.clone();
        callers.spawn(async move { client.authorize().await.unwrap() });
    }
    for authorization in callers.join_all().await {
        assert_eq!(authorization, until("2026-11-22T12:05:00.000Z"));
    }
    assert_eq!((bench.amocrm.exchanges(), bench.generation()), (1, Some(1)));
}

#[tokio::test]
async fn two_processes_at_once_end_up_with_the_same_pair() {
    let bench =
        Bench::new().await.with(|settings| settings.timeouts.handover = Duration::from_millis(500));
    let (one, other) = (bench.client(), bench.client());
    let (first, second) = tokio::join!(one.authorize(), other.authorize());
    assert_eq!((first.unwrap(), second.unwrap()), {
        let end = until("2026-11-22T12:05:00.000Z");
        (end.clone(), end)
    });
    assert_eq!(bench.generation(), Some(1));
}

#[tokio::test]
async fn a_token_is_renewed_when_three_quarters_of_its_life_have_passed() {
    let bench = Bench::new().await;
    let client = bench.client();
    client.authorize().await.unwrap();
    bench.clock.advance(DAY / 4 * 3 - Duration::from_secs(1));
    client.authorize().await.unwrap();
    assert_eq!(bench.amocrm.exchanges(), 1);

    bench.clock.advance(Duration::from_secs(1));
    let authorization = client.authorize().await.unwrap();
    assert_eq!(authorization, until("2026-11-23T06:05:00.000Z"));
    assert_eq!(bench.amocrm.exchanges(), 2);
}

#[tokio::test]
async fn a_failed_renewal_does_no_harm_while_the_token_lives() {
    let bench = Bench::new().await;
    let client = bench.client();
    client.authorize().await.unwrap();
    bench.clock.advance(DAY / 5 * 4);
    bench.amocrm.fail_next_exchange(1, AmoCrmFailure::Blocked);
    for _ in 0..10 {
        assert_eq!(client.authorize().await.unwrap(), until("2026-11-22T12:05:00.000Z"));
    }
    assert_eq!(bench.amocrm.exchanges(), 2, "a blocked server does not insist");

    bench.clock.advance(DAY / 5);
    assert_eq!(client.authorize().await.unwrap(), until("2026-11-23T12:05:00.000Z"));
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_take_the_new_pair_with_it() {
    let bench = Bench::new().await;
    let client = bench.client();
    bench.amocrm.fail_next_exchange(1, AmoCrmFailure::Slow(Duration::from_millis(100)));
    let caller = tokio::spawn({
        let client = client.clone();
        async move { client.authorize().await }
    });
    while bench.amocrm.exchanges() == 0 {
        tokio::task::yield_now().await;
    }
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());

    client.settle().await;
    assert_eq!(bench.generation(), Some(1));
}

#[tokio::test]
async fn a_pair_that_cannot_be_stored_is_not_used_and_not_lost() {
    let bench = Bench::new().await;
    let client = bench.client();
    bench.store.set_broken(true);
    for _ in 0..3 {
        let error = client.authorize().await.unwrap_err();
        assert_eq!(
            (error.retry(), error.to_string().as_str()),
            (Retry::Again, "the token store failed: disk full")
        );
    }
    bench.store.set_broken(false);
    client.authorize().await.unwrap();
    assert_eq!((bench.amocrm.exchanges(), bench.generation()), (1, Some(1)));
}

#[tokio::test]
async fn a_dead_refresh_token_is_presented_once_and_deals_wait_for_a_person() {
    let bench = Bench::new().await;
    let client = bench.client();
    client.authorize().await.unwrap();
    bench.amocrm.revoke();
    bench.clock.advance(DAY);
    for _ in 0..10 {
        let error = client.authorize().await.unwrap_err();
        assert_eq!(error.retry(), HALF_AN_HOUR);
        assert_eq!(
            error.to_string(),
            "amoCRM needs to be authorised again: HTTP 401, Token has been revoked. Run `prometei-flow amocrm \
             authorize`; deals wait until then"
        );
        bench.clock.advance(DAY);
    }
    assert_eq!(bench.amocrm.exchanges(), 2);
    assert!(matches!(client.trouble(), Some(TokenError::NeedsReauth { .. })));

    let code = bench.amocrm.issue_code();
    client.adopt_code(code.into()).await.unwrap();
    client.authorize().await.unwrap();
    assert_eq!(client.trouble(), None);
}

#[tokio::test]
async fn a_pair_that_another_process_stores_ends_the_trouble() {
    let bench = Bench::new().await.with(|settings| {
        let prometei_flow::amocrm::AmoCrmAuth::OAuth(app) = &mut settings.auth else { panic!() };
        app.first_refresh_token = None;
    });
    let client = bench.client();
    let error = client.authorize().await.unwrap_err();
    assert!(error.to_string().contains("AMOCRM_REFRESH_TOKEN is not set"), "{error}");
    assert_eq!(bench.amocrm.exchanges(), 0);

    let now = bench.clock.now();
    let pair = TokenPair {
        access_token: "from-elsewhere".into(),
        refresh_token: "from-elsewhere".into(),
        obtained_at: now,
        expires_at: now + DAY,
    };
    assert!(bench.store.replace(None, &pair).await.unwrap());
    assert_eq!(client.authorize().await.unwrap(), until("2026-11-22T12:05:00.000Z"));
}

#[tokio::test]
async fn a_consent_is_exchanged_for_a_pair() {
    let bench = Bench::new().await;
    let code = bench.amocrm.issue_code();
    let end = bench.client().adopt_code(code.clone().into()).await.unwrap();

    assert_eq!(end.to_string(), "2026-11-22T12:05:00Z");
    assert_eq!(bench.generation(), Some(1));
    let sent = bench.amocrm.requests()[0].text();
    assert!(sent.contains(
        r#""grant_type":"authorization_code","code":"fake-code-token-1","redirect_uri""#
    ));

    let error = bench.client().adopt_code(code.into()).await.unwrap_err();
    assert!(error.to_string().contains("Authorization code has been revoked"), "{error}");
    assert_eq!(bench.generation(), Some(1), "the stored pair stays");
}

#[tokio::test]
async fn a_consent_for_another_account_changes_nothing() {
    let bench = Bench::new().await.with(|settings| settings.account_id = Some(32_452_514));
    let api_domain = bench.amocrm.url().authority().to_owned();
    bench.amocrm.configure(|amocrm| amocrm.api_domain = Some(api_domain));
    let client = bench.client();
    client.adopt_code(bench.amocrm.issue_code().into()).await.unwrap();

    bench.amocrm.configure(|amocrm| amocrm.account_id = 1);
    let error = client.adopt_code(bench.amocrm.issue_code().into()).await.unwrap_err();
    assert!(error.to_string().contains("another account than AMOCRM_ACCOUNT_ID"), "{error}");
    assert_eq!(bench.generation(), Some(1), "the stored pair stays");
}

#[tokio::test]
async fn an_exchange_without_an_answer_is_tried_once_more() {
    let bench = Bench::new().await.with(impatient);
    bench.amocrm.fail_next_exchange(1, AmoCrmFailure::Hang);
    bench.client().authorize().await.unwrap();
    assert_eq!((bench.amocrm.exchanges(), bench.generation()), (2, Some(1)));
}

#[tokio::test]
async fn a_pair_lost_on_the_way_is_named_as_such() {
    let bench = Bench::new().await.with(impatient);
    bench.amocrm.fail_next_exchange(1, AmoCrmFailure::ActThenHang);
    let error = bench.client().authorize().await.unwrap_err();
    assert_eq!(error.retry(), HALF_AN_HOUR);
    assert!(error.to_string().contains("after a refresh of unknown outcome"), "{error}");
    assert_eq!(bench.amocrm.exchanges(), 2);
}

#[tokio::test]
async fn trouble_at_the_token_endpoint_is_told_apart() {
    let answer = |status, body: &str| AmoCrmFailure::Answer { status, body: body.to_owned() };
    for (failure, retry, says) in [
        (answer(503, "<h1>nginx</h1>"), Retry::Again, "HTTP 503, nginx; it is tried again"),
        (
            AmoCrmFailure::TooManyRequests { retry_after: Some(9) },
            Retry::NotBefore(Duration::from_secs(9)),
            "HTTP 429",
        ),
        (AmoCrmFailure::Blocked, HALF_AN_HOUR, "amoCRM blocks this server"),
        (answer(401, r#"{"title":"Некорректный клиент"}"#), HALF_AN_HOUR, "AMOCRM_CLIENT_SECRET"),
        (answer(404, "<h1>Not Found</h1>"), HALF_AN_HOUR, "AMOCRM_SUBDOMAIN"),
        (AmoCrmFailure::Redirect("http://127.0.0.1:1/".to_owned()), HALF_AN_HOUR, "HTTP 302"),
    ] {
        let bench = Bench::new().await;
        bench.amocrm.fail_next_exchange(1, failure);
        let client = bench.client();
        let error = client.authorize().await.unwrap_err();
        assert_eq!(error.retry(), retry, "{error}");
        assert!(error.to_string().contains(says), "{error}");

        assert_eq!(client.authorize().await.unwrap_err().to_string(), error.to_string());
        assert_eq!(bench.amocrm.exchanges(), 1, "asking again at once does not reach amoCRM");
        bench.clock.advance(Duration::from_secs(15 * 60));
        client.authorize().await.unwrap();
    }
}

#[tokio::test]
async fn a_long_lived_token_is_never_exchanged() {
    let bench = Bench::new().await;
    let token = bench.amocrm.issue_long_lived_token(1_795_349_100);
    let bench = bench.with_long_lived_token(token);
    let client = bench.client();
    assert_eq!(client.authorize().await.unwrap(), until("2026-11-22T12:05:00.000Z"));
    assert_eq!(client.lead(1).await.unwrap(), None);

    bench.amocrm.revoke();
    let error = client.lead(1).await.unwrap_err();
    assert_eq!(error.retry(), HALF_AN_HOUR);
    assert!(error.to_string().contains("set AMOCRM_ACCESS_TOKEN"), "{error}");

    bench.clock.advance(DAY);
    let error = client.authorize().await.unwrap_err();
    assert!(error.to_string().contains("the long-lived token ended at 2026-11-22"), "{error}");
    assert_eq!(bench.amocrm.exchanges(), 0);
}

#[tokio::test]
async fn an_opaque_long_lived_token_does_not_say_when_it_ends() {
    let bench = Bench::new().await.with_long_lived_token("opaque");
    let authorization = bench.client().authorize().await.unwrap();
    assert_eq!(authorization, Authorization { expires_at: None });
}

#[tokio::test]
async fn without_amocrm_every_call_says_what_to_set() {
    let missing = MissingAmoCrm { variables: vec!["AMOCRM_CLIENT_SECRET".to_owned()] };
    let port = AmoCrmPort::<MemoryTokenStore>::Missing(missing);
    for error in [port.authorize().await.unwrap_err(), port.lead(1).await.unwrap_err()] {
        assert_eq!(error.retry(), Retry::Never);
        let says = "amoCRM is not configured: set AMOCRM_CLIENT_SECRET, then replay the run";
        assert_eq!(error.to_string(), says);
    }
}

#[tokio::test]
async fn no_error_and_no_debug_output_shows_a_token_or_the_secret() {
    let secrets = ["fake-amocrm-secret", "fake-refresh-token-0", "fake-access-token-1"];
    let echo = format!("<p>{}</p>", secrets.join(" "));
    for status in [200, 400, 401, 403, 404, 500] {
        let bench = Bench::new().await;
        let body = echo.clone();
        bench.amocrm.fail_next_exchange(2, AmoCrmFailure::Answer { status, body });
        let client = bench.client();
        let error = client.authorize().await.unwrap_err();
        let shown =
            format!("{error} {error:?} {client:?} {:?} {:?}", bench.settings, client.trouble());
        for secret in &secrets[..2] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    for status in [200, 400, 402, 403, 404, 500] {
        let bench = Bench::new().await;
        let body = echo.clone();
        bench.amocrm.fail_next(1, AmoCrmFailure::Answer { status, body });
        let error = bench.client().lead(1).await.unwrap_err();
        let shown = format!("{error} {error:?} {:?}", bench.store.stored());
        assert!(!shown.contains("fake-access-token-1"), "{shown}");
    }
}
