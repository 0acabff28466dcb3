//! Where the logs go.

mod failures;
mod line;
mod tally;

use std::io::{IsTerminal as _, stderr};

use tracing::Subscriber;
use tracing_subscriber::filter::{DynFilterFn, EnvFilter};
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

pub(crate) use failures::LogFailures;
use line::JsonLines;
pub(crate) use tally::Tally;

/// What is logged and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogSettings {
    /// The form, if it is to be a certain one; else pretty on a terminal and JSON elsewhere.
    pub format: Option<LogFormat>,
    /// What is logged, in the words of `RUST_LOG`.
    pub filter: String,
}

/// The form of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Pretty,
    /// For machines: one JSON object a line.
    Json,
}

/// Sends the logs to standard error, from now on and for the whole process: standard output belongs to what a
/// command answers. A second call changes nothing.
pub(crate) fn start(settings: &LogSettings) {
    let filter = EnvFilter::try_new(&settings.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = stderr().is_terminal();
    let default = if terminal { LogFormat::Pretty } else { LogFormat::Json };
    let registry = tracing_subscriber::registry().with(filter);
    // Fails when a subscriber is set already, and then the logs go there.
    let _ = match settings.format.unwrap_or(default) {
        LogFormat::Pretty => {
            let layer = layer().with_writer(stderr).with_target(false);
            // The default knows NO_COLOR, but not what is a terminal.
            let layer = if terminal { layer } else { layer.with_ansi(false) };
            registry.with(layer.with_filter(once())).try_init()
        }
        LogFormat::Json => registry.with(json(stderr)).try_init(),
    };
    log_panics();
}

/// One object a line.
fn json<S, W>(writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    JsonLines(writer).with_filter(once())
}

/// What the SDK says of failures quotes errors, and these may quote a deal. [`LogFailures`] says it without.
const QUOTES_ERRORS: &str = "inngest::endpoint::outcome";

/// A function begins anew in every call of its run: what it has said before is not said again. Its spans begin anew too, and
/// hold what is said for the first time.
fn once<S: Subscriber>() -> DynFilterFn<S> {
    DynFilterFn::new(|metadata, _| {
        metadata.is_span() || !inngest::is_replaying() && metadata.target() != QUOTES_ERRORS
    })
}

/// A panic is a line like all others, and says where it was. Its own words may quote what the code had in hand.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "a task has panicked: this is a bug");
    }));
}

#[cfg(test)]
mod tests;
