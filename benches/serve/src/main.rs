//! How fast the SDK and the service are, beside a floor and beside other SDKs: `cargo run --release -p bench-serve`.
//!
//! It builds and starts the contestants, all on one core, and drives them from the other one with requests that are
//! signed as Inngest signs them. Each round has every contestant under every workload in turn; what is reported are
//! medians of the rounds. It writes its tables and a plot into `docs/performance.md`, which says how to read them.

mod calls;
mod contestants;
mod load;
mod plot;
mod process;
mod report;
mod results;
mod upstream;
mod workloads;

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;

use calls::Call;
use contestants::{Contestant, Places};
use process::Process;
use results::{Paced, Rest, Results, median};
use workloads::{Workload, costs, measure};

/// Measures the SDK and the service beside a floor and beside other SDKs.
#[derive(Parser)]
struct Arguments {
    /// How often each contestant is measured under each workload.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long each time lasts, in milliseconds.
    #[arg(long, default_value_t = 1500)]
    milliseconds: u64,
    /// Measures these workloads alone, and leaves the document as it is; may be repeated.
    #[arg(long = "workload", value_enum, ignore_case = true)]
    workloads: Vec<Workload>,
    /// Leaves the other SDKs out, which are fetched from their registries.
    #[arg(long)]
    without_peers: bool,
    /// Takes the programs as they were built before.
    #[arg(long)]
    without_building: bool,
    /// Leaves the webhooks and the deals out.
    #[arg(long)]
    without_intake: bool,
    /// Prints the tables, and leaves docs/performance.md as it is.
    #[arg(long)]
    only_print: bool,
}

/// How often each contestant is started to see how long that takes.
const STARTS: usize = 5;
/// How long webhooks come at each rate.
const INTAKE: Duration = Duration::from_secs(8);

// One thread drives the load: it has one core.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut arguments = Arguments::parse();
    if arguments.workloads.is_empty() {
        arguments.workloads = Workload::ALL.to_vec();
    } else {
        (arguments.only_print, arguments.without_intake) = (true, true);
    }
    let places = Places::new(upstream::serve().await?)?;
    let mut results = Results::default();
    let mut contestants = Vec::new();
    for contestant in Contestant::ALL {
        let is_peer = matches!(contestant, Contestant::Published | Contestant::TypeScript);
        if is_peer && arguments.without_peers {
            continue;
        }
        let prepared = match arguments.without_building {
            true => Ok(()),
            false => places.prepare(contestant),
        };
        match prepared {
            Ok(()) => contestants.push(contestant),
            Err(error) if is_peer => {
                let why = format!("It could not be fetched and built: {error:#}");
                say(&format!("LEFT OUT: {}. {why}", contestant.name()));
                results.missing.push((contestant, why));
            }
            Err(error) => return Err(error),
        }
    }
    process::take_core()?;
    let running = start(&places, &contestants, &mut results).await?;
    rounds(&arguments, &running, &mut results).await?;
    drop(running);
    if !arguments.without_intake {
        intake(&places, &mut results).await?;
        deals(&places, &mut results).await?;
    }
    let tables = report::markdown(&results)?;
    say(&tables);
    if !arguments.only_print {
        write(&places, &tables, &plot::svg(&results)?)?;
    }
    Ok(())
}

/// Starts each contestant a few times, and leaves the last one running.
async fn start(
    places: &Places,
    contestants: &[Contestant],
    results: &mut Results,
) -> Result<Vec<(Contestant, Process)>> {
    let mut running = Vec::new();
    for &contestant in contestants {
        let mut times = Vec::new();
        for _ in 1..STARTS {
            times.push(places.start(contestant, true).await?.started_in.as_secs_f64() * 1e3);
        }
        let process = places.start(contestant, true).await?;
        times.push(process.started_in.as_secs_f64() * 1e3);
        results.rest.push(Rest {
            contestant,
            started_in: median(times.into_iter()),
            idle: process.memory()?.0,
            size: places.size(contestant),
        });
        running.push((contestant, process));
    }
    Ok(running)
}

/// Every contestant under every workload in turn, over and over.
async fn rounds(
    arguments: &Arguments,
    running: &[(Contestant, Process)],
    results: &mut Results,
) -> Result<()> {
    let lasts = Duration::from_millis(arguments.milliseconds);
    for round in 0..=arguments.rounds {
        for &workload in &arguments.workloads {
            for (contestant, process) in running {
                if !workload.is_for(*contestant) {
                    continue;
                }
                if round == 0 {
                    // Answers are looked at once, and the contestant warms up.
                    let call = workload.call(*contestant);
                    let checked = load::check(process.port, &call).await;
                    checked
                        .with_context(|| format!("{} of {}", workload.key(), contestant.name()))?;
                    measure(process, *contestant, workload, lasts / 5).await?;
                    continue;
                }
                let cost = measure(process, *contestant, workload, lasts).await?;
                results.add(*contestant, workload, cost);
            }
        }
        say(&format!("round {round} of {} is done", arguments.rounds));
    }
    Ok(())
}

/// Webhooks at two rates, with an Inngest that takes their events and without one.
async fn intake(places: &Places, results: &mut Results) -> Result<()> {
    for (a_second, with_inngest) in [(200, false), (200, true), (1000, false), (1000, true)] {
        let process = places.start(Contestant::Service, with_inngest).await?;
        // The service sends events once a call has shown that Inngest knows its functions.
        load::check(process.port, &Workload::W2.call(Contestant::Service)).await?;
        load::check(process.port, &Call::webhook(1)).await?;
        let load = load::paced(process.port, a_second, INTAKE, Call::webhook);
        let cost = costs(&process, load).await?;
        let what = if with_inngest { "webhooks" } else { "webhooks while Inngest is away" };
        results.paced.push(Paced { what, a_second, cost });
    }
    Ok(())
}

/// Calls that make a record each: a claim in the ledger, the ERP, and the record in the ledger, on a disk.
async fn deals(places: &Places, results: &mut Results) -> Result<()> {
    for a_second in [50, 200] {
        let process = places.start(Contestant::Service, true).await?;
        load::check(process.port, &Call::deal(1)).await?;
        let load = load::paced(process.port, a_second, INTAKE, Call::deal);
        let cost = costs(&process, load).await?;
        results.paced.push(Paced { what: "calls that make a record each", a_second, cost });
    }
    Ok(())
}

/// Puts the tables where the document has the old ones, and the plot beside it.
fn write(places: &Places, tables: &str, svg: &str) -> Result<()> {
    const BEGIN: &str = "<!-- measured -->\n";
    const END: &str = "<!-- /measured -->";
    let path = places.document("performance.md");
    let document = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let (before, rest) = document.split_once(BEGIN).context("performance.md lost its mark")?;
    let (_, after) = rest.split_once(END).context("performance.md lost its end mark")?;
    fs::write(&path, format!("{before}{BEGIN}{tables}{END}{after}"))?;
    Ok(fs::write(places.document("performance.svg"), svg)?)
}

fn say(text: &str) {
    // Where standard output is closed, the document has it.
    let _ = writeln!(std::io::stdout(), "{text}");
}
