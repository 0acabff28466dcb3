//! The database's file is moved, removed or replaced under the service.

use std::fs;
use std::path::Path;

use functions::ports::Erp as _;

use super::{Service, lead};

/// Nothing can be stored, nothing is sent to the ERP, and the health check says why.
async fn refuses(service: &Service) {
    let (status, says) = service.ready().await;
    assert_eq!((status, service.webhook().await), (503, 503));
    let reason = says["reason"].as_str().unwrap();
    assert!(reason.contains("was moved, removed or replaced"), "{reason}");
    service.ledger.create(&lead(1)).await.unwrap_err();
    assert_eq!(service.erp.requests().len(), 0);
}

async fn start_in(folder: &Path) -> Service {
    let service = Service::start(&format!("sqlite://{}/flow.db", folder.display())).await;
    assert_eq!((service.webhook().await, service.ready().await.0), (200, 200));
    service
}

#[tokio::test]
async fn nothing_is_stored_in_a_file_that_was_moved_until_it_is_back() {
    let folder = tempfile::tempdir().unwrap();
    let service = start_in(folder.path()).await;
    let (here, elsewhere) = (folder.path().join("flow.db"), folder.path().join("elsewhere"));
    fs::rename(&here, &elsewhere).unwrap();
    refuses(&service).await;
    fs::rename(&elsewhere, &here).unwrap();
    assert_eq!((service.webhook().await, service.ready().await.0), (200, 200));
    assert_eq!(service.inbox.counts().await.unwrap().waiting, 2);
}

#[tokio::test]
async fn nothing_is_stored_in_a_file_that_was_removed_or_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let service = start_in(folder.path()).await;
    for file in ["flow.db", "flow.db-wal", "flow.db-shm"] {
        fs::remove_file(folder.path().join(file)).unwrap();
    }
    refuses(&service).await;
    fs::write(folder.path().join("flow.db"), "").unwrap();
    refuses(&service).await;
}
