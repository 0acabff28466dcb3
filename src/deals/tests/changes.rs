//! A record and what its lead becomes later: what is known of it, and what is written into it, in the right order.

use functions::ports::{
    Compared, Deal, DealKey, Erp as _, Gone, Reading, Recorded, Retry, WaitsFor,
};
use functions::webhook::Change;
use sandbox::{ErpFailure, ErpField, FakeErpSettings, crash_after};

use super::{Bench, LEAD, in_run, lead};
use crate::db::Transaction;
use crate::deals::difference::Difference;
use crate::deals::{
    Dedupe, DifferingDeal, Ledger, OnChange, Rules, changed, differing, due, queue,
};
use crate::erp::tests::marked;

/// The lead with this amount, read when so many reports were known.
fn now_has(amount: u64, reports: u64) -> Deal {
    Deal { amount: Some(amount.into()), reports, ..lead(LEAD) }
}

fn given(amount: &str) -> Option<Recorded> {
    Some(Recorded { name: "Поставка окон".to_owned(), amount: Some(amount.to_owned()) })
}

impl Bench {
    fn with_changes(&self, on_change: OnChange) -> Ledger {
        let rules = Rules { on_change, ..Rules::default() };
        Ledger::new(self.db.clone(), Some(self.erp_client()), rules, self.clock.clone())
    }

    async fn transaction<T>(&self, change: impl AsyncFnOnce(&mut Transaction) -> T) -> T {
        let mut transaction = self.db.begin().await.unwrap();
        let done = change(&mut transaction).await;
        transaction.commit().await.unwrap();
        done
    }

    /// amoCRM reports that the lead was changed. Returns how many deals it has.
    async fn reported(&self, deleted: bool) -> u64 {
        let (change, now) = (Change { lead_id: LEAD, deleted }, self.db.time());
        let changed = self.transaction(async |t: &mut Transaction| changed(t, change, now).await);
        changed.await.unwrap()
    }

    /// The data of the events that are due now.
    async fn due(&self) -> Vec<String> {
        let now = self.db.time();
        self.transaction(async |t: &mut Transaction| {
            let mut events = Vec::new();
            for key in due(t, &[], 99, now).await.unwrap() {
                let id = self.db.next_id();
                events.push(queue(t, &key, &id, now).await.unwrap().unwrap().payload);
            }
            events
        })
        .await
    }

    async fn listed(&self) -> Vec<DifferingDeal> {
        differing(&self.db, 9).await.unwrap()
    }

    /// The amounts that updates were to write, in the order in which the ERP was asked.
    fn updates(&self) -> Vec<u64> {
        let sent = self.erp.requests().into_iter().map(|sent| sent.text());
        let updates = sent.filter(|body| body.contains(r#""action":"update""#));
        let amount = |body: String| {
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            body["data"]["field_1040"].as_u64().unwrap()
        };
        updates.map(amount).collect()
    }

    fn held_by_the_erp(&self) -> serde_json::Value {
        self.erp.rows()[0].fields["field_1040"].clone()
    }
}

async fn compare(ledger: &Ledger, deal: &Deal) -> Compared {
    ledger.compare(deal).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_record_that_is_found_holds_what_was_sent_then_and_not_what_the_lead_has_now() {
    let bench = Bench::marked().await.failing(ErpFailure::InsertThenEmpty500);
    bench.fails(&now_has(1, 0)).await;
    bench.a_minute_passes();
    let ledger = bench.with_changes(OnChange::Report);
    assert!(ledger.create(&now_has(2, 0)).await.unwrap().duplicate);
    let compared = compare(&ledger, &now_has(2, 0)).await;
    assert_eq!((compared.recorded, compared.differs), (given("1"), vec!["amount".to_owned()]));
    assert_eq!(bench.listed().await.len(), 1);
}

#[tokio::test]
async fn of_a_record_that_another_has_made_nothing_is_claimed_and_an_update_makes_it_known() {
    let bench = Bench::of(FakeErpSettings::default().with_unique_marker()).await.with(marked);
    bench.erp.add_row([("field_1041", "45721053"), ("field_1040", "7")]);
    let ledger = bench.with_changes(OnChange::Report);
    assert!(ledger.create(&now_has(2, 0)).await.unwrap().duplicate);
    let unknown = compare(&ledger, &now_has(2, 0)).await;
    assert!(unknown.recorded.is_none() && unknown.differs.is_empty() && !unknown.is_up_to_date());
    assert!(bench.listed().await.is_empty(), "no difference can be claimed");

    let ledger = bench.with_changes(OnChange::Update);
    assert!(compare(&ledger, &now_has(2, 0)).await.update);
    let after = ledger.update(&now_has(2, 0)).await.unwrap().unwrap();
    assert!(after.is_up_to_date() && after.recorded == given("2"), "{after:?}");
    assert!(!compare(&ledger, &now_has(2, 0)).await.update);
}

#[tokio::test]
async fn what_is_reported_before_the_lead_is_read_costs_no_look_and_what_comes_later_costs_one() {
    for (reports, looks) in [(1, 0), (0, 1)] {
        let bench = Bench::new().await;
        let ledger = bench.with_changes(OnChange::Report);
        let failed = super::failure(&lead(LEAD), "amoCRM is away", None);
        ledger.note_failure(&failed).await.unwrap();
        assert_eq!(bench.reported(false).await, 1);
        ledger.create(&now_has(1, reports)).await.unwrap();
        bench.a_minute_passes();
        assert_eq!(bench.due().await.len(), looks, "{reports}");
    }
}

#[tokio::test]
async fn all_that_happens_to_a_lead_within_a_minute_is_one_look() {
    let bench = Bench::new().await;
    let ledger = bench.with_changes(OnChange::Report);
    assert_eq!(bench.reported(false).await, 0, "a lead without a deal");
    ledger.create(&now_has(1, 0)).await.unwrap();
    for _ in 0..6 {
        bench.reported(false).await;
        bench.clock.advance(std::time::Duration::from_secs(9));
        assert!(bench.due().await.is_empty(), "not before the burst is over");
    }
    bench.a_minute_passes();
    assert_eq!(bench.due().await, [format!("{{\"leadId\":{LEAD},\"action\":\"update\"}}")]);
    let reading = ledger.reading(&lead(LEAD).key).await.unwrap();
    assert_eq!((reading.reports, reading.has_record), (6, true));
    // What is reported while it is looked at is looked at once more.
    bench.reported(false).await;
    compare(&ledger, &now_has(1, reading.reports)).await;
    bench.a_minute_passes();
    assert_eq!(bench.due().await.len(), 1);
    compare(&ledger, &now_has(1, 7)).await;
    bench.clock.advance(std::time::Duration::from_secs(24 * 3600));
    assert!(bench.due().await.is_empty(), "it was looked at");
}

#[tokio::test]
async fn a_look_of_which_nothing_is_heard_is_queued_again() {
    let bench = Bench::new().await;
    bench.with_changes(OnChange::Report).create(&now_has(1, 0)).await.unwrap();
    bench.reported(false).await;
    bench.a_minute_passes();
    assert_eq!(bench.due().await.len(), 1);
    let key = format!("lead:{LEAD}");
    let query = sqlx::query_as("SELECT event_id FROM deals");
    let event: Vec<(String,)> = bench.db.fetch(query).await.unwrap();
    let now = bench.db.time();
    bench
        .transaction(async |t: &mut Transaction| {
            crate::deals::forwarded(t, &key, &event[0].0, Rules::default().schedule, now).await
        })
        .await
        .unwrap();
    bench.clock.advance(std::time::Duration::from_secs(15 * 60));
    assert_eq!(bench.due().await.len(), 1);
}

#[tokio::test]
async fn what_is_old_is_not_written_over_what_is_new() {
    let bench = Bench::new().await;
    let ledger = bench.with_changes(OnChange::Update);
    ledger.create(&now_has(1, 0)).await.unwrap();
    for _ in 0..2 {
        bench.reported(false).await;
    }
    assert!(compare(&ledger, &now_has(2, 1)).await.update);
    assert!(compare(&ledger, &now_has(3, 2)).await.update);
    for (deal, success) in [(now_has(3, 2), true), (now_has(2, 1), false)] {
        let updated = ledger.update(&deal).await.unwrap().unwrap();
        assert_eq!(updated.is_up_to_date(), success);
    }
    assert_eq!((bench.updates(), bench.held_by_the_erp()), (vec![3], 3.into()));
}

#[tokio::test]
async fn one_update_of_a_record_is_under_way_at_a_time() {
    let bench = Bench::new().await;
    let (one, other) = (bench.with_changes(OnChange::Update), bench.with_changes(OnChange::Update));
    one.create(&now_has(1, 0)).await.unwrap();
    // A question comes first.
    let mut question = bench.erp.hold_next();
    let first = tokio::spawn(async move { one.update(&now_has(2, 0)).await });
    question.arrived().await;
    let mut held = bench.erp.hold_next();
    drop(question);
    held.arrived().await;
    bench.reported(false).await;
    let busy = other.update(&now_has(3, 1)).await.unwrap_err();
    assert!(matches!(busy.retry(), Retry::NotBefore(_)), "{busy}");
    drop(held);
    first.await.unwrap().unwrap();
    other.update(&now_has(3, 1)).await.unwrap();
    assert_eq!((bench.updates(), bench.held_by_the_erp()), (vec![2, 3], 3.into()));
}

#[tokio::test]
async fn after_an_unclear_update_nothing_is_claimed_and_the_next_one_waits_until_it_cannot_arrive()
{
    let bench = Bench::new().await;
    bench.with_changes(OnChange::Update).create(&now_has(1, 0)).await.unwrap();
    let bench = bench.failing(ErpFailure::InsertThenHang);
    let ledger = bench.with_changes(OnChange::Update);
    let unclear = ledger.update(&now_has(2, 0)).await.unwrap_err();
    assert!(unclear.to_string().contains("it is unknown whether record 119"), "{unclear}");
    let compared = compare(&ledger, &now_has(1, 0)).await;
    assert!(compared.recorded.is_none() && compared.update, "it may hold either");
    bench.reported(false).await;
    assert!(ledger.update(&now_has(3, 1)).await.is_err(), "too early");
    bench.a_minute_passes();
    let after = ledger.update(&now_has(3, 1)).await.unwrap().unwrap();
    assert_eq!((after.is_up_to_date(), bench.updates()), (true, vec![2, 3]));
}

#[tokio::test]
async fn an_update_that_certainly_did_not_arrive_leaves_the_record_known() {
    let bench = Bench::new().await;
    let ledger = bench.with_changes(OnChange::Update);
    ledger.create(&now_has(1, 0)).await.unwrap();
    bench.erp.fail_next(1, ErpFailure::NoDatabase);
    let away = ledger.update(&now_has(2, 0)).await.unwrap_err();
    assert!(away.to_string().contains("could not update record 119"), "{away}");
    assert_eq!(compare(&ledger, &now_has(2, 0)).await.recorded, given("1"));
    ledger.update(&now_has(2, 0)).await.unwrap();
    assert_eq!(bench.held_by_the_erp(), 2);
}

#[tokio::test]
async fn an_update_that_was_killed_is_made_again_once_it_cannot_arrive_any_more() {
    for point in 0..40 {
        let bench = Bench::new().await;
        let ledger = bench.with_changes(OnChange::Update);
        ledger.create(&now_has(1, 0)).await.unwrap();
        compare(&ledger, &now_has(2, 0)).await;
        let killed = crash_after(point, ledger.update_record(&now_has(2, 0))).await.is_none();
        let ledger = bench.with_changes(OnChange::Update);
        if killed && !bench.updates().is_empty() {
            let compared = compare(&ledger, &now_has(1, 0)).await;
            assert!(compared.update || compared.recorded == given("2"), "{point}: {compared:?}");
        }
        bench.clock.advance(std::time::Duration::from_secs(15 * 60));
        assert_eq!(bench.due().await.len(), usize::from(killed), "{point}: it is not forgotten");
        ledger.update(&now_has(2, 0)).await.unwrap();
        assert_eq!((bench.held_by_the_erp(), bench.erp.rows().len()), (2.into(), 1), "{point}");
        if !killed {
            return;
        }
    }
    panic!("an update has more than 40 points");
}

#[tokio::test]
async fn with_one_record_for_each_event_each_record_is_compared() {
    let bench = Bench::new().await;
    let ledger = bench.ledger_of(Dedupe::Event);
    for delivery in ["01EVENT1", "01EVENT2"] {
        let delivery_id = delivery.to_owned();
        let key = DealKey::Lead { account_id: None, lead_id: LEAD, delivery_id };
        ledger.create(&Deal { key, ..in_run(delivery, lead(LEAD)) }).await.unwrap();
    }
    assert_eq!(bench.reported(false).await, 2);
    bench.a_minute_passes();
    let mut due = bench.due().await;
    due.sort_unstable();
    let look = |delivery| {
        format!("{{\"leadId\":{LEAD},\"action\":\"update\",\"deliveryId\":\"{delivery}\"}}")
    };
    assert_eq!(due, [look("01EVENT1"), look("01EVENT2")]);
}

#[tokio::test]
async fn a_lead_that_is_gone_ends_no_deal_that_was_reported_since_or_may_have_a_record() {
    let bench = Bench::new().await.failing(ErpFailure::InsertThenEmpty500);
    bench.fails(&lead(LEAD)).await;
    let ledger = bench.with_changes(OnChange::Report);
    let key = lead(LEAD).key;
    let gone = async |reading| ledger.gone(&key, reading, true).await.unwrap();
    assert_eq!(gone(Reading::default()).await, Gone::Undecided, "it is in doubt");

    let bench = Bench::new().await;
    let ledger = bench.with_changes(OnChange::Report);
    let failed = super::failure(&lead(LEAD), "amoCRM is away", None);
    ledger.note_failure(&failed).await.unwrap();
    let reading = ledger.reading(&key).await.unwrap();
    bench.reported(true).await;
    let gone = async |reading| ledger.gone(&key, reading, true).await.unwrap();
    assert_eq!(gone(reading).await, Gone::Undecided);
    let reading = ledger.reading(&key).await.unwrap();
    assert!(reading.is_deleted);
    assert_eq!(gone(reading).await, Gone::Ended);
    assert!(bench.unfinished().await.is_empty());
    ledger.create(&now_has(1, 1)).await.unwrap();
    assert_eq!(gone(reading).await, Gone::HasRecord("119".to_owned()));
    assert_eq!(bench.listed().await[0].difference, Some(Difference::Deleted));
}

#[tokio::test]
async fn an_update_that_the_erp_would_leave_out_without_a_word_is_not_sent() {
    let bench = Bench::new().await;
    let ledger = bench.with_changes(OnChange::Update);
    ledger.create(&now_has(1, 0)).await.unwrap();
    bench.erp.configure(|erp| erp.remove_field("field_1040"));
    let refused = ledger.update(&now_has(2, 0)).await.unwrap_err();
    assert_eq!(refused.waits_for(), Some(WaitsFor::Person));
    assert!(refused.to_string().contains("field_1040 not exist in entity 70"), "{refused}");
    assert_eq!(compare(&ledger, &now_has(2, 0)).await.recorded, given("1"));
    bench.erp.configure(|erp| erp.set_field(ErpField::numeric("field_1040")));
    ledger.update(&now_has(2, 0)).await.unwrap();
    assert_eq!((bench.updates(), bench.held_by_the_erp()), (vec![2], 2.into()));
}

#[tokio::test]
async fn a_record_of_another_entity_is_listed_and_not_written() {
    let bench = Bench::new().await;
    bench.with_changes(OnChange::Update).create(&now_has(1, 0)).await.unwrap();
    let bench = bench.with(|erp| erp.entity_id = 71);
    let ledger = bench.with_changes(OnChange::Update);
    assert!(!compare(&ledger, &now_has(2, 0)).await.update);
    assert!(!ledger.update(&now_has(2, 0)).await.unwrap().unwrap().is_up_to_date());
    assert_eq!((bench.updates(), bench.listed().await.len()), (vec![], 1));
}
