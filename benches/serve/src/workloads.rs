//! What the contestants are asked for, and what it costs each of them.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::calls::Call;
use crate::contestants::Contestant;
use crate::load::{self, Answers, Load};
use crate::process::Process;

/// How many connections the server keeps busy.
const CONNECTIONS: usize = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Workload {
    W1,
    W2,
    W2c,
    W3,
    W4,
}

impl Workload {
    pub(crate) const ALL: [Self; 5] = [Self::W1, Self::W2, Self::W2c, Self::W3, Self::W4];

    pub(crate) fn key(self) -> &'static str {
        ["W1", "W2", "W2c", "W3", "W4"][self as usize]
    }

    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::W1 => "introspection",
            Self::W2 => "call with all steps memoised",
            Self::W2c => "the same, a new connection each",
            Self::W3 => "fresh step that posts upstream",
            Self::W4 => "1,000 results in the memo, 1 MB",
        }
    }

    /// The share of the floor that the SDK and the service shall reach.
    pub(crate) fn goal(self, contestant: Contestant) -> Option<f64> {
        let (sdk, service) = match self {
            Self::W1 => (0.80, 0.75),
            Self::W2 => (0.80, 0.70),
            Self::W2c => (0.90, 0.80),
            Self::W3 => (0.75, 0.0),
            Self::W4 => (0.95, 0.90),
        };
        match contestant {
            Contestant::Sdk => Some(sdk),
            Contestant::Service => Some(service).filter(|&goal| goal > 0.0),
            _ => None,
        }
    }

    /// The service's own step reaches an ERP through a ledger on a disk, which is another kind of work.
    pub(crate) fn is_for(self, contestant: Contestant) -> bool {
        !(self == Self::W3 && contestant == Contestant::Service)
    }

    pub(crate) fn call(self, contestant: Contestant) -> Call {
        let names = contestant.step_names();
        match self {
            Self::W1 => Call::introspection(),
            Self::W2 | Self::W2c => Call::memoised(names, 0),
            Self::W3 => Call::fresh(),
            Self::W4 => Call::memoised(names, 997),
        }
    }

    fn load(self, lasts: Duration) -> Load {
        let connections = if self == Self::W4 { 4 } else { CONNECTIONS };
        Load { connections, reconnect: self == Self::W2c, lasts }
    }
}

/// What one load has cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cost {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Microseconds of CPU time for each answer.
    pub(crate) cpu: f64,
    /// The middle of the times that answers took, in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) longest: f64,
    /// The most memory that was held, in MB.
    pub(crate) peak: f64,
}

/// Loads `process` with one workload for a while.
pub(crate) async fn measure(
    process: &Process,
    contestant: Contestant,
    workload: Workload,
    lasts: Duration,
) -> Result<Cost> {
    let call = workload.call(contestant);
    let answers = load::closed(process.port, &call, workload.load(lasts));
    let cost = costs(process, answers).await;
    cost.with_context(|| format!("{} of {}", workload.key(), contestant.name()))
}

/// What a load costs the process that is under it.
pub(crate) async fn costs(
    process: &Process,
    load: impl Future<Output = Result<Answers>>,
) -> Result<Cost> {
    process.forget_peak()?;
    let before = process.cpu()?;
    let answers = load.await?;
    let cpu = process.cpu()?.saturating_sub(before);
    let count = f64::from(u32::try_from(answers.times.len())?);
    let share = |hundredths: usize| {
        let place = (answers.times.len() - 1) * hundredths / 100;
        answers.times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    Ok(Cost {
        rate: count / answers.elapsed.as_secs_f64(),
        cpu: cpu.as_secs_f64() * 1e6 / count,
        p50: share(50),
        p99: share(99),
        longest: share(100),
        peak: process.memory()?.1,
    })
}
