//! A span for each call and for each step whose code runs, as a subscriber sees them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use inngest::middleware::{CallInfo, Middleware, StepInfo};
use inngest::{Client, Endpoint, Error, Result, ResultExt as _};
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::DefaultGuard;
use tracing::{Id, Subscriber, span};
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::support::{FakeApi, body, body_with, call, call_step, client, dev, done, serving_with};

type Fields = BTreeMap<&'static str, String>;

struct Read<'a>(&'a mut Fields);

impl Visit for Read<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
}

#[derive(Default)]
struct Seen {
    /// Each span that has ended, by the names from the outermost to itself, and its fields.
    ended: Vec<(String, Fields)>,
    /// Each line that was logged by this test, and the spans around it.
    lines: Vec<(String, String)>,
}

#[derive(Clone, Default)]
struct Watching(Arc<Mutex<Seen>>);

fn path<S: Subscriber + for<'a> LookupSpan<'a>>(cx: &Context<'_, S>, id: Option<&Id>) -> String {
    let Some(span) = id.and_then(|id| cx.span(id)) else { return String::new() };
    span.scope().from_root().map(|span| span.name()).collect::<Vec<_>>().join(" > ")
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Watching {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let mut fields = Fields::new();
        attributes.record(&mut Read(&mut fields));
        cx.span(id).unwrap().extensions_mut().insert(fields);
    }
    fn on_record(&self, id: &Id, values: &span::Record<'_>, cx: Context<'_, S>) {
        let span = cx.span(id).unwrap();
        values.record(&mut Read(span.extensions_mut().get_mut().unwrap()));
    }
    fn on_event(&self, event: &tracing::Event<'_>, cx: Context<'_, S>) {
        if event.metadata().target().starts_with("it::") {
            let mut fields = Fields::new();
            event.record(&mut Read(&mut fields));
            let inside = path(&cx, cx.current_span().id());
            self.0.lock().unwrap().lines.push((fields["message"].clone(), inside));
        }
    }
    fn on_close(&self, id: Id, cx: Context<'_, S>) {
        let fields = cx.span(&id).unwrap().extensions_mut().remove().unwrap();
        let path = path(&cx, Some(&id));
        self.0.lock().unwrap().ended.push((path, fields));
    }
}

impl Watching {
    fn begin(&self) -> DefaultGuard {
        tracing::subscriber::set_default(tracing_subscriber::registry().with(self.clone()))
    }

    /// The fields of the steps that have ended, without those that every one has.
    fn steps(&self) -> Vec<String> {
        let ended = std::mem::take(&mut self.0.lock().unwrap().ended);
        let steps = ended.into_iter().filter(|(path, _)| path.ends_with("step"));
        let shown = |(_, fields): (String, Fields)| {
            assert_eq!(fields["function"], "fn");
            assert_eq!(fields["run_id"], "01M81HWYV2KTK2RAPW4NVTQ3GA");
            assert!(fields["duration_ms"].parse::<u64>().is_ok());
            format!("{} {} {}", fields["step"], fields["attempt"], fields["outcome"])
        };
        steps.map(shown).collect()
    }

    fn lines(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.0.lock().unwrap().lines)
    }
}

fn line(text: &str, inside: &str) -> (String, String) {
    (text.to_owned(), inside.to_owned())
}

/// Two steps with a line in each, and one between them.
fn logging(client: Client) -> Endpoint {
    serving_with(client, |step, _| {
        Box::pin(async move {
            let a: Value = step
                .run("a", async || {
                    tracing::info!("in a");
                    tokio::task::yield_now().await;
                    tracing::info!("still in a");
                    Ok(json!(1))
                })
                .await?;
            tracing::info!("between");
            step.run("b", async || Ok(json!([a]))).await.map_err(Error::from)
        })
    })
}

#[tokio::test]
async fn a_step_has_a_span_around_what_it_does() {
    let (seen, endpoint) = (Watching::default(), logging(client(dev(), FakeApi::default())));
    let _watching = seen.begin();
    call(&endpoint, &body()).await;
    assert_eq!(seen.lines(), [line("in a", "call > step"), line("still in a", "call > step")]);
    assert_eq!(seen.steps(), ["a 0 completed"]);

    let mut again = body_with(&[("a", done(1))]);
    again["ctx"]["attempt"] = json!(2);
    call(&endpoint, &again).await;
    assert_eq!(seen.lines(), [line("between", "call")]);
    assert_eq!(seen.steps(), ["b 2 completed"], "a step that was done has no code to show");
}

#[tokio::test(start_paused = true)]
async fn the_span_says_what_came_of_the_step() {
    let seen = Watching::default();
    let _watching = seen.begin();
    let endpoint = serving_with(client(dev(), FakeApi::default()), |step, data| {
        Box::pin(async move {
            let code = step.run("a", async || match data["n"].as_u64() {
                Some(1) => Err("no".into()),
                Some(2) => Err("never").no_retry(),
                Some(3) => panic!("unlucky"),
                _ => std::future::pending().await,
            });
            let code = tokio::time::timeout(Duration::from_secs(60), code).await;
            Ok(code.unwrap_or(Ok(Value::Null))?)
        })
    });
    for (n, outcome) in [(1, "failed"), (2, "failed_finally"), (3, "failed"), (4, "dropped")] {
        let mut body = body();
        body["event"]["data"]["n"] = json!(n);
        call(&endpoint, &body).await;
        assert_eq!(seen.steps(), [format!("a 0 {outcome}")]);
    }
}

/// Without this the log of a step that the server has asked for would name no step: the way to it is a replay.
#[tokio::test]
async fn a_filter_of_replays_leaves_the_spans_of_steps() {
    let (seen, endpoint) = (Watching::default(), logging(client(dev(), FakeApi::default())));
    let once = seen.clone().with_filter(dynamic_filter_fn(|_, _| !inngest::is_replaying()));
    let _watching = tracing::subscriber::set_default(tracing_subscriber::registry().with(once));
    call_step(&endpoint, "b", &body_with(&[("a", done(1))])).await;
    assert_eq!(seen.steps(), ["b 0 completed"]);
    assert_eq!(seen.lines(), [], "the line between the steps was logged before");
}

#[tokio::test]
async fn hooks_of_a_step_are_in_its_span() {
    struct Telling;
    impl Middleware for Telling {
        fn before_step(&self, _: &CallInfo<'_>, _: &StepInfo<'_>) {
            tracing::info!("before");
        }
        fn after_step(&self, _: &CallInfo<'_>, _: &StepInfo<'_>, _: Duration) {
            tracing::info!("after");
        }
        fn before_execution(&self, _: &CallInfo<'_>) {
            tracing::info!("call");
        }
    }
    let seen = Watching::default();
    let _watching = seen.begin();
    let client = client(dev(), FakeApi::default()).with_middleware(Telling);
    let endpoint = serving_with(client, |step, _| {
        Box::pin(async move { Result::Ok(step.run("a", async || Ok(json!(1))).await?) })
    });
    call(&endpoint, &body()).await;
    let step = |text| line(text, "call > step");
    assert_eq!(seen.lines(), [line("call", "call"), step("before"), step("after")]);
}

#[tokio::test]
async fn quiet_logs_make_no_span() {
    let (seen, endpoint) = (Watching::default(), logging(client(dev(), FakeApi::default())));
    let quiet = tracing_subscriber::registry().with(LevelFilter::WARN).with(seen.clone());
    let _watching = tracing::subscriber::set_default(quiet);
    call(&endpoint, &body()).await;
    assert!(seen.0.lock().unwrap().ended.is_empty());
}
