//! A contestant's process: pinned, watched and stopped.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use rustix::thread::{CpuSet, sched_setaffinity};
use tokio::time::sleep;

use crate::calls::Call;
use crate::load;

/// The core of the contestants, and that of the load.
const CORES: [usize; 2] = [0, 1];
const START_LIMIT: Duration = Duration::from_secs(30);

/// Takes a core for the load alone. What this process starts takes the other one. Without two cores both share, and the
/// rates say little.
pub(crate) fn take_core() -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    ensure!(cores >= 2, "this takes two cores, one for the contestants and one for the load");
    pin(CORES[1])
}

fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).context("a core cannot be taken")
}

/// A contestant's process. It ends with this value.
pub(crate) struct Process {
    child: Child,
    /// Where it listens.
    pub(crate) port: u16,
    /// From the start to the first answer.
    pub(crate) started_in: Duration,
}

impl Process {
    /// Starts it, and waits until it answers.
    pub(crate) async fn start(command: &mut Command, port: u16, log: &Path) -> Result<Self> {
        let log = fs::File::create(log)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // A process begins on the core of the thread that starts it.
        pin(CORES[0])?;
        let begun = Instant::now();
        let child = command.spawn();
        pin(CORES[1])?;
        let child = child.context("it cannot be started")?;
        let mut process = Self { child, port, started_in: Duration::ZERO };
        let hello = Call::introspection();
        while let Err(error) = load::check(port, &hello).await {
            if let Some(status) = process.child.try_wait()? {
                return Err(error.context(format!("it has ended: {status}")));
            }
            if begun.elapsed() > START_LIMIT {
                return Err(error.context("it does not answer"));
            }
            sleep(Duration::from_micros(200)).await;
        }
        process.started_in = begun.elapsed();
        Ok(process)
    }

    /// The CPU time that its threads have used.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", self.child.id()))? {
            // One that has just ended is not to be read any more.
            let used = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            nanoseconds +=
                used.split(' ').next().and_then(|ns| ns.parse::<u64>().ok()).unwrap_or(0);
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Forgets the peak of its memory.
    pub(crate) fn forget_peak(&self) -> Result<()> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }

    /// Memory in MB: what it holds now, and the most that it has held.
    pub(crate) fn memory(&self) -> Result<(f64, f64)> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let megabytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let kilobytes: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
            Some(kilobytes * 1024.0 / 1e6)
        };
        let resident = megabytes("VmRSS:").context("no VmRSS")?;
        Ok((resident, megabytes("VmHWM:").context("no VmHWM")?))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and that is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free just now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
