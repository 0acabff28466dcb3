use std::borrow::Cow;
use std::collections::HashMap;

use http::request::Parts;
use serde_json::value::RawValue;

use crate::{Error, Run};

/// The call that a hook looks at.
#[non_exhaustive]
pub struct CallInfo<'a> {
    /// The HTTP request, without its body.
    pub request: &'a Parts,
    /// The body as it came.
    pub body: &'a [u8],
    /// The function, as `<app>-<function>`.
    pub function_id: &'a str,
    /// The run and the attempt.
    pub run: Run<'a>,
    /// Values by type, from hook to hook, and for the function in [`Context::extensions`](crate::Context::extensions).
    pub extensions: http::Extensions,
}

/// What a function is about to be given, as JSON.
pub struct Input<'a> {
    pub(crate) event: Cow<'a, RawValue>,
    pub(crate) events: Vec<Cow<'a, RawValue>>,
    pub(crate) steps: HashMap<&'a str, &'a RawValue>,
    pub(crate) replaced: HashMap<String, Box<RawValue>>,
}

impl<'a> Input<'a> {
    pub(crate) fn new(
        event: &'a RawValue,
        events: Vec<&'a RawValue>,
        steps: HashMap<&'a str, &'a RawValue>,
    ) -> Self {
        let events = events.into_iter().map(Cow::Borrowed).collect();
        Self { event: Cow::Borrowed(event), events, steps, replaced: HashMap::new() }
    }

    /// The event that started the run, with its name and data.
    pub fn event(&self) -> &RawValue {
        &self.event
    }

    /// Gives the function another event.
    pub fn set_event(&mut self, event: Box<RawValue>) {
        self.event = Cow::Owned(event);
    }

    /// All events of the run.
    pub fn events(&self) -> impl Iterator<Item = &RawValue> {
        self.events.iter().map(Cow::as_ref)
    }

    /// Gives the function other events.
    pub fn set_events(&mut self, events: Vec<Box<RawValue>>) {
        self.events = events.into_iter().map(Cow::Owned).collect();
    }

    /// The saved results by the hash of their step, as the server keeps them: `{"data":..}` or `{"error":..}`.
    pub fn steps(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        let as_sent = self.steps.iter();
        as_sent.map(|(hash, saved)| (*hash, self.replaced.get(*hash).map_or(*saved, |new| &**new)))
    }

    /// Gives the function another result of a finished step. A step that is not finished stays so.
    pub fn set_step(&mut self, hash: &str, saved: Box<RawValue>) {
        self.replaced.insert(hash.to_owned(), saved);
    }
}

/// What a function or one of its steps has come to.
#[non_exhaustive]
pub struct Output<'a> {
    /// The id of the step; `None` for the result of the function.
    pub step: Option<&'a str>,
    /// The value as JSON, or the error.
    pub result: &'a mut Result<Box<RawValue>, Error>,
}
