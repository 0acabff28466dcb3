//! What every command owes to those who type it and to programs that read it.

use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Stdio};

use prometei_flow::cli::Exit;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::Value;

use super::alone;
use crate::world::{Begin as _, given};

#[tokio::test]
async fn the_exit_code_says_how_it_ended() {
    for (arguments, variables, exit) in [
        (&["demo"][..], &[][..], Exit::Done),
        (&["--help"], &[], Exit::Done),
        (&["demo", "--erp-refuses"], &[], Exit::Failed),
        (&["doctor"], &[], Exit::Failed),
        (&["healthcheck"], &[("ADMIN_ADDR", "127.0.0.1:1")], Exit::Failed),
        (&["deals"], &[], Exit::Done),
        (&["deals", "retry", "--lead", "7"], &[], Exit::Failed),
        (&["deals", "retry"], &[], Exit::Usage),
        (&["serv"], &[], Exit::Usage),
        (&["serve"], &[], Exit::Configuration),
        (&["deals"], &[("DATABASE_URL", "mysql://db")], Exit::Configuration),
        (&["send-deal", "--name", "A"], &[("INNGEST_BASE_URL", "nowhere")], Exit::Configuration),
        (&["deals"], &[("DATABASE_URL_FILE", "/does/not/exist")], Exit::Configuration),
    ] {
        let (said, _folder) = alone(arguments, variables).await;
        assert_eq!(
            said.code,
            Some(i32::from(exit.code())),
            "{arguments:?} {variables:?}: {said:?}"
        );
    }
}

#[tokio::test]
async fn help_and_the_document_have_the_same_exit_codes() {
    let (said, _folder) = alone(&["--help"], &[]).await;
    let document = include_str!("../../../docs/operations.md");
    for exit in Exit::ALL {
        let (code, meaning) = (exit.code(), exit.meaning());
        assert!(said.out.contains(&format!("  {code:2}  {meaning}\n")), "{}", said.out);
        assert!(document.contains(&format!("| {code} | {meaning} |\n")), "{code}");
    }
}

#[tokio::test]
async fn a_shell_completes_every_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let (said, _folder) = alone(&["completions", shell], &[]).await;
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
        for word in ["doctor", "send-deal", "healthcheck", "dismiss", "subscribe", "entity-id"] {
            assert!(said.out.contains(word), "{shell}: {word}");
        }
    }
}

#[tokio::test]
async fn what_a_program_reads_is_one_json_value() {
    let world = given().variable("AMOCRM_REFRESH_TOKEN", "").end_to_end().await;
    let code = world.amocrm.issue_code();
    for (arguments, key) in [
        (&["send-deal", "--name", "A", "--json"][..], "ids"),
        (&["doctor", "--json"], "checks"),
        (&["deals", "--json"], "items"),
        (&["deals", "retry", "--all", "--json"], "due"),
        (&["amocrm", "authorize", "--json"], "link"),
        (&["amocrm", "authorize", "--code", &code, "--json"], "account_id"),
        (&["amocrm", "subscribe", "--url", "https://deals.example.org", "--json"], "now"),
    ] {
        let said = world.command(arguments).await;
        let value: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}"));
        assert!(!value[key].is_null(), "{arguments:?}: {value}");
    }
    world.end().await;
}

/// What a person sees who runs `doctor` in a terminal, with another variable.
fn in_a_terminal(variable: (&str, &str)) -> String {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let path = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let side = File::options().read(true).write(true).open(path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_prometei-flow"));
    program.arg("doctor").env_clear().env(variable.0, variable.1).current_dir(folder.path());
    program.stdin(Stdio::null()).stdout(side.try_clone().unwrap()).stderr(side);
    let mut child = program.spawn().unwrap();
    // It holds this side of the terminal open.
    drop(program);
    let (mut seen, mut terminal) = (Vec::new(), File::from(terminal));
    // At the end of the program there is an error instead of an end of the file.
    let _ = terminal.read_to_end(&mut seen);
    child.wait().unwrap();
    String::from_utf8(seen).unwrap()
}

#[test]
fn colours_are_for_a_terminal_whose_owner_has_not_refused_them() {
    let coloured = "\x1b[1;31merror\x1b[0m";
    let seen = in_a_terminal(("LANG", "C"));
    assert!(seen.contains(coloured), "{seen}");
    for refusal in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let seen = in_a_terminal(refusal);
        assert!(seen.contains("error") && !seen.contains('\x1b'), "{seen}");
    }
}

#[tokio::test]
async fn what_is_read_by_a_program_has_no_colours() {
    let (said, _folder) = alone(&["doctor"], &[]).await;
    assert!(said.out.contains("error") && !(said.out + &said.err).contains('\x1b'));
}
