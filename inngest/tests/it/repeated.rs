//! P-148: ids that repeat in branches of a function. Their numbers are the same in every call, or the run ends.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Either, join, join_all, select, try_join_all};
use inngest::{Client, Endpoint, Result, Step};
use serde_json::{Value, json};

use crate::simulator::{CheckpointApi, Choices, Server};
use crate::support::{body, body_with, call, call_step, clock, dev, done, serving_with};

const ORDERS: usize = 1_000;
const NAP: Duration = Duration::from_secs(5);

type Program = for<'a> fn(Step<'a>) -> BoxFuture<'a, Result<Value>>;

fn endpoint(program: Program, api: CheckpointApi) -> Endpoint {
    let client = Client::with_sources(dev(), api, clock(), |_| ());
    serving_with(client, move |step, _| program(step))
}

/// Makes its step only when it is polled.
async fn ask(step: Step<'_>, whom: &str) -> Result<Value> {
    let whom = whom.to_owned();
    Ok(step.run("ask", async || Ok(json!(whom))).await?)
}

macro_rules! program {
    (|$step:ident| $body:expr) => {
        |$step: Step<'_>| async move { $body }.boxed()
    };
}

static RAN: AtomicUsize = AtomicUsize::new(0);

async fn run(step: Step<'_>, id: &str) -> Result<usize> {
    Ok(step.run(id, async || Ok(RAN.fetch_add(1, Ordering::SeqCst))).await?)
}

#[tokio::test]
async fn p148_branches_of_a_select_with_one_id_end_the_run_before_anything_runs() {
    let unsteady: [(&str, Program); 6] = [
        (
            "one piece of code, called in two branches",
            program!(|step| Ok(json!(
                tokio::select! { a = run(step, "ask") => a?, b = run(step, "ask") => b? }
            ))),
        ),
        (
            "two pieces of code",
            program!(|step| Ok(json!(tokio::select! {
                a = async { step.run("ask", async || Ok(RAN.fetch_add(1, Ordering::SeqCst))).await } => a?,
                b = async { step.run("ask", async || Ok(RAN.fetch_add(1, Ordering::SeqCst))).await } => b?,
            }))),
        ),
        (
            "of several kinds, beside others",
            program!(|step| Ok(json!(tokio::select! {
                () = async { step.sleep("ask", NAP).await } => 0,
                other = run(step, "other") => other?,
                a = run(step, "ask") => a?,
            }))),
        ),
        (
            "deep inside",
            program!(|step| Ok(json!(tokio::select! {
                (a, _) = async { tokio::join!(run(step, "ask"), run(step, "other")) } => a?,
                b = try_join_all([run(step, "ask"), run(step, "ask")]) => b?[0],
            }))),
        ),
        (
            "an id that looks like the number of another",
            program!(|step| {
                let _first: Value = step.run("ask", async || Ok(json!(0))).await?;
                Ok(json!(
                    tokio::select! { a = run(step, "ask") => a?, b = run(step, "ask:1") => b? }
                ))
            }),
        ),
        (
            "in the order in which something comes that is no step",
            program!(|step| {
                let late = async {
                    let mut come = false;
                    poll_fn(|cx| match std::mem::replace(&mut come, true) {
                        true => Poll::Ready(()),
                        false => {
                            cx.waker().wake_by_ref();
                            Poll::Pending
                        }
                    })
                    .await;
                    run(step, "ask").await
                };
                let (late, soon) = join(late, run(step, "ask")).await;
                Ok(json!([late?, soon?]))
            }),
        ),
    ];
    for (what, program) in unsteady {
        let endpoint = endpoint(program, CheckpointApi::default());
        let call_body = match what.starts_with("an id that looks") {
            true => body_with(&[("ask", done(0))]),
            false => body(),
        };
        for _ in 0..ORDERS / 5 {
            let ended = call(&endpoint, &call_body).await;
            assert_eq!((ended.status.as_u16(), ended.no_retry()), (400, Some("true")), "{what}");
            let message = ended.json()["message"].as_str().unwrap().to_owned();
            assert!(message.contains("the same id `ask"), "{what}: {message}");
        }
        let asked = call_step(&endpoint, "ask:1", &call_body).await;
        assert_eq!((asked.status.as_u16(), asked.no_retry()), (400, Some("true")), "{what}");
    }
    assert_eq!(RAN.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn p148_branches_in_a_fixed_order_keep_their_numbers() {
    let steady: [(&str, Program, Value); 10] = [
        (
            "join! of tokio, which begins with another branch at each poll",
            program!(|step| all(<[_; 2]>::from(tokio::join!(ask(step, "a"), ask(step, "b"))))),
            json!(["a", "b"]),
        ),
        (
            "several of them",
            program!(|step| {
                let ((a, b), (c, d, e)) =
                    tokio::join!(async { tokio::join!(ask(step, "a"), ask(step, "b")) }, async {
                        tokio::join!(ask(step, "c"), ask(step, "d"), ask(step, "e"))
                    },);
                all([a, b, c, d, e])
            }),
            json!(["a", "b", "c", "d", "e"]),
        ),
        (
            "join_all",
            program!(|step| all(join_all(["a", "b", "c"].map(|whom| ask(step, whom))).await)),
            json!(["a", "b", "c"]),
        ),
        (
            "join_all of so many that it polls only those that were woken",
            program!(|step| {
                let names: Vec<_> = (0..31).map(|n| n.to_string()).collect();
                let answers = join_all(names.iter().map(|name| ask(step, name))).await;
                all(answers).map(|answers| json!(answers == json!(names)))
            }),
            json!(true),
        ),
        (
            "select! that is biased",
            program!(|step| Ok(tokio::select! {
                biased;
                both = async { join(ask(step, "a"), ask(step, "b")).await } => all(<[_; 2]>::from(both))?,
                () = std::future::pending() => json!(0),
            })),
            json!(["a", "b"]),
        ),
        (
            "select of the futures crate",
            program!(|step| {
                let raced = select(Box::pin(ask(step, "a")), Box::pin(ask(step, "b"))).await;
                Ok(match raced {
                    Either::Left((a, b)) => json!([a?, b.await?]),
                    Either::Right((b, a)) => json!([a.await?, b?]),
                })
            }),
            json!(["a", "b"]),
        ),
        (
            "steps made in a row, and polled in any order",
            program!(|step| {
                let (mut a, mut b) = (Box::pin(ask_now(step, "a")), Box::pin(ask_now(step, "b")));
                Ok(tokio::select! {
                    first = &mut a => json!([first?, b.await?]),
                    second = &mut b => json!([a.await?, second?]),
                })
            }),
            json!(["a", "b"]),
        ),
        (
            "branches of a select! after each other, by what was saved",
            program!(|step| {
                let late = async {
                    step.sleep("nap", NAP).await;
                    ask(step, "b").await
                };
                let (mut soon, mut late) = (Box::pin(ask(step, "a")), Box::pin(late));
                Ok(tokio::select! {
                    first = &mut soon => json!([first?, late.await?]),
                    second = &mut late => json!([soon.await?, second?]),
                })
            }),
            json!(["a", "b"]),
        ),
        (
            "one branch alone",
            program!(|step| {
                let twice = async { all([ask(step, "a").await, ask(step, "b").await]) };
                tokio::select! { both = twice => both, () = std::future::pending() => Ok(json!(0)) }
            }),
            json!(["a", "b"]),
        ),
        (
            "an id of its own for each branch of a select!",
            program!(|step| {
                let (mut a, mut b) = (Box::pin(named(step, "a")), Box::pin(named(step, "b")));
                Ok(tokio::select! {
                    first = &mut a => json!([first?, b.await?]),
                    second = &mut b => json!([a.await?, second?]),
                })
            }),
            json!(["a", "b"]),
        ),
    ];
    for (what, program, expected) in steady {
        for order in 0..ORDERS / 20 {
            let choices = (0..100).map(|n| ((order * 131 + n * (order + 7)) >> 3) as u8).collect();
            let api = CheckpointApi::default();
            let endpoint = endpoint(program, api.clone());
            let ended = Server::new(&endpoint, api, Choices::new(choices)).run().await;
            assert_eq!(ended, Ok(expected.clone()), "{what}, order {order}");
        }
    }
}

/// Makes its step when it is called.
fn ask_now<'a>(step: Step<'a>, whom: &'a str) -> impl Future<Output = Result<Value>> + use<'a> {
    let asked = step.run("ask", async move || Ok(json!(whom)));
    async move { Ok(asked.await?) }
}

async fn named(step: Step<'_>, whom: &str) -> Result<Value> {
    Ok(step.run(&format!("ask-{whom}"), async || Ok(json!(whom))).await?)
}

fn all(answers: impl IntoIterator<Item = Result<Value>>) -> Result<Value> {
    answers.into_iter().collect::<Result<Vec<_>>>().map(Value::from)
}
