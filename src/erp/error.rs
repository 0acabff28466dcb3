use std::time::Duration;

/// Why a call failed. Whichever it is, an insert that failed so has created nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ErpError {
    /// The ERP refused what was asked for, or the configuration is wrong. The same call fails again.
    #[error("refused: \"{message}\". {advice}")]
    Refused {
        /// The ERP's own words.
        message: String,
        /// What a person should do.
        advice: &'static str,
    },
    /// The ERP refused access. It can work once the access is corrected.
    #[error("no access: \"{message}\"")]
    NoAccess {
        /// The ERP's own words.
        message: String,
    },
    /// The ERP could not take the call. It can work later.
    #[error("unavailable: {reason}")]
    Unavailable {
        /// What happened.
        reason: String,
        /// How long the ERP asked to wait.
        retry_after: Option<Duration>,
    },
}
