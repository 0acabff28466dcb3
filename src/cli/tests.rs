use clap::{Command, CommandFactory as _, Parser as _};

use super::Cli;

/// Every command with its help, and those below it.
fn helps(command: &mut Command, above: &str) -> Vec<(String, String)> {
    let name = format!("{above} {}", command.get_name());
    let mut all = vec![(name.clone(), command.render_long_help().to_string())];
    for below in command.get_subcommands_mut().filter(|below| below.get_name() != "help") {
        all.extend(helps(below, &name));
    }
    all
}

/// The words of a command line, without its variables and what a shell does with its output.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" > ").next().unwrap();
    let quoted = line.split('\'').enumerate();
    let words = quoted.flat_map(|(part, text)| match part % 2 {
        1 => vec![text.to_owned()],
        _ => text.split_whitespace().map(str::to_owned).collect(),
    });
    words.skip_while(|word| word.contains('=')).collect()
}

#[test]
fn each_command_is_explained_by_examples_that_can_be_typed() {
    for (command, help) in helps(&mut Cli::command(), "") {
        let lines = help.lines().map(str::trim_start);
        let examples: Vec<_> = lines.filter(|line| line.contains("prometei-flow ")).collect();
        let examples = examples.iter().filter(|line| !line.starts_with("Usage"));
        let examples: Vec<_> =
            examples.map(|line| words(line.split("    ").next().unwrap())).collect();
        let of_this = |words: &&Vec<String>| words.join(" ").starts_with(command.trim());
        assert!(examples.iter().any(|words| of_this(&words)), "{command}: {help}");
        for words in examples {
            let parsed = Cli::try_parse_from(&words);
            assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
        }
    }
}
