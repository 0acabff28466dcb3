//! One deal stays one record when its lead becomes a part of another one, at whatever moment that is.

use functions::ports::{Deal, DealKey, Erp as _, Retry};
use sandbox::ErpFailure;

use super::{Bench, LEAD, created, failure, lead};
use crate::db::Transaction;
use crate::deals::difference::Difference;
use crate::deals::{Dedupe, Resolution, differing, merged};

/// The lead that stays.
const SURVIVOR: u64 = 7;

fn survivor() -> Deal {
    lead(SURVIVOR)
}

impl Bench {
    /// The lead becomes a part of the survivor. Returns how many deals without a record are handed on.
    async fn merge(&self, dedupe: Dedupe) -> usize {
        let (mut transaction, now) = (self.db.begin().await.unwrap(), self.db.time());
        let merged = async |t: &mut Transaction| merged(t, SURVIVOR, LEAD, dedupe, now).await;
        let handed_on = merged(&mut transaction).await.unwrap().len();
        transaction.commit().await.unwrap();
        handed_on
    }

    /// The lead that is listed, and how it differs from its record.
    async fn only_listed(&self) -> Option<(Option<i64>, Option<Difference>)> {
        let mut listed = differing(&self.db, 9).await.unwrap();
        assert!(listed.len() < 2, "{listed:?}");
        listed.pop().map(|deal| (deal.lead_id, deal.difference))
    }

    async fn creates(&self, deal: &Deal, id: &str, duplicate: bool) {
        assert_eq!(self.ledger().create(deal).await.unwrap(), created(id, duplicate));
    }
}

fn both(lead: u64, record: &str) -> Option<(Option<i64>, Option<Difference>)> {
    let difference = Difference::Merged { lead: SURVIVOR as i64, record: record.to_owned() };
    Some((Some(lead as i64), Some(difference)))
}

#[tokio::test]
async fn a_survivor_without_a_record_takes_over_that_of_the_lead_whether_it_was_reported_or_not() {
    for was_reported in [false, true] {
        let bench = Bench::new().await;
        bench.creates(&lead(LEAD), "119", false).await;
        if was_reported {
            let failed = failure(&survivor(), "amoCRM is away", None);
            bench.ledger().note_failure(&failed).await.unwrap();
        }
        for _ in 0..2 {
            assert_eq!(bench.merge(Dedupe::Lead).await, 0);
        }
        bench.creates(&survivor(), "119", true).await;
        assert_eq!((bench.erp.rows().len(), bench.only_listed().await), (1, None));
        assert!(bench.ledger().compare(&survivor()).await.unwrap().unwrap().is_up_to_date());
    }
}

#[tokio::test]
async fn a_survivor_in_doubt_takes_over_the_record_only_where_it_has_none_of_its_own() {
    for (answer, records) in [(ErpFailure::Empty500, 1), (ErpFailure::InsertThenEmpty500, 2)] {
        let bench = Bench::marked().await;
        bench.creates(&lead(LEAD), "119", false).await;
        let bench = bench.failing(answer);
        bench.fails(&survivor()).await;
        bench.merge(Dedupe::Lead).await;
        bench.a_minute_passes();
        // Whether it has one is looked up first.
        let own = bench.ledger().create(&survivor()).await;
        assert_eq!(own.is_ok(), records == 2);
        let id = if records == 2 { "120" } else { "119" };
        bench.creates(&survivor(), id, true).await;
        assert_eq!(bench.erp.rows().len(), records);
        let listed = if records == 2 { both(LEAD, "120") } else { None };
        assert_eq!(bench.only_listed().await, listed);
    }
}

#[tokio::test]
async fn a_survivor_that_has_sent_nothing_yet_when_the_merge_is_seen_sends_nothing() {
    let bench = Bench::new().await;
    bench.creates(&lead(LEAD), "119", false).await;
    // The question that comes before the record.
    let mut held = bench.erp.hold_next();
    let ledger = bench.ledger();
    let sending = tokio::spawn(async move { ledger.create(&survivor()).await });
    held.arrived().await;
    bench.merge(Dedupe::Lead).await;
    drop(held);
    let busy = sending.await.unwrap().unwrap_err();
    assert!(matches!(busy.retry(), Retry::NotBefore(_)), "{busy}");
    bench.creates(&survivor(), "119", true).await;
    assert_eq!((bench.erp.rows().len(), bench.only_listed().await), (1, None));
}

#[tokio::test]
async fn a_survivor_that_is_being_sent_when_the_merge_is_seen_is_listed_with_the_other_record() {
    let bench = Bench::new().await;
    bench.creates(&lead(LEAD), "119", false).await;
    let mut question = bench.erp.hold_next();
    let ledger = bench.ledger();
    let sending = tokio::spawn(async move { ledger.create(&survivor()).await });
    question.arrived().await;
    let mut held = bench.erp.hold_next();
    drop(question);
    held.arrived().await;
    bench.merge(Dedupe::Lead).await;
    assert_eq!(bench.only_listed().await, None, "it is not known yet");
    drop(held);
    assert_eq!(sending.await.unwrap().unwrap(), created("120", false));
    assert_eq!(bench.only_listed().await, both(LEAD, "120"));
}

#[tokio::test]
async fn a_lead_that_was_in_doubt_when_it_was_merged_and_has_a_record_after_all_hands_that_on() {
    for survivor_has_one in [false, true] {
        let bench = Bench::new().await.failing(ErpFailure::InsertThenEmpty500);
        bench.fails(&lead(LEAD)).await;
        if survivor_has_one {
            bench.creates(&survivor(), "120", false).await;
        }
        assert_eq!(bench.merge(Dedupe::Lead).await, 0, "it may have one");
        assert!(bench.resolve(LEAD, &Resolution::Exists("119".to_owned())).await);
        let listed = if survivor_has_one { both(LEAD, "120") } else { None };
        assert_eq!(bench.only_listed().await, listed);
        bench.creates(&survivor(), if survivor_has_one { "120" } else { "119" }, true).await;
    }
}

#[tokio::test]
async fn a_deal_that_waits_is_handed_on_once_and_ends() {
    let bench = Bench::new().await;
    let failed = failure(&lead(LEAD), "the ERP is away", None);
    bench.ledger().note_failure(&failed).await.unwrap();
    assert_eq!((bench.merge(Dedupe::Lead).await, bench.merge(Dedupe::Lead).await), (1, 0));
    assert!(bench.unfinished().await.is_empty());
}

#[tokio::test]
async fn with_one_record_for_each_event_no_record_is_taken_over_and_those_of_the_lead_are_listed() {
    let bench = Bench::new().await;
    let ledger = bench.ledger_of(Dedupe::Event);
    ledger.create(&lead(LEAD)).await.unwrap();
    bench.merge(Dedupe::Event).await;
    let delivery_id = "01OTHER".to_owned();
    let key = DealKey::Lead { account_id: None, lead_id: SURVIVOR, delivery_id };
    assert!(!ledger.create(&Deal { key, ..survivor() }).await.unwrap().duplicate);
    let listed = Some((Some(LEAD as i64), Some(Difference::Deleted)));
    assert_eq!(bench.only_listed().await, listed);
}
