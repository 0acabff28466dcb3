//! The request that calls a function: body, headers, signature (P-102).

use std::collections::HashSet;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use url::Url;

use crate::core::Core;
use crate::http_client::{CALL_TIMEOUT, Request};
use crate::ids::queue_item_id;
use crate::observe::Observation;
use crate::queue::{Item, Kind};
use crate::run::Run;
use crate::state::State;

/// Beyond this much state the SDK has to fetch it (P-110).
const MAX_STATE_IN_CALL: usize = 4 * 1024 * 1024 - 1024;

/// A call that is about to be made.
pub(super) struct Call {
    pub(super) request: Request,
    /// Hashes of the steps whose results it carries.
    pub(super) known: HashSet<String>,
    /// The ids of the run and of its function.
    pub(super) ids: (String, String),
}

/// Builds the call for a queue item; `None` when its run is over.
pub(super) fn prepare(core: &Core, state: &mut State, item: &Item) -> Option<Call> {
    let run_function = state.running(item.run)?.function.clone();
    // The app may have moved since the run started.
    let url = state.registry.function(&run_function.id).unwrap_or(&run_function).url.clone();
    let run = state.running(item.run)?;
    let request_id = core.env.ulid().to_string();
    // Every `Value` has a canonical form; an empty body would be refused and so be noticed.
    let body = serde_json_canonicalizer::to_vec(&body(run, item, &request_id)).unwrap_or_default();
    let headers = headers(core, run, item, &request_id, &body);
    if item.kind == Kind::Discovery && run.coalesces() && run.pending.is_empty() {
        run.force_step_plan = false;
    }
    let call = Call {
        known: run.memo.hashes(),
        ids: run.ids(),
        request: Request {
            method: Method::POST,
            url: with_step(url, item),
            headers,
            body: Bytes::from(body),
            timeout: CALL_TIMEOUT,
        },
    };
    let (run_id, function_id) = call.ids.clone();
    let (step_id, attempt) = (item.step_id().to_owned(), item.attempt);
    state.seen.push(Observation::CallMade { run_id, function_id, step_id, attempt });
    Some(call)
}

fn body(run: &Run, item: &Item, request_id: &str) -> Value {
    let use_api = run.memo.bytes() > MAX_STATE_IN_CALL;
    let current = item
        .after
        .as_ref()
        .and_then(|after| run.memo.stack().iter().position(|hash| hash == after))
        .map_or(0, |index| index + 1);
    let events: Vec<Value> = run.events().iter().map(|event| event.for_call()).collect();
    json!({
        "ctx": {
            "attempt": item.attempt,
            "disable_immediate_execution": run.force_step_plan,
            "env": "",
            "fn_id": run.function.uuid,
            "generation_id": item.generation,
            "job_id": item.job_id,
            "max_attempts": run.function.max_attempts,
            "qi_id": queue_item_id(&item.job_id),
            "request_id": request_id,
            "run_id": run.id.to_string(),
            "stack": {"current": current, "stack": run.memo.stack()},
            "step_id": item.step_id(),
            "use_api": use_api,
        },
        "defers": {},
        "event": events[0],
        "events": events,
        "steps": if use_api { json!({}) } else { run.memo.to_json() },
        "use_api": use_api,
        "version": run.version,
    })
}

/// The registered URL carries `stepId=step`; a planned step has its own (P-101).
fn with_step(mut url: Url, item: &Item) -> Url {
    if item.kind == Kind::Discovery {
        return url;
    }
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "stepId")
        .map(|(n, v)| (n.into(), v.into()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(kept).append_pair("stepId", item.step_id());
    url
}

fn headers(core: &Core, run: &Run, item: &Item, request_id: &str, body: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut set = |name: &'static str, value: &str| {
        // Step ids come from the SDK: one that a header cannot carry is left out, the query has it anyway (P-029).
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    };
    set("accept-encoding", "gzip");
    set("account-id", "00000000-0000-4000-a000-000000000000");
    set("content-type", "application/json");
    set("traceparent", &traceparent(run, request_id));
    set("tracestate", &format!("inngest@fn={}", run.function.uuid));
    set("x-inngest-generation-id", &item.generation.to_string());
    set("x-inngest-job-id", &item.job_id);
    set("x-inngest-req-version", &run.version.to_string());
    set("x-inngest-step-id", item.step_id());
    set("x-request-id", request_id);
    set("x-run-id", &run.id.to_string());
    if let Some(key) = &core.signing_key {
        set("x-inngest-signature", &key.sign(body, core.env.now().div_euclid(1000)));
    }
    headers
}

/// One trace for each run, one span for each call.
fn traceparent(run: &Run, request_id: &str) -> String {
    let trace = hex::encode(Sha1::digest(run.id.to_bytes()));
    let span = hex::encode(Sha1::digest(request_id));
    format!("00-{}-{}-01", &trace[..32], &span[..16])
}
