//! Errors of functions and steps: any error will do, and each knows whether a retry can help.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::StepError;

/// The result of functions and of the closures of steps.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error, with what should happen next.
///
/// Everything that is an error converts with `?`: `io::Error`, `anyhow::Error`, a plain text. Converted errors
/// are retried while attempts remain, with two exceptions. An uncaught [`StepError`] is final: its step has failed for
/// good, so the run ends. And an error that has a [`Retry`] among its causes has decided itself. Say otherwise with
/// [`no_retry`](Error::no_retry) and [`retry_after`](Error::retry_after), or with the same words on a `Result` through
/// [`ResultExt`].
///
/// [The guide](crate::guide::errors) shows how an error of your own keeps its decision.
pub struct Error {
    retry: Retry,
    source: Box<dyn StdError + Send + Sync>,
    name: Option<Cow<'static, str>>,
    data: Option<Value>,
}

/// When to try again.
///
/// It is an error too, so that it can be the cause of another, and decide about it wherever that one ends up:
///
/// ```
/// use inngest::Retry;
///
/// #[derive(Debug, thiserror::Error)]
/// #[error("the bank refuses the charge: {reason}")]
/// struct Refused {
///     reason: String,
///     #[source]
///     retry: Retry,
/// }
///
/// fn charge() -> Result<(), Refused> {
///     Err(Refused { reason: "card declined".into(), retry: Retry::Never })
/// }
///
/// fn step() -> inngest::Result<()> {
///     Ok(charge()?)
/// }
/// let error = step().unwrap_err();
/// assert_eq!(error.retry(), Retry::Never);
/// assert_eq!(error.to_string(), "the bank refuses the charge: card declined");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Retry {
    /// With the server's back-off, while attempts remain.
    #[error("trying again can help")]
    Backoff,
    /// Not before this time has passed, while attempts remain. The server keeps it between 1 s and 24 h.
    #[error("trying again can help in {} s", .0.as_secs())]
    After(Duration),
    /// Never: trying again cannot help.
    #[error("trying again cannot help")]
    Never,
}

impl Error {
    /// An error with this text or cause, retriable unless the cause says otherwise.
    pub fn new(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let source = source.into();
        let retry = causes(&*source).find_map(decision).unwrap_or(Retry::Backoff);
        Self { retry, source, name: None, data: None }
    }

    /// The same error, final.
    #[must_use]
    pub fn no_retry(self) -> Self {
        Self { retry: Retry::Never, ..self }
    }

    /// The same error, to be tried again no sooner than `delay` from now.
    #[must_use]
    pub fn retry_after(self, delay: Duration) -> Self {
        Self { retry: Retry::After(delay), ..self }
    }

    /// What should happen next.
    pub fn retry(&self) -> Retry {
        self.retry
    }

    /// The same error with a name, by which code that catches the step's error can recognise it, and people in
    /// the Inngest dashboard (P-119).
    #[must_use]
    pub fn named(self, name: impl Into<Cow<'static, str>>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// The same error with data for code that catches the step's error.
    #[must_use]
    pub fn with_data(self, data: impl Into<Value>) -> Self {
        Self { data: Some(data.into()), ..self }
    }

    /// Its name as the server is told: its own, or that of an uncaught [`StepError`], else `Error`.
    pub fn name(&self) -> &str {
        let own = self.name.as_deref().or_else(|| Some(&*self.step_error()?.name));
        own.unwrap_or("Error")
    }

    /// Its data as the server is told: its own, or that of an uncaught [`StepError`].
    pub fn data(&self) -> Option<&Value> {
        self.data.as_ref().or_else(|| self.step_error()?.data.as_ref())
    }

    /// What caused it, where it is an uncaught [`StepError`] that says so.
    pub(crate) fn cause(&self) -> Option<&Value> {
        self.step_error()?.cause.as_deref()
    }

    /// The same error, after this decision.
    pub(crate) fn with_retry(self, retry: Retry) -> Self {
        Self { retry, ..self }
    }

    /// The same error, with what it happened to in front of its text.
    pub(crate) fn within(self, what: fmt::Arguments<'_>) -> Self {
        Self { source: format!("{what}: {self}").into(), ..self }
    }

    fn step_error(&self) -> Option<&StepError> {
        self.source.downcast_ref()
    }
}

/// The error and what caused it, outermost first.
fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// What this cause says of a retry.
fn decision(cause: &(dyn StdError + 'static)) -> Option<Retry> {
    if cause.is::<StepError>() {
        return Some(Retry::Never);
    }
    cause.downcast_ref().copied()
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for Error {
    fn from(source: E) -> Self {
        Self::new(source)
    }
}

/// The error and its causes on one line, outermost first.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.source)?;
        // A decision is no part of what happened.
        causes(&*self.source)
            .skip(1)
            .filter(|cause| !cause.is::<Retry>())
            .try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.retry {
            Retry::Backoff => write!(f, "{self}"),
            retry => write!(f, "{self} ({retry:?})"),
        }
    }
}

/// [`Error::no_retry`] and [`Error::retry_after`] on a `Result`.
pub trait ResultExt<T> {
    /// Makes an error final.
    fn no_retry(self) -> Result<T>;
    /// Makes an error retriable, no sooner than `delay` from now.
    fn retry_after(self, delay: Duration) -> Result<T>;
}

impl<T, E: Into<Error>> ResultExt<T> for std::result::Result<T, E> {
    fn no_retry(self) -> Result<T> {
        self.map_err(|error| error.into().no_retry())
    }

    fn retry_after(self, delay: Duration) -> Result<T> {
        self.map_err(|error| error.into().retry_after(delay))
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::{Error, ResultExt as _, Retry};
    use crate::StepError;

    #[test]
    fn anything_that_is_an_error_converts_and_is_retried() {
        fn fails() -> crate::Result<()> {
            Err(io::Error::other("disk on fire"))?
        }
        let error = fails().unwrap_err();
        assert_eq!((error.to_string().as_str(), error.retry()), ("disk on fire", Retry::Backoff));
        assert_eq!(Error::from("plain text").to_string(), "plain text");
    }

    #[test]
    fn an_uncaught_step_error_is_final_also_inside_another_error() {
        #[derive(Debug, thiserror::Error)]
        #[error("while charging")]
        struct Charging(#[source] StepError);

        let step = StepError::new("charge", "Error", "card declined");
        assert_eq!(Error::from(step.clone()).retry(), Retry::Never);
        let wrapped = Error::from(Charging(step));
        assert_eq!(wrapped.retry(), Retry::Never);
        assert_eq!(wrapped.to_string(), "while charging: card declined");
    }

    #[test]
    fn a_decision_among_the_causes_counts_and_is_not_shown() {
        #[derive(Debug, thiserror::Error)]
        #[error("{text}")]
        struct Caused {
            text: &'static str,
            source: Box<dyn std::error::Error + Send + Sync>,
        }
        for retry in [Retry::Never, Retry::After(Duration::from_secs(9)), Retry::Backoff] {
            let declined = Caused { text: "declined", source: retry.into() };
            let charging = Caused { text: "while charging", source: declined.into() };
            let error = Error::from(charging);
            assert_eq!(error.retry(), retry);
            assert_eq!(error.to_string(), "while charging: declined");
            let later = Duration::from_secs(60);
            assert_eq!(error.retry_after(later).retry(), Retry::After(later), "said last");
        }
    }

    /// For errors that are no `std::error::Error`; others would overlap with the conversion of all of those.
    #[test]
    fn an_error_type_of_ones_own_can_convert_itself() {
        enum PayError {
            Declined,
        }
        impl From<PayError> for Error {
            fn from(error: PayError) -> Self {
                match error {
                    PayError::Declined => Self::from("card declined").no_retry(),
                }
            }
        }
        fn step() -> crate::Result<()> {
            Err(PayError::Declined)?
        }
        let error = step().unwrap_err();
        assert_eq!((error.to_string().as_str(), error.retry()), ("card declined", Retry::Never));
    }

    #[test]
    fn results_say_what_should_happen_next() {
        let failed = || Err::<(), _>(io::Error::other("no"));
        assert_eq!(failed().no_retry().unwrap_err().retry(), Retry::Never);
        let delay = Duration::from_secs(90);
        assert_eq!(failed().retry_after(delay).unwrap_err().retry(), Retry::After(delay));
    }
}
