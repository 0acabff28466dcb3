//! How the program ends: what scripts and supervisors decide by.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::config::{ConfigError, ConfigErrors};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It did what it was asked to.
    Done,
    /// It did not.
    Failed,
    /// The command line could not be read.
    Usage,
    /// A variable has a mistake. The number is that of `sysexits.h`, which systemd knows by name: a restart cannot help.
    Configuration,
}

impl Exit {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Done, Self::Failed, Self::Usage, Self::Configuration];

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Configuration => 78,
        }
    }

    /// What the number says.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done; `doctor` found no error, `healthcheck` a service that is ready",
            Self::Failed => "not done, or not to the end: standard error says why",
            Self::Usage => "the command line could not be read",
            Self::Configuration => "the configuration has mistakes: standard error lists them all",
        }
    }

    /// How the program ends with `error`.
    pub(super) fn of(error: &anyhow::Error) -> Self {
        let mistakes = error.is::<ConfigErrors>() || error.is::<ConfigError>();
        if mistakes { Self::Configuration } else { Self::Failed }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The table for `--help`.
pub(super) fn help() -> String {
    let mut table = "Exit codes:\n".to_owned();
    for exit in Exit::ALL {
        let _ = writeln!(table, "  {:2}  {}", exit.code(), exit.meaning());
    }
    table
}
