//! Answers of the token endpoint: a pair is kept whatever stands beside it, and a spent token is not offered again.

use std::time::Duration;

use functions::ports::{Retry, WaitsFor};
use sandbox::AmoCrmFailure;
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::{Account, DAY, refused};
use crate::clock::Clock as _;

#[tokio::test]
async fn a_pair_is_kept_whatever_stands_beside_it() {
    let day = DAY.as_secs();
    for (altered, life) in [
        (json!({"expires_in": "86400"}), day),
        (json!({"expires_in": " 3600 "}), 3600),
        (json!({"expires_in": 3600.75}), 3600),
        (json!({"expires_in": 3.6e3}), 3600),
        (json!({"expires_in": null}), day),
        (json!({"expires_in": ""}), day),
        (json!({"expires_in": "soon"}), day),
        (json!({"expires_in": "NaN"}), day),
        (json!({"expires_in": {"seconds": 1}}), day),
        (json!({"expires_in": 0}), day),
        (json!({"expires_in": -5}), day),
        (json!({"expires_in": 1e300}), day),
        (json!({"expires_in": u64::MAX}), day),
        (json!({"token_type": null, "scope": ["crm"], "server_time": "now", "hint": "x"}), day),
        (json!({"token_type": 7, "note": "x".repeat(100_000)}), day),
    ] {
        let account = Account::new().await;
        account.amocrm.fail_next_exchange(1, AmoCrmFailure::Altered(altered.clone()));
        let authorization = account.client().authorize().await.unwrap();
        let expected = account.clock.now() + Duration::from_secs(life);
        let shown: String = altered.to_string().chars().take(60).collect();
        assert_eq!(authorization.expires_at, Some(expected), "{shown}");

        account.clock.advance(DAY);
        account.client().authorize().await.unwrap();
        assert_eq!(account.amocrm.refresh_tokens_spent_twice(), 0, "{shown}");
    }
}

#[tokio::test]
async fn a_pair_is_found_in_a_body_that_more_was_printed_into() {
    for body in [
        "\u{feff}{TOKENS}",
        "<br />\n<b>Notice</b>: Undefined index in x.php on line 7<br />\n{TOKENS}",
        "{TOKENS}\n<!-- served by cache-7 -->",
    ] {
        let account = Account::new().await;
        let tokens = r#"{"access_token":"a","refresh_token":"r","expires_in":86400}"#;
        let body = body.replace("{TOKENS}", tokens);
        account.amocrm.fail_next_exchange(1, AmoCrmFailure::ActThenAnswer(body.clone()));
        account.client().authorize().await.unwrap();
        let stored = account.stored().await.unwrap().pair;
        assert_eq!(stored.refresh_token.expose_secret(), "r", "{body}");
    }
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_is_used_while_it_lives_and_a_consent_is_asked_for() {
    let account = Account::new().await;
    let altered = AmoCrmFailure::Altered(json!({"refresh_token": null}));
    account.amocrm.fail_next_exchange(1, altered);
    let client = account.client();
    let authorization = client.authorize().await.unwrap();
    assert_eq!(authorization.expires_at, Some(account.clock.now() + DAY));

    account.clock.advance(DAY);
    for client in [&client, &account.client()] {
        let error = refused(client.authorize().await);
        assert_eq!((error.retry(), error.waits_for()), (Retry::Never, Some(WaitsFor::Consent)));
        assert!(error.to_string().contains("without a refresh token"), "{error}");
        assert!(error.to_string().contains("`prometei-flow amocrm authorize`"), "{error}");
    }
    assert_eq!(account.amocrm.exchanges(), 1, "the one before it is spent");

    client.auth().redeem_code(account.amocrm.issue_code().into()).await.unwrap();
    client.authorize().await.unwrap();
}

#[tokio::test]
async fn an_answer_without_an_access_token_leaves_the_refresh_token_for_the_next_exchange() {
    let account = Account::new().await;
    account
        .amocrm
        .fail_next_exchange(1, AmoCrmFailure::Altered(json!({"access_token": "", "x": 1})));
    let client = account.client();
    let error = refused(client.authorize().await);
    assert_eq!(error.retry(), Retry::NotBefore(Duration::from_secs(60)), "{error}");
    client.authorize().await.unwrap_err();
    assert_eq!(account.amocrm.exchanges(), 1, "asking again at once does not reach amoCRM");

    account.clock.advance(Duration::from_secs(60));
    client.authorize().await.unwrap();
    assert_eq!(account.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn tokens_that_were_damaged_on_the_way_are_lost_and_the_spent_one_is_not_offered_again() {
    let account = Account::new().await;
    let broken = r#"{"token_type":"Bearer","expires_in":86400,"access_token":"eyJ0"#;
    account.amocrm.fail_next_exchange(1, AmoCrmFailure::ActThenAnswer(broken.to_owned()));
    let client = account.client();
    let error = refused(client.authorize().await);
    assert_eq!((error.retry(), error.waits_for()), (Retry::Never, Some(WaitsFor::Consent)));
    assert!(error.to_string().contains("without tokens that can be read"), "{error}");
    account.clock.advance(DAY);
    client.authorize().await.unwrap_err();
    assert_eq!(account.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn a_page_in_place_of_an_answer_says_nothing_and_the_token_waits() {
    for failure in [
        AmoCrmFailure::Answer { status: 200, body: "<h1>Maintenance</h1>".to_owned() },
        AmoCrmFailure::Answer { status: 502, body: "<h1>Bad Gateway</h1>".to_owned() },
    ] {
        let account = Account::new().await;
        account.amocrm.fail_next_exchange(1, failure);
        let client = account.client();
        let error = refused(client.authorize().await);
        assert_eq!(error.retry(), Retry::NotBefore(Duration::from_secs(60)), "{error}");
        client.authorize().await.unwrap_err();
        assert_eq!(account.amocrm.exchanges(), 1);
        account.clock.advance(Duration::from_secs(60));
        client.authorize().await.unwrap();
    }
}

#[tokio::test]
async fn tokens_lost_behind_a_proxys_502_are_named_as_such() {
    let account = Account::new().await;
    account.amocrm.fail_next_exchange(1, AmoCrmFailure::ActThenBadGateway);
    let client = account.client();
    let error = refused(client.authorize().await);
    assert!(error.to_string().contains("it is unknown whether amoCRM issued"), "{error}");
    account.clock.advance(Duration::from_secs(60));
    let error = refused(client.authorize().await);
    assert!(error.to_string().contains("after a refresh of unknown outcome (HTTP 502"), "{error}");
    client.authorize().await.unwrap_err();
    assert_eq!(account.amocrm.exchanges(), 2);
}
