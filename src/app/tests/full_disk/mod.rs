//! A full disk, a database file that was removed, and what happens once each is well again.

mod disk;
mod removed;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::admin::{Admin, admin_router};
use crate::amocrm::AmoCrmPort;
use crate::clock::ManualClock;
use crate::db::Db;
use crate::deals::{Ledger, Rules};
use crate::erp::ErpClient;
use crate::erp::tests::settings_for;
use crate::heartbeat::Heartbeats;
use crate::inbox::{Inbox, Intake};
use crate::metrics::Metrics;
use crate::outbound::Outbound;
use crate::reconcile::Progress;
use crate::registration::Gate;
use axum::Router;
use axum::body::{Body, to_bytes};
use functions::ports::{Deal, DealKey, Erp as _};
use http::Request;
use sandbox::{FakeErp, FakeErpSettings, bodies};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::db::testing::Database;
use disk::SmallDisk;

/// The parts of a service that store something, and an ERP that takes any number of records of a lead.
struct Service {
    intake: Intake,
    inbox: Inbox,
    admin: Router,
    ledger: Ledger,
    erp: FakeErp,
    _stop: DropGuard,
}

impl Service {
    async fn start(database: &str) -> Self {
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let erp = FakeErp::start(listener, stop.clone(), FakeErpSettings::default()).unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()));
        let store = Db::open_for_service(database, clock.clone()).await.unwrap();
        let client =
            ErpClient::new(settings_for(erp.url().clone()), Outbound::new(), clock.clone());
        let ledger = Ledger::new(store.clone(), Some(client), Rules::default(), clock.clone());
        let metrics = Metrics::new();
        let inbox = Inbox::new(store.clone(), Rules::default());
        let admin = admin_router(Admin {
            db: store,
            inbox: inbox.clone(),
            amocrm: AmoCrmPort::Missing(Default::default()),
            heartbeats: Heartbeats::new(clock),
            progress: Progress::new(None),
            gate: Gate::open(),
            metrics: metrics.clone(),
        });
        let intake = Intake::new(inbox.clone(), Vec::new(), Default::default(), metrics);
        Self { intake, inbox, admin, ledger, erp, _stop: stop.drop_guard() }
    }

    /// The status that amoCRM gets.
    async fn webhook(&self) -> u16 {
        let request = Request::post("/api/amocrm-webhook").body(bodies::ORIGINAL.into()).unwrap();
        self.intake.receive(request).await.status().as_u16()
    }

    /// The status of the health check, and what it says.
    async fn ready(&self) -> (u16, Value) {
        let request = Request::builder().uri("/readyz").body(Body::empty()).unwrap();
        let response = tower::ServiceExt::oneshot(self.admin.clone(), request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }
}

fn lead(lead_id: u64) -> Deal {
    Deal {
        key: DealKey::Lead { account_id: None, lead_id, delivery_id: "01EVENT".to_owned() },
        run_id: "01RUN1".to_owned(),
        name: "Поставка окон".to_owned(),
        amount: None,
        entity_id: None,
        fields: BTreeMap::new(),
        reports: 0,
    }
}

/// The same deal is sent now, and a second run of it finds its record.
async fn one_record(service: &Service) {
    for duplicate in [false, true] {
        let created = service.ledger.create(&lead(1)).await.unwrap();
        assert_eq!((created.duplicate, service.erp.rows().len()), (duplicate, 1));
    }
}

#[tokio::test]
async fn a_deal_whose_claim_cannot_be_committed_is_not_sent() {
    let database = Database::new().await;
    let service = Service::start(database.url()).await;
    database.refuse_commits().await;
    service.ledger.create(&lead(1)).await.unwrap_err();
    assert_eq!(service.erp.requests().len(), 0);
    database.accept_commits().await;
    one_record(&service).await;
}

#[tokio::test]
#[ignore = "mounts a tmpfs: needs root"]
async fn a_deal_whose_claim_is_not_on_the_disk_is_not_sent() {
    let disk = SmallDisk::mount();
    let service = Service::start(&disk.database()).await;
    disk.fill();
    let error = service.ledger.create(&lead(1)).await.unwrap_err().to_string();
    assert!(error.contains("lead 1"), "{error}");
    assert_eq!(service.erp.requests().len(), 0);

    disk.free();
    one_record(&service).await;
}

#[tokio::test]
#[ignore = "mounts a tmpfs: needs root"]
async fn webhooks_are_refused_while_the_disk_is_full_and_taken_as_soon_as_it_is_not() {
    let disk = SmallDisk::mount();
    let service = Service::start(&disk.database()).await;
    // Another connection reads, as `/metrics` does. Otherwise SQLite puts its log away with the connection that failed, and
    // finds room for a few more webhooks there.
    assert_eq!(service.inbox.counts().await.unwrap().waiting, 0);
    for _ in 0..3 {
        assert_eq!((service.webhook().await, service.ready().await.0), (200, 200));
        disk.fill();
        for _ in 0..3 {
            assert_eq!(service.webhook().await, 503);
            let (status, says) = service.ready().await;
            assert_eq!((status, &says["status"]), (503, &Value::from("not ready")), "{says}");
        }
        disk.free();
        assert_eq!((service.webhook().await, service.ready().await.0), (200, 200));
    }
    let stored = service.inbox.counts().await.unwrap().waiting;
    assert_eq!(stored, 6, "each that was answered 200, once");
}

#[tokio::test]
#[ignore = "mounts a tmpfs: needs root"]
async fn the_health_check_finds_a_full_disk_before_a_webhook_does() {
    let disk = SmallDisk::mount();
    let service = Service::start(&disk.database()).await;
    disk.fill();
    assert_eq!(service.ready().await.0, 503);
    disk.free();
    assert_eq!(service.ready().await.0, 200);
    assert_eq!(service.webhook().await, 200);
}
