//! `POST`: one call of one function.

use std::borrow::Cow;
use std::sync::atomic::Ordering;

use http::request::Parts;
use http::{HeaderName, StatusCode, Uri};
use tracing::Instrument as _;

use super::outcome::answer;
use super::outgoing::outgoing;
use super::reply::Reply;
use super::request::{CallContext, CallRequest};
use super::run_state::CompleteState;
use super::trust::Trusted;
use super::{Endpoint, Inner};
use crate::engine::{CallState, Dispatch, Memo, drive};
use crate::function::{Given, Served};
use crate::middleware::{CallInfo, Chain, Hooks};
use crate::raw_event::RawEvent;
use crate::{Result, Run, spans};

/// Where a trace goes on; repeated in the answer (P-040).
const TRACE_HEADERS: [HeaderName; 2] =
    [HeaderName::from_static("traceparent"), HeaderName::from_static("tracestate")];

/// What the URL of a call says (P-101).
#[derive(Default)]
struct CallQuery<'u> {
    function_id: Option<Cow<'u, str>>,
    step_id: Option<Cow<'u, str>>,
    probe: Option<Cow<'u, str>>,
}

impl<'u> CallQuery<'u> {
    fn of(uri: &'u Uri) -> Self {
        let mut query = Self::default();
        for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
        {
            let slot = match &*name {
                "fnId" => &mut query.function_id,
                "stepId" => &mut query.step_id,
                "probe" => &mut query.probe,
                _ => continue,
            };
            slot.get_or_insert(value);
        }
        query
    }
}

impl Endpoint {
    pub(super) async fn call(&self, parts: &Parts, trusted: &Trusted) -> Reply {
        let query = CallQuery::of(&parts.uri);
        let reply = match query.probe.as_deref() {
            None => {
                let called = self.trusted_call(query, parts, trusted).await;
                called.unwrap_or_else(|problem| Reply::of_error(&problem))
            }
            // Cloud asks whether this app holds the key; the signature of the answer says so (P-061).
            Some("trust") => Reply::raw(StatusCode::OK, "{}"),
            Some(_) => Reply::message(StatusCode::BAD_REQUEST, "unknown probe"),
        };
        let traced =
            TRACE_HEADERS.iter().fold(reply, |reply, name| match parts.headers.get(name) {
                Some(value) => reply.header(name.clone(), value),
                None => reply,
            });
        traced.signed_by(trusted.signed_by.as_ref())
    }

    /// Builds the call step by step, and makes it. A problem is one that another attempt may not have.
    async fn trusted_call(
        &self,
        query: CallQuery<'_>,
        parts: &Parts,
        trusted: &Trusted,
    ) -> Result<Reply> {
        let function_id = query.function_id;
        let function_id =
            function_id.ok_or("the call names no function: `fnId` is missing in its URL")?;
        // Retriable: during a deployment old and new instances answer side by side (P-101).
        let served = self.function(&function_id);
        let served = served.ok_or_else(|| format!("function not found: {function_id}"))?;
        self.inner.contacts.fetch_add(1, Ordering::Relaxed);
        let CallRequest { ctx, state } = CallRequest::read(&trusted.body)?;
        let span = spans::of_call(&served.config.id, &ctx.run_id, ctx.attempt, &parts.headers);
        let dispatch = Dispatch {
            target: query.step_id.filter(|id| !id.is_empty() && id != "step").map(Cow::into_owned),
            plan_only: ctx.disable_immediate_execution,
        };
        let call = Call { endpoint: self, served, ctx: &ctx, dispatch };
        async {
            let fetched = self.fetch_missing(&ctx.run_id, &state).await?;
            let input = state.complete(&fetched)?;
            Ok(call.make(parts, &trusted.body, input).await)
        }
        .instrument(span)
        .await
    }
}

/// A call whose signature is verified, for a function that exists.
struct Call<'r> {
    endpoint: &'r Endpoint,
    served: &'r Served,
    ctx: &'r CallContext<'r>,
    dispatch: Dispatch,
}

impl Call<'_> {
    /// Lets the middleware look at everything on its way in and out.
    async fn make(&self, parts: &Parts, body: &[u8], state: CompleteState<'_>) -> Reply {
        let client = self.endpoint.inner.client.middleware();
        let chain = Chain { client, function: &self.served.middleware };
        let run = Run {
            id: &self.ctx.run_id,
            attempt: self.ctx.attempt,
            max_attempts: self.ctx.max_attempts,
            traceparent: parts.headers.get("traceparent").and_then(|v| v.to_str().ok()),
        };
        let (function_id, extensions) = (self.served.id.as_str(), http::Extensions::new());
        let mut info = CallInfo { request: parts, body, function_id, run, extensions };
        chain.on_call(&mut info);
        let hooks = Hooks { chain, call: Some(&info) };
        let reply = self.execute(hooks, &info, state).await;
        if hooks.is_empty() {
            return reply;
        }
        reply.edited(|response| hooks.before_response(response))
    }

    /// Runs the function until there is something to answer.
    async fn execute(
        &self,
        hooks: Hooks<'_>,
        info: &CallInfo<'_>,
        state: CompleteState<'_>,
    ) -> Reply {
        let CompleteState { event, events, steps } = state;
        let event = match RawEvent::read(event, hooks) {
            Ok(event) => event,
            Err(error) => return Reply::of_error(&error),
        };
        let memo = Memo::new(steps, self.ctx.stack());
        let target = self.dispatch.target.as_deref();
        // The queue delivered the step twice. Its result is saved already; an empty reply lets the run go on
        // (P-160).
        if target.is_some_and(|target| memo.is_finished(target)) {
            return Reply::json(StatusCode::PARTIAL_CONTENT, &[(); 0]);
        }
        let Inner { app_id, client, own_failures, .. } = &*self.endpoint.inner;
        // A targeted call is for one step, and its answer belongs to a group (P-196).
        let checkpointing = self.served.checkpointing();
        let checkpointing =
            checkpointing.filter(|_| target.is_none() && !client.checkpoints_paused());
        let item = checkpointing.and_then(|settings| {
            Some((settings, self.ctx.queue_item(client.clock().unix_milliseconds())?))
        });
        hooks.before_execution();
        let function = &self.served.config.id;
        let state = CallState::new(app_id, function, info.run, memo, client, hooks, own_failures);
        let given = Given { event, events: &events, extensions: &info.extensions };
        let function = self.served.start(&state, given);
        let outcome = drive(&state, &self.dispatch, function, item).await;
        hooks.after_execution();
        answer(outgoing(outcome, hooks), &self.dispatch, self.endpoint.max_reply())
    }
}
