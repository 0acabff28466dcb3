//! Whether the forwarder goes round is shown.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::Request;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{Service, eventually};
use crate::admin::{Admin, admin_router};
use crate::amocrm::AmoCrmPort;
use crate::heartbeat::Heartbeats;
use crate::reconcile::Progress;
use crate::registration::Gate;

#[tokio::test]
async fn a_forwarder_that_the_database_holds_up_makes_the_service_not_ready_until_it_goes_round() {
    let service = Service::new().await;
    let heartbeats = Heartbeats::new(service.clock.clone());
    let (inbox, db) = (service.inbox.clone(), service.inbox.db.clone());
    let (metrics, progress, gate) = (service.metrics.clone(), Progress::new(None), Gate::open());
    let beats = heartbeats.clone();
    let amocrm = AmoCrmPort::Missing(Default::default());
    let admin = Admin { db: db.clone(), inbox, amocrm, heartbeats: beats, progress, gate, metrics };
    let admin = admin_router(admin);
    let ready = async || {
        let request = Request::get("/readyz").body(Body::empty()).unwrap();
        let answer = admin.clone().oneshot(request).await.unwrap();
        let (status, body) = (answer.status().as_u16(), answer.into_body());
        let body = to_bytes(body, usize::MAX).await.unwrap();
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    // On SQLite that alone holds up every other change.
    let mut held = db.begin().await.unwrap();
    if db.is_shared() {
        held.execute(sqlx::query("LOCK TABLE inbox")).await.unwrap();
    }
    let heartbeat = heartbeats.of("forwarder");
    tokio::spawn(service.forwarder().run(heartbeat, service.stop.clone()));
    service.clock.advance(Duration::from_secs(200));
    let (status, body) = ready().await;
    let reason = body["reason"].as_str().unwrap();
    assert!(reason.contains("the loop \"forwarder\" has not gone round for 200 s"), "{reason}");
    assert_eq!((status, &body["loops"]), (503, &json!({ "forwarder": 200 })));

    drop(held);
    eventually("the forwarder goes round", async || (ready().await.0 == 200).then_some(())).await;
    assert_eq!(
        ready().await.1,
        json!({ "status": "ready", "loops": { "forwarder": 0 }, "inngest": "knows the functions" })
    );
}
