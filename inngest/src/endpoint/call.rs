//! `POST`: one call of one function.

use std::collections::HashMap;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, StatusCode, Uri};
use serde_json::value::RawValue;

use super::outcome::answer;
use super::reply::Reply;
use super::request::{self, CallRequest};
use super::run_state::Part;
use super::trust::Trusted;
use super::{Endpoint, Served};
use crate::Run;
use crate::engine::{CallState, Dispatch, Memo, drive};
use crate::function::Given;
use crate::middleware::{CallInfo, Chain, Input};

/// Where a trace goes on; repeated in the answer (P-040).
const TRACE_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("traceparent"), HeaderName::from_static("tracestate")];

/// What the URL of a call says (P-101).
#[derive(Default)]
struct CallQuery {
    function_id: Option<String>,
    step_id: Option<String>,
    probe: Option<String>,
}

impl CallQuery {
    fn of(uri: &Uri) -> Self {
        let mut query = Self::default();
        for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        {
            let slot = match &*name {
                "fnId" => &mut query.function_id,
                "stepId" => &mut query.step_id,
                "probe" => &mut query.probe,
                _ => continue,
            };
            slot.get_or_insert_with(|| value.into_owned());
        }
        query
    }
}

impl Endpoint {
    pub(super) async fn call(&self, parts: &Parts, trusted: &Trusted<'_>) -> Reply {
        let query = CallQuery::of(&parts.uri);
        let reply = match query.probe.as_deref() {
            None => self.trusted_call(&query, parts, trusted).await,
            // Cloud asks whether this app holds the key; the signature of the answer says so (P-061).
            Some("trust") => Reply::raw(StatusCode::OK, "{}"),
            Some(_) => Reply::message(StatusCode::BAD_REQUEST, "unknown probe"),
        };
        let traced =
            TRACE_HEADERS.iter().fold(reply, |reply, name| match parts.headers.get(name) {
                Some(value) => reply.header(name.clone(), value),
                None => reply,
            });
        traced.signed_by(trusted.signed_by)
    }

    async fn trusted_call(&self, query: &CallQuery, parts: &Parts, trusted: &Trusted<'_>) -> Reply {
        let Some(function_id) = query.function_id.as_deref() else {
            return Reply::retriable("the call names no function: `fnId` is missing in its URL");
        };
        // Retriable: during a deployment old and new instances answer side by side (P-101).
        let Some(served) = self.function(function_id) else {
            return Reply::retriable(&format!("function not found: {function_id}"));
        };
        let request: CallRequest<'_> = match serde_json::from_slice(trusted.body) {
            Ok(request) => request,
            Err(error) => return Reply::retriable(&format!("the call cannot be read: {error}")),
        };
        let span = tracing::info_span!(
            "call",
            function = served.function.id(),
            run_id = %request.ctx.run_id,
            attempt = request.ctx.attempt
        );
        let step_id = query.step_id.as_deref();
        let call = Call { served, step_id, parts, body: trusted.body, request: &request };
        tracing::Instrument::instrument(self.with_state(&call), span).await
    }

    /// Completes the request with what had to be fetched.
    async fn with_state(&self, call: &Call<'_>) -> Reply {
        let request = call.request;
        let (mut fetched_steps, mut fetched_events) = (Bytes::new(), Bytes::new());
        let has_events = request.events.as_ref().is_some_and(|events| !events.is_empty());
        if request.state_is_elsewhere() {
            let run_id = &request.ctx.run_id;
            match self.fetch_state(run_id, Part::Steps).await {
                Ok(body) => fetched_steps = body,
                Err(error) => return Reply::retriable(&error),
            }
            if !has_events && request.event.is_none() {
                match self.fetch_state(run_id, Part::Events).await {
                    Ok(body) => fetched_events = body,
                    Err(error) => return Reply::retriable(&error),
                }
            }
        }
        let steps = if fetched_steps.is_empty() {
            Ok(request.steps.clone())
        } else {
            serde_json::from_slice(&fetched_steps).map(Some)
        };
        let events: Result<Vec<&RawValue>, _> = if fetched_events.is_empty() {
            Ok(request.events.clone().unwrap_or_default())
        } else {
            serde_json::from_slice(&fetched_events)
        };
        let (steps, events) = match (steps, events) {
            (Ok(steps), Ok(events)) => (steps.unwrap_or_default(), events),
            (Err(error), _) | (_, Err(error)) => {
                return Reply::retriable(&format!("the fetched state cannot be read: {error}"));
            }
        };
        let Some(event) = request.event.or_else(|| events.first().copied()) else {
            return Reply::retriable("the call has no event");
        };
        // Older servers send the event alone (T12).
        let events = if events.is_empty() { vec![event] } else { events };
        let run = Run {
            id: &request.ctx.run_id,
            attempt: request.ctx.attempt,
            max_attempts: request.ctx.max_attempts,
            traceparent: call.parts.headers.get("traceparent").and_then(|v| v.to_str().ok()),
        };
        let client = &self.inner.client;
        let chain = Chain { client: client.middleware(), function: &call.served.middleware };
        let mut info = CallInfo {
            request: call.parts,
            body: call.body,
            function_id: &call.served.id,
            run,
            extensions: http::Extensions::new(),
        };
        if chain.is_empty() {
            return self.run(call, chain, &mut info, event, &events, steps).await;
        }
        let mut input = Input::new(event, &events, &steps);
        chain.transform_input(&mut info, &mut input);
        let events: Vec<_> = input.events().collect();
        let reply = self.run(call, chain, &mut info, input.event(), &events, input.memo()).await;
        reply.edited(|response| chain.before_response(&mut info, response))
    }

    async fn run(
        &self,
        call: &Call<'_>,
        chain: Chain<'_>,
        info: &mut CallInfo<'_>,
        event: &RawValue,
        events: &[&RawValue],
        steps: HashMap<&str, &RawValue>,
    ) -> Reply {
        let (served, request) = (call.served, call.request);
        let event = match request::event(event) {
            Ok(event) => event,
            Err(error) => return Reply::retriable(&error),
        };
        let dispatch = Dispatch {
            target: call.step_id.filter(|id| !id.is_empty() && *id != "step").map(str::to_owned),
            plan_only: request.ctx.disable_immediate_execution,
        };
        let stack = request.ctx.stack.as_ref().and_then(|stack| stack.stack.clone());
        let memo = Memo::new(steps, stack.unwrap_or_default());
        // The queue delivered the step twice. Its result is saved already; an empty reply lets the run go on
        // (P-160).
        if dispatch.target.as_deref().is_some_and(|target| memo.is_finished(target)) {
            return Reply::json(StatusCode::PARTIAL_CONTENT, &[(); 0]);
        }
        let client = &self.inner.client;
        let state = CallState::new(&self.inner.app_id, info.run, memo, client);
        // A targeted call is for one step, and its answer belongs to a group (P-196). Middleware sees what goes out.
        let checkpointing =
            served.checkpointing.filter(|_| dispatch.target.is_none() && chain.is_empty());
        let item = checkpointing.and_then(|settings| {
            Some((settings, request.ctx.queue_item(client.unix_milliseconds())?))
        });
        chain.before_execution(info);
        let extensions = info.extensions.clone();
        let given = Given { event, events, extensions: &extensions };
        let function = served.function.start(&state, info.run, given);
        let mut outcome = drive(&state, &dispatch, function, item).await;
        chain.after_execution(info);
        if !chain.is_empty() {
            chain.transform_output(info, &mut outcome);
        }
        answer(&outcome, &dispatch)
    }
}

/// A call that was believed, for a function that there is.
struct Call<'r> {
    served: &'r Served,
    step_id: Option<&'r str>,
    parts: &'r Parts,
    body: &'r [u8],
    request: &'r CallRequest<'r>,
}
