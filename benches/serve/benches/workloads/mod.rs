//! Requests to an endpoint, each of which has some of the parts of a call; what one has more than another, its part costs.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, to_bytes};
use bytes::Bytes;
use functions::webhook::{Fields, LeadFilter};
use http::{Method, Request};
use inngest::signing::{SigningKey, SigningKeys};
use inngest::{
    App, Client, Clock, Config, Event, EventData, Result, Settings, Step, Transport,
    TransportFuture,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use sha1::{Digest as _, Sha1};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

const KEY: &str = "signkey-test-8ee2262a15ac8d3c42d6a840db7af3de2aab08ef632b32a37a687f24b34dba3f";
const NOW: i64 = 1_700_000_000;

/// What a memo holds: about a kilobyte, as a record of another system has.
const MEMO: usize = 1000;

#[derive(Deserialize)]
struct Order {
    steps: usize,
}

impl EventData for Order {
    const NAME: &'static str = "bench/order";
}

#[derive(Serialize, Deserialize)]
struct Lead {
    id: u64,
    name: String,
}

/// Takes the results of so many steps.
async fn serial(event: Event<Order>, step: Step<'_>) -> Result<usize> {
    let mut bytes = 0;
    for _ in 0..event.data.steps {
        let lead: Lead = step.run("step", async || Err("it has its result".into())).await?;
        bytes += lead.name.len();
    }
    Ok(bytes)
}

/// Runs one step.
async fn fresh(_: Event<Order>, step: Step<'_>) -> Result<Lead> {
    let lead = async || Ok(Lead { id: 45_721_053, name: "Ремонт офиса".to_owned() });
    Ok(step.run("step", lead).await?)
}

struct Nowhere;

impl Transport for Nowhere {
    fn send(&self, _: Request<Bytes>) -> TransportFuture<'_> {
        Box::pin(std::future::pending())
    }
}

#[derive(Deserialize)]
struct FloorCall<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    #[serde(borrow)]
    steps: HashMap<&'a str, &'a RawValue>,
}

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Part {
    /// A webhook of amoCRM about one lead is read.
    Webhook,
    /// The signature of the call with two steps is checked.
    Signature,
    /// A request without a signature is refused.
    Refusal,
    /// The endpoint says what it is.
    Introspection,
    /// A signed request is received, and its answer signed: nothing is parsed.
    TrustProbe,
    /// A call is read too, whose step is done already: no function starts.
    CallParsing,
    /// A function is driven through the results of so many steps.
    Memoised(usize),
    /// A step runs, and its result is answered.
    Fresh,
    /// What the floor does with the call of so many steps: it checks the signature and parses the body.
    Floor(usize),
}

impl Part {
    pub(crate) const ALL: [Self; 16] = [
        Self::Webhook,
        Self::Signature,
        Self::Refusal,
        Self::Introspection,
        Self::TrustProbe,
        Self::CallParsing,
        Self::Fresh,
        Self::Memoised(2),
        Self::Memoised(10),
        Self::Memoised(100),
        Self::Memoised(1000),
        Self::Memoised(10_000),
        Self::Floor(2),
        Self::Floor(10),
        Self::Floor(1000),
        Self::Floor(10_000),
    ];

    /// Its name, without a blank.
    pub(crate) fn name(self) -> String {
        match self {
            Self::Memoised(steps) => format!("memoised-{steps}"),
            Self::Floor(steps) => format!("floor-{steps}"),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    fn steps(self) -> usize {
        match self {
            Self::Memoised(steps) | Self::Floor(steps) => steps,
            Self::Webhook | Self::Fresh | Self::Introspection | Self::Refusal => 0,
            Self::Signature | Self::TrustProbe | Self::CallParsing => 2,
        }
    }

    /// The bytes of its request.
    pub(crate) fn bytes(self) -> usize {
        body(self.steps()).len()
    }

    fn target(self) -> &'static str {
        match self {
            Self::TrustProbe => "/api/inngest?fnId=bench-serial&probe=trust",
            // The SHA-1 of `step`.
            Self::CallParsing => {
                "/api/inngest?fnId=bench-serial&stepId=bd370d1b6f9b3580a77083b3ed3256c621f44a99"
            }
            Self::Fresh => "/api/inngest?fnId=bench-fresh&stepId=step",
            _ => "/api/inngest?fnId=bench-serial&stepId=step",
        }
    }
}

/// Makes requests of one kind.
pub(crate) struct Workload {
    part: Part,
    request: Request<()>,
    body: Bytes,
    keys: SigningKeys,
    router: Router,
    runtime: Runtime,
}

#[expect(clippy::unwrap_used, reason = "a benchmark stops when it cannot go on")]
impl Workload {
    pub(crate) fn of(part: Part) -> Self {
        let body = match part {
            Part::Introspection => Bytes::new(),
            _ => body(part.steps()),
        };
        let method = if matches!(part, Part::Introspection) { Method::GET } else { Method::POST };
        // What the server sends with it.
        let mut request = Request::builder()
            .method(method)
            .uri(part.target())
            .header("host", "127.0.0.1:3000")
            .header("user-agent", "Go-http-client/1.1")
            .header("content-type", "application/json")
            .header("content-length", body.len())
            .header("accept-encoding", "gzip")
            .header("x-inngest-server-kind", "cloud")
            .header("traceparent", "00-3b97412f0aa0f47e80757159b60c73e4-8b328b34c67d597e-01");
        if !matches!(part, Part::Refusal) {
            request = request.header("x-inngest-signature", SigningKey::new(KEY).sign(&body, NOW));
        }
        let clock = Clock::new(|| SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        let settings = Settings::cloud("key", SigningKey::new(KEY));
        let app = App::new("bench", Client::with_sources(settings, Nowhere, clock, |_| {}))
            .function(Config::id("serial").run(serial))
            .function(Config::id("fresh").run(fresh));
        let workload = Self {
            part,
            request: request.body(()).unwrap(),
            body,
            keys: SigningKeys { primary: SigningKey::new(KEY), fallback: None },
            router: app.build().unwrap().into_router("/api/inngest"),
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
        };
        workload.check();
        workload
    }

    fn request(&self) -> Request<Body> {
        self.request.clone().map(|()| Body::from(self.body.clone()))
    }

    fn answer(&self) -> http::Response<Body> {
        let Ok(answer) = self.runtime.block_on(self.router.clone().oneshot(self.request()));
        answer
    }

    /// The answer is the one that is meant.
    fn check(&self) {
        let (status, text) = match self.part {
            Part::Webhook | Part::Signature | Part::Floor(_) => return,
            Part::Refusal => (401, "Unauthorized".to_owned()),
            Part::Introspection => (200, "\"function_count\":2".to_owned()),
            Part::TrustProbe => (200, "{}".to_owned()),
            Part::CallParsing => (206, "[]".to_owned()),
            Part::Memoised(steps) => (200, (steps * MEMO).to_string()),
            Part::Fresh => (206, "45721053".to_owned()),
        };
        let answer = self.answer();
        assert_eq!(answer.status().as_u16(), status, "{:?}", self.part);
        let body = self.runtime.block_on(to_bytes(answer.into_body(), usize::MAX)).unwrap();
        let body = String::from_utf8_lossy(&body);
        assert!(body.contains(&text), "{:?}: {body}", self.part);
    }

    /// Once.
    pub(crate) fn run(&self) {
        match self.part {
            Part::Signature => {
                let header = self.request.headers().get("x-inngest-signature").unwrap();
                black_box(self.keys.verify(header.to_str().ok(), &self.body, NOW).is_ok());
            }
            Part::Floor(_) => self.floor(),
            Part::Webhook => webhook(),
            _ => drop(black_box(self.answer())),
        }
    }

    fn floor(&self) {
        let header = self.request.headers().get("x-inngest-signature").unwrap();
        let trusted = self.keys.verify(header.to_str().ok(), &self.body, NOW).is_ok();
        let call: FloorCall<'_> = serde_json::from_slice(&self.body).unwrap();
        assert!(trusted && !call.event.get().is_empty(), "the floor reads the same request");
        black_box(call.steps.len());
    }
}

fn webhook() {
    // As a form gives them.
    let fields = [
        ("leads[status][0][id]", "45721053"),
        ("leads[status][0][name]", "Ремонт офиса"),
        ("leads[status][0][status_id]", "142"),
        ("leads[status][0][price]", "46333"),
        ("leads[status][0][responsible_user_id]", "504141"),
        ("leads[status][0][last_modified]", "1764151200"),
        ("leads[status][0][pipeline_id]", "7"),
        ("leads[status][0][old_status_id]", "141"),
        ("account[subdomain]", "example"),
        ("account[id]", "29000000"),
    ];
    let mut read = Fields::new(fields.len());
    for (key, value) in fields {
        read.add(key, value);
    }
    black_box(read.parsed(&LeadFilter::default()));
}

fn body(steps: usize) -> Bytes {
    let hash = |n: usize| {
        let id = if n == 0 { "step".to_owned() } else { format!("step:{n}") };
        hex::encode(Sha1::digest(id))
    };
    let stack: Vec<_> = (0..steps).map(hash).collect();
    let lead = json!({ "data": Lead { id: 1, name: "x".repeat(MEMO) } });
    let memo: HashMap<_, _> = stack.iter().map(|hash| (hash.clone(), &lead)).collect();
    let event = json!({
        "id": "01JDMWN2A0S4ZTBDJDJ5Y1QYQ4", "name": "bench/order", "data": { "steps": steps },
        "ts": 1_764_151_200_000_i64, "user": {}, "v": null,
    });
    let call = json!({
        "ctx": {
            "attempt": 0, "disable_immediate_execution": false, "env": "production",
            "fn_id": "7f2a1c52-6a1f-5b0e-9d53-0a4b6f1c2d3e", "max_attempts": 4, "qi_id": "3242342342342",
            "run_id": "01JDMWN2CZ6P5E8XK3S0R9V7TB", "stack": { "current": steps, "stack": stack },
            "step_id": "step", "use_api": false,
        },
        "event": event, "events": [event], "steps": memo, "use_api": false, "version": 1,
    });
    Bytes::from(call.to_string())
}
