use serde::Serialize;

use crate::trouble::Trouble;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// As it should be.
    Ok,
    /// Deals arrive, but something needs attention.
    Warning,
    /// Deals are lost or wait.
    Error,
}

/// What a check has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The check.
    pub check: &'static str,
    /// Its result.
    pub status: Status,
    /// What was found, in one line.
    pub message: String,
    /// What to do, in one line; absent where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, status: Status::Ok, message: message.into(), fix: None }
    }

    pub(super) fn warning(
        check: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let (status, fix) = (Status::Warning, Some(fix.into()));
        Self { check, status, message: message.into(), fix }
    }

    pub(super) fn error(
        check: &'static str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let (status, fix) = (Status::Error, Some(fix.into()));
        Self { check, status, message: message.into(), fix }
    }

    /// What keeps deals from going on.
    pub(super) fn of(check: &'static str, trouble: Trouble) -> Self {
        Self::error(check, trouble.problem, trouble.remedy)
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = match self.status {
            Status::Ok => "ok",
            Status::Warning => "warning",
            Status::Error => "error",
        };
        write!(f, "{status:8} {:20} {}", self.check, self.message)?;
        match &self.fix {
            Some(fix) => write!(f, " -> {fix}"),
            None => Ok(()),
        }
    }
}
