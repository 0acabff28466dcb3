//! Colours, where a person sees them and has not refused them.

use std::io::{IsTerminal, stderr, stdout};

use crate::config::Env;

/// Whether what goes to one of the standard streams has colours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Colours(bool);

impl Colours {
    /// Those of standard output.
    pub(super) fn of_output(env: &dyn Env) -> Self {
        Self::on(&stdout(), env)
    }

    /// Those of standard error.
    pub(super) fn of_errors(env: &dyn Env) -> Self {
        Self::on(&stderr(), env)
    }

    /// See <https://no-color.org>.
    fn on(stream: &impl IsTerminal, env: &dyn Env) -> Self {
        let set = |name| env.raw(name).ok().flatten().filter(|value| !value.is_empty());
        let refused = set("NO_COLOR").is_some() || set("TERM").as_deref() == Some("dumb");
        Self(stream.is_terminal() && !refused)
    }

    pub(super) fn red(self, text: &str) -> String {
        self.painted("31", text)
    }

    pub(super) fn yellow(self, text: &str) -> String {
        self.painted("33", text)
    }

    pub(super) fn green(self, text: &str) -> String {
        self.painted("32", text)
    }

    fn painted(self, colour: &str, text: &str) -> String {
        if self.0 { format!("\x1b[1;{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
