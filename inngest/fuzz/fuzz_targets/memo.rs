//! Memos of any shape for steps of many types, checked against a second, plainer reading of the rules (P-106).
//!
//! An input is one byte that orders the stack, then one line of JSON for each step; what is no JSON is no memo.
#![no_main]

use std::collections::BTreeMap;
use std::time::Duration;

use inngest::{Config, Context, EventData, Function, Result, Settings};
use inngest_fuzz::{Answer, Any, Api, answer, hash, post, serving};
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use serde_json::{Value, json};

#[derive(Serialize, Deserialize)]
struct Record {
    id: u64,
    tags: Vec<String>,
    note: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Choice {
    One { n: i8 },
    Two(BTreeMap<String, f64>),
}

impl EventData for Record {
    const NAME: &'static str = "demo/record";
}

/// In the order in which the function reaches them.
const STEPS: [&str; 11] = [
    "text", "record", "option", "choice", "any", "nap", "wait", "signal", "invoke", "fetch",
    "given",
];

struct Typed;

impl Function for Typed {
    type Event = Any;
    type Output = Value;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("fn")
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let step = cx.step;
        let record = || Record { id: 1, tags: Vec::new(), note: None };
        let (text, record, option, choice, any, (), wait, signal, invoke, fetch, given) = tokio::join!(
            step.run("text", async || Ok("a".to_owned())),
            step.run("record", async || Ok(record())),
            step.run("option", async || Ok(None::<i64>)),
            step.run("choice", async || Ok(Choice::One { n: 1 })),
            step.run("any", async || Ok(Value::Null)),
            step.sleep("nap", Duration::from_secs(1)),
            step.wait_for_event::<Record>("wait").timeout(Duration::from_secs(1)),
            step.wait_for_signal::<Record>("signal", "s").timeout(Duration::from_secs(1)),
            step.invoke_id::<Record>("invoke", "other", &()),
            step.fetch("fetch", "http://localhost/"),
            step.run_with("given", record(), async |record: Record| Ok(record)),
        );
        let wait = wait.map(|event| event.map(|event| event.data));
        let fetch = fetch.map(|response| response.status);
        let steps = [
            told(text),
            told(record),
            told(option),
            told(choice),
            told(any),
            told(wait),
            told(signal),
            told(invoke),
            told(fetch),
            told(given),
        ];
        Ok(json!(steps))
    }
}

/// A result for the answer, where data and errors look different.
fn told<T: Serialize>(result: std::result::Result<T, inngest::StepError>) -> Value {
    match result {
        Ok(data) => json!({ "ok": data }),
        Err(error) => json!({ "err": [error.step_id, error.name, error.message] }),
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((order, lines)) = input.split_first() else { return };
    let mut memo: BTreeMap<&str, &RawValue> = BTreeMap::new();
    for (id, line) in STEPS.iter().zip(lines.split(|&byte| byte == b'\n')) {
        if let Ok(raw) = serde_json::from_slice(line) {
            memo.insert(id, raw);
        }
    }
    let mut stack: Vec<String> = memo.keys().map(|id| hash(id)).collect();
    if !stack.is_empty() {
        let middle = usize::from(*order) % stack.len();
        stack.rotate_left(middle);
    }
    let steps: BTreeMap<String, &RawValue> =
        memo.iter().map(|(id, raw)| (hash(id), *raw)).collect();
    // The memo goes in as it came: a detour over `Value` would mend it.
    let stack = json!({ "stack": stack, "current": stack.len() });
    let steps = serde_json::to_string(&steps).expect("JSON");
    let body = format!(
        r#"{{"ctx":{{"run_id":"r","stack":{stack}}},"event":{{"name":"demo/sent","data":{{}}}},"steps":{steps}}}"#
    );
    let endpoint = serving(Settings::dev(), Api::default(), Typed);
    check(&memo, &answer(&endpoint, post(body)));
});

fn check(memo: &BTreeMap<&str, &RawValue>, answer: &Answer) {
    let misfits = [
        misfit::<String>(memo, "text"),
        misfit::<Record>(memo, "record"),
        misfit::<Option<i64>>(memo, "option"),
        misfit::<Choice>(memo, "choice"),
        misfit::<Record>(memo, "given"),
    ];
    match answer.status.as_u16() {
        // Nothing that finished may be asked for again.
        206 => {
            for op in answer.ops() {
                let id = op["name"].as_str().expect("name");
                assert!(
                    memo.get(id).is_none_or(|raw| rerun(raw)),
                    "{id} was finished: {}",
                    answer.body
                );
            }
            assert!(misfits.iter().all(Option::is_none), "{misfits:?}: {}", answer.body);
        }
        200 => {
            assert!(STEPS.iter().all(|id| memo.get(id).is_some_and(|raw| !rerun(raw))));
            assert!(misfits.iter().all(Option::is_none), "{misfits:?}: {}", answer.body);
        }
        // Only what the code's own steps cannot read ends the run, and the step is named. What comes from elsewhere is an
        // error of its step, which the function can catch.
        _ => {
            let message = answer.final_error();
            assert!(STEPS.iter().any(|id| message.contains(&format!("`{id}`"))), "{message}");
        }
    }
}

/// The step's id if its saved data, in the ordinary wrapper, is none of `T`.
fn misfit<T: DeserializeOwned>(
    memo: &BTreeMap<&str, &RawValue>,
    id: &'static str,
) -> Option<&'static str> {
    let data = memo.get(id)?.get().strip_prefix("{\"data\":")?.strip_suffix('}')?;
    let data: &RawValue = serde_json::from_str(data).ok()?;
    serde_json::from_str::<T>(data.get()).is_err().then_some(id)
}

fn rerun(raw: &RawValue) -> bool {
    let keys: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(raw.get()).ok();
    keys.is_some_and(|keys| keys.len() == 1 && keys.contains_key("input"))
}
