use std::io::Write;

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  prometei-flow completions bash > /etc/bash_completion.d/prometei-flow
  prometei-flow completions zsh > ~/.zfunc/_prometei-flow
  prometei-flow completions fish > ~/.config/fish/completions/prometei-flow.fish")]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, out: &mut impl Write) -> anyhow::Result<()> {
        // It would panic on a stream that is closed.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "prometei-flow", &mut script);
        Ok(out.write_all(&script)?)
    }
}
