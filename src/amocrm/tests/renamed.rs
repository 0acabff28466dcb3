//! An account that was renamed is found again, at amoCRM and nowhere else, without a token being spent for it.

use functions::ports::Retry;
use sandbox::FakeAmoCrmSettings;

use super::{Account, DAY, refused};

/// An account with tokens, which then moves from 127.0.0.1 to localhost.
async fn renamed() -> Account {
    let account = Account::new().await;
    let api_domain = account.amocrm.url().authority().to_owned();
    account.amocrm.configure(|amocrm| amocrm.api_domain = Some(api_domain));
    account.client().authorize().await.unwrap();
    account.amocrm.set_lead(7, "A lead", 1);
    let port = account.amocrm.url().port().unwrap();
    account.amocrm.configure(|amocrm| amocrm.domain = Some(format!("localhost:{port}")));
    account
}

#[tokio::test]
async fn its_leads_are_read_at_the_new_address() {
    let account = renamed().await;
    let client = account.client();
    assert_eq!(client.lead(7).await.unwrap().unwrap().id, 7);
    let calls = account.amocrm.requests().len();
    assert_eq!(client.lead(7).await.unwrap().unwrap().id, 7);
    assert_eq!(account.amocrm.requests().len(), calls + 1, "the new address is remembered");
    assert_eq!(account.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn its_tokens_are_renewed_at_the_new_address() {
    let account = renamed().await;
    account.clock.advance(DAY);
    account.client().authorize().await.unwrap();
    assert_eq!(account.generation().await, Some(2));
}

#[tokio::test]
async fn another_account_or_another_host_is_not_accepted() {
    for change in [
        |amocrm: &mut FakeAmoCrmSettings| amocrm.account_id = 1,
        |amocrm: &mut FakeAmoCrmSettings| {
            amocrm.domain = Some("evil.example".to_owned());
        },
    ] {
        let account = renamed().await;
        account.amocrm.configure(change);
        account.clock.advance(DAY);
        let client = account.client();
        let error = refused(client.authorize().await);
        assert!(error.to_string().contains("AMOCRM_SUBDOMAIN"), "{error}");
        assert_eq!(error.retry(), Retry::Never);
        assert_eq!(account.generation().await, Some(1));

        let asked = account.amocrm.requests().len();
        client.authorize().await.unwrap_err();
        assert_eq!(account.amocrm.requests().len(), asked, "it is not asked over and over");
    }
}
