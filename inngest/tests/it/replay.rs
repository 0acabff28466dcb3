//! Lines that a function logs between its steps come once per run, with a filter that asks `is_replaying`.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::{body, body_with, call, call_step, dev, serving};

/// Keeps the messages of events that are no repetition.
#[derive(Clone, Default)]
struct Once(Arc<Mutex<Vec<String>>>);

impl Once {
    fn lines(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Visit for Once {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        if field.name() == "message" {
            self.0.lock().unwrap().push(format!("{value:?}"));
        }
    }
}

impl Subscriber for Once {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == module_path!() && !inngest::is_replaying()
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn logging() -> inngest::Endpoint {
    serving(dev(), |step, _| {
        Box::pin(async move {
            tracing::info!("begin");
            step.run("a", async || {
                tracing::info!("in a");
                Ok(())
            })
            .await?;
            tracing::info!("after a");
            let b = step.run("b", async || {
                tracing::info!("in b");
                Ok(())
            });
            let c = step.run("c", async || Ok(()));
            let (b, c) = futures_util::future::join(b, c).await;
            b.and(c)?;
            tracing::info!("end");
            Ok(Value::Null)
        })
    })
}

#[tokio::test]
async fn a_line_outside_steps_is_logged_once_per_run() {
    let (once, endpoint) = (Once::default(), logging());
    let _guard = tracing::subscriber::set_default(once.clone());
    let done = || json!({ "data": null });

    call(&endpoint, &body()).await;
    assert_eq!(once.lines(), ["begin", "in a"]);
    let after_a = body_with(&[("a", done())]);
    call(&endpoint, &after_a).await;
    assert_eq!(once.lines(), ["after a"]);
    call_step(&endpoint, "b", &after_a).await;
    assert_eq!(once.lines(), ["in b"]);
    call(&endpoint, &body_with(&[("a", done()), ("c", done()), ("b", done())])).await;
    assert_eq!(once.lines(), ["end"]);
    assert!(!inngest::is_replaying());

    // A step that runs again makes what follows it new.
    let again = body_with(&[("a", json!({ "input": [] }))]);
    call(&endpoint, &again).await;
    assert_eq!(once.lines(), ["begin", "in a"]);
}
