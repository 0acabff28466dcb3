use http::request::Parts;

use crate::Run;

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
    /// Values by type, from [`on_call`](super::Middleware::on_call) to every other hook, and to the function in
    /// [`Context::extensions`](crate::Context::extensions).
    pub extensions: http::Extensions,
}

/// A step whose code runs in a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepInfo<'a> {
    /// Its id, as the function wrote it.
    pub id: &'a str,
    /// Which repetition of the id it is; 0 for the first.
    pub index: u32,
    /// What the server knows it by.
    pub hash: &'a str,
    /// What other SDKs call this kind of step: `step.run`, `step.sendEvent`, `step.sendSignal`.
    pub kind: &'static str,
}
