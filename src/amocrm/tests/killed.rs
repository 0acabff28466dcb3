//! The token refresh: the process is killed at any moment of it. The next one goes on with the pair that is stored, or
//! says that amoCRM's answer was lost; a spent token is never presented over and over.

use std::time::Duration;

use sandbox::{AmoCrmFailure, HeldCommits, crash_rounds, eventually};

use super::{Account, DAY};
use crate::amocrm::api::AmoCrmClient;
use crate::db::Db;
use crate::outbound::Outbound;

/// Kills come at up to this many microseconds after the start; a refresh takes a few milliseconds here.
const LATEST: usize = 12_000;

const KILLS: usize = 48;

/// How the process that follows gets on.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// It has the newest pair.
    GoesOn,
    /// It says that amoCRM's answer died with the first process.
    SaysWhatWasLost,
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_killed_at_any_moment_is_resumed_or_says_what_was_lost() {
    let (mut lost, kills) = (0, KILLS * crash_rounds());
    for number in 0..kills {
        let account = Account::new().await;
        if number % 3 == 0 {
            account.amocrm.fail_next_exchange(1, AmoCrmFailure::Slow(Duration::from_millis(3)));
        }
        let after = Duration::from_micros((number * LATEST / kills) as u64);
        kill(&account, async || tokio::time::sleep(after).await);
        lost += usize::from(next(&account).await == Next::SaysWhatWasLost);
    }
    println!("refresh: {kills} kills, {lost} of them lost amoCRM's answer and said so");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_killed_before_amocrms_answer_says_what_was_lost() {
    let account = Account::new().await;
    account.amocrm.fail_next_exchange(1, AmoCrmFailure::ActThenHang);
    kill(&account, async || account.exchange_begins().await);
    assert_eq!(next(&account).await, Next::SaysWhatWasLost);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_after_the_refresh_left_its_pair_to_the_next_one() {
    let account = Account::new().await;
    kill(&account, std::future::pending);
    assert_eq!(account.generation().await, Some(1));
    assert_eq!(next(&account).await, Next::GoesOn);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs TEST_POSTGRES_URL: see CONTRIBUTING.md"]
async fn a_pair_whose_commit_outlives_its_process_is_waited_for_and_used() {
    let account = Account::shared().await;
    let commits = account.database.hold_commits("tokens").await;
    kill(&account, async || sessions_wait(&commits, 1).await);
    let next = next(&account);
    tokio::pin!(next);
    tokio::select! {
        next = &mut next => panic!("it did not wait, and {next:?}"),
        () = sessions_wait(&commits, 2) => drop(commits),
    }
    assert_eq!(next.await, Next::GoesOn);
    assert_eq!(account.amocrm.refresh_tokens_spent_twice(), 0);
}

async fn sessions_wait(commits: &HeldCommits, number: usize) {
    let waiting = async || (commits.waiting().await.unwrap() == number).then_some(());
    eventually("so many sessions wait", waiting).await;
}

/// A process that authorizes, and is killed when `moment` comes, or else at its end: its runtime with everything that
/// runs in it is gone.
fn kill(account: &Account, moment: impl AsyncFnOnce() + Send) {
    let process = async || {
        let db = Db::open(account.database.url(), account.clock.clone()).await.unwrap();
        let outbound = Outbound::new();
        // Reading the trust roots takes longer than everything that is tested here.
        outbound.client().unwrap();
        let (settings, clock) = (account.settings.clone(), account.clock.clone());
        let client = AmoCrmClient::new(settings, db, outbound, clock);
        tokio::select! {
            _ = client.authorize() => {}
            () = moment() => {}
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(process());
        });
    });
}

async fn next(account: &Account) -> Next {
    let client = account.client_on(account.another_db().await);
    match client.authorize().await {
        Ok(_) => {
            // A pair that is stored and not the newest could not be renewed.
            account.clock.advance(DAY);
            let generation = account.generation().await.unwrap();
            client.authorize().await.unwrap();
            assert_eq!(account.generation().await, Some(generation + 1));
            Next::GoesOn
        }
        Err(error) => {
            assert!(error.to_string().contains("authorize"), "{error}");
            assert_eq!(account.amocrm.exchanges(), 2, "the killed process's, and one of the next");
            client.authorize().await.unwrap_err();
            assert_eq!(account.amocrm.exchanges(), 2, "a dead token is not presented again");
            Next::SaysWhatWasLost
        }
    }
}
