//! The functions under test: one that does what its event says, and those that it invokes.

use std::time::Duration;

use futures_util::future::try_join_all;
use inngest::{
    CancelOn, Checkpointing, Config, Context, Error, Event, EventData, Expression, Failure,
    FailureContext, Function, NewEvent, OnFailure, Result, ResultExt as _, StepError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::expressions::TEXTS;
use super::journal::Journal;
use super::reruns::again;
use super::sizes::large;
use super::slow::slow;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) program: String,
    /// Differs from order to order.
    pub(crate) key: String,
    /// Where the app listens.
    pub(crate) origin: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Plain(Order);

impl EventData for Plain {
    const NAME: &'static str = "e2e/plain";
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Checkpointed(Order);

impl EventData for Checkpointed {
    const NAME: &'static str = "e2e/checkpointed";
}

/// What a run waits for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) key: String,
    pub(crate) n: u32,
}

impl EventData for Answer {
    const NAME: &'static str = "e2e/answer";
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Said {
    text: String,
}

impl EventData for Said {
    const NAME: &'static str = "e2e/said";
}

pub(crate) struct PlainProgram(pub(crate) Journal);

impl Function for PlainProgram {
    type Event = Plain;
    type Output = Value;
    type OnFailure = Self;

    fn config() -> Config {
        Config::id("plain").retries(2).cancel_on(cancel_on())
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let output = perform(&self.0, &cx, &cx.event.data.0).await?;
        self.0.returns(cx.run.id, &output);
        Ok(output)
    }
}

pub(crate) struct CheckpointedProgram(pub(crate) Journal);

impl Function for CheckpointedProgram {
    type Event = Checkpointed;
    type Output = Value;
    type OnFailure = Self;

    fn config() -> Config {
        let config = Config::id("checkpointed").retries(2).cancel_on(cancel_on());
        config.checkpointing(Checkpointing::new())
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<Value> {
        let output = perform(&self.0, &cx, &cx.event.data.0).await?;
        self.0.returns(cx.run.id, &output);
        Ok(output)
    }
}

fn cancel_on() -> CancelOn {
    CancelOn::named("e2e/cancel").same("data.key")
}

impl OnFailure for PlainProgram {
    async fn on_failure(&self, cx: FailureContext<'_, Self>) -> Result<()> {
        note_failure(&self.0, &cx.failure)
    }
}

impl OnFailure for CheckpointedProgram {
    async fn on_failure(&self, cx: FailureContext<'_, Self>) -> Result<()> {
        note_failure(&self.0, &cx.failure)
    }
}

fn note_failure<E>(journal: &Journal, failure: &Failure<E>) -> Result<()> {
    let error = &failure.error;
    journal.failed(&failure.run_id, json!([error.name, error.message, error.data, error.cause]));
    Ok(())
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Number {
    n: i64,
}

impl EventData for Number {
    const NAME: &'static str = "e2e/number";
}

/// Doubles its number; refuses negative ones.
pub(crate) struct Double;

impl Function for Double {
    type Event = Number;
    type Output = i64;
    type OnFailure = ();

    fn config() -> Config {
        Config::id("double")
    }

    async fn run(&self, cx: Context<'_, Self>) -> Result<i64> {
        let n = cx.event.data.n;
        if n < 0 {
            return Err("negative").no_retry();
        }
        Ok(cx.step.run("double", async || Ok(2 * n)).await?)
    }
}

async fn perform<F: Function>(
    journal: &Journal,
    cx: &Context<'_, F>,
    order: &Order,
) -> Result<Value> {
    let (step, run) = (cx.step, cx.run.id);
    let ran = |id: &str| journal.body(run, id);
    let value = async |id: &'static str, value: i64| -> Result<i64, StepError> {
        step.run(id, async || {
            ran(id);
            Ok(value)
        })
        .await
    };
    Ok(match order.program.as_str() {
        "serial" => {
            let a = value("a", 1).await?;
            step.sleep("nap", Duration::from_millis(50)).await;
            let b = value("b", a + 1).await?;
            json!([a, b, value("b", b + 1).await?])
        }
        "numbers" => {
            let saved =
                step.run("saved", async || Ok(json!([1.0, { "b": -0.0, "a": 1e21 }]))).await?;
            json!({ "saved": saved, "own": 2.0 })
        }
        "who" => json!([cx.event.user, cx.event.v, cx.event.ts]),
        "text of an object" => json!(r#"{"a":1.0}"#),
        "parallel" => {
            let nap = step.sleep("nap", Duration::from_millis(50));
            let (a, b, ()) = tokio::join!(value("a", 1), value("b", 2), nap);
            json!([a?, b?, value("c", 3).await?])
        }
        "race" => {
            let step = step.race();
            tokio::select! {
                fast = step.run("fast", async || Ok("fast".to_owned())) => json!(fast?),
                () = step.sleep("slow", Duration::from_secs(3600)) => json!("slow"),
            }
        }
        "caught" => {
            let failed = step.run::<Value, _>("fails", async || {
                ran("fails");
                Err("no such order").no_retry()
            });
            let error = failed.await.err().map(|error| (error.step_id, error.message));
            json!([error, value("after", 1).await?])
        }
        "retries" => {
            let tries = step.run("flaky", async || match ran("flaky") {
                1 => Err("not yet".into()),
                tries => Ok(tries),
            });
            let tries = tries.await?;
            // Also the function itself fails once.
            if ran("function") == 1 {
                return Err("not yet".into());
            }
            json!(tries)
        }
        "gives up" => {
            let failed = step.run::<Value, _>("fails", async || {
                ran("fails");
                Err("never".into())
            });
            json!(failed.await.err().map(|error| error.message))
        }
        "own limit" => {
            // The first delivery fails before the step, and says nothing of it.
            if ran("function") == 1 {
                return Err("not yet".into());
            }
            let fails = async |id: &'static str| {
                let failed = step.max_attempts(2).run::<Value, _>(id, async || {
                    ran(id);
                    Err("no".into())
                });
                failed.await.err().map(|error| error.message)
            };
            json!([fails("late").await, fails("next").await])
        }
        "fails" => {
            value("a", 1).await?;
            let error = Error::from("out of stock").named("OutOfStock").no_retry();
            return Err(error.with_data(json!({"left": 0})));
        }
        "sleeps" => {
            value("a", 1).await?;
            step.sleep("for long", Duration::from_secs(3600)).await;
            json!("awake")
        }
        "waits" => {
            let event = step.wait_for_event::<Answer>("wait").matching("data.key");
            let event = event.timeout(Duration::from_secs(60)).await?;
            json!(event.map(|event| event.data.n))
        }
        "waits on a field that both lack" => {
            let condition =
                "event.data.absent == async.data.absent && event.data.key == async.data.key";
            let event = step.wait_for_event::<Answer>("wait").when(condition);
            let event = event.timeout(Duration::from_secs(60)).await?;
            json!(event.map(|event| event.data.n))
        }
        "waits for values" => {
            let wait = |id: String, text: &str| {
                let condition = "async.data.key == $key && async.data.text == $text && async.data.n == $n && $a in \
                                 async.data.list";
                let condition =
                    Expression::new(condition).with("key", &order.key).with("text", text);
                let condition = condition.with("n", -5).with("a", "a");
                step.wait_for_event::<Said>(&id).when(condition)
            };
            let waits = TEXTS
                .iter()
                .enumerate()
                .map(|(n, text)| wait(format!("wait-{n}"), text).timeout(Duration::from_secs(60)));
            let said = try_join_all(waits).await?;
            let code = wait("code".to_owned(), "x' || 'a' == 'a").timeout(Duration::from_secs(3));
            let text = |event: Option<Event<Said>>| event.map(|event| event.data.text);
            json!([said.into_iter().map(text).collect::<Vec<_>>(), text(code.await?)])
        }
        "matches a field that both lack" => {
            let absent = step.wait_for_event::<Said>("absent").matching("data.absent");
            let present = step.wait_for_event::<Said>("present").matching("data.key");
            let absent = absent.timeout(Duration::from_secs(3)).await?;
            let present = present.timeout(Duration::from_secs(60)).await?;
            let text = |event: Option<Event<Said>>| event.map(|event| event.data.text);
            json!([text(absent), text(present)])
        }
        "waits for no event" => {
            let event = step.wait_for_event::<Answer>("wait").when("async.data.n == -1");
            json!(event.timeout(Duration::from_millis(200)).await?.is_none())
        }
        "signal" => {
            let signal = step.wait_for_signal::<Value>("wait", format!("e2e/{}", order.key));
            json!(signal.timeout(Duration::from_secs(60)).await?)
        }
        "invokes" => {
            let good = step.invoke::<Double>("good", &Number { n: 21 }).await?;
            let bad = step.invoke::<Double>("bad", &Number { n: -1 }).await;
            let unknown = step.invoke_id::<Value>("unknown", "e2e-unknown", &()).await;
            // It returns a number.
            let other = step.invoke_id::<String>("other", "e2e-double", &Number { n: 1 }).await;
            let message = |failed: StepError| failed.message;
            let other = other.err().map(|failed| failed.name);
            json!([good, bad.err().map(message), unknown.err().map(message), other])
        }
        "sends" => {
            let event = NewEvent::named("e2e/unused", json!({"key": order.key}));
            json!(step.send_event("send", vec![event.clone(), event]).await?.len())
        }
        "fetches" => {
            let url = format!("{}/api/inngest", order.origin);
            let answer = step.fetch("get", url).method(http::Method::GET).await?;
            json!([answer.status, answer.json::<Value>()?["mode"]])
        }
        "big" => {
            let mut lengths = Vec::new();
            for id in ["a", "b"] {
                let text = step.run(id, async || {
                    ran(id);
                    Ok("x".repeat(2_200_000))
                });
                lengths.push(text.await?.len());
            }
            json!(lengths)
        }
        other => {
            if let Some(output) = large(step, other, ran).await? {
                return Ok(output);
            }
            if let Some(output) = again(step, other, ran).await? {
                return Ok(output);
            }
            match slow(step, other, ran).await? {
                Some(output) => output,
                None => return Err(format!("no program {other:?}")).no_retry(),
            }
        }
    })
}
