//! P-154: steps whose input people see, and run again with another one.

use inngest::middleware::Encryption;
use inngest::{AiRequest, Client, Endpoint, Error};
use serde_json::{Value, json};

use crate::support::{
    Answer, FakeApi, body, body_with, call, call_step, client, dev, done, serving, serving_with,
};

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Mail {
    to: String,
}

/// Sends a mail to the address in the event.
fn mailing(client: Client) -> Endpoint {
    serving_with(client, |step, data| {
        Box::pin(async move {
            let mail = Mail { to: data["to"].as_str().unwrap_or("a@b.example").to_owned() };
            let sent = step.run_with("send", mail, async |mail: Mail| {
                if mail.to.is_empty() { Err("no address".into()) } else { Ok(mail.to) }
            });
            sent.await.map(Value::from).map_err(Error::from)
        })
    })
}

fn plain() -> Endpoint {
    mailing(client(dev(), FakeApi::default()))
}

async fn again(input: Value) -> Answer {
    call(&plain(), &body_with(&[("send", json!({ "input": input }))])).await
}

#[tokio::test]
async fn p127_p154_people_see_what_a_step_is_given() {
    let input = json!([{ "to": "a@b.example" }]);
    let ran = call(&plain(), &body()).await.json();
    assert_eq!(
        (&ran[0]["data"], &ran[0]["opts"]),
        (&json!("a@b.example"), &json!({ "input": input }))
    );

    let mut plan = body();
    plan["ctx"]["disable_immediate_execution"] = json!(true);
    let planned = call(&plain(), &plan).await.json();
    assert_eq!(planned[0]["opts"], json!({ "type": "step.run", "input": input }));
    let targeted = call_step(&plain(), "send", &body()).await.json();
    assert_eq!(targeted[0]["opts"], json!({ "input": input }));

    let mut fails = body();
    fails["event"]["data"] = json!({ "to": "" });
    let failed = call(&plain(), &fails).await.json();
    assert_eq!(
        (&failed[0]["op"], &failed[0]["opts"]["input"][0]["to"]),
        (&json!("StepError"), &json!(""))
    );

    let result = call(&plain(), &body_with(&[("send", done("saved"))])).await;
    assert_eq!((result.status.as_u16(), result.json()), (200, json!("saved")));
}

#[tokio::test]
async fn p154_a_step_runs_again_with_what_was_written() {
    let edited = json!([{ "to": "c@d.example" }]);
    let ran = again(edited.clone()).await;
    assert_eq!(ran.ops(), [("StepRun".into(), "send".into())]);
    assert_eq!(ran.json()[0]["data"], "c@d.example");
    assert_eq!(ran.json()[0]["opts"]["input"], edited, "people see what it ran with");
}

#[tokio::test]
async fn p154_what_was_written_and_does_not_fit_fails_the_step() {
    let message = async |input: Value| {
        let failed = again(input).await;
        assert_eq!((failed.status.as_u16(), failed.no_retry()), (206, Some("true")));
        let error = failed.json()[0]["error"].clone();
        assert_eq!(error["name"], "UnexpectedInput");
        error["message"].as_str().unwrap().to_owned()
    };
    let misfit = message(json!([{ "to": 5 }])).await;
    let expected = "the edited input of step `send` does not fit: at `to`: invalid type: integer `5`, expected a string";
    assert_eq!(misfit, expected);
    let two = message(json!([{ "to": "a" }, 2])).await;
    assert_eq!(
        two,
        "the edited input of step `send` does not fit: it has 2 values, and the step takes one"
    );
}

/// As in the TypeScript SDK.
#[tokio::test]
async fn p154_without_arguments_the_steps_own_input_counts() {
    for none in [json!([]), json!(null), json!({ "to": "c@d.example" })] {
        assert_eq!(again(none.clone()).await.json()[0]["data"], "a@b.example", "{none}");
    }
    let step = serving(dev(), |step, _| {
        Box::pin(async move { Ok(step.run("send", async || Ok(json!("ran"))).await?) })
    });
    let ran = call(&step, &body_with(&[("send", json!({ "input": [1] }))])).await.json();
    assert_eq!((&ran[0]["data"], &ran[0]["opts"]), (&json!("ran"), &Value::Null), "it takes none");
}

#[tokio::test]
async fn an_input_that_cannot_be_sent_is_an_error_of_the_step() {
    let step = serving(dev(), |step, _| {
        Box::pin(async move {
            let large = "x".repeat(4 * 1024 * 1024);
            let sent = step.run_with("large", large, async |_| Ok(1)).await;
            Ok(json!(sent.map_err(|error| (error.name, error.message)).unwrap_err()))
        })
    });
    let error = call(&step, &body()).await.json();
    assert_eq!(error[0], "UnsavableData");
    assert!(error[1].as_str().unwrap().starts_with("the input of step `large` cannot be sent: "));
}

#[tokio::test]
async fn p189_the_input_passes_middleware() {
    let key = "correct horse battery staple";
    let sealing = || {
        let encryption = Encryption::new(key).unwrap();
        mailing(client(dev(), FakeApi::default()).with_middleware(encryption))
    };
    let ran = call(&sealing(), &body()).await;
    assert!(!ran.text.contains("a@b.example"), "{}", ran.text);
    let input = ran.json()[0]["opts"]["input"].clone();
    assert_eq!(input[0]["__ENCRYPTED__"], true);

    // Of what was written, plainly or not, the code is given the same.
    let fails = json!([{ "to": "" }]);
    for (input, op) in [(input, "StepRun"), (fails, "StepError")] {
        let ran = call(&sealing(), &body_with(&[("send", json!({ "input": input }))])).await;
        assert_eq!(ran.ops(), [(op.into(), "send".into())]);
    }
}

/// Its input is the body of the request.
#[tokio::test]
async fn p154_a_model_is_asked_again_with_what_was_written() {
    let asks = serving(dev(), |step, _| {
        Box::pin(async move {
            let body = json!({ "model": "m", "prompt": "hello" });
            let request = AiRequest::new("https://ai.example/", "openai-chat", &body);
            Ok(step.infer("ask", request).await?)
        })
    });
    let edited = json!({ "input": [{ "prompt": "good day", "seed": 1 }] });
    let asked = call(&asks, &body_with(&[("ask", edited)])).await.json();
    assert_eq!(asked[0]["op"], "AIGateway");
    let expected = json!({ "model": "m", "prompt": "good day", "seed": 1 });
    assert_eq!(asked[0]["opts"]["body"], expected);

    let odd = call(&asks, &body_with(&[("ask", json!({ "input": ["x"] }))])).await;
    assert_eq!((odd.status.as_u16(), odd.no_retry()), (400, Some("true")));
    let message = odd.json()["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("the edited input of step `ask` is no JSON object: "), "{message}");
}
