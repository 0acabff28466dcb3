//! The token refresh: the process is killed at any moment of it. The next one goes on with the pair that is stored, or
//! says that amoCRM's answer was lost; a spent token is never presented over and over.

use std::sync::Arc;
use std::time::Duration;

use functions::ports::AmoCrm as _;
use prometei_flow::amocrm::{AmoCrmClient, TokenStore as _};
use prometei_flow::outbound::Outbound;
use sandbox::AmoCrmFailure;

use super::rounds;
use crate::amocrm::Bench;
use crate::database::Database;

/// Kills at up to this long after the start; a refresh takes a few milliseconds here.
const LATEST: u64 = 12_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_killed_at_any_moment_is_resumed_or_says_what_was_lost() {
    let (mut lost, kills) = (0, 48 * rounds() as u64);
    for number in 0..kills {
        let (bench, database) = (Bench::new().await, Database::new().await);
        if number % 3 == 0 {
            bench.amocrm.fail_next_exchange(1, AmoCrmFailure::Slow(Duration::from_millis(3)));
        }
        let after = Duration::from_micros(number * LATEST / kills);
        killed(&bench, &database, after);
        let store = database.open(bench.clock.clone()).await;
        let clock = bench.clock.clone();
        let client =
            AmoCrmClient::new(bench.settings.clone(), store.clone(), Outbound::new(), clock);
        let before = bench.amocrm.exchanges();
        match client.authorize().await {
            Ok(_) => assert!(store.load().await.unwrap().is_some(), "stored before use"),
            Err(error) => {
                // amoCRM has spent the token, and its answer died with the process.
                assert_eq!(before, 1, "killed after {after:?}: {error}");
                assert!(error.to_string().contains("authorize"), "{error}");
                let asked = bench.amocrm.exchanges();
                client.authorize().await.unwrap_err();
                assert_eq!(bench.amocrm.exchanges(), asked, "a dead token is left alone");
                lost += 1;
            }
        }
    }
    println!("refresh: {kills} kills, {lost} of them lost amoCRM's answer and said so");
}

/// A process that authorizes, and is killed: its runtime with everything that runs in it is gone.
fn killed(bench: &Bench, database: &Database, after: Duration) {
    let (settings, clock) = (bench.settings.clone(), Arc::clone(&bench.clock));
    let url = database.url.clone();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let store = prometei_flow::db::Db::open(&url, clock.clone()).await.unwrap();
                let outbound = Outbound::new();
                // Reading the trust roots takes longer than everything that is looked at here.
                outbound.client().unwrap();
                let client = AmoCrmClient::new(settings, store, outbound, clock);
                let _ = tokio::time::timeout(after, client.authorize()).await;
            });
        });
    });
}
