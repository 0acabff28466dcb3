use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// What a port returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A port did not do what it was asked for, and has decided whether to ask again.
///
/// The implementation decides, because it knows what happened: each of its errors converts into this one in a single
/// place, so that `?` is enough everywhere else. It is no `std::error::Error` on purpose. Those convert into an
/// [`inngest::Error`] that is tried again, and the decision would be lost silently.
pub struct Error {
    retry: Retry,
    waits_for: Option<WaitsFor>,
    cause: Box<dyn StdError + Send + Sync>,
}

/// Whether a port should be asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Yes, with Inngest's back-off, while attempts remain.
    Again,
    /// Yes, but not before this time has passed.
    NotBefore(Duration),
    /// No: asking again cannot help, or may do harm.
    Never,
}

/// What has to change before a deal can get its record: something that passes by itself, or a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WaitsFor {
    /// The ERP answers again.
    Erp,
    /// amoCRM answers again.
    AmoCrm,
    /// A consent is given in amoCRM.
    Consent,
    /// A person decides.
    Person,
}

impl WaitsFor {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Erp, Self::AmoCrm, Self::Consent, Self::Person];

    /// The name that an error of this kind has in Inngest: the failure handler knows it by that.
    pub fn error_name(self) -> &'static str {
        match self {
            Self::Erp => "ErpUnavailable",
            Self::AmoCrm => "AmoCrmUnavailable",
            Self::Consent => "ConsentNeeded",
            Self::Person => "PersonNeeded",
        }
    }

    /// What an error with this name waits for. `None`: it may go better the next time, for all that is known.
    pub fn of_error(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|waits_for| waits_for.error_name() == name)
    }
}

impl Error {
    /// `cause`, with this decision.
    pub fn new(retry: Retry, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { retry, waits_for: None, cause: cause.into() }
    }

    /// The same error, which lasts as long as this does.
    #[must_use]
    pub fn waiting_for(self, waits_for: WaitsFor) -> Self {
        Self { waits_for: Some(waits_for), ..self }
    }

    /// `cause` may have passed by the next attempt.
    pub fn again(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Retry::Again, cause)
    }

    /// `cause` is not gone sooner than this.
    pub fn not_before(delay: Duration, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Retry::NotBefore(delay), cause)
    }

    /// `cause` is final.
    pub fn never(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::new(Retry::Never, cause)
    }

    /// Whether to ask again.
    pub fn retry(&self) -> Retry {
        self.retry
    }

    /// What it lasts as long as, where that is known.
    pub fn waits_for(&self) -> Option<WaitsFor> {
        self.waits_for
    }
}

impl From<Error> for inngest::Error {
    fn from(Error { retry, waits_for, cause }: Error) -> Self {
        let mut error = Self::new(cause);
        if let Some(waits_for) = waits_for {
            error = error.named(waits_for.error_name());
        }
        match retry {
            Retry::Again => error,
            Retry::NotBefore(delay) => error.retry_after(delay),
            Retry::Never => error.no_retry(),
        }
    }
}

/// What happened and why, on one line.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.cause)?;
        let mut causes = std::iter::successors(self.cause.source(), |cause| (*cause).source());
        causes.try_for_each(|cause| write!(f, ": {cause}"))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} ({:?})", self.retry)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use super::{Error, Result, Retry, WaitsFor};

    #[test]
    fn a_decision_passes_through_a_bare_question_mark() {
        fn step(port: Result<()>) -> inngest::Result<()> {
            Ok(port?)
        }
        let delay = Duration::from_secs(9);
        for (retry, expected) in [
            (Retry::Again, inngest::Retry::Backoff),
            (Retry::NotBefore(delay), inngest::Retry::After(delay)),
            (Retry::Never, inngest::Retry::Never),
        ] {
            let error = step(Err(Error::new(retry, io::Error::other("disk on fire")))).unwrap_err();
            assert_eq!((error.retry(), error.to_string().as_str()), (expected, "disk on fire"));
        }
    }

    #[test]
    fn what_is_waited_for_is_known_again_by_the_name_of_the_error() {
        for waits_for in WaitsFor::ALL {
            assert_eq!(WaitsFor::of_error(waits_for.error_name()), Some(waits_for));
        }
        assert_eq!(WaitsFor::of_error("Error"), None);
    }

    #[test]
    fn the_text_includes_the_causes() {
        #[derive(Debug, thiserror::Error)]
        #[error("lead 7 could not be read")]
        struct NotRead(#[source] io::Error);
        let error = Error::never(NotRead(io::Error::other("no route")));
        assert_eq!(error.to_string(), "lead 7 could not be read: no route");
        assert_eq!(inngest::Error::from(error).to_string(), "lead 7 could not be read: no route");
    }
}
