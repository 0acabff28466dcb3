//! T67, P-184..P-188: what runs after a run has failed.

use http::Method;
use inngest::{
    App, Concurrency, Config, Context, Endpoint, EventData, FailureCause, FailureContext, Function,
    OnFailure, Result,
};
use serde_json::{Value, json};

use crate::support::{Answer, FakeApi, body, client, dev, post, request, send};

#[derive(serde::Deserialize)]
struct Order {
    id: u32,
}
impl EventData for Order {
    const NAME: &'static str = "shop/order";
}

struct Charge;

impl Function for Charge {
    type Event = Order;
    type Output = ();
    type OnFailure = Self;
    fn config() -> Config {
        Config::id("charge").name("Charge").retries(7).concurrency(Concurrency::limit(1))
    }
    async fn run(&self, _: Context<'_, Self>) -> Result<()> {
        Ok(())
    }
}

impl OnFailure for Charge {
    async fn on_failure(&self, cx: FailureContext<'_, Self>) -> Result<()> {
        let failure = &cx.failure;
        let noted = json!({
            "function": failure.function_id, "run": failure.run_id, "name": failure.error.name,
            "message": failure.error.message, "stack": failure.error.stack,
            "data": failure.error.data, "cause": failure.error.cause,
            "event": failure.event.as_ref().map(|event| event.data.id),
            "events": failure.events.iter().map(|event| event.as_ref().map(|event| event.data.id)).collect::<Vec<_>>(),
        });
        cx.step.run("tell", async || Ok(noted.clone())).await.map(drop)?;
        Ok(())
    }
}

fn app(api: FakeApi) -> Endpoint {
    App::new("app", client(dev(), api)).function(Charge).build().unwrap()
}

async fn handled(data: Value) -> Answer {
    let mut body = body();
    body["event"] =
        json!({ "name": "inngest/function.failed", "id": "01F", "ts": 1, "data": data });
    let uri = "/api/inngest?fnId=app-charge-failure&stepId=step";
    post(&app(FakeApi::default()), uri, body.to_string()).await
}

#[tokio::test]
async fn t67_p184_p185_the_handler_is_a_function_of_its_own() {
    let api = FakeApi::default().answer(200, "{}");
    send(&app(api.clone()), request(Method::PUT, "/api/inngest", "")).await;
    let payload: Value = serde_json::from_slice(api.requests()[0].body()).unwrap();
    insta::assert_json_snapshot!(payload["functions"][1], @r#"
    {
      "id": "app-charge-failure",
      "name": "Charge (failure)",
      "steps": {
        "step": {
          "id": "step",
          "name": "step",
          "retries": {
            "attempts": 1
          },
          "runtime": {
            "type": "http",
            "url": "http://app.example:3000/api/inngest?fnId=app-charge-failure&stepId=step"
          }
        }
      },
      "triggers": [
        {
          "event": "inngest/function.failed",
          "expression": "event.data.function_id == 'app-charge'"
        }
      ]
    }
    "#);
}

/// As the server sends it: nested events lack `user`, the stack may be missing.
#[tokio::test]
async fn t67_p186_the_handler_is_given_the_error_and_the_typed_event() {
    let order = json!({ "name": "shop/order", "data": { "id": 7 }, "id": "01E", "ts": 5 });
    let answer = handled(json!({
        "function_id": "app-charge", "run_id": "01R", "event": order, "events": [order],
        "error": { "error": "NonRetriableError", "name": "Declined", "message": "card declined",
                   "cause": { "message": "no money" } },
        "result": { "name": "Declined", "message": "card declined", "data": { "code": 51 } },
        "_inngest": { "status": "Failed" },
    }))
    .await;
    assert_eq!(answer.ops(), [("StepRun".into(), "tell".into())]);
    assert_eq!(
        answer.json()[0]["data"],
        json!({ "function": "app-charge", "run": "01R", "name": "Declined", "message": "card declined",
                "stack": null, "data": { "code": 51 }, "cause": { "message": "no money" },
                "event": { "Ok": 7 }, "events": [{ "Ok": 7 }] })
    );
}

/// Recorded from server 1.43, for a reply over 8 MiB.
#[tokio::test]
async fn p186_what_the_server_found_is_read_out_of_its_text() {
    let order = json!({ "name": "shop/order", "data": { "id": 7 } });
    let text = concat!(
        r#"{"error":{"error":"output_too_large: Your function's response body exceeds the maximum size limit","#,
        r#""name":"output_too_large","#,
        r#""message":"Your function's response body exceeds the maximum size limit"}}"#,
    );
    let answer = handled(json!({
        "function_id": "app-charge", "run_id": "01R", "event": order, "result": text,
        "error": { "error": "output_too_large", "name": "Error", "message": text },
    }))
    .await;
    let said = &answer.json()[0]["data"];
    assert_eq!(said["name"], "output_too_large");
    assert_eq!(said["message"], "Your function's response body exceeds the maximum size limit");
}

#[tokio::test]
async fn t67_the_handler_runs_also_for_an_event_or_error_that_cannot_be_read() {
    let strange = json!({ "name": "shop/order", "data": { "id": "seven" } });
    let answer = handled(json!({
        "function_id": "app-charge", "run_id": "01R", "event": strange, "error": "EOF",
    }))
    .await;
    let reason = "the data of event `shop/order` does not fit: at `id`: invalid type: string \"seven\", expected u32";
    assert_eq!(
        answer.json()[0]["data"],
        json!({ "function": "app-charge", "run": "01R", "name": "Error", "message": "\"EOF\"",
                "stack": null, "data": null, "cause": null, "event": { "Err": reason }, "events": [{ "Err": reason }] })
    );
    let nonsense = handled(json!({ "run_id": 5 })).await;
    assert_eq!((nonsense.status.as_u16(), nonsense.no_retry()), (400, Some("true")));
}

#[tokio::test]
async fn p188_a_function_that_takes_the_handlers_id_is_refused() {
    struct Taken;
    impl Function for Taken {
        type Event = Order;
        type Output = ();
        type OnFailure = ();

        fn config() -> Config {
            Config::id("charge-failure")
        }
        async fn run(&self, _: Context<'_, Self>) -> Result<()> {
            Ok(())
        }
    }
    let built =
        App::new("app", client(dev(), FakeApi::default())).function(Taken).function(Charge).build();
    insta::assert_snapshot!(built.err().unwrap(), @"function `charge-failure`: another function has this id; `<id>-failure` is that of a failure handler");
}

#[tokio::test]
async fn the_test_kit_runs_handlers_too() {
    let order = json!({ "id": 7 });
    let done = inngest::testing::run_on_failure(Charge, "card declined").event(order).await;
    assert_eq!(done.output(), Some(&Value::Null));
    let noted = done.step("tell").unwrap().result.clone().unwrap();
    assert_eq!(
        (&noted["message"], &noted["event"]),
        (&json!("card declined"), &json!({ "Ok": 7 }))
    );
    assert_eq!(noted["function"], "test-charge");

    let cause = FailureCause::new("Declined", "card declined").with_data(json!({ "code": 51 }));
    let order = json!({ "id": 7 });
    let done = inngest::testing::run_on_failure(Charge, cause).event(order).await;
    let noted = done.step("tell").unwrap().result.clone().unwrap();
    assert_eq!((&noted["name"], &noted["data"]), (&json!("Declined"), &json!({ "code": 51 })));
}
