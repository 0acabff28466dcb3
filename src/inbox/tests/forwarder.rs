//! What was stored goes to Inngest until Inngest has it, under the same id.

use super::inngest::{away, official};
use super::{DEADLINE, Service, eventually, heartbeat};
use crate::deals::{Rules, Which};
use crate::inbox::{Forwarder, Inbox, table};
use crate::registration::Gate;

#[tokio::test]
async fn what_inngest_accepted_is_forgotten() {
    let service = Service::new().await;
    let ids = service.stores([1, 2, 3]).await;
    service.forwards();
    service.until_nothing_waits().await;
    assert_eq!(service.inngest.ids(), [ids]);
    assert_eq!(service.inngest.leads(), [1, 2, 3]);
    assert!(service.metrics.render().contains("prometei_flow_events_sent_total 3"));
}

#[tokio::test]
async fn an_event_is_the_row_as_it_was_stored() {
    let service = Service::new().await;
    let id = service.stores([7]).await.remove(0);
    service.forwards();
    service.until_nothing_waits().await;
    let data = r#"{"leadId":7,"accountId":1,"action":"status"}"#;
    let event =
        format!(r#"[{{"name":"amocrm/webhook","data":{data},"id":"{id}","ts":1795341600125}}]"#);
    assert_eq!(service.inngest.requests(), [event]);
}

#[tokio::test]
async fn nothing_is_forgotten_before_inngest_has_it_and_a_resend_keeps_its_ids() {
    let service = Service::new().await;
    let ids = service.stores([1, 2]).await;
    let mut times = 0..3;
    service.inngest.answers(move |leads| match times.next() {
        Some(_) => away(),
        None => official(leads, None),
    });
    service.forwards();
    service.until_nothing_waits().await;
    assert_eq!(service.inngest.ids(), vec![ids; 4]);
    assert!(service.metrics.render().contains("prometei_flow_event_send_failures_total 3"));
}

#[tokio::test]
async fn while_inngest_is_down_a_row_says_how_often_it_was_tried_and_why_it_failed() {
    let service = Service::running().await;
    service.inngest.answers(|_| away());
    service.stores([1]).await;
    let row = eventually("it was tried again and again", async || {
        let row = service.inbox.held(1).await.unwrap().pop();
        row.filter(|row| row.attempts > 3)
    })
    .await;
    assert!(row.deal_key == "lead:1" && row.reason.contains("HTTP 404"), "{row:?}");
    service.inngest.answers(|leads| official(leads, None));
    service.until_nothing_waits().await;
}

#[tokio::test]
async fn an_event_that_inngest_refuses_is_given_up_and_blocks_no_other() {
    let service = Service::new().await;
    service.stores(1..=20).await;
    service.inngest.answers(|leads| official(leads, Some(7)));
    service.forwards();
    service.until_nothing_waits().await;

    let others: Vec<_> = (1..=20).filter(|lead| *lead != 7).collect();
    assert_eq!(service.inngest.leads(), others);
    let reason = "Inngest refuses the event (HTTP 400): event name is empty".to_owned();
    assert_eq!(service.refused().await, [(7, reason)]);

    // A person has mended what was wrong.
    service.inngest.answers(|leads| official(leads, None));
    service.retries(&Which::Lead(7)).await;
    service.until_nothing_waits().await;
    assert_eq!(service.inngest.leads(), (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_outage_in_the_middle_of_sorting_out_a_refusal_loses_nothing() {
    let service = Service::new().await;
    service.stores(1..=5).await;
    let mut requests = 0;
    service.inngest.answers(move |leads| {
        requests += 1;
        match requests {
            1 => official(leads, Some(1)),
            2 => away(),
            _ => official(leads, None),
        }
    });
    service.forwards();
    service.until_nothing_waits().await;
    assert_eq!(service.inngest.leads(), [1, 2, 3, 4, 5]);
    assert_eq!(service.refused().await, []);
}

#[tokio::test]
async fn batches_are_bounded_and_a_backlog_is_sent_without_pauses() {
    let service = Service::new().await;
    service.stores(1..=250).await;
    service.forwards();
    service.until_nothing_waits().await;
    let sizes: Vec<_> = service.inngest.ids().iter().map(Vec::len).collect();
    assert_eq!(sizes, [100, 100, 50]);
}

#[tokio::test]
async fn a_new_webhook_wakes_the_forwarder() {
    let service = Service::running().await;
    service.stores([1]).await;
    service.until_nothing_waits().await;
    service.stores([2]).await;
    service.until_nothing_waits().await;
}

#[tokio::test]
async fn it_stops_on_request_also_while_inngest_is_down() {
    for is_away in [false, true] {
        let service = Service::new().await;
        service.stores([1]).await;
        service.inngest.answers(move |leads| if is_away { away() } else { official(leads, None) });
        let forwarder = service.forwards();
        eventually("it was sent", async || (!service.inngest.ids().is_empty()).then_some(())).await;
        service.stop.cancel();
        tokio::time::timeout(DEADLINE, forwarder).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_row_survives_the_process_and_is_sent_by_the_next_one_under_the_same_id() {
    let mut service = Service::new().await;
    let ids = service.stores([1]).await;
    service.inbox =
        Inbox::new(service.database.open(service.clock.clone()).await, Rules::default());
    service.forwards();
    service.until_nothing_waits().await;
    assert_eq!(service.inngest.ids(), [ids]);
}

#[tokio::test]
async fn what_was_claimed_and_not_tried_is_due_at_once() {
    let service = Service::new().await;
    service.stores([1, 2]).await;
    let mut refusal = Some(1);
    service.inngest.answers(move |leads| match refusal.take() {
        Some(bad) => official(leads, Some(bad)),
        None => away(),
    });
    // The first one is refused and sent alone; then Inngest is away, and the second one was in no request of its own.
    let forwarder = service.forwarder();
    forwarder.forward_batch(&mut Default::default(), &service.stop).await.unwrap();
    assert_eq!(service.inngest.ids().len(), 2);
    assert_eq!(table::claim(&service.inbox.db, 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn nothing_is_sent_before_inngest_knows_the_functions() {
    let service = Service::new().await;
    let (gate, open) = Gate::shut();
    let forwarder = Forwarder { gate, ..service.forwarder() };
    tokio::spawn(forwarder.run(heartbeat(), service.stop.clone()));
    service.stores([1]).await;
    let held = eventually("it says why", async || service.inbox.held(9).await.unwrap().pop()).await;
    assert!(held.reason.contains("waits for the registration"), "{held:?}");
    assert!(service.inngest.requests().is_empty());
    open();
    service.until_accepted(&[1]).await;
}
