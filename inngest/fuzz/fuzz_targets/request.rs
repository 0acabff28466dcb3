//! Whole requests, in both modes. An input is readable text, so that seeds are:
//!
//! ```text
//! dev | cloud | signed        (`signed` is cloud mode, and the harness signs the body)
//! POST /api/inngest?fnId=app-fn&stepId=step
//! header: value
//!
//! body, and after a NUL what the Inngest API answers
//! ```
#![no_main]

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use inngest::signing::SigningKey;
use inngest::{Config, Context, Endpoint, Function, Result, Settings};
use inngest_fuzz::{Any, Api, KEY, NOW, answer, cloud, serving};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// One of every kind of step, with types that not every memo fits.
struct Everything;

impl Function for Everything {
    type Event = Any;
    type Output = Value;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("fn").retries(3)
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let step = cx.step;
        let first: String = step.run("a", async || Ok("a".to_owned())).await?;
        let (left, right) = tokio::join!(
            step.run("b", async || Ok(1_i64)),
            step.run("b", async || Err::<i64, _>("b fails".into())),
        );
        step.sleep("nap", Duration::from_secs(1)).await;
        let event = step.wait_for_event::<Any>("wait").timeout(Duration::from_secs(1)).await?;
        let data = cx.event.data.0;
        Ok(json!([first, left?, right.is_ok(), event.map(|event| event.data.0), data]))
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((mode, endpoint, request)) = read(input) else { return };
    let method = request.method().clone();
    let too_large = request.body().len() > inngest::MAX_BODY_BYTES;
    let answer = answer(&endpoint, request);
    // Nothing in the input can hold a signature of a key that the fuzzer does not know.
    if mode == "cloud" && method == Method::POST && !too_large {
        assert_eq!(answer.status, 401, "an unsigned call was accepted");
    }
    if method == Method::POST && [400, 500].contains(&answer.status.as_u16()) {
        assert!(answer.body["message"].is_string(), "P-119: {}", answer.body);
    }
});

fn read(input: &[u8]) -> Option<(&str, Endpoint, Request<Bytes>)> {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let (head, rest) = input.split_at(end);
    let rest = rest.get(2..).unwrap_or_default();
    let mut parts = rest.splitn(2, |&byte| byte == 0);
    let body = Bytes::copy_from_slice(parts.next().unwrap_or_default());
    let api = Api(parts.next().map(Bytes::copy_from_slice));

    let mut lines = std::str::from_utf8(head).ok()?.split('\n');
    let mode = lines.next()?;
    let (method, uri) = lines.next()?.split_once(' ')?;
    let mut request = Request::builder().method(method).uri(uri);
    if mode == "signed" {
        let signature = SigningKey::new(KEY).sign(&body, NOW);
        request = request.header("x-inngest-signature", signature);
    }
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        request = request.header(name.trim(), value.trim());
    }
    let settings = if mode == "dev" { Settings::dev() } else { cloud() };
    Some((mode, serving(settings, api, Everything), request.body(body).ok()?))
}
