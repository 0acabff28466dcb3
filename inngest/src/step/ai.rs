use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Step;
use super::fetch::{check_headers, check_url};
use super::run::saved;
use crate::engine::{StepSlot, Work};
use crate::json::{self, Unsavable, decode};
use crate::middleware::PayloadKind;
use crate::{Error, Result, StepError};

/// A request to a model, which the server makes.
#[derive(Clone)]
pub struct AiRequest {
    url: String,
    format: String,
    auth_key: Option<String>,
    headers: BTreeMap<String, String>,
    body: Result<Value, Unsavable>,
}

impl AiRequest {
    /// A request in one of the formats that the server knows, such as `openai-chat` or `anthropic`.
    pub fn new(url: impl Into<String>, format: impl Into<String>, body: &impl Serialize) -> Self {
        let body = json::payload(body);
        let (url, format) = (url.into(), format.into());
        Self { url, format, auth_key: None, headers: BTreeMap::new(), body }
    }

    /// The key of the model's provider. It is sent to Inngest and stored there with the run.
    #[must_use]
    pub fn auth_key(self, key: impl Into<String>) -> Self {
        Self { auth_key: Some(key.into()), ..self }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into(), value.into());
        self
    }

    fn describe(&self, body: &Value) -> Result<Work, String> {
        check_url(&self.url)?;
        check_headers(&self.headers)?;
        if !body.is_object() {
            return Err("its body is no JSON object".to_owned());
        }
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), value.clone()));
        let mut opts = Map::from_iter([
            ("type".to_owned(), Value::from("step.ai.infer")),
            ("url".to_owned(), Value::from(self.url.as_str())),
            ("format".to_owned(), Value::from(self.format.as_str())),
            ("headers".to_owned(), headers.collect()),
            ("body".to_owned(), body.clone()),
        ]);
        if let Some(key) = &self.auth_key {
            opts.insert("auth_key".to_owned(), Value::from(key.as_str()));
        }
        Ok(Work::Ask { op: Work::INFER, opts })
    }
}

impl fmt::Debug for AiRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AiRequest")
            .field("url", &self.url)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl<'a> Step<'a> {
    /// Has the server ask a model, so that no process of ours waits for the answer, which is the provider's
    /// JSON (P-109). An answer that is no `T` is an error with the name `UnexpectedResult`.
    pub fn infer<T: DeserializeOwned>(self, id: &str, request: AiRequest) -> Infer<'a, T> {
        Infer { slot: self.make(id), request, output: PhantomData }
    }
}

/// A request to a model under way: [`Step::infer`].
#[must_use = "a step that is not awaited does not exist"]
pub struct Infer<'a, T> {
    slot: StepSlot<'a>,
    request: AiRequest,
    output: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Future for Infer<'_, T> {
    type Output = Result<T, StepError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let body = match &self.request.body {
            Ok(body) => body,
            Err(_) if self.slot.is_saved() => &Value::Null,
            Err(reason) => {
                return Poll::Ready(Err(reason.of_payload(&self.slot.step().id, "body")));
            }
        };
        let edited = ready!(self.slot.call().or_fail(edited(&self.slot, body)));
        let body = edited.as_ref().unwrap_or(body);
        let memo = ready!(self.slot.poll_memo(cx, || self.request.describe(body)));
        saved(&self.slot, memo)
    }
}

/// The body with the fields that a person has written for the step to run again (P-154).
fn edited(slot: &StepSlot<'_>, body: &Value) -> Result<Option<Value>> {
    let (Some(edited), Value::Object(own)) = (slot.edited_input(), body) else { return Ok(None) };
    let Some(&edited) = edited.first() else { return Ok(None) };
    let step = &slot.step().id;
    let changed = slot.call().hooks.incoming(PayloadKind::StepInput { id: step }, edited)?;
    let edited: Map<String, Value> =
        decode(changed.as_deref().unwrap_or(edited)).map_err(|mismatch| {
            let text = format!("the edited input of step `{step}` is no JSON object: {mismatch}");
            Error::from(text).no_retry()
        })?;
    Ok(Some(own.clone().into_iter().chain(edited).collect()))
}
