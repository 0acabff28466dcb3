//! What the fuzz targets of inngest/fuzz have found.

use std::time::Duration;

use inngest::Error;
use serde_json::{Value, json};

use crate::support::{body, body_with, call, dev, serving};

/// Counting up to whole seconds overflowed: a panic in the endpoint itself.
#[tokio::test]
async fn the_longest_delay_is_a_delay_of_a_day() {
    let endpoint = serving(dev(), |_, _| {
        Box::pin(async { Err(Error::from("later").retry_after(Duration::MAX)) })
    });
    let answer = call(&endpoint, &body()).await;
    assert_eq!(answer.status, 500);
    assert_eq!(answer.header("retry-after"), Some("86400"));
}

/// P-107, P-154: only `{"input":..}` and nothing else asks for another run.
#[tokio::test]
async fn an_object_with_an_input_among_other_keys_is_a_result() {
    let endpoint = serving(dev(), |step, _| {
        Box::pin(async move { Ok(step.run("a", async || Ok(Value::Null)).await?) })
    });
    let memo = json!({ "input": 1, "other": null });
    let answer = call(&endpoint, &body_with(&[("a", memo.clone())])).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, memo));
}

/// The server counts the list in which an input goes: one at the limit had the reply refused in every attempt.
#[tokio::test]
async fn an_input_at_the_limit_has_room_for_its_list() {
    const MOST: usize = 4 * 1024 * 1024;
    for (bytes, fits) in [(MOST - 2, true), (MOST - 1, false), (MOST, false)] {
        let endpoint = serving(dev(), move |step, _| {
            Box::pin(async move {
                let input = "x".repeat(bytes - "\"\"".len());
                let given = step.run_with("a", input, async |_: String| Ok(Value::Null)).await;
                Ok(json!(given.map_err(|error| error.name)))
            })
        });
        let answer = call(&endpoint, &body()).await;
        if fits {
            assert_eq!(answer.json()[0]["opts"]["input"].to_string().len(), MOST);
        } else {
            let caught = (answer.status.as_u16(), answer.json());
            assert_eq!(caught, (200, json!({ "Err": "UnsavableData" })), "{bytes}");
        }
    }
}
