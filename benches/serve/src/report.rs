//! The results as tables of Markdown.

use std::fmt::Write as _;

use crate::contestants::Contestant;
use crate::results::{Paced, Results};
use crate::workloads::{Cost, Workload};

/// Tables with everything that was measured.
pub(crate) fn markdown(results: &Results) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    ratios(&mut out, results)?;
    costs(&mut out, results)?;
    rest(&mut out, results)?;
    if !results.paced.is_empty() {
        paced(&mut out, results)?;
    }
    for (contestant, why) in &results.missing {
        writeln!(out, "\n**Left out: {}.** {why}", contestant.name())?;
    }
    Ok(out)
}

fn ratios(out: &mut String, results: &Results) -> std::fmt::Result {
    writeln!(
        out,
        "CPU time of the floor for one call, as a share of the contestant's (goal in brackets):\n"
    )?;
    write!(out, "| workload |")?;
    for contestant in contestants(results) {
        write!(out, " {} |", contestant.name())?;
    }
    writeln!(out, "\n|---|{}", "--:|".repeat(contestants(results).count()))?;
    for workload in Workload::ALL {
        write!(out, "| {} {} |", workload.key(), workload.what())?;
        for contestant in contestants(results) {
            match (results.ratio(contestant, workload), workload.goal(contestant)) {
                (Some(ratio), Some(goal)) => write!(out, " {ratio:.2} ({goal:.2}) |")?,
                (Some(ratio), None) => write!(out, " {ratio:.2} |")?,
                (None, _) => write!(out, " - |")?,
            }
        }
        writeln!(out)?;
    }
    Ok(())
}

fn costs(out: &mut String, results: &Results) -> std::fmt::Result {
    writeln!(
        out,
        "\n| workload | contestant | calls/s | CPU ms for 1,000 calls | p50 ms | p99 ms | peak MB |"
    )?;
    writeln!(out, "|---|---|--:|--:|--:|--:|--:|")?;
    for workload in Workload::ALL {
        for cell in contestants(results).filter_map(|one| results.cell(one, workload)) {
            writeln!(
                out,
                "| {} | {} | {:.0} | {:.1} | {:.2} | {:.2} | {:.0} |",
                workload.key(),
                cell.contestant.name(),
                cell.median(|cost| cost.rate),
                cell.median(|cost| cost.cpu),
                cell.median(|cost| cost.p50),
                cell.median(|cost| cost.p99),
                cell.peak(),
            )?;
        }
    }
    Ok(())
}

fn rest(out: &mut String, results: &Results) -> std::fmt::Result {
    writeln!(out, "\n| | start to first answer, ms | memory idle, MB | program, MB |")?;
    writeln!(out, "|---|--:|--:|--:|")?;
    for rest in &results.rest {
        let size = rest.size.map_or("-".to_owned(), |size| format!("{size:.1}"));
        let name = rest.contestant.name();
        writeln!(out, "| {name} | {:.1} | {:.1} | {size} |", rest.started_in, rest.idle)?;
    }
    Ok(())
}

fn paced(out: &mut String, results: &Results) -> std::fmt::Result {
    writeln!(
        out,
        "\n| the service takes | a second | CPU ms for 1,000 | p50 ms | p99 ms | longest ms | peak MB |"
    )?;
    writeln!(out, "|---|--:|--:|--:|--:|--:|--:|")?;
    for Paced { what, a_second, cost } in &results.paced {
        let Cost { cpu, p50, p99, longest, peak, .. } = cost;
        writeln!(
            out,
            "| {what} | {a_second} | {cpu:.0} | {p50:.1} | {p99:.1} | {longest:.1} | {peak:.0} |"
        )?;
    }
    Ok(())
}

fn contestants(results: &Results) -> impl Iterator<Item = Contestant> {
    Contestant::ALL
        .into_iter()
        .filter(|one| results.cells.iter().any(|cell| cell.contestant == *one))
}
