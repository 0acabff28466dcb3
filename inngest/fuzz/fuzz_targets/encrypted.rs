//! Results under encryption: what a step has returned comes back as it was, and what another hand has written never does.
//!
//! An input is a byte, then JSON. The byte says which key reads, in which format it was written, and what is changed.
#![no_main]

use std::sync::Arc;

use inngest::middleware::{Encryption, Middleware};
use inngest::{Config, Context, Function, Result, Settings};
use inngest_fuzz::{Any, Api, answer, hash, post, serving};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const KEY: &str = "correct horse battery staple";
const OTHER: &str = "a newer key than that one";

struct Returns {
    for_typescript: bool,
    key: &'static str,
}

impl Function for Returns {
    type Event = Any;
    type Output = Value;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("fn")
    }

    fn middleware(&self) -> Vec<Arc<dyn Middleware>> {
        let encryption = Encryption::new(self.key).expect("a good key");
        let typescript = self.for_typescript;
        vec![Arc::new(if typescript { encryption.for_typescript() } else { encryption })]
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let data = &cx.event.data.0["result"];
        let read = cx.step.run("a", async || Ok(data.clone())).await?;
        // The function's own result would be encrypted as well.
        if read == *data { Ok(Value::Null) } else { Err("it is another one".into()) }
    }
}

fn body(result: &Value, saved: Option<&Value>) -> String {
    let steps = saved.map_or(json!({}), |saved| json!({ hash("a"): { "data": saved } }));
    let event = json!({ "name": "demo/sent", "data": { "result": result } });
    json!({ "ctx": { "run_id": "r" }, "event": event, "steps": steps }).to_string()
}

fuzz_target!(|input: &[u8]| {
    let Some((&how, json)) = input.split_first() else { return };
    let Ok(result) = serde_json::from_slice::<Value>(json) else { return };
    let app = |key| {
        serving(Settings::dev(), Api::default(), Returns { for_typescript: how & 1 == 1, key })
    };
    // As it came, for what is an envelope or looks like one.
    let plain = answer(&app(KEY), post(body(&result, Some(&result))));
    assert!([200, 400, 500].contains(&plain.status.as_u16()), "{}", plain.body);

    let ran = answer(&app(KEY), post(body(&result, None)));
    if ran.status != 206 {
        return;
    }
    let op = ran.ops()[0].clone();
    if op["op"] != "StepRun" || result.is_null() {
        return;
    }
    let mut saved = op["data"].clone();
    let text = saved["data"].as_str().expect("an envelope").to_owned();
    match how >> 1 {
        0 => {
            let read = answer(&app(KEY), post(body(&result, Some(&saved))));
            assert_eq!((read.status.as_u16(), &read.body), (200, &Value::Null));
        }
        1 => {
            let read = answer(&app(OTHER), post(body(&result, Some(&saved))));
            assert_eq!(read.status, 500, "{}", read.body);
        }
        at => {
            let at = usize::from(at) % text.len();
            let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            saved["data"] = json!(format!("{}{other}{}", &text[..at], &text[at + 1..]));
            let read = answer(&app(KEY), post(body(&result, Some(&saved))));
            assert_eq!(read.status, 500, "{}", read.body);
        }
    }
});
