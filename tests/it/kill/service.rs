//! The real program as a process of its own, to be killed.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::net::TcpStream;

use crate::ports;

/// One replica: it can be started again and again, always on the same port.
pub(crate) struct Replica {
    pub(crate) address: SocketAddr,
    pub(crate) log: PathBuf,
    variables: Vec<(String, String)>,
    descriptors: Option<u32>,
    child: Option<Child>,
}

impl Replica {
    /// Not started yet. The log goes to `log`, at the most talkative level.
    pub(crate) async fn new(variables: Vec<(String, String)>, log: PathBuf) -> Self {
        Self { address: ports::kept(), log, variables, descriptors: None, child: None }
    }

    /// With no more than so many open files and connections: `ulimit -n`.
    pub(crate) fn with_descriptors(mut self, descriptors: u32) -> Self {
        self.descriptors = Some(descriptors);
        self
    }

    /// Starts it, and waits until it listens.
    pub(crate) async fn start(&mut self) {
        let admin = ports::kept();
        let program = env!("CARGO_BIN_EXE_prometei-flow");
        let mut command = match self.descriptors {
            None => Command::new(program),
            Some(descriptors) => {
                let mut shell = Command::new("/bin/sh");
                let limited = format!("ulimit -n {descriptors} && exec \"$0\" \"$@\"");
                shell.args(["-c", &limited, program]);
                shell
            }
        };
        command
            .arg("serve")
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("PORT", self.address.port().to_string())
            .env("ADMIN_ADDR", admin.to_string())
            // Not this repository's `.env`.
            .current_dir(self.log.parent().unwrap())
            .stdin(Stdio::null());
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
        let up = async {
            while TcpStream::connect(self.address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let started = tokio::time::timeout(Duration::from_secs(20), up).await;
        assert!(started.is_ok(), "{}", std::fs::read_to_string(&self.log).unwrap_or_default());
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// What `ps` shows of it.
    pub(crate) fn command_line(&self) -> String {
        let id = self.child.as_ref().map(Child::id).unwrap_or_default();
        std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default()
    }

    /// The process's resident memory, in KiB.
    pub(crate) fn memory(&self) -> Option<u64> {
        self.status("VmRSS:")
    }

    /// The most resident memory that the process has had, in KiB.
    pub(crate) fn peak_memory(&self) -> Option<u64> {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> Option<u64> {
        let id = self.child.as_ref()?.id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.kill();
    }
}
