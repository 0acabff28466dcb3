//! Asking apps to register.

use std::time::Duration;

use inngest_dev_server::{DevServer, Observation};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::fake_sdk::{Answer, FakeSdk, Registration};
use crate::world::{DEADLINE, payload};

async fn server(sdk: &FakeSdk) -> DevServer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    DevServer::builder()
        .app(sdk.url.clone())
        .poll_interval(Some(Duration::from_millis(5)))
        .serve(listener, CancellationToken::new())
        .unwrap()
}

fn registration(server: &DevServer) -> Registration {
    Registration { server: server.url().clone(), token: None, payload: payload(&json!([])) }
}

#[tokio::test]
async fn an_app_is_asked_until_it_registers() {
    let sdk = FakeSdk::start(|_| Answer::done(json!(null))).await;
    let server = server(&sdk).await;
    let mut seen = server.subscribe();
    let error = server.sync_now().await.unwrap_err().to_string();
    assert!(error.ends_with("did not register: HTTP 500: not ready"), "{error}");
    sdk.registers(registration(&server));
    let synced = tokio::time::timeout(DEADLINE, seen.recv()).await.unwrap().unwrap();
    assert!(matches!(synced, Observation::AppSynced { app, .. } if app == "app"));
    let sync = sdk.syncs().remove(0);
    let wire = format!(r#"{{"url":"{}"}}"#, sdk.url).replace('&', r"\u0026");
    assert_eq!(sync.raw, wire);
    assert_eq!(sync.header("x-inngest-server-kind"), Some("dev"));
    assert_eq!(sync.header("x-inngest-signature"), None);
}

#[tokio::test]
async fn a_refused_registration_is_explained() {
    let sdk = FakeSdk::start(|_| Answer::done(json!(null))).await;
    let server = server(&sdk).await;
    let payload = payload(&json!([{"id": "app-fn"}]));
    sdk.registers(Registration { payload, ..registration(&server) });
    let error = server.sync_now().await.unwrap_err().to_string();
    assert!(error.contains("HTTP 400"), "{error}");
    assert!(error.contains("app-fn: `name` is required"), "{error}");
}

#[tokio::test]
async fn servers_stop_and_do_not_disturb_each_other() {
    let sdk = FakeSdk::start(|_| Answer::done(json!(null))).await;
    let (one, other) = (server(&sdk).await, server(&sdk).await);
    tokio::time::timeout(DEADLINE, one.shutdown()).await.unwrap();
    let dev = crate::world::client().get(other.url().join("/dev").unwrap());
    assert_eq!(dev.send().await.unwrap().status(), 200);
    let gone = crate::world::client().get(one.url().join("/dev").unwrap());
    assert!(gone.send().await.is_err());
}
