//! What Inngest answers to an event, or what stands before it, and what becomes of the lead.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use serde_json::json;
use tokio::task::{JoinSet, LocalSet};

use super::inngest::{EVENT_KEY, PAGE, answer, official};
use super::{Service, eventually};
use crate::deals::Which;
use crate::inbox::pace::Batch;

/// Whatever the status, the lead waits, says why, and is sent again.
async fn waits(status: u16, body: String) {
    let service = Service::running().await;
    let page = body.clone();
    service.inngest.answers(move |_| answer(status, page.clone()));
    service.stores([1]).await;
    eventually("it is tried again and again", async || {
        (service.inngest.requests().len() > 8).then_some(())
    })
    .await;
    assert_eq!(service.refused().await, [], "HTTP {status} {body}");
    let held = eventually("it says why", async || service.inbox.held(9).await.unwrap().pop()).await;
    let says = format!("HTTP {status}");
    assert!(held.deal_key == "lead:1" && held.attempts > 0, "{held:?}");
    assert!(held.reason.contains(&says) && !held.reason.contains(EVENT_KEY), "{held:?}");
    service.inngest.answers(|leads| official(leads, None));
    service.until_accepted(&[1]).await;
}

#[tokio::test]
async fn what_is_not_inngests_refusal_of_the_event_keeps_the_lead_waiting() {
    let json = |status: u16, error: &str| {
        json!({"status": status, "message": "", "error": error}).to_string()
    };
    let cases = [
        (301, String::new()),
        (308, PAGE.to_owned()),
        (400, PAGE.to_owned()),
        (400, json(400, "No INNGEST_ENV branch name found")),
        (401, json(401, "Event key not found")),
        (401, PAGE.to_owned()),
        (403, PAGE.to_owned()),
        (404, json(404, "Event key not found")),
        (404, PAGE.to_owned()),
        (404, r#"{"statusCode":404,"message":"Not Found"}"#.to_owned()),
        (405, "Method Not Allowed".to_owned()),
        (407, String::new()),
        (409, String::new()),
        (410, PAGE.to_owned()),
        (413, PAGE.to_owned()),
        (421, "Misdirected Request".to_owned()),
        (422, r#"{"error":"unprocessable"}"#.to_owned()),
        (451, PAGE.to_owned()),
    ];
    let (local, mut tasks) = (LocalSet::new(), JoinSet::new());
    for (status, body) in cases {
        tasks.spawn_local_on(waits(status, body), &local);
    }
    local.run_until(tasks.join_all()).await;
}

#[tokio::test]
async fn a_refused_event_does_not_count_as_sent() {
    for (leads, bad, others) in
        [(vec![1], 1, vec![]), (vec![1, 2, 3], 1, vec![2, 3]), (vec![1, 2, 3], 2, vec![1, 3])]
    {
        let service = Service::running().await;
        service.inngest.answers(move |leads| official(leads, Some(bad)));
        service.stores(leads).await;
        let refused = eventually("it is given up", async || service.refused().await.pop()).await;
        assert_eq!(
            (refused.0, refused.1.contains("event name is empty")),
            (bad as i64, true),
            "{refused:?}"
        );
        service.until_accepted(&others).await;
    }
}

#[tokio::test]
async fn an_answer_with_empty_ids_is_no_acceptance() {
    let service = Service::running().await;
    service.inngest.answers(|_| answer(200, r#"{"ids":[""],"status":200}"#));
    service.stores([1]).await;
    eventually("it was tried", async || (!service.inngest.requests().is_empty()).then_some(()))
        .await;
    service.inngest.answers(|leads| official(leads, None));
    service.until_accepted(&[1]).await;
}

#[tokio::test]
async fn a_refusal_that_passes_gives_nothing_up() {
    // Answered to a request that arrives cut short, and by a server that is stopping.
    let service = Service::running().await;
    let mut cut_short = Some(r#"{"ids":[""],"status":400,"error":"unexpected EOF"}"#);
    service.inngest.answers(move |leads| match cut_short.take() {
        Some(refusal) => answer(400, refusal),
        None => official(leads, None),
    });
    service.stores([1]).await;
    service.until_accepted(&[1]).await;
    assert_eq!(service.refused().await, []);
}

#[tokio::test]
async fn a_lead_that_is_not_accepted_delays_no_other() {
    for page in [true, false] {
        let service = Service::running().await;
        service.inngest.answers(move |leads| match (leads.contains(&1), page) {
            (true, true) => answer(413, PAGE),
            (true, false) => official(leads, Some(1)),
            (false, _) => official(leads, None),
        });
        service.stores(1..=150).await;
        service.until_accepted(&(2..=150).collect::<Vec<_>>()).await;
        service.stores([200]).await;
        eventually("a later one too", async || {
            service.inngest.leads().contains(&200).then_some(())
        })
        .await;
        service.inngest.answers(|leads| official(leads, None));
        service.retries(&Which::All).await;
        eventually("and then itself", async || service.inngest.leads().contains(&1).then_some(()))
            .await;
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_for_a_proxy_is_split_until_it_passes() {
    let service = Service::running().await;
    service.inngest.answers(|leads| match leads.len() {
        0..=20 => official(leads, None),
        _ => answer(413, PAGE),
    });
    service.stores(1..=100).await;
    service.until_accepted(&(1..=100).collect::<Vec<_>>()).await;
    let sizes: Vec<_> = service.inngest.ids().iter().map(Vec::len).collect();
    assert_eq!(sizes, [100, 50, 25, 12, 13, 25, 12, 13, 50, 25, 12, 13, 25, 12, 13]);
    assert!(service.refused().await.is_empty() && service.inbox.held(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_wait_that_inngest_asks_for_reaches_the_forwarder() {
    let service = Service::new().await;
    service.stores([1]).await;
    service.inngest.answers(|_| {
        let slow_down = Response::builder().status(429).header("retry-after", "120");
        slow_down.body(Bytes::new()).unwrap()
    });
    let forwarder = service.forwarder();
    let batch = forwarder.forward_batch(&mut Default::default(), &service.stop).await.unwrap();
    assert!(
        matches!(batch, Batch::Away(Some(wait)) if wait == Duration::from_secs(120)),
        "{batch:?}"
    );
}
