use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use super::CallInfo;

/// JSON that leaves the app, or comes into it.
#[non_exhaustive]
pub struct Payload<'a> {
    /// What it is.
    pub kind: PayloadKind<'a>,
    /// The call in which it passes; `None` where a program sends by itself, outside a function.
    pub call: Option<&'a CallInfo<'a>>,
    json: Cow<'a, RawValue>,
}

/// What a [`Payload`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PayloadKind<'a> {
    /// The data of an event that is sent, that a run began with, or that a step has waited for. A run that was
    /// invoked begins with one named `inngest/function.invoked`, whose data is that of the invocation. What leaves
    /// must be an object.
    Event {
        /// The event's name.
        name: &'a str,
    },
    /// The result of a step of any kind: as it is saved, and as it is read again, in the same call or in later ones.
    /// That of an invocation is the other function's result.
    Step {
        /// The step's id.
        id: &'a str,
    },
    /// The input of a step's code, as people see it in Inngest; or what one of them has written for the step to run again.
    StepInput {
        /// The step's id.
        id: &'a str,
    },
    /// What the function returns.
    Output,
    /// What the error of a step or a function carries: [`Error::with_data`](crate::Error::with_data).
    ErrorData {
        /// The step's id; `None` for an error of a function.
        step: Option<&'a str>,
    },
    /// What goes to another function. It must stay an object.
    Invoke {
        /// The step's id.
        step: &'a str,
        /// The other function, as `<app>-<function>`.
        function_id: &'a str,
    },
    /// What a signal carries.
    Signal {
        /// The signal's name.
        name: &'a str,
    },
    /// The body of a request that the server makes, `null` where it has none. The other side of that request reads
    /// it.
    Fetch {
        /// The step's id.
        step: &'a str,
        /// Where the request goes.
        url: &'a str,
    },
    /// The body of a request to a model. It must stay an object.
    Infer {
        /// The step's id.
        step: &'a str,
        /// Where the request goes.
        url: &'a str,
    },
}

/// Without URLs, which may hold secrets.
impl fmt::Display for PayloadKind<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event { name } => write!(f, "the data of event `{name}`"),
            Self::Step { id } => write!(f, "the result of step `{id}`"),
            Self::StepInput { id } => write!(f, "the input of step `{id}`"),
            Self::Output => f.write_str("the function's result"),
            Self::ErrorData { step: Some(id) } => write!(f, "the data of the error of step `{id}`"),
            Self::ErrorData { step: None } => f.write_str("the data of the function's error"),
            Self::Invoke { step, .. } => write!(f, "the data of the invocation `{step}`"),
            Self::Signal { name } => write!(f, "the data of signal `{name}`"),
            Self::Fetch { step, .. } | Self::Infer { step, .. } => {
                write!(f, "the body of the request `{step}`")
            }
        }
    }
}

impl<'a> Payload<'a> {
    pub(super) fn new(
        kind: PayloadKind<'a>,
        call: Option<&'a CallInfo<'a>>,
        json: &'a RawValue,
    ) -> Self {
        Self { kind, call, json: Cow::Borrowed(json) }
    }

    /// The JSON as it is now.
    pub fn json(&self) -> &RawValue {
        &self.json
    }

    /// Lets other JSON pass in its place.
    pub fn replace(&mut self, json: Box<RawValue>) {
        self.json = Cow::Owned(json);
    }

    /// The other JSON, where there is any.
    pub(super) fn replaced(self) -> Option<Box<RawValue>> {
        match self.json {
            Cow::Borrowed(_) => None,
            Cow::Owned(json) => Some(json),
        }
    }
}
