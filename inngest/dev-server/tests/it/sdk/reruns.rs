//! P-154: a run that goes on from a step with what a person has written.

use inngest::{Result, Step};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};

use super::steps::{bodies, returns};
use super::world::{MODES, World, eventually};
use crate::world::client;

#[derive(Debug, Serialize, Deserialize)]
struct Mail {
    to: String,
}

/// The programs of these tests; `None` for another one. `ran` notes that a step's body has run.
pub(super) async fn again(
    step: Step<'_>,
    program: &str,
    ran: impl Fn(&str) -> u32,
) -> Result<Option<Value>> {
    Ok(Some(match program {
        "mails" => {
            let before = step.run("before", async || {
                ran("before");
                Ok(1)
            });
            let before = before.await?;
            let mail = Mail { to: "a@b.example".to_owned() };
            let sent = step.run_with("send", mail, async |mail: Mail| {
                ran("send");
                Ok(mail.to)
            });
            json!([before, sent.await?])
        }
        _ => return Ok(None),
    }))
}

#[tokio::test]
async fn a_step_with_an_input_runs_once() {
    for run in returns("mails", json!([1, "a@b.example"])).await {
        assert_eq!(bodies(&run), [("before", 1), ("send", 1)]);
    }
}

#[tokio::test]
#[ignore = "the embedded server runs nothing again; INNGEST_TEST_SERVER names one that does"]
async fn a_step_runs_again_with_what_was_written() {
    let world = World::start().await;
    assert!(world.is_official(), "INNGEST_TEST_SERVER names no server");
    for mode in MODES {
        let first = world.run(mode, "mails").await;
        assert_eq!(first.entry.output, Some(json!([1, "a@b.example"])), "{mode}");
        let edited = json!([{ "to": "c@d.example" }]).to_string();
        let request = json!({
            "query": "mutation($run: ULID!, $step: String!, $input: Bytes) { rerun(runID: $run, fromStep: { stepID: $step, input: $input }) }",
            "variables": { "run": first.id, "step": hex::encode(Sha1::digest("send")), "input": edited },
        });
        let again = eventually("the server knows the trace of the run", async || {
            let url = format!("{}/v0/gql", world.server_url());
            let sent = client().post(url).header("content-type", "application/json");
            let answer = sent.body(request.to_string()).send().await.unwrap().text().await.unwrap();
            let answer: Value = serde_json::from_str(&answer).unwrap();
            answer["data"]["rerun"].as_str().map(str::to_owned)
        });
        let again = again.await;
        let output = eventually("the other run ends", async || world.noted(&again).output).await;
        assert_eq!(output, json!([1, "c@d.example"]), "{mode}");
        assert_eq!(world.noted(&again).bodies.get("before"), None, "it was done before");
    }
    world.end().await;
}
