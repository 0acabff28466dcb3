//! What happens next to a deal, or what a person must do: as a line of the commands, and told on the page.

use std::fmt;

use functions::ports::WaitsFor;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// What happens next to a deal that is not done, or whose record differs from its lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Next {
    /// A person does this. The options are those by which the commands know the deal.
    Person(Duty, String),
    /// Its run has just met what it waits for, and tries again.
    RunTries(WaitsFor),
    /// It waits for this, and is tried at that time at the latest.
    Waits(WaitsFor, Option<Timestamp>),
    /// It waits for Inngest to know the functions.
    Registration,
    /// It waits for Inngest, which was tried so often.
    Inngest(i64),
    /// It goes to Inngest at once.
    AtOnce,
    /// It goes to Inngest soon.
    Soon,
    /// It is being sent to the ERP.
    Sending,
    /// Inngest has it. It is sent again at that time.
    WithInngest(Option<Timestamp>),
    /// It is tried again at that time.
    Again(Option<Timestamp>),
}

/// What a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Duty {
    /// Looks whether the record is in the ERP.
    LookInErp,
    /// Mends why it has no record.
    Mend,
    /// Mends why its record could not be compared or updated.
    MendComparison,
    /// Decides whether the record shall stay as it is.
    CorrectRecord,
    /// Decides which of two records stays.
    KeepOne,
}

/// As a line of `prometei-flow deals`.
impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(duty, options) => write!(f, "needs you: {}", duty.command(options)),
            Self::RunTries(waits_for) => write!(
                f,
                "waits for {}: its run tries again within minutes; after that it goes on by itself once that is there",
                name(*waits_for)
            ),
            Self::Waits(waits_for, Some(due)) => {
                write!(f, "waits for {}, next try {due:.0}", name(*waits_for))
            }
            Self::Waits(waits_for, None) => write!(
                f,
                "waits for {}, and goes on by itself once that is there",
                name(*waits_for)
            ),
            Self::Registration => {
                write!(f, "a running service sends it as soon as Inngest knows the functions")
            }
            Self::Inngest(attempts) => write!(
                f,
                "waits for Inngest, tried {attempts} times; a running service tries about once a minute"
            ),
            Self::AtOnce => write!(f, "a running service sends it to Inngest at once"),
            Self::Soon => {
                write!(f, "is sent to Inngest within half a minute by a running service")
            }
            Self::Sending => write!(f, "is being sent to the ERP at this moment"),
            Self::WithInngest(Some(due)) => {
                write!(f, "is with Inngest; sent again {due:.0} if nothing is heard of it")
            }
            Self::WithInngest(None) => {
                write!(f, "is with Inngest; nothing was heard of it, and it is sent again now")
            }
            Self::Again(Some(due)) => write!(f, "next try {due:.0} at the latest"),
            Self::Again(None) => {
                write!(f, "is sent again within half a minute by a running service")
            }
        }
    }
}

impl Serialize for Next {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Duty {
    fn command(self, options: &str) -> String {
        let dismiss = format!("prometei-flow deals dismiss {options} --why TEXT");
        match self {
            Self::LookInErp => format!(
                "look for the record in the ERP, then run: prometei-flow deals resolve {options} --erp-id <its id>, or \
                 with --absent"
            ),
            Self::Mend => format!(
                "mend the cause, then run: prometei-flow deals retry {options}; or, if it shall have no record: {dismiss}"
            ),
            Self::MendComparison => format!(
                "mend the cause, then run: prometei-flow deals retry {options}; or, if the record shall stay as it is: \
                 {dismiss}"
            ),
            Self::CorrectRecord => {
                format!("correct the ERP if it shall be otherwise, then: {dismiss}")
            }
            Self::KeepOne => format!("keep one of the records in the ERP, then: {dismiss}"),
        }
    }
}

/// What a deal waits for.
pub(super) fn name(waits_for: WaitsFor) -> &'static str {
    match waits_for {
        WaitsFor::Erp => "the ERP",
        WaitsFor::AmoCrm => "amoCRM",
        WaitsFor::Consent => "a consent in amoCRM",
        WaitsFor::Person => "you",
    }
}
