//! The program as a person runs it.

use std::path::Path;

use tokio::process::Command;
use tokio::time::timeout;

use super::{DEADLINE, World};

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program in `folder` with these variables and no others.
pub(crate) async fn prometei_flow<'a>(
    folder: &Path,
    arguments: &[&str],
    variables: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_prometei-flow"));
    command.args(arguments).env_clear().envs(variables).current_dir(folder).kill_on_drop(true);
    let output = timeout(DEADLINE, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("{arguments:?} does not end")).unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

impl<S> World<S> {
    /// Runs a command with the variables of the service, some of them changed. What it says shows no secret of them.
    pub(crate) async fn command_with(&self, arguments: &[&str], changes: &[(&str, &str)]) -> Said {
        let variables = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let variables = variables.chain(changes.iter().copied());
        let said = prometei_flow(self.folder(), arguments, variables.clone()).await;
        let secrets = variables.filter(|(name, value)| is_secret(name) && !value.is_empty());
        let secrets = secrets.map(|(_, value)| value);
        for secret in secrets.chain(["fake-access-token", "fake-refresh-token", "fake-code-token"])
        {
            let all = format!("{}{}", said.out, said.err);
            assert!(!all.contains(secret), "{secret} is in\n{all}");
        }
        said
    }

    /// Runs a command with the variables of the service.
    pub(crate) async fn command(&self, arguments: &[&str]) -> Said {
        self.command_with(arguments, &[]).await
    }
}

fn is_secret(variable: &str) -> bool {
    ["_KEY", "_SECRET", "_PASSWORD", "_TOKEN"].iter().any(|end| variable.ends_with(end))
}
