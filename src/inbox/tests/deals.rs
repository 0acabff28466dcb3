//! Each event stands for a deal, and the deal says where it is.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use functions::ports::{DealKey, Erp as _, WaitsFor};
use functions::webhook::AmoCrmWebhook;

use super::{Service, moved};
use crate::deals::{Dedupe, Ledger, Obstacle, Progress, Rules, UnfinishedDeal, unfinished};
use crate::inbox::Inbox;

const MINUTE: Duration = Duration::from_secs(60);

impl Service {
    async fn deals(&self) -> Vec<UnfinishedDeal> {
        unfinished(&self.inbox.db, 9).await.unwrap()
    }

    /// The events that are queued, with their data.
    async fn queued(&self) -> Vec<(String, String)> {
        let query = sqlx::query_as("SELECT id, payload FROM inbox ORDER BY id");
        self.inbox.db.fetch(query).await.unwrap()
    }

    async fn accepts_all(&self) {
        let ids: Vec<_> = self.queued().await.into_iter().map(|(id, _)| id).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        self.inbox.accepted(&ids).await.unwrap();
    }
}

#[tokio::test]
async fn a_deal_begins_with_the_webhook_and_waits_for_inngest() {
    let service = Service::new().await;
    let event = service.stores([7]).await.remove(0);
    let deal = service.deals().await.remove(0);
    assert_eq!(
        (deal.key.as_str(), deal.lead_id, deal.progress),
        ("lead:7", Some(7), Progress::Waiting)
    );
    assert_eq!((deal.event_id, deal.due_at), (Some(event), None), "it is not sent twice");
    service.accepts_all().await;
    let deal = service.deals().await.remove(0);
    assert_eq!(deal.progress, Progress::Forwarded);
    assert_eq!(deal.due_at.unwrap(), crate::clock::Clock::now(&*service.clock) + 15 * MINUTE);
}

#[tokio::test]
async fn silence_is_answered_with_another_event_after_ever_longer_waits() {
    let service = Service::new().await;
    service.stores([7]).await;
    let mut ids = vec![service.queued().await.remove(0).0];
    for minutes in [15, 30, 60, 120, 360, 360, 360] {
        service.accepts_all().await;
        service.clock.advance(minutes * MINUTE - Duration::from_millis(1));
        assert_eq!(service.inbox.resend(&[]).await.unwrap(), 0, "{minutes}");
        service.clock.advance(Duration::from_millis(1));
        assert_eq!(service.inbox.resend(&[]).await.unwrap(), 1, "{minutes}");
        assert_eq!(service.inbox.resend(&[]).await.unwrap(), 0, "it is queued already");
        let (id, payload) = service.queued().await.remove(0);
        assert!(!ids.contains(&id), "Inngest would take it for the event that it has");
        assert!(payload.contains(r#""leadId":7"#), "{payload}");
        ids.push(id);
    }
    // Reported anew, it begins anew.
    service.stores([7]).await;
    service.accepts_all().await;
    service.clock.advance(15 * MINUTE);
    assert_eq!(service.inbox.resend(&[]).await.unwrap(), 1);
}

#[tokio::test]
async fn an_older_event_that_is_accepted_says_nothing_of_the_newer_one() {
    let service = Service::new().await;
    let older = service.stores([7]).await.remove(0);
    service.stores([7]).await;
    service.inbox.accepted(&[older.as_str()]).await.unwrap();
    assert_eq!(service.deals().await[0].progress, Progress::Waiting);
}

#[tokio::test]
async fn a_report_without_a_stage_does_not_end_the_deal_of_one_with_a_stage() {
    let service = Service::new().await;
    let ledger =
        Ledger::new(service.inbox.db.clone(), None, Rules::default(), service.clock.clone());
    let key = DealKey::Lead { account_id: None, lead_id: 7, delivery_id: "01EVENT".to_owned() };
    let with_stage = AmoCrmWebhook { pipeline_id: Some(1), status_id: Some(2), ..moved(7) };
    for (leads, unfinished) in [(vec![moved(7)], 0), (vec![with_stage, moved(7)], 1)] {
        for lead in leads {
            service.inbox.store(b"body", &[lead], None).await.unwrap();
        }
        ledger.not_needed(&key, "the lead is in another stage").await.unwrap();
        assert_eq!(service.deals().await.len(), unfinished);
    }
    let waiting = service.queued().await.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    for id in &waiting {
        service.inbox.accepted(&[id.as_str()]).await.unwrap();
    }
    service.clock.advance(15 * MINUTE);
    service.inbox.resend(&[]).await.unwrap();
    let (_, payload) = service.queued().await.remove(0);
    assert!(payload.contains(r#""statusId":2"#), "{payload}");
}

#[tokio::test]
async fn an_event_that_inngest_refuses_leaves_a_deal_that_needs_a_person() {
    let service = Service::new().await;
    let event = service.stores([7]).await.remove(0);
    service.inbox.refused(&event, "Inngest refuses the event").await.unwrap();
    let deal = service.deals().await.remove(0);
    assert_eq!((deal.progress, deal.waits_for), (Progress::Failed, Some(WaitsFor::Person)));
    assert!(service.queued().await.is_empty());
    service.clock.advance(48 * 60 * MINUTE);
    let all = [WaitsFor::Erp, WaitsFor::AmoCrm, WaitsFor::Consent];
    let all = all.map(|waits_for| (waits_for, Obstacle::JustGone));
    assert_eq!(service.inbox.resend(&all).await.unwrap(), 0);
}

#[tokio::test]
async fn with_one_record_per_event_each_is_a_deal_and_stays_the_same_one_when_it_is_sent_again() {
    let mut service = Service::new().await;
    let rules = Rules { dedupe: Dedupe::Event, ..Rules::default() };
    service.inbox = Inbox::new(service.inbox.db.clone(), rules);
    let leads = [moved(7)];
    let first = service.inbox.store(b"body", &leads, None).await.unwrap().remove(0);
    let second = service.inbox.store(b"body", &leads, None).await.unwrap().remove(0);
    let keys: Vec<_> = service.deals().await.into_iter().map(|deal| deal.key).collect();
    assert_eq!(keys, [format!("lead:7:event:{first}"), format!("lead:7:event:{second}")]);
    service.accepts_all().await;
    service.clock.advance(15 * MINUTE);
    assert_eq!(service.inbox.resend(&[]).await.unwrap(), 2);
    let again = service.queued().await;
    for (id, (again, payload)) in [first, second].iter().zip(again) {
        assert!(payload.contains(&format!(r#""deliveryId":"{id}""#)), "{payload}");
        assert_ne!(*id, again);
    }
}

#[tokio::test]
async fn with_one_record_per_event_a_webhook_that_was_stored_too_late_for_its_answer_is_known_again()
 {
    let mut service = Service::new().await;
    let rules = Rules { dedupe: Dedupe::Event, ..Rules::default() };
    service.inbox = Inbox::new(service.inbox.db.clone(), rules);
    let deals = async || unfinished(&service.inbox.db, 99).await.unwrap().len();
    let mut stored_late = 0;
    for (delivery, patience) in (0..28).map(|exponent| 1.5_f64.powi(exponent)).enumerate() {
        let (body, leads) = (format!("body {delivery}").into_bytes(), [moved(7)]);
        let given_up = {
            let mut storing = pin!(service.inbox.store(body.clone(), &leads, None));
            let mut stored = false;
            // At another moment of its transaction each time.
            for _ in 0..patience as usize {
                stored = poll_fn(|task| Poll::Ready(storing.as_mut().poll(task).is_ready())).await;
                if stored {
                    break;
                }
                tokio::task::yield_now().await;
            }
            !stored
        };
        if given_up {
            // What comes after it in the queue is stored after it.
            service.inbox.store_unparsable(b"x", "no webhook").await.unwrap();
            stored_late += deals().await - delivery;
            // amoCRM was answered 503, or nothing, and sends it again.
            service.inbox.store(body, &leads, None).await.unwrap();
        }
        assert_eq!(deals().await, delivery + 1, "one deal for each delivery, {patience}");
    }
    assert!(stored_late > 0, "no webhook was stored too late");
    // The same bytes again, after a 200, are another delivery.
    service.inbox.store(b"body 0", &[moved(7)], None).await.unwrap();
    assert_eq!(deals().await, 29);
}

#[tokio::test]
async fn an_event_of_an_earlier_version_is_given_a_deal() {
    let service = Service::new().await;
    let event = service.stores([7]).await.remove(0);
    let mut transaction = service.inbox.db.begin().await.unwrap();
    for change in ["UPDATE inbox SET deal_key = NULL", "DELETE FROM deals"] {
        transaction.execute(sqlx::query(change)).await.unwrap();
    }
    transaction.commit().await.unwrap();
    service.inbox.adopt().await.unwrap();
    let deal = service.deals().await.remove(0);
    assert_eq!((deal.key.as_str(), deal.event_id.as_deref()), ("lead:7", Some(event.as_str())));
    service.accepts_all().await;
    assert_eq!(service.deals().await[0].progress, Progress::Forwarded);
}
