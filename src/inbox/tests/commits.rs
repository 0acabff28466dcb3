//! Every change of the inbox reports a failed commit, and the next one succeeds.

use std::pin::Pin;

use sandbox::crash_after;

use super::{clock, moved};
use crate::db::Db;
use crate::db::testing::{Database, wrong_with};
use crate::deals::{Rules, Which};
use crate::inbox::{Inbox, table};

/// A database in which each change has something to change.
struct Prepared {
    db: Db,
    inbox: Inbox,
    row: String,
}

type Changed<'a> = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send + 'a>>;
type Change = for<'a> fn(&'a Prepared) -> Changed<'a>;

/// Every function that changes data.
const CHANGES: &[(&str, Change)] = &[
    ("store", |it| Box::pin(async { it.inbox.store(b"body", &[moved(2)], None).await.map(drop) })),
    ("store_unparsable", |it| Box::pin(it.inbox.store_unparsable(b"body", "garbage"))),
    ("purge_bodies", |it| {
        Box::pin(async { table::purge_bodies(&it.db, it.db.time()).await.map(drop) })
    }),
    ("claim", |it| Box::pin(async { table::claim(&it.db, 10).await.map(drop) })),
    ("forget_claims", |it| Box::pin(table::forget_claims(&it.db))),
    ("release", |it| Box::pin(async { table::release(&it.db, &[it.row.as_str()]).await })),
    ("accepted", |it| Box::pin(async { it.inbox.accepted(&[it.row.as_str()]).await })),
    ("refused", |it| Box::pin(async { it.inbox.refused(&it.row, "refused").await })),
    ("resend", |it| Box::pin(async { it.inbox.resend(&[]).await.map(drop) })),
    ("dismiss", |it| Box::pin(async { it.inbox.dismiss(&Which::Lead(4), "no").await.map(drop) })),
    ("adopt", |it| Box::pin(async { it.inbox.adopt().await })),
    ("note_hold", |it| Box::pin(table::note_hold(&it.db, "Inngest knows no function"))),
    ("record_failure", |it| {
        Box::pin(async { table::record_failure(&it.db, &[it.row.as_str()], "away").await })
    }),
];

impl Prepared {
    async fn new(database: &Database) -> Self {
        let clock = clock();
        let db = database.open(clock.clone()).await;
        let inbox = Inbox::new(db.clone(), Rules::default());
        // One deal is due, and one event comes from a version that knew no deals here.
        let due = inbox.store(b"body", &[moved(5)], None).await.unwrap().remove(0);
        inbox.accepted(&[due.as_str()]).await.unwrap();
        clock.advance(std::time::Duration::from_secs(15 * 60));
        let earlier = inbox.store(b"body", &[moved(6)], None).await.unwrap().remove(0);
        let query = sqlx::query("UPDATE inbox SET deal_key = NULL WHERE id = $1");
        db.commit(query.bind(earlier)).await.unwrap();
        inbox.store_unparsable(b"old", "garbage").await.unwrap();
        inbox.store(b"body", &[moved(4)], None).await.unwrap();
        assert_eq!(table::claim(&db, 2).await.unwrap().len(), 2);
        let row = inbox.store(b"body", &[moved(1)], None).await.unwrap().remove(0);
        clock.advance(std::time::Duration::from_secs(1));
        Self { db, inbox, row }
    }
}

#[tokio::test]
async fn every_change_reports_a_failed_commit_and_the_next_one_succeeds() {
    let mut wrong = Vec::new();
    for (name, change) in CHANGES {
        let database = Database::new().await;
        let prepared = Prepared::new(&database).await;
        wrong.extend(wrong_with(name, async || change(&prepared).await, &database).await);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn readiness_is_proven_by_a_commit() {
    let database = Database::new().await;
    let db = database.open(clock()).await;
    let inbox = Inbox::new(db.clone(), Rules::default());
    database.refuse_commits().await;
    for _ in 0..2 {
        inbox.prove_writable().await.unwrap_err();
    }
    // A caller that gave up leaves an empty transaction behind, which can be committed on any disk.
    assert_eq!(crash_after(0, inbox.prove_writable()).await.map(drop), None);
    // The second of these waits for the connection behind it.
    for _ in 0..2 {
        table::release(&db, &[]).await.unwrap();
    }
    inbox.prove_writable().await.unwrap_err();
    database.accept_commits().await;
    inbox.prove_writable().await.unwrap();
}

#[tokio::test]
async fn a_change_that_is_given_up_half_way_is_made_whole_or_not_at_all_and_blocks_no_other() {
    let database = Database::new().await;
    let db = database.open(clock()).await;
    let inbox = Inbox::new(db.clone(), Rules::default());
    for waits in 0..40 {
        let leads = [moved(10), moved(11), moved(12)];
        let rows = inbox.store(b"body", &leads, None).await.unwrap();
        let ids: Vec<_> = rows.iter().map(String::as_str).collect();
        crash_after(waits, inbox.accepted(&ids)).await;
        // Behind whatever is left of it.
        table::release(&db, &[]).await.unwrap();
        let left = inbox.counts().await.unwrap().waiting;
        assert!(left == 0 || left == 3, "{left} of 3 after {waits} waits");
        inbox.accepted(&ids).await.unwrap();
        assert_eq!(inbox.counts().await.unwrap().waiting, 0);
    }
}
