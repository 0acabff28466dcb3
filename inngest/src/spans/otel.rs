//! What OpenTelemetry wants of a span beyond its fields.

use std::str::FromStr as _;

use http::HeaderMap;
use opentelemetry::trace::{
    SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Makes the server's span the parent of a call's. Where no layer of `tracing-opentelemetry` listens, nothing happens.
pub(super) fn begin_call(span: &Span, function: &str, headers: &HeaderMap) {
    span.record("otel.name", function);
    span.record("otel.kind", "server");
    if let Some(parent) = remote_parent(headers) {
        let parent = opentelemetry::Context::new().with_remote_span_context(parent);
        let _ = span.set_parent(parent);
    }
}

pub(super) fn failed(span: &Span, why: &str) {
    span.set_status(Status::error(why.to_owned()));
}

/// The span that `traceparent` names, as the W3C's Trace Context writes it.
fn remote_parent(headers: &HeaderMap) -> Option<SpanContext> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let mut parts = text("traceparent")?.split('-');
    let [version, trace, span, flags] =
        [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    // The first version has these four parts and no more; later ones may add some.
    if !is_hex(version, 2) || version == "ff" || (version == "00" && parts.next().is_some()) {
        return None;
    }
    if !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let state = text("tracestate").and_then(|state| TraceState::from_str(state).ok());
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    let parent = SpanContext::new(trace, span, flags, true, state.unwrap_or_default());
    parent.is_valid().then_some(parent)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::remote_parent;

    const TRACE: &str = "3b97412f0aa0f47e80757159b60c73e4";
    const SPAN: &str = "8b328b34c67d597e";

    fn headers(traceparent: &str) -> HeaderMap {
        HeaderMap::from_iter([("traceparent".parse().unwrap(), traceparent.parse().unwrap())])
    }

    #[test]
    fn the_header_names_the_parent() {
        let mut headers = headers(&format!("00-{TRACE}-{SPAN}-01"));
        headers.insert("tracestate", "inngest@fn=1,other=2".parse().unwrap());
        let parent = remote_parent(&headers).unwrap();
        assert_eq!(parent.trace_id().to_string(), TRACE);
        assert_eq!(parent.span_id().to_string(), SPAN);
        assert!(parent.is_remote() && parent.is_sampled());
        assert_eq!(parent.trace_state().get("inngest@fn"), Some("1"));
    }

    #[test]
    fn what_cannot_be_read_is_no_parent() {
        let zero = "0".repeat(32);
        for bad in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{zero}-{SPAN}-01"),
            format!("00-+{}-{SPAN}-01", &TRACE[1..]),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
        ] {
            assert!(remote_parent(&headers(&bad)).is_none(), "{bad}");
        }
        let later = headers(&format!("01-{TRACE}-{SPAN}-00-more"));
        assert!(remote_parent(&later).is_some_and(|parent| !parent.is_sampled()));
    }
}
