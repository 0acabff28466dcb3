//! The step `create-erp-task`: killed at each await point, under each misbehaviour of the ERP, with and without a marker
//! field, retried as Inngest does, and followed by a second webhook of the same lead.

use std::sync::Arc;
use std::time::Duration;

use functions::ports::{self, Created, Deal, Erp as _, Retry};
use sandbox::{ErpFailure, FakeErp, crash_after, crash_rounds};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{Bench, hangs, lead};
use crate::deals::{Progress, Resolution};

/// Inngest's: the first attempt and three retries.
const ATTEMPTS: usize = 4;

/// More of them only wait for each other.
const WORLDS_AT_ONCE: usize = 12;

/// A breakdown's page quotes it, and must not be taken for what it looks like.
const NAME: &str = r#"{"status":"success","data":{"id":"1"}} http_response_code() Access denied"#;

fn misbehaviours() -> Vec<Vec<ErpFailure>> {
    use ErpFailure as F;
    let says = |code: &str, message: &str| F::Error { code: code.into(), message: message.into() };
    let warning = r#"{"status":"success","data":{"id":""}}"#.to_owned();
    let after = |status| F::InsertThenAnswer { status, body: "<h1>Sorry</h1>".into() };
    vec![
        vec![],
        vec![F::NoDatabase],
        vec![after(503)],
        vec![after(429)],
        vec![after(504)],
        vec![after(404)],
        vec![after(403)],
        vec![after(302)],
        vec![F::Unavailable { retry_after: None }, after(503)],
        vec![after(503), F::NoDatabase, F::Unavailable { retry_after: Some(5) }],
        vec![F::Unavailable { retry_after: Some(5) }],
        vec![F::BadGateway],
        vec![F::InsertThenBadGateway],
        vec![F::Hang],
        vec![F::InsertThenHang],
        vec![F::HangThenInsert],
        vec![F::DatabaseError],
        vec![F::InsertThenHtml],
        vec![F::Empty500],
        vec![F::InsertThenEmpty500],
        vec![says("500", "field_1039 not exist in entity 70")],
        vec![says("login_fail", "No match for Username and/or Password")],
        vec![says("500", "Database Error: 1205 - lock wait timeout")],
        vec![F::Answer { status: 200, body: warning }],
        vec![F::Answer { status: 504, body: "<h1>504</h1>".into() }],
        vec![F::InsertThenHtml, F::BadGateway, F::Empty500],
        vec![F::BadGateway, F::InsertThenBadGateway],
        vec![F::DatabaseError, F::Unavailable { retry_after: None }, F::InsertThenEmpty500],
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deal_killed_anywhere_has_one_record_or_one_visible_failure() {
    let mut worlds = JoinSet::new();
    let at_once = Arc::new(Semaphore::new(WORLDS_AT_ONCE));
    for _ in 0..crash_rounds() {
        for script in misbehaviours() {
            for marked in [true, false] {
                let (script, at_once) = (script.clone(), Arc::clone(&at_once));
                worlds.spawn(async move {
                    let _turn = at_once.acquire().await.unwrap();
                    every_crash(script, marked).await
                });
            }
        }
    }
    let schedules: usize = worlds.join_all().await.into_iter().sum();
    println!("create-erp-task: {schedules} schedules");
}

/// Crashes at the first await point, at the second, and so on until there is none left.
async fn every_crash(script: Vec<ErpFailure>, marked: bool) -> usize {
    let mut bench = if marked { Bench::marked().await } else { Bench::new().await };
    let long = bench.settings.timeout;
    let brief = Duration::from_millis(200);
    for point in 0.. {
        let lead_id = 1000 + point as u64;
        let deal = Deal { name: format!("{NAME} {point}"), ..lead(lead_id) };
        bench.erp.recover();
        for failure in &script {
            bench.erp.fail_next(1, failure.clone());
        }
        bench.settings.timeout = if script.iter().any(hangs) { brief } else { long };
        let context = format!("{script:?}, marked: {marked}, crash at await point {point}");
        let crashed = crash_after(point, bench.ledger().record(&deal)).await.is_none();
        quiet(&bench.erp).await;
        let first = in_inngest(&bench, &deal, &context).await;
        let replay = Deal { run_id: "01RUN2".to_owned(), ..deal.clone() };
        let second = in_inngest(&bench, &replay, &context).await;
        bench.settings.timeout = long;
        judge(&bench, &deal, lead_id, [&first, &second], &context).await;
        if !crashed {
            return point + 1;
        }
    }
    0
}

/// A run of the step, until it succeeds or has failed for good. Time passes as its errors ask for.
async fn in_inngest(bench: &Bench, deal: &Deal, context: &str) -> ports::Result<Created> {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let error = match bench.ledger().create(deal).await {
            Ok(created) => return Ok(created),
            Err(error) => error,
        };
        let wait = match error.retry() {
            Retry::Never => {
                quiet(&bench.erp).await;
                return Err(error);
            }
            Retry::NotBefore(wait) => wait,
            Retry::Again => Duration::from_secs(15),
        };
        assert!(wait <= Duration::from_secs(121), "{context}: {error}");
        quiet(&bench.erp).await;
        bench.erp.finish_late_inserts();
        bench.clock.advance(wait);
        last = Some(error);
    }
    Err(last.unwrap())
}

async fn judge(
    bench: &Bench,
    deal: &Deal,
    lead_id: u64,
    runs: [&ports::Result<Created>; 2],
    context: &str,
) {
    bench.erp.finish_late_inserts();
    let [first, second] = runs;
    let rows = records(&bench.erp, &deal.name);
    assert!(rows.len() <= 1, "{context}: two records {rows:?}; {first:?}, {second:?}");
    let unfinished = bench.unfinished().await;
    let failed = unfinished.iter().find(|deal| deal.key == format!("lead:{lead_id}"));
    if second.is_ok() {
        assert_eq!((rows.len(), failed), (1, None), "{context}: {second:?}");
        return;
    }
    // Visible: the run's error and the ledger both name the lead.
    let error = second.as_ref().unwrap_err().to_string();
    assert!(error.contains(&lead_id.to_string()), "{context}: {error}");
    let failed = failed.unwrap_or_else(|| panic!("{context}: no visible item; {error}"));
    if failed.progress != Progress::InDoubt {
        return;
    }
    // A person looks, and the next run brings the record.
    let found = match rows.as_slice() {
        [] => Resolution::Absent,
        rows => Resolution::Exists(rows[0].to_string()),
    };
    assert!(bench.resolve(lead_id, &found).await);
    bench.erp.recover();
    let third = in_inngest(bench, deal, context).await;
    assert!(third.is_ok(), "{context}: {third:?}");
    assert_eq!(records(&bench.erp, &deal.name).len(), 1, "{context}");
}

fn records(erp: &FakeErp, name: &str) -> Vec<u64> {
    let named = |row: &sandbox::ErpRow| row.fields["field_1039"] == name;
    erp.rows().iter().filter(|row| named(row)).map(|row| row.id).collect()
}

/// What was on the wire at the crash has arrived: in reality a minute passes, here only milliseconds.
async fn quiet(erp: &FakeErp) {
    let mut seen = (erp.requests().len(), 0);
    while seen.1 < 5 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let now = erp.requests().len();
        seen = if now == seen.0 { (now, seen.1 + 1) } else { (now, 0) };
    }
}
