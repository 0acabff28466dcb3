//! Several replicas on one PostgreSQL share tokens and pace.

use std::time::Duration;

use sandbox::AmoCrmFailure;
use tokio::task::JoinSet;

use super::{Account, DAY};
use crate::amocrm::api::table::{Turn, next_turn};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn fifty_runs_on_two_replicas_at_token_expiry_make_one_exchange() {
    let account = Account::shared().await;
    let other = account.client_on(account.another_db().await);
    let clients = [account.client(), other];
    for round in 1..=3 {
        let mut runs = JoinSet::new();
        // Slow enough that the others come while it is under way.
        account.amocrm.fail_next_exchange(1, AmoCrmFailure::Slow(Duration::from_millis(150)));
        for number in 0..50 {
            let client = clients[number % 2].clone();
            runs.spawn(async move { client.authorize().await.unwrap() });
        }
        runs.join_all().await;
        assert_eq!(account.amocrm.exchanges(), round);
        assert_eq!(account.generation().await, Some(round as i64));
        account.clock.advance(DAY);
    }
    assert_eq!(account.amocrm.refresh_tokens_spent_twice(), 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn replicas_share_the_pace_that_amocrm_allows() {
    let account = Account::shared().await;
    // So far apart that the time which this test takes does not matter.
    let spacing = Duration::from_secs(3600);
    let mut turns = JoinSet::new();
    for _ in 0..4 {
        let replica = account.another_db().await;
        turns.spawn(async move {
            let mut waits = Vec::new();
            for _ in 0..5 {
                let turn = next_turn(&replica, spacing, spacing * 20).await.unwrap();
                let Turn::In(wait) = turn else { panic!("{turn:?}") };
                waits.push(wait);
            }
            waits
        });
    }
    let waits = turns.join_all().await.into_iter().flatten();
    let mut hours: Vec<_> = waits.map(|wait| wait.as_secs().div_ceil(3600)).collect();
    hours.sort_unstable();
    assert_eq!(hours, (0..20).collect::<Vec<_>>(), "each turn is given once");
}
