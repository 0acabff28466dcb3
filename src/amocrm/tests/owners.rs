//! Stored tokens belong to an integration and an account; a new AMOCRM_REFRESH_TOKEN is used, an old one never again.

use secrecy::ExposeSecret as _;

use super::{Account, DAY, app, refused};
use crate::amocrm::AmoCrmPort;
use crate::amocrm::settings::BaseUrl;

/// An account whose tokens were stored by an integration of another id.
async fn with_a_new_integration() -> Account {
    let mut account = Account::new().await;
    account.client().authorize().await.unwrap();
    app(&mut account.settings).client_id = "new-integration".to_owned();
    account.amocrm.configure(|amocrm| amocrm.client_id = "new-integration".to_owned());
    account
}

#[tokio::test]
async fn tokens_of_another_integration_are_not_used() {
    let account = with_a_new_integration().await;
    let (client, calls) = (account.client(), account.amocrm.requests().len());
    let error = refused(client.lead(1).await);
    assert!(error.to_string().contains("of integration fake-amocrm-client"), "{error}");
    assert!(error.to_string().contains("`prometei-flow amocrm authorize`"), "{error}");
    assert_eq!(account.amocrm.requests().len(), calls, "amoCRM sees none of them");
    assert!(AmoCrmPort::Configured(client.clone()).needs_consent().await.unwrap());

    client.auth().redeem_code(account.amocrm.issue_code().into()).await.unwrap();
    assert_eq!(client.lead(1).await.unwrap(), None);
}

#[tokio::test]
async fn a_new_integration_comes_with_a_new_refresh_token() {
    let mut account = with_a_new_integration().await;
    let token = account.amocrm.issue_refresh_token();
    let client = account.client_with_refresh_token(&token);
    assert!(!AmoCrmPort::Configured(client.clone()).needs_consent().await.unwrap());
    assert_eq!(client.lead(1).await.unwrap(), None);
    assert_eq!(account.generation().await, Some(2));
}

#[tokio::test]
async fn a_new_refresh_token_is_used_once_and_the_one_before_it_never_again() {
    let mut account = Account::new().await;
    account.client().authorize().await.unwrap();
    let token = account.amocrm.issue_refresh_token();
    for _ in 0..3 {
        account.client_with_refresh_token(&token).authorize().await.unwrap();
        assert_eq!((account.amocrm.exchanges(), account.generation().await), (2, Some(2)));
        // A replica that was not restarted yet, or one that was rolled back.
        account.client_with_refresh_token("fake-refresh-token-0").authorize().await.unwrap();
        assert_eq!((account.amocrm.exchanges(), account.generation().await), (2, Some(2)));
    }
    account.clock.advance(DAY);
    account.client().authorize().await.unwrap();
    assert_eq!(account.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn a_new_refresh_token_that_is_dead_does_no_harm() {
    let mut account = Account::new().await;
    account.client().authorize().await.unwrap();
    for _ in 0..3 {
        let client = account.client_with_refresh_token("mistyped");
        client.authorize().await.unwrap();
        assert_eq!(client.lead(1).await.unwrap(), None);
    }
    assert_eq!((account.amocrm.exchanges(), account.generation().await), (2, Some(1)));
}

#[tokio::test]
async fn a_token_that_was_configured_before_a_consent_is_not_newer_than_it() {
    let mut account = Account::new().await;
    let token = account.amocrm.issue_refresh_token();
    let client = account.client_with_refresh_token(&token);
    client.auth().redeem_code(account.amocrm.issue_code().into()).await.unwrap();
    account.client().authorize().await.unwrap();
    assert_eq!((account.amocrm.exchanges(), account.generation().await), (1, Some(1)));
}

#[tokio::test]
async fn a_pair_from_before_owners_were_noted_is_used() {
    let account = Account::new().await;
    account.client().authorize().await.unwrap();
    let as_before = [
        "UPDATE tokens SET client_id = NULL, host = NULL, refused = NULL",
        "DELETE FROM token_seeds",
    ];
    for statement in as_before {
        account.db.commit(sqlx::query(statement)).await.unwrap();
    }
    account.client().authorize().await.unwrap();
    assert_eq!(account.amocrm.exchanges(), 1, "the configured token is the one it grew out of");
    account.clock.advance(DAY);
    account.client().authorize().await.unwrap();
    assert_eq!(account.generation().await, Some(2));
    assert_eq!(account.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn no_refresh_token_of_the_configuration_is_stored_as_it_is() {
    let account = Account::new().await;
    account.client().authorize().await.unwrap();
    let query = "SELECT fingerprint FROM token_seeds";
    let seeds: Vec<(String,)> = account.db.fetch(sqlx::query_as(query)).await.unwrap();
    assert_eq!(seeds.len(), 1);
    assert!(!seeds[0].0.contains("fake-refresh-token-0"), "{seeds:?}");
    let stored = account.stored().await.unwrap().pair;
    assert_eq!(stored.refresh_token.expose_secret(), "fake-refresh-token-2");
}

/// An account with tokens, which was renamed from 127.0.0.1 to localhost; and the configuration was corrected.
async fn at_a_corrected_address() -> Account {
    let mut account = Account::new().await;
    let authority = account.amocrm.url().authority().to_owned();
    account.amocrm.configure(|amocrm| amocrm.api_domain = Some(authority));
    account.client().authorize().await.unwrap();
    let moved = format!("localhost:{}", account.amocrm.url().port().unwrap());
    account.amocrm.configure(|amocrm| amocrm.domain = Some(moved.clone()));
    account.settings.base_url = BaseUrl::new(format!("http://{moved}").parse().unwrap()).unwrap();
    account
}

#[tokio::test]
async fn an_account_that_was_renamed_keeps_its_tokens() {
    let account = at_a_corrected_address().await;
    for _ in 0..2 {
        assert_eq!(account.client().lead(1).await.unwrap(), None);
    }
    let requests = account.amocrm.requests();
    let look_ups = requests.iter().filter(|request| request.uri.path().ends_with("/subdomain"));
    assert_eq!((look_ups.count(), account.amocrm.exchanges()), (1, 1), "it is noted");
}

#[tokio::test]
async fn tokens_of_another_account_are_not_sent_to_this_one() {
    let account = at_a_corrected_address().await;
    account.amocrm.configure(|amocrm| amocrm.domain = Some("127.0.0.1:1".to_owned()));
    let client = account.client();
    for _ in 0..3 {
        let error = refused(client.lead(1).await);
        assert!(error.to_string().contains("in the account at 127.0.0.1"), "{error}");
    }
    let calls = account.amocrm.requests().len();
    assert_eq!((calls, account.amocrm.exchanges()), (2, 1), "one look-up, and no call");
}
