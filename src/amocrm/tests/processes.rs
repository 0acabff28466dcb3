//! Commands beside the service, and replicas: over all processes a refresh token is offered by one, and a dead one by
//! none.

use std::time::Duration;

use sandbox::AmoCrmFailure;

use super::{Account, DAY, impatient};
use crate::amocrm::AmoCrmPort;
use crate::amocrm::api::AmoCrmClient;
use crate::amocrm::auth::table::Replaces;

#[tokio::test(flavor = "multi_thread")]
async fn of_several_processes_at_expiry_one_makes_the_exchange() {
    let account = Account::new().await;
    let mut clients = vec![account.client()];
    for _ in 0..3 {
        clients.push(account.client_on(account.another_db().await));
    }
    for round in 1..=3 {
        // Far slower than the others are.
        let slow = AmoCrmFailure::Slow(Duration::from_millis(700));
        account.amocrm.fail_next_exchange(1, slow);
        let calls = clients.iter().map(AmoCrmClient::authorize);
        for authorization in futures_util::future::join_all(calls).await {
            authorization.unwrap();
        }
        assert_eq!(account.amocrm.exchanges(), round);
        account.clock.advance(DAY);
    }
    assert_eq!(account.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn before_a_second_attempt_a_process_looks_whether_another_one_was_there() {
    let account = Account::new().await.with(impatient);
    account.amocrm.fail_next_exchange(1, AmoCrmFailure::ActThenHang);
    let client = account.client();
    let caller = tokio::spawn(async move { client.authorize().await });
    account.exchange_begins().await;
    // As when the lock was lost with its connection to the database.
    assert!(account.stores_elsewhere(Replaces::Nothing, &account.pair("from elsewhere")).await);

    caller.await.unwrap().unwrap();
    assert_eq!(account.amocrm.exchanges(), 1);
    assert_eq!(account.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test]
async fn a_dead_refresh_token_is_offered_by_no_other_process() {
    let account = Account::new().await;
    account.client().authorize().await.unwrap();
    account.amocrm.revoke();
    account.clock.advance(DAY);
    let mut says = Vec::new();
    for _ in 0..3 {
        let client = account.client_on(account.another_db().await);
        says.push(client.authorize().await.unwrap_err().to_string());
        assert!(AmoCrmPort::Configured(client).needs_consent().await.unwrap());
    }
    says.dedup();
    assert_eq!(says.len(), 1, "{says:?}");
    assert_eq!(account.amocrm.exchanges(), 2, "{says:?}");
    assert_eq!(account.amocrm.refresh_tokens_spent_twice(), 1);
}

#[tokio::test]
async fn a_process_remembers_a_refusal_that_came_while_the_database_failed() {
    let account = Account::new().await;
    account.amocrm.revoke();
    account.amocrm.fail_next_exchange(1, AmoCrmFailure::Slow(Duration::from_millis(500)));
    let client = account.client();
    let (asked, ()) = tokio::join!(client.authorize(), async {
        account.exchange_begins().await;
        for table in ["tokens", "token_seeds"] {
            let hide = format!("ALTER TABLE {table} RENAME TO {table}_away");
            account.db.commit(sqlx::query(sqlx::AssertSqlSafe(hide))).await.unwrap();
        }
    });
    asked.unwrap_err();
    for table in ["tokens", "token_seeds"] {
        let show = format!("ALTER TABLE {table}_away RENAME TO {table}");
        account.db.commit(sqlx::query(sqlx::AssertSqlSafe(show))).await.unwrap();
    }
    let error = client.authorize().await.unwrap_err();
    assert!(error.to_string().contains("AMOCRM_REFRESH_TOKEN to a fresh token"), "{error}");
    assert_eq!(account.amocrm.exchanges(), 1);
}

#[tokio::test]
async fn a_configured_token_that_is_dead_is_offered_once_over_all_starts() {
    let account = Account::new().await;
    account.amocrm.revoke();
    for _ in 0..3 {
        let client = account.client();
        let error = client.authorize().await.unwrap_err();
        assert!(error.to_string().contains("AMOCRM_REFRESH_TOKEN to a fresh token"), "{error}");
        assert!(AmoCrmPort::Configured(client).needs_consent().await.unwrap());
    }
    assert_eq!(account.amocrm.exchanges(), 1);
}

#[tokio::test]
async fn a_consent_in_another_process_ends_the_wait() {
    let account = Account::new().await.without_refresh_token();
    let (service, command) = (account.client(), account.client_on(account.another_db().await));
    service.authorize().await.unwrap_err();
    let port = AmoCrmPort::Configured(service);
    assert!(port.needs_consent().await.unwrap());
    assert!(port.probe().await.is_err());

    command.auth().redeem_code(account.amocrm.issue_code().into()).await.unwrap();
    assert!(!port.needs_consent().await.unwrap());
    port.probe().await.unwrap();
}
