//! Webhooks: what is stored, what is answered, what is refused.

use std::convert::Infallible;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use functions::webhook::LeadFilter;
use http::Request;
use http::header::CONTENT_TYPE;
use sandbox::bodies;
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use super::{DEADLINE, clock};
use crate::db::Db;
use crate::deals::Rules;
use crate::inbox::read::BODY_LIMIT;
use crate::inbox::{Inbox, Intake, table};
use crate::metrics::Metrics;

/// A service that takes webhooks in.
pub(super) struct Service {
    pub(super) intake: Intake,
    pub(super) inbox: Inbox,
    metrics: Metrics,
    folder: TempDir,
}

/// What amoCRM is answered: the status, and the body.
pub(super) type Answer = (u16, Value);

pub(super) fn accepted(leads: usize) -> Answer {
    (200, json!({ "accepted": leads }))
}

impl Service {
    pub(super) async fn start() -> Self {
        Self::with(&[], LeadFilter::default()).await
    }

    /// With secrets, and a choice of leads.
    pub(super) async fn with(secrets: &[&str], filter: LeadFilter) -> Self {
        let (folder, metrics) = (tempfile::tempdir().unwrap(), Metrics::new());
        let url = format!("sqlite://{}/flow.db", folder.path().display());
        let inbox = Inbox::new(Db::open(&url, clock()).await.unwrap(), Rules::default());
        let secrets = secrets.iter().map(|secret| SecretString::from(*secret)).collect();
        let intake = Intake::new(inbox.clone(), secrets, filter, metrics.clone());
        Self { intake, inbox, metrics, folder }
    }

    pub(super) async fn receives(&self, body: impl AsRef<[u8]>) -> Answer {
        self.receives_at("/api/amocrm-webhook", body).await
    }

    async fn receives_at(&self, uri: &str, body: impl AsRef<[u8]>) -> Answer {
        let request = Request::post(uri).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.answers(request.body(Body::from(body.as_ref().to_vec())).unwrap()).await
    }

    pub(super) async fn answers(&self, request: Request<Body>) -> Answer {
        let answer = self.intake.receive(request).await;
        let (status, body) = (answer.status().as_u16(), answer.into_body());
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// The data of the events that wait for Inngest.
    pub(super) async fn waiting(&self) -> Vec<Value> {
        let db = &self.inbox.db;
        let rows = table::claim(db, 10_000).await.unwrap();
        table::forget_claims(db).await.unwrap();
        rows.iter().map(|row| serde_json::from_str(&row.payload).unwrap()).collect()
    }

    pub(super) async fn waiting_leads(&self) -> Vec<u64> {
        self.waiting().await.iter().map(|data| data["leadId"].as_u64().unwrap()).collect()
    }

    pub(super) async fn unparsable(&self) -> i64 {
        self.inbox.counts().await.unwrap().unparsable
    }

    fn counted(&self, line: &str) -> bool {
        let name = format!("prometei_flow_webhooks_received_total{{outcome=\"{line}\"}} 1\n");
        self.metrics.render().contains(&name)
    }
}

#[tokio::test]
async fn the_webhook_of_the_original_becomes_one_event() {
    let service = Service::start().await;
    assert_eq!(service.receives(bodies::ORIGINAL).await, accepted(1));
    assert_eq!(
        service.waiting().await,
        [json!({
            "leadId": 45_721_053, "accountId": 32_452_514, "subdomain": "oooprometei",
            "pipelineId": 9_679_730, "statusId": 77_186_758,
            "oldPipelineId": 9_679_730, "oldStatusId": 77_186_754,
            "action": "status", "receivedAt": "2026-11-22T10:00:00.125Z"
        })]
    );
    assert!(service.counted("accepted"));
}

#[tokio::test]
async fn every_form_that_amocrm_sends_is_understood() {
    for (body, leads) in [
        (bodies::CREATED, vec![30_052_055]),
        (bodies::STATUS_OLD_STYLE, vec![31_926_520]),
        (bodies::PIPELINE_STATUS, vec![10_754_147]),
        (bodies::PIPELINE_CREATED, vec![20_881_394]),
        (bodies::SEVERAL, vec![1, 2, 3]),
        (bodies::UNSORTED, vec![2_132_111]),
    ] {
        let service = Service::start().await;
        assert_eq!(service.receives(body).await, accepted(leads.len()), "{body}");
        assert_eq!(service.waiting_leads().await, leads, "{body}");
    }
}

#[tokio::test]
async fn what_does_not_concern_us_is_answered_200_and_not_kept() {
    let service = Service::start().await;
    for body in [bodies::UPDATED, bodies::DELETED, bodies::CYRILLIC_UPDATE] {
        assert_eq!(service.receives(body).await, accepted(0), "{body}");
    }
    assert_eq!((service.waiting().await, service.unparsable().await), (vec![], 0));
}

#[tokio::test]
async fn other_accounts_and_other_stages_are_ignored() {
    let filter = LeadFilter {
        account_id: Some(32_452_514),
        trigger_statuses: Some(vec![(9_679_730, 77_186_758)]),
    };
    let service = Service::with(&[], filter).await;
    for body in [bodies::PIPELINE_STATUS, "leads[status][0][id]=x&account[id]=1"] {
        assert_eq!(service.receives(body).await, accepted(0));
    }
    let elsewhere = bodies::ORIGINAL.replace("77186758", "142");
    assert_eq!(service.receives(elsewhere).await, accepted(0));
    assert_eq!(service.receives(bodies::ORIGINAL).await, accepted(1));
    assert_eq!((service.waiting_leads().await, service.unparsable().await), (vec![45_721_053], 0));
}

#[tokio::test]
async fn a_lead_whose_stage_is_not_named_is_stored_to_be_looked_at() {
    let trigger_statuses = Some(vec![(9_679_730, 77_186_758)]);
    let service = Service::with(&[], LeadFilter { account_id: None, trigger_statuses }).await;
    for body in [
        "leads[restore][0][id]=1&account[id]=7",
        "leads[status][0][id]=1&leads[status][0][status_id]=77186758",
        "leads[status][0][id]=1&leads[status][0][status_id]=&leads[status][0][pipeline_id]=9679730",
        bodies::UNSORTED,
    ] {
        assert_eq!(service.receives(body).await, accepted(1), "{body}");
    }
    assert_eq!(service.waiting_leads().await, [1, 1, 1, 2_132_111]);
}

#[tokio::test]
async fn a_webhook_must_carry_one_of_the_secrets() {
    let service = Service::with(&["first secret", "second secret"], LeadFilter::default()).await;
    for wrong in [
        "",
        "?secret",
        "?secret=",
        "?secret=first",
        "?secret=First+secret",
        "?secret=first+secret,second+secret",
        "?secret=first+secret+",
        "?other=first+secret",
    ] {
        let uri = format!("/api/amocrm-webhook{wrong}");
        let (status, _) = service.receives_at(&uri, bodies::ORIGINAL).await;
        assert_eq!(status, 401, "{wrong}");
    }
    assert_eq!((service.waiting().await, service.unparsable().await), (vec![], 0));
    for right in ["first+secret", "second%20secret"] {
        let uri = format!("/api/amocrm-webhook?secret={right}");
        assert_eq!(service.receives_at(&uri, bodies::ORIGINAL).await, accepted(1));
    }
}

#[tokio::test]
async fn where_no_secret_is_set_every_webhook_is_taken() {
    let service = Service::start().await;
    let uri = "/api/amocrm-webhook?secret=anything";
    assert_eq!(service.receives_at(uri, bodies::ORIGINAL).await, accepted(1));
}

#[tokio::test]
async fn garbage_is_kept_and_answered_200() {
    for body in [b"hello".as_slice(), b"\xff\xfe\x00=%zz", b"leads[status=1"] {
        let service = Service::start().await;
        let (status, _) = service.receives(body).await;
        assert_eq!((status, service.unparsable().await), (200, 1), "{body:?}");
        assert!(service.counted("unparsable"));
    }
}

#[tokio::test]
async fn an_empty_body_is_answered_200_and_counted() {
    let service = Service::start().await;
    assert_eq!(service.receives("").await.0, 200);
    assert_eq!(service.unparsable().await, 0);
    assert!(service.counted("empty"));
}

#[tokio::test]
async fn one_bad_entry_drops_no_other_and_the_body_says_what_was_wrong() {
    let service = Service::start().await;
    let body = "leads[status][0][id]=abc&leads[status][1][id]=7&leads[status][2][name]=no+id";
    assert_eq!(service.receives(body).await, accepted(1));
    assert_eq!((service.waiting_leads().await, service.unparsable().await), (vec![7], 1));
    // Nothing usable at all: still kept, for a person to look at.
    assert_eq!(service.receives("leads[status][0][id]=abc").await.0, 200);
    assert_eq!(service.unparsable().await, 2);
}

#[tokio::test]
async fn text_that_is_no_utf_8_does_not_matter() {
    let service = Service::start().await;
    let mut body = b"leads[add][0][name]=\xff%FF&leads[add][0][id]=5&%ff[%fe]=1".to_vec();
    body.extend(b"&account%5Bsubdomain%5D=%E2%28");
    assert_eq!(service.receives(&body).await, accepted(1));
}

#[tokio::test]
async fn a_large_body_is_taken_up_to_the_limit_and_refused_above() {
    let service = Service::start().await;
    let mut body = String::from("leads[add][0][id]=5&leads[add][0][name]=");
    body.push_str(&"x".repeat(BODY_LIMIT - body.len()));
    assert_eq!(service.receives(&body).await.0, 200);
    body.push('x');
    assert_eq!(service.receives(&body).await.0, 413);
}

#[tokio::test]
async fn two_long_texts_in_cyrillic_are_taken() {
    let service = Service::start().await;
    let text = |n| format!("&leads[status][0][custom_fields][{n}][values][0][value]=");
    let texts = [0, 1].map(|n| text(n) + &"%D0%AF".repeat(22_000)).concat();
    let body = bodies::ORIGINAL.to_owned() + &texts;
    assert!(body.len() > 256 * 1024, "six bytes a letter");
    assert_eq!(service.receives(body).await, accepted(1));
}

/// A webhook that names so many leads, each with so many fields.
fn mass_action(leads: u64, fields: usize) -> String {
    let lead = |n: u64| {
        let field = |m| format!("leads%5Badd%5D%5B{n}%5D%5Bcustom_fields%5D%5B{m}%5D%5Bid%5D=1&");
        let fields: String = (0..fields).map(field).collect();
        format!("leads%5Badd%5D%5B{n}%5D%5Bid%5D={}&{fields}", n + 1)
    };
    (0..leads).map(lead).collect()
}

#[tokio::test]
async fn a_mass_action_in_one_body_is_taken_whole() {
    let service = Service::start().await;
    let body = mass_action(250, 200);
    assert!(body.len() > BODY_LIMIT / 2, "{}", body.len());
    assert_eq!(service.receives(&body).await, accepted(250));
    assert_eq!(service.waiting_leads().await, (1..=250).collect::<Vec<_>>());
    assert_eq!(service.unparsable().await, 0);
}

#[tokio::test]
async fn of_more_leads_than_can_be_stored_in_time_the_first_are_and_the_body_is_kept() {
    let service = Service::start().await;
    assert_eq!(service.receives(mass_action(2001, 0)).await, accepted(2000));
    let [kept] = service.inbox.unreadable(9).await.unwrap().try_into().unwrap();
    assert_eq!(kept.problem, "it names over 2000 leads; the rest was not read");
    assert_eq!(service.waiting_leads().await, (1..=2000).collect::<Vec<_>>());
}

#[tokio::test]
async fn hostile_bodies_are_answered_200() {
    let service = Service::start().await;
    let deep = format!("leads{}=1", "[a]".repeat(1_300_000));
    assert_eq!(service.receives(deep).await, accepted(0));
    let unclosed = format!("leads{}=1", "[".repeat(4_000_000));
    assert_eq!(service.receives(unclosed).await.0, 200);
    let many = "a[b]&".repeat(800_000) + "leads[add][0][id]=5";
    assert_eq!(service.receives(many).await, accepted(1));
    assert_eq!((service.waiting_leads().await, service.unparsable().await), (vec![5], 1));
}

#[tokio::test]
async fn the_forwarder_is_woken() {
    let service = Service::start().await;
    service.receives(bodies::ORIGINAL).await;
    tokio::time::timeout(DEADLINE, service.inbox.wake.notified()).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_stored_is_answered_503_so_that_amocrm_repeats_it() {
    let service = Service::start().await;
    service.inbox.db.close().await;
    let refused = (503, json!({ "error": "not stored, send it again" }));
    assert_eq!(service.receives(bodies::ORIGINAL).await, refused);
    assert!(service.counted("not_stored"));
}

#[tokio::test]
async fn a_database_that_does_not_answer_is_not_waited_for() {
    let service = Service::start().await;
    // The one connection that writes is taken, and so many stand in line before this webhook that each transaction's own
    // limit would let it wait for longer than the test does.
    let _transaction = service.inbox.db.begin().await.unwrap();
    let stored = || Box::pin(service.inbox.store(b"body", &[], None));
    let mut line: Vec<_> = std::iter::repeat_with(stored).take(2000).collect();
    poll_fn(|task| {
        line.iter_mut().for_each(|stored| drop(stored.as_mut().poll(task)));
        Poll::Ready(())
    })
    .await;
    let answer = service.receives(bodies::ORIGINAL);
    let answer = tokio::time::timeout(Duration::from_secs(15), answer).await.unwrap();
    assert_eq!(answer.0, 503);
}

#[tokio::test]
async fn what_was_answered_200_is_there_after_a_restart() {
    let service = Service::start().await;
    assert_eq!(service.receives(bodies::SEVERAL).await, accepted(3));
    // No orderly close: the second process finds the files as the first one left them.
    let url = format!("sqlite://{}/flow.db", service.folder.path().display());
    let reopened = Inbox::new(Db::open(&url, clock()).await.unwrap(), Rules::default());
    assert_eq!(reopened.counts().await.unwrap().waiting, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_webhooks_at_once_are_all_stored() {
    let service = Arc::new(Service::start().await);
    let mut answers = JoinSet::new();
    for _ in 0..64 {
        let service = service.clone();
        answers.spawn(async move { service.receives(bodies::ORIGINAL).await });
    }
    assert_eq!(answers.join_all().await, vec![accepted(1); 64]);
    assert_eq!(service.waiting().await.len(), 64);
}

#[tokio::test]
async fn a_webhook_without_the_secret_is_refused_before_its_body_has_come() {
    let service = Service::with(&["right"], LeadFilter::default()).await;
    let never = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, Infallible>>());
    let request = Request::post("/api/amocrm-webhook?secret=wrong").body(never).unwrap();
    let answer = tokio::time::timeout(DEADLINE, service.answers(request)).await.unwrap();
    assert_eq!(answer.0, 401);
}
