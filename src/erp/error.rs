use std::time::Duration;

use crate::trouble::Trouble;

/// What to set where no ERP is configured.
pub(crate) const SET_ERP: &str =
    "set CRM_API_URL, CRM_API_KEY, CRM_API_USERNAME and CRM_API_PASSWORD";

/// No ERP is configured.
pub(crate) fn missing() -> Trouble {
    Trouble::new(
        "the ERP is not configured: runs fail",
        format!("{SET_ERP}; `prometei-flow dev` brings a fake one"),
    )
}

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
    #[error("no access: {message}. {}", .barrier.advice())]
    NoAccess {
        /// What the ERP said, or what shows it.
        message: String,
        /// Where the ERP stopped us.
        barrier: Barrier,
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

impl ErpError {
    /// What is wrong, and what to do.
    pub(crate) fn trouble(&self) -> Trouble {
        match self {
            Self::Refused { message, advice } => Trouble::new(message, *advice),
            Self::NoAccess { message, barrier } => {
                Trouble::new(format!("the ERP refuses access: {message}"), barrier.advice())
            }
            Self::Unavailable { reason, .. } => Trouble::new(
                format!("the ERP is unavailable: {reason}"),
                "check CRM_API_URL and the network, and on the ERP's server its database and PHP's log of errors; deals wait, \
                 and go on by themselves",
            ),
        }
    }
}

/// Where the ERP stops a caller, in the order in which it checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Barrier {
    /// The API is switched off.
    Switch,
    /// The API key is another one.
    Key,
    /// The caller's address is not on the ERP's list.
    Address,
    /// Username or password is wrong.
    Login,
    /// The user's account is not active.
    Account,
    /// One of the last three: PHP 8 keeps the ERP from saying which.
    LoginOrAddress,
    /// The user's group lacks "Create".
    Create,
    /// The user's group lacks "Update".
    Update,
    /// The user's group lacks "View", or has only "View Assigned Only".
    View,
    /// The user's group lacks a right.
    Right,
    /// Any of them.
    Unknown,
}

impl Barrier {
    /// What a person should do, in the ERP's own words, English and Russian.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Switch => "Switch the API on in the ERP: Extension, Tools, API",
            Self::Key => "Set CRM_API_KEY to the key in the ERP: Extension, Tools, API",
            Self::Address => {
                "Add the address of this machine to the allowed addresses in the ERP: Extension, Tools, API"
            }
            Self::Login => "Correct CRM_API_USERNAME or CRM_API_PASSWORD",
            Self::Account => {
                "Set the API user's Status to Active in the ERP («Статус»: «Активный»)"
            }
            Self::LoginOrAddress => {
                "Check CRM_API_USERNAME and CRM_API_PASSWORD, that the user's Status is Active («Активный»), and \
                 the ERP's list of allowed addresses (Extension, Tools, API)"
            }
            Self::Create => {
                "Give the API user's group the right Create for the entity, in its Access Configuration («Настройка \
                 доступа»: «Создать»)"
            }
            Self::Update => {
                "Give the API user's group the right Update for the entity, in its Access Configuration («Настройка \
                 доступа»: «Обновить»); or set CRM_ON_CHANGE=report"
            }
            Self::View => {
                "Give the API user's group the right View for the entity, and not View Assigned Only, in its Access \
                 Configuration («Настройка доступа»: «Просмотр», не «Просматривать только \
                 назначенные»)"
            }
            Self::Right => {
                "Give the API user's group the rights View and Create for the entity, in its Access Configuration \
                 («Настройка доступа»: «Просмотр», «Создать»)"
            }
            Self::Unknown => {
                "Check CRM_API_KEY, CRM_API_USERNAME, CRM_API_PASSWORD, the rights of that user and the ERP's list of \
                 allowed addresses"
            }
        }
    }
}
