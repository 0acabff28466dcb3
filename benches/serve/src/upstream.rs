//! What the contestants post to: an ERP that answers at once, and an Inngest that takes every event.

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, post};
use http::header::CONTENT_TYPE;
use serde::de::IgnoredAny;
use serde_json::json;

/// Serves both on a free port until the process ends, and returns the port.
pub(crate) async fn serve() -> Result<u16> {
    let router = Router::new()
        .route("/erp", post(erp))
        .route("/e/{key}", post(events))
        .fallback(any(|| async { as_json(json!({ "ok": true, "modified": false }).to_string()) }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(port)
}

async fn erp() -> Response {
    as_json(r#"{"status":"success","data":{"id":"119"}}"#.to_owned())
}

async fn events(body: Bytes) -> Response {
    let events: Vec<IgnoredAny> = serde_json::from_slice(&body).unwrap_or_default();
    let ids: Vec<_> = (0..events.len()).map(|_| "01JDMWN2A0S4ZTBDJDJ5Y1QYQ4").collect();
    as_json(json!({ "status": 200, "ids": ids }).to_string())
}

fn as_json(body: String) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}
