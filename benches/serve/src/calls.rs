//! The requests that Inngest would make, and webhooks of amoCRM.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use inngest::signing::SigningKey;
use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};

pub(crate) const SIGNING_KEY: &str =
    "signkey-test-8ee2262a15ac8d3c42d6a840db7af3de2aab08ef632b32a37a687f24b34dba3f";
pub(crate) const WEBHOOK_SECRET: &str = "bench-secret-0123456789";

const FETCH: &str = "fetch-lead-data";
const CREATE: &str = "create-erp-task";
const LEAD: u64 = 45_721_053;

/// How a contestant names its steps on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StepNames {
    /// As the protocol says: `id`, `id:1`, `id:2`, hashed, in lower case.
    Protocol,
    /// As the published Rust SDK does: `id:1`, `id:2`, in upper case.
    Published,
}

impl StepNames {
    fn hash(self, id: &str, repeat: usize) -> String {
        match (self, repeat) {
            (Self::Protocol, 0) => hex::encode(Sha1::digest(id)),
            (Self::Protocol, _) => hex::encode(Sha1::digest(format!("{id}:{repeat}"))),
            (Self::Published, _) => hex::encode_upper(Sha1::digest(format!("{id}:{}", repeat + 1))),
        }
    }
}

/// One request, and what its answer must be.
#[derive(Clone)]
pub(crate) struct Call {
    method: &'static str,
    target: String,
    content_type: &'static str,
    body: Bytes,
    signed: bool,
    /// The status of the answer.
    pub(crate) status: u16,
    /// What the body of the answer has in it.
    pub(crate) shows: &'static str,
}

impl Call {
    /// W1.
    pub(crate) fn introspection() -> Self {
        let target = "/api/inngest".to_owned();
        Self::signed("GET", target, Bytes::new(), 200, "\"function_count\":")
    }

    /// W2; W4 with many `more`, which no step of the function asks for: all its steps have their results.
    pub(crate) fn memoised(names: StepNames, more: usize) -> Self {
        let mut steps = read(names, LEAD);
        steps.push((
            names.hash(CREATE, 0),
            json!({
                "reply": { "status": "success", "data": { "id": "119" } },
                "processedAt": "2026-11-26T10:00:00.000Z",
            }),
        ));
        steps.extend((0..more).map(|n| (names.hash("step", n), json!("x".repeat(1000)))));
        Self::of_function("amocrm-webhook", &moved(LEAD), &steps, 200, "\"success\":true")
    }

    /// A call of the service that makes the record of a lead, which was read in an earlier one.
    pub(crate) fn deal(lead: u64) -> Self {
        let steps = read(StepNames::Protocol, lead);
        Self::of_function("amocrm-webhook", &moved(lead), &steps, 200, "\"success\":true")
    }

    /// W3: a call whose one step runs now.
    pub(crate) fn fresh() -> Self {
        let event = json!({
            "id": "01JDMWN2A0S4ZTBDJDJ5Y1QYQ4",
            "name": "crm/create-deal",
            "data": { "dealName": "Ремонт офиса", "amount": 46_333 },
            "ts": 1_764_151_200_000_i64,
            "user": {},
            "v": null,
        });
        Self::of_function("create-crm-deal", &event, &[], 206, "\"119\"")
    }

    fn of_function(
        function: &str,
        event: &Value,
        steps: &[(String, Value)],
        status: u16,
        shows: &'static str,
    ) -> Self {
        let stack: Vec<&String> = steps.iter().map(|(hash, _)| hash).collect();
        let memo: Map<String, Value> =
            steps.iter().map(|(hash, data)| (hash.clone(), json!({ "data": data }))).collect();
        let body = json!({
            "ctx": {
                "attempt": 0,
                "disable_immediate_execution": false,
                "env": "production",
                "fn_id": "7f2a1c52-6a1f-5b0e-9d53-0a4b6f1c2d3e",
                "max_attempts": 4,
                "qi_id": "3242342342342342342",
                "run_id": "01JDMWN2CZ6P5E8XK3S0R9V7TB",
                "stack": { "current": stack.len(), "stack": stack },
                "step_id": "step",
                "use_api": false,
            },
            "event": event,
            "events": [event],
            "steps": memo,
            "use_api": false,
            "version": 1,
        });
        let target = format!("/api/inngest?fnId=prometei-flow-{function}&stepId=step");
        Self::signed("POST", target, Bytes::from(body.to_string()), status, shows)
    }

    fn signed(
        method: &'static str,
        target: String,
        body: Bytes,
        status: u16,
        shows: &'static str,
    ) -> Self {
        let content_type = "application/json";
        Self { method, target, content_type, body, signed: true, status, shows }
    }

    /// A webhook of amoCRM about one lead that has changed its stage.
    pub(crate) fn webhook(lead: u64) -> Self {
        let body = format!(
            "leads%5Bstatus%5D%5B0%5D%5Bid%5D={lead}&leads%5Bstatus%5D%5B0%5D%5Bname%5D=%D0%A0%D0%B5%D0%BC%D0%BE%D0%BD%D1%82\
             &leads%5Bstatus%5D%5B0%5D%5Bstatus_id%5D=142&leads%5Bstatus%5D%5B0%5D%5Bprice%5D=46333\
             &leads%5Bstatus%5D%5B0%5D%5Bresponsible_user_id%5D=504141&leads%5Bstatus%5D%5B0%5D%5Blast_modified%5D=1764151200\
             &leads%5Bstatus%5D%5B0%5D%5Bmodified_user_id%5D=504141&leads%5Bstatus%5D%5B0%5D%5Bcreated_user_id%5D=504141\
             &leads%5Bstatus%5D%5B0%5D%5Bdate_create%5D=1764151100&leads%5Bstatus%5D%5B0%5D%5Bpipeline_id%5D=7\
             &leads%5Bstatus%5D%5B0%5D%5Bold_status_id%5D=141&leads%5Bstatus%5D%5B0%5D%5Baccount_id%5D=29000000\
             &account%5Bsubdomain%5D=example&account%5Bid%5D=29000000"
        );
        Self {
            method: "POST",
            target: format!("/api/amocrm-webhook?secret={WEBHOOK_SECRET}"),
            content_type: "application/x-www-form-urlencoded",
            body: Bytes::from(body),
            signed: false,
            status: 200,
            shows: "\"accepted\":1",
        }
    }

    /// The bytes that go over the wire, signed now.
    pub(crate) fn bytes(&self, port: u16, closing: bool) -> Bytes {
        let Self { method, target, content_type, body, .. } = self;
        let mut head = format!(
            "{method} {target} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nuser-agent: Go-http-client/1.1\r\n\
             content-type: {content_type}\r\ncontent-length: {}\r\naccept-encoding: gzip\r\n",
            body.len()
        );
        if self.signed {
            let signature = SigningKey::new(SIGNING_KEY).sign(body, now());
            head.push_str(&format!(
                "x-inngest-signature: {signature}\r\nx-inngest-server-kind: cloud\r\n\
                 traceparent: 00-3b97412f0aa0f47e80757159b60c73e4-8b328b34c67d597e-01\r\n"
            ));
        }
        if closing {
            head.push_str("connection: close\r\n");
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        Bytes::from(bytes)
    }
}

/// What the steps have saved that read a lead. The service authorizes in a step of its own; the others leave this result
/// unread.
fn read(names: StepNames, lead: u64) -> Vec<(String, Value)> {
    vec![
        (names.hash("authorize-amocrm", 0), json!({ "expiresAt": "2026-11-27T00:00:00Z" })),
        (names.hash(FETCH, 0), json!({ "id": lead, "name": "Ремонт офиса", "price": 46_333 })),
    ]
}

/// The event of a lead that has moved.
fn moved(lead: u64) -> Value {
    json!({
        "id": "01JDMWN2A0S4ZTBDJDJ5Y1QYQ4",
        "name": "amocrm/webhook",
        "data": {
            "leadId": lead, "accountId": 29_000_000, "subdomain": "example", "pipelineId": 7, "statusId": 142,
            "action": "status", "receivedAt": "2026-11-26T10:00:00.000Z",
        },
        "ts": 1_764_151_200_000_i64,
        "user": {},
        "v": null,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the contestants compare signatures with the machine's clock"
)]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
