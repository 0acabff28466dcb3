//! The command `prometei-flow`.

use std::process::ExitCode;

use clap::Parser as _;
use prometei_flow::cli::Cli;

fn main() -> ExitCode {
    prometei_flow::cli::main(Cli::parse())
}
