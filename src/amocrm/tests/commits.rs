//! Every change says when it could not be committed, and the next one goes well.

use std::time::Duration;

use anyhow::ensure;

use super::Account;
use crate::amocrm::api::table::next_turn;
use crate::amocrm::auth::table::{Replaces, replace};
use crate::amocrm::auth::{begin_consent, redeem_consent};
use crate::clock::Clock as _;
use crate::db::testing::wrong_with;

/// Makes `change`, which returns whether it changed anything.
async fn assert_honest(
    name: &str,
    account: Account,
    change: impl AsyncFn(&Account) -> anyhow::Result<bool>,
) {
    let change = async || {
        ensure!(change(&account).await?, "it changed nothing");
        Ok(())
    };
    let wrong = wrong_with(name, change, &account.database).await;
    assert!(wrong.is_empty(), "{wrong:#?}");
}

async fn replace_with(account: &Account, replaces: Replaces) -> anyhow::Result<bool> {
    replace(&account.db, &account.owner(), replaces, &account.pair("new")).await
}

#[tokio::test]
async fn a_pair_says_when_its_commit_failed() {
    let account = Account::new().await;
    let first = async |it: &Account| replace_with(it, Replaces::Nothing).await;
    assert_honest("the first pair", account, first).await;

    let account = Account::new().await;
    let consent = async |it: &Account| replace_with(it, Replaces::Any).await;
    assert_honest("the pair of a consent", account, consent).await;

    let account = Account::new().await;
    first(&account).await.unwrap();
    let next = async |it: &Account| replace_with(it, Replaces::Generation(1)).await;
    assert_honest("the next pair", account, next).await;
}

#[tokio::test]
async fn the_state_of_a_consent_says_when_its_commit_failed() {
    let account = Account::new().await;
    let begin = async |it: &Account| begin_consent(&it.db, it.clock.now()).await.map(|_| true);
    assert_honest("begin_consent", account, begin).await;

    let account = Account::new().await;
    let state = begin_consent(&account.db, account.clock.now()).await.unwrap();
    let redeem = async |it: &Account| redeem_consent(&it.db, &state, it.clock.now()).await;
    assert_honest("redeem_consent", account, redeem).await;
}

#[tokio::test]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn a_turn_among_replicas_says_when_its_commit_failed() {
    let account = Account::shared().await;
    let take =
        async |it: &Account| next_turn(&it.db, Duration::ZERO, Duration::ZERO).await.map(|_| true);
    assert_honest("next_turn", account, take).await;
}
