use std::{fmt, io};

use crate::{SettingsError, TransportError};

/// Everything that is wrong with an app and its functions, one line each.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", mistakes.join("\n"))]
pub struct BuildError {
    /// One text for each mistake, naming the function and the setting.
    pub mistakes: Vec<String>,
}

/// Why an app cannot be made or served. Its `Debug` is its text too, because that is what `main` prints.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// Variables that cannot be used.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// Mistakes in the functions.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// No HTTP client could be made, for instance because the machine has no trust roots.
    #[error("there is no HTTP client to reach Inngest with: {0}")]
    Transport(#[from] TransportError),
    /// The address cannot be listened on.
    #[error("the app cannot listen: {0}; stop what uses the port, or choose another")]
    Listen(#[source] io::Error),
    /// Listening has ended.
    #[error("the app can listen no longer: {0}")]
    Serve(#[source] io::Error),
}

impl fmt::Debug for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
