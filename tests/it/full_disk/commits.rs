//! Every change of the database tells when it could not be committed, and the next one goes well.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometei_flow::amocrm::{TokenPair, TokenStore as _};
use prometei_flow::clock::ManualClock;
use prometei_flow::db::Db;

use super::refusal::{accept_commits, refuse_commits};
use crate::database::Database;

/// A database in which each change has something to change.
struct Prepared {
    store: Db,
    consent: String,
    now: Timestamp,
}

type Changed<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;
type Change = for<'a> fn(&'a Prepared) -> Changed<'a>;

/// Does nothing on SQLite.
const REPLICAS_ALONE: &str = "next_turn";

/// Functions that change data; those of the inbox and of the ledger are in their `tests/commits.rs`.
const CHANGES: &[(&str, Change)] = &[
    ("reconcile_cursor", |it| Box::pin(async { it.store.reconcile_cursor().await.map(drop) })),
    ("settle_events", |it| {
        Box::pin(async { it.store.settle_events(&[("event", it.now)], &[1]).await })
    }),
    ("begin_consent", |it| Box::pin(async { it.store.begin_consent().await.map(drop) })),
    ("redeem_consent", |it| {
        Box::pin(async { it.store.redeem_consent(&it.consent).await.map(drop) })
    }),
    ("replace, a first pair", |it| {
        Box::pin(async { it.store.replace(None, &pair(it.now)).await.map(drop) })
    }),
    (REPLICAS_ALONE, |it| {
        Box::pin(async { it.store.next_turn(Duration::from_millis(200)).await.map(drop) })
    }),
];

/// Those that find nothing to change before another one was here.
const LATER_CHANGES: &[(&str, Change)] = &[
    ("advance_reconcile_cursor", |it| Box::pin(it.store.advance_reconcile_cursor(it.now, true))),
    ("replace, a later pair", |it| {
        Box::pin(async { it.store.replace(Some(1), &pair(it.now)).await.map(drop) })
    }),
];

impl Prepared {
    async fn new(database: &Database) -> Self {
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let store = database.open(clock.clone()).await;
        clock.advance(Duration::from_secs(1));
        let consent = store.begin_consent().await.unwrap();
        let now = prometei_flow::clock::Clock::now(&*clock);
        Self { store, consent, now }
    }
}

fn pair(now: Timestamp) -> TokenPair {
    TokenPair {
        access_token: "access".into(),
        refresh_token: "refresh".into(),
        obtained_at: now,
        expires_at: now + Duration::from_secs(86_400),
    }
}

/// Makes `change` while nothing can be committed, and again when it can.
async fn try_change(
    name: &str,
    change: Change,
    prepared: &Prepared,
    database: &Database,
) -> Vec<String> {
    let mut wrong = Vec::new();
    refuse_commits(database).await;
    if change(prepared).await.is_ok() {
        wrong.push(format!("{name} said nothing of its failed commit"));
    }
    accept_commits(database).await;
    if let Err(error) = change(prepared).await {
        wrong.push(format!("{name} fails after a failed commit: {error:#}"));
    }
    wrong
}

#[tokio::test]
async fn every_change_tells_of_a_failed_commit_and_the_next_one_goes_well() {
    let mut wrong = Vec::new();
    for (name, change) in CHANGES {
        let database = Database::new().await;
        let prepared = Prepared::new(&database).await;
        if *name == REPLICAS_ALONE && !prepared.store.is_shared() {
            continue;
        }
        wrong.extend(try_change(name, *change, &prepared, &database).await);
    }
    for (name, change) in LATER_CHANGES {
        let database = Database::new().await;
        let prepared = Prepared::new(&database).await;
        prepared.store.reconcile_cursor().await.unwrap();
        prepared.store.replace(None, &pair(prepared.now)).await.unwrap();
        wrong.extend(try_change(name, *change, &prepared, &database).await);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
