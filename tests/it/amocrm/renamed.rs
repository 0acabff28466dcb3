//! An account that was renamed is found again, at amoCRM and nowhere else, without a token being spent for it.

use functions::ports::AmoCrm as _;
use functions::ports::Retry;

use super::{Bench, DAY};

/// An account with tokens, which then moves from 127.0.0.1 to localhost.
async fn renamed() -> Bench {
    let bench = Bench::new().await;
    let api_domain = bench.amocrm.url().authority().to_owned();
    bench.amocrm.configure(|amocrm| amocrm.api_domain = Some(api_domain));
    bench.client().authorize().await.unwrap();
    bench.amocrm.set_lead(7, "A lead", 1);
    let port = bench.amocrm.url().port().unwrap();
    bench.amocrm.configure(|amocrm| amocrm.domain = Some(format!("localhost:{port}")));
    bench
}

#[tokio::test]
async fn its_leads_are_read_at_the_new_address() {
    let bench = renamed().await;
    let client = bench.client();
    assert_eq!(client.lead(7).await.unwrap().unwrap().id, 7);
    let calls = bench.amocrm.requests().len();
    assert_eq!(client.lead(7).await.unwrap().unwrap().id, 7);
    assert_eq!(bench.amocrm.requests().len(), calls + 1, "the new address is remembered");
    assert_eq!(bench.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn its_tokens_are_renewed_at_the_new_address() {
    let bench = renamed().await;
    bench.clock.advance(DAY);
    bench.client().authorize().await.unwrap();
    assert_eq!(bench.generation(), Some(2));
}

#[tokio::test]
async fn another_account_or_another_host_is_not_believed() {
    for change in [
        |amocrm: &mut sandbox::FakeAmoCrmSettings| amocrm.account_id = 1,
        |amocrm: &mut sandbox::FakeAmoCrmSettings| {
            amocrm.domain = Some("evil.example".to_owned());
        },
    ] {
        let bench = renamed().await;
        bench.amocrm.configure(change);
        bench.clock.advance(DAY);
        let client = bench.client();
        let error = client.authorize().await.unwrap_err();
        assert!(error.to_string().contains("AMOCRM_SUBDOMAIN"), "{error}");
        assert!(matches!(error.retry(), Retry::NotBefore(_)));
        assert_eq!(bench.generation(), Some(1));

        let asked = bench.amocrm.requests().len();
        client.authorize().await.unwrap_err();
        assert_eq!(bench.amocrm.requests().len(), asked, "nobody asks over and over");
    }
}
