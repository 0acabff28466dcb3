//! Prints the trace of a run with its steps, as `OpenTelemetry` has it. No network, no server:
//!
//! `cargo run -p inngest --example trace --features otel,testing`
//!
//! The layer and the provider are those of any program; it is the exporter that writes to standard output. The test kit
//! stands in for the server, whose span is the parent of each call.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use inngest::{Config, Event, EventData, Result, Step};
use opentelemetry::trace::{Status, TracerProvider as _};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use serde_json::json;
use tracing_subscriber::layer::SubscriberExt as _;

#[derive(serde::Deserialize)]
struct Order {
    amount: u32,
}

impl EventData for Order {
    const NAME: &'static str = "shop/order.placed";
}

async fn order(event: Event<Order>, step: Step<'_>) -> Result<u32> {
    step.run("reserve", async || Ok(())).await?;
    let amount = event.data.amount;
    let charged = step.run("charge", async || {
        // Spans of a client, of a database: they are children of the step's.
        tracing::info_span!("POST /charges").in_scope(|| tracing::info!(amount, "charging"));
        Ok(amount)
    });
    let charged = charged.await?;
    step.run("mail", async || Err::<(), _>("no mail server".into())).await?;
    Ok(charged)
}

/// Keeps the spans, to be printed when all are there.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(batch);
        Ok(())
    }
}

/// Runs the function and returns its trace, a line for each span.
pub(crate) async fn traced() -> std::result::Result<String, Box<dyn Error>> {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

    let function = Config::id("order").retries(0).run(order);
    inngest::testing::run(function).event(json!({ "amount": 5 })).await;

    provider.force_flush()?;
    let spans = kept.0.lock().unwrap_or_else(PoisonError::into_inner);
    let known: Vec<_> = spans.iter().map(|span| span.span_context.span_id()).collect();
    let mut text = String::new();
    // The calls, in the order in which they ended: their parents are spans of the server.
    for span in spans.iter().filter(|span| !known.contains(&span.parent_span_id)) {
        text += &format!("trace {} span {}\n", span.span_context.trace_id(), span.parent_span_id);
        write(span, &spans, 1, &mut text);
    }
    Ok(text)
}

fn write(span: &SpanData, all: &[SpanData], depth: usize, text: &mut String) {
    let outcome = span.attributes.iter().find(|attribute| attribute.key.as_str() == "outcome");
    let outcome = outcome.map(|attribute| format!(" {}", attribute.value)).unwrap_or_default();
    let status = match &span.status {
        Status::Error { description } => format!(" error: {description}"),
        _ => String::new(),
    };
    *text += &format!("{}{}{outcome}{status}\n", "  ".repeat(depth), span.name);
    let own = span.span_context.span_id();
    for child in all.iter().filter(|child| child.parent_span_id == own) {
        write(child, all, depth + 1, text);
    }
}

#[tokio::main(flavor = "current_thread")]
#[expect(clippy::print_stdout, reason = "it is what the example is for")]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    print!("{}", traced().await?);
    Ok(())
}
