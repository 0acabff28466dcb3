//! Expressions, as the SDK judges them before it sends them and as the embedded dev server reads them; and values in them.
//!
//! An input is one byte that says what follows: an expression, a text, or JSON.
#![no_main]

// Both keep them to themselves.
#[allow(dead_code)]
#[path = "../../src/check/expression/mod.rs"]
mod ours;
#[allow(dead_code)]
#[path = "../../dev-server/src/expression/mod.rs"]
mod server;

use std::cell::RefCell;
use std::time::Duration;

use inngest::{Config, Context, Expression, Function, Result, Settings};
use inngest_fuzz::{Answer, Any, Api, answer, post, serving};
use libfuzzer_sys::fuzz_target;
use ours::Purpose;
use serde_json::{Value, json};

fuzz_target!(|input: &[u8]| {
    let Some((kind, input)) = input.split_first() else { return };
    match kind % 3 {
        0 => drop(std::str::from_utf8(input).map(judged)),
        1 => drop(std::str::from_utf8(input).map(|text| value(&json!(text)))),
        _ => drop(serde_json::from_slice(input).map(|json| value(&json))),
    }
});

/// Neither side may take what the other refuses, unless the dev server knows no such thing, or tells by the types of values:
/// where ours does not know these, it is on the side of the author.
fn judged(text: &str) {
    let parsed = server::Expression::parse(text);
    let comparison = parsed.clone().ok().map(server::Comparison::try_from);
    let excused = |words: &str| matches!(&parsed, Err(error) if error.to_string().contains(words));
    let excused = excused("is not supported") || excused("no matching overload");
    for (purpose, taken) in
        [(Purpose::Any, parsed.is_ok()), (Purpose::Cancellation, matches!(comparison, Some(Ok(_))))]
    {
        let flaw = ours::flaw(text, purpose);
        assert!(
            flaw.is_none() == taken || (flaw.is_none() && excused),
            "{purpose:?} {text:?}: {flaw:?}, and the server {:?}",
            parsed.as_ref().map(drop)
        );
    }
    let Ok(expression) = parsed else { return };
    let (event, other) = (event(&json!("a")), event(&json!(1)));
    expression.matches(&event, None);
    expression.matches(&event, Some(&other));
    expression.breaks(&event);
    expression.key(&event);
}

fn event(a: &Value) -> Value {
    json!({ "name": "demo/sent", "ts": 1, "data": { "a": a, "b": "b", "list": [1, "a"] } })
}

thread_local! {
    static WANTED: RefCell<Option<Expression>> = const { RefCell::new(None) };
}

struct Waits;

impl Function for Waits {
    type Event = Any;
    type Output = ();
    type OnFailure = ();

    fn config() -> Config {
        Config::id("fn")
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<()> {
        let wanted = WANTED.with_borrow(Clone::clone).expect("an expression");
        let wait = cx.step.wait_for_event::<Any>("x").timeout(Duration::from_secs(1));
        wait.when(wanted).await?;
        Ok(())
    }
}

/// The condition that is sent for this text with the value in the place of `$v`.
fn condition(text: &str, value: &Value) -> Answer {
    WANTED.set(Some(Expression::new(text).with("v", value)));
    let body = r#"{"ctx":{"run_id":"r"},"event":{"name":"demo/sent","data":{}},"steps":{}}"#;
    answer(&serving(Settings::dev(), Api::default(), Waits), post(body))
}

/// A value is a value, whatever is in it.
fn value(value: &Value) {
    let sent = condition("async.data.a == $v", value);
    if sent.status != 206 {
        let message = sent.final_error();
        assert!(!value.is_string() && message.contains("value of `$v`"), "{value}: {message}");
        return;
    }
    let holds = |text: &str, a: &Value| {
        let sent = condition(text, value);
        let sent = sent.ops()[0]["opts"]["if"].as_str().expect("text").to_owned();
        assert_eq!(ours::flaw(&sent, Purpose::Any), None, "{sent}");
        match server::Expression::parse(&sent) {
            Ok(parsed) => Some(parsed.matches(&event(&json!("z")), Some(&event(a)))),
            Err(error) => {
                assert!(error.to_string().contains("is not supported"), "{sent}: {error}");
                None
            }
        }
    };
    // The server compares neither lists nor objects by what is in them.
    if value.is_array() || value.is_object() {
        holds("async.data.a == $v", value);
        return;
    }
    let other = json!([value]);
    for (text, a, expected) in [
        ("async.data.a == $v", value, true),
        ("$v == async.data.a", value, true),
        ("async.data.a == $v && async.data.b == 'no'", value, false),
        ("async.data.b == 'no' && async.data.a == $v", value, false),
        ("async.data.a == $v", &other, false),
    ] {
        assert!(holds(text, a).is_none_or(|holds| holds == expected), "{text} with {value}");
    }
}
