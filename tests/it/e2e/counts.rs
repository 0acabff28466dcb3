//! What a deal costs besides the work itself: calls of Inngest, and commits of the database, each of which waits for a disk.
//! docs/performance.md says what each of them is for.

use std::path::Path;

use sandbox::bodies;
use serde_json::json;

use crate::world::{Begin as _, World, eventually, given};

const LEAD: u64 = 45_721_053;

const COMMITS_OF_A_WEBHOOK: usize = 1;
/// That of its webhook; that its event is on its way, and with Inngest; that it is being sent; that its record is there.
const COMMITS_OF_A_DEAL: usize = 5;

#[tokio::test]
async fn a_webhook_takes_one_commit() {
    let world = given().lead(LEAD, "Ремонт офиса", 46_333).gate_before_inngest().in_process().await;
    world.inngest_is_there(false);
    let log = world.folder().join("flow.db-wal");
    let mut taken = Vec::new();
    for _ in 0..5 {
        let before = commits(&log);
        let answer = world.post_webhook("/api/amocrm-webhook", bodies::ORIGINAL).await;
        assert_eq!(answer, (200, json!({ "accepted": 1 })));
        taken.push(commits(&log) - before);
    }
    // Other parts of the service may commit in between.
    assert_eq!(taken.iter().min(), Some(&COMMITS_OF_A_WEBHOOK), "{taken:?}");
    world.end().await;
}

#[tokio::test]
async fn a_deal_takes_one_call_and_few_commits() {
    let world = (1..=4).fold(given(), |world, lead| world.lead(lead, "Ремонт офиса", 46_333));
    let mut world = world.in_process().await;
    let log = world.folder().join("flow.db-wal");
    // The first one brings the tokens, too.
    deal(&world, 1, 1).await;
    world.calls();
    let mut taken = Vec::new();
    for lead in 2..=4 {
        let before = commits(&log);
        deal(&world, lead, lead.cast_signed()).await;
        assert_eq!(world.calls(), Some(1));
        taken.push(commits(&log) - before);
    }
    // Other parts of the service may commit in between.
    assert_eq!(taken.iter().min(), Some(&COMMITS_OF_A_DEAL), "{taken:?}");
    world.end().await;
}

/// A lead moves, and its deal is done: number `done`.
async fn deal(world: &World, lead: u64, done: i64) {
    world.webhook(lead).await;
    let is_done = async || (world.deals_in("done").await == Some(done)).then_some(());
    eventually("the deal is done", is_done).await;
    eventually("the event is gone", async || (world.waiting().await == 0).then_some(())).await;
}

/// The transactions in SQLite's write-ahead log: each ends with a page that says how large the database is by then.
/// The log begins anew after a thousand pages, which these tests do not write.
fn commits(log: &Path) -> usize {
    const HEADER: usize = 32;
    const OF_PAGE: usize = 24;
    let log = std::fs::read(log).unwrap();
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let (page_size, salts) = (number(8) as usize, (number(16), number(20)));
    let pages = (HEADER..log.len()).step_by(OF_PAGE + page_size);
    let of_this_log = |at: &usize| (number(at + 8), number(at + 12)) == salts;
    pages.take_while(of_this_log).filter(|at| number(at + 4) != 0).count()
}
