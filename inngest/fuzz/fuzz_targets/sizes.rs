//! What is large or deep: what is sent is taken by the embedded dev server, and what was taken can be read back.
//!
//! An input is a few numbers: how the function uses it, then which text, how many bytes from which limit, and how deep.
#![no_main]

// The dev server keeps these to itself.
#[allow(dead_code)]
#[path = "../../dev-server/src/event.rs"]
mod event;
#[allow(dead_code)]
#[path = "../../dev-server/src/ops/mod.rs"]
mod ops;
#[allow(dead_code)]
#[path = "../../dev-server/src/strict_json.rs"]
mod strict_json;
#[allow(dead_code)]
#[path = "../../dev-server/src/typed.rs"]
mod typed;

use inngest::{AiRequest, Config, Context, Error, Function, NewEvent, Result, Settings};
use inngest_fuzz::{Any, Api, Kept, answer, client, ended, hash, post, serving};
use libfuzzer_sys::fuzz_target;
use ops::Action;
use serde_json::value::RawValue;
use serde_json::{Value, json};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const MAX_REPLY: usize = 8 * MIB;
const LIMITS: [usize; 8] =
    [4 * MIB, 3 * MIB, 8 * MIB, 64 * KIB, KIB, 512 * KIB, 4 * MIB / 3, 4 * MIB / 2];
/// Texts, and the bytes that they have to the server.
const UNITS: [(&str, usize); 8] =
    [("x", 1), ("<", 6), ("&>", 12), ("\u{2028}", 6), ("\"", 2), ("\u{1}", 6), ("я", 2), ("\\", 2)];

#[derive(Clone)]
struct Uses {
    how: u8,
    value: Value,
}

impl Function for Uses {
    type Event = Any;
    type Output = Value;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("fn").retries(1)
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let (step, value) = (cx.step, self.value.clone());
        let text = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let failure = || Error::from(text()).named(text());
        let told = match self.how % 11 {
            0 => step.run("s", async || Ok(value)).await,
            1 => step.run("s", async || Err::<Value, _>(failure())).await,
            2 => step.run("s", async || Err(Error::from("no").with_data(value).no_retry())).await,
            3 => step.run_with("s", value, async |value: Value| Ok(json!(value.is_null()))).await,
            4 => step.invoke_id("s", "other", &json!({ "a": value })).await,
            5 => {
                let fetched = step.fetch("s", "http://localhost/").json(&value).await;
                fetched.map(|answer| json!(answer.status))
            }
            6 => {
                let request =
                    AiRequest::new("http://localhost/", "openai-chat", &json!({ "a": value }));
                step.infer("s", request).await
            }
            7 => {
                let data = json!({ "a": value });
                let (one, two, three) = tokio::join!(
                    step.invoke_id::<Value>("a", "other", &data),
                    step.run_with("b", data.clone(), async |data: Value| Ok(data)),
                    step.invoke_id::<Value>("c", "other", &data),
                );
                return Ok(json!([one.is_ok(), two.is_ok(), three.is_ok()]));
            }
            8 => return Ok(value),
            _ => return Err(failure().with_data(value)),
        };
        Ok(json!(told.map(drop).map_err(|error| error.name)))
    }
}

fuzz_target!(|input: [u8; 5]| {
    let [how, unit, limit, offset, depth] = input;
    let (unit, bytes) = UNITS[usize::from(unit) % UNITS.len()];
    // Around the limit, and mostly near to it.
    let offset = match isize::from(offset.cast_signed()) {
        far @ 64.. => far * far,
        near => near % 8,
    };
    let count = (LIMITS[usize::from(limit) % LIMITS.len()] / bytes).saturating_add_signed(offset);
    // Few are deep, and many of those as deep as can be.
    let depth = if depth < 128 { 0 } else { usize::from(depth) - 128 };
    let text = json!(unit.repeat(count));
    let value = (0..depth).fold(text, |inner, level| match level % 3 {
        0 => json!({ "a": inner }),
        _ => json!([inner]),
    });
    match how % 11 {
        10 => sends(&value),
        _ => runs(Uses { how, value }),
    }
});

fn runs(uses: Uses) {
    let endpoint = serving(Settings::dev(), Api::default(), uses);
    let body = |saved: &Value| {
        let stack: Vec<_> = saved.as_object().expect("a map").keys().collect();
        let stack = json!({ "stack": stack, "current": stack.len() });
        let event = json!({ "name": "demo/sent", "data": {} });
        json!({ "ctx": { "run_id": "r", "stack": stack }, "event": event, "steps": saved })
            .to_string()
    };
    let mut saved = json!({});
    // As often as there are steps, and once more for the end.
    for _ in 0..6 {
        let reply = answer(&endpoint, post(body(&saved)));
        let text = reply.body.to_string();
        assert!(text.len() <= MAX_REPLY, "{}", reply.status);
        if reply.status != 206 {
            assert!(reply.status == 200 || [400, 500].contains(&reply.status.as_u16()));
            return;
        }
        let no_retry = reply.no_retry() == Some("true");
        let taken = ops::parse::parse(text.as_bytes(), no_retry);
        let taken = taken.unwrap_or_else(|error| panic!("the server refuses the reply: {error}"));
        for op in taken {
            assert!(saved.get(&op.step.hash).is_none(), "{} again", op.step.name);
            let memo = match op.action {
                Action::Ran { memo, .. } => memo,
                Action::Errored(error) | Action::Failed(error) => json!({ "error": error }),
                Action::Planned => json!({ "data": op.step.name }),
                _ => {
                    json!({ "data": { "url": "", "status_code": 200, "headers": {}, "body": "" } })
                }
            };
            saved[op.step.hash] = memo;
        }
    }
    panic!("the run does not end: {}", hash("s"));
}

/// An event is sent as the server takes it, or not at all.
fn sends(value: &Value) {
    let kept = Kept::default();
    let client = client(Settings::dev(), kept.clone());
    let event = NewEvent::named("demo/sent", json!({ "a": value }));
    assert!(ended(client.send(&[event.clone(), event])).is_err());
    for request in kept.take() {
        assert!(request.body().len() <= 4 * MIB);
        let events: Vec<&RawValue> = serde_json::from_slice(request.body()).expect("JSON");
        for event in events {
            let taken = event::Draft::parse(event, event.get().len());
            assert!(
                taken.is_ok(),
                "{}",
                taken.err().map(|error| error.to_string()).unwrap_or_default()
            );
        }
    }
}
