//! The story of a deal: a line for each thing that happened to it, with its change and not without it.

use std::time::Duration;

use functions::ports::{Deal, Erp as _, WaitsFor};
use functions::webhook::Change;
use sandbox::ErpFailure;

use super::{Bench, LEAD, failure, in_run, lead, run};
use crate::db::Transaction;
use crate::deals::story::What::{self, *};
use crate::deals::{Dedupe, Which, merged};
use crate::deals::{
    KnownDeal, Ledger, OnChange, Report, Resolution, Rules, Schedule, Source, changed, dismiss,
    due, find, forwarded, last_record, queue, recorded_by_hour, reported, retry,
};

const RUN: &str = "01JD0000000000000000000RUN";
const EVENT: &str = "01JD00000000000000000EVENT";

impl Bench {
    async fn change<T>(&self, change: impl AsyncFnOnce(&mut Transaction) -> T) -> T {
        let mut transaction = self.db.begin().await.unwrap();
        let done = change(&mut transaction).await;
        transaction.commit().await.unwrap();
        done
    }

    /// A webhook reports the lead, under this event.
    async fn webhook(&self, lead_id: u64, event: &str) {
        let key = format!("lead:{lead_id}");
        let report = Report {
            key: &key,
            lead_id: Some(lead_id.try_into().unwrap()),
            event_name: "amocrm/webhook",
            payload: "{}",
            names_stage: true,
            source: Source::Webhook,
        };
        let now = self.db.time();
        let noted = self.change(async |t: &mut Transaction| reported(t, &report, event, now).await);
        noted.await.unwrap();
    }

    async fn is_changed(&self, deleted: bool) {
        let (change, now) = (Change { lead_id: LEAD, deleted }, self.db.time());
        self.change(async |t: &mut Transaction| changed(t, change, now).await.unwrap()).await;
    }

    /// The events of what is due go to Inngest.
    async fn goes_again(&self) {
        let now = self.db.time();
        self.change(async |t: &mut Transaction| {
            for key in due(t, &[], 9, now).await.unwrap() {
                queue(t, &key, EVENT, now).await.unwrap();
            }
        })
        .await;
    }

    async fn known(&self, asked: &str) -> KnownDeal {
        find(&self.db, asked).await.unwrap().pop().unwrap()
    }

    async fn story(&self, asked: &str) -> Vec<What> {
        self.known(asked).await.story.iter().map(|line| line.what).collect()
    }
}

fn in_its_run() -> Deal {
    in_run(RUN, lead(LEAD))
}

#[tokio::test]
async fn the_way_of_a_deal_from_its_webhook_to_its_record_is_told_with_its_ids() {
    let bench = Bench::new().await;
    bench.webhook(LEAD, EVENT).await;
    let now = bench.db.time();
    bench
        .change(async |t: &mut Transaction| {
            forwarded(t, "lead:45721053", EVENT, Schedule::default(), now).await.unwrap();
        })
        .await;
    bench.ledger().create(&in_its_run()).await.unwrap();
    let story = bench.known("45721053").await.story;
    let told: Vec<_> = story
        .iter()
        .map(|line| (line.what, line.words.first().map_or("", String::as_str)))
        .collect();
    let expected =
        [(Webhook, EVENT), (Forwarded, EVENT), (Run, RUN), (Sending, ""), (Recorded, "119")];
    assert_eq!(told, expected);
    assert!(story.iter().all(|line| line.at == now), "{story:?}");

    // What comes when the record is there changes nothing, and is told.
    bench.webhook(LEAD, "01LATER").await;
    assert_eq!(bench.story("45721053").await[5..], [Webhook]);
}

#[tokio::test]
async fn a_deal_of_an_event_begins_with_it() {
    let bench = Bench::new().await;
    bench.ledger().create(&run(RUN)).await.unwrap();
    assert_eq!(bench.story(RUN).await, [Asked, Run, Sending, Recorded]);
}

#[tokio::test]
async fn what_the_erp_answers_and_what_people_decide_is_told_and_no_text_of_the_erp() {
    let bench = Bench::new().await;
    let ledger = bench.ledger();
    let refusal =
        ErpFailure::Error { code: "500".to_owned(), message: "Field is required".to_owned() };
    bench.erp.fail_next(1, ErpFailure::NoDatabase);
    bench.fails(&in_its_run()).await;
    bench.erp.fail_next(1, refusal);
    bench.fails(&in_its_run()).await;
    ledger.note_failure(&failure(&in_its_run(), "x", Some(WaitsFor::Person))).await.unwrap();
    let (all, now) = (Which::Lead(LEAD), bench.db.now());
    bench.change(async |t: &mut Transaction| retry(t, &all, now).await.unwrap()).await;
    bench.goes_again().await;
    bench.erp.recover();
    ledger.create(&lead(7)).await.unwrap();
    bench.erp.fail_next(1, ErpFailure::BadGateway);
    bench.fails(&in_its_run()).await;
    assert!(bench.resolve(LEAD, &Resolution::Absent).await);
    bench.change(async |t: &mut Transaction| dismiss(t, &all, "why", now).await.unwrap()).await;
    assert!(bench.resolve(LEAD, &Resolution::Exists("119".to_owned())).await);

    let known = bench.known("45721053").await;
    let told: Vec<_> = known.story.iter().map(|line| line.what).collect();
    let expected = [
        Asked, Run, Sending, NotTaken, Run, Sending, Refused, Failed, Retried, Resent, Run,
        Sending, InDoubt, Absent, Dismissed, Resolved,
    ];
    assert_eq!(told, expected);
    assert_eq!(known.story[3].words, ["erp"], "what it waits for");
    assert_eq!(known.story[6].words, ["person"]);
    assert_eq!(known.story[7].words, ["person", RUN]);
    assert_eq!(known.story[15].words, ["119"]);
    let told = format!("{:?}", known.story);
    assert!(!told.contains("required") && !told.contains("Поставка"), "{told}");
}

#[tokio::test]
async fn changes_of_the_lead_and_what_is_done_about_them_are_told() {
    let bench = Bench::new().await;
    let rules = Rules { on_change: OnChange::Update, ..Rules::default() };
    let erp = Some(bench.erp_client());
    let ledger = Ledger::new(bench.db.clone(), erp, rules, bench.clock.clone());
    ledger.create(&in_its_run()).await.unwrap();
    bench.is_changed(false).await;
    bench.a_minute_passes();
    bench.goes_again().await;
    let changed = Deal { amount: Some(7.into()), reports: 1, ..in_its_run() };
    ledger.compare(&changed).await.unwrap();
    ledger.update(&changed).await.unwrap();
    ledger.compare(&changed).await.unwrap();
    bench.is_changed(true).await;
    let reading = ledger.reading(&changed.key).await.unwrap();
    ledger.gone(&changed.key, reading, true).await.unwrap();
    assert_eq!(
        bench.story("119").await[4..],
        [Changed, Looked, Differs, Updating, Updated, Same, DeletionReported, Deleted]
    );
    let line = &bench.known("119").await.story[6];
    assert_eq!(line.words, [RUN], "the run that has compared them");
}

#[tokio::test]
async fn a_record_that_is_taken_over_is_told_on_both_sides() {
    let bench = Bench::new().await;
    bench.ledger().create(&in_its_run()).await.unwrap();
    bench.webhook(8, EVENT).await;
    let now = bench.db.time();
    bench
        .change(async |t: &mut Transaction| {
            merged(t, 8, LEAD, Dedupe::Lead, now).await.unwrap();
        })
        .await;
    assert_eq!(bench.story("45721053").await[4..], [Merged]);
    let survivor = bench.known("8").await.story;
    assert_eq!((survivor[1].what, survivor[1].words.clone()), (TookOver, vec!["119".to_owned()]));
}

#[tokio::test]
async fn a_long_story_keeps_its_beginning_and_its_end() {
    let bench = Bench::new().await;
    bench.webhook(LEAD, EVENT).await;
    for _ in 0..1000 {
        bench.is_changed(false).await;
    }
    let query = "SELECT LENGTH(story) FROM deals";
    let rows: Vec<(i64,)> = bench.db.fetch(sqlx::query_as(query)).await.unwrap();
    assert!(rows[0].0 < 6100, "{rows:?}");
    bench.is_changed(true).await;
    let story = bench.story("45721053").await;
    assert_eq!((story[0], story.last()), (Webhook, Some(&DeletionReported)));
    assert_eq!(story.iter().filter(|what| **what == Gap).count(), 1);
    assert!(story.len() > 150, "{}", story.len());
}

#[tokio::test]
async fn a_deal_is_found_by_an_earlier_run_and_by_its_event() {
    let bench = Bench::new().await;
    bench.webhook(LEAD, EVENT).await;
    bench.erp.fail_next(1, ErpFailure::NoDatabase);
    bench.fails(&in_its_run()).await;
    bench.ledger().create(&in_run("01LATER", lead(LEAD))).await.unwrap();
    for asked in [RUN, EVENT, "01LATER", "119", "lead:45721053"] {
        assert_eq!(bench.known(asked).await.key, "lead:45721053", "{asked}");
    }
    // What is no id is not looked for in all stories.
    for asked in
        ["webhook", "% webhook %", "01JD0000000000000000000%", "01JD0000000000000NOT0THERE"]
    {
        assert!(find(&bench.db, asked).await.unwrap().is_empty(), "{asked}");
    }
}

#[tokio::test]
async fn records_are_counted_by_the_hour_in_which_they_were_noted() {
    let bench = Bench::new().await;
    assert_eq!(last_record(&bench.db).await.unwrap(), None);
    let (ledger, begin) = (bench.ledger(), bench.db.time());
    for lead_id in [1, 2, 3] {
        ledger.create(&lead(lead_id)).await.unwrap();
        bench.clock.advance(Duration::from_secs(40 * 60));
    }
    let hour = begin.as_second() / 3600;
    let counted = recorded_by_hour(&bench.db, begin).await.unwrap();
    assert_eq!(counted, [(hour, 2), (hour + 1, 1)]);
    let last = last_record(&bench.db).await.unwrap().unwrap();
    assert_eq!(last, begin + Duration::from_secs(80 * 60));
    assert_eq!(recorded_by_hour(&bench.db, last).await.unwrap().len(), 1, "nothing older");
}
