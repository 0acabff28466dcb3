//! How many instructions each part of a call takes: `cargo bench -p bench-serve --bench instructions`, which runs itself under
//! `valgrind --tool=callgrind`. Unlike times, counts are the same on a machine that is busy with something else. Valgrind
//! knows no SHA instructions: most of what it counts of a small call is HMAC, which a processor of today does in a hundredth.
//!
//! With the name of a part it leaves a profile of it: `-- memoised-2`. `CARGO_PROFILE_BENCH_STRIP=none` gives its
//! functions names.

mod workloads;

use std::path::Path;
use std::process::{Command, ExitCode};

use workloads::{Part, Workload};

/// Repetitions of the shorter of two runs; the longer one has twice as many, and what it has more is not the start.
fn repetitions(part: Part) -> u64 {
    if part.bytes() > 100_000 { 3 } else { 300 }
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "what it finds is for people")]
fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).filter(|one| one != "--bench").collect();
    if let [name, times] = arguments.as_slice()
        && let (Some(part), Ok(times)) = (named(name), times.parse::<u64>())
    {
        let workload = Workload::of(part);
        (0..times).for_each(|_| workload.run());
        return ExitCode::SUCCESS;
    }
    let folder = std::env::temp_dir();
    for part in Part::ALL {
        let profile = arguments.first().is_some_and(|wanted| *wanted == part.name());
        if !arguments.is_empty() && !profile {
            continue;
        }
        let times = repetitions(part);
        let out = folder.join(format!("callgrind.{}", part.name()));
        let (Some(once), Some(twice)) = (count(part, times, &out), count(part, 2 * times, &out))
        else {
            eprintln!("valgrind does not run; install it");
            return ExitCode::FAILURE;
        };
        let each = twice.saturating_sub(once) / times;
        println!("{:16} {each:>12} instructions, {:>9} bytes", part.name(), part.bytes());
        if profile {
            println!("profile: callgrind_annotate {}", out.display());
        }
    }
    ExitCode::SUCCESS
}

fn named(name: &str) -> Option<Part> {
    Part::ALL.into_iter().find(|part| part.name() == name)
}

/// The instructions of a whole run.
fn count(part: Part, times: u64, out: &Path) -> Option<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.arg("--tool=callgrind").arg(format!("--callgrind-out-file={}", out.display()));
    valgrind.arg(std::env::current_exe().ok()?).args([part.name(), times.to_string()]);
    let said = String::from_utf8(valgrind.output().ok()?.stderr).ok()?;
    said.lines().find_map(|line| line.split("Collected : ").nth(1)?.trim().parse().ok())
}
