//! The least that a serve endpoint can do: it reads the body, checks its signature, parses it with borrowed text, and
//! answers a constant.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::Sha256;

const LARGEST_BODY: usize = 16 * 1024 * 1024;

struct Floor {
    key: String,
    upstream: String,
    client: reqwest::Client,
}

#[derive(Deserialize)]
struct Call<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    #[serde(borrow)]
    steps: HashMap<&'a str, &'a RawValue>,
    ctx: Context<'a>,
}

#[derive(Deserialize)]
struct Context<'a> {
    run_id: &'a str,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let variable = |name: &str| std::env::var_os(name).and_then(|value| value.into_string().ok());
    let key = variable("INNGEST_SIGNING_KEY").unwrap_or_default();
    let floor = Floor {
        key: key.rsplit('-').next().unwrap_or_default().to_owned(),
        upstream: variable("UPSTREAM").unwrap_or_default(),
        client: reqwest::Client::builder().build()?,
    };
    let port = variable("PORT").unwrap_or_default().parse()?;
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    let router = Router::new().route("/api/inngest", any(serve)).with_state(Arc::new(floor));
    Ok(axum::serve(listener, router).await?)
}

async fn serve(State(floor): State<Arc<Floor>>, request: Request) -> Response {
    answer(&floor, request).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(floor: &Floor, request: Request) -> Result<Response, StatusCode> {
    let (parts, body) = request.into_parts();
    let signature = parts.headers.get("x-inngest-signature").and_then(|value| value.to_str().ok());
    let (time, signature) =
        signature.and_then(|text| text.split_once("&s=")).ok_or(StatusCode::UNAUTHORIZED)?;
    let time = time.strip_prefix("t=").ok_or(StatusCode::UNAUTHORIZED)?;
    let body = to_bytes(body, LARGEST_BODY).await.map_err(|_| StatusCode::BAD_REQUEST)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(floor.key.as_bytes())
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    mac.update(&body);
    mac.update(time.as_bytes());
    let mut bytes = [0; 32];
    hex::decode_to_slice(signature, &mut bytes).map_err(|_| StatusCode::UNAUTHORIZED)?;
    mac.verify_slice(&bytes).map_err(|_| StatusCode::UNAUTHORIZED)?;

    let json = [(CONTENT_TYPE, "application/json")];
    if parts.method == Method::GET {
        return Ok((json, r#"{"function_count":2,"mode":"cloud"}"#).into_response());
    }
    let call: Call<'_> = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    if call.event.get().is_empty() || call.ctx.run_id.is_empty() {
        return Err(StatusCode::BAD_REQUEST);
    }
    if !call.steps.is_empty() {
        return Ok((json, r#"{"success":true}"#).into_response());
    }
    let posted = floor.client.post(&floor.upstream).body(r#"{"action":"insert"}"#).send().await;
    let posted = posted.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let posted = posted.bytes().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok((StatusCode::PARTIAL_CONTENT, json, posted).into_response())
}
